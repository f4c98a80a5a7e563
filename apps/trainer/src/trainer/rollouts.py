"""Groups of sampled answers, and what rules and measurements say of them before any model judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import torch
from torch import Tensor
from torch.nn.functional import pad

from policy import Rollout
from speech_claims import ClaimsError, faithfulness
from speech_records import AnswerFormatError, Emotion, LabelSet, MeasuredUtterance, parse_response


@dataclass(frozen=True, slots=True)
class RuleRewards:
    """What the rule-based rewards see of a rollout: both `bool[B, K]`."""

    format_ok: Tensor
    correct: Tensor


def rule_rewards(texts: Sequence[Sequence[str]], labels: Sequence[Emotion], label_set: LabelSet) -> RuleRewards:
    """Whether each of `texts[B][K]` has the think/answer form, and whether its answer is `labels[B]`.

    Both strictly (`parse_response` with `strict`, `LabelSet.parse`): a reward for what a lenient reading can make of an
    answer would teach the policy to write it.
    """
    format_ok = torch.zeros(len(texts), len(texts[0]), dtype=torch.bool)
    correct = torch.zeros_like(format_ok)
    for i, (group, label) in enumerate(zip(texts, labels, strict=True)):
        for j, text in enumerate(group):
            try:
                answer = parse_response(text, strict=True).answer
            except AnswerFormatError:
                continue
            format_ok[i, j] = True
            correct[i, j] = label_set.parse(answer) is label_set.map(label)
    return RuleRewards(format_ok, correct)


def label_of(text: str, label_set: LabelSet) -> Emotion | None:
    """The label that an answer in the form names, strictly; `None` where it names none."""
    try:
        return label_set.parse(parse_response(text, strict=True).answer)
    except AnswerFormatError:
        return None


def passes(lengths: Sequence[int], *, count: int | None, tokens: int | None) -> list[range]:
    """Which consecutive groups of `lengths` tokens take part in one pass: at most `count` of them, padded to the
    longest at most `tokens` together. A group is never split, so one that is longer is a pass of its own.

    Two of 30 are 60 and a third of 50 would make it 150; with the last of 20 it is 100:

    >>> passes([30, 30, 50, 20], count=None, tokens=100)
    [range(0, 2), range(2, 4)]
    """
    made: list[range] = []
    for i, length in enumerate(lengths):
        now = made[-1] if made else range(0)
        longest = max((length, *lengths[now.start : now.stop]))
        fits = (count is None or len(now) < count) and (tokens is None or longest * (len(now) + 1) <= tokens)
        if made and fits:
            made[-1] = range(now.start, i + 1)
        else:
            made.append(range(i, i + 1))
    return made


def verified_reward(clip: MeasuredUtterance, text: str) -> float:
    """R_v: the faithfulness score in [0, 1] of an answer's reasoning about its clip, see `speech_claims.faithfulness`.

    0 for an answer without form, and for one too long to be scored.
    """
    try:
        think = parse_response(text, strict=True).think
        return faithfulness(think, clip.profile, clip.levels, clip.utterance.transcript).score
    except (AnswerFormatError, ClaimsError):
        return 0.0


@dataclass(frozen=True, slots=True)
class Groups:
    """B clips with K answers each, as `policy.Rollout` has them, and what the rules say of them."""

    batch: list[MeasuredUtterance]
    clips: list[Tensor]
    texts: list[tuple[str, ...]]
    tokens: Tensor
    mask: Tensor
    logprobs: Tensor
    ended: Tensor
    format_ok: Tensor
    correct: Tensor

    @classmethod
    def of(cls, batch: list[MeasuredUtterance], clips: list[Tensor], rollout: Rollout, rules: RuleRewards) -> Groups:
        """The groups of one rollout."""
        tensors = (rollout.tokens, rollout.mask, rollout.logprobs, rollout.ended.cpu())
        return cls(batch, clips, list(rollout.texts), *tensors, rules.format_ok, rules.correct)

    @classmethod
    def join(cls, parts: Sequence[Groups]) -> Groups:
        """The groups of several rollouts, padded alike."""
        width = max(part.tokens.shape[-1] for part in parts)

        def padded(name: str) -> Tensor:
            return torch.cat([pad(x, (0, width - x.shape[-1])) for x in (getattr(part, name) for part in parts)])

        return cls(
            [m for part in parts for m in part.batch],
            [clip for part in parts for clip in part.clips],
            [texts for part in parts for texts in part.texts],
            *(padded(name) for name in ("tokens", "mask", "logprobs")),
            *(torch.cat([getattr(part, name) for part in parts]) for name in ("ended", "format_ok", "correct")),
        )

    def select(self, groups: Tensor) -> Groups:
        """Only the groups that bool [B] marks, padded no further than they need."""
        marks = groups.tolist()
        lists = (list(compress(x, marks)) for x in (self.batch, self.clips, self.texts))
        mask = self.mask[groups.to(self.mask.device)]
        width = int(mask.sum(-1).max()) if any(marks) else 0
        padded = (x[groups.to(x.device), :, :width] for x in (self.tokens, self.mask, self.logprobs))
        rules = (x[groups] for x in (self.ended, self.format_ok, self.correct))
        return Groups(*lists, *padded, *rules)  # type: ignore[arg-type]
