"""Comparative clips by the recipes that `cotgen variants` writes, for examples of `cotgen tasks --comparative`.

```
clips.jsonl         ComparativeClip, sorted by name       comparative/*.flac   the clips themselves
errors.jsonl        DeadLetter of every recipe that gives no clip; no file when there is none
```
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from annotator_worker.comparative import plan_recipe
from annotator_worker.errors import ClipError, UnusableInputError
from annotator_worker.local import Report, compare_plans, silent, split_letters
from annotator_worker.pipeline import attempt
from annotator_worker.records import ComparativePlan, Stage, Versions
from cotgen.tasks.variants import VariantRecipe
from speech_records import MeasuredUtterance, read_jsonl, write_jsonl

CLIPS, ERRORS = "clips.jsonl", "errors.jsonl"


@dataclass(frozen=True, slots=True)
class Compared:
    """How many clips lie in the folder, and how many recipes failed."""

    clips: int
    dead_letters: int


def compare(
    recipes: Path, profiles: Path, *, root: Path, out: Path, workers: int = 1, report: Report = silent
) -> Compared:
    """Make the clips of `recipes` in the folder `out`, from the audio below `root` that `profiles` were measured on.

    Clips that lie there already are kept. What fails for one recipe is a dead letter. Raises `UnusableInputError` when
    there is no recipe.
    """
    listed = list(read_jsonl(recipes, VariantRecipe))
    if not listed:
        raise UnusableInputError(f"{recipes} holds no recipe: write some with `cotgen variants`")
    wanted = {recipe.utterance_id for recipe in listed}
    found = (item for item in read_jsonl(profiles, MeasuredUtterance) if item.utterance.utterance_id in wanted)
    measured = {item.utterance.utterance_id: item for item in found}
    versions = Versions.installed()
    plans, unplanned = split_letters(
        [
            attempt(partial(_plan, recipe, measured, versions), where=recipe.utterance_id, stage=Stage.COMPARE)
            for recipe in listed
        ]
    )
    out.mkdir(parents=True, exist_ok=True)
    made, unmade = split_letters(compare_plans(plans, root, out, workers, report))
    letters = sorted([*unplanned, *unmade], key=lambda letter: (letter.where, letter.message))
    if letters:
        write_jsonl(out / ERRORS, letters)
    else:
        (out / ERRORS).unlink(missing_ok=True)
    write_jsonl(out / CLIPS, (plan.clip for plan in made))
    return Compared(len(made), len(letters))


def _plan(recipe: VariantRecipe, measured: dict[str, MeasuredUtterance], versions: Versions) -> ComparativePlan:
    item = measured.get(recipe.utterance_id)
    if item is None:
        raise ClipError(f"{recipe.utterance_id}: no measured utterance has this id")
    return plan_recipe(recipe, item, versions)
