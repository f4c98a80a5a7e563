"""Traces as the rule generator writes them, and a reward model small enough for a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from rewardmodel import RewardModel
from speech_records import Claim, Cue, Emotion, ReasoningTrace, Verdict
from speechlm import PocketSize, pocket, train_tokenizer

Sentences = Sequence[tuple[str, Sequence[tuple[str, Cue, str]]]]
TraceMaker = Callable[..., ReasoningTrace]

ANGRY: Sentences = (
    ("The speaker says “The door is open.”", [("“The door is open.”", Cue.QUOTE, "The door is open.")]),
    ("The pitch is high.", [("pitch is high", Cue.PITCH, "high")]),
    ("The voice is loud.", [("voice is loud", Cue.ENERGY, "high")]),
    ("The speaking rate is slow.", [("speaking rate is slow", Cue.RATE, "low")]),
    ("The emphasis is on “door”.", [("The emphasis is on “door”", Cue.STRESS, "door")]),
    (
        "Taken together, the high pitch and the high energy fit a forceful delivery.",
        [("high pitch", Cue.PITCH, "high"), ("high energy", Cue.ENERGY, "high")],
    ),
    ("The most likely emotion is angry.", []),
)


@pytest.fixture
def angry() -> Sentences:
    """Four cues (pitch, energy, rate, stress) in six sentences of evidence and a conclusion."""
    return ANGRY


@pytest.fixture
def make_trace() -> TraceMaker:
    def make(
        utterance_id: str = "a1",
        sentences: Sentences = ANGRY,
        *,
        answer: Emotion = Emotion.ANGRY,
        contradicted: Sequence[Cue] = (),
    ) -> ReasoningTrace:
        claims: list[Claim] = []
        text = ""
        for sentence, spoken in sentences:
            offset = len(text) + bool(text)
            text = f"{text} {sentence}".strip()
            for phrase, cue, value in spoken:
                start = offset + sentence.index(phrase)
                verdict = Verdict.CONTRADICTED if cue in contradicted else Verdict.SUPPORTED
                claims.append(Claim(start, start + len(phrase), phrase, cue, value, verdict))
        return ReasoningTrace(utterance_id, text, answer, tuple(claims), synthetic=True)

    return make


@pytest.fixture
def tiny_model() -> RewardModel:
    """Untrained backbone; its head is given weights, for at zero every score would be 3."""
    tokenizer = train_tokenizer([sentence for sentence, _ in ANGRY], vocab_size=300)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    model = RewardModel(pocket(tokenizer, seed=0, size=size))
    with torch.no_grad():
        model.head.weight.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    return model
