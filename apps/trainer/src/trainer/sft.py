"""Prosody-enhanced supervised fine-tuning: the five task families, short prosody answers before long reasoning."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback
from torch import Tensor

from cotgen.tasks import SFTExample, Task
from speechlm import SpeechLM, load_preset
from speechlm.freezing import part_weights, trainable_parts
from trainer.augment import mask_time, random_eq_bands
from trainer.checkpoint import BEST, data_identity, policy_card, save_policy
from trainer.comparisons import JoinedFeatures, joined_examples, token_levels
from trainer.curriculum import EpochSampler, with_reasoning
from trainer.dataset import TRAIN, AnnotatedCorpus, feature_key
from trainer.encoded import FOLDER as ENCODED
from trainer.encoded import encode_once, encodes_once
from trainer.errors import ConfigError
from trainer.families import described, split_examples, without_data
from trainer.features import as_float
from trainer.fit import fit
from trainer.mixture import Plan
from trainer.modules import WEIGHT_DECAY, Batches, MicroBatches, StageModule, decayed
from trainer.perception import HeadTargets, PerceptionHeads, TargetTable, embedded_audio, encode, heads_loss
from trainer.resume import remove_state
from trainer.settings import SFTSettings
from trainer.sft_validation import SFTValidation
from trainer.weighting import WeightedBatch, mark_reasoning, weighted_batch


@dataclass(frozen=True, slots=True)
class ClipToPerceive:
    """A clip of a perception step, by its feature key."""

    key: str


@dataclass(frozen=True, slots=True)
class PerceptionBatch:
    """Log-mel clips without text, and what the auxiliary heads learn of them."""

    clips: list[Tensor]
    targets: HeadTargets


class SFTModule(StageModule):
    """Next-token prediction on completions; before it, with `heads`, steps in which these teach the audio side."""

    def __init__(self, model: SpeechLM, settings: SFTSettings, heads: PerceptionHeads | None = None) -> None:
        super().__init__(settings, steps=settings.steps)
        self.model, self.heads = model, heads
        self.rates, self.heads_weight = settings.learning_rates, settings.heads_weight

    def training_step(self, batch: MicroBatches[WeightedBatch] | PerceptionBatch, batch_idx: int) -> Tensor:
        """One batch: weighted negative log-likelihood of its completions, or the loss of the heads."""
        if isinstance(batch, PerceptionBatch):
            if self.heads is None:
                raise ConfigError("a perception step needs the auxiliary heads: give them to SFTModule")
            self.record(batch_idx + 1)
            return self.add_up([partial(self._perceived, self.heads, batch)])
        self.record(batch_idx + 1, loss=0.0)
        rows = sum(len(part.weights) for part in batch.parts)
        return self.add_up([partial(self._loss, part, rows) for part in batch.parts])

    def _perceived(self, heads: PerceptionHeads, batch: PerceptionBatch) -> Tensor:
        """The loss of a perception step."""
        loss = heads_loss(heads, *encode(self.model, batch.clips), batch.targets)
        self.history[-1]["perception_loss"] = float(loss.detach())
        return loss

    def _loss(self, part: WeightedBatch, rows: int) -> Tensor:
        """What a part of the step adds to its loss, the mean over `rows`."""
        embedded = None if part.targets is None else self.model.embed(part.speech)
        loss = part.loss(self.model, rows, embedded)
        row = self.history[-1]
        for name in ("loss", f"loss_{part.family}"):
            row[name] = row.get(name, 0.0) + float(loss.detach())
        if self.heads is None or part.targets is None or embedded is None:
            return loss
        share = len(part.weights) / rows
        perceived = share * heads_loss(self.heads, *embedded_audio(self.model, part.speech, embedded), part.targets)
        row["perception_loss"] = row.get("perception_loss", 0.0) + float(perceived.detach())
        return loss + self.heads_weight * perceived

    def sharded(self) -> Iterable[SpeechLM]:
        """The policy."""
        return (self.model,)

    def groups(self) -> list[dict[str, Any]]:
        """The weights of each part with that part's learning rate, where any has its own."""
        if self.heads is None and not self.rates:
            return super().groups()
        weights = {str(part): list(named.values()) for part, named in part_weights(self.model).items()}
        weights["heads"] = list(self.heads.parameters()) if self.heads is not None else []
        return [
            group | {"lr": self.rates.get(part) or self.learning_rate}
            for part, of_part in weights.items()
            for group in decayed(of_part, WEIGHT_DECAY)
            if group["params"]
        ]


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
    examples, features = _learnt(model, corpus, features, settings)
    marked, without_verdict = mark_reasoning(corpus, examples, TRAIN)
    if without_verdict:
        sys.stderr.write(
            f"trainer: {without_verdict} of {len(marked)} reasoning texts state no verdict; "
            "their answer's label has its share of the loss\n"
        )
    heads, table, perceptions = _perception(model, corpus, features, settings)
    augmenter = torch.Generator().manual_seed(settings.seed)

    def augmented(keys: Iterable[str]) -> list[Tensor]:
        recorded = as_float(features[key] for key in keys)
        filtered = [random_eq_bands(clip, settings.filter_augment_db, augmenter) for clip in recorded]
        return [mask_time(clip, settings.time_mask_share, augmenter) for clip in filtered]

    def weighted(chosen: Sequence[SFTExample]) -> WeightedBatch:
        keys = [feature_key(e) for e in chosen if e.task is not Task.TEXT]
        clips = augmented(keys)
        batch = weighted_batch(model, clips, chosen, marked, settings)
        if keys and table is not None and settings.heads_weight:
            return replace(batch, targets=HeadTargets(table.of(keys), token_levels(clips, keys, features)))
        return batch

    def to_batch(planned: Sequence[ClipToPerceive | SFTExample]) -> PerceptionBatch | MicroBatches[WeightedBatch]:
        keys = [c.key for c in planned if isinstance(c, ClipToPerceive)]
        if keys and table is not None:
            clips = augmented(keys)
            return PerceptionBatch(clips, HeadTargets(table.of(keys), token_levels(clips, keys, features)))
        chosen = [e for e in planned if isinstance(e, SFTExample)]
        return MicroBatches.of(chosen, settings.micro_batch_size, weighted)

    module = SFTModule(model, settings, heads)
    module.generators["augmenter"] = augmenter
    mixed = Plan(examples, settings.mixture, module.history, seed=settings.seed, before=len(perceptions))
    card = policy_card(corpus, stage="sft", seed=settings.seed)
    data = data_identity(corpus)
    steps: list[Sequence[ClipToPerceive | SFTExample]] = [*perceptions, *mixed.batches]
    plan: Batches[Any, Any] = Batches(steps, to_batch)
    if settings.adaptive_weights:
        plan = Batches(range(len(steps)), lambda i: to_batch(perceptions[i] if i < len(perceptions) else mixed(i)))
    _speed_up(model, settings, features, steps, corpus.folder / ENCODED)
    sys.stderr.write(f"SFT: {described(mixed.batches, features, model, steps=len(steps))}\n")
    callbacks: list[Callback] = []
    if settings.validate_every:
        keep = partial(save_policy, card=card, scale=corpus.scale, out=out / BEST)
        callbacks.append(SFTValidation(corpus, features, settings, out=out, total=len(steps), keep=keep))
    fit(module, plan, settings, what="SFT", out=out, run_name="sft", data=data, callbacks=callbacks)
    model.kept_states = None
    save_policy(model, card, corpus.scale, out)
    remove_state(out)
    return module


def _speed_up(
    model: SpeechLM,
    settings: SFTSettings,
    features: Mapping[str, Tensor],
    steps: Sequence[Sequence[ClipToPerceive | SFTExample]],
    folder: Path,
) -> None:
    """Keep what a frozen encoder makes of the clips of all steps, and compile layers, where settings allow it."""
    if encodes_once(model, settings):
        planned = [item for step in steps for item in step]
        keys = {item.key for item in planned if isinstance(item, ClipToPerceive)}
        keys |= {feature_key(e) for e in planned if isinstance(e, SFTExample) and e.task is not Task.TEXT}
        model.kept_states = encode_once(model, features, keys, folder)
    if settings.compile_layers:
        for layer in model.text_tower.layers:  # type: ignore[union-attr]
            layer.compile(dynamic=True)


def _learnt(
    model: SpeechLM, corpus: AnnotatedCorpus, features: Mapping[str, Tensor], settings: SFTSettings
) -> tuple[list[SFTExample], Mapping[str, Tensor]]:
    """The examples of all families and the features of their clips; what is left out is said on stderr.

    Raises `ConfigError` where text would train nothing.
    """
    examples, failed = split_examples(corpus, TRAIN, settings.mixture, Path(settings.texts) if settings.texts else None)
    for item in failed:
        sys.stderr.write(f"left out: {item.id}: {item.message}\n")
    examples = with_reasoning(examples, settings.reasoning_share)
    if any(settings.comparisons.values()) and any(Task.COMPARATIVE in phase.weights for phase in settings.mixture):
        spoken = [*corpus.split(TRAIN), *corpus.unlabelled(TRAIN)]
        compared, parts = joined_examples(
            spoken, numbers=settings.comparisons, phrasing=corpus.phrasing, seed=settings.seed
        )
        examples, features = [*examples, *compared], JoinedFeatures(features, parts, model.features)
    for task in without_data(examples, settings.mixture):
        sys.stderr.write(f"left out: family {task}: there is no example of it, its weight goes to the others\n")
    if any(e.task is Task.TEXT for e in examples) and not {"llm", "lora"} & trainable_parts(model).keys():
        raise ConfigError("texts train llm or lora, of which train= names neither: add one, or set without=[text]")
    return examples, features


def _perception(
    model: SpeechLM, corpus: AnnotatedCorpus, features: Mapping[str, Tensor], settings: SFTSettings
) -> tuple[PerceptionHeads | None, TargetTable | None, list[list[ClipToPerceive]]]:
    """The auxiliary heads, what they learn, and the clips of every perception step, each drawn once before any is drawn
    again; without such steps nothing. Where there are joined clips, every other one is.
    """
    if not settings.perception_steps:
        return None, None, []
    clips = [*corpus.split(TRAIN), *corpus.unlabelled(TRAIN)]
    table = TargetTable(clips, corpus.label_set, reasoning_share=settings.reasoning_share)
    rng = np.random.default_rng(settings.seed)
    spoken = EpochSampler([m.utterance.utterance_id for m in clips], rng)
    compared = list(features.joined) if isinstance(features, JoinedFeatures) else []
    samplers = [spoken, EpochSampler(compared, rng) if compared else spoken]

    def drawn() -> list[ClipToPerceive]:
        keys = (samplers[i % len(samplers)].draw() for i in range(settings.perception_batch_size))
        return [ClipToPerceive(key) for key in keys]

    heads = PerceptionHeads(int(model.thinker.config.text_config.hidden_size), table)
    return heads, table, [drawn() for _ in range(settings.perception_steps)]
