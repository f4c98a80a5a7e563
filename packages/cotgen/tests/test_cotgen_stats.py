"""What a data set holds, counted as a stream."""

from __future__ import annotations

import pytest

from cotgen.dataset.stats import summarise
from speech_records import Emotion, ReasoningTrace


def test_stats_count_without_holding_texts() -> None:
    """Three traces of 2, 3 and 3 words, two of them alike: median 3, one text of three that no other trace has."""
    traces = [ReasoningTrace("a", text, Emotion.SAD) for text in ("So quiet.", "It is low.", "It is low.")]
    summary = summarise([], iter(traces))
    assert summary.words is not None
    assert (summary.words.least, summary.words.median, summary.words.greatest) == (2, 3, 3)
    assert summary.distinct_texts == pytest.approx(1 / 3)
    even = summarise([], iter(traces[:2])).words
    assert even is not None
    assert even.median == 2.5


def test_variety_is_that_of_a_sample_of_fixed_size() -> None:
    """Of 1 500 texts 1 000 are kept, the same ones each time; 1 000 distinct ones of two words that no other has."""
    traces = [ReasoningTrace("a", f"word{i} tail{i}", Emotion.SAD) for i in range(1_500)]
    variety = summarise([], iter(traces)).variety
    assert (variety.texts, variety.distinct_1, variety.distinct_2) == (1_000, 1.0, 1.0)
    assert summarise([], iter(traces)).variety == variety
