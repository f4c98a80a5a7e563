"""Joined comparative clips: known orders, and features of what the ear would get."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from cotgen.tasks import Attribute, Phrasing
from speech_records import Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import FeatureSpec, log_mel
from trainer.comparisons import GAP_S, LEAST, ORDERS, Joined, JoinedFeatures, joined_examples

RATE = 16_000
WORDS = {"low": 0, "normal": 1, "high": 2}


def clip(name: str, speaker: str, semitones: float, dbfs: float = -20.0) -> MeasuredUtterance:
    profile = ProsodyProfile(1.0, RATE, f0_median_hz=100.0 * 2 ** (semitones / 12), energy_dbfs=dbfs)
    return MeasuredUtterance(Utterance(name, "made", f"{name}.wav", speaker, Emotion.SAD, split="train"), profile)


def test_orders_are_those_of_the_measurements() -> None:
    """Ten pitches a semitone apart: any three with three semitones between neighbours. Energy never differs and rate
    was not measured, so neither gives an example. A speaker of one pitch gives none."""
    clips = [clip(f"a{i}", "a", float(i)) for i in range(10)] + [clip(f"b{i}", "b", 0.0) for i in range(5)]
    found, joined = joined_examples(clips, each=36, phrasing=Phrasing.SHORT, seed=0)
    assert {e.example_id.split("/")[1] for e in found} == {Attribute.PITCH.value}
    assert {e.target for e in found} == {", ".join(list(WORDS)[i] for i in order) for order in ORDERS}
    assert max(Counter(e.target for e in found).values()) <= 6
    for example in found:
        semitones = [int(name[1:]) for name in joined[example.audio_path].parts]
        assert example.utterance_id == joined[example.audio_path].parts[0]
        wanted = [WORDS[word] for word in example.target.split(", ")]
        assert np.argsort(np.argsort(semitones)).tolist() == wanted
        assert np.diff(sorted(semitones)).min() >= LEAST[Attribute.PITCH]
    again, _ = joined_examples(clips, each=36, phrasing=Phrasing.SHORT, seed=0)
    assert again == found


def test_joined_features_are_those_of_the_joined_sound() -> None:
    """Truth: `log_mel` of the three recordings with silence between them, but for frames whose windows lie across."""
    rng = np.random.default_rng(0)
    spec = FeatureSpec(num_mel_bins=40)
    sound = {name: (rng.uniform(-1, 1, RATE) * level).astype(np.float32)
             for name, level in (("u0", 0.5), ("u1", 0.05), ("u2", 0.2))}  # fmt: skip
    stored = {name: log_mel(samples, spec).half() for name, samples in sound.items()}
    features = JoinedFeatures(stored, {"joined/1": Joined(("u0", "u1", "u2"))}, spec)
    gap = np.zeros(round(GAP_S * RATE), np.float32)
    expected = log_mel(np.concatenate([sound["u0"], gap, sound["u1"], gap, sound["u2"]]), spec)
    found = features["joined/1"]
    assert found.shape == expected.shape == (40, 350)
    near = torch.zeros(350, dtype=torch.bool)
    for edge in (0, 100, 125, 225, 250, 350):
        near[max(0, edge - 2) : edge + 2] = True
    torch.testing.assert_close(found[:, ~near].float(), expected[:, ~near], atol=2e-3, rtol=0)
    assert features["u1"] is stored["u1"]
    assert (len(features), list(features)) == (4, ["u0", "u1", "u2", "joined/1"])
