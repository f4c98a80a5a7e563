"""How a claim is put: idioms of denial, answers, what points back, other topics. Labels by hand after `docs/claims.md`.

Each row stands for a class of `speech_claims.scope`, `echoes` or the lists of `english.toml`; the sentences are of no
labelled file.
"""

from __future__ import annotations

import pytest

from speech_claims import verify
from speech_records import ProsodyProfile

NOTHING = ProsodyProfile(duration_s=1.0, sample_rate=16_000)


def found(text: str) -> list[str]:
    return sorted(f"{c.cue.value} {c.value}" for c in verify(text, NOTHING, None, None))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a denial behind its claim, or from outside
        ("Loud he most certainly is not.", "energy not high"),
        ("That she mumbles is simply untrue.", "energy not low"),
        ("Whispering: no.", "voicing not whispered"),
        ("Of hoarseness there is not the faintest trace.", "voice_quality not rough"),
        ("Nobody who heard this would speak of a lively intonation.", "contour_dynamics not expressive"),
        ("No listener would accuse him of shouting.", "energy not high"),
        # idioms that say the opposite, or more of it
        ("The tempo could scarcely be faster.", "rate high"),
        ("Only someone hard of hearing could call this quiet.", "energy not low"),
        ("Far from dragging, he rattles through it.", "rate high, rate not low"),
        ("More of a mumble than a shout.", "energy low, energy not high"),
        ("The melody barely moves.", "contour_dynamics flat"),
        # answers
        ("Is the voice loud? Not by any stretch. Tense? Yes.", "energy not high, voice_quality tense"),
        ("He is loud, isn't he?", "energy high"),
        # values that are said of another head
        ("The pitch is high, and so is the tempo.", "pitch high, rate high"),
        ("The volume is raised; the tempo is not.", "energy high, rate not high"),
        ("Low pitch. Low volume. The same is true of the pace.", "energy low, pitch low, rate low"),
        # a denial that points back to what others do
        ("A frightened speaker would have a trembling voice; this one has not.", "voice_quality not trembling"),
        ("The interviewer speaks slowly and softly; the guest does neither.", "energy not low, rate not low"),
        # fronted and split
        ("Low is what the pitch is.", "pitch low"),
        ("Neither an unusually high nor an unusually low pitch is heard.", "pitch not high, pitch not low"),
        ("The energy, though, is anything but low.", "energy not low"),
        ("The tempo, in contrast to the relaxed pitch, is hectic.", "rate high"),
        # what several suppositions or one clause before are denied by
        (
            "For joy I would want a raised pitch or a quick tempo, and neither is to be found.",
            "pitch not high, rate not high",
        ),
        ("The note says he is creaky and elderly. Neither is true.", "age not elderly, voice_quality not creaky"),
        ("The coach calls her pitch monotonous, which it is not.", "contour_dynamics not flat"),
        (
            "I would not go so far as to claim that the man in the recording speaks in a loud voice.",
            "energy not high, gender male",
        ),
        ("The voice is weak, not loud and harsh.", "energy low, energy not high, voice_quality not rough"),
        ("A loud voice? You could have fooled me.", "energy not high"),
        ("A tense voice? None that I noticed.", "voice_quality not tense"),
        ("Is it a man? It is.", "gender male"),
        # repeated without a verb, relative clauses, participles, emphasis
        ("The pitch is ordinary, and the loudness likewise.", "energy normal, pitch normal"),
        ("The pace he keeps is slow, and the volume is held down.", "energy low, rate low"),
        ("The loudness, which grows from word to word, strikes me.", "energy rising"),
        ("The voice does quiver.", "voice_quality trembling"),
        ("Keep the pitch up.", "pitch high"),
        ("There is nothing hoarse about the voice.", "voice_quality not rough"),
        ("This take is lower, quieter and slower.", "energy low, pitch low, rate low"),
        # levels that make a trend
        ("She sets out in a murmur, and by the end she is shouting.", "energy rising"),
        ("Tempo: slow, then faster.", "rate rising"),
        ("Volume: low -> high.", "energy rising"),
        ("The longer he speaks, the quieter he becomes.", "energy falling"),
        ("Soft at the beginning, very strong at the finish.", ""),
        ("Volume: soft, then louder, then loudest.", "energy rising"),
        (
            "The pitch climbs before coming back down. Pitch: dips, then up.",
            "contour_shape falling-rising, contour_shape rising-falling",
        ),
        ("The volume is no higher than in a normal chat, the tempo likewise.", "energy not high, rate not high"),
        (
            "As for the loudness, low isn't the word; as for the tune, flat isn't either.",
            "contour_dynamics not flat, energy not low",
        ),
        ('<prosody rate="fast" pitch="low" volume="loud">', "energy high, pitch low, rate high"),
        ("Lose the vocal fry; get rid of the whisper.", "voice_quality not creaky, voicing not whispered"),
        # yardsticks, shorthand, ages
        ("The level is well past what one would call normal; the tempo is half the usual.", "energy high, rate low"),
        ("Her loudness does not stray from the average.", "energy normal"),
        ("You could hear him from across the street. He was barely louder than a sigh.", "energy high, energy low"),
        ("Tempo → , volume ↓, jitter ↑; strain: mild.", "energy low, rate normal, voice_quality tense"),
        (
            "Level: −20 dBFS. Pauses: 3. Tempo: below average, pitch: also below.",
            "energy -20 dBFS, pauses 3, pitch low, rate low",
        ),
        (
            "The median is 96 Hz, which is low. Pauses of 0.4 s and 0.9 s.",
            "pauses 0.4 s, pauses 0.9 s, pitch 96 Hz, pitch low",
        ),
        ("M, 40s; a lad of sixteen.", "age middle-aged, age teenager, gender male, gender male"),
        ("G1 R2 B0 A0 S0", "energy not low, voice_quality not breathy, voice_quality not tense, voice_quality rough"),
        # not of this clip
        ("In French, the pitch rises on the last syllable.", ""),
        ("In the last take she was whispering, but that was another speaker.", ""),
        ("He is hoarse from shouting.", "voice_quality rough"),
        ("The tune is flat, the stress is exaggerated.", "contour_dynamics flat"),
        ("She speaks at twice the normal tempo.", "rate high"),
        ("pitch ↑, intensity ↓, tempo = slow", "energy low, pitch high, rate low"),
        ("A 28-year-old woman; a man aged about 70.", "age elderly, age young adult, gender female, gender male"),
        (
            "Pt (f, 71 y). GRBAS: R1 B0. Freq. pauses.",
            "age elderly, gender female, pauses many, voice_quality not breathy, voice_quality rough",
        ),
        ("A girl of about nine; someone fortyish.", "age child, age middle-aged, gender female"),
        ("Both volume and tempo exceed what is customary.", "energy high, rate high"),
        # headings that are questions, lists that answer, pointers
        ("Voice? Hoarse. And the tempo? Sedate.", "rate low, voice_quality rough"),
        ("strain in voice → no; final pitch → falling", "contour_shape falling at the end, voice_quality not tense"),
        ("Tempo and volume differ: the former is slow, the latter normal.", "energy normal, rate low"),
        ("One checks whether the pitch is low, and it is.", "pitch low"),
        (
            "Neither the tempo nor, for all the drama of her words, the volume is high.",
            "energy not high, rate not high",
        ),
        # one phrase that says one thing twice
        ("He yells at the top of his lungs.", "energy high"),
        ("A slow, unhurried pace; a gravelly and husky voice.", "rate low, voice_quality rough"),
        # comparatives of any value word, words said long
        ("The melody could hardly be flatter; what a sloooow tempo.", "contour_dynamics flat, rate low"),
        # movement of melody is dynamics, of pitch range
        ("Large swings in the intonation.", "contour_dynamics expressive"),
        ("Large swings in pitch.", "pitch_range high"),
        # pauses by number
        (
            "He hesitates twice; one long silence, and two breaks, one of which lasts 0.9 s.",
            "pauses 0.9 s, pauses 2, pauses 2, pauses few, pauses long",
        ),
        # a concern of others, then denied; what prompts want
        ("The annotator claims that he shouts. He doesn't.", "energy not high"),
        ("Generate a narrator. The tempo should be slow.", "rate low"),
        ("Her pitch average is 230 Hz, i.e. rather high.", "pitch 230 Hz, pitch high"),
        ("Tempo above average, volume below. No variation in loudness.", "energy low, energy not varying, rate high"),
    ],
)
def test_how_a_claim_is_put(text: str, expected: str) -> None:
    """By rules 2 to 6, 9, 12 and 13."""
    assert ", ".join(found(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Is the tempo high?",  # a question without its answer
        "The tempo may be high or low; the annotation does not say.",  # open alternatives
        "This could be a woman or a man.",
        "One cannot tell whether the voice is high or low, loud or soft.",
        "In fear, the pitch goes up and the voice shakes.",  # an emotion in general
        "To sound angry, a speaker raises the volume.",
        "A fearful speaker might also talk fast.",
        "The neighbour who yells at night is to blame.",  # others
        "Compared with the training data, where voices are high, nothing can be said.",
        "Some emotions can be ruled out quickly.",  # a judgement
        "Our model is fast.",
        "Emotional speech is loud, whereas neutral speech is flat.",
        "He misses his mother and thinks about a boy.",
        "The range of emotions is wide.",
        "After a long silence from the company he complained.",
        "Background voices are loud.",
        "He wore a loud shirt and ate fast food.",
        "If she had been angry, the tempo would have been higher, and the pauses shorter.",  # a supposition
        "Next session we will work on a louder voice.",  # a plan
        "The pitch was not measured.",
        "Tomorrow we will ask him to speak more slowly.",
        "Had she been louder, with fewer pauses, they might have heard her.",
        "The other reader, in an earlier take, shouted his part.",  # another subject
        "Anger is the loudest of emotions.",
        "The price of bread is rising, and the sales pitch fell flat.",
        "He drew loud comments from the gallery.",
        "There was a short pause for coffee.",
    ],
)
def test_what_is_not_said_of_this_clip(text: str) -> None:
    """By rules 1 and 13: each claims nothing."""
    assert found(text) == []
