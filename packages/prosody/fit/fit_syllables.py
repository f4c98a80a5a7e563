"""Refit the two weights with which `prosody.nuclei` counts syllables in the sound: `syllables.json`.

    python packages/prosody/fit/fit_syllables.py --root ../shared/data        (needs RAVDESS, EmoDB and nEMO)

Fitted by least squares of the relative error on EmoDB 03, 08–12 (hand-set syllables), RAVDESS actors 1–16 (seven
syllables in each of its sentences), nEMO WR0 SM0 EB0 IC0 KD0 (syllables of the Polish text), all also with noise at
15 dB SNR, and 120 pulse trains, whose truth is exact. Prints the weights, and how well they do on speakers left out, on
sentences left out of the fit too, and on each corpus by weights fitted without it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
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
TARGET = Path(__file__).resolve().parents[1] / "src" / "prosody" / "syllables.json"
SHARE = {"emodb": 1.0, "ravdess": 0.7, "nemo": 1.0, "emodb noisy": 0.6, "ravdess noisy": 0.4, "nemo noisy": 0.6,
         "pulses": 3.0}  # fmt: skip
"""Weight of each part as a whole. Pulses weigh most because nothing about them is in doubt."""
NEMO_FIT = frozenset({"WR0", "SM0", "EB0", "IC0", "KD0"})
POLISH_NUCLEUS = re.compile(r"(?:i(?=[aąeęoóu]))?[aąeęioóuy]")  # an i before a vowel only softens the consonant
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


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A clip of a corpus: its syllables, how long they last (NaN: unknown), its sentence, whether it is fitted on."""

    path: Path
    corpus: str
    syllables: int
    true_s: float
    sentence: str
    fitted: bool


def recordings(root: Path) -> Iterator[Recording]:
    """The clips of EmoDB, of RAVDESS (every second one) and of nEMO."""
    hand: dict[str, list[float]] = defaultdict(list)
    with (root / "emodb" / "syllables.csv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            length_s = float(line["end_s"]) - float(line["start_s"])
            hand[line["utterance"]] += [length_s] if length_s > 0 else []
    for name, lengths in hand.items():
        path, fitted = root / "emodb" / "wav" / f"{name}.flac", name[:2] not in EMODB_LEFT_OUT
        yield Recording(path, "emodb", len(lengths), sum(lengths), name[2:5], fitted)
    for actor in range(1, 25):
        for path in sorted((root / "ravdess" / f"Actor_{actor:02}").glob("*.flac"))[::2]:
            yield Recording(path, "ravdess", 7, np.nan, "ravdess", actor in RAVDESS_FIT)
    with (root / "nemo" / "utterances.tsv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines, delimiter="\t"):
            path, count = (
                root / "nemo" / "wav" / f"{line['utterance']}.flac",
                POLISH_NUCLEUS.findall(line["text"].lower()),
            )
            yield Recording(path, "nemo", len(count), np.nan, line["text"], line["speaker"] in NEMO_FIT)


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


def rows(root: Path, digest: hashlib._Hash) -> Iterator[Row | None]:
    """Every clip, clean and noisy, and the pulse trains; `digest` takes the samples that are fitted on."""
    rng = np.random.default_rng(0)
    for clip in recordings(root):
        samples = prosody.load_audio(clip.path).samples
        if clip.fitted:
            digest.update(samples.tobytes())
        noise = rng.standard_normal(len(samples)) * samples.std() * 10.0 ** (-NOISE_DB / 20.0)
        for part, wave in ((clip.corpus, samples), (f"{clip.corpus} noisy", (samples + noise).astype(np.float32))):
            yield row(
                wave, clip.syllables, part, true_s=clip.true_s, sentence=clip.sentence, fitted=clip.fitted
            )  # fmt: skip
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
    digest = hashlib.sha256()
    found = [r for r in rows(parser.parse_args().root, digest) if r is not None]
    weights = fit([r for r in found if r.fitted])
    content = {
        "weights": [round(float(weight), 3) for weight in weights],
        "fitted_on": "EmoDB 03 08-12, RAVDESS actors 1-16, nEMO WR0 SM0 EB0 IC0 KD0, clean and noisy; pulse trains",
        "samples_sha256": digest.hexdigest(),
    }
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"weights {content['weights']}\n")
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
    for corpus in ("emodb", "ravdess", "nemo"):
        without = fit([r for r in found if r.fitted and not r.part.startswith(corpus)])
        judged = [r for r in found if r.part == corpus]
        figures(f"{corpus}, the whole corpus left out", judged, np.array([r.features for r in judged]) @ without)
    return 0


if __name__ == "__main__":
    sys.exit(main())
