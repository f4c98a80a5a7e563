"""Auxiliary heads that teach the audio side of a model what was measured and labelled, while training only.

An answer of a hundred tokens tells the audio encoder little about pitch. The heads read the audio tokens, as the
language model gets them, and predict the label, the level of every cue, and the measurements themselves; their loss
reaches the encoder directly and costs no run of the language model. Steps of text may keep them learning. They are not
part of the checkpoint.

One head more reads every audio token of a joined clip (`trainer.comparisons`) and predicts how its part compares with
the others: the one answer to a comparison teaches an encoder next to nothing (`docs/experiments.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cotgen.tasks import Attribute
from speech_claims.cue_values import cue_values
from speech_records import Cue, LabelSet, MeasuredUtterance
from speechlm import SpeechBatch, SpeechLM
from speechlm.features import audio_token_count, pad_features
from trainer.baselines import feature_values
from trainer.dataset import is_reasoned

LABEL = "label"
CUES = (Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.CONTOUR_SHAPE, Cue.CONTOUR_DYNAMICS, Cue.GENDER)
LEVELS = 3
UNKNOWN = -100
"""The class index that `cross_entropy` leaves out."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the heads learn of C clips.

    - `classes` int64[C, K]: the label and each cue's value, `UNKNOWN` where it was not measured
    - `numbers` float32[C, N]: measurements, standardised over the training clips, NaN where there is none
    """

    classes: Tensor
    numbers: Tensor


@dataclass(frozen=True, slots=True)
class HeadTargets:
    """What the heads learn of a batch: the targets of its `clips`, and the `levels` of all audio tokens,
    `int64[tokens, attributes]`, which are known of joined clips alone.
    """

    clips: Targets
    levels: Tensor


class TargetTable:
    """The targets of every training clip by its utterance id; of clips that a cold start is not shown with reasoning
    (`is_reasoned`), no label.
    """

    def __init__(
        self, clips: Sequence[MeasuredUtterance], label_set: LabelSet, *, reasoning_share: float = 1.0
    ) -> None:
        rows = [_class_names(m, label_set) for m in clips]
        for m, row in zip(clips, rows, strict=True):
            if not is_reasoned(m.utterance.utterance_id, reasoning_share):
                row.pop(LABEL, None)
        self.classes = {name: sorted({row[name] for row in rows if name in row}) for name in (LABEL, *CUES)}
        numbers = np.array([list(feature_values(m.profile).values()) for m in clips], dtype=np.float64)
        known = ~np.isnan(numbers).all(0)
        numbers = numbers[:, known]
        spread = np.nanstd(numbers, axis=0)
        numbers = (numbers - np.nanmean(numbers, axis=0)) / np.where(spread > 0, spread, 1.0)
        index = torch.tensor(
            [[v.index(row[n]) if n in row else UNKNOWN for n, v in self.classes.items()] for row in rows]
        )
        self._index = {m.utterance.utterance_id: i for i, m in enumerate(clips)}
        self._all = Targets(index, torch.tensor(numbers, dtype=torch.float32))
        self.numbers = numbers.shape[1]

    def of(self, utterance_ids: Sequence[str]) -> Targets:
        """The targets of these clips; of one that is not in the table, nothing is known."""
        rows = torch.tensor([self._index.get(name, -1) for name in utterance_ids])
        is_missing = (rows < 0)[:, None]
        classes = self._all.classes[rows].masked_fill(is_missing, UNKNOWN)
        return Targets(classes, self._all.numbers[rows].masked_fill(is_missing, float("nan")))


class PerceptionHeads(nn.Module):
    """One attention pool over a clip's audio tokens, and one linear layer, for every target."""

    def __init__(self, width: int, table: TargetTable) -> None:
        super().__init__()
        sizes = [max(1, len(values)) for values in table.classes.values()]
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.zeros(len(sizes) + table.numbers, width))
        self.classifiers = nn.ModuleList(nn.Linear(width, size) for size in sizes)
        self.regressors = nn.Parameter(torch.randn(table.numbers, width) * width**-0.5)
        self.offsets = nn.Parameter(torch.zeros(table.numbers))
        self.levels = nn.Linear(width, len(Attribute) * LEVELS)

    def forward(self, tokens: Tensor, counts: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Class logits and numbers of each clip, and each token's logits of its levels, `[tokens, attributes, levels]`;
        from the audio tokens `[sum of counts, D]` of all clips.
        """
        normed = self.norm(tokens.float())
        clips = nn.utils.rnn.pad_sequence(normed.split(counts.tolist()), batch_first=True)
        real = torch.arange(clips.shape[1], device=clips.device) < counts.to(clips.device)[:, None]
        scores = torch.einsum("cld,td->ctl", clips, self.queries) / clips.shape[-1] ** 0.5
        pooled = scores.masked_fill(~real[:, None], float("-inf")).softmax(-1) @ clips
        logits = [layer(pooled[:, i]) for i, layer in enumerate(self.classifiers)]
        numbers = (pooled[:, len(logits) :] * self.regressors).sum(-1) + self.offsets
        return logits, numbers, self.levels(normed).unflatten(-1, (len(Attribute), LEVELS))


def perception_loss(logits: Sequence[Tensor], numbers: Tensor, targets: Targets) -> Tensor:
    """Mean of the label's cross-entropy, the mean one of the cues, and the Huber loss of the numbers; what is unknown
    counts nothing.
    """
    classes = targets.classes.to(numbers.device)
    known = [i for i in range(len(logits)) if bool((classes[:, i] != UNKNOWN).any())]
    losses = {i: functional.cross_entropy(logits[i], classes[:, i], ignore_index=UNKNOWN) for i in known}
    parts = [losses.pop(0)] if 0 in losses else []
    if losses:
        parts.append(torch.stack(list(losses.values())).mean())
    wanted = targets.numbers.to(numbers.device)
    is_known = ~wanted.isnan()
    if bool(is_known.any()):
        parts.append(functional.smooth_l1_loss(numbers[is_known], wanted[is_known]))
    return torch.stack(parts).mean() if parts else numbers.sum() * 0.0


def level_loss(logits: Tensor, levels: Tensor) -> Tensor:
    """Mean cross-entropy of the levels of tokens, `int64[tokens, attributes]`; 0 where none is known."""
    if not bool((levels != UNKNOWN).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits.flatten(0, 1), levels.flatten().to(logits.device), ignore_index=UNKNOWN)


def heads_loss(heads: PerceptionHeads, tokens: Tensor, counts: Tensor, targets: HeadTargets) -> Tensor:
    """The loss of all heads on the audio tokens `[sum of counts, D]` of clips."""
    logits, numbers, levels = heads(tokens, counts)
    return perception_loss(logits, numbers, targets.clips) + level_loss(levels, targets.levels)


def encode(model: SpeechLM, clips: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The audio tokens of log-mel clips, one clip after the other, and how many each has."""
    padded, lengths = pad_features(clips)
    counts = torch.tensor([audio_token_count(frames) for frames in lengths.tolist()])
    return model.encode_audio(padded.to(model.device), lengths.to(model.device)), counts


def embedded_audio(model: SpeechLM, batch: SpeechBatch, embedded: Tensor) -> tuple[Tensor, Tensor]:
    """As `encode`, of a batch with a clip in every row that `embedded`, `model.embed` of it, holds already."""
    place = (batch.input_ids == model.audio_id) & ~batch.completion_mask
    return embedded[place], place.sum(-1).cpu()


def _class_names(m: MeasuredUtterance, label_set: LabelSet) -> dict[str, str]:
    """The label of a clip and the values of its cues, by name, as far as they are known."""
    label = None if m.utterance.emotion is None else label_set.map(m.utterance.emotion)
    values = cue_values(m.profile, m.levels)
    named = {str(cue): values[cue].value for cue in CUES if cue in values}
    return named if label is None else {LABEL: label.value, **named}
