"""Verdicts by cue and by emotion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from speech_claims import verify_trace
from speech_claims.report import Tally, table
from speech_records import Emotion, MeasuredUtterance, ReasoningTrace, read_jsonl

CLIPS = Path(__file__).parent / "data" / "claims_clips.jsonl"
LOUD = next(m for m in read_jsonl(CLIPS, MeasuredUtterance) if m.utterance.utterance_id == "loud")


def trace(text: str) -> ReasoningTrace:
    return ReasoningTrace("loud", text, Emotion.ANGRY)


def test_report_counts_by_cue_and_emotion() -> None:
    """One claim supported (high pitch), one contradicted (slow), one that was not measured in a text without levels."""
    both = verify_trace(trace("The pitch is high. The rate is slow."), LOUD)
    unknown = verify_trace(trace("The pitch is high."), replace(LOUD, levels=None))
    tally = Tally()
    assert tally.report().total.share is None
    for verified in (both, unknown):
        tally.add(verified)
    counts = tally.report()
    pitch = counts.cues["pitch"]
    assert (pitch.supported, pitch.contradicted, pitch.unverifiable, pitch.share) == (1, 0, 1, 1.0)
    assert (counts.cues["rate"].share, counts.total.share) == (0.0, 0.5)
    assert counts.emotions["angry"] == counts.total
    assert table(counts).splitlines()[-1].split() == ["all", "1", "1", "1", "50.0", "%"]
