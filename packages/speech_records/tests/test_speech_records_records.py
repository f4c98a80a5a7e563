"""The invariants of the records."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from speech_records import (
    Claim,
    Cue,
    Emotion,
    InvalidRecordError,
    Level,
    LevelReading,
    MeasuredUtterance,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    ReasoningTrace,
    RewardScores,
    StressedWord,
    Utterance,
    Verdict,
)

NAN, INF = float("nan"), float("inf")
VALID: dict[type, dict[str, Any]] = {
    Utterance: {"utterance_id": "a1", "corpus": "mine", "audio_path": "wav/a1.wav", "speaker_id": "ann"},
    Pause: {"start_s": 0.5, "end_s": 0.7},
    StressedWord: {"word": "now", "score": 0.5},
    ProsodyProfile: {"duration_s": 1.0, "sample_rate": 16_000},
    LevelReading: {"level": Level.LOW, "value": 3.0, "percentile": 10.0},
    ProsodyLevels: {"scale": "mine", "scale_hash": "abc"},
    Claim: {"start": 4, "end": 8, "text": "high", "cue": Cue.PITCH, "value": "high", "verdict": Verdict.SUPPORTED},
    ReasoningTrace: {"utterance_id": "a1", "think": "The high voice.", "answer": Emotion.HAPPY},
    RewardScores: {
        "factual_alignment": 1.0,
        "interpretative_quality": 2.0,
        "caption_completeness": 3.0,
        "fluency_and_structural_clarity": 5.0,
    },
}

BROKEN: list[tuple[type, dict[str, Any], str]] = [
    (Utterance, {"utterance_id": " "}, "utterance_id must not be empty"),
    (Utterance, {"speaker_id": ""}, "a1: speaker_id"),
    (Utterance, {"audio_path": ""}, "a1: audio_path"),
    (Utterance, {"audio_path": "/etc/passwd"}, "stay inside"),
    (Utterance, {"audio_path": "wav/../../secret.wav"}, "stay inside"),
    (Utterance, {"audio_path": "..\\secret.wav"}, "stay inside"),
    (Utterance, {"audio_path": "C:/secret.wav"}, "stay inside"),
    (Utterance, {"audio_path": "c:secret.wav"}, "stay inside"),
    (Utterance, {"audio_path": "file:///secret.wav"}, "stay inside"),
    (Utterance, {"audio_path": "file:/secret.wav"}, "stay inside"),
    (Utterance, {"audio_path": "a\0.wav"}, "stay inside"),
    (Utterance, {"age_group": "30"}, "a1: age_group must be one of Child, Teenager, .* got '30'"),
    (Utterance, {"start_s": -0.1}, "start_s must not be negative, got -0.1"),
    (Utterance, {"start_s": 2.0, "end_s": 2.0}, "start_s must lie before end_s"),
    (Utterance, {"end_s": INF}, "not a finite number"),
    (Utterance, {"channel": -1}, "channel must not be negative, got -1"),
    (Pause, {"end_s": 0.5}, "0 <= start_s < end_s"),
    (Pause, {"start_s": -1.0}, "0 <= start_s < end_s"),
    (Pause, {"start_s": NAN}, "not a finite number"),
    (StressedWord, {"word": ""}, "word must not be empty"),
    (StressedWord, {"score": 1.01}, r"score must lie in \[0, 1\], got 1.01"),
    (StressedWord, {"start_s": 1.0, "end_s": 0.9}, "start_s must lie before end_s"),
    (ProsodyProfile, {"duration_s": -1.0}, "duration_s must not be negative"),
    (ProsodyProfile, {"sample_rate": 0}, "sample_rate must be positive"),
    (ProsodyProfile, {"f0_median_hz": 0.0}, "f0_median_hz must be positive, got 0.0"),
    (ProsodyProfile, {"f0_p05_hz": 200.0, "f0_median_hz": 100.0, "f0_p95_hz": 300.0}, "f0_p05_hz <= f0_median_hz"),
    (ProsodyProfile, {"voiced_share": 1.5}, "voiced_share"),
    (ProsodyProfile, {"pause_share": -0.1}, "pause_share"),
    (ProsodyProfile, {"syllables": -1}, "syllables"),
    (ProsodyProfile, {"energy_dbfs": -INF}, "energy_dbfs: -inf is not a finite number"),
    (ProsodyProfile, {"speech_start_s": 0.9, "speech_end_s": 0.1}, "speech_start_s must lie before speech_end_s"),
    (LevelReading, {"percentile": 140.0}, r"percentile must lie in \[0, 100\], got 140.0"),
    (LevelReading, {"value": NAN}, "not a finite number"),
    (ProsodyLevels, {"scale": ""}, "scale and scale_hash"),
    (Claim, {"start": -1, "end": 3}, "0 <= start < end"),
    (Claim, {"end": 4}, "0 <= start < end"),
    (Claim, {"text": "higher"}, "does not fill its span"),
    (ReasoningTrace, {"utterance_id": ""}, "utterance_id"),
    (ReasoningTrace, {"think": "\n"}, "a1: think must not be empty"),
    (ReasoningTrace, {"think": "The deep voice.", "claims": (Claim(**VALID[Claim]),)}, "a1: claim 'high' does not"),
    (RewardScores, {"factual_alignment": 0.9}, r"factual_alignment must lie in \[1, 5\], got 0.9"),
    (RewardScores, {"caption_completeness": 5.1}, "caption_completeness"),
    (RewardScores, {"interpretative_quality": NAN}, "interpretative_quality"),
]


@pytest.mark.parametrize(("cls", "change", "message"), BROKEN)
def test_a_broken_record_cannot_be_built(cls: type, change: dict[str, Any], message: str) -> None:
    """Each case breaks one documented rule of a record that is otherwise valid; the message names value and limit."""
    with pytest.raises(InvalidRecordError, match=message):
        cls(**VALID[cls] | change)


@pytest.mark.parametrize("cls", VALID, ids=lambda cls: cls.__name__)
def test_records_are_frozen_slotted_and_hashable(cls: type) -> None:
    """Records travel between threads and are kept in sets: two of the same values are one, and none can be changed."""
    record = cls(**VALID[cls])
    assert {record, cls(**VALID[cls])} == {record}
    assert not hasattr(record, "__dict__")
    with pytest.raises(FrozenInstanceError):
        setattr(record, next(iter(VALID[cls])), "changed")


def test_measured_utterances_are_values_too() -> None:
    """The one record made of other records."""
    parts = Utterance(**VALID[Utterance]), ProsodyProfile(**VALID[ProsodyProfile])
    assert {MeasuredUtterance(*parts), MeasuredUtterance(*parts)} == {MeasuredUtterance(*parts)}


COLONS = ["12:30.wav", "rec 10:15.wav", "take:2.wav", "2026-01-01T12:30:00/x.wav", "wav/C:/x.wav", ":x.wav"]


@pytest.mark.parametrize(
    "path", ["a.wav", "Actor_01/03-01.wav", "weird..name.wav", "dir.with.dots/x.flac", "ä ö.wav", *COLONS]
)
def test_paths_inside_the_root_are_accepted(path: str) -> None:
    """Dots are dangerous only as a whole path component, a colon only after a drive letter or a URL's scheme."""
    assert Utterance(**VALID[Utterance] | {"audio_path": path}).audio_path == path


def test_a_claim_may_stand_anywhere_in_the_reasoning() -> None:
    """“The high voice.”[4:8] is “high”, counted by hand."""
    trace = ReasoningTrace(**VALID[ReasoningTrace], claims=(Claim(**VALID[Claim]),))
    assert trace.think[4:8] == trace.claims[0].text == "high"


def test_scores_come_in_the_order_of_the_criteria() -> None:
    """The order of the four heads and of the last axis of every score tensor; the values are those of VALID."""
    assert RewardScores(**VALID[RewardScores]).as_tuple() == (1.0, 2.0, 3.0, 5.0)
    assert tuple(VALID[RewardScores]) == RewardScores.CRITERIA
