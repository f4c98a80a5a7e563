"""German for what is measured, in the notation of `phrases`; keys as in `wording_en_facts`.

Clauses are `subject|verb|rest`, because the verb's place depends on the sentence around them. Nouns are feminine,
neuter or plural, so that subject and object look the same. Words that are English ones too and claim something there
(*fast*, *man*, *Pause*) are left out: the English verifier must find nothing false in these texts.
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
                    "$ (Stimmlage/Tonlage/Tonhöhe)|(ist/bleibt)|[~hoch]",
                    "$ Stimme|(klingt/liegt/bleibt)|[~hoch]",
                    "@|(spricht/redet)|mit [~hoher Stimme]",
                ],
                nouns=["eine [~hohe (Stimmlage/Tonlage/Stimme/Tonhöhe)]"],
            ),
            fact(
                (Cue.PITCH, "normal"),
                clauses=[
                    "$ (Stimmlage/Tonlage/Tonhöhe)|(liegt/bleibt)|im [mittleren Bereich]",
                    "$ (Stimmlage/Stimme)|ist|weder [!high:hoch] noch [!low:tief]",
                    "@|(spricht/redet)|in [mittlerer Stimmlage]",
                ],
                nouns=["eine [(mittlere/gewöhnliche/durchschnittliche) (Stimmlage/Tonlage/Tonhöhe)]"],
            ),
            fact(
                (Cue.PITCH, "low"),
                clauses=[
                    "$ (Stimmlage/Tonlage)|(ist/bleibt)|[~tief]",
                    "$ Stimme|(klingt/liegt/bleibt)|[~tief]",
                    "@|(spricht/redet)|mit [~tiefer Stimme]",
                ],
                nouns=["eine [~tiefe (Stimmlage/Tonlage/Stimme)]", "eine [~niedrige Tonhöhe]"],
            ),
            fact(
                (Cue.ENERGY, "high"),
                clauses=[
                    "$ Stimme|(ist/klingt/bleibt)|[~(laut/kräftig)]",
                    "$ Lautstärke|(ist/bleibt)|[~hoch]",
                    "@|(spricht/redet)|[~laut]",
                    "@|(spricht/redet)|mit [~(lauter/kräftiger) Stimme]",
                ],
                nouns=["eine [~(laute/kräftige) Stimme]", "eine [~(hohe/große) Lautstärke]"],
            ),
            fact(
                (Cue.ENERGY, "normal"),
                clauses=[
                    "$ Lautstärke|(liegt/bleibt)|im [mittleren Bereich]",
                    "$ Stimme|(ist/klingt)|weder [!high:laut] noch [!low:leise]",
                    "@|(spricht/redet)|in [mittlerer Lautstärke]",
                ],
                nouns=["eine [(mittlere/gewöhnliche/durchschnittliche) Lautstärke]"],
            ),
            fact(
                (Cue.ENERGY, "low"),
                clauses=[
                    "$ Stimme|(ist/klingt/bleibt)|[~(leise/schwach)]",
                    "$ Lautstärke|(ist/bleibt)|[~(gering/niedrig)]",
                    "@|(spricht/redet)|[~leise]",
                    "@|(spricht/redet)|mit [~(leiser/schwacher) Stimme]",
                ],
                nouns=["eine [~(leise/schwache) Stimme]", "eine [~(geringe/niedrige) Lautstärke]"],
            ),
            fact(
                (Cue.RATE, "high"),
                clauses=[
                    "das (Tempo/Sprechtempo)|(ist/bleibt)|[~(hoch/schnell/zügig)]",
                    "@|(spricht/redet)|[~(schnell/rasch/zügig)]",
                    "$ Worte|(kommen/folgen)|[~(schnell/rasch)]",
                ],
                nouns=["ein [~(hohe/schnelle/zügige)% (Tempo/Sprechtempo)]", "eine [~schnelle Sprechweise]"],
            ),
            fact(
                (Cue.RATE, "normal"),
                clauses=[
                    "das (Tempo/Sprechtempo)|(liegt/bleibt)|im [mittleren Bereich]",
                    "@|(spricht/redet)|weder [!high:schnell] noch [!low:langsam]",
                    "@|(spricht/redet)|in [(mittlerem/gewöhnlichem) Tempo]",
                ],
                nouns=["ein [(mittlere/gewöhnliche/durchschnittliche)% (Tempo/Sprechtempo)]"],
            ),
            fact(
                (Cue.RATE, "low"),
                clauses=[
                    "das (Tempo/Sprechtempo)|(ist/bleibt)|[~(langsam/gemächlich/niedrig)]",
                    "@|(spricht/redet)|[~(langsam/gemächlich)]",
                    "$ Worte|(kommen/folgen)|[~langsam]",
                ],
                nouns=["ein [~(langsame/gemächliche/niedrige)% (Tempo/Sprechtempo)]", "eine [~langsame Sprechweise]"],
            ),
            fact(
                (Cue.PITCH_RANGE, "high"),
                clauses=[
                    "$ (Tonhöhe/Stimmlage)|(schwankt/wechselt)|[~stark]",
                    "$ Tonspanne|(ist/bleibt)|[~(groß/weit)]",
                ],
                nouns=["eine [~(große/weite) Tonspanne]", "eine [~stark schwankende Tonhöhe]"],
            ),
            fact(
                (Cue.PITCH_RANGE, "normal"),
                clauses=["$ Tonspanne|(liegt/bleibt)|im [mittleren Bereich]"],
                nouns=["eine [(mittlere/gewöhnliche/durchschnittliche) Tonspanne]"],
            ),
            fact(
                (Cue.PITCH_RANGE, "low"),
                clauses=[
                    "$ (Tonhöhe/Stimmlage)|(schwankt/wechselt)|[(wenig/kaum)]",
                    "$ Tonspanne|(ist/bleibt)|[~(klein/eng)]",
                ],
                nouns=["eine [~(kleine/enge) Tonspanne]", "eine [wenig schwankende Tonhöhe]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "rising"),
                clauses=[
                    "$ (Stimme/Melodie/Tonhöhe)|geht|[nach oben]",
                    "$ (Melodie/Tonbewegung)|verläuft|[(steigend/aufwärts)]",
                ],
                nouns=["eine [(steigende/aufwärts führende) (Melodie/Tonbewegung)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "falling"),
                clauses=[
                    "$ (Stimme/Melodie/Tonhöhe)|geht|[nach unten]",
                    "$ (Melodie/Tonbewegung)|verläuft|[(fallend/abwärts)]",
                ],
                nouns=["eine [(fallende/abwärts führende) (Melodie/Tonbewegung)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "rising-falling"),
                clauses=[
                    "$ (Stimme/Melodie/Tonhöhe)|geht|[erst nach oben und dann nach unten]",
                    "$ (Melodie/Tonbewegung)|verläuft|[(steigend-fallend/erst aufwärts und dann abwärts)]",
                ],
                nouns=["eine [(steigend-fallende/erst steigende und dann fallende) (Melodie/Tonbewegung)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "falling-rising"),
                clauses=[
                    "$ (Stimme/Melodie/Tonhöhe)|geht|[erst nach unten und dann nach oben]",
                    "$ (Melodie/Tonbewegung)|verläuft|[(fallend-steigend/erst abwärts und dann aufwärts)]",
                ],
                nouns=["eine [(fallend-steigende/erst fallende und dann steigende) (Melodie/Tonbewegung)]"],
            ),
            fact(
                (Cue.CONTOUR_SHAPE, "level"),
                clauses=[
                    "$ (Stimme/Melodie/Tonhöhe)|bleibt|[auf einer Höhe]",
                    "$ (Melodie/Tonbewegung)|verläuft|[(eben/gleichbleibend)]",
                ],
                nouns=["eine [(ebene/gleichbleibende) (Melodie/Tonbewegung)]"],
            ),
            fact(
                (Cue.CONTOUR_DYNAMICS, "flat"),
                clauses=["$ (Melodie/Intonation/Stimme)|(ist/klingt/bleibt)|[(eintönig/flach)]"],
                nouns=["eine [(eintönige/flache) (Melodie/Intonation)]"],
            ),
            fact(
                (Cue.CONTOUR_DYNAMICS, "moderate"),
                clauses=["$ (Melodie/Intonation)|(ist/klingt/bleibt)|[mäßig (bewegt/lebhaft/ausdrucksvoll)]"],
                nouns=["eine [mäßig (bewegte/lebhafte/ausdrucksvolle) (Melodie/Intonation)]"],
            ),
            fact(
                (Cue.CONTOUR_DYNAMICS, "expressive"),
                clauses=["$ (Melodie/Intonation/Stimme)|(ist/klingt/bleibt)|[(lebhaft/ausdrucksvoll/lebendig)]"],
                nouns=["eine [(lebhafte/ausdrucksvolle/lebendige) (Melodie/Intonation)]"],
            ),
            fact(
                (Cue.VOICING, "whispered"),
                clauses=[
                    "$ Stimme|ist|[kaum stimmhaft]",
                    "$ Sprechweise|ist|[(nahezu stimmlos/kaum stimmhaft)]",
                    "das Gesagte|bleibt|[nahezu stimmlos]",
                ],
                nouns=["eine [(kaum stimmhafte/nahezu stimmlose) (Sprechweise/Stimme)]"],
            ),
            fact(
                (Cue.VOICING, "voiced"),
                clauses=["$ (Stimme/Sprechweise)|ist|(deutlich/durchaus) [stimmhaft]"],
                nouns=["eine [(deutlich/durchaus) stimmhafte (Stimme/Sprechweise)]"],
            ),
            fact(
                (Cue.VOICE_QUALITY, "clear"),
                clauses=["$ Stimme|(ist/klingt/bleibt)|[klar]"],
                nouns=["eine [klare Stimme]"],
            ),
            fact(
                (Cue.VOICE_QUALITY, "rough"),
                clauses=["$ Stimme|(ist/klingt)|[(rau/heiser)]"],
                nouns=["eine [(raue/heisere) Stimme]"],
            ),
            fact(
                (Cue.PAUSES, "none"),
                clauses=[
                    "es|gibt|[keine Pausen]",
                    "@|(spricht/redet)|[ohne (Pausen/Unterbrechung)]",
                    "@|macht|[keine Pausen]",
                ],
                nouns=["das [Fehlen von Pausen]=>das [Fehlen von Pausen]"],
            ),
            fact(
                (Cue.PAUSES, "present"),
                clauses=["es|gibt|[Pausen]", "@|macht|[Pausen]", "[Pausen]|unterbrechen|die Worte"],
                nouns=["+[Pausen]=>die [Pausen]"],
            ),
            fact(
                (Cue.PAUSES, "few"),
                clauses=["es|gibt|[wenige Pausen]", "@|macht|[wenige Pausen]"],
                nouns=["+[wenige Pausen]=>die [wenigen Pausen]"],
            ),
            fact(
                (Cue.PAUSES, "many"),
                clauses=["es|gibt|[(viele/häufige) Pausen]", "@|macht|[(viele/häufige) Pausen]"],
                nouns=["+[viele Pausen]=>die [vielen Pausen]", "+[häufige Pausen]=>die [häufigen Pausen]"],
            ),
            fact(
                (Cue.PAUSES, "short"),
                clauses=["es|gibt|[kurze Pausen]", "@|macht|[kurze Pausen]", "[kurze Pausen]|unterbrechen|die Worte"],
                nouns=["+[kurze Pausen]=>die [kurzen Pausen]"],
            ),
            fact(
                (Cue.PAUSES, "long"),
                clauses=["es|gibt|[lange Pausen]", "@|macht|[lange Pausen]", "[lange Pausen]|unterbrechen|die Worte"],
                nouns=["+[lange Pausen]=>die [langen Pausen]"],
            ),
            fact(
                (Cue.PAUSES, "one short"),
                clauses=[
                    "es|gibt|eine [pauses=short:kurze Unterbrechung]",
                    "@|macht|eine [pauses=short:kurze Unterbrechung]",
                ],
                nouns=["eine [pauses=short:kurze Unterbrechung]"],
            ),
            fact(
                (Cue.PAUSES, "one long"),
                clauses=[
                    "es|gibt|eine [pauses=long:lange Unterbrechung]",
                    "@|macht|eine [pauses=long:lange Unterbrechung]",
                ],
                nouns=["eine [pauses=long:lange Unterbrechung]"],
            ),
        ]
    )
)
