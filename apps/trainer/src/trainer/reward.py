"""Training the reward model: graded traces on top of the SFT backbone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cotgen import Style, generate
from cotgen.rules.plain_wording import GENERATOR as PLAIN
from rewardmodel import CriterionQuality, GradedTrace, RewardModel, ScoredTrace, build, quality, score_loss
from speech_records import (
    LabelSet,
    MeasuredUtterance,
    ReasoningTrace,
    RewardScores,
    emotion_question,
    format_answer,
    write_jsonl,
)
from speechlm import SpeechBatch, SpeechLM
from trainer.checkpoint import data_identity
from trainer.dataset import TEST, TRAIN, AnnotatedCorpus
from trainer.features import as_float
from trainer.fit import fit
from trainer.modules import Batches, StageModule
from trainer.resume import remove_state
from trainer.settings import RewardSettings

QUALITY, SCORED = "quality.json", "scored.jsonl"


@dataclass(frozen=True, slots=True)
class GradedBatch:
    """Texts about clips and the scores they deserve, `float32[N, 4]`."""

    speech: SpeechBatch
    targets: Tensor

    def to(self, device: torch.device) -> GradedBatch:
        """The same batch on another device."""
        return GradedBatch(self.speech.to(device), self.targets.to(device))


class RewardModule(StageModule):
    """Regression of the four scores."""

    def __init__(self, model: RewardModel, settings: RewardSettings) -> None:
        super().__init__(settings, steps=settings.steps)
        self.model = model

    def training_step(self, batch: GradedBatch, batch_idx: int) -> Tensor:
        """Binary cross-entropy between the scaled scores and their targets."""
        loss = score_loss(self.model.logits(batch.speech), batch.targets)
        self.record(batch_idx + 1, loss=float(loss.detach()))
        return loss


def graded_text(trace: GradedTrace, label_set: LabelSet) -> str:
    """A graded trace in the form in which the policy writes."""
    return format_answer(trace.think, label_set.text(trace.answer))


def train_reward_model(
    backbone: SpeechLM,
    corpus: AnnotatedCorpus,
    features: Mapping[str, Tensor],
    settings: RewardSettings,
    *,
    out: Path,
) -> Mapping[str, CriterionQuality]:
    """Train four heads (and the backbone, in place) and save them in `out`; returns quality on unseen speakers."""
    torch.manual_seed(settings.seed)
    model = RewardModel(backbone)
    question = emotion_question(corpus.label_set)
    graded = _graded(corpus, TRAIN, settings.seed)

    def to_batch(chosen: Sequence[GradedTrace]) -> GradedBatch:
        clips = as_float(features[t.utterance_id] for t in chosen)
        texts = [graded_text(t, corpus.label_set) for t in chosen]
        speech = backbone.collate(clips, [question] * len(chosen), texts)
        return GradedBatch(speech, torch.tensor([t.scores.as_tuple() for t in chosen]))

    rng = np.random.default_rng(settings.seed)
    # shuffled before it is cut to the steps, so that a short training sees traces of all speakers
    order = np.resize(rng.permutation(len(graded)), settings.steps * settings.batch_size)
    batches = [[graded[i] for i in rows] for rows in order.reshape(settings.steps, settings.batch_size)]
    module, plan = RewardModule(model, settings), Batches(batches, to_batch)
    fit(module, plan, settings, what="reward model", out=out, run_name="reward", data=data_identity(corpus))
    model.save(out)
    remove_state(out)
    scored = score_unseen(model, corpus, features, clips=settings.test_clips, seed=settings.seed)
    write_jsonl(out / SCORED, scored)
    measured = quality([s.predicted.as_tuple() for s in scored], [s.graded.scores.as_tuple() for s in scored])
    (out / QUALITY).write_text(json.dumps({name: asdict(q) for name, q in measured.items()}, indent=2) + "\n")
    return measured


def score_unseen(
    model: RewardModel, corpus: AnnotatedCorpus, features: Mapping[str, Tensor], *, clips: int, seed: int
) -> list[ScoredTrace]:
    """Graded traces of unseen speakers beside the scores that the model gives them."""
    graded = _graded(corpus, TEST, seed, clips=clips)
    names = sorted({t.utterance_id for t in graded})
    texts = [graded_text(t, corpus.label_set) for t in graded]
    scores = model.score(
        as_float(features[name] for name in names),
        [emotion_question(corpus.label_set)] * len(graded),
        texts,
        audio_index=[names.index(t.utterance_id) for t in graded],
    )
    return [ScoredTrace(t, RewardScores(*row)) for t, row in zip(graded, scores.tolist(), strict=True)]


def _graded(corpus: AnnotatedCorpus, split: str, seed: int, *, clips: int | None = None) -> tuple[GradedTrace, ...]:
    measured = corpus.split(split)
    if clips is not None and clips < len(measured):
        chosen = np.random.default_rng(seed).choice(len(measured), size=clips, replace=False)
        measured = [measured[i] for i in sorted(chosen)]
    chosen_ids = {m.utterance.utterance_id for m in measured}
    traces = {trace.utterance_id: trace for trace in corpus.traces(split) if trace.utterance_id in chosen_ids}

    def write(clip: MeasuredUtterance) -> ReasoningTrace:
        trace = traces[clip.utterance.utterance_id]
        style = Style.PLAIN if trace.generator == PLAIN else Style.VARIED
        return generate(clip, label_set=corpus.label_set, seed=trace.seed or 0, style=style)

    reasoned = [m for m in measured if m.utterance.utterance_id in traces]
    return build(reasoned, traces, write=write, label_set=corpus.label_set, seed=seed).graded
