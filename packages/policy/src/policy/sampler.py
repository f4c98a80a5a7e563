"""Sampling K answers to each prompt.

The clip is encoded once and its prefix runs through the text tower once; `policy.decoding` then continues it K times.
An answer that has ended leaves the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.decoding import Decoder
from policy.errors import OptionError, PolicyError
from policy.limits import memory_limit
from policy.randomness import sequence_seeds, uniforms
from policy.token_sampling import greedy, sample_token
from speechlm import SpeechBatch, SpeechLM


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """K sampled answers to each of B prompts.

    - `texts`: B tuples of K decoded answers, without the end token
    - `tokens` int64[B, K, T], `mask` bool[B, K, T]: real tokens, the end token included; padding after them
    - `logprobs` float32[B, K, T]: under the distribution that was sampled, that is after temperature (greedy: the
      softmax at temperature 1), 0 where `mask` is false
    - `ended` bool[B, K]: the answer ended before the limit, by the end token
    - `seeds` int64[B, K]: with the same settings, each repeats its answer
    """

    texts: tuple[tuple[str, ...], ...]
    tokens: Tensor
    mask: Tensor
    logprobs: Tensor
    ended: Tensor
    seeds: Tensor


class Sampler:
    """Samples from one speech LLM. Temperature 0 is greedy decoding."""

    def __init__(self, model: SpeechLM) -> None:
        self.model = model

    @torch.no_grad()
    def sample(
        self,
        features: list[Tensor],
        questions: list[str],
        *,
        k: int = 1,
        temperature: float = 1.0,
        max_new_tokens: int = 256,
        seeds: int | Tensor | None = None,
    ) -> Rollout:
        """Sample `k` answers to each question about its clip (`features[i]` is log-mel `[n_mels, frames]`).

        The logits are divided by `temperature`. An answer ends with the end token, or after `max_new_tokens`.

        `seeds` makes sampling repeatable: `int64[B, k]`, one for each answer, or one number that `sequence_seeds`
        spreads over them; by default one is drawn from torch's global generator. Every answer has a random stream of
        its own, so the batch around it changes it only where rounding does: where a number falls beside the boundary
        of two tokens. Greedy decoding uses none. The model is run in evaluation mode and left in the mode it was in.

        Raises `OptionError` for a setting outside its range or an empty question, `MemoryLimitError` when memory runs
        out, `PolicyError` when the model gives scores that are not finite, and `speechlm.SpeechLMError` for clips and
        questions that make no batch.
        """
        _check_options(k=k, temperature=temperature, max_new_tokens=max_new_tokens)
        _check_questions(questions)
        chosen = _seeds(seeds, len(questions), k).to(self.model.device)
        was_training = self.model.training
        self.model.eval()
        try:
            with memory_limit(
                f"sampling {len(questions)} prompts × k = {k} × {max_new_tokens} tokens",
                lower="k, the prompts of a call or max_new_tokens",
            ):
                batch = self.model.collate(features, questions)
                _check_room(batch.input_ids.shape[1], max_new_tokens, self.model.max_tokens)
                return self._decode(batch, chosen, temperature=temperature, limit=max_new_tokens)
        finally:
            self.model.train(was_training)

    def _decode(self, batch: SpeechBatch, seeds: Tensor, *, temperature: float, limit: int) -> Rollout:
        model, device, n, k = self.model, seeds.device, seeds.numel(), seeds.shape[1]
        # All prompts are run once, here; the K answers of each go on from its last hidden state and its cache.
        state = model.run_text(model.embed(batch), batch.attention_mask, keep_cache=True)
        if state.cache is None:
            raise PolicyError("the text tower returned no cache to continue from")
        decoder = Decoder(model, state.cache, batch.attention_mask, k=k, limit=limit)
        scores = model.head(state.hidden[:, -1]).repeat_interleave(k, dim=0)
        stream = uniforms(seeds.flatten(), limit)
        tokens = torch.full((n, limit), model.pad_id, device=device)
        logprobs = torch.zeros(n, limit, device=device)
        lengths = torch.full((n,), limit, device=device)
        rows = torch.arange(n, device=device)  # the answers that have not ended
        for step in range(limit):
            token, logprob = _choose(scores.float().contiguous(), stream[rows, step], temperature)
            tokens[rows, step], logprobs[rows, step] = token, logprob
            over = token == model.end_id
            if bool(over.any()):
                lengths[rows[over]] = step + 1
                left = (~over).nonzero()[:, 0]
                rows, token = rows[left], token[left]
                if len(left):
                    decoder.keep(left)
            if not len(rows) or step + 1 == limit:
                break
            scores = decoder.step(token)
        ended = torch.ones(n, dtype=torch.bool, device=device)
        ended[rows] = False
        return self._rollout(tokens, logprobs, lengths, ended, seeds)

    def _rollout(self, tokens: Tensor, logprobs: Tensor, lengths: Tensor, ended: Tensor, seeds: Tensor) -> Rollout:
        width = int(lengths.max())
        tokens, logprobs = tokens[:, :width], logprobs[:, :width]
        mask = torch.arange(width, device=tokens.device) < lengths[:, None]
        if not bool(logprobs.isfinite().all()):
            raise PolicyError("the model gives scores that are not finite: look for NaN in its weights or clips")
        spoken = mask & (tokens != self.model.end_id)
        texts = self.model.tokenizer.batch_decode([row[m] for row, m in zip(tokens, spoken, strict=True)])
        prompts, k = seeds.shape
        return Rollout(
            texts=tuple(tuple(texts[i * k : (i + 1) * k]) for i in range(prompts)),
            tokens=tokens.reshape(prompts, k, width),
            mask=mask.view(prompts, k, width),
            logprobs=logprobs.reshape(prompts, k, width),
            ended=ended.view(prompts, k),
            seeds=seeds,
        )


def _choose(scores: Tensor, uniform: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    return greedy(scores) if temperature == 0 else sample_token(scores, uniform, temperature=temperature)


def _seeds(seeds: int | Tensor | None, prompts: int, k: int) -> Tensor:
    if seeds is None:
        seeds = int(torch.randint(2**63 - 1, ()))
    if isinstance(seeds, int):
        if not -(2**63) <= seeds < 2**63:
            raise OptionError(f"seeds must be in the range of int64, got {seeds}")
        return sequence_seeds(seeds, prompts, k)
    if seeds.shape != (prompts, k) or seeds.dtype != torch.int64:
        raise OptionError(
            f"seeds must be int64 of shape ({prompts}, {k}), prompts by answers; got {seeds.dtype} of shape "
            f"{tuple(seeds.shape)}"
        )
    return seeds


def _check_options(*, k: int, temperature: float, max_new_tokens: int) -> None:
    for name, value in (("k", k), ("max_new_tokens", max_new_tokens)):
        if value < 1:
            raise OptionError(f"{name} must be at least 1, got {value}")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise OptionError(f"temperature must be 0 (greedy) or above, got {temperature}")
    if k > 1 and temperature == 0:
        raise OptionError(f"greedy decoding gives one answer, but k is {k}; set a temperature above 0")


def _check_questions(questions: list[str]) -> None:
    for i, question in enumerate(questions):
        if not question.strip():
            raise OptionError(f"question {i} is empty: name what the policy is asked")


def _check_room(prompt: int, answer: int, limit: int) -> None:
    if prompt + answer > limit:
        raise OptionError(
            f"a prompt of {prompt} tokens (25 for each second of its clip) and {answer} new ones pass the model's "
            f"{limit}: cut the clip or lower max_new_tokens"
        )
