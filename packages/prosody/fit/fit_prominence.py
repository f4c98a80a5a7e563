"""Refit the model of prominence that the package carries: `prominence.json`.

    python packages/prosody/fit/fit_prominence.py --root ../shared/data        (needs scikit-learn and EmoDB)

Fitted on EmoDB speakers 03, 08–12; prints how well it does on the speakers left out. Run it again whenever pitch,
activity or the features change.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
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
from prosody.stress import prominence_features

RATE = 16_000
TARGET = Path(__file__).resolve().parents[1] / "src" / "prosody"
EMODB_FIT = frozenset({"03", "08", "09", "10", "11", "12"})
PROMINENCE_C = 0.003

Array = NDArray[np.float64]


def prominence_rows(root: Path, digest: hashlib._Hash) -> Iterator[tuple[Array, bool, bool]]:
    """Features, prominent (judged 2 or more against less than 1) and whether to fit on it, of every judged syllable."""
    by_utterance: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (root / "emodb" / "syllables.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            by_utterance[row["utterance"]].append(row)
    for utterance, rows in by_utterance.items():
        samples = prosody.load_audio(root / "emodb" / "wav" / f"{utterance}.flac").samples
        if utterance[:2] in EMODB_FIT:
            digest.update(samples.tobytes())
        held = [r for r in rows if float(r["start_s"]) < float(r["end_s"])]
        segments = [prosody.Segment(r["syllable"], float(r["start_s"]), float(r["end_s"])) for r in held]
        if len(segments) < 3:
            continue
        for features, row in zip(prominence_features(samples, RATE, segments), held, strict=True):
            if row["prominence"] and not 1.0 <= float(row["prominence"]) < 2.0:
                yield features, float(row["prominence"]) >= 2.0, utterance[:2] in EMODB_FIT


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
    """Fit it, print accuracy on the speakers left out, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with emodb/")
    root, digest = parser.parse_args().root, hashlib.sha256()
    syllables = list(prominence_rows(root, digest))
    x, high = np.array([s[0] for s in syllables]), np.array([s[1] for s in syllables])
    fitted = np.array([s[2] for s in syllables])
    weights = np.where(high[fitted], 0.5 / high[fitted].mean(), 0.5 / (1.0 - high[fitted].mean()))
    scaler, model = fit(x[fitted], high[fitted], weights, c=PROMINENCE_C)
    share = model.score(scaler.transform(x[~fitted]), high[~fitted])
    sys.stdout.write(f"prominence, speakers left out: {share:.3f}\n")
    write(
        "prominence.json", scaler, model, model="logistic regression, positive is prominent",
        fitted_on="EmoDB speakers 03 08 09 10 11 12, syllables judged >= 2 against < 1", regularisation_C=PROMINENCE_C,
        samples_sha256=digest.hexdigest(),
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
