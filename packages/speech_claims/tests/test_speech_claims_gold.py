"""Sentences labelled by hand against the verifier, and the counterfactual measurements made for their claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speech_claims.counterfactuals import counterfactuals
from speech_claims.gold import GoldClaim, GoldSentence, agree, read_gold
from speech_claims.verification import verify
from speech_records import Cue, MeasuredUtterance, RecordFileError, Verdict, read_jsonl

DATA = Path(__file__).parent / "data"
TUNED = ("claims.jsonl", *sorted(path.name for path in DATA.glob("claims_tuned*.jsonl")))
KEPT_OUT = ("claims_kept_out.jsonl",)
CLIPS = {m.utterance.utterance_id: m for m in read_jsonl(DATA / "claims_clips.jsonl", MeasuredUtterance)}
VALUES = {
    Cue.PITCH: "low normal high",
    Cue.PITCH_RANGE: "low normal high",
    Cue.ENERGY: "low normal high",
    Cue.RATE: "low normal high",
    Cue.CONTOUR_SHAPE: "rising falling rising-falling falling-rising level",
    Cue.CONTOUR_DYNAMICS: "flat moderate expressive",
    Cue.PAUSES: "none present few many short long",
    Cue.VOICING: "whispered voiced",
    Cue.VOICE_QUALITY: "breathy creaky rough clear",
    Cue.GENDER: "female male",
}


def sentences(*names: str) -> list[GoldSentence]:
    read = [read_gold(DATA / name) for name in names]
    assert not [failure for _, failures in read for failure in failures]
    return [sentence for listed, _ in read for sentence in listed]


@pytest.mark.parametrize(
    ("names", "f1", "detected"), [(TUNED, 0.95, 0.97), (KEPT_OUT, 0.85, 0.9), ((*TUNED, *KEPT_OUT), 0.9, 0.97)]
)
def test_claims_are_found_and_judged(names: tuple[str, ...], f1: float, detected: float) -> None:
    """The bars of the benchmark: F1 0.95 and 0.85; 97 % of flips detected, at most 2 % false alarms.

    The sentences of `claims_kept_out.jsonl` were written and labelled by others after `docs/claims.md` and were not
    looked at while the lexicon was written.
    """
    agreement = agree(sentences(*names), CLIPS)
    assert agreement.f1 is not None
    assert agreement.detected_share is not None
    assert agreement.false_alarm_share is not None
    assert agreement.f1 >= f1
    assert agreement.detected_share >= detected
    assert agreement.false_alarm_share <= 0.02
    if names == KEPT_OUT:
        assert agreement.judged == 0
    else:
        assert agreement.verdict_accuracy is not None
        assert agreement.verdict_accuracy >= 0.97


FIRST_SCORES = (0.901, 0.943, 0.894, 0.902, 0.831, 0.859, 0.876, 0.910, 0.889, 0.940, 0.913, 0.962, 0.940, 0.961)


@pytest.mark.parametrize(
    ("name", "f1"),
    [(f"claims_unseen_{n}.jsonl", f1) for n, f1 in enumerate(FIRST_SCORES, 1)],
)
def test_unseen_authors_are_read_no_worse_than_at_first(name: str, f1: float) -> None:
    """Their first scores (docs/claims.md), to a thousandth; of the twelfth 0.962, six changes after its first 0.963."""
    agreement = agree(sentences(name), CLIPS)
    assert agreement.f1 is not None
    assert agreement.f1 >= f1 - 0.001


def test_three_hundred_sentences_half_of_them_kept_out() -> None:
    """No sentence is in both halves or twice in one."""
    tuned, kept_out = [s.text for s in sentences(*TUNED)], [s.text for s in sentences(*KEPT_OUT)]
    assert len({*tuned, *kept_out}) == len(tuned) + len(kept_out) >= 300
    assert len(kept_out) >= 150


@pytest.mark.parametrize(("cue", "value"), [(c, v) for c, listed in VALUES.items() for v in listed.split()])
@pytest.mark.parametrize("negation", ["", "not "])
def test_a_claim_is_true_by_one_measurement_and_false_by_the_other(cue: Cue, value: str, negation: str) -> None:
    """A plain sentence for every value, worded as `docs/claims.md` words it."""
    texts = {
        Cue.PITCH_RANGE: {"low": "narrow", "high": "wide"},
        Cue.RATE: {"low": "slow", "high": "fast"},
        Cue.VOICE_QUALITY: {"rough": "hoarse"},
    }
    word = texts.get(cue, {}).get(value, value)
    subject = {
        Cue.PITCH_RANGE: "The pitch range",
        Cue.CONTOUR_SHAPE: "The contour",
        Cue.CONTOUR_DYNAMICS: "The melody",
        Cue.VOICE_QUALITY: "The voice",
        Cue.VOICING: "The speech",
        Cue.GENDER: "The speaker",
    }.get(cue, f"The {cue.value}")
    made = counterfactuals(cue, f"{negation}{value}", None)
    if cue is Cue.VOICE_QUALITY and negation and value != "clear":
        assert made is None  # too little harmony may be roughness, creak or breath
        return
    assert made is not None
    if cue is Cue.PAUSES and value in ("none", "present"):
        text = "There are pauses." if (value == "present") is not bool(negation) else "There are no pauses."
    else:
        text = f"{subject} {'are' if cue is Cue.PAUSES else 'is'} {negation}{word}."
    for measured, verdict in ((made.true, Verdict.SUPPORTED), (made.flipped, Verdict.CONTRADICTED)):
        (claim,) = verify(text, measured.profile, measured.levels, measured.transcript)
        assert (claim.cue, claim.verdict) == (cue, verdict), text


def test_what_cannot_be_measured_has_no_counterfactuals() -> None:
    """Tension and trembling have no measurement in a profile."""
    assert counterfactuals(Cue.VOICE_QUALITY, "tense", None) is None
    assert counterfactuals(Cue.VOICE_QUALITY, "trembling", None) is None


def test_agreement_counts_by_hand() -> None:
    """Of two labelled claims one is found, and one too many: precision, recall and F1 are all 1/2.

    The energy claim is detected when flipped and not false_alarms; the unfound claim on age is neither.
    """
    claims = (GoldClaim(Cue.ENERGY, "high"), GoldClaim(Cue.AGE, "elderly"))
    found = agree([GoldSentence("s", "The voice is loud and the pitch high.", claims)])
    assert (found.labelled, found.found, found.matched) == (2, 2, 1)
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)
    assert (found.detected_share, found.false_alarm_share) == (0.5, 0.0)
    assert found.missed == (("s", "age", "elderly"),)
    assert found.extra == (("s", "pitch", "high"),)


def test_found_claims_that_contradict_their_own_text_are_counted() -> None:
    """By hand: *high* beside *not high* contradicts, *low* beside it does not; one of two silent texts fires."""
    listed = [
        GoldSentence(
            "a",
            "The voice is loud. The tempo is slow.",
            (GoldClaim(Cue.ENERGY, "not high"), GoldClaim(Cue.RATE, "not high")),
        ),
        GoldSentence("b", "The voice is loud.", ()),
        GoldSentence("c", "It rained.", ()),
    ]
    agreement = agree(listed)
    assert (agreement.found, agreement.contradicting) == (3, 1)
    assert (agreement.silent, agreement.fired, agreement.fire_rate) == (2, 1, 0.5)


def test_other_spellings_are_read(tmp_path: Path) -> None:
    """The table of `docs/claims.md`; a bad line is named and the others are kept."""
    rows: list[Any] = [
        {"text": "a", "claims": [{"cue": "loudness", "value": "loud"}, {"cue": "tempo", "value": "not fast"}]},
        {"text": "b", "claims": [{"cue": "intonation", "value": "monotone"}, {"cue": "range", "value": "wide"}]},
        {"text": "c", "claims": [{"cue": "intonation", "value": "rising"}, {"cue": "pitch", "value": "average"}]},
        {"text": "d", "claims": [{"cue": "smell", "value": "high"}]},
        {"claims": []},
    ]
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n{broken\n")
    listed, failures = read_gold(path)
    assert [[c.key for c in s.claims] for s in listed] == [
        [("energy", "high"), ("rate", "not high")],
        [("contour_dynamics", "flat"), ("pitch_range", "high")],
        [("contour_shape", "rising"), ("pitch", "normal")],
    ]
    assert [f.id for f in failures] == ["gold.jsonl:4", "gold.jsonl:5", "gold.jsonl:6"]
    with pytest.raises(RecordFileError, match="does not exist"):
        read_gold(tmp_path / "none.jsonl")
