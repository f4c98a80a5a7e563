"""The varied style's words for what is measured, in the notation of `phrases`: each value of each cue as clauses and,
after `=`, as nouns.

The keys of pauses are not values but what is there: `one short`, `one long`, `few`, `many`, `short`, `long`, `present`,
`none`; their phrases name the value they claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cotgen.rules.phrases import Fact, fact
from speech_records import Cue

_PHRASES: Mapping[Cue, Mapping[str, str]] = {
    Cue.PITCH: {
        "high": """
            $ [(pitch/vocal pitch) (is/stays/remains) ~(high/raised/elevated)]
            $ [voice (is/sounds) ~high]
            $ voice is [~high-pitched]
            @ (speaks/talks) in AN [~high (voice/pitch/register)] (here/in this clip)
            $ [pitch (lies/sits) ~high]
            = AN [~(high/raised/elevated) (pitch/vocal pitch)]
            = AN [~high voice]
            = AN [~high-pitched] voice""",
        "normal": """
            $ [(pitch/vocal pitch) (is/stays/remains) (normal/average/unremarkable/moderate)]
            $ [pitch (lies/is/stays) (in/within) the normal range]
            $ pitch is neither [!high:high] nor [!low:low]
            @ (speaks/talks) at AN [(normal/average/medium/ordinary) pitch] (here/in this clip)
            = AN [(normal/average/medium/ordinary/moderate) (pitch/vocal pitch)]""",
        "low": """
            $ [(pitch/vocal pitch) (is/stays/remains) ~(low/lowered)]
            $ [voice (is/sounds) ~(low/deep)]
            $ voice is [~low-pitched]
            @ (speaks/talks) in AN [~(low/deep) voice] (here/in this clip)
            $ [pitch (lies/sits) ~low]
            = AN [~(low/lowered) (pitch/vocal pitch)]
            = AN [~(low/deep) voice]
            = AN [~low-pitched] voice""",
    },
    Cue.ENERGY: {
        "high": """
            $ [(volume/loudness/vocal energy) (is/stays/remains) ~high]
            $ [volume is ~raised]
            $ voice (is/sounds) [~loud]
            $ [voice (is/sounds) ~(strong/powerful)]
            @ (speaks/talks) [~loudly]
            $ words are spoken [~loudly]
            = AN [~(high/raised) volume]
            = AN [~loud] voice
            = AN [~(strong/powerful) voice]
            = [~high intensity]""",
        "normal": """
            $ [(volume/loudness/vocal energy) (is/stays/remains) (normal/average/moderate/unremarkable)]
            $ voice is neither [!high:loud] nor [!low:quiet]
            @ speaks neither [!high:loudly] nor [!low:quietly]
            @ (speaks/talks) at AN [(normal/average/moderate/medium/ordinary) volume] (here/in this clip)
            = AN [(normal/average/moderate/medium/ordinary) volume]""",
        "low": """
            $ [(volume/loudness/vocal energy) (is/stays/remains) ~low]
            $ [volume is ~reduced]
            $ voice (is/sounds) [~(quiet/soft)]
            $ [voice (is/sounds) ~(weak/faint)]
            @ (speaks/talks) [~(quietly/softly)]
            $ words are spoken [~(quietly/softly)]
            = AN [~reduced volume]
            = AN [~(quiet/soft)] voice
            = AN [~(weak/faint) voice]
            = [~low (intensity/loudness)]""",
    },
    Cue.RATE: {
        "high": """
            $ [(pace/tempo/speaking rate/rate of speech) (is/stays/remains) ~(high/fast)]
            $ [(pace/tempo) is ~(quick/brisk/rapid)]
            $ speech is [~(fast/quick/rapid/hurried)]
            @ (speaks/talks) [~(fast/quickly/rapidly)]
            @ (speaks/talks) at AN [~(fast/brisk/quick/rapid) (pace/tempo)] (here/in this clip)
            $ words (come/follow one another) [~(fast/quickly)]
            = AN [~(fast/brisk/quick/rapid) (pace/tempo)]
            = AN [~(high/fast) (speaking rate/rate of speech)]""",
        "normal": """
            $ [(pace/tempo/speaking rate) (is/stays/remains) (normal/average/moderate/unremarkable)]
            @ speaks neither [!high:fast] nor [!low:slowly]
            $ speech is neither [!high:hurried] nor [!low:slow]
            @ (speaks/talks) at AN [(normal/average/moderate/medium) (pace/tempo)] (here/in this clip)
            = AN [(normal/average/moderate/medium/ordinary) (pace/tempo/speaking rate)]""",
        "low": """
            $ [(pace/tempo/speaking rate/rate of speech) (is/stays/remains) ~(low/slow)]
            $ [(pace/tempo) is ~(unhurried/leisurely)]
            $ speech is [~(slow/unhurried)]
            @ (speaks/talks) [~slowly]
            @ (speaks/talks) at AN [~(slow/leisurely/unhurried) (pace/tempo)] (here/in this clip)
            $ words (come/follow one another) [~slowly]
            = AN [~(slow/leisurely/unhurried) (pace/tempo)]
            = AN [~(low/slow) (speaking rate/rate of speech)]""",
    },
    Cue.PITCH_RANGE: {
        "high": """
            $ [(pitch range/pitch span) (is/stays) ~(wide/large/broad)]
            $ [pitch (varies widely/varies a lot/varies considerably)]
            = AN [~(wide/large/broad) (pitch range/pitch span)]""",
        "normal": """
            $ [(pitch range/pitch span) (is/stays) (normal/moderate/average/medium)]
            = AN [(normal/moderate/average/medium) (pitch range/pitch span)]""",
        "low": """
            $ [(pitch range/pitch span) (is/stays) ~(narrow/small/limited)]
            $ [pitch (varies little/varies only little/varies very little/moves little/changes little)]
            = AN [~(narrow/small/limited) (pitch range/pitch span)]""",
    },
    Cue.CONTOUR_SHAPE: {
        "rising": """
            $ [(pitch/intonation/melody) (rises/climbs/goes up/moves upward)]
            $ [(pitch contour/contour/intonation) is rising]
            = AN [(rising/ascending/upward) (contour/pitch contour/intonation/melody)]""",
        "falling": """
            $ [(pitch/intonation/melody) (falls/drops/goes down/sinks)]
            $ [(pitch contour/contour/intonation) is falling]
            = AN [(falling/descending/downward) (contour/pitch contour/intonation/melody)]""",
        "rising-falling": """
            $ [(pitch/melody/intonation) (rises and then falls/first rises and then falls)]
            $ [(pitch contour/contour/intonation) is rising-falling]
            = AN [(rising-falling/rise-fall) (contour/pitch contour/intonation/melody)]""",
        "falling-rising": """
            $ [(pitch/melody/intonation) (falls and then rises/first falls and then rises)]
            $ [(pitch contour/contour/intonation) is falling-rising]
            = AN [(falling-rising/fall-rise) (contour/pitch contour/intonation/melody)]""",
        "level": """
            $ [(pitch/melody/intonation/pitch contour) (is/stays/remains) (level/steady/even)]
            = AN [(level/even/steady) (contour/pitch contour/melody)]""",
    },
    Cue.CONTOUR_DYNAMICS: {
        "flat": """
            $ [(melody/intonation) (is/stays/sounds/remains) (flat/monotonous/monotone)]
            $ [voice (is/sounds/stays) (flat/monotonous)]
            = AN [(flat/monotonous/monotone) (melody/intonation)]
            = AN [(flat/monotonous) voice]""",
        "moderate": """
            $ [(melody/intonation) (is/stays/sounds) (moderate/moderately varied/moderately lively)]
            $ [(melody/intonation) is moderately (expressive/animated)]
            = AN [moderately (varied/lively/expressive/animated) (melody/intonation)]""",
        "expressive": """
            $ [(melody/intonation) (is/stays/sounds/remains) (lively/expressive/animated/varied)]
            $ [voice (is/sounds) (lively/expressive/animated)]
            = AN [(lively/expressive/animated/varied) (melody/intonation)]""",
    },
    Cue.VOICING: {
        "whispered": """
            there is [(almost no/hardly any) voicing]
            $ speech is nearly [without voicing]
            $ speech [lacks voicing]
            $ voice is (almost/nearly) [unvoiced]
            = AN [absence of voicing]
            = AN [(almost/nearly) unvoiced] voice""",
        "voiced": """
            $ (speech/voice) is (clearly/normally) [voiced]
            there is [(clear/normal) voicing]
            = AN (clearly/normally) [voiced] voice""",
    },
    Cue.VOICE_QUALITY: {
        "clear": """
            $ [voice (is/sounds/stays) clear]
            = AN [clear voice]""",
        "rough": """
            $ [voice (is/sounds) (rough/hoarse)]
            = AN [(rough/hoarse) voice]""",
    },
    Cue.PAUSES: {
        "none": """
            there are [no pauses]
            @ (speaks/talks) [without (pauses/pausing)]
            @ makes [no pauses]
            = AN [absence of pauses]""",
        "present": """
            there are [pauses]
            @ makes [pauses]
            [pauses] (interrupt/break up) what is said
            = +[pauses]""",
        "few": """
            there are [few pauses]
            @ makes [few pauses]
            = +[few pauses]""",
        "many": """
            there are [(many/frequent) pauses]
            @ makes [(many/frequent) pauses]
            = +[(many/frequent) pauses]""",
        "short": """
            there are [(short/brief) pauses]
            @ makes [(short/brief) pauses]
            = +[(short/brief) pauses]""",
        "long": """
            there are [(long/lengthy) pauses]
            @ makes [(long/lengthy) pauses]
            [(long/lengthy) pauses] (interrupt/break up) what is said
            = +[(long/lengthy) pauses]""",
        "one short": """
            there is AN [pauses=short:(short/brief) pause]
            @ makes AN [pauses=short:(short/brief) pause]
            = AN [pauses=short:(short/brief) pause]""",
        "one long": """
            there is AN [pauses=long:(long/lengthy) pause]
            AN [pauses=long:(long/lengthy) pause] interrupts what is said
            = AN [pauses=long:(long/lengthy) pause]""",
    },
}

FACTS: Mapping[tuple[Cue, str], Fact] = MappingProxyType(
    {(cue, key): fact((cue, key), text) for cue, rows in _PHRASES.items() for key, text in rows.items()}
)
