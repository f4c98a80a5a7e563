"""A judge by rule, which compares a text with the measurements of its clip and with the clip's label."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import torch

from rewardmodel.errors import TraceError, TraceTooLongError
from rewardmodel.faults import mislabel_penalty
from rewardmodel.heads import SCORE_MIN, SCORE_SPAN
from rewardmodel.judging import Clip, Judgement, JudgementBuilder, clip_numbers, measured_of
from rewardmodel.parsing import sentences
from rewardmodel.reading import ParsedText, parse_text
from speech_claims.faithfulness import faithfulness, named_cue, offered_cues
from speech_records import LabelSet, MeasuredUtterance, Verdict

_BEGINNING = re.compile(r"[\W\d_]*(?:[A-Z]|\d)")
_END = re.compile(r"[.!?…][\"”’')\]]*$")
_CERTAINTY = {Verdict.SUPPORTED: 1.0, Verdict.CONTRADICTED: 0.0, Verdict.UNVERIFIABLE: 0.5}


class RuleJudge:
    """Scores without a model; a `Judge` that looks at the measurements.

    - factual: 1 + 4 times the faithfulness score of `speech_claims`
    - interpretation: 5 less what the answer costs beside the clip's label, NaN where it has none
    - completeness: 1 + 4 times the share of the cues on offer that are spoken of, NaN where the clip offers none
    - fluency: 5 less 4 times the share of sentences that are not whole (no capital, no full stop, words said twice in
      a row) or were said before
    """

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set

    def judge(
        self,
        clips: Sequence[Clip],
        questions: Sequence[str],
        texts: Sequence[str],
        *,
        audio_index: Sequence[int] | None = None,
    ) -> Judgement:
        """See `Judge`; looks at the measurements of `clips`."""
        made = JudgementBuilder(len(texts))
        for i, number in enumerate(clip_numbers(clips, questions, texts, audio_index)):
            measured = measured_of(number, clips[number])
            try:
                parsed = parse_text(texts[i], measured)
            except TraceTooLongError as error:
                made.refuse(i, str(error))
            except TraceError as error:
                made.refuse(i, str(error), score=SCORE_MIN)
            else:
                made.claims[i] = parsed.claims
                made.probabilities[i] = tuple(_CERTAINTY[claim.verdict] for claim in parsed.claims)
                made.scores[i] = torch.tensor(self._scores(parsed, measured))
                made.uncertainty[i] = 0.0
        return made.made()

    def _scores(self, parsed: ParsedText, measured: MeasuredUtterance) -> tuple[float, float, float, float]:
        profile, levels, label = measured.profile, measured.levels, measured.utterance.emotion
        think, offered = parsed.reasoning.text, offered_cues(profile, levels)
        spoken = {named_cue(claim.cue) for claim in parsed.claims} & set(offered)
        answer = self._label_set.parse(parsed.answer)
        right = None if label is None else self._label_set.map(label)
        if right is None:
            interpretation = math.nan
        else:
            cost = SCORE_SPAN if answer is None else mislabel_penalty(right, answer, label_set=self._label_set)
            interpretation = SCORE_MIN + SCORE_SPAN - cost
        return (
            SCORE_MIN + SCORE_SPAN * faithfulness(think, profile, levels, measured.utterance.transcript).score,
            interpretation,
            SCORE_MIN + SCORE_SPAN * len(spoken) / len(offered) if offered else math.nan,
            SCORE_MIN + SCORE_SPAN * _whole_share(think),
        )


def _whole_share(think: str) -> float:
    """The share of sentences that are whole and new.

    >>> _whole_share("The pitch is high. The pitch is high. is The loud voice. The the the voice.")
    0.25
    """
    said = sentences(think)
    return sum(_is_whole(s) and s not in said[:i] for i, s in enumerate(said)) / max(1, len(said))


def _is_whole(sentence: str) -> bool:
    words = sentence.lower().split()
    return bool(_BEGINNING.match(sentence) and _END.search(sentence)) and all(a != b for a, b in pairwise(words))
