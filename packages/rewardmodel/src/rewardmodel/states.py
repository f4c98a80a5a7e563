"""What a speech LLM makes of texts about clips, as far as the heads of the reward model look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate

import torch
from torch import Tensor

from rewardmodel.hearing import pooled_audio
from rewardmodel.reading import Reading
from speech_claims.faithfulness import named_cue
from speechlm import PackedGroup, SpeechLM

TOKENS_AT_ONCE = 256
"""Tokens whose probabilities over the whole vocabulary are held at once: 50 MB of 49 152 words."""


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What heads are applied to, for M claims in N texts about R clips.

    - `sound` float[R, D]: the pooled states of a clip's audio tokens, see `hearing.pooled_audio`
    - `clip` int64[N]: the clip that a text is about
    - `values` float[M]: the log-likelihoods of the values of claims
    - `evidence` float[N, 4]: what the likelihoods tell of whole texts, see `_evidence`
    - `labels` float[N, emotions]: how likely each emotion is to be named where the text names its own
    """

    sound: Tensor
    clip: Tensor
    values: Tensor
    evidence: Tensor
    labels: Tensor

    @classmethod
    def of(cls, backbone: SpeechLM, packed: PackedGroup, readings: Sequence[Reading]) -> States:
        """What `backbone` makes of the packed texts `readings`."""
        embedded = backbone.embed(packed.batch)
        hidden: Tensor = backbone(packed, embedded)
        places = _Places.of(packed)
        said = _logprobs(backbone, hidden, packed)
        spans = [(i, *span) for i, reading in enumerate(readings) for span in reading.values]
        return cls(
            sound=pooled_audio(hidden, embedded, packed.batch, backbone.audio_id),
            clip=places.rows,
            values=_sums(said, places, spans),
            evidence=_evidence(said, places, readings),
            labels=_labels(backbone, hidden, packed, places, readings),
        )

    @classmethod
    def join(cls, parts: Sequence[States]) -> States:
        """The states of several batches."""
        joined = {f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)}
        before = accumulate((len(part.sound) for part in parts), initial=0)
        clip = torch.cat([part.clip + start for part, start in zip(parts, before, strict=False)])
        return cls(**(joined | {"clip": clip}))


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Rows and columns of packed groups in which texts begin."""

    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, packed: PackedGroup) -> _Places:
        """The tokens of an answer come row by row and left to right."""
        row, column = packed.batch.completion_mask.nonzero(as_tuple=True)
        of = packed.answer[row, column]
        number = torch.arange(len(of), device=of.device)
        first = of.new_zeros(packed.answers).scatter_reduce(0, of, number, "amin", include_self=False)
        return cls(row[first], column[first])

    def at(self, texts: list[int], tokens: list[int]) -> tuple[Tensor, Tensor]:
        """The places of tokens that are counted from the start of their texts."""
        device = self.rows.device
        text = torch.tensor(texts, dtype=torch.long, device=device)
        return self.rows[text], self.columns[text] + torch.tensor(tokens, dtype=torch.long, device=device)


def _logprobs(backbone: SpeechLM, hidden: Tensor, packed: PackedGroup) -> Tensor:
    """The log-probability of every token of the texts, float[R, T], 0 elsewhere."""
    mask = packed.batch.completion_mask
    row, _ = mask.nonzero(as_tuple=True)
    parts = zip(
        torch.split(hidden[row, packed.before[mask]], TOKENS_AT_ONCE),
        torch.split(packed.batch.input_ids[mask], TOKENS_AT_ONCE),
        strict=True,
    )
    chosen = []
    for states, tokens in parts:
        logits = backbone.head(states).float()
        chosen.append(logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1))
    said: Tensor = torch.zeros(mask.shape, device=mask.device).masked_scatter(mask, torch.cat(chosen))
    return said


def _labels(
    backbone: SpeechLM, hidden: Tensor, packed: PackedGroup, places: _Places, readings: Sequence[Reading]
) -> Tensor:
    """The probabilities of the first tokens of emotions at each text's label; emotions with the same one share it."""
    at = places.at(list(range(len(readings))), [reading.label for reading in readings])
    tokens = torch.tensor([reading.labels for reading in readings], device=hidden.device)
    logits = backbone.head(hidden[at[0], packed.before[at]]).float().gather(-1, tokens)
    sharing = (tokens[:, :, None] == tokens[:, None]).sum(-1)
    chances: Tensor = (logits - sharing.log()).softmax(-1)
    return chances


def _sums(said: Tensor, places: _Places, spans: Sequence[tuple[int, int, int]]) -> Tensor:
    """The log-likelihoods of spans (text, from, up to) of tokens, float[spans]."""
    at = places.at(
        [text for text, start, end in spans for _ in range(start, end)],
        [token for _, start, end in spans for token in range(start, end)],
    )
    of = [n for n, (_, start, end) in enumerate(spans) for _ in range(start, end)]
    return said.new_zeros(len(spans)).index_add(0, torch.tensor(of, dtype=torch.long, device=said.device), said[at])


def _evidence(said: Tensor, places: _Places, readings: Sequence[Reading]) -> Tensor:
    """What can be told of each text without training, float[N, 4], each about 1 in size: how likely its tokens
    are on average, in its least likely sentence, and in its conclusion, and how many cues it speaks of.
    """
    spans = [(i, *span) for i, reading in enumerate(readings) for span in reading.sentences]
    sums = _sums(said, places, spans)
    lengths = sums.new_tensor([end - start for _, start, end in spans])
    text = torch.tensor([i for i, _, _ in spans], dtype=torch.long, device=said.device)
    zero = sums.new_zeros(len(readings))
    mean = zero.index_add(0, text, sums) / zero.index_add(0, text, lengths)
    lowest = zero.scatter_reduce(0, text, sums / lengths, "amin", include_self=False)
    last = torch.tensor([len(r.sentences) for r in readings], device=said.device).cumsum(0) - 1
    cues = zero.new_tensor([len({named_cue(claim.cue) for claim in r.claims}) for r in readings])
    return torch.stack([mean, lowest, sums[last] / 8.0, cues / 4.0], dim=-1)
