"""Refit the default scale that the package carries: `default_scale.json`.

    python packages/prosody/fit/fit_scale.py --root ../shared/data        (needs RAVDESS, EmoDB and nEMO)

RAVDESS actors 1–16, EmoDB 03, 08–12 and nEMO WR0 SM0 EB0 IC0 KD0, measured without transcripts, with the genders that
the corpora state. Run it again whenever a measure changes, and raise the number in its name.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import prosody
from speech_records import Gender, ProsodyProfile

NAME = "default/3"
TARGET = Path(__file__).resolve().parents[1] / "src" / "prosody" / "default_scale.json"
EMODB = {"03": Gender.MALE, "08": Gender.FEMALE, "09": Gender.FEMALE,
         "10": Gender.MALE, "11": Gender.MALE, "12": Gender.MALE}  # fmt: skip
NEMO = {"WR0": Gender.MALE, "SM0": Gender.MALE,
        "EB0": Gender.FEMALE, "IC0": Gender.FEMALE, "KD0": Gender.FEMALE}  # fmt: skip


def profiles(root: Path) -> Iterator[tuple[ProsodyProfile, Gender]]:
    """Every clip fitted on, with the speaker's gender."""
    clips = [
        (path, Gender.MALE if actor % 2 else Gender.FEMALE)
        for actor in range(1, 17)
        for path in sorted((root / "ravdess" / f"Actor_{actor:02}").glob("*.flac"))
    ]
    clips += [
        (path, EMODB[path.stem[:2]])
        for path in sorted((root / "emodb" / "wav").glob("*.flac"))
        if path.stem[:2] in EMODB
    ]
    clips += [
        (path, NEMO[path.stem[:3]]) for path in sorted((root / "nemo" / "wav").glob("*.flac")) if path.stem[:3] in NEMO
    ]
    for path, gender in clips:
        audio = prosody.load_audio(path)
        yield prosody.analyze(audio.samples, audio.sample_rate), gender


def main() -> int:
    """Fit, write, and say how many clips each group has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with ravdess/, emodb/ and nemo/")
    scale = prosody.LevelScale.fit(profiles(parser.parse_args().root), name=NAME)
    scale.save(TARGET)
    sizes = {measure: {group: d.n for group, d in groups.items()} for measure, groups in scale.groups.items()}
    sys.stdout.write(f"{NAME}, hash {scale.hash}, sample sizes {sizes}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
