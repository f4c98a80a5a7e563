"""The reward model: a speech LLM that reads clip, question and reasoning, and linear heads on what it then knows.

- *Claims*: the hidden state at the last token of every claim gives the log-odds that the clip supports it; added to it
  is what the language model itself says, the log-likelihood of the claimed value where the text first says it.
- *Offered*: the hidden state at the end of the prompt gives, for each cue, the log-odds that the clip offers it.
- *Criteria*: the hidden state at the last token of a text gives, for each of the other three criteria, the log-odds
  that its score lies above 1, 2, 3 and 4, one direction with four thresholds (an ordinal regression); added to it are
  the likelihood of the text, of its least likely sentence and of its conclusion, and the number of its cues.

The factual score is 1 + 4 times the faithfulness that is expected of these probabilities (`rewardmodel.factual`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from rewardmodel.errors import CheckpointError, ScoreShapeError, TraceError, TraceTooLongError
from rewardmodel.factual import OFFERED, expected_faithfulness
from rewardmodel.reading import Reading, read
from speech_claims.faithfulness import named_cue
from speech_records import Cue, RewardScores
from speechlm import (
    BatchError,
    PackedGroup,
    Provenance,
    SpeechLM,
    SpeechLMError,
    load_checkpoint,
    save_checkpoint,
)

ARCHITECTURE = "speechlm+claims/2"
CARD, HEAD = "reward.json", "reward_head.safetensors"
SCORE_MIN, SCORE_SPAN = 1.0, 4.0
OTHERS = RewardScores.CRITERIA[1:]
"""The criteria that a text is scored on as a whole."""
LIKELIHOOD, PRIOR = 0.5, 1.25
"""What an untrained model makes log-odds of log-likelihoods by: 0.5 x + 1.25, about what logistic regression finds for
the demo's SFT policy on 50 clips of its training voices (0.54 and 1.27)."""
EVIDENCE = 4
"""Numbers about a whole text, see `_evidence`."""
BATCH_SIZE = 32
"""Texts that `judge` runs at once (our choice: four groups of eight answers)."""


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """Log-odds for M claims in N texts about R clips.

    - `claims` float[M]: that a claim is supported, text by text, in the order of `Reading.claims`
    - `criteria` float[N, 3, 4]: that the score of each of `OTHERS` lies above 1, 2, 3 and 4
    - `offered` float[R, len(OFFERED)]: that the clip offers a cue
    """

    claims: Tensor
    criteria: Tensor
    offered: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What heads are applied to, for M claims in N texts about R clips.

    Hidden states of `claims` [M, D], `texts` [N, D] and `clips` [R, D], log-likelihoods of `values` [M], and `evidence`
    [N, 4] about whole texts.
    """

    claims: Tensor
    values: Tensor
    texts: Tensor
    evidence: Tensor
    clips: Tensor

    @classmethod
    def join(cls, parts: Sequence[States]) -> States:
        """The states of several batches."""
        return cls(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Scores of N texts.

    - `scores` float[N, 4] in [1, 5]; 1 everywhere for a text without form or reasoning, NaN for one too long
    - `uncertainty` float[N, 4]: standard deviations, as far as the model knows itself
    - `readings`: what was read, `None` where nothing could be; `probabilities`: that each claim is supported
    - `problems`: why a text could not be judged, by its number
    """

    scores: Tensor
    uncertainty: Tensor
    readings: tuple[Reading | None, ...]
    probabilities: tuple[tuple[float, ...], ...]
    problems: Mapping[int, str]


def ordinal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of ordinal `logits` float [N, C, 4] against `targets` float [N, C] in [1, 5], NaN where
    a text has no target; a scalar, 0 without any.

    A target between two scores is shared out: 3.5 lies above 1 and 2, and half above 3.

    >>> float(ordinal_loss(torch.zeros(1, 1, 4), torch.tensor([[3.5]])))
    0.6931471824645996

    Raises:
        ScoreShapeError: the shapes do not fit, or a target is outside [1, 5].
    """
    if logits.shape != (*targets.shape, int(SCORE_SPAN)):
        raise ScoreShapeError(f"logits have shape {tuple(logits.shape)}, targets {tuple(targets.shape)}")
    known = ~targets.isnan()
    if not bool(((targets >= SCORE_MIN) & (targets <= SCORE_MIN + SCORE_SPAN))[known].all()):
        raise ScoreShapeError("targets must lie in [1, 5]")
    levels = torch.arange(SCORE_MIN, SCORE_MIN + SCORE_SPAN, device=targets.device)
    above = (targets[known][:, None] - levels).clamp(0.0, 1.0)
    loss = nn.functional.binary_cross_entropy_with_logits(logits[known].float(), above.float(), reduction="sum")
    return loss / max(1, above.numel())


class RewardModel(nn.Module):
    """A speech LLM with linear heads, see the module.

    The heads start at zero: an untrained model orders claims by the likelihood that its backbone gives them, which
    needs a backbone that was trained to describe speech, and gives 3 to the rest.
    """

    claim_temperature: Tensor
    """What the log-odds of claims are divided by, so that probabilities mean what they say."""

    def __init__(self, backbone: SpeechLM) -> None:
        super().__init__()
        self.backbone = backbone
        width, device = backbone.head.in_features, backbone.device
        self.heads = nn.ModuleDict(
            {
                "claims": nn.Linear(width, 1, device=device),
                "offered": nn.Linear(width, len(OFFERED), device=device),
                "criteria": nn.Linear(width, len(OTHERS), bias=False, device=device),
                "evidence": nn.Linear(EVIDENCE, len(OTHERS), bias=False, device=device),
            }
        )
        for parameter in self.heads.parameters():
            nn.init.zeros_(parameter)
        self.thresholds = nn.Parameter(torch.zeros(len(OTHERS), int(SCORE_SPAN), device=device))
        nn.init.constant_(self.heads["claims"].bias, PRIOR)  # type: ignore[arg-type]
        self.likelihood = nn.Parameter(torch.full((), LIKELIHOOD, device=device))
        self.register_buffer("claim_temperature", torch.ones((), device=device))

    def pack(self, features: list[Tensor], questions: list[str], readings: Sequence[Sequence[Reading]]) -> PackedGroup:
        """The texts of each clip behind one copy of its prompt."""
        end = self.backbone.end_id
        return self.backbone.pack(features, questions, [[[*r.ids, end] for r in group] for group in readings])

    def forward(self, packed: PackedGroup, readings: Sequence[Reading]) -> Logits:
        """Logits of the packed texts `readings`."""
        return self.apply_heads(self.states(packed, readings))

    def states(self, packed: PackedGroup, readings: Sequence[Reading]) -> States:
        """What the backbone makes of the packed texts `readings`."""
        hidden: Tensor = self.backbone(packed)
        places = _Places.of(packed)
        said = self._logprobs(hidden, packed)
        text = [i for i, reading in enumerate(readings) for _ in reading.claims]
        ends = places.at(text, [end for reading in readings for end in reading.ends])
        spans = [(i, *span) for i, reading in enumerate(readings) for span in reading.values]
        return States(
            claims=hidden[ends],
            values=_sums(said, places, spans),
            texts=hidden[places.last],
            evidence=_evidence(said, places, readings),
            clips=hidden[places.prompt],
        )

    def apply_heads(self, states: States) -> Logits:
        """The logits that follow from `states`."""
        weight = self.thresholds.dtype
        criteria = self.heads["criteria"](states.texts.to(weight))
        criteria = criteria + self.heads["evidence"](states.evidence.to(weight))
        claims = self.heads["claims"](states.claims.to(weight))[:, 0] + self.likelihood * states.values
        return Logits(
            claims=claims.float(),
            criteria=(criteria[:, :, None] - self.thresholds).float(),
            offered=self.heads["offered"](states.clips.to(weight)).float(),
        )

    def _logprobs(self, hidden: Tensor, packed: PackedGroup) -> Tensor:
        """The log-probability of every token of the texts, float[R, T], 0 elsewhere."""
        mask = packed.batch.completion_mask
        row, _ = mask.nonzero(as_tuple=True)
        logits = self.backbone.head(hidden[row, packed.before[mask]]).float()
        chosen = logits.gather(-1, packed.batch.input_ids[mask][:, None])[:, 0] - logits.logsumexp(-1)
        said: Tensor = chosen.new_zeros(mask.shape).masked_scatter(mask, chosen)
        return said

    @torch.no_grad()
    def judge(
        self,
        features: list[Tensor],
        questions: list[str],
        texts: list[str],
        *,
        audio_index: list[int] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Judgement:
        """Scores of N texts and what they rest on, without gradient and in evaluation mode.

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
        made = _Made(len(texts))
        for i, text in enumerate(texts):
            try:
                made.readings[i] = read(self.backbone.tokenizer, text)
            except TraceTooLongError as error:
                made.refuse(i, str(error), score=math.nan)
            except TraceError as error:
                made.refuse(i, str(error), score=SCORE_MIN)
        rows = [i for i, reading in enumerate(made.readings) if reading is not None]
        was_training = self.training
        self.eval()
        try:
            for start in range(0, len(rows), batch_size):
                self._judge_rows(features, questions, audio_index, rows[start : start + batch_size], made)
        finally:
            self.train(was_training)
        return made.judgement()

    def score(
        self,
        features: list[Tensor],
        questions: list[str],
        texts: list[str],
        *,
        audio_index: list[int] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Tensor:
        """The scores of `judge` alone, float32 [N, 4]."""
        return self.judge(features, questions, texts, audio_index=audio_index, batch_size=batch_size).scores

    def _judge_rows(
        self, features: list[Tensor], questions: list[str], audio_index: list[int], rows: list[int], made: _Made
    ) -> None:
        groups: dict[tuple[int, str], list[int]] = {}
        for i in rows:
            groups.setdefault((audio_index[i], questions[i]), []).append(i)
        order = [i for members in groups.values() for i in members]
        try:
            packed = self.pack(
                [features[clip] for clip, _ in groups],
                [question for _, question in groups],
                [[made.readings[i] for i in members] for members in groups.values()],
            )
        except BatchError as error:
            if len(rows) == 1:
                made.refuse(rows[0], str(error), score=math.nan)
            else:  # one of them is too long: find out which
                for i in rows:
                    self._judge_rows(features, questions, audio_index, [i], made)
            return
        logits = self(packed, [made.readings[i] for i in order])
        probabilities = (logits.claims / self.claim_temperature).sigmoid().tolist()
        offered = logits.offered.sigmoid().tolist()
        above = logits.criteria.sigmoid()
        scores, deviations = SCORE_MIN + above.sum(-1), _deviation(above)
        of_group = [g for g, members in enumerate(groups.values()) for _ in members]
        for i, group, score, deviation in zip(order, of_group, scores.tolist(), deviations.tolist(), strict=True):
            count = len(made.readings[i].claims)
            own, probabilities = probabilities[:count], probabilities[count:]
            made.add(i, own, dict(zip(OFFERED, offered[group], strict=True)), score, deviation)

    def save(self, directory: Path) -> None:
        """Write backbone (config, weights, tokenizer), head and card into `directory`; safetensors and JSON only."""
        card = {"architecture": ARCHITECTURE, "criteria": RewardScores.CRITERIA}
        files = {
            HEAD: save({k: v.contiguous() for k, v in self._own_state().items()}),
            CARD: (json.dumps(card, indent=2) + "\n").encode(),
        }
        told = f"A reward model: it scores {', '.join(RewardScores.CRITERIA)} of reasoning about speech."
        save_checkpoint(self.backbone, directory, provenance=Provenance(description=told, stage="reward"), files=files)

    def scales(self) -> list[nn.Parameter]:
        """All parameters but the backbone's and the heads on hidden states of claims and texts."""
        hidden = ("backbone.", "heads.claims.weight", "heads.criteria.weight")
        return [p for name, p in self.named_parameters() if not name.startswith(hidden)]

    def _own_state(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.state_dict().items() if not name.startswith("backbone.")}

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
            _load_own(model, load_file(directory / HEAD, device=str(device)))
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


def _sums(said: Tensor, places: _Places, spans: Sequence[tuple[int, int, int]]) -> Tensor:
    """The log-likelihoods of spans (text, from, up to) of tokens, float[spans]."""
    at = places.at(
        [text for text, start, end in spans for _ in range(start, end)],
        [token for _, start, end in spans for token in range(start, end)],
    )
    of = [n for n, (_, start, end) in enumerate(spans) for _ in range(start, end)]
    return said.new_zeros(len(spans)).index_add(0, torch.tensor(of, dtype=torch.long, device=said.device), said[at])


def _evidence(said: Tensor, places: _Places, readings: Sequence[Reading]) -> Tensor:
    """What can be told of each text without training, float[N, EVIDENCE], each about 1 in size: how likely its tokens
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


def _load_own(model: RewardModel, state: Mapping[str, Tensor]) -> None:
    own = {name for name in model.state_dict() if not name.startswith("backbone.")}
    if set(state) != own:
        raise RuntimeError(f"it holds {', '.join(sorted(state)) or 'nothing'}, expected {', '.join(sorted(own))}")
    model.load_state_dict(state, strict=False)


def _deviation(above: Tensor) -> Tensor:
    """The standard deviation of scores of which `above[..., 4]` are the probabilities to lie above 1, 2, 3 and 4."""
    ordered = above.sort(dim=-1, descending=True).values
    edges = torch.cat([torch.ones_like(ordered[..., :1]), ordered, torch.zeros_like(ordered[..., :1])], dim=-1)
    share, values = edges[..., :-1] - edges[..., 1:], torch.arange(5.0, device=above.device)
    mean = (share * values).sum(-1, keepdim=True)
    return (share * (values - mean) ** 2).sum(-1).sqrt()


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where in packed groups things are: `first` and `last` token of every text, the end of every prompt, each as a
    pair of rows and columns.
    """

    first: tuple[Tensor, Tensor]
    last: tuple[Tensor, Tensor]
    prompt: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, packed: PackedGroup) -> _Places:
        """The tokens of an answer come row by row and left to right."""
        row, column = packed.batch.completion_mask.nonzero(as_tuple=True)
        of = packed.answer[row, column]
        number = torch.arange(len(of), device=of.device)
        empty = of.new_zeros(packed.answers)
        first, last = (empty.scatter_reduce(0, of, number, r, include_self=False) for r in ("amin", "amax"))
        clips = torch.arange(len(packed.answer), device=of.device)
        prompt_end = torch.zeros_like(clips)
        prompt_end[row[first]] = packed.before[row[first], column[first]]  # the same for all texts of a row
        return cls((row[first], column[first]), (row[last], column[last]), (clips, prompt_end))

    def at(self, texts: list[int], tokens: list[int]) -> tuple[Tensor, Tensor]:
        """The places of tokens that are counted from the start of their texts."""
        rows, columns = self.first
        text = torch.tensor(texts, dtype=torch.long, device=rows.device)
        return rows[text], columns[text] + torch.tensor(tokens, dtype=torch.long, device=rows.device)


class _Made:
    """What `judge` has found so far."""

    def __init__(self, count: int) -> None:
        self.readings: list[Any] = [None] * count
        self.scores = torch.full((count, len(RewardScores.CRITERIA)), math.nan)
        self.uncertainty = torch.full_like(self.scores, math.nan)
        self.probabilities: list[tuple[float, ...]] = [()] * count
        self.problems: dict[int, str] = {}

    def refuse(self, i: int, problem: str, *, score: float) -> None:
        self.scores[i], self.uncertainty[i], self.problems[i] = score, math.nan, problem

    def add(
        self, i: int, probabilities: list[float], offered: Mapping[Cue, float], others: list[float], sd: list[float]
    ) -> None:
        reading = self.readings[i]
        mean, deviation = expected_faithfulness(reading.claims, reading.obscured, probabilities, offered)
        self.probabilities[i] = tuple(probabilities)
        self.scores[i] = torch.tensor([SCORE_MIN + SCORE_SPAN * mean, *others])
        self.uncertainty[i] = torch.tensor([SCORE_SPAN * deviation, *sd])

    def judgement(self) -> Judgement:
        return Judgement(
            self.scores, self.uncertainty, tuple(self.readings), tuple(self.probabilities), dict(self.problems)
        )
