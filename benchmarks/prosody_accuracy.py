"""How accurate `prosody` is, on recordings of real speech, compared with hand labels and known truth.

Fitted on RAVDESS actors 1–16, EmoDB speakers 03, 08–12 and nEMO WR0 SM0 EB0 IC0 KD0 (syllable weights, gender,
prominence); measured on RAVDESS actors 17–20, EmoDB 13, 14 and nEMO TP0, MP0, except where a line says otherwise.

    python benchmarks/prosody_accuracy.py [--json] [--root ../shared/data]

Leaves with status 1 when a figure misses its bar.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import prosody
from prosody.vocoder import Vocoded, put_together, take_apart
from speech_records import ContourShape, Gender

RATE = 16_000
EMODB_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
EMODB_MEN = frozenset({"03", "10", "11", "12", "15"})
EMODB_HELD_OUT = frozenset({"13", "14"})
RAVDESS_HELD_OUT = range(17, 21)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure with its bar; `at_least` says on which side of it is good."""

    what: str
    value: float
    bar: float
    at_least: bool
    n: int

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class HandSyllable:
    """A hand-set syllable of EmoDB; `prominence` about 0–3, `None` where none was judged."""

    start_s: float
    end_s: float
    label: str
    prominence: float | None


def hand_syllables(root: Path) -> dict[str, list[HandSyllable]]:
    """Utterance to its syllables in order."""
    found: dict[str, list[HandSyllable]] = defaultdict(list)
    with (root / "emodb" / "syllables.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            judged = float(row["prominence"]) if row["prominence"] else None
            syllable = HandSyllable(float(row["start_s"]), float(row["end_s"]), row["syllable"], judged)
            if syllable.end_s > syllable.start_s:
                found[row["utterance"]].append(syllable)
    return found


def ravdess(root: Path, actors: range) -> Iterator[tuple[Path, Gender]]:
    """Clips of the actors with their gender (odd actors are men)."""
    for actor in actors:
        for path in sorted((root / "ravdess" / f"Actor_{actor:02}").glob("*.flac")):
            yield path, Gender.MALE if actor % 2 else Gender.FEMALE


def emodb_clip(root: Path, utterance: str) -> NDArray[np.float32]:
    """Samples of one EmoDB utterance at 16 kHz."""
    return prosody.load_audio(root / "emodb" / "wav" / f"{utterance}.flac").samples


def syllables_from_text(hand: dict[str, list[HandSyllable]]) -> list[Figure]:
    """Counts in the sentence against hand counts, and the speaking rates that follow over the hand-set duration."""
    truth = np.array([len(syllables) for syllables in hand.values()], dtype=float)
    counted = np.array([prosody.count_syllables(EMODB_TEXTS[u[2:5]], language="de") or 0 for u in hand], dtype=float)
    seconds = np.array([syllables[-1].end_s - syllables[0].start_s for syllables in hand.values()])
    error, r, n = float(np.mean(np.abs(counted - truth) / truth)), _r(counted / seconds, truth / seconds), len(truth)
    return [
        Figure("syllables from text, EmoDB: mean absolute error", error, 0.04, at_least=False, n=n),
        Figure("syllables from text, EmoDB: correlation of rate", r, 0.90, at_least=True, n=n),
    ]


def syllables_from_sound(root: Path, hand: dict[str, list[HandSyllable]]) -> list[Figure]:
    """Counts in the sound against the hand-set syllables; rates over our speech time against the hand-set one."""
    rows = []
    for utterance, syllables in hand.items():
        samples = emodb_clip(root, utterance)
        seconds = sum(s.end_s - s.start_s for s in syllables)
        profile = prosody.analyze(samples, RATE)
        rows.append(
            (
                utterance[:2] in EMODB_HELD_OUT,
                len(syllables),
                profile.syllables or 0,
                seconds,
                profile.articulation_rate_sps or 0,
            )
        )
    figures = []
    held_out = np.array([row[0] for row in rows])
    for name, mask in (("held-out speakers", held_out), ("all speakers", np.ones(len(rows), bool))):
        truth, counted, seconds, rate = (np.array([row[i] for row in rows], dtype=float)[mask] for i in (1, 2, 3, 4))
        error, r, n = float(np.mean(np.abs(counted - truth) / truth)), _r(rate, truth / seconds), len(truth)
        what = f"syllables from sound, EmoDB, {name}"
        figures.append(Figure(f"{what}: mean absolute error", error, 0.22, at_least=False, n=n))
        figures.append(Figure(f"{what}: correlation of rate", r, 0.65, at_least=True, n=n))
    return figures


def _r(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def gender(root: Path) -> list[Figure]:
    """Accuracy among answered clips, and the share of clips answered, on speakers not fitted on."""
    emodb = [
        (path, Gender.MALE if path.stem[:2] in EMODB_MEN else Gender.FEMALE)
        for path in sorted((root / "emodb" / "wav").glob("*.flac"))
        if path.stem[:2] in EMODB_HELD_OUT
    ]
    nemo = [(path, Gender.MALE) for path in sorted((root / "nemo" / "wav").glob("[TM]P0_*.flac"))]
    figures = []
    for name, clips in (("RAVDESS", list(ravdess(root, RAVDESS_HELD_OUT))), ("EmoDB", emodb), ("nEMO", nemo)):
        guesses = [(prosody.analyze(prosody.load_audio(path).samples, RATE).gender, truth) for path, truth in clips]
        right, n = [guess is truth for guess, truth in guesses if guess is not None], len(clips)
        figures.append(Figure(f"gender, {name}: accuracy", float(np.mean(right)), 0.95, at_least=True, n=len(right)))
        figures.append(Figure(f"gender, {name}: answered", len(right) / n, 0.80, at_least=True, n=n))
    return figures


def known_contours(
    root: Path, *, seed: int = 0, step: int = 1
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]]:
    """Real speech resynthesised through WORLD on known contours: condition, samples, times (s) and F0 there (Hz, 0 =
    unvoiced), clean and with noise at 20 dB SNR; every `step`-th clip.
    """
    rng = np.random.default_rng(seed)
    clips = [path for path, _ in ravdess(root, range(1, 21))][3::97]
    clips += sorted((root / "emodb" / "wav").glob("*.flac"))[5::60]
    for path in clips[::step]:
        samples = prosody.load_audio(path).samples
        parts = take_apart(samples, RATE, prosody.tracks(samples, RATE).pitch)
        voiced = parts.f0_hz > 0
        for shift_st in (-4.0, 0.0, 5.0):
            st = 4.0 * np.sin(2 * np.pi * 0.9 * parts.times_s + rng.uniform(0, 6)) + shift_st
            truth = np.where(voiced, np.median(parts.f0_hz[voiced]) * 2.0 ** (st / 12.0), 0.0)
            if truth.max() > 780.0 or truth[voiced].min() < 62.0:
                continue  # outside of the documented 60–800 Hz
            clean = put_together(Vocoded(truth, parts.envelope, parts.aperiodicity, parts.times_s), RATE)
            noise = rng.standard_normal(len(clean)) * clean.std() / 10.0
            for name, signal in (("clean", clean), ("20 dB SNR", (clean + noise).astype(np.float32))):
                yield name, signal, parts.times_s, truth


def pitch_errors(
    found_s: NDArray[np.float64],
    found_hz: NDArray[np.float64],
    times_s: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Relative errors of a track (NaN or 0 where unvoiced) at its own times, where both it and the truth are voiced."""
    known = np.interp(found_s, times_s, truth) * (truth[_nearest(found_s, len(truth))] > 0)
    both = (np.nan_to_num(found_hz) > 0) & (known > 0)
    return np.abs(found_hz[both] / known[both] - 1.0)


def pitch(root: Path) -> list[Figure]:
    """Gross (> 20 %) and fine errors against known contours."""
    errors_of: dict[str, list[NDArray[np.float64]]] = {"clean": [], "20 dB SNR": []}
    for name, signal, times_s, truth in known_contours(root):
        found = prosody.tracks(signal, RATE).pitch
        errors_of[name].append(pitch_errors(found.times_s, found.f0_hz, times_s, truth))
    figures = []
    for name, parts in errors_of.items():
        errors = np.concatenate(parts)
        gross, n = errors > 0.20, len(errors)
        figures.append(Figure(f"F0, {name}: gross errors", float(gross.mean()), 0.02, at_least=False, n=n))
        figures.append(Figure(f"F0, {name}: fine error", float(errors[~gross].mean()), 0.01, at_least=False, n=n))
    return figures


def hum(root: Path) -> list[Figure]:
    """Share of clips whose median pitch moves by over a semitone when mains hum is added to them (bar ours)."""
    rng = np.random.default_rng(0)
    clips = [path for path, _ in ravdess(root, RAVDESS_HELD_OUT)][::20] + sorted((root / "emodb/wav").glob("1[34]*"))[
        ::12
    ]
    clips += sorted((root / "nemo/wav").glob("[TM]P*"))[::16]
    moved = []
    for path in clips:
        samples = prosody.load_audio(path).samples
        before, times = prosody.analyze(samples, RATE), np.arange(len(samples)) / RATE
        for mains_hz in (50.0, 59.97) if before.f0_median_hz is not None else ():
            for multiples in ((1, 2, 3, 4, 5, 6), (2, 4, 6), (1, 3, 5, 7), tuple(range(1, 31))):
                for below_db in (15.0, 20.0):
                    wave = sum(np.sin(2 * np.pi * (mains_hz * k * times + rng.random())) / k for k in multiples)
                    wave *= 10.0 ** (((before.energy_dbfs or 0.0) - below_db) / 20.0) / wave.std()
                    after = prosody.analyze((samples + wave).astype(np.float32), RATE).f0_median_hz
                    moved.append(after is None or abs(12.0 * np.log2(after / before.f0_median_hz)) > 1.0)
    what = "pitch moved by mains hum 15 and 20 dB below speech"
    return [Figure(what, float(np.mean(moved)), 0.05, at_least=False, n=len(moved))]


def _nearest(times_s: NDArray[np.float64], frames: int) -> NDArray[np.int64]:
    return np.clip(np.round(times_s / 0.005).astype(np.int64), 0, frames - 1)


def contours(root: Path) -> list[Figure]:
    """Share of contours imposed on real speech that are recognised as what they are."""
    shapes = [shape for shape in ContourShape if shape not in {ContourShape.UNCERTAIN, ContourShape.TOO_SHORT}]
    hits = []
    for path, _ in list(ravdess(root, range(1, 21)))[11::40]:
        samples = prosody.load_audio(path).samples
        for shape in shapes:
            try:
                changed = prosody.modify(samples, RATE, contour=shape)
            except prosody.ModificationError:
                continue  # no voicing to impose a contour on
            hits.append(prosody.analyze(changed, RATE).contour_shape is shape)
    return [Figure("imposed contours recognised, RAVDESS", float(np.mean(hits)), 0.95, at_least=True, n=len(hits))]


def modified(root: Path) -> list[Figure]:
    """How far the median pitch lies from the shift asked for, per method; the two bars are our own."""
    figures = []
    for method in prosody.Method:
        errors = []
        for path, _ in list(ravdess(root, RAVDESS_HELD_OUT))[5::16]:
            samples = prosody.load_audio(path).samples
            before = prosody.analyze(samples, RATE).f0_median_hz
            for shift_st in (-3.0, 3.0) if before is not None else ():
                after = prosody.analyze(prosody.modify(samples, RATE, pitch_st=shift_st, method=method), RATE)
                moved = 12.0 * np.log2((after.f0_median_hz or np.nan) / before)
                errors.append(abs(float(moved) - shift_st))
        what = f"shifts of 3 st through {method.value}, RAVDESS: mean absolute error (st)"
        figures.append(Figure(what, float(np.mean(errors)), 0.3, at_least=False, n=len(errors)))
    return figures


def whispers(root: Path) -> list[Figure]:
    """Share of whispered resyntheses that get no pitch, and of the same clips as spoken that get one (bars our own)."""
    clips = [path for path, _ in list(ravdess(root, range(1, 21)))[7::12]]
    clips += sorted((root / "emodb" / "wav").glob("*.flac"))[3::8]
    spoken, silent = [], []
    for path in clips:
        samples = prosody.load_audio(path).samples
        spoken.append(prosody.analyze(samples, RATE).f0_median_hz is not None)
        whispered = prosody.modify(samples, RATE, whisper=True)
        silent.append(prosody.analyze(whispered, RATE).f0_median_hz is None)
    return [
        Figure("whispered resyntheses without pitch", float(np.mean(silent)), 0.98, at_least=True, n=len(clips)),
        Figure("the same clips as spoken with pitch", float(np.mean(spoken)), 0.98, at_least=True, n=len(clips)),
    ]


def stress(root: Path, hand: dict[str, list[HandSyllable]]) -> list[Figure]:
    """AUROC of prominence, judged 2 or more against less than 1, boundaries given, on held-out speakers."""
    scores, judged = [], []
    for utterance, syllables in hand.items():
        if utterance[:2] not in EMODB_HELD_OUT:
            continue
        samples = emodb_clip(root, utterance)
        found = prosody.prominence(samples, RATE, [prosody.Segment(s.label, s.start_s, s.end_s) for s in syllables])
        for score, syllable in zip(found, syllables, strict=True):
            if syllable.prominence is not None and not 1.0 <= syllable.prominence < 2.0:
                scores.append(float(score))
                judged.append(syllable.prominence >= 2.0)
    value = auroc(scores, judged)
    return [Figure("prominence of syllables, EmoDB: AUROC", value, 0.87, at_least=True, n=len(scores))]


def auroc(scores: list[float], positive: list[bool]) -> float:
    """Chance that a positive scores above a negative; ties count half (Mann–Whitney)."""
    from scipy.stats import rankdata

    ranks, truth = rankdata(scores), np.array(positive)
    n = truth.sum()
    return float((ranks[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def measure(root: Path) -> list[Figure]:
    """Every figure, in the order of the table in docs/prosody.md."""
    hand = hand_syllables(root)
    return [
        *pitch(root),
        *hum(root),
        *syllables_from_text(hand),
        *syllables_from_sound(root, hand),
        *contours(root),
        *modified(root),
        *whispers(root),
        *stress(root, hand),
        *gender(root),
    ]


def main() -> int:
    """Print the figures; status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    shared = Path(os.environ.get("EMOTIONTHINKER_SHARED", "../shared"))
    parser.add_argument("--root", type=Path, default=shared / "data", help="folder with ravdess/ and emodb/")
    arguments = parser.parse_args()
    if not (arguments.root / "emodb" / "syllables.csv").is_file():
        print(f"{arguments.root}: no emodb/syllables.csv there", file=sys.stderr)
        return 1
    figures = measure(arguments.root)
    if arguments.json:
        print(json.dumps({"figures": [{**asdict(figure), "met": figure.met} for figure in figures]}, indent=1))
    else:
        for figure in figures:
            verdict, sign = "ok" if figure.met else "MISSED", "≥" if figure.at_least else "≤"
            print(f"{verdict:7}{figure.what:64}{figure.value:8.4f}  bar {sign} {figure.bar:g}  n {figure.n}")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
