"""Sampling K answers to each prompt.

The clip is encoded once and its prefix runs through the text tower once; the key/value cache is then expanded to K
rows. Rows that have ended are fed padding until all have ended or the limit is reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from speechlm import SpeechLM
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rollout:
    """K sampled answers to each of B prompts.

    - `texts`: B tuples of K decoded answers, without the end token
    - `tokens` int64[B, K, T], `mask` bool[B, K, T]: real tokens, the end token included
    - `logprobs` float32[B, K, T]: under the sampling distribution, 0 where `mask` is false
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

        `generator` makes sampling repeatable; greedy decoding needs none. Raises `ValueError` for k < 1, a negative
        temperature, a limit < 1, or k > 1 at temperature 0 (all answers would be the same).
        """
        if k < 1 or max_new_tokens < 1 or temperature < 0:
            raise ValueError(f"need k >= 1, max_new_tokens >= 1, temperature >= 0: {k}, {max_new_tokens}, {temperature}")
        if k > 1 and temperature == 0:
            raise ValueError(f"greedy decoding gives one answer, but k is {k}; set a temperature above 0")
        was_training = self.model.training
        self.model.eval()
        try:
            tokens, logprobs = self._decode(features, questions, k, temperature, max_new_tokens, generator)
        finally:
            self.model.train(was_training)
        return self._rollout(tokens, logprobs, len(questions), k)

    def _decode(
        self,
        features: list[Tensor],
        questions: list[str],
        k: int,
        temperature: float,
        max_new_tokens: int,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        model = self.model
        batch = model.collate(features, questions)
        state = model.run_text(model.embed(batch), batch.attention_mask, keep_cache=True)
        cache = state.cache
        assert cache is not None
        if k > 1:
            cache.batch_repeat_interleave(k)
        hidden = state.hidden[:, -1].repeat_interleave(k, dim=0)
        mask = batch.attention_mask.repeat_interleave(k, dim=0)
        done = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
        tokens, logprobs = [], []
        for _ in range(max_new_tokens):
            token, logprob = _draw(model.head(hidden).float(), temperature, generator)
            tokens.append(token.masked_fill(done, model.pad_id))
            logprobs.append(logprob.masked_fill(done, 0.0))
            done = done | (token == model.end_id)
            if bool(done.all()):
                break
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            embedded = model.text_tower.embed_tokens(tokens[-1])[:, None]  # type: ignore[operator, union-attr]
            state = model.run_text(embedded, mask, cache=cache, keep_cache=True)
            hidden = state.hidden[:, -1]
        return torch.stack(tokens, dim=1), torch.stack(logprobs, dim=1)

    def _rollout(self, tokens: Tensor, logprobs: Tensor, prompts: int, k: int) -> Rollout:
        ends = tokens == self.model.end_id
        mask = ends.cumsum(-1) - ends.long() == 0
        ended = ends.any(-1)
        texts = self.model.tokenizer.batch_decode([row[m & ~e] for row, m, e in zip(tokens, mask, ends, strict=True)])
        shape = (prompts, k, tokens.shape[-1])
        return Rollout(
            texts=tuple(tuple(texts[i * k : (i + 1) * k]) for i in range(prompts)),
            tokens=tokens.view(shape),
            mask=mask.view(shape),
            logprobs=logprobs.view(shape),
            ended=ended.view(prompts, k),
        )


def _draw(logits: Tensor, temperature: float, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """One token per row of `logits[N, V]` and its log-probability under the tempered distribution."""
    if temperature == 0:
        token = logits.argmax(-1)
        return token, logits.log_softmax(-1).gather(-1, token[:, None])[:, 0]
    logprobs = (logits / temperature).log_softmax(-1)
    token = torch.multinomial(logprobs.exp(), 1, generator=generator)
    return token[:, 0], logprobs.gather(-1, token)[:, 0]
