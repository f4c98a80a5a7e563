"""What traces hold, counted as a stream."""

from __future__ import annotations

import pytest

from cotgen.dataset.stats import summarise
from speech_records import Emotion, ReasoningTrace


def test_stats_count_without_holding_texts() -> None:
    """Three traces of 2, 3 and 3 words, two of them alike: median 3, one text of three that no other trace has."""
    traces = [ReasoningTrace("a", text, Emotion.SAD) for text in ("So quiet.", "It is low.", "It is low.")]
    summary = summarise([], iter(traces))
    assert summary["words"] == {"least": 2, "median": 3.0, "greatest": 3}
    assert summary["distinct_texts"] == pytest.approx(1 / 3)
    assert summarise([], iter(traces[:2]))["words"]["median"] == 2.5
    assert summarise([], [])["words"] is None
