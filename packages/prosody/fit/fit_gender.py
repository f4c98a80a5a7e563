"""Refit the model of gender that the package carries: `voice_gender.json`.

    python packages/prosody/fit/fit_gender.py --root ../shared/data        (needs scikit-learn, RAVDESS, EmoDB and nEMO)

Fitted on RAVDESS actors 1–16, EmoDB 03, 08–12 and nEMO WR0 SM0 EB0 IC0 KD0, each clip through four random channels:
smooth curves added to its log spectrum, as microphones and rooms do. Prints what is right and answered on the speakers
left out, and on each corpus by a model fitted on the other two, from which `MIN_CONFIDENCE` is chosen. Run it again
whenever pitch, activity or the features change.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import prosody
from prosody.gender import CEPSTRUM, MIN_CONFIDENCE, MIN_VOICED_FRAMES, assemble, voice_measures

RATE = 16_000
TARGET = Path(__file__).resolve().parents[1] / "src" / "prosody" / "voice_gender.json"
RAVDESS_FIT = range(1, 17)
EMODB_FIT = frozenset({"03", "08", "09", "10", "11", "12"})
EMODB_MEN = frozenset({"03", "10", "11", "12", "15"})
NEMO_FIT = frozenset({"WR0", "SM0", "EB0", "IC0", "KD0"})
C = 0.1
CHANNELS = 4
CHANNEL_DEVIATION = 1.0
"""Standard deviation of a channel's cepstral coefficient k, times √(k + 1): 3 dB or so per octave-wide band."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """One recording: its corpus, whether its speaker is a man, whether it may be fitted on."""

    corpus: str
    path: Path
    male: bool
    fitted: bool


def clips(root: Path) -> Iterator[Clip]:
    """All recordings below `root`."""
    for path in sorted((root / "ravdess").glob("Actor_*/*.flac")):
        actor = int(path.stem[-2:])
        yield Clip("ravdess", path, actor % 2 == 1, actor in RAVDESS_FIT)
    for path in sorted((root / "emodb" / "wav").glob("*.flac")):
        yield Clip("emodb", path, path.stem[:2] in EMODB_MEN, path.stem[:2] in EMODB_FIT)
    with (root / "nemo" / "utterances.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            path = root / "nemo" / "wav" / f"{row['utterance']}.flac"
            yield Clip("nemo", path, row["gender"] == "male", row["speaker"].strip() in NEMO_FIT)


def fit(
    measures: list[tuple[float, float, Array]], male: Array, corpus: Array
) -> tuple[StandardScaler, LogisticRegression]:
    """Standardised logistic regression over clips through random channels; corpora and genders count alike."""
    rng = np.random.default_rng(0)
    decay = CHANNEL_DEVIATION / np.sqrt(np.arange(CEPSTRUM.start, CEPSTRUM.stop) + 1.0)
    features = np.array(
        [
            assemble(low, median, cepstrum + rng.normal(size=len(decay)) * decay)
            for _ in range(CHANNELS)
            for low, median, cepstrum in measures
        ]
    )
    truth, names = np.tile(male, CHANNELS), np.tile(corpus, CHANNELS)
    weights = np.zeros(len(truth))
    for name in np.unique(names):
        for value in (False, True):
            group = (names == name) & (truth == value)
            weights[group] = 1.0 / max(1, group.sum())
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=C, max_iter=3_000)
    model.fit(scaler.transform(features), truth, sample_weight=weights * len(truth) / weights.sum())
    return scaler, model


def main() -> int:
    """Fit, print what is right and answered, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with ravdess/, emodb/ and nemo/")
    root = parser.parse_args().root
    used, measures = [], []
    data = hashlib.sha256()
    for clip in clips(root):
        samples = prosody.load_audio(clip.path).samples
        pitch = prosody.tracks(samples, RATE).pitch
        if pitch.voiced.sum() >= MIN_VOICED_FRAMES:
            used.append(clip)
            measures.append(voice_measures(samples, RATE, pitch))
            data.update(samples.tobytes() if clip.fitted else b"")
    plain = np.array([assemble(*m) for m in measures])
    male, corpus = np.array([c.male for c in used]), np.array([c.corpus for c in used])
    fitted = np.array([c.fitted for c in used])

    def chosen(mask: Array) -> tuple[StandardScaler, LogisticRegression]:
        return fit([m for m, is_in in zip(measures, mask, strict=True) if is_in], male[mask], corpus[mask])

    def report(title: str, scaler: StandardScaler, model: LogisticRegression, mask: Array) -> None:
        likely = model.predict_proba(scaler.transform(plain[mask]))[:, 1]
        answered = np.maximum(likely, 1.0 - likely) >= MIN_CONFIDENCE
        right = ((likely > 0.5) == male[mask])[answered]
        sys.stdout.write(f"{title}: right {right.mean():.3f}, answered {answered.mean():.3f} of {mask.sum()}\n")

    scaler, model = chosen(fitted)
    for name in np.unique(corpus):
        report(f"{name}, corpus left out", *chosen(corpus != name), corpus == name)
        report(f"{name}, speakers left out", scaler, model, ~fitted & (corpus == name))
    content = {
        "model": "logistic regression, positive is male",
        "fitted_on": "RAVDESS actors 1-16, EmoDB 03 08 09 10 11 12, nEMO WR0 SM0 EB0 IC0 KD0, through random channels",
        "samples_sha256": data.hexdigest(),
        "regularisation_C": C,
        **{
            name: np.round(value, 5).tolist()
            for name, value in (("mean", scaler.mean_), ("scale", scaler.scale_), ("weights", model.coef_[0]))
        },
        "bias": round(float(model.intercept_[0]), 5),
    }
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
