"""Ratings of people: what is refused, and agreement counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rewardmodel import Rating, ScoreShapeError, agreement, krippendorff_alpha
from speech_records import FailedItem, RewardScores
from speech_records.streams import records

SCORES = dict.fromkeys(RewardScores.CRITERIA, 4)


def line(**changes: object) -> str:
    return json.dumps({"utterance_id": "a1", "text": "t", "rater": "r1"} | SCORES | changes)


def test_bad_lines_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    """Out of range, NaN, a missing criterion, no JSON: each with its line."""
    missing = json.loads(line())
    del missing["caption_completeness"]
    path = tmp_path / "ratings.jsonl"
    path.write_text(
        "\n".join(
            [line(), line(factual_alignment=6), line(fluency_and_structural_clarity=float("nan")),
             json.dumps(missing), "{", line(utterance_id="a2", caption_completeness=1.5)]
        )
    )  # fmt: skip
    failed: list[FailedItem] = []
    good = list(records(path, Rating, failed.append))
    assert [(r.utterance_id, r.caption_completeness) for r in good] == [("a1", 4), ("a2", 1.5)]
    assert [item.id.rpartition(":")[2] for item in failed] == ["2", "3", "4", "5"]
    for item, said in zip(failed, ("must lie in [1, 5], got 6", "NaN", "'caption_completeness'", "JSON"), strict=True):
        assert said in item.message


def test_people_and_model_are_compared_text_by_text() -> None:
    """Both give 1, 3, 5 and the model 1, 3, 5 too: full agreement, Spearman 1; one text was not scored."""
    ratings = [
        Rating(f"u{score}", "t", rater, score, score, score, 5.0) for score in (1.0, 3.0, 5.0) for rater in ("a", "b")
    ]
    ratings.append(Rating("u9", "t", "a", 2.0, 2.0, 2.0, 2.0))
    scores = {(f"u{score}", "t"): (score, 6.0 - score, 3.0, 5.0) for score in (1.0, 3.0, 5.0)}
    found = agreement(ratings, scores)
    facts, inference, fluent = (found[RewardScores.CRITERIA[j]] for j in (0, 1, 3))
    assert (facts.people, facts.with_model, facts.quality.spearman) == (1.0, 1.0, 1.0)
    assert inference.people == 1.0
    assert inference.quality.spearman == -1.0
    assert inference.with_model is not None
    assert inference.with_model < 0.5
    assert fluent.people is None  # one and the same number
    with pytest.raises(ScoreShapeError, match="no rating is of a text that was scored"):
        agreement(ratings, {})


def test_alpha_of_chance_is_zero_and_needs_two_ratings() -> None:
    """Units rated (1, 2) and (2, 1): squares 2 + 2; of 1 1 2 2, (2 · 4 · 10 - 2 · 36) / 3 = 8 / 3 by chance."""
    assert krippendorff_alpha([[1, 2], [2, 1]]) == pytest.approx(1 - 4 / (8 / 3))
    assert krippendorff_alpha([[1, np.nan], [np.nan, 2]]) is None
