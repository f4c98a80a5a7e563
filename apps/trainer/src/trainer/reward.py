"""Training the reward model: heads on the states of the SFT policy, which writes the answers and stays as it is."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rewardmodel import (
    ClipHead,
    ClipTargets,
    GradedTrace,
    Reading,
    RewardModel,
    States,
    clip_loss,
    hear,
    ordinal_loss,
    read,
)
from speech_records import MeasuredUtterance
from speech_records.failures import FailureLog
from speechlm import SpeechLM
from trainer.checkpoint import accelerator, data_identity
from trainer.dataset import TEST, TRAIN, VALIDATION, AnnotatedCorpus
from trainer.distributed import place, sum_over_ranks
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, MicroBatches, StageModule
from trainer.progress import track
from trainer.resume import remove_state
from trainer.reward_data import ClipTexts, Source, Text, read_graded, sample_answers, texts_about
from trainer.reward_pictures import draw
from trainer.reward_quality import claim_quality
from trainer.reward_report import VERDICTS, HeldOut, RewardReport, calibrate, measure, with_people, write_report
from trainer.settings import RewardSettings

SCALE_STEPS, SCALE_RATE = 600, 0.02
"""Passes over all texts at once, to fit four numbers of claims and 33 of criteria: seconds."""
ANSWERS = 2
"""Answers of the policy to each clip, and texts of other clips."""
CLIPS_AT_ONCE, TEXTS_AT_ONCE = 24, 4
"""Clips that are heard at once, and clips whose texts are read at once."""


@dataclass(frozen=True, slots=True)
class HeardBatch:
    """The states of clips, and what is known of these."""

    states: Tensor
    targets: ClipTargets

    def to(self, device: torch.device) -> HeardBatch:
        """The same batch on another device."""
        return HeardBatch(self.states.to(device), self.targets.to(device))


class RewardModule(StageModule):
    """Trains a clip head: cross-entropy of the claims that hold of a clip, of what it offers and what it expresses."""

    def __init__(self, head: ClipHead, settings: RewardSettings, *, steps: int) -> None:
        super().__init__(settings, steps=steps)
        self.head = head

    def training_step(self, batch: MicroBatches[HeardBatch], batch_idx: int) -> Tensor:
        """The sum of the three losses, each the mean over what the whole step, of all processes, has of its kind."""
        self.record(batch_idx + 1, loss=0.0, claims=0.0, offered=0.0, emotion=0.0)
        counted = zip(*(part.targets.counts() for part in batch.parts), strict=True)
        totals = [sum_over_ranks(float(sum(count))) / place()[1] for count in counted]
        return self.add_up([partial(self._loss, part, totals) for part in batch.parts])

    def _loss(self, part: HeardBatch, totals: Sequence[float]) -> Tensor:
        """What a part of the step adds to its loss."""
        means = clip_loss(self.head(part.states), part.targets)
        shares = (count / max(1.0, total) for count, total in zip(part.targets.counts(), totals, strict=True))
        found = {name: share * mean for share, (name, mean) in zip(shares, means.items(), strict=True)}
        loss = torch.stack(list(found.values())).sum()
        for name, value in {"loss": loss, **found}.items():
            self.history[-1][name] += value.item()
        return loss


@dataclass(frozen=True, slots=True)
class JudgedTexts:
    """Texts about clips: the states of the backbone, what is read in each text, and what they deserve.

    - `verdicts` float[claims]: 1 supported, 0 contradicted, NaN where the measurement cannot tell
    - `criteria` float[N, 3]: the scores of the criteria of whole texts, NaN where nobody graded them
    """

    states: States
    readings: list[Reading]
    verdicts: Tensor
    criteria: Tensor


def train_reward_model(
    backbone: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: RewardSettings,
    *,
    out: Path,
    ratings: Path | None = None,
    graded: Path | None = None,
) -> RewardReport:
    """Train a clip head on the training voices, fit scales and temperature to texts about the validation voices, and
    save the model in `out`; returns what was measured on the test voices, which is in `out` too. `ratings` are those of
    people, see `with_people`; `graded` holds graded traces of these clips, where they are not to be made here. With
    `epochs` 0 the model stays untrained.
    """
    torch.manual_seed(settings.seed)
    backbone = backbone.to(accelerator(), torch.bfloat16 if settings.bf16 else None)
    model = RewardModel(backbone).eval().requires_grad_(False)
    clips = {split: corpus.split(split) for split in (TRAIN, VALIDATION, TEST) if corpus.has(split)}
    if VALIDATION not in clips:
        clips[VALIDATION], clips[TRAIN] = held_out_voices(clips[TRAIN], seed=settings.seed)
    versions = None
    if graded is not None:
        with FailureLog("trainer", out / "graded.errors.jsonl") as failed:
            versions = read_graded(graded, clips[VALIDATION] + clips[TEST], failed)
    texts = {
        split: _texts(backbone, corpus, clips[split], features, settings, versions=versions)
        for split in (VALIDATION, TEST)
    }
    choosing, heard = (HeldOut(texts[split], features, corpus.questions(clips[split])) for split in (VALIDATION, TEST))
    untrained = claim_quality(heard.judge(model, heard.clips, (Source.SWAPPED, Source.OWN)))
    if settings.epochs:
        train_clip_head(model, clips[TRAIN], features, settings, out=out, data=data_identity(corpus))
        fitted = read_texts(model, choosing)
        fit_claims(model, fitted)
        calibration = calibrate(model, choosing)
        fit_criteria(model, fitted)
    else:
        calibration = None
    model.save(out)
    remove_state(out)
    report, judged = measure(
        model, heard, calibration=calibration, untrained=untrained, fitted_to=texts[VALIDATION],
        label_set=corpus.label_set,
    )  # fmt: skip
    if ratings is not None:
        asked = corpus.questions(chain.from_iterable(clips.values()))
        with FailureLog("trainer", out / "ratings.errors.jsonl") as failed:
            report = with_people(report, model, ratings, features=features, questions=asked, failed=failed)
    write_report(report, judged, out)
    draw(report, out)
    return report


def held_out_voices(
    clips: Sequence[MeasuredUtterance], *, seed: int
) -> tuple[list[MeasuredUtterance], list[MeasuredUtterance]]:
    """Clips of a fifth of the voices of every corpus, at least one, and the others; of a single voice a fifth of its
    clips.
    """
    rng, voices = Random(seed), defaultdict[str, set[str]](set)
    for m in clips:
        voices[m.utterance.corpus].add(m.utterance.speaker_id)
    chosen = {
        (corpus, voice)
        for corpus, own in sorted(voices.items())
        for voice in rng.sample(sorted(own), max(1, len(own) // 5) if len(own) > 1 else 0)
    }
    alone = [m for m in clips if len(voices[m.utterance.corpus]) == 1]
    some = {m.utterance.utterance_id for m in rng.sample(alone, len(alone) // 5)}
    held_out, others = list[MeasuredUtterance](), list[MeasuredUtterance]()
    for m in clips:
        u = m.utterance
        (held_out if (u.corpus, u.speaker_id) in chosen or u.utterance_id in some else others).append(m)
    return held_out, others


def train_clip_head(
    model: RewardModel,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    settings: RewardSettings,
    *,
    out: Path,
    data: Mapping[str, str],
) -> None:
    """Train the clip head on the states that the backbone has of `clips`, each of which runs through it once."""
    head, targets = model.heads.clip, ClipTargets.of(clips)
    order = sorted(range(len(clips)), key=lambda i: features[clips[i].utterance.utterance_id].shape[-1])
    states: dict[int, Tensor] = {}
    starts = range(0, len(order), CLIPS_AT_ONCE)
    for start in track(starts, total=len(starts), what="states of clips"):
        rows = order[start : start + CLIPS_AT_ONCE]
        sound = as_float(features[clips[i].utterance.utterance_id] for i in rows)
        states |= zip(rows, hear(model.backbone, sound).cpu(), strict=True)
    heard = torch.stack([states[i] for i in range(len(clips))])
    head.standardise(heard)
    rng = np.random.default_rng(settings.seed)
    size = min(settings.batch_size, len(clips))
    order = [i for _ in range(settings.epochs) for i in rng.permutation(len(clips)).tolist()]
    plan = [order[n : n + size] for n in range(0, len(order) - size + 1, size)]
    module = RewardModule(head.requires_grad_(True), settings, steps=len(plan))

    def heard_batch(rows: Sequence[int]) -> HeardBatch:
        return HeardBatch(heard[list(rows)], targets[list(rows)])

    batches = Batches(plan, lambda rows: MicroBatches.of(rows, settings.micro_batch_size, heard_batch))
    fit(module, batches, settings, what="reward model", out=out, run_name="reward", data=data)
    head.to(model.backbone.device).eval().requires_grad_(False)
    model.heads.listens.fill_(True)


@torch.no_grad()
def read_texts(model: RewardModel, held_out: HeldOut) -> JudgedTexts:
    """All texts of `held_out` as the backbone of `model` has them, and what they deserve."""
    tokenizer = model.backbone.tokenizer
    states, readings = [], []
    for start in range(0, len(held_out.about), TEXTS_AT_ONCE):
        about = held_out.about[start : start + TEXTS_AT_ONCE]
        groups = [[read(tokenizer, text.text, a.measured) for text in a.texts] for a in about]
        flat = [reading for group in groups for reading in group]
        clips = held_out.clips[start : start + TEXTS_AT_ONCE]
        questions = [held_out.questions[a.name] for a in about]
        states.append(model.states(model.pack(clips, questions, groups), flat))
        readings += flat
    device = model.backbone.device
    return JudgedTexts(
        States.join(states),
        readings,
        torch.tensor([VERDICTS[claim.verdict] for reading in readings for claim in reading.claims], device=device),
        torch.tensor([_criteria(text) for a in held_out.about for text in a.texts], device=device),
    )


def fit_claims(model: RewardModel, texts: JudgedTexts) -> float:
    """Fit what turns hearing and likelihood into log-odds of claims; returns the cross-entropy that is left."""
    heads, known = model.heads, ~texts.verdicts.isnan()
    with torch.no_grad():
        evidence = heads.claim_evidence(texts.states, texts.readings, heads.clip(texts.states.sound))

    def loss() -> Tensor:
        return binary_cross_entropy_with_logits(heads.claim_odds(evidence)[known], texts.verdicts[known])

    return _minimise(loss, [heads.heard, heads.said])


def fit_criteria(model: RewardModel, texts: JudgedTexts) -> float:
    """Fit weights and thresholds of the other criteria; returns the ordinal loss that is left."""
    heads = model.heads
    with torch.no_grad():
        clips = heads.clip(texts.states.sound)
        claims = heads.claims(texts.states, texts.readings, clips) / heads.claim_temperature
        evidence = heads.evidence(texts.states, texts.readings, clips, claims)
    return _minimise(
        lambda: ordinal_loss(heads.scores(evidence), texts.criteria), [heads.criteria.weight, heads.thresholds]
    )


def _minimise(loss: Callable[[], Tensor], weights: Sequence[Tensor]) -> float:
    """Change `weights` alone so that `loss` is small; returns what is left of it."""
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.Adam(weights, lr=SCALE_RATE)
    for _ in range(SCALE_STEPS):
        optimizer.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for weight in weights:
        weight.requires_grad_(False)
    return value.item()


def _texts(
    policy: SpeechLM,
    corpus: AnnotatedCorpus,
    clips: Sequence[MeasuredUtterance],
    features: Mapping[str, Tensor],
    settings: RewardSettings,
    *,
    versions: Sequence[GradedTrace] | None,
) -> list[ClipTexts]:
    """Texts about `text_clips` of `clips`, or all."""
    if settings.text_clips < len(clips):
        rows = np.random.default_rng(settings.seed).choice(len(clips), size=settings.text_clips, replace=False)
        clips = [clips[i] for i in sorted(rows)]
    answers = sample_answers(policy, clips, features, corpus, k=ANSWERS, seed=settings.seed)
    return texts_about(clips, corpus, answers, swapped=ANSWERS, seed=settings.seed, versions=versions)


def _criteria(text: Text) -> tuple[float, ...]:
    """Targets of the criteria of whole texts; none for answers and texts of other clips, whose faults nobody graded."""
    scores = text.graded.scores.as_tuple()[1:]
    return scores if text.source is Source.GRADED else (math.nan,) * len(scores)
