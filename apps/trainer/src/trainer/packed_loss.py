"""The loss of a step in parts, each of whole groups: a clip and its question once, and K answers packed behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from grpo_ptr import LOSSES, LossInputs, LossResult
from policy import Reference, importance_weights, logprob_mismatch, sequence_logprobs
from speechlm import SpeechLM, audio_token_count
from speechlm.prompt import prompt_ids
from trainer.rollouts import Groups, passes
from trainer.settings import GRPOSettings


@dataclass(slots=True)
class MicroBatch:
    """B groups of K answers of at most T tokens, for one forward and one backward pass.

    - `advantages`: of each answer [B, K], or of each token [B, K, T]
    - `sampler_logprobs` [B, K, T]: those that the sampler reported; `None` for no importance weights
    - `old_logprobs` [B · K, T]: the policy's before the first update of the step, around which later inner epochs are
      clipped; `None` in the first one
    """

    clips: list[Tensor]
    questions: list[str]
    tokens: Tensor
    mask: Tensor
    advantages: Tensor
    sampler_logprobs: Tensor | None = None
    old_logprobs: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PackedLoss:
    """The loss of a micro-batch; the policy's log-probabilities of its answers, without gradient; and how far those
    that the sampler reported are from the policy's that sampled, in nats a token, `None` where none were compared.
    """

    result: LossResult
    logprobs: Tensor
    mismatch: float | None


def packed_loss(
    model: SpeechLM,
    micro: MicroBatch,
    settings: GRPOSettings,
    *,
    reference: Reference | None = None,
    step_answers: float | None = None,
    step_tokens: float | None = None,
) -> PackedLoss:
    """The loss that the settings name, over one micro-batch; KL is measured from the `reference`.

    `step_answers` and `step_tokens` are those of the whole step, of which this is a part, see `grpo_ptr.LossInputs`.
    """
    answers = [
        [answer[real].tolist() for answer, real in zip(group, group_mask, strict=True)]
        for group, group_mask in zip(micro.tokens, micro.mask, strict=True)
    ]
    packed = model.pack(micro.clips, micro.questions, answers)
    ref_logprobs = None
    if reference is not None:
        ref_logprobs = packed.unpack(reference.logprobs(packed, temperature=settings.temperature))
    logprobs = packed.unpack(sequence_logprobs(model, packed, temperature=settings.temperature))
    detached, mask = logprobs.detach(), micro.mask.to(logprobs.device)
    mismatch, weights = None, None
    if micro.sampler_logprobs is not None:
        sampler_logprobs = micro.sampler_logprobs.to(mask.device)
        old_logprobs = (detached if micro.old_logprobs is None else micro.old_logprobs).view(mask.shape)
        mismatch = logprob_mismatch(sampler_logprobs, old_logprobs, mask).mean_abs
        if settings.cap is not None:
            weights = importance_weights(
                sampler_logprobs, old_logprobs, mask, cap=settings.cap, by_answer=settings.importance_by_answer
            ).flatten(0, 1)
    inputs = LossInputs(
        logprobs=logprobs,
        mask=mask.flatten(0, 1),
        old_logprobs=micro.old_logprobs,
        advantages=micro.advantages.flatten(0, 1).to(mask.device),
        ref_logprobs=ref_logprobs,
        token_weights=weights,
        step_completions=step_answers,
        step_tokens=step_tokens,
    )
    loss = LOSSES[settings.loss]
    result = loss(inputs, beta=settings.kl_coefficient, kl=settings.kl_estimator, **_options(settings))
    return PackedLoss(result, detached, mismatch)


def micro_batches(
    model: SpeechLM, groups: Groups, questions: list[str], advantages: Tensor, settings: GRPOSettings
) -> list[MicroBatch]:
    """The groups of a step, and `advantages` of their tokens [B, K, T], in as few parts as the settings allow."""
    lengths = [0] * len(groups.batch)
    if settings.micro_batch_tokens is not None:
        answer_tokens = groups.mask.sum((1, 2)).tolist()
        prompts = zip(groups.clips, questions, strict=True)
        lengths = [_prompt_tokens(model, *prompt) + n for prompt, n in zip(prompts, answer_tokens, strict=True)]
    parts = []
    for places in passes(lengths, count=settings.micro_batch_size, tokens=settings.micro_batch_tokens):
        chosen = torch.zeros(len(lengths), dtype=torch.bool)
        chosen[places.start : places.stop] = True
        part = groups.select(chosen)
        part_advantages = advantages[chosen, :, : part.mask.shape[-1]]
        part_questions = questions[places.start : places.stop]
        parts.append(
            MicroBatch(
                part.clips, part_questions, part.tokens, part.mask, part_advantages, sampler_logprobs=part.logprobs
            )
        )
    return parts


def _prompt_tokens(model: SpeechLM, clip: Tensor, question: str) -> int:
    return len(prompt_ids(model.tokenizer, audio_token_count(clip.shape[-1]), question, model.system))


def _options(settings: GRPOSettings) -> dict[str, Any]:
    """What the settings specify of the options of their loss."""
    given = {"clip_low": settings.clip_low, "clip_high": settings.clip_high}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if settings.loss == "dr_grpo":
        options["max_tokens"] = settings.max_new_tokens
    return options
