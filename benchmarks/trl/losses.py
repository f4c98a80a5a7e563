"""Our losses and advantages against those of TRL's `GRPOTrainer`, on the same rollouts.

TRL's own `GRPOTrainer._compute_loss`, and the statement of its `_generate_and_score_completions` that turns rewards
into advantages, run on random batches in float64: 3 prompts, 4 answers of 1 to 7 tokens, log-probabilities that have
moved away from those that sampled. Compared are losses and their gradients for GRPO, Dr. GRPO, DAPO, GSPO and CISPO,
each with β 0 and 0.04 and with and without importance weights, and the advantages of GRPO, Dr. GRPO and GDPO, with the
standard deviation of the sample, which is TRL's.

    pip install trl==1.16.0
    python benchmarks/trl/losses.py [--json] [--batches 200] [--golden packages/grpo_ptr/tests/trl_golden.json]

`--golden` writes one batch and TRL's numbers for it, which `test_grpo_ptr_trl` compares without TRL. Bar: no loss,
gradient or advantage differs by more than 1e-5. Leaves with status 1 when it is missed; without TRL it says so and
measures nothing.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
import textwrap
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from grpo_ptr import (
    LOSSES,
    Deviation,
    LossInputs,
    centred_advantages,
    gdpo_advantages,
    group_advantages,
)

PROMPTS, ANSWERS, WIDTH, REWARDS = 3, 4, 7, 3
BAR = 1e-5
CLIPS = {"grpo": (0.2, 0.2), "dr_grpo": (0.2, 0.2), "dapo": (0.2, 0.28), "gspo": (3e-4, 4e-4), "cispo": (1.0, 4.0)}
BETAS = (0.0, 0.04)
WEIGHTS = (0.3, 1.0, 0.5)


def random_batch(seed: int) -> dict[str, Any]:
    """A batch in plain numbers, rounded so that a file holds it exactly."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    n = PROMPTS * ANSWERS
    logprobs = -normal(n, WIDTH).exp()
    tensors = {
        "logprobs": logprobs,
        "old_logprobs": logprobs + 0.3 * normal(n, WIDTH),
        "ref_logprobs": logprobs + 0.3 * normal(n, WIDTH),
        "token_weights": (0.3 * normal(n, WIDTH)).exp().clamp(max=2.0),
        "advantages": normal(n),
        "rewards": torch.rand(PROMPTS, ANSWERS, REWARDS, generator=generator, dtype=torch.float64),
    }
    lengths = torch.randint(1, WIDTH + 1, (n,), generator=generator)
    return {name: x.round(decimals=6).tolist() for name, x in tensors.items()} | {"lengths": lengths.tolist()}


def tensors_of(batch: dict[str, Any]) -> tuple[dict[str, Tensor], Tensor]:
    """The numbers of a batch as tensors, and the mask of its answers."""
    tensors = {name: torch.tensor(x, dtype=torch.float64) for name, x in batch.items() if name != "lengths"}
    return tensors, torch.arange(WIDTH)[None] < torch.tensor(batch["lengths"])[:, None]


def cases() -> list[tuple[str, float, bool]]:
    """Loss, β, and whether there are importance weights."""
    return [(loss, beta, weighted) for loss in LOSSES for beta in BETAS for weighted in (False, True)]


def our_loss(batch: dict[str, Any], loss: str, beta: float, *, weighted: bool) -> tuple[Tensor, Tensor]:
    """Our loss and its gradient."""
    x, mask = tensors_of(batch)
    logprobs = x["logprobs"].requires_grad_()
    inputs = LossInputs(
        logprobs,
        mask,
        x["advantages"],
        old_logprobs=x["old_logprobs"],
        ref_logprobs=x["ref_logprobs"],
        token_weights=x["token_weights"] if weighted else None,
    )
    options = {"max_tokens": WIDTH} if loss == "dr_grpo" else {}
    value = LOSSES[loss](inputs, clip_low=CLIPS[loss][0], clip_high=CLIPS[loss][1], beta=beta, **options).loss
    return value, torch.autograd.grad(value, logprobs)[0]


def their_loss(trl: Any, batch: dict[str, Any], loss: str, beta: float, *, weighted: bool) -> tuple[Tensor, Tensor]:
    """TRL's loss and its gradient, from its own method on an object that has what the method reads."""
    x, mask = tensors_of(batch)
    logprobs = x["logprobs"].requires_grad_()
    low, high = CLIPS[loss]
    state = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None),
        _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list)},
        accelerator=SimpleNamespace(num_processes=1, gather=lambda t: t, reduce=lambda t, **_: t),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        aux_loss_enabled=False,
        beta=beta,
        current_gradient_accumulation_steps=1,
        epsilon_high=1.0 + high if loss == "cispo" else high,  # TRL names CISPO's bound, not its distance from 1
        epsilon_low=low,
        importance_sampling_level="sequence" if loss == "gspo" else "token",
        loss_type="grpo" if loss == "gspo" else loss,
        max_completion_length=WIDTH,
        model=SimpleNamespace(training=True),
        off_policy_mask_threshold=None,
        top_entropy_quantile=1.0,
        use_vllm=weighted,
        vllm_importance_sampling_correction=weighted,
    )
    nothing = torch.zeros(len(mask), 0, dtype=torch.long)
    inputs = {
        "prompt_ids": nothing,
        "prompt_mask": nothing,
        "completion_ids": torch.zeros_like(mask, dtype=torch.long),
        "completion_mask": mask.long(),
        "advantages": x["advantages"],
        "old_per_token_logps": x["old_logprobs"],
        "ref_per_token_logps": x["ref_logprobs"],
        "importance_sampling_ratio": x["token_weights"],
        "num_items_in_batch": mask.sum(),
    }
    value = trl.GRPOTrainer._compute_loss(state, None, inputs)  # noqa: SLF001 - what it is compared with
    return value, torch.autograd.grad(value, logprobs)[0]


def our_advantages(batch: dict[str, Any]) -> dict[str, Tensor]:
    """Our advantages by TRL's choices of `multi_objective_aggregation` and `scale_rewards`."""
    x, _ = tensors_of(batch)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    total = (x["rewards"] * weights).sum(-1)
    return {
        "grpo": group_advantages(total, deviation=Deviation.SAMPLE),
        "dr_grpo": centred_advantages(total),
        "gdpo": gdpo_advantages(x["rewards"], weights.expand(PROMPTS, -1), deviation=Deviation.SAMPLE),
    }


def their_advantages(trl: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    """TRL's, from the one statement of its method that computes them."""
    method = trl.GRPOTrainer._generate_and_score_completions  # noqa: SLF001 - as above
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    statement = next(n for n in ast.walk(tree) if isinstance(n, ast.If) and "sum_then_normalize" in ast.dump(n.test))
    code = compile(ast.Module([statement], []), "trl", "exec")
    x, _ = tensors_of(batch)
    found = {}
    for name, aggregation, scale in (
        ("grpo", "sum_then_normalize", "group"),
        ("dr_grpo", "sum_then_normalize", "none"),
        ("gdpo", "normalize_then_sum", "group"),
    ):
        state = SimpleNamespace(
            multi_objective_aggregation=aggregation,
            scale_rewards=scale,
            reward_weights=torch.tensor(WEIGHTS, dtype=torch.float64),
            reward_funcs=WEIGHTS,
        )
        names = {
            **vars(trl),
            "self": state,
            "rewards_per_func": x["rewards"].flatten(0, 1),
            "unscorable_mask": torch.zeros(PROMPTS * ANSWERS, dtype=torch.bool),
            "num_generations": ANSWERS,
            "device": torch.device("cpu"),
        }
        exec(code, names)  # noqa: S102 - a statement of TRL itself
        found[name] = names["advantages"].view(PROMPTS, ANSWERS)
    return found


def differences(trl: Any, seeds: range) -> dict[str, float]:
    """The largest difference of each loss, gradient and advantage over batches."""
    worst: dict[str, float] = defaultdict(float)
    for seed in seeds:
        batch = random_batch(seed)
        for loss, beta, weighted in cases():
            ours = our_loss(batch, loss, beta, weighted=weighted)
            theirs = their_loss(trl, batch, loss, beta, weighted=weighted)
            for what, a, b in zip(("loss", "gradient"), ours, theirs, strict=True):
                worst[f"{loss} {what}"] = max(worst[f"{loss} {what}"], float((a - b).abs().max().detach()))
        expected = their_advantages(trl, batch)
        for name, advantages in our_advantages(batch).items():
            key = f"{name} advantages"
            worst[key] = max(worst[key], float((advantages - expected[name]).abs().max()))
    return dict(worst)


def golden(trl: Any, version: str) -> dict[str, Any]:
    """One batch and TRL's numbers for it."""
    batch = random_batch(0)
    losses = []
    for loss, beta, weighted in cases():
        value, gradient = their_loss(trl, batch, loss, beta, weighted=weighted)
        norm = float(gradient.norm())
        losses.append({"loss": loss, "beta": beta, "weighted": weighted, "value": value.item(), "gradient_norm": norm})
    advantages = {name: x.tolist() for name, x in their_advantages(trl, batch).items()}
    return {"trl": version, "batch": batch, "clips": CLIPS, "weights": WEIGHTS, "losses": losses} | {
        "advantages": advantages
    }


def main() -> None:
    """Compare, print, and leave with status 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--golden", type=Path, help="write one batch and TRL's numbers for it to this file")
    options = parser.parse_args()
    try:
        version = str(import_module("trl").__version__)
        trl = import_module("trl.trainer.grpo_trainer")
    except ImportError as error:
        print(f"TRL is not installed, nothing is measured: {error}", file=sys.stderr)
        return
    if options.golden is not None:
        rows = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden(trl, version).items())
        options.golden.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    worst = differences(trl, range(options.batches))
    if options.json:
        print(json.dumps({"trl": version, "batches": options.batches, "largest_difference": worst, "bar": BAR}))
    else:
        print(f"largest difference from TRL {version} over {options.batches} batches")
        for name, value in worst.items():
            print(f"{name:>20}  {value:.1e}")
    sys.exit(int(max(worst.values()) > BAR))


if __name__ == "__main__":
    main()
