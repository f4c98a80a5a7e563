"""What a clip sounds like to the reward model: a small network on the states that the backbone has of its audio tokens.

It is trained on what was measured of clips, no text, and says three things of a clip: which claims about it hold, for
every value of every cue; which cues it offers; and which emotion it expresses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from rewardmodel.factual import OFFERED
from speech_claims import judge
from speech_claims.faithfulness import offered_cues
from speech_claims.finding import Finding
from speech_claims.senses import SENSES
from speech_records import Cue, Emotion, MeasuredUtterance, Verdict
from speechlm import SpeechBatch, SpeechLM

VALUES: tuple[tuple[Cue, str], ...] = tuple(sorted({sense for words in SENSES.values() for sense in words.values()}))
"""The claims (cue, value) that can be told from the sound alone: all but stressed words, numbers and quotes."""
EMOTIONS = tuple(Emotion)
PARTS, FRAME_PARTS = 4, 8
"""Stretches of a clip of which states, and log-mel frames, are averaged by themselves: a rise is told from a fall."""
HIDDEN = 128
DROPPED = 0.3
"""Share of the hidden units that are dropped in training (our choice)."""
OFFERED_WEIGHT, EMOTION_WEIGHT = 0.3, 0.1
"""What the losses on offered cues and on the emotion count beside that on claims, which are harder to learn: with 1
and 0.3 the latter is 4 % higher on voices that were not trained on.
"""
UNKNOWN = -100
"""The class index that `cross_entropy` leaves out."""
_OUTCOMES = MappingProxyType({Verdict.SUPPORTED: 1.0, Verdict.CONTRADICTED: 0.0, Verdict.UNVERIFIABLE: math.nan})


@dataclass(frozen=True, slots=True, eq=False)
class ClipLogits:
    """Of R clips: log-odds `values` float[R, len(VALUES)] that a claim holds and `offered` float[R, len(OFFERED)] that
    the clip offers a cue, logits `emotions` float[R, len(EMOTIONS)].
    """

    values: Tensor
    offered: Tensor
    emotions: Tensor


@dataclass(frozen=True, slots=True)
class ClipTargets:
    """What is known of R clips: `values` 1 where the claim is supported, 0 where it is contradicted, NaN where the
    measurement cannot tell; `offered` 1 or 0; `emotions` int64[R], `UNKNOWN` where there is no label.
    """

    values: Tensor
    offered: Tensor
    emotions: Tensor

    @classmethod
    def of(cls, clips: Iterable[MeasuredUtterance]) -> ClipTargets:
        """The verdicts of `speech_claims` on every one of `VALUES`, the offered cues and the label of each clip."""
        rows = list(clips)
        emotions = [UNKNOWN if m.utterance.emotion is None else EMOTIONS.index(m.utterance.emotion) for m in rows]
        offered = [offered_cues(m.profile, m.levels) for m in rows]
        return cls(
            torch.tensor([_verdicts(m) for m in rows]),
            torch.tensor([[float(cue in found) for cue in OFFERED] for found in offered]),
            torch.tensor(emotions),
        )

    def counts(self) -> tuple[int, int, int]:
        """How many there are of each kind, unknown ones left out."""
        known = (~self.values.isnan()).sum(), (self.emotions != UNKNOWN).sum()
        return int(known[0]), self.offered.numel(), int(known[1])

    def __getitem__(self, rows: Sequence[int]) -> ClipTargets:
        return ClipTargets(*(getattr(self, f.name)[rows] for f in fields(self)))

    def to(self, device: torch.device) -> ClipTargets:
        """The same targets on another device."""
        return ClipTargets(*(getattr(self, f.name).to(device) for f in fields(self)))


class ClipHead(nn.Module):
    """Two layers on the pooled states of a clip's audio tokens; the last begins at zero and then says nothing."""

    mean: Tensor
    spread: Tensor

    def __init__(self, size: int, *, device: torch.device | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size, device=device))
        self.register_buffer("spread", torch.ones(size, device=device))
        last = nn.Linear(HIDDEN, len(VALUES) + len(OFFERED) + len(EMOTIONS), device=device)
        self.layers = nn.Sequential(nn.Linear(size, HIDDEN, device=device), nn.GELU(), nn.Dropout(DROPPED), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def standardise(self, states: Tensor) -> None:
        """Take mean and spread of the inputs from the states `[R, D]` of the training clips."""
        self.mean.copy_(states.mean(0))
        self.spread.copy_(states.std(0, correction=0).clamp_min(1e-6))

    def forward(self, states: Tensor) -> ClipLogits:
        """The logits of clips with these states `[R, D]`."""
        made = self.layers((states - self.mean) / self.spread)
        return ClipLogits(*made.split([len(VALUES), len(OFFERED), len(EMOTIONS)], dim=-1))


def clip_loss(logits: ClipLogits, targets: ClipTargets) -> dict[str, Tensor]:
    """What is minimised: cross-entropy of the claims that the measurement decides, of offered cues, of the emotion."""
    known = ~targets.values.isnan()
    claims = binary_cross_entropy_with_logits(logits.values[known], targets.values[known], reduction="sum")
    emotion = cross_entropy(logits.emotions, targets.emotions, ignore_index=UNKNOWN, reduction="sum")
    decided, _, labelled = targets.counts()
    return {
        "claims": claims / max(1, decided),
        "offered": OFFERED_WEIGHT * binary_cross_entropy_with_logits(logits.offered, targets.offered),
        "emotion": EMOTION_WEIGHT * emotion / max(1, labelled),
    }


def sound_size(backbone: SpeechLM) -> int:
    """How many numbers `pooled_audio` gives about a clip."""
    return 2 * (PARTS + 1) * backbone.head.in_features + 2 * FRAME_PARTS * backbone.features.num_mel_bins + 1


def pooled_audio(hidden: Tensor, embedded: Tensor, batch: SpeechBatch, audio_id: int) -> Tensor:
    """What `ClipHead` is given, float32 `[R, sound_size]`: of each row's audio tokens, as the text tower leaves them
    (`hidden[R, T, D]`) and as it is given them (`embedded[R, T, D]`), the means of `PARTS` stretches and the standard
    deviation; of the log-mel frames of its clip both for each of `FRAME_PARTS`; the logarithm of their number.
    """
    is_audio = (batch.input_ids == audio_id) & ~batch.completion_mask
    pooled = []
    for row, chosen in enumerate(is_audio):
        frames = batch.features[row, :, : int(batch.feature_lengths[row])].T
        tokens = [x[row, chosen].float() for x in (hidden, embedded)]
        states = [x for of in tokens for x in (*(part.mean(0) for part in _parts(of, PARTS)), of.std(0, correction=0))]
        of_frames = [
            x for part in _parts(frames.float(), FRAME_PARTS) for x in (part.mean(0), part.std(0, correction=0))
        ]
        pooled.append(torch.cat([*states, *of_frames, batch.feature_lengths[row].float().log()[None]]))
    return torch.stack(pooled)


@torch.no_grad()
def hear(backbone: SpeechLM, features: list[Tensor]) -> Tensor:
    """The pooled audio states of log-mel clips; whatever is asked about a clip stands behind it and changes nothing."""
    batch = backbone.collate(features, [""] * len(features))
    embedded = backbone.embed(batch)
    return pooled_audio(backbone(batch, embedded), embedded, batch, backbone.audio_id)


def _parts(x: Tensor, count: int) -> list[Tensor]:
    """`count` stretches of the rows of `x`, each of one at least."""
    n = len(x)
    return [x[n * i // count : max(n * (i + 1) // count, n * i // count + 1)] for i in range(count)]


def _verdicts(m: MeasuredUtterance) -> list[float]:
    """The outcome of every one of `VALUES`, which are judged as if a text said them."""
    findings = [Finding(i, i + 1, cue, value) for i, (cue, value) in enumerate(VALUES)]
    text = " " * len(VALUES)
    return [_OUTCOMES[c.verdict] for c in judge(text, findings, m.profile, m.levels, m.utterance.transcript)]
