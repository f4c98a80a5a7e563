"""Where texts decide: found in what every writer writes, after the evidence and before the weighing."""

from __future__ import annotations

import random

import pytest
from instruments.made_up import measured_utterances

from cotgen import Style, generate
from cotgen.llm.prompting import SYSTEM
from cotgen.rules import plain_wording, varied_wording
from cotgen.rules.varied_moods import PORTRAITS
from cotgen.screening import Problem, check
from cotgen.verdict import OPENINGS, verdict_span
from speech_claims import verify
from speech_records import EMODB_7, PAPER_9, RAVDESS_8, Cue, Emotion, ProsodyProfile

LEADS = (
    "The pitch is high.",
    "The energy is low.",
    "The rate is fast.",
    "The contour is rising.",
    "The melody is flat.",
    "There are long pauses.",
    "There is almost no voicing.",
    "The voice sounds tense.",
)
"""One sentence on each cue that a pronoun in the next one could refer to."""


def found(text: str) -> str | None:
    span = verdict_span(text)
    return None if span is None else text[slice(*span)]


@pytest.mark.parametrize("opening", OPENINGS)
def test_the_verdict_ends_with_its_clause(opening: str) -> None:
    """By hand: after the words that introduce it, up to the mark that ends the clause; a full stop inside a word
    (*3.5*) ends none."""
    assert found(f"It is loud. This {opening} a plain delivery, and all fits.") == "a plain delivery"
    assert found(f"This {opening} speech at 3.5 syllables; so be it. It sounds like more.") == "speech at 3.5 syllables"
    assert found(f"Therefore it {opening} anger") == "anger"


def test_texts_without_a_verdict_have_none() -> None:
    """What is quoted was said by the speaker and is no verdict; an opening with nothing after it is none either."""
    assert found("She says “it sounds like rain” in a low voice.") is None
    assert found("She says “it sounds like rain”; it sounds like boredom.") == "boredom"
    assert found("So that is what it sounds like ") is None
    assert found("") is None


@pytest.mark.parametrize("style", list(Style))
def test_the_rules_decide_behind_all_evidence_and_before_they_weigh(style: Style) -> None:
    """In 280 texts over all emotions: exactly one verdict, which holds a portrait of the emotion; the cues that fit and
    those against are named after it, and every cue that is weighed was stated before it; the salient style names cues
    without values there, so that it claims nothing twice."""
    weighed = 0
    for number, made in enumerate(measured_utterances(280, seed=7)):
        emotion = made.utterance.emotion
        assert emotion is not None
        label_set = next(s for s in (PAPER_9, RAVDESS_8, EMODB_7) if s.map(emotion) is not None)
        trace = generate(made, label_set=label_set, seed=number, style=style)
        span = verdict_span(trace.think)
        assert span is not None, trace.think
        assert verdict_span(trace.think[span[1] :]) is None, trace.think
        portraits = PORTRAITS[trace.answer] if style is Style.VARIED else (plain_wording.PORTRAITS[trace.answer],)
        assert trace.think[slice(*span)] in portraits
        before = {(c.cue, c.value) for c in trace.claims if c.end <= span[0]}
        behind = {(c.cue, c.value) for c in trace.claims if c.start >= span[1]}
        assert {cue for cue, _ in behind} <= {cue for cue, _ in before}, trace.think
        assert len(before) + len(behind) >= len({(c.cue, c.value) for c in trace.claims})
        weighed += len(behind)
    assert weighed == 0 if style is Style.SALIENT else weighed > 280


@pytest.mark.parametrize("emotion", list(Emotion))
def test_no_portrait_is_read_as_a_claim(emotion: Emotion) -> None:
    """*Bright*, *forceful* or *relaxed* would claim pitch, energy or rate that nobody measured. Expected: whatever was
    spoken of before, only that sentence claims something."""
    nothing = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    rng = random.Random(0)
    for portrait in (plain_wording.PORTRAITS[emotion], *PORTRAITS[emotion]):
        verdicts = [
            f"It sounds like {portrait}.",
            *(v.format(portrait=portrait) + "." for v in varied_wording.VERDICTS),
        ]
        for lead in LEADS:
            for verdict in (verdicts[0], rng.choice(verdicts)):
                claims = verify(f"{lead} {verdict}", nothing, None, None)
                assert [c.end <= len(lead) for c in claims] == [True], (lead, verdict)


def test_screening_rejects_evidence_that_only_follows_the_verdict() -> None:
    """The same sentences in two orders; a quote is no evidence of how it sounds."""
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000)
    evidence, verdict = (
        "The words are “Come in.” The pitch is high and the rate is fast.",
        "It sounds like a thrilled delivery.",
    )
    for text, is_early in ((f"{evidence} {verdict}", False), (f"{verdict} {evidence}", True)):
        claims = verify(text, profile, None, "Come in.")
        assert {c.cue for c in claims} == {Cue.QUOTE, Cue.PITCH, Cue.RATE}
        assert (Problem.EARLY_VERDICT in check(text, Emotion.EXCITED, claims)) is is_early


def test_the_prompt_asks_for_the_first_opening_before_the_weighing() -> None:
    """A model's text is then found by the same function."""
    assert f'"It {OPENINGS[0]}"' in SYSTEM
    assert SYSTEM.index(OPENINGS[0]) < SYSTEM.index("Then weigh") < SYSTEM.index("End with one sentence")
