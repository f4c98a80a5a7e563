"""Comparative clips by the recipes that `cotgen variants` writes, for examples of `cotgen tasks --comparative`.

```
clips.jsonl         ComparativeClip, sorted by name       comparative/*.flac   the clips themselves
errors.jsonl        FailedItem of every recipe that gives no clip; no file when there is none
```
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotator_worker.comparative import plan_recipe
from annotator_worker.errors import ClipError, UnusableInputError
from annotator_worker.local import Report, make_clips, silent
from annotator_worker.records import ComparativePlan, Stage, Versions
from cotgen.tasks.variants import VariantRecipe
from prosody.parallel import DEFAULT_TIMEOUT_S
from speech_records import FailedItem, MeasuredUtterance, read_jsonl, write_jsonl

CLIPS, ERRORS = "clips.jsonl", "errors.jsonl"


@dataclass(frozen=True, slots=True)
class Compared:
    """How many clips lie in the folder, and how many recipes failed."""

    clips: int
    failed: int


def compare(
    recipes: Path, profiles: Path, *, root: Path, out: Path, workers: int = 1, report: Report = silent
) -> Compared:
    """Make the clips of `recipes` in the folder `out`, from the audio below `root` that `profiles` were measured on.

    Clips that lie there already are kept. What fails for one recipe is a failed item. Raises `UnusableInputError` when
    there is no recipe.
    """
    listed = list(read_jsonl(recipes, VariantRecipe))
    if not listed:
        raise UnusableInputError(f"{recipes} holds no recipe: write some with `cotgen variants`")
    wanted = {recipe.utterance_id for recipe in listed}
    found = (item for item in read_jsonl(profiles, MeasuredUtterance) if item.utterance.utterance_id in wanted)
    measured = {item.utterance.utterance_id: item for item in found}
    versions = Versions.installed()
    plans: list[ComparativePlan] = []
    failed: list[FailedItem] = []
    for recipe in listed:
        try:
            plans.append(_plan(recipe, measured, versions))
        except ClipError as error:
            failed.append(FailedItem.of(recipe.utterance_id, Stage.COMPARE, error))
    out.mkdir(parents=True, exist_ok=True)
    made, unmade = make_clips(plans, root, out, workers=workers, timeout_s=DEFAULT_TIMEOUT_S, report=report)
    failed = sorted([*failed, *unmade], key=lambda item: (item.id, item.message))
    if failed:
        write_jsonl(out / ERRORS, failed)
    else:
        (out / ERRORS).unlink(missing_ok=True)
    write_jsonl(out / CLIPS, (plan.clip for plan in made))
    return Compared(len(made), len(failed))


def _plan(recipe: VariantRecipe, measured: dict[str, MeasuredUtterance], versions: Versions) -> ComparativePlan:
    item = measured.get(recipe.utterance_id)
    if item is None:
        raise ClipError(f"{recipe.utterance_id}: no measured utterance has this id")
    return plan_recipe(recipe, item, versions)
