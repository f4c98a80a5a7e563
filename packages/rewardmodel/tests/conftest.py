"""Traces as the rule generator writes them, a small writer of them, and a reward model small enough for a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from rewardmodel import RewardModel
from speech_claims import verify_trace
from speech_claims.cue_values import cue_values
from speech_claims.senses import value_word
from speech_records import (
    PAPER_9,
    Claim,
    ContourShape,
    Cue,
    Emotion,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    ReasoningTrace,
    StressedWord,
    Utterance,
    Verdict,
)
from speechlm import PocketSize, pocket, train_tokenizer

Sentences = Sequence[tuple[str, Sequence[tuple[str, Cue, str]]]]
TraceMaker = Callable[..., ReasoningTrace]
ClipMaker = Callable[..., MeasuredUtterance]
Writer = Callable[[MeasuredUtterance], ReasoningTrace]

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


PERCENTILES = {Level.LOW: 10.0, Level.NORMAL: 50.0, Level.HIGH: 90.0}
"""Far from the borders between levels, where only one name is fair."""
SUBJECTS = {Cue.PITCH: "pitch", Cue.ENERGY: "energy", Cue.RATE: "speaking rate", Cue.CONTOUR_SHAPE: "contour"}


@pytest.fixture
def make_clip() -> ClipMaker:
    """Clips of four cues, of which three are levels and the fourth the stressed word; contours where one is given."""

    def make(
        utterance_id: str = "a1",
        levels: str = "high high low",
        stressed: str = "door",
        *,
        emotion: Emotion = Emotion.ANGRY,
        transcript: str = "The door is open.",
        shape: ContourShape | None = None,
    ) -> MeasuredUtterance:
        readings = [LevelReading(level, 1.0, PERCENTILES[level]) for level in map(Level, levels.split())]
        profile = ProsodyProfile(
            duration_s=1.0, sample_rate=16000, contour_shape=shape, stressed_words=(StressedWord(stressed, 0.9),)
        )
        utterance = Utterance(utterance_id, "made", "a.wav", "s1", emotion=emotion, transcript=transcript)
        return MeasuredUtterance(utterance, profile, ProsodyLevels("made", "0", *readings))

    return make


@pytest.fixture
def write() -> Writer:
    """Every cue in a sentence, as the rule generator's plain style does, checked against the clip itself."""

    def written(measured: MeasuredUtterance) -> ReasoningTrace:
        utterance, values = measured.utterance, cue_values(measured.profile, measured.levels)
        said = [f"The {SUBJECTS[cue]} is {value_word(cue, values[cue].value)}." for cue in SUBJECTS if cue in values]
        said += [f"The emphasis is on “{word.word}”." for word in measured.profile.stressed_words or ()]
        assert utterance.emotion is not None
        label = PAPER_9.text(utterance.emotion)
        think = f"The speaker says “{utterance.transcript}” {' '.join(said)} The most likely emotion is {label}."
        trace = ReasoningTrace(utterance.utterance_id, think, utterance.emotion, generator="made/1", synthetic=True)
        return verify_trace(trace, measured)

    return written


@pytest.fixture
def tiny_model() -> RewardModel:
    """Untrained backbone; its heads are given weights, for at zero every score of a whole text would be 3."""
    tokenizer = train_tokenizer([sentence for sentence, _ in ANGRY], vocab_size=300)
    size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
    model = RewardModel(pocket(tokenizer, seed=0, size=size))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        model.heads.clip.layers[-1].weight.normal_(std=0.5, generator=generator)
        model.heads.criteria.weight.normal_(std=0.1, generator=generator)
        model.heads.listens.fill_(True)
    return model
