"""German for what the cues add up to, without naming the emotion: portraits of a mood, and why it sounds like that.

Portraits are feminine or neuter, so that subject and object look the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from cotgen.rules.phrases import moods, reasons
from speech_records import Emotion

_FRAMES = (
    "eine {} (Stimmung/Haltung/Verfassung/Gemütslage/Art zu sprechen)",
    "eine Person in {}r (Stimmung/Verfassung)",
)
_SPEECH = "(solches Sprechen/diese Art zu sprechen/ein solcher Klang)"
_PERSON = "(wer so spricht/wer so klingt/wer so redet),"

PORTRAITS: Mapping[Emotion, tuple[str, ...]] = moods(
    _FRAMES,
    {
        Emotion.NEUTRAL: ("sachliche/nüchterne/unbeteiligte", "eine bloße Mitteilung"),
        Emotion.CALM: ("friedliche/entspannte/unbesorgte", "eine Verfassung ohne jede Eile"),
        Emotion.HAPPY: ("heitere/beschwingte/gut gelaunte/vergnügte", "eine gute Nachricht"),
        Emotion.EXCITED: ("mitgerissene/angeregte/überschwängliche", "eine kaum zu bremsende Stimmung"),
        Emotion.SAD: ("niedergeschlagene/bedrückte/kummervolle/wehmütige", "eine Verfassung voller Kummer"),
        Emotion.ANGRY: ("gereizte/angriffslustige/feindselige/erboste", "eine offene Konfrontation"),
        Emotion.FEAR: ("alarmierte/erschrockene/beunruhigte", "eine bedrohlich erlebte Lage"),
        Emotion.DISGUST: ("abgestoßene/ablehnende/angestrengt abwehrende",
                          "eine Abneigung gegen etwas Widerliches"),
        Emotion.CONTEMPT: ("herablassende/abschätzige/geringschätzige", "eine geringe Meinung vom Gegenüber"),
        Emotion.SURPRISE: ("verblüffte/erstaunte/unvorbereitete", "eine plötzliche Wendung"),
        Emotion.CONFUSED: ("ratlose/zweifelnde/unsichere", "eine Suche nach Erklärungen"),
        Emotion.WHISPER: ("heimliche/vertrauliche/verschwiegene", "eine Botschaft für ein einziges Ohr"),
        Emotion.BORED: ("teilnahmslose/lustlose/gleichgültige/matte", "eine lästige Pflicht"),
        Emotion.FRUSTRATED: ("ungeduldige/entnervte/zermürbte", "eine vergebliche Anstrengung"),
    },
)  # fmt: skip

REASONS: Mapping[Emotion, tuple[str, ...]] = reasons(
    {
        Emotion.NEUTRAL: (
            f"{_SPEECH} (teilt mit und wertet nicht/will niemanden bewegen).",
            f"{_PERSON} (hat nichts zu beweisen/hält Abstand zur Sache).",
        ),
        Emotion.CALM: (
            f"{_SPEECH} (drängt nicht/verlangt nichts).",
            f"{_PERSON} (hat nichts zu verteidigen/hat Zeit für jedes Wort/rechnet mit nichts Bösem).",
        ),
        Emotion.HAPPY: (
            f"{_SPEECH} (lädt andere ein/teilt etwas Gutes mit).",
            f"{_PERSON} (genießt den Augenblick/mag, was geschieht).",
            "die Stimmung überträgt sich auf die (Worte/Zuhörenden).",
        ),
        Emotion.EXCITED: (
            f"{_SPEECH} (eilt sich selbst voraus/hält nichts zurück).",
            f"{_PERSON} (will andere mitziehen/kann kaum stillsitzen).",
        ),
        Emotion.SAD: (
            f"{_SPEECH} (kostet Kraft/zieht sich zurück).",
            f"{_PERSON} (hat etwas verloren/sieht keinen Ausweg/hat kaum noch Kraft).",
            "die Worte werden eher losgelassen als (gesendet/gerichtet).",
        ),
        Emotion.ANGRY: (
            f"{_SPEECH} (redet gegen einen Widerstand an/will gewinnen).",
            f"{_PERSON} (will, dass etwas aufhört/sieht sich im Recht).",
            "die Worte zielen auf (ein Gegenüber/jemanden).",
        ),
        Emotion.FEAR: (
            f"{_SPEECH} (sucht einen Ausweg/bereitet die Flucht vor).",
            f"{_PERSON} (rechnet mit dem Schlimmsten/fühlt sich nicht sicher).",
        ),
        Emotion.DISGUST: (
            f"{_SPEECH} (schiebt etwas von sich weg/hält etwas auf Abstand).",
            f"{_PERSON} (will damit nichts zu tun haben/ist etwas Üblem zu nahe gekommen).",
            "die Worte kommen gegen einen inneren (Widerstand/Widerwillen).",
        ),
        Emotion.CONTEMPT: (
            f"{_SPEECH} (schafft Abstand/macht das Gegenüber klein).",
            f"{_PERSON} (hält jede Mühe für unnötig/sieht kein Gegenüber auf Augenhöhe).",
        ),
        Emotion.SURPRISE: (
            f"{_SPEECH} (folgt keinem Plan/kommt jedem Plan zuvor).",
            f"{_PERSON} (hatte mit anderem gerechnet/hat eben etwas Neues erfahren).",
            "etwas Unerwartetes ist eben erst (eingetroffen/geschehen).",
        ),
        Emotion.CONFUSED: (
            f"{_SPEECH} (fragt mehr als sonst/tastet sich voran).",
            f"{_PERSON} (wartet auf eine Erklärung/hat den Faden verloren).",
            "der Gedanke entsteht noch beim (Sprechen/Reden).",
        ),
        Emotion.WHISPER: (
            f"{_SPEECH} (ist nicht für alle bestimmt/schließt den Raum aus).",
            f"{_PERSON} (hat etwas zu verbergen/vertraut nur einem Menschen).",
        ),
        Emotion.BORED: (
            f"{_SPEECH} (verlangt keine Antwort/erledigt eine Pflicht).",
            f"{_PERSON} (wartet auf das Ende/hat alles schon gehört).",
        ),
        Emotion.FRUSTRATED: (
            f"{_SPEECH} (trifft noch einmal auf dasselbe Hindernis/hält zurück, was hinauswill).",
            f"{_PERSON} (hat es schon versucht/gibt bald auf).",
        ),
    }
)
