"""Training the reward model: verdicts on claims and graded faults, on top of the SFT policy that writes the answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from rewardmodel import OFFERED, Fault, Logits, Reading, RewardModel, States, ordinal_loss, read
from speech_claims.faithfulness import offered_cues
from speech_records import MeasuredUtterance, emotion_question
from speech_records.failures import FailureLog
from speechlm import PackedGroup, SpeechLM
from trainer.augment import random_eq_bands
from trainer.checkpoint import data_identity
from trainer.dataset import TEST, TRAIN, VALIDATION, AnnotatedCorpus
from trainer.distributed import place, sum_over_ranks
from trainer.fit import fit
from trainer.modules import Batches, MicroBatches, StageModule
from trainer.resume import remove_state
from trainer.reward_data import ClipTexts, Source, Text, sample_answers, texts_about
from trainer.reward_pictures import draw
from trainer.reward_quality import claim_quality
from trainer.reward_report import (
    VERDICTS,
    HeldOut,
    RewardReport,
    calibrate,
    listening,
    measure,
    with_people,
    write_report,
)
from trainer.settings import RewardSettings

OFFERED_WEIGHT = 0.3
"""What the loss on the cues that a clip offers counts beside the two others (our choice: it is learned first)."""
HEAD_FIT_STEPS, HEAD_FIT_RATE = 400, 0.02
"""Passes over all states at once: seconds, as nothing goes through the backbone."""
ANSWERS = 2
"""Answers of the policy to each clip, and texts of other clips."""
TRAINED_VERSIONS = 4
"""Versions of a clip's trace to train on: the whole one and three of the six faults."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What texts about clips deserve.

    - `verdicts` float[claims]: 1 supported, 0 contradicted, NaN where the measurement cannot tell
    - `criteria` float[N, 3]: the scores of the criteria of whole texts, NaN where nobody graded them
    - `offered` float[clips, len(OFFERED)]: 1 where the clip offers the cue
    """

    verdicts: Tensor
    criteria: Tensor
    offered: Tensor

    def to(self, device: torch.device) -> Targets:
        """The same targets on another device."""
        return Targets(*(getattr(self, f.name).to(device) for f in fields(self)))

    def counts(self) -> tuple[int, int, int]:
        """How many there are of each kind, unknown ones left out."""
        known = (~self.verdicts.isnan()).sum(), (~self.criteria.isnan()).sum()
        return int(known[0]), int(known[1]), self.offered.numel()

    @classmethod
    def join(cls, parts: Sequence[Targets]) -> Targets:
        """The targets of several batches."""
        return cls(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """Packed texts about clips, what is read in each, and what they deserve."""

    packed: PackedGroup
    readings: list[Reading]
    targets: Targets

    def to(self, device: torch.device) -> JudgedBatch:
        """The same batch on another device."""
        return JudgedBatch(self.packed.to(device), self.readings, self.targets.to(device))


class RewardModule(StageModule):
    """Cross-entropy of claims, of the three other criteria and of the cues that a clip offers."""

    def __init__(self, model: RewardModel, settings: RewardSettings) -> None:
        super().__init__(settings, steps=settings.steps)
        self.model = model

    def training_step(self, batch: MicroBatches[JudgedBatch], batch_idx: int) -> Tensor:
        """The sum of the three losses, each the mean over what the whole step, of all processes, has of its kind."""
        self.record(batch_idx + 1, loss=0.0, claims=0.0, criteria=0.0, offered=0.0)
        counted = zip(*(part.targets.counts() for part in batch.parts), strict=True)
        totals = [sum_over_ranks(float(sum(count))) / place()[1] for count in counted]
        return self.add_up([partial(self._loss, part, totals) for part in batch.parts])

    def sharded(self) -> Iterable[SpeechLM]:
        """The backbone; heads and scales are small."""
        return (self.model.backbone,)

    def _loss(self, part: JudgedBatch, totals: Sequence[float]) -> Tensor:
        """What a part of the step adds to its loss."""
        means = losses(self.model(part.packed, part.readings), part.targets)
        shares = (count / max(1.0, total) for count, total in zip(part.targets.counts(), totals, strict=True))
        found = {name: share * mean for share, (name, mean) in zip(shares, means.items(), strict=True)}
        loss = torch.stack(list(found.values())).sum()
        for name, value in {"loss": loss, **found}.items():
            self.history[-1][name] += value.item()
        return loss


def losses(logits: Logits, targets: Targets) -> dict[str, Tensor]:
    """What is minimised: cross-entropy of the claims that the measurement decides, of criteria and of offered cues."""
    known = ~targets.verdicts.isnan()
    claims = binary_cross_entropy_with_logits(logits.claims[known], targets.verdicts[known], reduction="sum")
    offered = binary_cross_entropy_with_logits(logits.offered, targets.offered)
    return {
        "claims": claims / max(1, int(known.sum())),
        "criteria": ordinal_loss(logits.criteria, targets.criteria),
        "offered": OFFERED_WEIGHT * offered,
    }


def fit_heads(model: RewardModel, batches: Iterable[JudgedBatch]) -> dict[str, float]:
    """Fit all that is not the backbone to `batches`, but for the heads on states of claims and texts, which would learn
    these few clips by heart; returns the losses that are left.

    Untuned scales pull the backbone from what it knows before they know anything themselves (Kumar et al. 2022,
    *Fine-tuning can distort pretrained features*, ICLR).
    """
    device = model.backbone.device
    with torch.no_grad():
        made = [(model.states(b.packed, b.readings), b.targets) for b in (batch.to(device) for batch in batches)]
    states, targets = States.join([s for s, _ in made]), Targets.join([t for _, t in made])
    optimizer = torch.optim.Adam(model.scales(), lr=HEAD_FIT_RATE)
    for _ in range(HEAD_FIT_STEPS):
        optimizer.zero_grad()
        parts = losses(model.apply_heads(states), targets)
        loss = torch.stack(list(parts.values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {name: part.item() for name, part in parts.items()}


def train_reward_model(
    backbone: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: RewardSettings,
    *,
    out: Path,
    ratings: Path | None = None,
) -> RewardReport:
    """Train heads (and the backbone, in place), calibrate them on the validation voices and save them in `out`; returns
    what was measured on the test voices, which is in `out` too. `ratings` are those of people, see `with_people`.
    """
    torch.manual_seed(settings.seed)
    sizes = {TRAIN: settings.train_clips, VALIDATION: settings.test_clips, TEST: settings.test_clips}
    if not corpus.has(VALIDATION):
        del sizes[VALIDATION]
    texts = {split: _texts(backbone, corpus, features, settings, split=split, count=n) for split, n in sizes.items()}
    if VALIDATION not in sizes:  # calibrated on clips of the training voices then, which are not trained on
        held_out = max(1, min(settings.test_clips, len(texts[TRAIN]) // 5))
        texts[VALIDATION], texts[TRAIN] = texts[TRAIN][:held_out], texts[TRAIN][held_out:]
    model = RewardModel(backbone)
    question = emotion_question(corpus.label_set)
    heard, choosing = (HeldOut(texts[split], features, question) for split in (TEST, VALIDATION))
    untrained = claim_quality(heard.judge(model, heard.clips, (Source.SWAPPED, Source.OWN)))
    equalizer = torch.Generator().manual_seed(settings.seed)
    module = RewardModule(model, settings)
    module.generators["equalizer"] = equalizer

    def to_batch(chosen: Sequence[ClipTexts]) -> JudgedBatch:
        clips = [random_eq_bands(features[a.name].float(), settings.filter_augment_db, equalizer) for a in chosen]
        return judged_batch(model, chosen, clips, question)

    plan, identity = _plan(texts[TRAIN], settings), data_identity(corpus)
    fit_heads(model, Batches(plan[: settings.head_steps], to_batch))
    start, heard_before = deepcopy(model.state_dict()), listening(model, choosing)
    equalizer.manual_seed(settings.seed)
    batches = Batches(plan, lambda chosen: MicroBatches.of(chosen, settings.micro_batch_size, to_batch))
    fit(module, batches, settings, what="reward model", out=out, run_name="reward", data=identity)
    heard_after = listening(model, choosing)
    if heard_after < heard_before:  # what the policy knew was worth more than what these steps taught
        model.load_state_dict(start)
    calibration = calibrate(model, choosing, before=heard_before, after=heard_after)
    model.save(out)
    remove_state(out)
    report, judged = measure(model, heard, calibration=calibration, untrained=untrained, trained_on=texts[TRAIN])
    if ratings is not None:
        with FailureLog("trainer", out / "ratings.errors.jsonl") as failed:
            report = with_people(report, model, ratings, features=features, question=question, failed=failed)
    write_report(report, judged, out)
    draw(report, out)
    return report


def _texts(
    policy: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: RewardSettings,
    *,
    split: str,
    count: int,
) -> list[ClipTexts]:
    clips = corpus.split(split)
    if count < len(clips):
        rows = np.random.default_rng(settings.seed).choice(len(clips), size=count, replace=False)
        clips = [clips[i] for i in sorted(rows)]
    is_training = split == TRAIN
    answers = sample_answers(policy, clips, features, corpus, k=ANSWERS, seed=settings.seed)
    return texts_about(
        clips,
        corpus,
        answers,
        split=split,
        swapped=ANSWERS,
        versions=TRAINED_VERSIONS if is_training else len(Fault),
        seed=settings.seed,
    )


def _plan(texts: Sequence[ClipTexts], settings: RewardSettings) -> list[list[ClipTexts]]:
    """The clips of every step, each with the texts to judge; every clip is drawn once before any is drawn again."""
    rng = Random(settings.seed)
    needed = settings.steps * settings.clips_per_step
    drawn: list[ClipTexts] = []
    while len(drawn) < needed:
        drawn += [about.draw(settings.texts_per_clip, rng) for about in rng.sample(texts, len(texts))]
    size = settings.clips_per_step
    return [drawn[n * size : (n + 1) * size] for n in range(settings.steps)]


def judged_batch(model: RewardModel, chosen: Sequence[ClipTexts], clips: list[Tensor], question: str) -> JudgedBatch:
    """The batch of all texts about `chosen`, whose features are `clips`."""
    tokenizer = model.backbone.tokenizer
    readings = [[read(tokenizer, text.text, about.measured) for text in about.texts] for about in chosen]
    flat = [reading for group in readings for reading in group]
    return JudgedBatch(
        packed=model.pack(clips, [question] * len(chosen), readings),
        readings=flat,
        targets=Targets(
            verdicts=torch.tensor([VERDICTS[claim.verdict] for reading in flat for claim in reading.claims]),
            criteria=torch.tensor([_criteria(text) for about in chosen for text in about.texts]),
            offered=torch.tensor([_offered(about.measured) for about in chosen]),
        ),
    )


def _criteria(text: Text) -> tuple[float, ...]:
    """Targets of the criteria of whole texts; none for answers and texts of other clips, whose faults nobody graded."""
    scores = text.graded.scores.as_tuple()[1:]
    return scores if text.source is Source.GRADED else (math.nan,) * len(scores)


def _offered(clip: MeasuredUtterance) -> list[float]:
    found = offered_cues(clip.profile, clip.levels)
    return [float(cue in found) for cue in OFFERED]
