"""What a reward model is measured by, on judgements whose figures are counted by hand."""

from __future__ import annotations

import math
from random import Random

import pytest

from rewardmodel import Fault, GradedTrace
from speech_records import Cue, Emotion, MeasuredUtterance, ProsodyProfile, RewardScores, Utterance
from trainer.reward_data import ClipTexts, Source, Text
from trainer.reward_quality import (
    ClaimQuality,
    FactualQuality,
    JudgedText,
    claim_quality,
    factual_quality,
    severity_pairs,
    text_only,
)
from trainer.reward_report import Calibration, RewardReport, warnings


def text(source: Source = Source.OWN, *, fault: Fault = Fault.NONE, severity: int = 0, think: str = "Loud.") -> Text:
    scores = RewardScores(5.0, 5.0, 5.0, 5.0)
    return Text(think, GradedTrace("a1", think, Emotion.ANGRY, scores, fault, severity), source)


def judged(of: Text, *, clip: int = 0, target: float = 5.0, score: float = 5.0, **claims: object) -> JudgedText:
    defaults = {"cues": (), "probabilities": (), "outcomes": ()}
    return JudgedText(clip, of, (target, 5.0, 5.0, 5.0), (score, 5.0, 5.0, 5.0), **(defaults | claims))


def test_claims_are_counted_by_source_and_cue() -> None:
    """Own: pitch 0.9 true and 0.2 false, energy 0.4 true. One of two pairs of true and false is in order: 0.4 > 0.2
    too, so both. Probabilities lie 0.1, 0.2 and 0.6 from what happened, each alone in its interval: 0.3."""
    found = claim_quality(
        [
            judged(text(), cues=(Cue.PITCH, Cue.ENERGY), probabilities=(0.9, 0.4), outcomes=(1.0, 1.0)),
            judged(text(), cues=(Cue.PITCH,), probabilities=(0.2,), outcomes=(0.0,)),
            judged(text(Source.GRADED), cues=(Cue.PITCH,), probabilities=(0.5,), outcomes=(0.0,)),
        ]
    )
    assert set(found) == {"own"}
    own = found["own"]
    assert (own.count, own.supported, own.auroc) == (3, pytest.approx(2 / 3), 1.0)
    assert own.by_cue == {"energy": None, "pitch": 1.0}
    assert own.ece == pytest.approx(0.3)


def test_factual_order_is_of_texts_about_one_clip() -> None:
    """Clip 0: 2 < 4 in order; clip 1: reversed; a text that could not be judged does not count."""
    found = factual_quality(
        [
            judged(text(), target=4.0, score=3.0),
            judged(text(), target=2.0, score=1.0),
            judged(text(), clip=1, target=5.0, score=4.0),
            judged(text(), clip=1, target=1.0, score=5.0),
            judged(text(), clip=1, target=1.0, score=math.nan),
        ]
    )
    assert (found.texts, found.order) == (4, 0.5)


def test_pairs_by_severity_compare_with_the_whole_trace_of_the_clip() -> None:
    """Severity 1: one of two in order; severity 4: a tie, half; what costs the criterion under half a point is none."""
    wrong = Fault.WRONG_FACTS
    found = severity_pairs(
        [
            judged(text(Source.GRADED), score=4.0),
            judged(text(Source.GRADED, fault=wrong, severity=1), target=4.0, score=3.0),
            judged(text(Source.GRADED, fault=wrong, severity=1), target=4.0, score=4.5),
            judged(text(Source.GRADED, fault=wrong, severity=2), target=4.8, score=1.0),
            judged(text(Source.GRADED, fault=wrong, severity=4), target=1.0, score=4.0),
            judged(text(Source.GRADED, fault=wrong, severity=3), clip=1, target=1.0, score=1.0),
        ]
    )
    assert found == {"1": 0.5, "2": None, "3": None, "4": 0.5}


def test_a_model_that_does_not_listen_is_loudly_said_to() -> None:
    def report(shuffled: float, text_only: float | None) -> RewardReport:
        right, other = ({"own": ClaimQuality(10, 0.5, area, 0.1, {})} for area in (0.8, shuffled))
        factual = {"own": FactualQuality(1, 0.0, None, None, None)}
        return RewardReport(
            criteria={}, faults={}, severity={}, factual=factual, claims=right, claims_before=right, untrained=right,
            shuffled=other, silent=other, reliability={}, calibration=Calibration(1.0, 10), text_only=text_only,
            probes={"length": {"mean": 0.3 * shuffled}},
        )  # fmt: skip

    assert warnings(report(0.55, 0.5)) == []
    deaf = warnings(report(0.78, 0.7))
    assert len(deaf) == 3
    assert "DOES NOT LISTEN" in deaf[0]
    assert "another clip" in deaf[0]
    assert "AUROC of 0.70" in deaf[2]


def test_a_word_that_gives_faults_away_is_found() -> None:
    """*odd* is in every wrong text: an area of 1. Without both kinds there is nothing to tell."""
    kinds = {Fault.NONE: "The pitch is high.", Fault.WRONG_FACTS: "The pitch is odd."}
    texts = [text(Source.GRADED, fault=fault, think=think) for fault, think in kinds.items()] * 4
    assert text_only(texts, texts) == 1.0
    assert text_only(texts[:1], texts) is None


def test_texts_are_drawn_from_all_sources_in_turn() -> None:
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    clip = MeasuredUtterance(Utterance("a1", "made", "a.wav", "s1"), profile)
    texts = tuple(text(source, think=f"{source} {i}") for source in Source for i in range(3))
    drawn = ClipTexts(clip, texts).draw(4, Random(0))
    assert [t.source for t in drawn.texts] == [Source.OWN, Source.SWAPPED, Source.GRADED, Source.OWN]
    assert len(set(drawn.texts)) == 4
    assert ClipTexts(clip, texts[:2]).draw(4, Random(0)).texts != ()
