"""Records that earlier releases wrote must load in all later ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from speech_records import (
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    ReasoningTrace,
    RewardScores,
    Utterance,
    from_json,
    to_dict,
    to_json,
)

RECORDS = {
    "utterance": Utterance,
    "utterance_minimal": Utterance,
    "prosody_profile": ProsodyProfile,
    "prosody_profile_minimal": ProsodyProfile,
    "prosody_levels": ProsodyLevels,
    "measured_utterance": MeasuredUtterance,
    "reasoning_trace": ReasoningTrace,
    "reward_scores": RewardScores,
}
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*/*.json"))


def assert_holds(loaded: Any, written: Any) -> None:
    """Everything that was written is there; fields that came later may be there too."""
    if isinstance(written, dict):
        assert set(written) <= set(loaded)
        for key, value in written.items():
            if key != "schema_version":
                assert_holds(loaded[key], value)
    elif isinstance(written, list):
        assert len(loaded) == len(written)
        for one, other in zip(loaded, written, strict=True):
            assert_holds(one, other)
    else:
        assert loaded == written


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_record_loads_with_every_value(path: Path) -> None:
    """The expected values are the file's own."""
    text = path.read_text(encoding="utf-8")
    record = from_json(RECORDS[path.stem], text)
    assert_holds(to_dict(record), json.loads(text))
    assert from_json(RECORDS[path.stem], to_json(record)) == record


def test_every_stored_record_has_a_fixture_of_the_first_release() -> None:
    """So that none is forgotten when a release is made."""
    assert {path.stem for path in FIXTURES if path.parent.name == "0.1.0"} == set(RECORDS)
