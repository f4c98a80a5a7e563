"""Prosody-enhanced supervised fine-tuning: the four task families, short prosody answers before long reasoning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cotgen.tasks import SFTExample, Task
from policy import sequence_logprobs
from speechlm import SpeechBatch, SpeechLM, load_preset
from trainer.augment import filter_bands
from trainer.checkpoint import PolicyCard, save_policy
from trainer.curriculum import Phase, plan_batches
from trainer.dataset import TRAIN, AnnotatedCorpus, feature_key
from trainer.errors import ConfigError
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, StageModule
from trainer.weighting import Part, claim_spans, completion_parts, token_weights


@dataclass(frozen=True, slots=True)
class SFTSettings:
    """Settings of one SFT run; `phases` are trained in order under one learning-rate schedule.

    `answer_share` and `claim_share` are the weights of the answer and of the claims about the sound in a reasoning
    example, see `token_weights`; `filter_db` is the spread of the filters that training clips are heard through, see
    `filter_bands`. Raises `ConfigError` for shares below 0 or together not below 1, or a negative spread.
    """

    phases: tuple[Phase, ...]
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    vocab_size: int = 1024
    answer_share: float = 0.3
    claim_share: float = 0.3
    filter_db: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.answer_share, self.claim_share) < 0 or self.answer_share + self.claim_share >= 1:
            raise ConfigError(
                f"answer_share {self.answer_share} and claim_share {self.claim_share} must be >= 0, together below 1"
            )
        if self.filter_db < 0:
            raise ConfigError(f"filter_db must be >= 0, got {self.filter_db}")

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)


@dataclass(frozen=True, slots=True)
class WeightedBatch:
    """Questions, completions, and how much each token counts, `float32[N, T]`."""

    speech: SpeechBatch
    weights: Tensor

    def to(self, device: torch.device) -> WeightedBatch:
        """The same batch on another device."""
        return WeightedBatch(self.speech.to(device), self.weights.to(device))


class SFTModule(StageModule):
    """Next-token prediction on completions."""

    def __init__(self, model: SpeechLM, settings: SFTSettings) -> None:
        super().__init__(learning_rate=settings.learning_rate, steps=settings.steps, warmup_steps=settings.warmup_steps)
        self.model = model

    def training_step(self, batch: WeightedBatch, batch_idx: int) -> Tensor:
        """One batch: weighted negative log-likelihood of its completions."""
        loss = -(sequence_logprobs(self.model, batch.speech) * batch.weights).sum() / len(batch.weights)
        self.record(batch_idx + 1, loss=float(loss.detach()))
        return loss


def new_model(corpus: AnnotatedCorpus, preset: str, *, vocab_size: int, seed: int, **options: Any) -> SpeechLM:
    """The model of a preset, with the `options` of `speechlm.load_preset`.

    A pocket model's tokenizer is trained on the questions and targets of the training split.
    """
    if preset == "pocket":
        texts = [text for e in corpus.examples if e.split == TRAIN for text in (e.question, e.target)]
        options |= {"texts": texts, "vocab_size": vocab_size}
    return load_preset(preset, seed=seed, **options)


def train_sft(
    model: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: SFTSettings,
    *,
    out: Path,
    run_name: str = "sft",
) -> SFTModule:
    """Train `model` in place on the training split and save it as a policy checkpoint in `out`.

    `features` maps feature keys to log-mel clips (`trainer.dataset.feature_key`).
    """
    torch.manual_seed(settings.seed)
    examples = [e for e in corpus.examples if e.split == TRAIN]
    batches = plan_batches(examples, settings.phases, seed=settings.seed)

    filters = torch.Generator().manual_seed(settings.seed)

    def to_batch(chosen: Sequence[SFTExample]) -> WeightedBatch:
        heard = as_float(features[feature_key(e)] for e in chosen)
        clips = [filter_bands(clip, settings.filter_db, filters) for clip in heard]
        speech = model.collate(clips, [e.question for e in chosen], [e.target for e in chosen])
        return WeightedBatch(speech, example_weights(model, speech, chosen, corpus, settings).to(model.device))

    module = SFTModule(model, settings)
    fit(module, Batches(batches, to_batch), what="SFT", out=out, run_name=run_name)
    save_policy(model, PolicyCard.of(corpus, stage="sft", seed=settings.seed), corpus.folder / "scale.json", out)
    return module


def example_weights(
    model: SpeechLM,
    speech: SpeechBatch,
    examples: Sequence[SFTExample],
    corpus: AnnotatedCorpus,
    settings: SFTSettings,
) -> Tensor:
    """`token_weights` of a batch; claims are those of the utterance's trace, where an example is its reasoning."""
    parts = torch.full(speech.input_ids.shape, int(Part.PROMPT))
    for row, mask, example in zip(parts, speech.completion_mask.cpu(), examples, strict=True):
        trace = corpus.traces.get(example.utterance_id) if example.task is Task.REASONING else None
        spans = claim_spans(example.target, trace.think, trace.claims) if trace else []
        row[mask] = torch.tensor(completion_parts(model.tokenizer, example.target, spans))
    text_share = 1.0 - settings.answer_share - settings.claim_share
    return token_weights(
        parts, {Part.TEXT: text_share, Part.CLAIM: settings.claim_share, Part.ANSWER: settings.answer_share}
    )
