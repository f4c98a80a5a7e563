"""Prosody-enhanced supervised fine-tuning: the four task families, short prosody answers before long reasoning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cotgen.tasks import SFTExample
from policy import sequence_logprobs
from speechlm import PocketSize, SpeechBatch, SpeechLM, pocket, train_tokenizer
from speechlm.tokenizer import token_id
from trainer.checkpoint import PolicyCard, save_policy
from trainer.curriculum import Phase, plan_batches
from trainer.dataset import TRAIN, AnnotatedCorpus, feature_key
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, StageModule, token_weights


@dataclass(frozen=True, slots=True)
class SFTSettings:
    """Settings of one SFT run; `phases` are trained in order under one learning-rate schedule.

    `answer_share` is the weight of the answer in a reasoning example, see `token_weights`.
    """

    phases: tuple[Phase, ...]
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    vocab_size: int = 1024
    answer_share: float = 0.3
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps of all phases."""
        return sum(phase.steps for phase in self.phases)


class SFTModule(StageModule):
    """Next-token prediction on completions."""

    def __init__(self, model: SpeechLM, settings: SFTSettings) -> None:
        super().__init__(learning_rate=settings.learning_rate, steps=settings.steps, warmup_steps=settings.warmup_steps)
        self.model = model
        self.answer_id = token_id(model.tokenizer, "<answer>")
        self.answer_share = settings.answer_share

    def training_step(self, batch: SpeechBatch, batch_idx: int) -> Tensor:
        """One batch: negative log-likelihood of its completions, weighted by `token_weights`."""
        weights = token_weights(
            batch.input_ids, batch.completion_mask, answer_id=self.answer_id, answer_share=self.answer_share
        )
        loss = -(sequence_logprobs(self.model, batch) * weights).sum() / len(weights)
        self.record(batch_idx + 1, loss=float(loss.detach()))
        return loss


def new_model(corpus: AnnotatedCorpus, size: PocketSize, *, vocab_size: int, seed: int) -> SpeechLM:
    """A pocket model whose tokenizer was trained on the questions and targets of the training split."""
    texts = [text for e in corpus.examples if e.split == TRAIN for text in (e.question, e.target)]
    return pocket(train_tokenizer(texts, vocab_size=vocab_size), seed=seed, size=size)


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

    def to_batch(chosen: Sequence[SFTExample]) -> SpeechBatch:
        clips = as_float(features[feature_key(e)] for e in chosen)
        return model.collate(clips, [e.question for e in chosen], [e.target for e in chosen])

    module = SFTModule(model, settings)
    fit(module, Batches(batches, to_batch), what="SFT", out=out, run_name=run_name)
    save_policy(model, PolicyCard.of(corpus, stage="sft", seed=settings.seed), corpus.folder / "scale.json", out)
    return module
