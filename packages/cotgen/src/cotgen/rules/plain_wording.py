"""The wording of `rules/3`: short sentences with few phrasings, so that a small model can learn to write them.

Square brackets hold what a phrase claims (`marking`); they are not part of the text.
Level words stand early and are always the same: pitch and energy are low, normal or high, rate is slow, normal or
fast. No phrase outside `CONCLUSIONS` holds an emotion label or an alias of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from speech_records import Cue, Emotion

GENERATOR = "rules/3"

QUOTES = ("The speaker says [“{text}”]", "The words are [“{text}”]", "We hear [“{text}”]")

SENTENCES: Mapping[Cue, tuple[str, ...]] = MappingProxyType(
    {
        Cue.PITCH: (
            "The [pitch is {value}].",
            "The voice has a [{value} pitch].",
            "The speaker uses a [{value} pitch].",
        ),
        Cue.ENERGY: ("The [energy is {value}].", "The voice has [{value} energy].", "The [loudness is {value}]."),
        Cue.RATE: ("The [rate is {value}].", "The speech has a [{value} rate].", "The [speaking rate is {value}]."),
        Cue.CONTOUR_SHAPE: (
            "The [contour is {value}].",
            "The [pitch contour is {value}].",
            "The melody has a [{value} contour].",
        ),
        Cue.CONTOUR_DYNAMICS: (
            "The [melody is {value}].",
            "The [intonation is {value}].",
            "The [melody sounds {value}].",
        ),
        Cue.STRESS: (
            "[Stress falls on “{value}”].",
            "[The word “{value}” is stressed].",
            "[The emphasis is on “{value}”].",
        ),
    }
)

WHISPERED = (
    "The voice is almost [without voicing].",
    "There is [almost no voicing].",
    "The speech is almost [unvoiced].",
)
PAUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "present": ("There are [pauses].", "The speaker makes [pauses].", "The speech has [pauses]."),
        "long": ("There are [long pauses].", "The speaker makes [long pauses].", "The speech has [long pauses]."),
    }
)

NOUNS: Mapping[Cue, str] = MappingProxyType(
    {
        Cue.PITCH: "the [{value} pitch]",
        Cue.ENERGY: "the [{value} energy]",
        Cue.RATE: "the [{value} rate]",
        Cue.CONTOUR_SHAPE: "the [{value} contour]",
        Cue.CONTOUR_DYNAMICS: "the [{value} melody]",
        Cue.VOICING: "the [lack of voicing]",
    }
)
PAUSE_NOUNS: Mapping[str, str] = MappingProxyType({"present": "the [pauses]", "long": "the [long pauses]"})

PORTRAITS: Mapping[Emotion, str] = MappingProxyType(
    {
        Emotion.NEUTRAL: "a plain and unmarked delivery",
        Emotion.CALM: "a peaceful and unworried delivery",
        Emotion.HAPPY: "a glad and cheerful delivery",
        Emotion.EXCITED: "a thrilled and highly aroused delivery",
        Emotion.SAD: "a downcast and weary delivery",
        Emotion.ANGRY: "a hostile and combative delivery",
        Emotion.FEAR: "a worried and alarmed delivery",
        Emotion.DISGUST: "a repelled and unwilling delivery",
        Emotion.CONTEMPT: "a cold and dismissive delivery",
        Emotion.SURPRISE: "a startled and sudden delivery",
        Emotion.CONFUSED: "a hesitant and searching delivery",
        Emotion.WHISPER: "a secretive and confidential delivery",
        Emotion.BORED: "an idle and listless delivery",
        Emotion.FRUSTRATED: "a thwarted and impatient delivery",
    }
)
"""What the cues add up to, said without the label."""

FITTING = (
    "It sounds like {portrait}, and {cues} {fit} this.",
    "In sum, it sounds like {portrait}, and {cues} {fit} this.",
    "As a whole, it sounds like {portrait}, and {cues} {fit} this.",
)
OPPOSING = (
    "However, {cues} {speak} against this.",
    "On the other hand, {cues} {speak} against this.",
    "Yet {cues} {speak} against this.",
)
NOTHING_FITS = (
    "It sounds like {portrait}, though no single cue clearly points to it.",
    "It sounds like {portrait}, though no cue here is typical of it.",
    "It sounds like {portrait}, though nothing measured here is typical of it.",
)
NOTHING_OPPOSES = (
    "No other cue speaks against this.",
    "Nothing else speaks against this.",
    "The other cues leave this reading open.",
)
OPPOSING_ALONE = (
    "In fact, {cues} {speak} against this.",
    "Instead, {cues} {speak} against this.",
    "Rather, {cues} {speak} against this.",
)
NOTHING_AT_ALL = (
    "Nothing speaks against this either.",
    "No cue speaks against this either.",
    "The cues leave this reading open.",
)
LITTLE_EVIDENCE = (
    "The evidence is thin, so this reading stays uncertain.",
    "Such cues overlap between feelings, so some doubt remains.",
    "A single clip of speech cannot settle the matter, and a listener could well decide otherwise.",
    "What could not be measured with certainty is left out of this reading on purpose.",
    "Without more context, the conclusion has to rest on what the voice alone can show.",
)
"""Sentences that claim nothing of the sound; they fill a text up to its least length when little was measured."""

CONCLUSIONS = (
    "The most likely emotion is {label}.",
    "So the best label is {label}.",
    "The answer that fits best is {label}.",
)
