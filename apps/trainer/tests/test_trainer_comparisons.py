"""Joined comparative clips: known orders, and features of what the ear would get."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from cotgen.tasks import Attribute, Phrasing
from speech_records import Emotion, MeasuredUtterance, ProsodyProfile, Utterance
from speechlm import FeatureSpec, log_mel
from trainer.comparisons import (
    GAP_S,
    LEAST,
    ORDERS,
    STEP,
    STEPS,
    Joined,
    JoinedFeatures,
    Part,
    joined_examples,
    token_levels,
)
from trainer.perception import UNKNOWN

RATE = 16_000
WORDS = {"low": 0, "normal": 1, "high": 2}
EACH = dict.fromkeys(Attribute, 36)


def clip(name: str, speaker: str, semitones: float, dbfs: float = -20.0) -> MeasuredUtterance:
    profile = ProsodyProfile(1.0, RATE, f0_median_hz=100.0 * 2 ** (semitones / 12), energy_dbfs=dbfs)
    return MeasuredUtterance(Utterance(name, "made", f"{name}.wav", speaker, Emotion.SAD, split="train"), profile)


def test_orders_are_those_of_the_measurements() -> None:
    """Ten pitches a semitone apart: any three with three semitones between neighbours. Energy never differs and rate
    was not measured, so neither gives an example of recordings. A speaker of one pitch gives none."""
    clips = [clip(f"a{i}", "a", float(i)) for i in range(10)] + [clip(f"b{i}", "b", 0.0) for i in range(5)]
    found, joined = joined_examples(clips, numbers=EACH, phrasing=Phrasing.SHORT, seed=0)
    recorded = [e for e in found if joined[e.audio_path].parts[0].attribute is None]
    assert {e.example_id.split("/")[1] for e in recorded} == {Attribute.PITCH.value}
    assert {e.target for e in recorded} == {", ".join(list(WORDS)[i] for i in order) for order in ORDERS}
    assert max(Counter(e.target for e in recorded).values()) <= 6
    for example in recorded:
        semitones = [int(part.utterance_id[1:]) for part in joined[example.audio_path].parts]
        assert example.utterance_id == joined[example.audio_path].parts[0].utterance_id
        wanted = [WORDS[word] for word in example.target.split(", ")]
        assert np.argsort(np.argsort(semitones)).tolist() == wanted
        assert np.diff(sorted(semitones)).min() >= LEAST[Attribute.PITCH]
    again, _ = joined_examples(clips, numbers=EACH, phrasing=Phrasing.SHORT, seed=0)
    assert again == found


def test_variants_are_of_one_recording_in_every_order() -> None:
    """By `trainer.comparisons`: so many of every attribute, equally many of each order, neighbours as far apart as
    `STEPS` allow, none at a value that names its level. Whispered and long clips are not varied."""
    clips = [clip(f"a{i}", "a", 0.0) for i in range(4)]
    whispered = MeasuredUtterance(Utterance("w", "made", "w.wav", "a"), ProsodyProfile(1.0, RATE))
    long = MeasuredUtterance(Utterance("l", "made", "l.wav", "a"), ProsodyProfile(9.0, RATE, f0_median_hz=100.0))
    found, joined = joined_examples([*clips, whispered, long], numbers=EACH, phrasing=Phrasing.SHORT, seed=0)
    counts = Counter((e.example_id.split("/")[1], e.target) for e in found)
    assert len(counts) == 18
    assert set(counts.values()) == {6}
    for example in found:
        parts = joined[example.audio_path].parts
        attribute = parts[0].attribute
        assert attribute is not None
        assert {p.utterance_id for p in parts} == {example.utterance_id}
        assert example.utterance_id in {m.utterance.utterance_id for m in clips}
        levels = "slow normal fast" if attribute is Attribute.RATE else "low normal high"
        wanted = [levels.split().index(word) for word in example.target.split(", ")]
        amounts = [part.amount for part in parts]
        assert np.argsort(np.argsort(amounts)).tolist() == wanted == list(joined[example.audio_path].levels)
        low, high = (share * STEP[attribute] - 0.002 for share in STEPS)
        assert all(low <= step <= high + 0.004 for step in np.diff(sorted(amounts)))


def test_joined_features_are_those_of_the_joined_sound() -> None:
    """Truth: `log_mel` of the three recordings with silence between them, but for frames whose windows lie across."""
    rng = np.random.default_rng(0)
    spec = FeatureSpec(num_mel_bins=40)
    sound = {name: (rng.uniform(-1, 1, RATE) * level).astype(np.float32)
             for name, level in (("u0", 0.5), ("u1", 0.05), ("u2", 0.2))}  # fmt: skip
    stored = {name: log_mel(samples, spec).half() for name, samples in sound.items()}
    features = JoinedFeatures(
        stored, {"joined/1": Joined((Part("u0"), Part("u1"), Part("u2")), Attribute.ENERGY, (2, 0, 1))}, spec
    )
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


def test_every_audio_token_of_a_part_has_its_level() -> None:
    """By hand: parts of 100 frames and gaps of 25 are frames 0, 125 and 250 on, tokens of four frames 0 to 24, 32 to 55
    and 63 to 86, of 87 in all; a part at twice the tempo has 50 frames, so that its tokens are 32 to 42 and those of
    the next 50 to 74. A clip that is not joined knows no level."""
    spec = FeatureSpec(num_mel_bins=40)
    stored = {"u": torch.rand(40, 100)}
    plain = Joined((Part("u"), Part("u"), Part("u")), Attribute.ENERGY, (2, 0, 1))
    fast = Joined((Part("u"), Part("u", Attribute.RATE, 1.0), Part("u")), Attribute.RATE, (0, 2, 1))
    features = JoinedFeatures(stored, {"plain": plain, "fast": fast}, spec)
    energy, rate = list(Attribute).index(Attribute.ENERGY), list(Attribute).index(Attribute.RATE)
    found = features.levels("plain")
    assert len(found) == 87
    expected = torch.full((87,), UNKNOWN)
    expected[0:25], expected[32:56], expected[63:87] = 2, 0, 1
    assert torch.equal(found[:, energy], expected)
    assert (found[:, rate] == UNKNOWN).all()
    found = features.levels("fast")[:, rate]
    assert features["fast"].shape == (40, 300)
    assert torch.equal((found == 2).nonzero().flatten(), torch.arange(32, 43))
    assert torch.equal((found == 1).nonzero().flatten(), torch.arange(50, 75))
    both = token_levels([features["u"], features["plain"]], ["u", "plain"], features)
    assert torch.equal(both[25:], features.levels("plain"))
    assert (both[:25] == UNKNOWN).all()
