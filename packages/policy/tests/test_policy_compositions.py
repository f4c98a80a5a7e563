"""What the batch around an answer does to it: nothing, but where a number falls beside the boundary of two tokens."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from policy import Rollout, Sampler, sequence_seeds
from policy.randomness import uniforms
from speechlm import SpeechLM

ClipMaker = Callable[..., list[Tensor]]
# Six prompts of different length, so that every batch pads them differently.
CROWD = [
    "How?",
    "How does it sound?",
    "How does the voice of the speaker sound?",
    "How does it sound? How?",
    "What do you hear?",
    "Is the voice of the speaker high or low?",
]
CROWD_FRAMES = (40, 101, 64, 200, 90, 150)


def sampled_ids(rollout: Rollout) -> list[list[int]]:
    """The real tokens of all answers, prompt by prompt."""
    pairs = zip(rollout.tokens.flatten(0, 1), rollout.mask.flatten(0, 1), strict=True)
    return [tokens[mask].tolist() for tokens, mask in pairs]


def in_batches(
    model: SpeechLM, features: list[Tensor], seeds: Tensor, batches: list[tuple[list[int], list[int]]], **options: Any
) -> dict[tuple[int, int], list[int]]:
    """The answers (prompt, answer) to `CROWD`, sampled in batches of some prompts by some answers."""
    found = {}
    for prompts, answers in batches:
        rollout = Sampler(model).sample(
            [features[b] for b in prompts],
            [CROWD[b] for b in prompts],
            k=len(answers),
            seeds=seeds[prompts][:, answers],
            **options,
        )
        found |= dict(zip(((b, k) for b in prompts for k in answers), sampled_ids(rollout), strict=True))
    return found


def distance(model: SpeechLM, clip: Tensor, question: str, ids: tuple[list[int], list[int]], numbers: Tensor) -> float:
    """How far the number drawn lies from the nearest boundary of cumulated probability between the two tokens in which
    two answers first differ; by teacher forcing at float32, at temperature 1."""
    step = next(t for t, (x, y) in enumerate(zip(*ids, strict=False)) if x != y)
    batch = model.collate([clip], [question], [ids[0][: step + 1]])
    with torch.no_grad():
        cumulated = model.head(model(batch)[0, -2]).softmax(-1).double().cumsum(-1)
    low, high = sorted(tokens[step] for tokens in ids)
    return (cumulated[low:high] - numbers[step]).abs().min().item()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_batch_around_an_answer_changes_it_beside_a_boundary_only(
    model: SpeechLM, clips: ClipMaker, dtype: str
) -> None:
    """96 answers together, against: each prompt alone; prompts and answers in reverse; four answers, then twelve; one
    answer of every prompt at a time; 12 answers quite alone. At float32 99 % must be the same to the token. At
    bfloat16, whose three digits a different padding moves, some differ. Where two first differ, the number drawn must
    lie within 0.03 (float32: 1e-4) of a boundary between the two tokens. `pytest -s` shows the distances."""
    features, seeds, everyone, k = clips(*CROWD_FRAMES), sequence_seeds(11, 6, 16), list(range(6)), list(range(16))
    options: dict[str, Any] = {"max_new_tokens": 24}
    model = model.to(getattr(torch, dtype))
    together = in_batches(model, features, seeds, [(everyone, k)], **options)
    compositions = {
        "each prompt alone": [([b], k) for b in everyone],
        "in reverse": [(everyone[::-1], k[::-1])],
        "four answers, then twelve": [(everyone, k[:4]), (everyone, k[4:])],
        "an answer of each": [(everyone, [j]) for j in k],
        "alone": [([b], [j]) for b in everyone for j in (0, 7)],
    }
    numbers = uniforms(seeds.flatten(), 24).view(6, 16, 24)
    differing: dict[str, list[float]] = {}
    for name, batches in compositions.items():
        found = in_batches(model, features, seeds, batches, **options)
        assert len(found) == (12 if name == "alone" else 96)
        pairs = {at: (ids, together[at]) for at, ids in found.items() if ids != together[at]}
        differing[name] = [
            distance(copy.deepcopy(model).float(), features[b], CROWD[b], ids, numbers[b, j])
            for (b, j), ids in pairs.items()
        ]
        beside = f", at most {max(differing[name]):.2g} from a boundary" if pairs else ""
        sys.stdout.write(f"{dtype}, {name}: {len(pairs)} of {len(found)} differ{beside}\n")
        if dtype == "float32":
            assert len(pairs) <= 0.01 * len(found)
    assert max((d for found in differing.values() for d in found), default=0) < (1e-4 if dtype == "float32" else 0.03)
    assert len(set(map(tuple, together.values()))) > 90
    if dtype == "bfloat16":
        assert any(differing.values())  # or nothing would have been compared at a boundary
