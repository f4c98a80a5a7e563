"""Prosody-enhanced supervised fine-tuning: the five task families, short prosody answers before long reasoning."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cotgen.tasks import SFTExample, Task
from policy import sequence_logprobs
from speechlm import SpeechBatch, SpeechLM, load_preset
from trainer.augment import random_eq_bands
from trainer.checkpoint import data_identity, policy_card, save_policy
from trainer.curriculum import plan_batches, with_reasoning
from trainer.dataset import TRAIN, AnnotatedCorpus, feature_key
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, StageModule
from trainer.resume import remove_state
from trainer.settings import SFTSettings
from trainer.weighting import Marked, Part, claim_spans, completion_parts, decision_span, sft_loss_weights


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
        super().__init__(settings, steps=settings.steps)
        self.model = model

    def training_step(self, batch: WeightedBatch, batch_idx: int) -> Tensor:
        """One batch: weighted negative log-likelihood of its completions."""
        loss = -(sequence_logprobs(self.model, batch.speech) * batch.weights).sum() / len(batch.weights)
        self.record(batch_idx + 1, loss=float(loss.detach()))
        return loss


def new_model(corpus: AnnotatedCorpus, preset: str, *, vocab_size: int, seed: int, **options: Any) -> SpeechLM:
    """The model of a preset, with the `options` of `speechlm.load_preset` and float32 weights to train.

    A pocket model's tokenizer is trained on the questions and targets of the training split.
    """
    if preset == "pocket":
        texts = [text for e in corpus.examples(TRAIN) for text in (e.question, e.target)]
        options |= {"texts": texts, "vocab_size": vocab_size}
    return load_preset(preset, seed=seed, dtype=torch.float32, **options)


def train_sft(
    model: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: SFTSettings,
    *,
    out: Path,
) -> SFTModule:
    """Train `model` in place on the training split and save it as a policy checkpoint in `out`.

    `features` maps feature keys to log-mel clips (`trainer.dataset.feature_key`).
    """
    torch.manual_seed(settings.seed)
    examples = with_reasoning(corpus.examples(TRAIN), settings.reasoning_share)
    marked, without_verdict = mark_reasoning(corpus, examples)
    if without_verdict:
        sys.stderr.write(
            f"trainer: {without_verdict} of {len(marked)} reasoning texts state no verdict; "
            "their answer's label has its share of the loss\n"
        )
    batches = plan_batches(examples, settings.phases, seed=settings.seed)

    equalizer = torch.Generator().manual_seed(settings.seed)

    def to_batch(chosen: Sequence[SFTExample]) -> WeightedBatch:
        recorded = as_float(features[feature_key(e)] for e in chosen)
        clips = [random_eq_bands(clip, settings.filter_augment_db, equalizer) for clip in recorded]
        speech = model.collate(clips, [e.question for e in chosen], [e.target for e in chosen])
        return WeightedBatch(speech, example_weights(model, speech, chosen, marked, settings).to(model.device))

    module = SFTModule(model, settings)
    module.generators["equalizer"] = equalizer
    card = policy_card(corpus, stage="sft", seed=settings.seed)
    data = data_identity(corpus)
    fit(
        module, Batches(batches, to_batch), settings, what="SFT", out=out, run_name="sft", data=data, bf16=settings.bf16
    )
    save_policy(model, card, corpus.scale, out)
    remove_state(out)
    return module


def mark_reasoning(corpus: AnnotatedCorpus, examples: Sequence[SFTExample]) -> tuple[dict[str, Marked], int]:
    """Decision and claims about the sound in the targets of the training split's reasoning examples, by example, and
    how many of them state no verdict.
    """
    of = {e.utterance_id: e for e in examples if e.task is Task.REASONING}
    marked: dict[str, Marked] = {}
    without_verdict = 0
    for trace in corpus.traces(TRAIN):
        if trace.utterance_id in of:
            example = of[trace.utterance_id]
            decision, is_stated = decision_span(example.target, trace.think)
            without_verdict += not is_stated
            claims = claim_spans(example.target, trace.think, trace.claims)
            marked[example.example_id] = Marked(decision, tuple(claims))
    return marked, without_verdict


def example_weights(
    model: SpeechLM,
    speech: SpeechBatch,
    examples: Sequence[SFTExample],
    marked: Mapping[str, Marked],
    settings: SFTSettings,
) -> Tensor:
    """`sft_loss_weights` of a batch; `marked` as of `mark_reasoning`."""
    parts = torch.full(speech.input_ids.shape, int(Part.PROMPT))
    for row, mask, example in zip(parts, speech.completion_mask.cpu(), examples, strict=True):
        where = marked.get(example.example_id, Marked())
        row[mask] = torch.tensor(completion_parts(model.tokenizer, example.target, where))
    text_share = 1.0 - settings.decision_share - settings.claim_share
    return sft_loss_weights(
        parts, {Part.TEXT: text_share, Part.CLAIM: settings.claim_share, Part.DECISION: settings.decision_share}
    )
