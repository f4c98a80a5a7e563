"""What the reward model makes of the states of its backbone: probabilities of claims, and scores of whole texts.

- *Claims*: a value that can be heard (`hearing.VALUES`) is judged by the sound of the clip alone. Every other claim,
  and every claim while the clip head is untrained, by the log-likelihood that the language model gives its value.
- *Criteria*: eight numbers about a text, each about 1 in size, give the log-odds that a score lies above 1, 2, 3 and 4,
  one direction with four thresholds (an ordinal regression).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rewardmodel.errors import ScoreShapeError
from rewardmodel.factual import OFFERED
from rewardmodel.hearing import EMOTIONS, VALUES, ClipHead, ClipLogits
from rewardmodel.reading import Reading
from rewardmodel.states import States
from speech_claims.faithfulness import named_cue
from speech_claims.verification import NOT
from speech_records import Claim, Cue, Degree, Emotion, RewardScores
from speech_records.emotion_cues import affect_distance

SCORE_MIN, SCORE_SPAN = 1.0, 4.0
OTHERS = RewardScores.CRITERIA[1:]
"""The criteria that a text is scored on as a whole."""
LIKELIHOOD, PRIOR = 0.5, 1.25
"""What log-odds are made of log-likelihoods by: 0.5 x + 1.25, about what logistic regression finds for the demo's SFT
policy on 50 clips of its training voices (0.54 and 1.27)."""
EVIDENCE = 8
"""Numbers about a whole text, see `Heads.evidence`."""
NEVER = -20.0
"""Log-odds of what no clip supports: an impossible degree."""
_OUTPUTS = {value: i for i, value in enumerate(VALUES)}


def _mislabel_costs() -> Tensor:
    """What an answer costs, float[right, answer]: 0 for the right emotion, 1 to 4 for another by their distance."""
    distances = torch.tensor([[affect_distance(a, b) for b in EMOTIONS] for a in EMOTIONS])
    return (1.0 + 3.0 * distances / distances.max()) * (1.0 - torch.eye(len(EMOTIONS)))


MISLABEL_COSTS = _mislabel_costs()


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """Log-odds for M claims in N texts about R clips.

    - `claims` float[M]: that a claim is supported, text by text, in the order of `Reading.claims`
    - `criteria` float[N, 3, 4]: that the score of each of `OTHERS` lies above 1, 2, 3 and 4
    - `clips`: of the clips
    """

    claims: Tensor
    criteria: Tensor
    clips: ClipLogits


@dataclass(frozen=True, slots=True, eq=False)
class ClaimEvidence:
    """Of M claims: what the clip head says of each (`heard`, where it `is_heard`), the log-likelihood of its value
    (`said`), and whether its degree is impossible; all [M].
    """

    heard: Tensor
    said: Tensor
    is_heard: Tensor
    is_absurd: Tensor


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


class Heads(nn.Module):
    """All of a reward model but its backbone, for clips of `size` numbers; float32, whatever the backbone is in."""

    claim_temperature: Tensor
    """What the log-odds of claims are divided by, so that probabilities mean what they say."""
    listens: Tensor
    """Whether the clip head has been trained."""

    def __init__(self, size: int, *, device: torch.device | None = None) -> None:
        super().__init__()
        self.clip = ClipHead(size, device=device)
        self.heard = nn.Parameter(torch.tensor([1.0, 0.0], device=device))
        self.said = nn.Parameter(torch.tensor([LIKELIHOOD, PRIOR], device=device))
        self.criteria = nn.Linear(EVIDENCE, len(OTHERS), bias=False, device=device)
        nn.init.zeros_(self.criteria.weight)
        self.thresholds = nn.Parameter(torch.zeros(len(OTHERS), int(SCORE_SPAN), device=device))
        self.register_buffer("claim_temperature", torch.ones((), device=device))
        self.register_buffer("listens", torch.zeros((), dtype=torch.bool, device=device))

    def forward(self, states: States, readings: Sequence[Reading]) -> Logits:
        """The logits of the texts `readings` with these states."""
        clips = self.clip(states.sound)
        claims = self.claims(states, readings, clips)
        above = self.scores(self.evidence(states, readings, clips, claims / self.claim_temperature))
        return Logits(claims, above, clips)

    def claims(self, states: States, readings: Sequence[Reading], clips: ClipLogits) -> Tensor:
        """The log-odds of all claims, float[M]."""
        return self.claim_odds(self.claim_evidence(states, readings, clips))

    def claim_odds(self, evidence: ClaimEvidence) -> Tensor:
        """The log-odds of claims of which this is known, float[M]."""
        heard = self.heard[0] * evidence.heard + self.heard[1]
        said = self.said[0] * evidence.said + self.said[1]
        return torch.where(evidence.is_heard, heard, said).masked_fill(evidence.is_absurd, NEVER)

    def claim_evidence(self, states: States, readings: Sequence[Reading], clips: ClipLogits) -> ClaimEvidence:
        """What is known of all claims, which no weight of `heard` and `said` changes."""
        rows, columns, signs, absurd = list[int](), list[int](), list[float](), list[bool]()
        for row, reading in zip(states.clip.tolist(), readings, strict=True):
            for claim in reading.claims:
                column, direction = _output(claim)
                rows.append(row)
                columns.append(column)
                signs.append(direction)
                absurd.append(claim.degree is Degree.IMPOSSIBLE and not claim.value.startswith(NOT))
        device = states.values.device
        sign = torch.tensor(signs, dtype=torch.float32, device=device)
        index = torch.tensor([rows, columns], dtype=torch.long, device=device)
        return ClaimEvidence(
            heard=sign * clips.values[index[0], index[1]],
            said=states.values,
            is_heard=(sign != 0) & self.listens,
            is_absurd=torch.tensor(absurd, dtype=torch.bool, device=device),
        )

    def evidence(self, states: States, readings: Sequence[Reading], clips: ClipLogits, claims: Tensor) -> Tensor:
        """What can be told of each text, float[N, EVIDENCE]: the four numbers of `States.evidence`; what its answer
        costs in expectation, given the emotion that the clip expresses; the share of its cues that is wrong, in
        expectation; the share of the cues on offer that it speaks of; and what its answer costs in expectation, given
        the emotion that the language model would have concluded from what is said before.
        """
        chances = claims.sigmoid().tolist()
        emotions, offered = clips.emotions.softmax(-1), clips.offered.sigmoid().tolist()
        table = MISLABEL_COSTS.to(emotions.device)
        costs, expected = (emotions @ table).tolist(), (states.labels @ table).tolist()
        rows, start = [], 0
        for row, reading, concluded in zip(states.clip.tolist(), readings, expected, strict=True):
            own = chances[start : start + len(reading.claims)]
            start += len(reading.claims)
            worst: dict[Cue, float] = defaultdict(lambda: 1.0)
            for claim, p in zip(reading.claims, own, strict=True):
                worst[named_cue(claim.cue)] = min(worst[named_cue(claim.cue)], p)
            wrong = sum(1.0 - p for p in worst.values()) / max(1, len(worst))
            spoken = sum(p for cue, p in zip(OFFERED, offered[row], strict=True) if cue in worst)
            covered = spoken / max(1.0, sum(offered[row]))
            of_sound, of_text = (_cost(cost, reading.emotion) / 2.0 for cost in (costs[row], concluded))
            rows.append([of_sound, wrong, 2.0 * covered - 1.0, of_text])
        return torch.cat([states.evidence, states.evidence.new_tensor(rows).view(-1, EVIDENCE - 4)], dim=-1)

    def scores(self, evidence: Tensor) -> Tensor:
        """The log-odds that each of `OTHERS` lies above 1, 2, 3 and 4, of texts with this evidence, float[N, 3, 4]."""
        scores: Tensor = self.criteria(evidence)[:, :, None] - self.thresholds
        return scores


def _output(claim: Claim) -> tuple[int, float]:
    """Which output of the clip head tells a claim, and 1, or -1 for its denial; 0 where none does."""
    is_denied = claim.value.startswith(NOT)
    output = _OUTPUTS.get((claim.cue, claim.value.removeprefix(NOT)))
    return (0, 0.0) if output is None else (output, -1.0 if is_denied else 1.0)


def _cost(costs: Sequence[float], answer: Emotion | None) -> float:
    """What an answer costs; one that names no emotion costs as much as the worst."""
    return max(costs) if answer is None else costs[EMOTIONS.index(answer)]
