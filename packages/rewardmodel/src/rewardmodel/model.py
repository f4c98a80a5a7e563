"""The reward model: a speech LLM that is given clip, question and reasoning, and small heads on what it then knows.

The factual score is 1 + 4 times the faithfulness that is expected of its claims' probabilities (`rewardmodel.factual`),
and 1 for a text that likely earns nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from rewardmodel.errors import CheckpointError, ScoreShapeError, TraceError, TraceTooLongError
from rewardmodel.factual import OFFERED, expected_faithfulness
from rewardmodel.heads import SCORE_MIN, SCORE_SPAN, Heads, Logits
from rewardmodel.hearing import VALUES, sound_size
from rewardmodel.judging import Clip, Judgement, JudgementBuilder, clip_numbers
from rewardmodel.reading import Reading, read
from rewardmodel.states import States
from speech_records import RewardScores
from speechlm import (
    BatchError,
    PackedGroup,
    Provenance,
    SpeechLM,
    SpeechLMError,
    load_checkpoint,
    save_checkpoint,
)

ARCHITECTURE = "speechlm+claims/4"
CARD, HEAD = "reward.json", "reward_head.safetensors"
MIN_CHANCE = 0.3
"""A text that earns any fact with a lower probability gets what it most likely deserves, a factual score of 1: the
threshold at which order and rank correlation agree best on the demo's validation voices."""
BATCH_SIZE = 32
"""Texts that `judge` runs at once (our choice: four groups of eight answers)."""


class RewardModel(nn.Module):
    """A speech LLM and `Heads`.

    Untrained it orders claims by the likelihood that its backbone gives them, which needs a backbone that was trained
    to describe speech, and gives 3 to the rest.
    """

    def __init__(self, backbone: SpeechLM) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = Heads(sound_size(backbone), device=backbone.device)

    def pack(self, features: list[Tensor], questions: list[str], readings: Sequence[Sequence[Reading]]) -> PackedGroup:
        """The texts of each clip behind one copy of its prompt."""
        end = self.backbone.end_id
        return self.backbone.pack(features, questions, [[[*r.ids, end] for r in group] for group in readings])

    def states(self, packed: PackedGroup, readings: Sequence[Reading]) -> States:
        """What the backbone makes of the packed texts `readings`."""
        return States.of(self.backbone, packed, readings)

    def forward(self, packed: PackedGroup, readings: Sequence[Reading]) -> Logits:
        """Logits of the packed texts `readings`."""
        made: Logits = self.heads(self.states(packed, readings), readings)
        return made

    @torch.no_grad()
    def judge(
        self,
        clips: Sequence[Clip],
        questions: Sequence[str],
        texts: Sequence[str],
        *,
        audio_index: Sequence[int] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Judgement:
        """See `Judge`; looks at the features of `clips`, without gradient and in evaluation mode.

        `batch_size` texts are run at once; within them a clip is encoded, and its question read, once for all texts.
        """
        numbers = clip_numbers(clips, questions, texts, audio_index)
        features = {i: _features(i, clips[i]) for i in sorted(set(numbers))}
        made = JudgementBuilder(len(texts))
        readings: dict[int, Reading] = {}
        for i, text in enumerate(texts):
            try:
                readings[i] = read(self.backbone.tokenizer, text)
            except TraceTooLongError as error:
                made.refuse(i, str(error))
            except TraceError as error:
                made.refuse(i, str(error), score=SCORE_MIN)
        groups: dict[tuple[int, str], list[int]] = {}
        for i in readings:
            groups.setdefault((numbers[i], questions[i]), []).append(i)
        keys = {i: key for key, members in groups.items() for i in members}
        rows = list(keys)
        was_training = self.training
        self.eval()
        try:
            for start in range(0, len(rows), batch_size):
                self._judge(rows[start : start + batch_size], keys, features, readings, made)
        finally:
            self.train(was_training)
        return made.made()

    def _judge(
        self,
        rows: list[int],
        keys: Mapping[int, tuple[int, str]],
        features: Mapping[int, Tensor],
        readings: Mapping[int, Reading],
        made: JudgementBuilder,
    ) -> None:
        """Judge texts, of which those with one key (clip and question) come together."""
        groups: dict[tuple[int, str], list[int]] = {}
        for i in rows:
            groups.setdefault(keys[i], []).append(i)
        try:
            packed = self.pack(
                [features[clip] for clip, _ in groups],
                [question for _, question in groups],
                [[readings[i] for i in members] for members in groups.values()],
            )
        except BatchError as error:
            if len(rows) == 1:
                made.refuse(rows[0], str(error))
            else:  # one of them is too long: find out which
                for i in rows:
                    self._judge([i], keys, features, readings, made)
            return
        logits = self(packed, [readings[i] for i in rows])
        chances = (logits.claims / self.heads.claim_temperature).sigmoid().tolist()
        offered = logits.clips.offered.sigmoid().tolist()
        above = logits.criteria.sigmoid()
        scores, deviations = (SCORE_MIN + above.sum(-1)).tolist(), _deviation(above).tolist()
        of_group = [g for g, members in enumerate(groups.values()) for _ in members]
        for n, (i, group) in enumerate(zip(rows, of_group, strict=True)):
            reading = readings[i]
            own, chances = chances[: len(reading.claims)], chances[len(reading.claims) :]
            on_offer = dict(zip(OFFERED, offered[group], strict=True))
            mean, deviation, chance = expected_faithfulness(reading.claims, reading.obscured, own, on_offer)
            factual = SCORE_MIN + (SCORE_SPAN * mean if chance > MIN_CHANCE else 0.0)
            made.claims[i], made.probabilities[i] = reading.claims, tuple(own)
            made.scores[i] = torch.tensor([factual, *scores[n]])
            made.uncertainty[i] = torch.tensor([SCORE_SPAN * deviation, *deviations[n]])

    def save(self, directory: Path) -> None:
        """Write backbone (config, weights, tokenizer), heads and card into `directory`; safetensors and JSON only."""
        files = {
            HEAD: save({k: v.contiguous() for k, v in self.heads.state_dict().items()}),
            CARD: (json.dumps(_card(), indent=2) + "\n").encode(),
        }
        told = f"A reward model: it scores {', '.join(RewardScores.CRITERIA)} of reasoning about speech."
        save_checkpoint(self.backbone, directory, provenance=Provenance(description=told, stage="reward"), files=files)

    @classmethod
    def load(cls, directory: Path, *, device: str | torch.device = "cpu") -> RewardModel:
        """Read what `save` wrote.

        Raises `CheckpointError` when a file is missing or unreadable, or belongs to another architecture.
        """
        directory = Path(directory)
        card = _read_card(directory)
        for name, value in _card().items():
            if card.get(name) != value:
                raise CheckpointError(f"{directory / CARD}: {name} is {card.get(name)!r}, expected {value!r}")
        try:
            model = cls(load_checkpoint(directory, device=device))
            model.heads.load_state_dict(load_file(directory / HEAD, device=str(device)))
        except SpeechLMError as error:
            raise CheckpointError(str(error)) from error
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{directory / HEAD}: is not a valid head of this reward model: {error}") from error
        return model


def _card() -> dict[str, object]:
    """What a checkpoint must agree with: the architecture, and what its outputs stand for, in order."""
    values = [f"{cue.value} {value}" for cue, value in VALUES]
    return {"architecture": ARCHITECTURE, "criteria": list(RewardScores.CRITERIA), "values": values}


def _read_card(directory: Path) -> dict[str, object]:
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{directory}: no {CARD}; it holds no reward model") from error
    except ValueError as error:
        raise CheckpointError(f"{directory / CARD}: is not valid JSON: {error}") from error
    if not isinstance(card, dict):
        raise CheckpointError(f"{directory / CARD}: must be a JSON object")
    return card


def _features(i: int, clip: Clip) -> Tensor:
    if clip.features is None:
        raise ScoreShapeError(f"clip {i} has no features, which this model listens to")
    return clip.features


def _deviation(above: Tensor) -> Tensor:
    """The standard deviation of scores of which `above[..., 4]` are the probabilities to lie above 1, 2, 3 and 4."""
    ordered = above.sort(dim=-1, descending=True).values
    edges = torch.cat([torch.ones_like(ordered[..., :1]), ordered, torch.zeros_like(ordered[..., :1])], dim=-1)
    share, values = edges[..., :-1] - edges[..., 1:], torch.arange(5.0, device=above.device)
    mean = (share * values).sum(-1, keepdim=True)
    return (share * (values - mean) ** 2).sum(-1).sqrt()
