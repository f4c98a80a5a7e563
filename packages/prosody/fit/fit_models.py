"""Refit the two models that the package carries: `voice_gender.json` and `prominence.json`.

    python packages/prosody/fit/fit_models.py --root ../shared/data        (needs scikit-learn, RAVDESS and EmoDB)

Fitted on RAVDESS actors 1–16 and EmoDB speakers 03, 08–12; prints how well each does on the speakers left out. Run it
again whenever pitch, activity or the features change.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import prosody
from prosody.gender import MIN_VOICED_FRAMES, voice_features
from prosody.stress import prominence_features

RATE = 16_000
TARGET = Path(__file__).resolve().parents[1] / "src" / "prosody"
RAVDESS_FIT = range(1, 17)
EMODB_FIT = frozenset({"03", "08", "09", "10", "11", "12"})
EMODB_MEN = frozenset({"03", "10", "11", "12", "15"})
GENDER_C = 0.03
PROMINENCE_C = 0.003
EMODB_WEIGHT = 0.7  # six speakers against sixteen: alike per gender, a little less than RAVDESS

Array = NDArray[np.float64]


def gender_rows(root: Path) -> Iterator[tuple[Array, bool, str, bool]]:
    """Features, male, corpus and whether to fit on it, of every clip with enough voicing."""
    clips = [
        (path, actor % 2 == 1, "ravdess", actor in RAVDESS_FIT)
        for actor in range(1, 25)
        for path in sorted((root / "ravdess" / f"Actor_{actor:02}").glob("*.flac"))
    ]
    clips += [
        (path, path.stem[:2] in EMODB_MEN, "emodb", path.stem[:2] in EMODB_FIT)
        for path in sorted((root / "emodb" / "wav").glob("*.flac"))
    ]
    for path, male, corpus, fitted in clips:
        samples = prosody.load_audio(path).samples
        pitch = prosody.tracks(samples, RATE).pitch
        if pitch.voiced.sum() >= MIN_VOICED_FRAMES:
            yield voice_features(samples, RATE, pitch), male, corpus, fitted


def prominence_rows(root: Path) -> Iterator[tuple[Array, bool, bool]]:
    """Features, prominent (judged 2 or more against less than 1) and whether to fit on it, of every judged syllable."""
    by_utterance: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (root / "emodb" / "syllables.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            by_utterance[row["utterance"]].append(row)
    for utterance, rows in by_utterance.items():
        samples = prosody.load_audio(root / "emodb" / "wav" / f"{utterance}.flac").samples
        held = [r for r in rows if float(r["start_s"]) < float(r["end_s"]) <= len(samples) / RATE]
        segments = [prosody.Segment(r["syllable"], float(r["start_s"]), float(r["end_s"])) for r in held]
        if len(segments) < 3:
            continue
        for features, row in zip(prominence_features(samples, RATE, segments), held, strict=True):
            if row["prominence"] and not 1.0 <= float(row["prominence"]) < 2.0:
                yield features, float(row["prominence"]) >= 2.0, utterance[:2] in EMODB_FIT


def balanced(truth: NDArray[np.bool_], corpus: NDArray[np.str_]) -> Array:
    """Weights under which both corpora and both genders count alike."""
    weights = np.zeros(len(truth))
    for name in np.unique(corpus):
        for value in (False, True):
            group = (corpus == name) & (truth == value)
            weights[group] = (EMODB_WEIGHT if name == "emodb" else 1.0) / max(1, group.sum())
    return weights * len(truth) / weights.sum()


def fit(
    features: Array, truth: NDArray[np.bool_], weights: Array, *, c: float
) -> tuple[StandardScaler, LogisticRegression]:
    """Standardised logistic regression."""
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=c, max_iter=3_000).fit(scaler.transform(features), truth, sample_weight=weights)
    return scaler, model


def write(name: str, scaler: StandardScaler, model: LogisticRegression, /, **about: Any) -> None:
    """The model as JSON: mean, scale and weight of each feature, and the bias."""
    numbers = {"mean": scaler.mean_, "scale": scaler.scale_, "weights": model.coef_[0]}
    content = {**about, **{key: np.round(value, 5).tolist() for key, value in numbers.items()}}
    content["bias"] = round(float(model.intercept_[0]), 5)
    (TARGET / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Fit both, print accuracy on the speakers left out, write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with ravdess/ and emodb/")
    root = parser.parse_args().root
    voices = list(gender_rows(root))
    x, male = np.array([v[0] for v in voices]), np.array([v[1] for v in voices])
    corpus, fitted = np.array([v[2] for v in voices]), np.array([v[3] for v in voices])
    scaler, model = fit(x[fitted], male[fitted], balanced(male[fitted], corpus[fitted]), c=GENDER_C)
    for name in ("ravdess", "emodb"):
        rest = ~fitted & (corpus == name)
        share = model.score(scaler.transform(x[rest]), male[rest])
        sys.stdout.write(f"gender, {name}, speakers left out: {share:.3f}\n")
    write(
        "voice_gender.json", scaler, model, model="logistic regression, positive is male",
        fitted_on="RAVDESS actors 1-16, EmoDB speakers 03 08 09 10 11 12", regularisation_C=GENDER_C,
    )  # fmt: skip
    syllables = list(prominence_rows(root))
    x, high = np.array([s[0] for s in syllables]), np.array([s[1] for s in syllables])
    fitted = np.array([s[2] for s in syllables])
    weights = np.where(high[fitted], 0.5 / high[fitted].mean(), 0.5 / (1.0 - high[fitted].mean()))
    scaler, model = fit(x[fitted], high[fitted], weights, c=PROMINENCE_C)
    share = model.score(scaler.transform(x[~fitted]), high[~fitted])
    sys.stdout.write(f"prominence, speakers left out: {share:.3f}\n")
    write(
        "prominence.json", scaler, model, model="logistic regression, positive is prominent",
        fitted_on="EmoDB speakers 03 08 09 10 11 12, syllables judged >= 2 against < 1", regularisation_C=PROMINENCE_C,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
