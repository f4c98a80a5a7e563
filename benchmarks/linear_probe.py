"""What a linear probe on a frozen Whisper encoder gets right, and how far above it a policy's answers are.

    python benchmarks/linear_probe.py --data runs/ravdess --audio openai/whisper-base \
        --answers runs/evaluate/sft.answers.jsonl

The probe is a logistic regression on the mean over time of the encoder's last states (after its norm) of each clip,
trained on the training split; its C is chosen by cross-validation over training speakers. Differences are paired by
clip, with bootstrap intervals over clips. Features are those of
`model=compact`, from `DATA/features` where any stage of the trainer left them. Bar: the policy is 5 points above.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from speech_records import MeasuredUtterance
from speechlm.parity import encoder_states
from trainer.dataset import TEST, TRAIN, AnnotatedCorpus
from trainer.features import FOLDER, load_features
from trainer.predict import expected_label
from trainer.stages import feature_spec

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS, DRAWS, BAR = 4, 5000, 0.05
COMPACT = {"preset": "compact", "silence_behind": True, "trim_db": 40.0}
"""The features of `trainer/conf/model/compact.yaml`."""


@torch.no_grad()
def states(features: Mapping[str, torch.Tensor], encoder: WhisperEncoder) -> dict[str, NDArray[np.float32]]:
    """The mean state of every clip, by its feature key."""
    found = {}
    for key, clip in features.items():
        found[key] = encoder.layer_norm(encoder_states(encoder, clip.float()[None]))[0].mean(0).numpy()
    return found


def rows(clips: list[MeasuredUtterance], of: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The states of `clips`, one row each."""
    return np.stack([of[m.utterance.utterance_id] for m in clips])


def paired(policy: NDArray[np.float64], probe: NDArray[np.float64]) -> tuple[float, float, float]:
    """Policy minus probe, and its 95 % interval over clips."""
    difference = policy - probe
    draws = np.random.default_rng(0).integers(0, len(difference), (DRAWS, len(difference)))
    low, high = np.percentile(difference[draws].mean(1), [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="annotated data set")
    parser.add_argument("--audio", default="openai/whisper-base", help="Whisper encoder: a folder or a hub id")
    parser.add_argument("--answers", type=Path, nargs="*", default=[], help="NAME.answers.jsonl of stage=evaluate")
    arguments = parser.parse_args()
    if arguments.data is None:
        print("nothing measured: name an annotated data set with --data")
        return 0
    corpus = AnnotatedCorpus.read(arguments.data)
    encoder = WhisperEncoder.from_pretrained(arguments.audio, dtype=torch.float32, local_files_only=True)
    features, _ = load_features(corpus.audio_clips(), corpus.folder / FOLDER, spec=feature_spec(COMPACT))
    of = states(features, encoder)
    train, test = corpus.split(TRAIN), corpus.split(TEST)
    truth = {m.utterance.utterance_id: expected_label(m, corpus.label_set).value for m in (*train, *test)}
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    search = GridSearchCV(pipeline, {"logisticregression__C": STRENGTHS}, cv=GroupKFold(FOLDS))
    speakers = [m.utterance.speaker_id for m in train]
    search.fit(rows(train, of), [truth[m.utterance.utterance_id] for m in train], groups=speakers)
    names = [m.utterance.utterance_id for m in test]
    probe = np.array([a == truth[n] for a, n in zip(search.predict(rows(test, of)), names, strict=True)], float)
    print(f"linear probe: {probe.mean():.3f} on {len(names)} clips, C {search.best_params_['logisticregression__C']}")
    met = True
    for path in arguments.answers:
        answers = {a["utterance_id"]: a for a in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
        right = np.array([answers[n]["predicted"] == truth[n] for n in names], float)
        gain, low, high = paired(right, probe)
        met &= gain >= BAR
        print(f"{path.name}: {right.mean():.3f}, {100 * gain:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
