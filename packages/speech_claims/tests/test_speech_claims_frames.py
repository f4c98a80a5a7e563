"""What frames a clause: its subject, the time it speaks of, whether the clip was heard. Labels after `docs/claims.md`.

Each row stands for a class of `speech_claims.frames`, `changes`, `heads` or `trends`; all are new.
"""

from __future__ import annotations

import pytest

from speech_claims import verify
from speech_records import ProsodyProfile

NOTHING = ProsodyProfile(duration_s=1.0, sample_rate=16_000)


def found(text: str, transcript: str | None = None) -> str:
    return ", ".join(sorted(f"{c.cue.value} {c.value}" for c in verify(text, NOTHING, None, transcript)))


@pytest.mark.parametrize(
    "text",
    [
        # a subject that is no voice, and a person who is not the speaker
        "The dishwasher drones at a low pitch, steadily.",
        "My uncle, a bass with a rough voice, has a cold.",
        "Any newsreader can speak fast, clearly and without a pause.",
        # another time, a plan, a wish, a duty
        "Last Tuesday she was hoarse and spoke very softly.",
        "He mumbled yesterday.",
        "The editor asked for a slower pace, a lower pitch and fewer pauses.",
        "A storyteller must vary the tempo and keep the voice low.",
        # the clip was not heard
        "Loud and hurried, I suppose, but I have not heard the recording yet.",
        "The caption says “whispering”; the audio is missing.",
        "Should it be faster? Should the pitch be lower? I would have to hear it.",
        # what an emotion does, what a supposed speaker would sound like
        "Fear raises pitch and tempo.",
        "What would a tired speaker sound like? Slow and hoarse, most likely.",
        "Joy can make a voice rise, but so can fear.",
        "He is slow of speech, they say, at home.",
        "The word “quick” occurs three times.",
        "Deep voices are thought to carry far.",
        # numbers of the file
        "Exported at 44.1 kHz with 24 bit.",
    ],
)
def test_what_is_framed_as_something_else_claims_nothing(text: str) -> None:
    assert found(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The captain speaks slowly.", "rate low"),
        ("Earlier in the day she was loud; here she whispers.", "voicing whispered"),
        ("The delivery should be forceful, and the voice should tremble.", "energy high, voice_quality trembling"),
        ("I have not heard a pause.", "pauses none"),
        ("A growl colours the voice.", "voice_quality rough"),
        ("Were it any slower, one would call it a crawl.", "rate low"),
        # contrast of two heads, the reverse, a list of heads
        ("The tempo, not the pitch, is low.", "pitch not low, rate low"),
        ("The pitch is raised, rather than the volume.", "energy not high, pitch high"),
        ("The volume goes up; the tempo does the opposite.", "energy rising, rate falling"),
        ("The tempo drops, and with it the volume.", "energy falling, rate falling"),
        ("Voice tense, volume constant, hardly any pauses.", "energy steady, pauses few, voice_quality tense"),
        ("pitch ↓ tempo ↑", "pitch low, rate high"),
        # change
        ("He shouts one moment and mumbles the next.", "energy varying"),
        ("She speaks more softly with each word.", "energy falling"),
        ("The pitch climbs to a peak, hovers, and then sinks.", "contour_shape rising-falling"),
        ("The pitch strays very little.", "pitch_range not high"),
        ("The speed of the old man's speech fluctuates.", "age elderly, gender male, rate varying"),
        # denial
        ("There is no denying that he is slow.", "rate low"),
        ("Never have I heard a softer voice.", "energy low"),
        ("The pitch is nothing out of the ordinary.", "pitch normal"),
        ("The last thing she does is mumble.", "energy not low"),
        ("What he took for hoarseness is creak.", "voice_quality creaky"),
        ("Low though the volume is, it is no whisper.", "energy low, voicing not whispered"),
        ("A tired old man: rough, low, slow.", "age elderly, gender male, pitch low, rate low, voice_quality rough"),
        ("Loud but not shouted, and the pitch level.", "contour_shape level, energy high"),
        ("“Now” stands out, and so does “here”.", "stress here, stress now"),
        # numbers
        ("The level is 4 dB above her average.", "energy high"),
        ("Consider the pauses: there are four of them.", "pauses 4"),
        ("The pitch lies at 200 Hz and ranges over 9 semitones.", "pitch 200 Hz, pitch_range 9 st"),
        ("A woman in her late forties, or mid-fifties.", "age middle-aged, age middle-aged, gender female"),
    ],
)
def test_what_is_not_framed_claims(text: str, expected: str) -> None:
    assert found(text) == expected


def test_a_cleft_word_is_stressed_and_what_it_is_set_against_is_not() -> None:
    text = "It was “now”, not “later”, that she stressed."
    assert found(text, "Come now, not later.") == "stress not later, stress now"
