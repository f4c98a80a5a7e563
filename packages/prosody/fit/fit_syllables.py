"""Refit the three weights with which `prosody.nuclei` counts syllables in the sound.

    python packages/prosody/fit/fit_syllables.py --root ../shared/data        (needs RAVDESS, EmoDB and nEMO)

Fitted by least squares of the relative error on EmoDB speakers 03, 08–12 (hand-set syllables), RAVDESS actors 1–16
(seven syllables in each of its sentences), nEMO WR0 SM0 EB0 IC0 KD0 (syllables of the Polish text by espeak-ng), all
also with noise at 15 dB SNR, and 120 pulse trains, whose truth is exact. Prints the weights, and how well they do on
speakers left out, and on sentences left out of the fit too.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import prosody
from prosody.measurement import voiced_at
from prosody.nuclei import count_features, sonority_peaks

RATE = 16_000
SHARE = {"emodb": 1.0, "ravdess": 0.7, "nemo": 0.7, "pulses": 2.5}
SHARE |= {"emodb noisy": 0.6, "ravdess noisy": 0.4, "nemo noisy": 0.4}
"""Weight of each part as a whole. Pulses weigh most because nothing about them is in doubt."""
EMODB_LEFT_OUT = frozenset({"13", "14"})
RAVDESS_FIT = range(1, 17)
NEMO_LEFT_OUT = frozenset({"TP0", "MP0"})
RIDGE = 0.3
NOISE_DB = 15.0

Array = NDArray[np.float64]
Clip = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One clip: features, true count, rates' denominators (of the measurement, and true), and what it belongs to."""

    features: Array
    syllables: int
    measured_s: float
    true_s: float
    part: str
    sentence: str
    fitted: bool


def row(samples: Clip, syllables: int, part: str, *, true_s: float = np.nan, sentence: str, fitted: bool) -> Row | None:
    """The row of a clip; `None` where there is no speech."""
    measured = prosody.tracks(samples, RATE)
    if not measured.speech.any():
        return None
    times, speech = measured.energy_times_s, measured.speech
    voiced = voiced_at(times, measured.pitch)
    _, prominences = sonority_peaks(samples, RATE, speech=speech, voiced=voiced, first_s=float(times[0]))
    spoken = times[speech][-1] - times[speech][0] + 0.01 - sum(p.end_s - p.start_s for p in measured.pauses)
    return Row(count_features(prominences, speech), syllables, float(spoken), true_s, part, sentence, fitted)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A clip with its true count, and for how long the syllables were spoken where that is known."""

    path: Path
    syllables: int
    sentence: str
    fitted: bool
    true_s: float = np.nan


def emodb(root: Path) -> Iterator[Recording]:
    """Hand-set syllables."""
    hand: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with (root / "emodb" / "syllables.csv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            hand[line["utterance"]].append((float(line["start_s"]), float(line["end_s"])))
    for utterance, marked in hand.items():
        held = [(a, b) for a, b in marked if b > a]
        spoken_s = sum(b - a for a, b in held)
        path = root / "emodb" / "wav" / f"{utterance}.flac"
        yield Recording(path, len(held), utterance[2:5], utterance[:2] not in EMODB_LEFT_OUT, spoken_s)


def ravdess(root: Path) -> Iterator[Recording]:
    """Seven syllables in each of its sentences; every second clip."""
    for actor in range(1, 25):
        for path in sorted((root / "ravdess" / f"Actor_{actor:02}").glob("*.flac"))[::2]:
            yield Recording(path, 7, "ravdess", actor in RAVDESS_FIT)


def nemo(root: Path) -> Iterator[Recording]:
    """Syllables of the Polish text as espeak-ng pronounces it; every second clip."""
    with (root / "nemo" / "utterances.tsv").open(encoding="utf-8", newline="") as lines:
        for line in list(csv.DictReader(lines, delimiter="\t"))[::2]:
            count = prosody.count_syllables(line["text"], language="pl")
            if count is not None:
                path = root / "nemo" / "wav" / f"{line['utterance']}.flac"
                yield Recording(path, count, line["text"], line["speaker"].strip() not in NEMO_LEFT_OUT)


def rows(root: Path) -> Iterator[Row | None]:
    """Every clip of the four sources, clean and noisy."""
    rng = np.random.default_rng(0)
    for part, recordings in (("emodb", emodb(root)), ("ravdess", ravdess(root)), ("nemo", nemo(root))):
        for r in recordings:
            samples = prosody.load_audio(r.path).samples
            noise = rng.standard_normal(len(samples)) * samples.std() * 10.0 ** (-NOISE_DB / 20.0)
            for name, wave in ((part, samples), (f"{part} noisy", (samples + noise).astype(np.float32))):
                yield row(wave, r.syllables, name, true_s=r.true_s, sentence=r.sentence, fitted=r.fitted)
    for _ in range(120):
        yield pulses(rng)


def pulses(rng: np.random.Generator) -> Row | None:
    """A harmonic complex, or noise, whose amplitude peaks 2–7 times a second for 1.5–4 s."""
    seconds, f0, tilt = rng.uniform(1.5, 4.0), rng.uniform(80, 300), rng.uniform(0.8, 1.3)
    count = round(rng.uniform(2, 7) * seconds)
    t = np.arange(round(seconds * RATE)) / RATE
    if rng.random() < 0.8:
        wave = sum(np.sin(2 * np.pi * f0 * k * t) / k**tilt for k in range(1, int(3_800 / f0)))
    else:
        wave = 0.5 * rng.standard_normal(len(t))
    floor = 10.0 ** rng.uniform(-2, -1)
    signal = 0.1 * wave * (floor + (1.0 - floor) * np.sin(np.pi * count / seconds * t) ** 2)
    return row(signal.astype(np.float32), count, "pulses", sentence="pulses", fitted=True)


def fit(chosen: list[Row]) -> Array:
    """Weights that minimise the squared relative error, every part weighted by its share."""
    x, y = np.array([r.features for r in chosen]), np.array([r.syllables for r in chosen], dtype=float)
    part = np.array([r.part for r in chosen])
    weight = np.array([SHARE[name] / np.sqrt(np.sum(part == name)) for name in part]) / y * np.sqrt(len(y))
    scale = x.std(axis=0)
    left = np.vstack([x / scale * weight[:, None], np.sqrt(RIDGE) * np.eye(x.shape[1])])
    return np.asarray(np.linalg.lstsq(left, np.concatenate([y * weight, np.zeros(x.shape[1])]))[0] / scale)


def figures(name: str, judged: list[Row], counts: Array) -> None:
    """Mean absolute error, and the correlation of the rate where the true one is known."""
    truth = np.array([r.syllables for r in judged], dtype=float)
    error = np.mean(np.abs(np.round(counts) - truth) / truth)
    rate = np.round(counts) / np.array([r.measured_s for r in judged])
    known = truth / np.array([r.true_s for r in judged])
    r = np.corrcoef(rate, known)[0, 1] if np.isfinite(known).all() else np.nan
    sys.stdout.write(f"{name:44}error {error:.3f}  correlation of rate {r:.2f}  n {len(judged)}\n")


def main() -> int:
    """Fit, print the weights and what they do on speakers and sentences left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with ravdess/, emodb/ and nemo/")
    found = [r for r in rows(parser.parse_args().root) if r is not None]
    weights = fit([r for r in found if r.fitted])
    sys.stdout.write(f"WEIGHTS = {tuple(round(float(w), 2) for w in weights)}\n")
    for part in SHARE:
        judged = [r for r in found if r.part == part and (not r.fitted or part == "pulses")]
        name = f"{part}, {'fitted' if part == 'pulses' else 'speakers left out'}"
        figures(name, judged, np.array([r.features for r in judged]) @ weights)
    judged, counts = [], []
    for sentence in sorted({r.sentence for r in found if r.part == "emodb"}):
        without = fit([r for r in found if r.fitted and r.sentence != sentence])
        for r in found:
            if r.part == "emodb" and r.sentence == sentence and not r.fitted:
                judged.append(r)
                counts.append(float(r.features @ without))
    figures("emodb, speakers and the sentence left out", judged, np.array(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
