"""Sampling K answers to each prompt.

The clip is encoded once and its prefix runs through the text tower once; the key/value cache is then expanded to K
rows. Rows that have ended are fed padding until all have ended or the limit is reached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.errors import OptionError
from speechlm import SpeechBatch, SpeechLM


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """K sampled answers to each of B prompts.

    - `texts`: B tuples of K decoded answers, without the end token
    - `tokens` int64[B, K, T], `mask` bool[B, K, T]: real tokens, the end token included
    - `logprobs` float32[B, K, T]: under the sampling distribution (greedy: at temperature 1), 0 where `mask` is false
    - `ended` bool[B, K]: the answer ended by itself before the limit
    """

    texts: tuple[tuple[str, ...], ...]
    tokens: Tensor
    mask: Tensor
    logprobs: Tensor
    ended: Tensor


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
        generator: torch.Generator | None = None,
    ) -> Rollout:
        """Sample `k` answers to each question about its clip (`features[i]` is log-mel `[n_mels, frames]`).

        `generator` makes sampling repeatable; greedy decoding needs none. It may live on another device than the
        model: tokens are drawn where it lives. The model is run in evaluation mode and left in the mode it was in.
        Raises `OptionError` for k < 1, a limit < 1, a temperature that is negative or not finite, or k > 1 at
        temperature 0 (all answers would be the same); `speechlm.SpeechLMError` for clips and questions that make no
        batch.
        """
        _check_options(k, temperature, max_new_tokens)
        was_training = self.model.training
        self.model.eval()
        try:
            batch = self.model.collate(features, questions)
            tokens, logprobs = self._decode(
                batch, k=k, temperature=temperature, max_new_tokens=max_new_tokens, generator=generator
            )
        finally:
            self.model.train(was_training)
        return self._rollout(tokens, logprobs, prompts=len(questions), k=k)

    def _decode(
        self,
        batch: SpeechBatch,
        *,
        k: int,
        temperature: float,
        max_new_tokens: int,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        """Tokens int64[B·K, T] and their log-probabilities, padding and 0 after the end token."""
        model = self.model
        state = model.run_text(model.embed(batch), batch.attention_mask, keep_cache=True).repeat_last(k)
        mask = batch.attention_mask.repeat_interleave(k, dim=0)
        done = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
        tokens: list[Tensor] = []
        logprobs: list[Tensor] = []
        while True:
            token, logprob = _draw(model.head(state.hidden[:, -1]).float(), temperature, generator)
            tokens.append(token.masked_fill(done, model.pad_id))
            logprobs.append(logprob.masked_fill(done, 0.0))
            done = done | (token == model.end_id)
            if len(tokens) == max_new_tokens or bool(done.all()):
                return torch.stack(tokens, dim=1), torch.stack(logprobs, dim=1)
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            embedded = model.embed_tokens(tokens[-1][:, None])
            state = model.run_text(embedded, mask, cache=state.cache, keep_cache=True)

    def _rollout(self, tokens: Tensor, logprobs: Tensor, *, prompts: int, k: int) -> Rollout:
        ends = tokens == self.model.end_id
        mask = ends.cumsum(-1) - ends.long() == 0
        texts = self.model.tokenizer.batch_decode([row[m & ~e] for row, m, e in zip(tokens, mask, ends, strict=True)])
        shape = (prompts, k, tokens.shape[-1])
        return Rollout(
            texts=tuple(tuple(texts[i * k : (i + 1) * k]) for i in range(prompts)),
            tokens=tokens.view(shape),
            mask=mask.view(shape),
            logprobs=logprobs.view(shape),
            ended=ends.any(-1).view(prompts, k),
        )


def _check_options(k: int, temperature: float, max_new_tokens: int) -> None:
    for name, value in (("k", k), ("max_new_tokens", max_new_tokens)):
        if value < 1:
            raise OptionError(f"{name} must be at least 1, got {value}")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise OptionError(f"temperature must be 0 (greedy) or above, got {temperature}")
    if k > 1 and temperature == 0:
        raise OptionError(f"greedy decoding gives one answer, but k is {k}; set a temperature above 0")


def _draw(logits: Tensor, temperature: float, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """One token per row of `logits[N, V]` and its log-probability under the tempered distribution."""
    if temperature == 0:
        token = logits.argmax(-1, keepdim=True)
        return token[:, 0], logits.log_softmax(-1).gather(-1, token)[:, 0]
    logprobs = (logits / temperature).log_softmax(-1)
    place = logits.device if generator is None else generator.device
    token = torch.multinomial(logprobs.exp().to(place), 1, generator=generator).to(logits.device)
    return token[:, 0], logprobs.gather(-1, token)[:, 0]
