"""The claim verifier: what it finds in English, where, and how it judges it. Labels by hand."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_claims import verify
from speech_claims.verification import _of_last_word
from speech_records import (
    Claim,
    Cue,
    Degree,
    Level,
    LevelReading,
    MeasuredUtterance,
    Pause,
    ProsodyLevels,
    Verdict,
    read_jsonl,
)

DATA = Path(__file__).parent / "data"
CLIPS = {m.utterance.utterance_id: m for m in read_jsonl(DATA / "claims_clips.jsonl", MeasuredUtterance)}


def claims(text: str, clip: str = "loud") -> list[Claim]:
    measured = CLIPS[clip]
    return verify(text, measured.profile, measured.levels, measured.utterance.transcript)


def found(text: str, clip: str = "loud") -> list[tuple[str, str, str]]:
    return [(c.cue.value, c.value, c.verdict.value) for c in claims(text, clip)]


DEVELOPMENT = [
    row
    for row in map(json.loads, (DATA / "claims.jsonl").read_text(encoding="utf-8").splitlines())
    if row["id"].startswith("development")
]


@pytest.mark.parametrize("row", DEVELOPMENT, ids=lambda row: row["id"])
def test_development_sentences(row: dict[str, object]) -> None:
    """Labelled by hand; every one of these is found and judged right (`benchmarks/claims.py` measures the others)."""
    labelled = sorted((c["cue"], c["value"], c["verdict"]) for c in row["claims"])  # type: ignore[attr-defined]
    assert sorted(found(str(row["text"]), str(row["clip"]))) == labelled


def test_a_claim_knows_its_words_and_what_was_measured() -> None:
    """The clip `loud`: 190 Hz, percentile 93 of the men of its scale, level high."""
    (claim,) = claims("All in all the pitch is fairly low here.")
    assert claim.text == "pitch is fairly low"
    assert (claim.start, claim.end) == (15, 34)
    assert claim.measured == "190 Hz: high (percentile 93, male)"
    assert claim.verdict is Verdict.CONTRADICTED


def test_a_text_is_judged_anew_for_every_clip_and_transcript() -> None:
    """What was read in a text once is kept. The pitch of `loud` is high, that of `quiet` is not, by the file of clips;
    and only the first transcript has the quoted words.
    """
    text = 'The pitch is high in "the dog".'
    assert found(text, "loud")[0] == ("pitch", "high", "supported")
    assert found(text, "quiet")[0] == ("pitch", "high", "contradicted")
    profile, levels = CLIPS["loud"].profile, CLIPS["loud"].levels
    said = [verify(text, profile, levels, words)[-1].verdict for words in ("The dog ran.", "A cat.", "The dog ran.")]
    assert said == [Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.SUPPORTED]


@pytest.mark.parametrize(
    ("percentile", "level", "claimed", "verdict"),
    [
        (34.0, "normal", "normal", Verdict.SUPPORTED),
        (34.0, "normal", "low", Verdict.SUPPORTED),
        (34.0, "normal", "high", Verdict.CONTRADICTED),
        (39.0, "normal", "low", Verdict.CONTRADICTED),
        (29.0, "low", "normal", Verdict.SUPPORTED),
        (28.0, "low", "normal", Verdict.CONTRADICTED),
        (67.0, "high", "normal", Verdict.SUPPORTED),
        (50.0, "normal", "not high", Verdict.SUPPORTED),
        (67.0, "high", "not high", Verdict.SUPPORTED),
        (80.0, "high", "not high", Verdict.CONTRADICTED),
    ],
)
def test_near_a_tertile_both_names_are_fair(percentile: float, level: str, claimed: str, verdict: Verdict) -> None:
    """Five percentiles around 33.3 and 66.7: 34 and 29 lie inside, 39 and 28 outside."""
    profile = CLIPS["loud"].profile
    levels = ProsodyLevels("s", "h", pitch=LevelReading(Level(level), 120.0, percentile))
    (claim,) = verify(f"The pitch is {claimed}.", profile, levels, None)
    assert claim.verdict is verdict


@pytest.mark.parametrize(
    ("text", "value", "verdict"),
    [
        ("There are pauses.", "present", "supported"),
        ("There are no pauses.", "none", "contradicted"),
        ("There are many pauses.", "many", "supported"),
        ("There are few pauses.", "few", "contradicted"),
        ("The pauses are short.", "short", "contradicted"),
        ("There are no long pauses.", "not long", "contradicted"),
    ],
)
def test_pauses(text: str, value: str, verdict: str) -> None:
    """The clip `quiet` has three pauses, the longest 0.8 s."""
    assert found(text, "quiet") == [("pauses", value, verdict)]


def test_pauses_are_unverifiable_when_they_were_not_measured() -> None:
    """Without a pause share the empty tuple of pauses says nothing."""
    profile = replace(CLIPS["loud"].profile, pause_share=None)
    assert [c.verdict for c in verify("There are no pauses.", profile, None, None)] == [Verdict.UNVERIFIABLE]
    measured = replace(profile, pause_share=0.1, pauses=(Pause(0.5, 0.7),))
    assert [c.verdict for c in verify("There are no pauses.", measured, None, None)] == [Verdict.CONTRADICTED]


def test_pitch_of_whispered_speech_is_unverifiable() -> None:
    """Three per cent of voicing carry no pitch level, whatever the levels say."""
    levels = ProsodyLevels("s", "h", pitch=LevelReading(Level.HIGH, 300.0, 99.0))
    (claim,) = verify("The pitch is high.", CLIPS["hush"].profile, levels, None)
    assert (claim.verdict, claim.measured) == (Verdict.UNVERIFIABLE, None)


@pytest.mark.parametrize(
    ("text", "clip", "expected"),
    [
        ("The voice rises at the end.", "plain", "supported"),  # falling-rising ends with a rise
        ("The voice rises.", "plain", "contradicted"),
        ("The voice falls at the end.", "plain", "contradicted"),
        ("The voice falls at the end.", "quiet", "supported"),
    ],
)
def test_the_end_of_a_contour(text: str, clip: str, expected: str) -> None:
    """`plain` is falling-rising, `quiet` falling."""
    assert [verdict for _, _, verdict in found(text, clip)] == [expected]


def test_a_word_never_spoken_cannot_be_stressed() -> None:
    """`plain` has no stress measurement, but its transcript is known."""
    assert found("Stress falls on “midnight”.", "plain") == [("stress", "midnight", "contradicted")]
    assert found("Stress falls on “eleven”.", "plain") == [("stress", "eleven", "unverifiable")]


def test_a_quote_before_a_sentence_about_stress_is_no_stressed_word() -> None:
    """The quote ends its sentence; the next one stresses a single word."""
    text = "The words are “Kids are talking by the door.” The emphasis is on “kids”."
    assert found(text) == [("quote", "Kids are talking by the door.", "supported"), ("stress", "kids", "supported")]


def test_claims_inside_quotes_are_the_speakers_not_the_texts() -> None:
    """The words quoted speak of sound; only the quote itself is a claim."""
    assert [cue for cue, _, _ in found("The speaker says “the pitch is low and I whisper”.")] == ["quote"]


def test_shared_words_belong_to_one_claim_only() -> None:
    """Two heads share `high`: the nearer takes it, the other claim is its head alone."""
    assert [c.text for c in claims("Pitch and energy are high.")] == ["Pitch", "energy are high"]


FRAGMENTS = [
    "the", "pitch", "energy", "voice", "rate", "contour", "is", "are", "not", "high", "low", "loud", "fast",
    "rises", "falls", "and", "or", "but", ",", ".", ":", ";", "“", "”", "'", '"', "neither", "nor", "stress",
    "on", "kids", "pauses", "no", "whispers", "range", "wide", "at", "end", "if", "usually", "“kids”",
    "'door'", "emphasis", "stressed", "stresses",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(FRAGMENTS),
        max_size=30,
    ).map(" ".join)
    | st.text(max_size=200)
)
def test_any_text_gives_ordered_disjoint_spans_of_it(text: str) -> None:
    """Claims stand where they say, in order, without overlap; the records check the text of each span."""
    for clip in CLIPS.values():
        listed = verify(text, clip.profile, clip.levels, clip.utterance.transcript)
        assert all(text[c.start : c.end] == c.text for c in listed)
        assert all(a.end <= b.start for a, b in pairwise(listed))


def test_a_long_text_is_read_to_its_end() -> None:
    """Five hundred sentences of four claims each; heads are looked for nearby only, so this takes seconds."""
    text = "The pitch, the energy and the rate are high and, he said, low in volume. " * 500
    assert len(claims(text)) == 500 * 4


_NOISE_S = 0.5
"""Shorter times say little about how they grow."""


def _seconds(text: str, transcript: str | None) -> float:
    """Processor time of verifying `text`; how much it is depends on the machine, how it grows does not."""
    began = time.process_time()
    verify(text, CLIPS["loud"].profile, CLIPS["loud"].levels, transcript)
    return time.process_time() - began


@pytest.mark.parametrize("unit", ["high ", "pitch, ", "no pitch and not ", "not high or "])
def test_a_text_without_a_full_stop_takes_no_quadratic_time(unit: str) -> None:
    """Twenty thousand words in one sentence take about four times as long as five thousand, sixteen times where clauses
    have no limit.
    """
    few, many = (_seconds(f"{unit * (count // len(unit.split()))} is high", None) for count in (5_000, 20_000))
    assert many < 8 * max(few, _NOISE_S)


@pytest.mark.parametrize(
    "unit",
    [
        "The stress is on “door”. ",
        "He hesitates. ",
        "The pitch is high. ",
        "“door ",
        "aged 12 ",
        "\x00pitch\x1b ",
        "\u202eعال ",
        "0123456789",
    ],
    ids=["stress", "pauses", "pitch", "unclosed quotes", "ages", "control characters", "right to left", "digits"],
)
def test_a_text_of_250_000_characters_takes_linear_time(unit: str) -> None:
    """Four times the text takes about four times as long, sixteen times where every claim is compared with all others
    (188 s in place of 2 for stressed words).
    """
    few, many = (_seconds(unit * (count // len(unit)), "Kids are talking by the door.") for count in (62_500, 250_000))
    assert many < 8 * max(few, _NOISE_S)


def test_texts_without_a_quote_keep_one_empty_set_among_them() -> None:
    """An empty set takes 216 bytes, a third of what was kept of a short text."""
    assert _of_last_word("It is loud.", [], "door") is _of_last_word("It is soft.", [], None)


def test_every_cue_can_be_claimed() -> None:
    """One sentence for each cue of the records."""
    text = (
        "The pitch is high. A wide pitch range. It is loud. It is fast. The contour is rising. The melody is flat. "
        "Stress falls on “kids”. There are pauses. It is whispered. A woman speaks. She says “Kids are talking”. "
        "The voice is hoarse. The speaker is elderly."
    )
    assert {c.cue for c in claims(text)} == set(Cue)


@pytest.mark.parametrize(
    ("text", "degree", "hedged"),
    [
        ("The pitch is high.", None, False),
        ("The pitch is slightly raised.", Degree.SLIGHT, False),
        ("A very loud voice.", Degree.STRONG, False),
        ("The pitch seems high.", None, True),
        ("Perhaps the rate is a bit low.", Degree.SLIGHT, True),
    ],
)
def test_a_claim_says_its_degree_and_its_reserve(text: str, degree: Degree | None, hedged: bool) -> None:  # noqa: FBT001
    """By the words that stand in the sentence."""
    (claim,) = claims(text)
    assert (claim.degree, claim.hedged) == (degree, hedged)


def test_slightly_widens_the_border_between_two_levels() -> None:
    """Percentile 59 lies 8 below the upper tertile: within two borders of 5, not within one."""
    levels = ProsodyLevels("s", "h", pitch=LevelReading(Level.NORMAL, 120.0, 59.0))
    verdicts = [
        verify(text, CLIPS["loud"].profile, levels, None)[0].verdict
        for text in ("The pitch is slightly raised.", "The pitch is raised.", "The pitch is slightly lowered.")
    ]
    assert verdicts == [Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.CONTRADICTED]


@pytest.mark.parametrize(
    ("hnr_db", "snr_db", "expected"),
    [
        (3.0, 40.0, "contradicted supported supported unverifiable"),
        (3.0, 10.0, "unverifiable unverifiable unverifiable unverifiable"),
        (10.0, 40.0, "unverifiable unverifiable unverifiable unverifiable"),
        (18.0, 10.0, "supported contradicted contradicted unverifiable"),
    ],
)
def test_voice_quality_is_judged_by_harmonics_where_they_are_telling(
    hnr_db: float, snr_db: float, expected: str
) -> None:
    """Under 6 dB without much noise in the recording, from 15 dB in any; tension is not measured at all."""
    profile = replace(CLIPS["loud"].profile, hnr_db=hnr_db, snr_db=snr_db)
    text = "The voice is clear. The voice is hoarse. The voice is breathy. The voice is tense."
    assert " ".join(c.verdict.value for c in verify(text, profile, None, None)) == expected


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("An elderly woman.", "contradicted"),
        ("A young woman.", "supported"),
        ("An adult speaker.", "supported"),
        ("The speaker is not a child.", "supported"),
    ],
)
def test_age(text: str, verdict: str) -> None:
    """The profile says Young Adult, as the published levels spell it."""
    profile = replace(CLIPS["quiet"].profile, age_group="Young Adult")
    assert [c.verdict.value for c in verify(text, profile, None, None) if c.cue is Cue.AGE] == [verdict]
