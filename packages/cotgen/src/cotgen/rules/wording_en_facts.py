"""English for what is measured, in the notation of `phrases`: each value of each cue as clauses and as nouns.

The keys of pauses are not values but what is there: `one short`, `one long`, `few`, `many`, `short`, `long`, `present`,
`none`; their phrases name the value they claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cotgen.rules.phrases import Fact, Key, fact
from speech_records import Cue

FACTS: Mapping[Key, Fact] = MappingProxyType(
    dict(
        [
            fact(
                (Cue.PITCH, "high"),
                clauses=[
                    "$ [(pitch/vocal pitch) (is/stays/remains) ~(high/raised/elevated)]",
                    "$ [voice (is/sounds) ~high]",
                    "$ voice is [~high-pitched]",
                    "@ (speaks/talks) in AN [~high (voice/pitch/register)] (here/in this clip)",
                    "$ [pitch (lies/sits) ~high]",
                ],
                nouns=[
                    "AN [~(high/raised/elevated) (pitch/vocal pitch)]",
                    "AN [~high voice]",
                    "AN [~high-pitched] voice",
                ],
            ),
            fact(
                (Cue.PITCH, "normal"),
                clauses=[
                    "$ [(pitch/vocal pitch) (is/stays/remains) (normal/average/unremarkable/moderate)]",
                    "$ [pitch (lies/is/stays) (in/within) the normal range]",
                    "$ pitch is neither [!high:high] nor [!low:low]",
                    "@ (speaks/talks) at AN [(normal/average/medium/ordinary) pitch] (here/in this clip)",
                ],
                nouns=["AN [(normal/average/medium/ordinary/moderate) (pitch/vocal pitch)]"],
            ),
            fact(
                (Cue.PITCH, "low"),
                clauses=[
                    "$ [(pitch/vocal pitch) (is/stays/remains) ~(low/lowered)]",
                    "$ [voice (is/sounds) ~(low/deep)]",
                    "$ voice is [~low-pitched]",
                    "@ (speaks/talks) in AN [~(low/deep) voice] (here/in this clip)",
                    "$ [pitch (lies/sits) ~low]",
                ],
                nouns=[
                    "AN [~(low/lowered) (pitch/vocal pitch)]",
                    "AN [~(low/deep) voice]",
                    "AN [~low-pitched] voice",
                ],
            ),
            fact(
                (Cue.ENERGY, "high"),
                clauses=[
                    "$ [(volume/loudness/vocal energy) (is/stays/remains) ~high]",
                    "$ [volume is ~raised]",
                    "$ voice (is/sounds) [~loud]",
                    "$ [voice (is/sounds) ~(strong/powerful)]",
                    "@ (speaks/talks) [~loudly]",
                    "$ words are spoken [~loudly]",
                ],
                nouns=[
                    "AN [~(high/raised) volume]",
                    "AN [~loud] voice",
                    "AN [~(strong/powerful) voice]",
                    "[~high intensity]",
                ],
            ),
            fact(
                (Cue.ENERGY, "normal"),
                clauses=[
                    "$ [(volume/loudness/vocal energy) (is/stays/remains) (normal/average/moderate/unremarkable)]",
                    "$ voice is neither [!high:loud] nor [!low:quiet]",
                    "@ speaks neither [!high:loudly] nor [!low:quietly]",
                    "@ (speaks/talks) at AN [(normal/average/moderate/medium/ordinary) volume] (here/in this clip)",
                ],
                nouns=["AN [(normal/average/moderate/medium/ordinary) volume]"],
            ),
            fact(
                (Cue.ENERGY, "low"),
                clauses=[
                    "$ [(volume/loudness/vocal energy) (is/stays/remains) ~low]",
                    "$ [volume is ~reduced]",
                    "$ voice (is/sounds) [~(quiet/soft)]",
                    "$ [voice (is/sounds) ~(weak/faint)]",
                    "@ (speaks/talks) [~(quietly/softly)]",
                    "$ words are spoken [~(quietly/softly)]",
                ],
                nouns=[
                    "AN [~reduced volume]",
                    "AN [~(quiet/soft)] voice",
                    "AN [~(weak/faint) voice]",
                    "[~low (intensity/loudness)]",
                ],
            ),
            fact(
                (Cue.RATE, "high"),
                clauses=[
                    "$ [(pace/tempo/speaking rate/rate of speech) (is/stays/remains) ~(high/fast)]",
                    "$ [(pace/tempo) is ~(quick/brisk/rapid)]",
                    "$ speech is [~(fast/quick/rapid/hurried)]",
                    "@ (speaks/talks) [~(fast/quickly/rapidly)]",
                    "@ (speaks/talks) at AN [~(fast/brisk/quick/rapid) (pace/tempo)] (here/in this clip)",
                    "$ words (come/follow one another) [~(fast/quickly)]",
                ],
                nouns=[
                    "AN [~(fast/brisk/quick/rapid) (pace/tempo)]",
                    "AN [~(high/fast) (speaking rate/rate of speech)]",
                ],
            ),
            fact(
                (Cue.RATE, "normal"),
                clauses=[
                    "$ [(pace/tempo/speaking rate) (is/stays/remains) (normal/average/moderate/unremarkable)]",
                    "@ speaks neither [!high:fast] nor [!low:slowly]",
                    "$ speech is neither [!high:hurried] nor [!low:slow]",
                    "@ (speaks/talks) at AN [(normal/average/moderate/medium) (pace/tempo)] (here/in this clip)",
                ],
                nouns=["AN [(normal/average/moderate/medium/ordinary) (pace/tempo/speaking rate)]"],
            ),
            fact(
                (Cue.RATE, "low"),
                clauses=[
                    "$ [(pace/tempo/speaking rate/rate of speech) (is/stays/remains) ~(low/slow)]",
                    "$ [(pace/tempo) is ~(unhurried/leisurely)]",
                    "$ speech is [~(slow/unhurried)]",
                    "@ (speaks/talks) [~slowly]",
                    "@ (speaks/talks) at AN [~(slow/leisurely/unhurried) (pace/tempo)] (here/in this clip)",
                    "$ words (come/follow one another) [~slowly]",
                ],
                nouns=[
                    "AN [~(slow/leisurely/unhurried) (pace/tempo)]",
                    "AN [~(low/slow) (speaking rate/rate of speech)]",
                ],
            ),
            fact(
                (Cue.PITCH_RANGE, "high"),
                clauses=[
                    "$ [(pitch range/pitch span) (is/stays) ~(wide/large/broad)]",
                    "$ [pitch (varies widely/varies a lot/varies considerably)]",
                ],
                nouns=["AN [~(wide/large/broad) (pitch range/pitch span)]"],
            ),
            fact(
                (Cue.PITCH_RANGE, "normal"),
                clauses=["$ [(pitch range/pitch span) (is/stays) (normal/moderate/average/medium)]"],
                nouns=["AN [(normal/moderate/average/medium) (pitch range/pitch span)]"],
            ),
            fact(
                (Cue.PITCH_RANGE, "low"),
                clauses=[
                    "$ [(pitch range/pitch span) (is/stays) ~(narrow/small/limited)]",
                    "$ [pitch (varies little/varies only little/varies very little/moves little/changes little)]",
                ],
                nouns=["AN [~(narrow/small/limited) (pitch range/pitch span)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "rising"),
                clauses=[
                    "$ [(pitch/intonation/melody) (rises/climbs/goes up/moves upward)]",
                    "$ [(pitch contour/contour/intonation) is rising]",
                ],
                nouns=["AN [(rising/ascending/upward) (contour/pitch contour/intonation/melody)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "falling"),
                clauses=[
                    "$ [(pitch/intonation/melody) (falls/drops/goes down/sinks)]",
                    "$ [(pitch contour/contour/intonation) is falling]",
                ],
                nouns=["AN [(falling/descending/downward) (contour/pitch contour/intonation/melody)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "rising-falling"),
                clauses=[
                    "$ [(pitch/melody/intonation) (rises and then falls/first rises and then falls)]",
                    "$ [(pitch contour/contour/intonation) is rising-falling]",
                ],
                nouns=["AN [(rising-falling/rise-fall) (contour/pitch contour/intonation/melody)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "falling-rising"),
                clauses=[
                    "$ [(pitch/melody/intonation) (falls and then rises/first falls and then rises)]",
                    "$ [(pitch contour/contour/intonation) is falling-rising]",
                ],
                nouns=["AN [(falling-rising/fall-rise) (contour/pitch contour/intonation/melody)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "level"),
                clauses=["$ [(pitch/melody/intonation/pitch contour) (is/stays/remains) (level/steady/even)]"],
                nouns=["AN [(level/even/steady) (contour/pitch contour/melody)]"],
            ),
            fact(
                (Cue.CONTOUR_DYNAMICS, "flat"),
                clauses=[
                    "$ [(melody/intonation) (is/stays/sounds/remains) (flat/monotonous/monotone)]",
                    "$ [voice (is/sounds/stays) (flat/monotonous)]",
                ],
                nouns=["AN [(flat/monotonous/monotone) (melody/intonation)]", "AN [(flat/monotonous) voice]"],
            ),
            fact(
                (Cue.CONTOUR_DYNAMICS, "moderate"),
                clauses=[
                    "$ [(melody/intonation) (is/stays/sounds) (moderate/moderately varied/moderately lively)]",
                    "$ [(melody/intonation) is moderately (expressive/animated)]",
                ],
                nouns=["AN [moderately (varied/lively/expressive/animated) (melody/intonation)]"],
            ),
            fact(
                (Cue.CONTOUR_DYNAMICS, "expressive"),
                clauses=[
                    "$ [(melody/intonation) (is/stays/sounds/remains) (lively/expressive/animated/varied)]",
                    "$ [voice (is/sounds) (lively/expressive/animated)]",
                ],
                nouns=["AN [(lively/expressive/animated/varied) (melody/intonation)]"],
            ),
            fact(
                (Cue.VOICING, "whispered"),
                clauses=[
                    "there is [(almost no/hardly any) voicing]",
                    "$ speech is nearly [without voicing]",
                    "$ speech [lacks voicing]",
                    "$ voice is (almost/nearly) [unvoiced]",
                ],
                nouns=["AN [absence of voicing]", "AN [(almost/nearly) unvoiced] voice"],
            ),
            fact(
                (Cue.VOICING, "voiced"),
                clauses=["$ (speech/voice) is (clearly/normally) [voiced]", "there is [(clear/normal) voicing]"],
                nouns=["AN (clearly/normally) [voiced] voice"],
            ),
            fact(
                (Cue.VOICE_QUALITY, "clear"),
                clauses=["$ [voice (is/sounds/stays) clear]"],
                nouns=["AN [clear voice]"],
            ),
            fact(
                (Cue.VOICE_QUALITY, "rough"),
                clauses=["$ [voice (is/sounds) (rough/hoarse)]"],
                nouns=["AN [(rough/hoarse) voice]"],
            ),
            fact(
                (Cue.PAUSES, "none"),
                clauses=["there are [no pauses]", "@ (speaks/talks) [without (pauses/pausing)]", "@ makes [no pauses]"],
                nouns=["AN [absence of pauses]"],
            ),
            fact(
                (Cue.PAUSES, "present"),
                clauses=["there are [pauses]", "@ makes [pauses]", "[pauses] (interrupt/break up) what is said"],
                nouns=["+[pauses]"],
            ),
            fact(
                (Cue.PAUSES, "few"),
                clauses=["there are [few pauses]", "@ makes [few pauses]"],
                nouns=["+[few pauses]"],
            ),
            fact(
                (Cue.PAUSES, "many"),
                clauses=["there are [(many/frequent) pauses]", "@ makes [(many/frequent) pauses]"],
                nouns=["+[(many/frequent) pauses]"],
            ),
            fact(
                (Cue.PAUSES, "short"),
                clauses=["there are [(short/brief) pauses]", "@ makes [(short/brief) pauses]"],
                nouns=["+[(short/brief) pauses]"],
            ),
            fact(
                (Cue.PAUSES, "long"),
                clauses=[
                    "there are [(long/lengthy) pauses]",
                    "@ makes [(long/lengthy) pauses]",
                    "[(long/lengthy) pauses] (interrupt/break up) what is said",
                ],
                nouns=["+[(long/lengthy) pauses]"],
            ),
            fact(
                (Cue.PAUSES, "one short"),
                clauses=[
                    "there is one [pauses=short:(short/brief) pause]",
                    "@ makes AN [pauses=short:(short/brief) pause]",
                ],
                nouns=["AN [pauses=short:(short/brief) pause]"],
            ),
            fact(
                (Cue.PAUSES, "one long"),
                clauses=[
                    "there is one [pauses=long:(long/lengthy) pause]",
                    "AN [pauses=long:(long/lengthy) pause] interrupts what is said",
                ],
                nouns=["AN [pauses=long:(long/lengthy) pause]"],
            ),
        ]
    )
)
