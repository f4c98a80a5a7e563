"""Format 2 of `docs/claims.md`: numbers with units, evenness, trends, no word stressed, degree.

The clip: 300 Hz (200 to 400), 12 semitones, −23 dBFS, 5.0 syllables per second of articulation and 4.5 with pauses, two
pauses of 0.8 and 0.2 s, a level range of 20 dB, second half 4 dB above the first, no stressed word; pitch at percentile
80, loudness at 95, rate at 5. Verdicts follow from these and the tolerances of `speech_claims.quantities`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from speech_claims import verify
from speech_claims.counterfactuals import counterfactuals, incompatible
from speech_claims.gold import agree, read_gold
from speech_claims.quantities import quantity
from speech_records import (
    Claim,
    Cue,
    Level,
    LevelReading,
    Pause,
    ProsodyLevels,
    ProsodyProfile,
    StressedWord,
    Verdict,
)

PROFILE = ProsodyProfile(
    duration_s=3.0,
    sample_rate=16_000,
    f0_median_hz=300.0,
    f0_p05_hz=200.0,
    f0_p95_hz=400.0,
    f0_range_st=12.0,
    energy_dbfs=-23.0,
    energy_range_db=20.0,
    energy_change_db=4.0,
    articulation_rate_sps=5.0,
    speaking_rate_sps=4.5,
    pauses=(Pause(1.0, 1.8), Pause(2.0, 2.2)),
    pause_share=0.3,
    stressed_words=(),
)
LEVELS = ProsodyLevels(
    "made",
    "made",
    pitch=LevelReading(Level.HIGH, 300.0, 80.0),
    energy=LevelReading(Level.HIGH, -23.0, 95.0),
    rate=LevelReading(Level.LOW, 4.0, 5.0),
)
SUPPORTED, CONTRADICTED, UNVERIFIABLE = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNVERIFIABLE


def claims(text: str) -> list[Claim]:
    return verify(text, PROFILE, LEVELS, None)


@pytest.mark.parametrize(
    ("text", "cue", "value", "verdict"),
    [
        ("The mean F0 is 120 Hz.", "pitch", "120 Hz", CONTRADICTED),
        ("F0 at about 290 Hz.", "pitch", "290 Hz", SUPPORTED),
        ("A pitch of 0.3 kHz.", "pitch", "300 Hz", SUPPORTED),
        ("A 331 Hz voice.", "pitch", "331 Hz", CONTRADICTED),
        ("The pitch isn't 120 Hz.", "pitch", "not 120 Hz", SUPPORTED),
        ("The pitch lies between 190 and 410 Hz.", "pitch", "190-410 Hz", SUPPORTED),
        ("The pitch lies between 50 and 500 Hz.", "pitch", "50-500 Hz", CONTRADICTED),
        ("The pitch is 300 dB.", "pitch", "300 dB", CONTRADICTED),
        ("The tempo is 5 Hz.", "rate", "5 Hz", CONTRADICTED),
        ("The pitch range is 11.5 semitones.", "pitch_range", "11.5 st", SUPPORTED),
        ("A pitch range of one octave.", "pitch_range", "12 st", SUPPORTED),
        ("A pitch range of 4 st.", "pitch_range", "4 st", CONTRADICTED),
        ("rate: 5.1 syll/s", "rate", "5.1 syll/s", SUPPORTED),
        ("She speaks at eight syllables per second.", "rate", "8 syll/s", CONTRADICTED),
        ("At 200 words per minute.", "rate", "200 words/min", UNVERIFIABLE),
        ("At 5000 words per minute.", "rate", "5000 words/min", CONTRADICTED),
        ("The level is −25 dBFS.", "energy", "-25 dBFS", SUPPORTED),
        ("Loudness: minus 30 dB.", "energy", "-30 dBFS", CONTRADICTED),
        ("The loudness is 65 dB.", "energy", "65 dB", UNVERIFIABLE),
        ("The loudness is -18 LUFS.", "energy", "-18 LUFS", UNVERIFIABLE),
        ("There is a pause of 0.8 s.", "pauses", "0.8 s", SUPPORTED),
        ("A pause of half a second.", "pauses", "0.5 s", CONTRADICTED),
        ("Two pauses.", "pauses", "2", SUPPORTED),
        ("There are 900 pauses.", "pauses", "900", CONTRADICTED),
    ],
)
def test_a_number_is_checked_in_its_unit(text: str, cue: str, value: str, verdict: Verdict) -> None:
    """Ten per cent of pitch, 15 of rate and range, 3 dB, a fifth of a pause; what no voice reaches holds of none."""
    (claim,) = claims(text)
    assert (claim.cue.value, claim.value, claim.verdict) == (cue, value, verdict)


@pytest.mark.parametrize(
    "text",
    [
        "The clip lasts 3 s.",
        "Sampled at 16000 Hz.",
        "The first formant lies at 500 Hz.",
        "It starts at 200 Hz.",
        "The F0 peaks at 400 Hz.",
        "More than 100 Hz.",
        "For men the average is 120 Hz.",
        "If it were 120 Hz, I would say so.",
        "The SNR is 20 dB.",
        "Anger has a confidence of 0.8.",
        "After 2 s she goes on.",
    ],
)
def test_numbers_of_other_things_claim_nothing(text: str) -> None:
    """Not of this voice, a bound, a norm, or one end of a movement (rule 11)."""
    assert claims(text) == []


@pytest.mark.parametrize(
    ("text", "cue", "value", "verdict"),
    [
        ("The volume is steady.", "energy", "steady", SUPPORTED),
        ("The loudness fluctuates.", "energy", "varying", CONTRADICTED),
        ("The loudness hardly varies.", "energy", "not varying", SUPPORTED),
        ("There is little variation in loudness.", "energy", "steady", SUPPORTED),
        ("She keeps an even pace.", "rate", "steady", UNVERIFIABLE),
        ("She gets louder as she goes on.", "energy", "rising", SUPPORTED),
        ("The volume drops at the end.", "energy", "falling", CONTRADICTED),
        ("The loudness gradually decreases.", "energy", "falling", CONTRADICTED),
        ("It starts loud and ends soft.", "energy", "falling", CONTRADICTED),
        ("He speeds up.", "rate", "rising", UNVERIFIABLE),
        ("The pace slows down.", "rate", "falling", UNVERIFIABLE),
        ("No word is stressed.", "stress", "no word", SUPPORTED),
        ("None of the words stands out.", "stress", "no word", SUPPORTED),
        ("It is said without any emphasis.", "stress", "no word", SUPPORTED),
        ("All words carry equal weight.", "stress", "no word", SUPPORTED),
        ("No stress on “dogs”.", "stress", "not dogs", SUPPORTED),
    ],
)
def test_evenness_trends_and_no_stress(text: str, cue: str, value: str, verdict: Verdict) -> None:
    """20 dB of range is in the lowest tenth; +4 dB from half to half gets louder; speed in time is not measured."""
    (claim,) = claims(text)
    assert (claim.cue.value, claim.value, claim.verdict) == (cue, value, verdict)


@pytest.mark.parametrize("text", ["The first half is slow.", "At first she is loud.", "It starts loud."])
def test_a_level_of_a_part_claims_nothing(text: str) -> None:
    """Rule 7: only what goes from one state to another is a trend."""
    assert claims(text) == []


def test_a_stressed_word_contradicts_that_none_is() -> None:
    """One word of the track is enough; without a track nothing is known."""
    heard = replace(PROFILE, stressed_words=(StressedWord("door", 0.9),))
    assert [c.verdict for c in verify("No word is stressed.", heard, None, None)] == [CONTRADICTED]
    unknown = replace(PROFILE, stressed_words=None)
    assert [c.verdict for c in verify("No word is stressed.", unknown, None, None)] == [UNVERIFIABLE]


@pytest.mark.parametrize(
    ("text", "degree", "verdict"),
    [
        ("The pitch is very high.", "strong", SUPPORTED),
        ("The pitch is extremely high.", "extreme", CONTRADICTED),
        ("The loudness is extremely high.", "extreme", SUPPORTED),
        ("The rate is exceptionally low.", "extreme", SUPPORTED),
        ("The loudness is infinitely high.", "impossible", CONTRADICTED),
        ("The loudness is a million times higher than usual.", "impossible", CONTRADICTED),
    ],
)
def test_extreme_degrees_need_the_outer_tenth(text: str, degree: str, verdict: Verdict) -> None:
    """Percentile 80 is high, not in the highest tenth; 95 and 5 are in the outer ones; nothing is infinitely loud."""
    (claim,) = claims(text)
    assert claim.degree is not None
    assert (claim.degree.value, claim.verdict) == (degree, verdict)


@pytest.mark.parametrize(
    ("cue", "value"),
    [
        (Cue.PITCH, "120 Hz"),
        (Cue.PITCH, "100-200 Hz"),
        (Cue.PITCH_RANGE, "6 st"),
        (Cue.RATE, "5 syll/s"),
        (Cue.ENERGY, "-20 dBFS"),
        (Cue.PAUSES, "0.5 s"),
        (Cue.PAUSES, "3"),
        (Cue.ENERGY, "steady"),
        (Cue.ENERGY, "falling"),
        (Cue.STRESS, "no word"),
    ],
)
@pytest.mark.parametrize("negation", ["", "not "])
def test_counterfactuals_of_the_new_values(cue: Cue, value: str, negation: str) -> None:
    """A plain sentence of each is true of one measurement and false of the other."""
    written = {"no word": "No word is stressed.", "3": "There are 3 pauses.", "0.5 s": "A pause of 0.5 s."}
    plain = written.get(value, f"The {cue.value.replace('_', ' ')} is {negation}{value}.")
    made = counterfactuals(cue, f"{negation}{value}", None)
    assert made is not None
    pair = (made.flipped, made.true) if negation and value in written else (made.true, made.flipped)
    for measured, verdict in zip(pair, (SUPPORTED, CONTRADICTED), strict=True):
        (claim,) = verify(plain, measured.profile, measured.levels, None)
        assert (claim.cue, claim.verdict) == (cue, verdict), plain


def test_what_excludes_what() -> None:
    """Numbers apart by more than both tolerances; opposite trends; no word and a word. Levels and trends do not."""
    assert incompatible(Cue.PITCH, "120 Hz", "300 Hz")
    assert not incompatible(Cue.PITCH, "120 Hz", "125 Hz")
    assert incompatible(Cue.ENERGY, "rising", "falling")
    assert not incompatible(Cue.ENERGY, "rising", "high")
    assert not incompatible(Cue.PITCH, "high", "120 Hz")
    assert incompatible(Cue.STRESS, "no word", "door")
    assert not incompatible(Cue.STRESS, "no word", "not door")


@pytest.mark.parametrize(
    ("written", "value"),
    [("120 hertz", "120 Hz"), ("4.0 syllables per second", "4 syll/s"), ("300 ms", "0.3 s"), ("-23 dB", "-23 dBFS")],
)
def test_units_have_one_spelling(written: str, value: str) -> None:
    """The table of `docs/claims.md`."""
    assert str(quantity(written)) == value


def test_a_row_of_format_1_is_not_scored_for_what_that_format_lacks(tmp_path: Path) -> None:
    """The same text in both formats: the number and the trend are extra only where the format has them."""
    text = "The pitch is high, at 300 Hz, and she gets louder; a steady pace, two pauses."
    labels = [{"cue": "pitch", "value": "high"}, {"cue": "rate", "value": "normal"}, {"cue": "pauses", "value": "few"}]
    newer = [
        {"cue": "pitch", "value": "high"},
        {"cue": "pitch", "value": "300 hertz"},
        {"cue": "energy", "value": "rising"},
        {"cue": "rate", "value": "even"},
        {"cue": "pauses", "value": "2"},
    ]
    rows = [{"text": text, "claims": labels}, {"text": text, "claims": newer}, {"format": 3, "text": "a", "claims": []}]
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    sentences, failures = read_gold(path)
    assert [(s.format, agree([s]).f1) for s in sentences] == [(1, 1.0), (2, 1.0)]
    assert [f.message for f in failures] == ["format is 3, this version reads 1 and 2"]
