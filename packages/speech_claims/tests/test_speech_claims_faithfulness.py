"""The faithfulness score: its equation, what does not raise it, and texts of any kind.

The clip of these tests offers six cues and no stress track: pitch, energy and rate high, a rising contour, a wide and
expressive movement of pitch, a clear voice; besides, a woman speaks and does not pause. Every bound is a count over
six, from the equation at the head of `speech_claims.faithfulness`.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_claims import ClaimsError
from speech_claims.faithfulness import (
    MAX_CHARACTERS,
    NEGATIVE_CREDIT,
    constant_text,
    faithfulness,
    offered_cues,
    score_claims,
    summarise,
)
from speech_records import (
    Claim,
    ContourDynamics,
    ContourShape,
    Cue,
    Gender,
    Level,
    LevelReading,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    Utterance,
    Verdict,
)

TRANSCRIPT = "Kids are talking by the door."
HIGH = LevelReading(Level.HIGH, 90.0, 90.0)
LEVELS = ProsodyLevels("made", "made", pitch=HIGH, energy=HIGH, rate=HIGH)
PROFILE = ProsodyProfile(
    duration_s=2.0,
    sample_rate=16_000,
    voiced_share=0.6,
    pause_share=0.0,
    f0_range_st=14.0,
    contour_shape=ContourShape.RISING,
    contour_dynamics=ContourDynamics.EXPRESSIVE,
    hnr_db=18.0,
    energy_range_db=18.0,
    energy_change_db=5.0,
    gender=Gender.FEMALE,
)
OFFERED = offered_cues(PROFILE, LEVELS)
N = len(OFFERED)
ONE = "The pitch is high."
ALL = (
    "A woman speaks. The pitch is high, she is loud, and the speaking rate is fast. The contour is rising, the "
    "intonation is expressive and the pitch range is wide. There are no pauses. The voice quality is clear."
)


def score(text: str, levels: ProsodyLevels | None = LEVELS) -> float:
    return faithfulness(text, PROFILE, levels, TRANSCRIPT).score


def test_the_clip_offers_six_cues_and_a_text_that_says_all_scores_one() -> None:
    """Who speaks is not how; being voiced and not pausing are absences; dynamics are another name of the range."""
    assert N == 6
    assert {Cue.VOICING, Cue.PAUSES, Cue.GENDER, Cue.CONTOUR_DYNAMICS}.isdisjoint(OFFERED)
    assert score("A woman speaks, without pauses, and the speech is voiced.") == 0.0
    assert score("The intonation is expressive. The pitch range is wide.") == pytest.approx(1 / N)
    assert score("The pitch range is wide, and the intonation is flat.") == 0.0
    assert score(ALL) == 1.0
    assert score(ONE) == pytest.approx(1 / N)
    assert score(f"{ONE} She is quiet.") == 0.0  # 1 - 1
    assert score(f"{ONE} She is loud. She is slow.") == pytest.approx((2 - 1) / N)


LOOPHOLES = {
    "no claim": ("This is an angry clip, and one can tell why.", 0.0),
    "a quote alone": ("The speaker says “Kids are talking by the door”.", 0.0),
    "one true claim, ten times": (ONE + " The pitch is high." * 9, 1 / N),
    "one true claim in other words": ("The pitch is high. A high-pitched voice. The F0 is raised.", 1 / N),
    "bare negatives": ("She is not whispering, she is not quiet, and she is not slow.", 2 * NEGATIVE_CREDIT / N),
    "age": ("An elderly person.", 0.0),
    "stress without a track": ("The stress is on “door”.", 0.0),
    "undecidable voice quality": ("Her voice is tense and trembling.", 0.0),
    "scare quotes": ("She is “quiet” and “slow”.", 0.0),
    "a scare-quoted denial": ("The pitch is “not” high.", 0.0),
    "homoglyphs": ("The v\u043eice is q\u0443iet.", 0.0),
    "a denial in homoglyphs": ("The pitch is n\u043et high.", 0.0),
    "mixed scripts": ("The pitch is \u043d\u0435 high.", 0.0),
    "a direction turned": ("The pitch is \u202eton\u202c high.", 0.0),
    "a denial with a zero-width space": ("The pitch is n\u200bot high.", 0.0),
    "digits as letters": ("The pitch is n0t high.", 0.0),
    "struck Markdown": ("The pitch is ~~not~~ high.", 0.0),
    "struck HTML": ("The pitch is <del>low</del> high.", 0.0),
    "struck letters": ("The pitch is n\u0336o\u0336t\u0336 high.", 0.0),
    "letters apart": ("The pitch is n o t high.", 0.0),
    "a broken word": ("The pitch is n*ot high.", 0.0),
    "an HTML entity": ("The pitch is n&#111;t high.", 0.0),
    "an HTML tag in a word": ("The pitch is n<b>o</b>t high.", 0.0),
    "an emotion in general, then found": (
        "Anger is loud and fast. Angry people are high-pitched. That is what we find.",
        0.0,
    ),
    "a question": ("Is the pitch high? Is she loud?", 0.0),
    "taken back": ("The pitch is high, which is a lie. The voice is loud, said nobody.", 0.0),
    "a comment": ("The pitch is <!-- not --> high.", 0.0),
    "another language": ("Die Stimme ist leise und langsam.", 0.0),
    "a denial in another language": ("The pitch is nicht high.", 0.0),
    "everything it could be": (
        "The pitch is low, normal and high. The loudness is low, normal and high. She is fast. She is slow.",
        0.0,
    ),
    "generic, then found": (
        "In general, anger is often loud, usually high-pitched and typically fast. That is what we find.",
        0.0,
    ),
    "absurd degree": ("The pitch is infinitely high. She is a million times louder than usual.", 0.0),
    "a misspelt denial": ("The pitch is nott high. She is nto loud. The speech is nevr fast.", 0.0),
    "a denial without its apostrophe": ("The pitch isnt high.", 0.0),
    "a denial in the next sentence": ("The pitch is high. No. She is loud! Not really.", 0.0),
    "everything taken back": ("The pitch is high. She is loud. None of this is true.", 0.0),
    "a wrong unit": ("The pitch is 90 dB, and the tempo is 5 Hz.", 0.0),
    "a wide interval": ("The pitch lies between 20 and 1000 Hz.", 0.0),
    "evenness and trends of loudness": ("The volume is steady, and she gets louder.", 0.2 / N),
    "absurd numbers": ("The pitch is 900000 Hz, and she speaks 5000 syllables per second.", 0.0),
}


@pytest.mark.parametrize("name", LOOPHOLES)
def test_a_loophole_stays_within_its_bound(name: str) -> None:
    """Each bound is what the equation gives the claims that a reader would credit."""
    text, bound = LOOPHOLES[name]
    assert score(text) <= bound + 1e-9, faithfulness(text, PROFILE, LEVELS, TRANSCRIPT)


@pytest.mark.parametrize("name", [n for n, (_, bound) in LOOPHOLES.items() if bound == 0.0])
def test_a_loophole_beside_true_claims_does_not_raise_the_score(name: str) -> None:
    """What earns nothing by itself earns nothing beside two true claims of other sentences."""
    kept = "The contour is rising. The pitch range is wide."
    assert score(f"{kept} {LOOPHOLES[name][0]}") <= score(kept) + 1e-9


def test_undecided_quoted_and_obscured_claims_are_reported_beside_the_score() -> None:
    """Each is counted once, and the score is that of the one claim that is decided."""
    made = faithfulness(
        f"{ONE} An elderly person says “Kids are talking”. The loudness is nicht high.", PROFILE, LEVELS, TRANSCRIPT
    )
    assert (made.undecided, made.quotes, made.obscured) == (1, 1, 1)
    assert made.score == pytest.approx(1 / N)


def test_a_falsehood_in_look_alike_letters_costs() -> None:
    """Its letters are read as what they look like: a true claim and a false one are 1 - 1."""
    assert score(f"{ONE} The loudness is l\u043ew.") == 0.0


def test_values_that_exclude_one_another_are_a_contradiction() -> None:
    """At a border either value is fair, and both of them at once is not."""
    border = LevelReading(Level.HIGH, 68.0, 68.0)
    levels = ProsodyLevels("made", "made", pitch=border)
    made = faithfulness("The pitch is high. The pitch is normal.", PROFILE, levels, None)
    assert made.excluded == (Cue.PITCH,)
    assert made.score == 0.0


def test_a_quote_of_any_script_obscures_nothing() -> None:
    """The transcript is Russian; what is quoted from it leaves the sentence's own claim."""
    transcript = "Дети говорят у двери"
    made = faithfulness(f"She says “{transcript}” and the pitch is high.", PROFILE, LEVELS, transcript)
    assert made.score == pytest.approx(1 / N)


def test_a_stressed_denial_of_the_transcript_obscures_nothing() -> None:
    """*Never* is a word of the transcript, and is quoted where it denies nothing."""
    made = faithfulness("The pitch is high, with emphasis on “never”.", PROFILE, LEVELS, "I never said it.")
    assert made.score == pytest.approx(1 / N)


VALUES = [
    (Cue.PITCH, "high"),
    (Cue.PITCH, "not low"),
    (Cue.ENERGY, "high"),
    (Cue.RATE, "not low"),
    (Cue.GENDER, "female"),
]
FALSE = [
    (Cue.PITCH, "low"),
    (Cue.ENERGY, "low"),
    (Cue.ENERGY, "normal"),
    (Cue.GENDER, "male"),
    (Cue.VOICING, "whispered"),
]


def claim(made: tuple[tuple[Cue, str], Verdict]) -> Claim:
    (cue, value), verdict = made
    return Claim(start=0, end=1, text="x", cue=cue, value=value, verdict=verdict)


TRUE_CLAIMS = st.sampled_from(VALUES).map(lambda v: claim((v, Verdict.SUPPORTED)))
FALSE_CLAIMS = st.sampled_from(FALSE).map(lambda v: claim((v, Verdict.CONTRADICTED)))
OPEN_CLAIMS = st.sampled_from([(Cue.AGE, "elderly"), (Cue.STRESS, "door"), (Cue.QUOTE, "so")]).map(
    lambda v: claim((v, Verdict.UNVERIFIABLE))
)
CLAIMS = st.lists(st.one_of(TRUE_CLAIMS, FALSE_CLAIMS, OPEN_CLAIMS), max_size=12)
CUES = st.sets(st.sampled_from(OFFERED)).map(tuple)


@given(CLAIMS, CUES, TRUE_CLAIMS, FALSE_CLAIMS, OPEN_CLAIMS)
def test_true_claims_never_lower_false_never_raise_and_open_ones_change_nothing(
    claims: list[Claim], offered: tuple[Cue, ...], true: Claim, false: Claim, unverifiable: Claim
) -> None:
    """By the equation: e(c) does not fall with a true claim that the others allow, and K grows with a false one."""
    before = score_claims(claims, offered).score
    assert 0.0 <= before <= 1.0
    assert score_claims([*claims, true], offered).score >= before
    assert score_claims([*claims, false], offered).score <= before
    assert score_claims([*claims, unverifiable], offered).score == before
    assert score_claims([*claims, *claims], offered).score == before
    assert score_claims(claims[::-1], offered).score == pytest.approx(before)


SENTENCES = [
    "The pitch is high.",
    "She is quiet.",
    "A woman speaks.",
    "There are no pauses.",
    "She does not whisper.",
    "Well.",
]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), max_size=5))
def test_a_text_said_twice_scores_as_said_once(sentences: list[str]) -> None:
    """Each cue and value counts once."""
    text = " ".join(sentences)
    assert score(f"{text} {text}") == score(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gets_a_score(text: str) -> None:
    """Whatever the characters are, there is a number in [0, 1] and no claim a reader could not find."""
    assert 0.0 <= score(text) <= 1.0


def test_levels_and_measurements_may_be_missing() -> None:
    """Without levels pitch, energy and rate are not on offer; a profile of nothing offers nothing, and scores zero."""
    assert score(ONE, levels=None) == 0.0
    assert faithfulness(ALL, PROFILE, None, None).score == 1.0
    empty = faithfulness(ALL, ProsodyProfile(duration_s=1.0, sample_rate=16_000), None, None)
    assert (empty.score, empty.offered) == (0.0, ())


def test_the_profile_of_another_clip_contradicts() -> None:
    """A text that is wholly true of one clip scores zero on the opposite one: every cue is contradicted."""
    low = LevelReading(Level.LOW, 10.0, 10.0)
    other = replace(
        PROFILE,
        f0_range_st=2.0,
        contour_shape=ContourShape.FALLING,
        contour_dynamics=ContourDynamics.FLAT,
        gender=Gender.MALE,
    )
    made = faithfulness(ALL, other, ProsodyLevels("made", "made", pitch=low, energy=low, rate=low), TRANSCRIPT)
    assert score(ALL) == 1.0
    assert made.score == 0.0
    assert len(made.contradicted) >= N - 1


def test_a_text_of_one_megabyte_is_refused_by_its_length() -> None:
    """The error names both lengths."""
    with pytest.raises(ClaimsError, match=rf"1000000 characters, at most {MAX_CHARACTERS}"):
        score("loud " * 200_000)


@pytest.mark.parametrize(
    "unit",
    [
        "pause ",
        "'a ",
        "stress on “x” ",
        "\u202eloud",
        "~~a",
        "<!--",
        "not ",
        "\u05d0\u05d1",
        "\x00\x07a",
        "“",
        "is “not” ",
        "a ",
        "a*",
        "<a",
        "&#1",
        "~a",
        "\ufdfa",
    ],
)
def test_the_longest_texts_are_scored_in_seconds(unit: str) -> None:
    """No punctuation, control characters, right to left, openings without an end, a character that NFKC makes long."""
    started = time.process_time()
    assert 0.0 <= score((unit * MAX_CHARACTERS)[:MAX_CHARACTERS]) <= 1.0
    assert time.process_time() - started < 10


def clip(name: str, pitch: Level, shape: ContourShape) -> MeasuredUtterance:
    percentile = {Level.LOW: 10.0, Level.NORMAL: 50.0, Level.HIGH: 90.0}[pitch]
    utterance = Utterance(utterance_id=name, audio_path=f"{name}.wav", speaker_id="s", corpus="made")
    profile = ProsodyProfile(duration_s=1.0, sample_rate=16_000, contour_shape=shape)
    return MeasuredUtterance(
        utterance, profile, ProsodyLevels("made", "made", pitch=LevelReading(pitch, percentile, percentile))
    )


def test_the_constant_text_says_modal_values_and_only_likely_ones_where_asked() -> None:
    """Of five clips pitch is low in the first two and high in two others; three contours rise."""
    levels = (Level.LOW, Level.LOW, Level.HIGH, Level.NORMAL, Level.HIGH)
    shapes = (ContourShape.RISING,) * 3 + (ContourShape.FALLING,) * 2
    clips = [clip(str(i), *pair) for i, pair in enumerate(zip(levels, shapes, strict=True))]
    assert constant_text(clips) == "The pitch is low. The pitch contour is rising."
    assert constant_text(clips, above=0.5) == "The pitch contour is rising."
    scores = [faithfulness(constant_text(clips, above=0.5), c.profile, c.levels, None) for c in clips]
    made = summarise(scores)
    assert made is not None
    assert made.score == pytest.approx(3 * 0.5 / 5)  # half of two cues on three clips, max(0, -1) on two
    assert made.cost == pytest.approx(2 * 0.5 / 5)
    assert summarise([]) is None


LEVEL_WORDS = ("low", "normal", "high")


def test_guessing_levels_is_worth_nothing() -> None:
    """Three levels at random for each of pitch, energy and rate: right one time in three, so the mean of the sum is
    below zero and what max leaves is less than a third of saying one cue of three rightly.
    """
    draw = random.Random(7)
    made = [
        faithfulness(
            " ".join(f"The {cue} is {draw.choice(LEVEL_WORDS)}." for cue in ("pitch", "loudness", "rate")),
            ProsodyProfile(duration_s=1.0, sample_rate=16_000),
            LEVELS,
            None,
        ).score
        for _ in range(100)
    ]
    # exactly: P(3 right) * 1 + P(2 right) * 1/3 = 1/27 + 6/27 * 1/3 = 1/9
    assert sum(made) / len(made) == pytest.approx(1 / 9, abs=0.08)
