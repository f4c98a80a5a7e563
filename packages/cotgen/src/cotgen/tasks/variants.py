"""Recipes for comparative clips: which sentence is said in three variants of which attribute, in which order.

Whoever can change or speak a sentence makes the clips: `annotator compare` modifies recordings. Attributes and orders
are dealt out in rounds in which each of the 18 pairs comes once, so that none is much more frequent than another. All
three variants of a clip share an offset that is never 0: otherwise an absolute value, or the one untouched variant,
would give the order away to a model that does not compare.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

from cotgen.tasks.records import Attribute, ComparativeClip
from speech_records import InvalidRecordError, Level, MeasuredUtterance

LEAST_OFFSET = 0.05
"""Smallest common offset, as a share of the renderer's largest one."""
SMALLEST_STEP, LARGEST_STEP = 0.1, 1.5
"""Between which the step of a recipe lies, as a share of the renderer's own: of a smaller one nothing is perceived."""
PAIRS = tuple((attribute, order) for attribute in Attribute for order in permutations(Level))
"""Every attribute with every order of its three levels."""


@dataclass(frozen=True, slots=True)
class VariantRecipe:
    """One comparative clip to be made of an utterance.

    The parts take the levels `order` of `attribute` one after the other. `offset`, in [-1, 1] and not 0, is a share of
    the largest offset that the renderer adds to all of them. `step` is how far neighbouring levels are apart, as a
    share of the renderer's own step.
    """

    schema_version: ClassVar[str] = "1.1"

    recipe_id: str
    utterance_id: str
    attribute: Attribute
    order: tuple[Level, ...]
    offset: float
    split: str | None = None
    step: float = 1.0

    def __post_init__(self) -> None:
        if not SMALLEST_STEP <= self.step <= LARGEST_STEP:
            rule = f"must lie between {SMALLEST_STEP} and {LARGEST_STEP}, or variants are equal or distorted"
            raise InvalidRecordError(f"VariantRecipe {self.recipe_id!r}: step {self.step} {rule}")
        if not LEAST_OFFSET <= abs(self.offset) <= 1.0:
            rule = f"must lie between {LEAST_OFFSET} and 1, either way"
            raise InvalidRecordError(f"VariantRecipe {self.recipe_id!r}: offset {self.offset} {rule}")
        if len(self.order) < 2 or len(set(self.order)) != len(self.order):
            raise InvalidRecordError(f"VariantRecipe {self.recipe_id!r}: order needs two or more distinct levels")

    def clip(self, audio_path: str) -> ComparativeClip:
        """The clip that was made by this recipe and lies at `audio_path`."""
        return ComparativeClip(self.recipe_id, self.utterance_id, audio_path, self.attribute, self.order, self.split)


def variant_recipes(
    measured: Iterable[MeasuredUtterance], *, seed: int, count: int, longest_s: float, step: float = 1.0
) -> Iterator[VariantRecipe]:
    """At most `count` recipes for each split, from voiced utterances whose speech lasts at most `longest_s` seconds.

    All have the same `step`. Utterances are drawn by `seed`, each at most once, in one pass with memory for what is
    kept. Same input and seed, same recipes, by split and utterance id.
    """
    drawn: dict[str, list[tuple[float, str]]] = {}
    for item in measured:
        if _is_usable(item, longest_s):
            name = item.utterance.utterance_id
            kept = drawn.setdefault(item.utterance.split or "", [])
            kept.append((random.Random(f"variants:{seed}:{name}").random(), name))
            if len(kept) > 2 * count:
                kept[:] = sorted(kept)[:count]
    for split, kept in sorted(drawn.items()):
        rng = random.Random(f"variants:{seed}:{split}")
        names = sorted(name for _, name in sorted(kept)[:count])
        for name, (attribute, order) in zip(names, _deal(rng), strict=False):
            offset = round(rng.choice((-1, 1)) * rng.uniform(LEAST_OFFSET, 1.0), 3)
            yield VariantRecipe(f"{name}-{attribute}", name, attribute, order, offset, split or None, step)


def _is_usable(item: MeasuredUtterance, longest_s: float) -> bool:
    """Whispering has no pitch to vary; what is too long would not be compared but remembered."""
    profile = item.profile
    start, end = profile.speech_start_s or 0.0, profile.speech_end_s or profile.duration_s
    return profile.f0_median_hz is not None and 0.0 < end - start <= longest_s


def _deal(rng: random.Random) -> Iterator[tuple[Attribute, tuple[Level, ...]]]:
    while True:
        yield from rng.sample(PAIRS, len(PAIRS))
