"""The reward model: a speech LLM that reads clip, question and reasoning, and four heads on what it then knows.

The hidden state of the completion's last token has seen everything before it; a linear layer turns it into four
logits z, and 1 + 4 σ(z) into scores between 1 and 5.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from rewardmodel.errors import CheckpointError, ScoreShapeError
from speech_records import RewardScores
from speechlm import (
    PackedGroup,
    Provenance,
    SpeechBatch,
    SpeechLM,
    SpeechLMError,
    load_checkpoint,
    save_checkpoint,
)

ARCHITECTURE = "speechlm+linear/1"
CARD, HEAD = "reward.json", "reward_head.safetensors"
SCORE_MIN, SCORE_SPAN = 1.0, 4.0
BATCH_SIZE = 32
"""Rows that `score` runs at once (our choice: four groups of eight answers)."""


def score_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy between σ(z) and the target scores brought to [0, 1]; a scalar.

    Against a squared error on scores its gradient σ(z) - target does not vanish where σ saturates, which is where the
    many perfect scores lie.

    Args:
        logits: z, float [N, 4].
        targets: scores in [1, 5], float [N, 4].

    Raises:
        ScoreShapeError: the shapes differ, or a target is outside [1, 5].

    A logit of 0 is the score 3, that is 0.5; against a target of 5, that is 1, it costs -log 0.5:

    >>> score_loss(torch.zeros(1, 4), torch.full((1, 4), 5.0))
    tensor(0.6931)
    """
    if logits.shape != targets.shape:
        raise ScoreShapeError(f"logits have shape {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    scaled = (targets - SCORE_MIN) / SCORE_SPAN
    if not bool(((scaled >= 0.0) & (scaled <= 1.0)).all()):
        raise ScoreShapeError("targets must lie in [1, 5]")
    return nn.functional.binary_cross_entropy_with_logits(logits.float(), scaled.float())


class RewardModel(nn.Module):
    """A speech LLM with one linear layer that scores reasoning on the four criteria of `RewardScores.CRITERIA`.

    The layer starts at zero: an untrained model gives 3 to everything.
    """

    def __init__(self, backbone: SpeechLM) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.head.in_features, len(RewardScores.CRITERIA), device=backbone.device)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def logits(self, batch: SpeechBatch | PackedGroup) -> Tensor:
        """Logits z of every completion, float32 [N, 4]: of each row of a batch, or of the answers in packed groups."""
        hidden: Tensor = self.backbone(batch)
        if isinstance(batch, PackedGroup):
            mask, answer, count = batch.batch.completion_mask, batch.answer, batch.answers
        else:
            mask, count = batch.completion_mask, len(batch.completion_mask)
            answer = torch.arange(count, device=mask.device)[:, None].expand_as(mask)
        row, column = mask.nonzero(as_tuple=True)
        of = answer[row, column]
        # The last token of each answer; tokens come row by row and left to right.
        last = of.new_full((count,), -1).scatter_reduce(0, of, torch.arange(len(of), device=of.device), "amax")
        if bool((last < 0).any()):
            raise ScoreShapeError("a row of the batch has no completion to score")
        final = hidden[row[last], column[last]]
        z: Tensor = self.head(final.to(self.head.weight.dtype))
        return z.float()

    def forward(self, batch: SpeechBatch | PackedGroup) -> Tensor:
        """Scores between 1 and 5 of every completion, float32 [N, 4]."""
        return SCORE_MIN + SCORE_SPAN * self.logits(batch).sigmoid()

    @torch.no_grad()
    def score(
        self,
        features: list[Tensor],
        questions: list[str],
        texts: list[str],
        *,
        audio_index: list[int] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Tensor:
        """Scores in [1, 5] of N texts, float32 [N, 4], without gradient and in evaluation mode.

        Args:
            features: log-mel clips, each float [n_mels, frames].
            questions: what was asked, one for each text.
            texts: reasoning with its answer, in the form in which the policy writes it.
            audio_index: which clip each text is about; by default text i is about clip i.
            batch_size: texts to run at once; within them a clip is encoded, and its question read, once for all texts.

        Raises:
            ScoreShapeError: questions, texts and clips do not match one to one.
        """
        audio_index = list(range(len(features))) if audio_index is None else audio_index
        if not len(questions) == len(texts) == len(audio_index):
            raise ScoreShapeError(
                f"{len(texts)} texts need as many questions and clips, got {len(questions)} and {len(audio_index)}"
            )
        was_training = self.training
        self.eval()
        try:
            scores = [
                self._score_rows(
                    features, questions, texts, audio_index, range(start, min(start + batch_size, len(texts)))
                )
                for start in range(0, len(texts), batch_size)
            ]
        finally:
            self.train(was_training)
        return torch.cat(scores) if scores else torch.empty(0, len(RewardScores.CRITERIA))

    def _score_rows(
        self, features: list[Tensor], questions: list[str], texts: list[str], audio_index: list[int], rows: range
    ) -> Tensor:
        groups: dict[tuple[int, str], list[int]] = {}
        for i in rows:
            groups.setdefault((audio_index[i], questions[i]), []).append(i)
        packed = self.backbone.pack(
            [features[clip] for clip, _ in groups],
            [question for _, question in groups],
            [[texts[i] for i in members] for members in groups.values()],
        )
        order = [i for members in groups.values() for i in members]
        scores: Tensor = self(packed)
        return scores[torch.tensor(order, device=scores.device).argsort()]

    def save(self, directory: Path) -> None:
        """Write backbone (config, weights, tokenizer), head and card into `directory`; safetensors and JSON only."""
        card = {"architecture": ARCHITECTURE, "criteria": RewardScores.CRITERIA}
        files = {
            HEAD: save({k: v.contiguous() for k, v in self.head.state_dict().items()}),
            CARD: (json.dumps(card, indent=2) + "\n").encode(),
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
        expected = {"architecture": ARCHITECTURE, "criteria": list(RewardScores.CRITERIA)}
        for name, value in expected.items():
            if card.get(name) != value:
                raise CheckpointError(f"{directory / CARD}: {name} is {card.get(name)!r}, expected {value!r}")
        try:
            model = cls(load_checkpoint(directory, device=device))
            model.head.load_state_dict(load_file(directory / HEAD, device=str(device)))
        except SpeechLMError as error:
            raise CheckpointError(str(error)) from error
        except (OSError, SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{directory / HEAD}: is not a valid head of this reward model: {error}") from error
        return model


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
