"""The accuracy of other tools on what `prosody_accuracy.py` measures ours on: F0 on known contours, rate from sound.

Peers are openSMILE (`pip install opensmile`), librosa (`pip install librosa`) and Praat's defaults through parselmouth,
which this package stands on. Rate from sound is that of the widely used Praat script (de Jong & Wempe 2009: peaks of
the intensity, 2 dB dips, voiced, within 25 dB of the loudest) and openSMILE's loudness peaks per second, on EmoDB
speakers 13 and 14. Nothing here has a bar; a peer that is not installed is left out and named.

    python benchmarks/prosody_peers.py [--json] [--root ../shared/data] [--step 1]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import parselmouth
from numpy.typing import NDArray
from prosody_accuracy import EMODB_HELD_OUT, RATE, emodb_clip, hand_syllables, known_contours, pitch_errors

import prosody

Array = NDArray[np.float64]
Clip = NDArray[np.float32]


def our_pitch(clip: Clip) -> tuple[Array, Array]:
    """The track of this package."""
    found = prosody.tracks(clip, RATE).pitch
    return found.times_s, found.f0_hz


def praat_pitch(clip: Clip) -> tuple[Array, Array]:
    """One pass with Praat's defaults for speech, 75–600 Hz."""
    found = parselmouth.Sound(clip.astype(np.float64), RATE).to_pitch_ac(
        time_step=0.01, pitch_floor=75.0, pitch_ceiling=600.0
    )
    return found.xs(), found.selected_array["frequency"]


def librosa_pitch() -> Callable[[Clip], tuple[Array, Array]] | None:
    """Two passes of pYIN, 55–500 Hz and then around the median, as in the method's annotation."""
    if find_spec("librosa") is None:
        return None
    import librosa

    def run(clip: Clip) -> tuple[Array, Array]:
        f0, voiced, _ = librosa.pyin(clip, fmin=55, fmax=500, sr=RATE, hop_length=160)
        median = float(np.median(f0[voiced])) if voiced.any() else 150.0
        low, high = max(55.0, median / 2), min(500.0, median * 2)
        f0, voiced, _ = librosa.pyin(clip, fmin=low, fmax=high, sr=RATE, hop_length=160)
        return np.arange(len(f0)) * 0.010, np.where(voiced, f0, np.nan)

    return run


def opensmile_pitch() -> Callable[[Clip], tuple[Array, Array]] | None:
    """eGeMAPSv02's low-level F0 (semitones above 27.5 Hz)."""
    if find_spec("opensmile") is None:
        return None
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)

    def run(clip: Clip) -> tuple[Array, Array]:
        table = smile.process_signal(clip, RATE)
        start = table.index.get_level_values("start").total_seconds().to_numpy()
        end = table.index.get_level_values("end").total_seconds().to_numpy()
        st = table["F0semitoneFrom27.5Hz_sma3nz"].to_numpy()
        return (start + end) / 2, np.where(st > 0, 27.5 * 2.0 ** (st / 12.0), np.nan)

    return run


def intensity_peaks(clip: Clip) -> float:
    """Syllables as the Praat script finds them."""
    from scipy.signal import find_peaks

    sound = parselmouth.Sound(clip.astype(np.float64), RATE)
    intensity, pitch = sound.to_intensity(minimum_pitch=50.0), sound.to_pitch_ac(pitch_floor=30.0, pitch_ceiling=450.0)
    level, times = intensity.values[0], intensity.xs()
    peaks, _ = find_peaks(level, prominence=2.0, height=np.percentile(level, 99) - 25.0)
    return float(sum(pitch.get_value_at_time(times[peak]) > 0 for peak in peaks))


def loudness_peaks() -> Callable[[Clip], float] | None:
    """OpenSMILE's loudness peaks per second, times the length."""
    if find_spec("opensmile") is None:
        return None
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return lambda clip: float(smile.process_signal(clip, RATE)["loudnessPeaksPerSec"].iloc[0]) * len(clip) / RATE


def pitch_rows(root: Path, step: int) -> dict[str, dict[str, float]]:
    """Gross and fine error of each tool, clean and at 20 dB SNR, on the same signals."""
    tools = {"prosody": our_pitch, "Praat defaults": praat_pitch, "librosa pYIN": librosa_pitch(),
             "openSMILE eGeMAPS": opensmile_pitch()}  # fmt: skip
    rows = {}
    signals = list(known_contours(root, step=step))
    for tool, track in tools.items():
        if track is None:
            print(f"{tool}: not installed, left out", file=sys.stderr)
            continue
        row = {}
        for condition in ("clean", "20 dB SNR"):
            parts = [
                pitch_errors(*track(clip), times, truth) for name, clip, times, truth in signals if name == condition
            ]
            errors = np.concatenate(parts)
            row[f"{condition}: gross"] = float((errors > 0.2).mean())
            row[f"{condition}: fine"] = float(errors[errors <= 0.2].mean())
            row[f"{condition}: frames"] = float(len(errors))
        rows[tool] = row
    return rows


def rate_rows(root: Path) -> dict[str, dict[str, float]]:
    """Count error and correlation of the rate, both over the hand-set time that the clip holds."""
    tools: dict[str, Callable[[Clip], float] | None] = {
        "prosody": lambda clip: float(prosody.analyze(clip, RATE).syllables or 0),
        "Praat script (de Jong & Wempe)": intensity_peaks,
        "openSMILE loudness peaks": loudness_peaks(),
    }
    clips = []
    for utterance, syllables in hand_syllables(root).items():
        if utterance[:2] in EMODB_HELD_OUT:
            clip = emodb_clip(root, utterance)
            end_s = len(clip) / RATE
            held = [s for s in syllables if (s.start_s + s.end_s) / 2 < end_s]
            clips.append((clip, len(held), sum(min(s.end_s, end_s) - s.start_s for s in held)))
    truth, seconds = (np.array([c[i] for c in clips], dtype=float) for i in (1, 2))
    rows = {}
    for tool, count in tools.items():
        if count is not None:
            counts = np.array([count(clip) for clip, *_ in clips])
            error = float(np.mean(np.abs(counts - truth) / truth))
            rows[tool] = {"error": error, "r": float(np.corrcoef(counts / seconds, truth / seconds)[0, 1])}
    return rows


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    shared = Path(os.environ.get("EMOTIONTHINKER_SHARED", "../shared"))
    parser.add_argument("--root", type=Path, default=shared / "data", help="folder with ravdess/ and emodb/")
    parser.add_argument("--step", type=int, default=1, help="every n-th of the clips behind the contours")
    arguments = parser.parse_args()
    if not (arguments.root / "emodb" / "syllables.csv").is_file():
        print(f"{arguments.root}: no emodb/syllables.csv there", file=sys.stderr)
        return 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = {"F0": pitch_rows(arguments.root, arguments.step), "rate from sound": rate_rows(arguments.root)}
    if arguments.json:
        print(json.dumps(tables, indent=1))
        return 0
    for name, rows in tables.items():
        print(name)
        for tool, row in rows.items():
            print(f"  {tool:32}" + "".join(f"  {key} {value:.4g}" for key, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
