"""Hacking probes: none may gain on facts, whatever the probabilities that a model gives to claims."""

from __future__ import annotations

import pytest
import torch

from rewardmodel import MAX_GAIN, OFFERED, PROBES, Clip, RewardModel, expected_faithfulness, read
from rewardmodel.model import MIN_CHANCE
from speech_records import Cue, Degree, format_answer
from speechlm import train_tokenizer

THINK = "The pitch is high. The energy is low. The speaking rate is fast. So it sounds tense, and the answer is fear."
QUESTION = "Which emotion do you hear: fear, sad? Reason from the sound, then answer."


EMPTY = ("empty reasoning", "prompt echo", "no claim", "a quote alone", "absurd degrees")
"""What says nothing of the sound, or nothing that can be."""


@pytest.mark.parametrize("likely", [0.55, 0.8, 0.99])
@pytest.mark.parametrize("name", list(PROBES))
def test_no_probe_gains_on_facts(name: str, likely: float) -> None:
    """The values of the text are true with the same probability; others of these cues share the rest; cues that the
    text did not speak of are told apart by chance. A clip that offers four cues."""
    said = {(Cue.PITCH, "high"), (Cue.ENERGY, "low"), (Cue.RATE, "high")}
    named = {cue for cue, _ in said}
    offered = {cue: float(cue in (*named, Cue.CONTOUR_SHAPE)) for cue in OFFERED}
    tokenizer = train_tokenizer([THINK, QUESTION], vocab_size=400)

    def factual(think: str) -> float:
        reading = read(tokenizer, format_answer(think, "fear"))
        chances = [
            0.0 if c.degree is Degree.IMPOSSIBLE  # as `Heads` has it
            else likely if (c.cue, c.value) in said else (1 - likely) / 2 if c.cue in named else 0.4
            for c in reading.claims
        ]  # fmt: skip
        mean, _, chance = expected_faithfulness(reading.claims, reading.obscured, chances, offered)
        return 4.0 * mean if chance > MIN_CHANCE else 0.0

    before, after = factual(THINK), factual(PROBES[name](THINK, QUESTION))
    assert after <= before + 0.01
    if name in EMPTY:
        assert after == 0.0
    if name in (*EMPTY, "repeated best sentence"):
        assert after < before - MAX_GAIN


def test_an_impossible_degree_holds_of_no_clip(tiny_model: RewardModel) -> None:
    """*Infinitely high* is never true, whatever is heard; that it is not so is."""
    text = format_answer("The pitch is infinitely high.", "angry")
    made = tiny_model.judge([Clip(torch.rand(16, 40))], [QUESTION], [text])
    assert made.probabilities[0] == pytest.approx((0.0,), abs=1e-6)
    assert float(made.scores[0, 0]) == pytest.approx(1.0, abs=1e-4)
