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
from policy.drawing import draw, greedy
from policy.errors import OptionError, PolicyError
from policy.limits import memory_limit
from policy.randomness import sequence_seeds, uniforms
from speechlm import SpeechBatch, SpeechLM


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """K sampled answers to each of B prompts.

    - `texts`: B tuples of K decoded answers, without the end token
    - `tokens` int64[B, K, T], `mask` bool[B, K, T]: real tokens, the end token included; padding behind them
    - `logprobs` float32[B, K, T]: under the distribution that was sampled, that is after temperature and top-p
      (greedy: the softmax at temperature 1), 0 where `mask` is false
    - `ended` bool[B, K]: the answer ended before the limit, by the end token or by the stop text
    - `seeds` int64[B, K]: with the same settings, each repeats its answer
    """

    texts: tuple[tuple[str, ...], ...]
    tokens: Tensor
    mask: Tensor
    logprobs: Tensor
    ended: Tensor
    seeds: Tensor


@dataclass(frozen=True, slots=True)
class _Options:
    """Checked settings of one call."""

    temperature: float
    top_p: float
    limit: int
    stop: str | None


class Sampler:
    """Samples from one speech LLM. Temperature 0 is greedy decoding."""

    def __init__(self, model: SpeechLM) -> None:
        self.model = model
        self._ends: dict[
            str, Tensor
        ] = {}  # by a stop text's last character; a released vocabulary takes long to search

    @torch.no_grad()
    def sample(
        self,
        features: list[Tensor],
        questions: list[str],
        *,
        k: int = 1,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
        stop: str | None = None,
        seeds: int | Tensor | None = None,
    ) -> Rollout:
        """Sample `k` answers to each question about its clip (`features[i]` is log-mel `[n_mels, frames]`).

        The logits are divided by `temperature`; of their softmax `top_p` keeps the fewest likeliest tokens that reach
        it together. An answer ends with the end token, with the token that completes the text `stop` (for example
        `"</answer>"`; the token is kept whole, though it may hold more), or after `max_new_tokens`.

        `seeds` makes sampling repeatable: `int64[B, k]`, one for each answer, or one number that `sequence_seeds`
        spreads over them; by default one is drawn from torch's global generator. Every answer has a random stream of
        its own, so the batch around it changes it only where rounding does: where a number falls beside the boundary
        of two tokens. Greedy decoding uses none. The model is run in evaluation mode and left in the mode it was in.

        Raises `OptionError` for a setting outside its range or an empty question, `MemoryLimitError` when memory runs
        out, `PolicyError` when the model gives scores that are no numbers, and `speechlm.SpeechLMError` for clips and
        questions that make no batch.
        """
        options = _Options(temperature, top_p, max_new_tokens, stop)
        _check_options(options, k)
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
                return self._decode(batch, chosen, options)
        finally:
            self.model.train(was_training)

    def _decode(self, batch: SpeechBatch, seeds: Tensor, options: _Options) -> Rollout:
        model, device, n, k = self.model, seeds.device, seeds.numel(), seeds.shape[1]
        state = model.run_text(model.embed(batch), batch.attention_mask, keep_cache=True)
        if state.cache is None:
            raise PolicyError("the text tower returned no cache to continue from")
        decoder = Decoder(model, state.cache, batch.attention_mask, k=k, limit=options.limit)
        scores = model.head(state.hidden[:, -1]).repeat_interleave(k, dim=0)
        stream = uniforms(seeds.flatten(), options.limit)
        stops = self._stop_tokens(options.stop)
        tokens = torch.full((n, options.limit), model.pad_id, device=device)
        logprobs = torch.zeros(n, options.limit, device=device)
        lengths = torch.full((n,), options.limit, device=device)
        rows = torch.arange(n, device=device)  # the answers that have not ended
        for step in range(options.limit):
            token, logprob = _choose(scores.float().contiguous(), stream[rows, step], options)
            tokens[rows, step], logprobs[rows, step] = token, logprob
            over = token == model.end_id
            over |= self._stopped(tokens[rows, : step + 1], stops, options.stop)
            if bool(over.any()):
                lengths[rows[over]] = step + 1
                left = (~over).nonzero()[:, 0]
                rows, token = rows[left], token[left]
                if len(left):
                    decoder.keep(left)
            if not len(rows) or step + 1 == options.limit:
                break
            scores = decoder.step(token)
        ended = torch.ones(n, dtype=torch.bool, device=device)
        ended[rows] = False
        return self._rollout(tokens, logprobs, lengths, ended, seeds)

    def _stop_tokens(self, stop: str | None) -> Tensor:
        """Which tokens hold the last character of `stop`, so that only they can complete it: `bool[V]`."""
        last = (stop or "")[-1:]
        if last not in self._ends:
            holds = torch.zeros(self.model.head.out_features, dtype=torch.bool)
            if last:
                pieces = self.model.tokenizer.convert_ids_to_tokens(list(range(len(self.model.tokenizer))))
                holds[: len(pieces)] = torch.tensor([last in (piece or "") for piece in pieces])
            self._ends[last] = holds
        return self._ends[last].to(self.model.device)

    def _stopped(self, tokens: Tensor, stops: Tensor, stop: str | None) -> Tensor:
        """Which rows of `tokens[N, T]` hold `stop` since their last token."""
        over = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
        if stop is None:
            return over
        candidates = stops[tokens[:, -1]].nonzero()[:, 0]
        if len(candidates):
            texts = self.model.tokenizer.batch_decode(tokens[candidates])
            over[candidates] = torch.tensor([stop in text for text in texts], device=tokens.device)
        return over

    def _rollout(self, tokens: Tensor, logprobs: Tensor, lengths: Tensor, ended: Tensor, seeds: Tensor) -> Rollout:
        width = int(lengths.max())
        tokens, logprobs = tokens[:, :width], logprobs[:, :width]
        mask = torch.arange(width, device=tokens.device) < lengths[:, None]
        if not bool(logprobs.isfinite().all()):
            raise PolicyError("the model gives scores that are no finite numbers: look for NaN in its weights or clips")
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


def _choose(scores: Tensor, uniform: Tensor, options: _Options) -> tuple[Tensor, Tensor]:
    if options.temperature == 0:
        return greedy(scores)
    return draw(scores, uniform, temperature=options.temperature, top_p=options.top_p)


def _seeds(seeds: int | Tensor | None, prompts: int, k: int) -> Tensor:
    if seeds is None:
        seeds = int(torch.randint(2**63 - 1, ()))
    if isinstance(seeds, int):
        if not -(2**63) <= seeds < 2**63:
            raise OptionError(f"seeds must lie in the range of int64, got {seeds}")
        return sequence_seeds(seeds, prompts, k)
    if seeds.shape != (prompts, k) or seeds.dtype != torch.int64:
        raise OptionError(
            f"seeds must be int64 of shape ({prompts}, {k}), prompts by answers; got {seeds.dtype} of shape "
            f"{tuple(seeds.shape)}"
        )
    return seeds


def _check_options(options: _Options, k: int) -> None:
    for name, value in (("k", k), ("max_new_tokens", options.limit)):
        if value < 1:
            raise OptionError(f"{name} must be at least 1, got {value}")
    if not (math.isfinite(options.temperature) and options.temperature >= 0):
        raise OptionError(f"temperature must be 0 (greedy) or above, got {options.temperature}")
    if not 0 < options.top_p <= 1:
        raise OptionError(f"top_p must be above 0 and at most 1 (all tokens), got {options.top_p}")
    if options.stop is not None and not "!" <= options.stop[-1:] <= "~":
        raise OptionError(f"stop must end in a visible ASCII character, got {options.stop!r}")
    if k > 1 and options.temperature == 0:
        raise OptionError(f"greedy decoding gives one answer, but k is {k}; set a temperature above 0")


def _check_questions(questions: list[str]) -> None:
    for i, question in enumerate(questions):
        if not question.strip():
            raise OptionError(f"question {i} is empty: the policy must be asked something")


def _check_room(prompt: int, answer: int, limit: int) -> None:
    if prompt + answer > limit:
        raise OptionError(
            f"a prompt of {prompt} tokens (25 for each second of its clip) and {answer} new ones pass the model's "
            f"{limit}: cut the clip or lower max_new_tokens"
        )
