"""Recipes for comparative clips: balanced orders, drawn by seed, usable utterances only."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotgen import cli
from cotgen.tasks import Attribute, ComparativeClip
from cotgen.tasks.variants import PAIRS, VariantRecipe, variant_recipes
from speech_records import InvalidRecordError, Level, MeasuredUtterance, read_jsonl, write_jsonl

ONE = next(read_jsonl(Path(__file__).parent / "data" / "claims_clips.jsonl", MeasuredUtterance))


def measured(count: int) -> list[MeasuredUtterance]:
    """Two thirds in train, one in test; each voiced and 2.1 s long."""
    return [
        replace(ONE, utterance=replace(ONE.utterance, utterance_id=f"u{i:03}", split=("train", "test")[i % 3 == 0]))
        for i in range(count)
    ]


def test_every_order_of_every_attribute_comes_equally_often() -> None:
    """36 a split are two rounds of the 18 pairs."""
    made = list(variant_recipes(measured(200), seed=0, count=36, longest_s=5.0))
    assert len(PAIRS) == 18
    for split in ("train", "test"):
        own = [r for r in made if r.split == split]
        assert set(Counter((r.attribute, r.order) for r in own).values()) == {2}
        assert len({r.utterance_id for r in own}) == 36
    assert {r.offset > 0 for r in made} == {True, False}


def test_drawn_by_seed_whatever_the_order_of_the_file() -> None:
    """The draw hangs on ids, not on places."""
    first = list(variant_recipes(measured(100), seed=0, count=9, longest_s=5.0))
    assert list(variant_recipes(measured(100)[::-1], seed=0, count=9, longest_s=5.0)) == first
    assert list(variant_recipes(measured(100), seed=1, count=9, longest_s=5.0)) != first


def test_whispered_and_long_speech_is_not_used() -> None:
    """No pitch, or more than the seconds that are asked for."""
    silent = replace(ONE, profile=replace(ONE.profile, f0_median_hz=None, f0_p05_hz=None, f0_p95_hz=None))
    assert list(variant_recipes([silent], seed=0, count=9, longest_s=5.0)) == []
    assert list(variant_recipes([ONE], seed=0, count=9, longest_s=2.0)) == []
    speech = replace(ONE, profile=replace(ONE.profile, speech_start_s=0.2, speech_end_s=1.9))
    (recipe,) = variant_recipes([speech], seed=0, count=9, longest_s=2.0)
    assert recipe.split is None


def test_recipes_check_themselves_and_become_clips() -> None:
    """An offset of 0 would leave one variant untouched."""
    order = (Level.LOW, Level.HIGH, Level.NORMAL)
    recipe = VariantRecipe("r", "u", Attribute.RATE, order, 0.5, "train")
    assert recipe.clip("c.flac") == ComparativeClip("r", "u", "c.flac", Attribute.RATE, order, "train")
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(InvalidRecordError, match="offset"):
            replace(recipe, offset=wrong)
    for equal in (0.0, 0.05, 1.6, float("nan")):
        with pytest.raises(InvalidRecordError, match="or variants are equal or distorted"):
            replace(recipe, step=equal)
    with pytest.raises(InvalidRecordError, match="distinct levels"):
        replace(recipe, order=(Level.LOW, Level.LOW))


def test_the_command(tmp_path: Path) -> None:
    """Eighteen recipes of a split; a broken line is reported."""
    profiles, out = tmp_path / "m.jsonl", tmp_path / "recipes.jsonl"
    write_jsonl(profiles, measured(60))
    with profiles.open("a", encoding="utf-8") as file:
        file.write("{}\n")
    arguments = ["variants", "--profiles", str(profiles), "--count", "18", "--step", "0.5", "-o", str(out)]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 1
    assert "36 recipes, 1 left out" in result.stderr
    made = list(read_jsonl(out, VariantRecipe))
    assert (len({r.recipe_id for r in made}), {r.step for r in made}) == (36, {0.5})
