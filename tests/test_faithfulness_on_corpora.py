"""The faithfulness score on people: its floor and its ceiling, as `docs/faithfulness.md` publishes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.faithfulness import floor_is_under_ceiling, measured, scores

pytestmark = pytest.mark.corpus
CLIPS = 60


@pytest.mark.parametrize("name", ["ravdess", "emodb", "nemo"])
def test_what_needs_no_listening_scores_far_below_what_rules_write(name: str) -> None:
    """A text that is the same for all clips stays under 0.2 (levels are tertiles: one guess in three is right), the
    rule generator's varied texts, which claim only what was measured, are over 0.85 and cost nothing.
    """
    shared = os.environ.get("EMOTIONTHINKER_SHARED")
    root = Path(shared or ".") / "data" / name
    if shared is None or not root.is_dir():
        pytest.skip(f"$EMOTIONTHINKER_SHARED/data/{name} is not here")
    made = scores(measured(name, root, CLIPS))
    floors = [s.score for n, s in made.items() if n.startswith("floor") and s is not None]
    ceiling = made["ceiling: rules, varied"]
    assert floor_is_under_ceiling(made)
    assert max(floors) < 0.2
    assert ceiling is not None
    assert ceiling.score > 0.85
    assert ceiling.cost == 0.0
