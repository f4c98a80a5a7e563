"""German for the varied style: sentences, portraits and conclusions, in the notation of `phrases`.

No phrase outside the conclusions names an emotion, in German (`NAMES`) or in English. Portraits are feminine, so that
subject and object look the same. Quotes stand in “…”, as in English text: that is what reads quotes everywhere here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cotgen.phrases import Wording, agreeing, expand, marked
from cotgen.wording_de_facts import FACTS
from speech_records import Emotion, Gender

NAMES: Mapping[Emotion, tuple[str, ...]] = MappingProxyType(
    {
        Emotion.NEUTRAL: ("Neutralität", "neutral"),
        Emotion.CALM: ("Ruhe", "ruhig", "Gelassenheit", "gelassen"),
        Emotion.HAPPY: ("Freude", "freudig", "fröhlich", "froh", "glücklich", "Glück"),
        Emotion.EXCITED: ("Aufregung", "aufgeregt", "Begeisterung", "begeistert"),
        Emotion.SAD: ("Trauer", "traurig", "Traurigkeit"),
        Emotion.ANGRY: ("Ärger", "ärgerlich", "verärgert", "Wut", "wütend", "Zorn", "zornig"),
        Emotion.FEAR: ("Angst", "ängstlich", "Furcht"),
        Emotion.DISGUST: ("Ekel", "angeekelt", "angewidert"),
        Emotion.CONTEMPT: ("Verachtung", "verächtlich"),
        Emotion.SURPRISE: ("Überraschung", "überrascht"),
        Emotion.CONFUSED: ("Verwirrung", "verwirrt"),
        Emotion.WHISPER: ("Flüstern", "flüsternd", "geflüstert"),
        Emotion.BORED: ("Langeweile", "gelangweilt"),
        Emotion.FRUSTRATED: ("Frustration", "frustriert", "Frust"),
    }
)
"""What Germans call the emotions; the first is the name that a conclusion gives before the label."""

_EVIDENCE = {
    1: agreeing(
        [
            "{c0}.",
            "{c0}.",
            "zu hören <sind/ist> {n0}.",
            "auffällig <sind/ist> {n0}.",
            "{n0} <fallen/fällt> auf.",
            "die Aufnahme (zeigt/enthält) {n0}.",
            "(bemerkenswert ist/zu hören ist/festhalten lässt sich), dass {f0}.",
        ]
    ),
    2: agreeing(
        [
            "{c0}, und {c1}.",
            "{c0}, während {f1}.",
            "{c0}; (zugleich/dabei) {i1}.",
            "{c0}; dazu <kommen/kommt> {n1}.",
            "zu hören sind {n0} und {n1}.",
            "{n0} und {n1} (prägen das Gehörte/fallen auf/kommen zusammen).",
            "die Aufnahme (zeigt/enthält) {n0} und {n1}.",
            "(bemerkenswert ist/festhalten lässt sich), dass {f0} und {f1}.",
        ]
    ),
    3: agreeing(
        [
            "{c0}, {c1}, und {c2}.",
            "{c0} und {c1}, während {f2}.",
            "{c0}; {c1}, und dazu <kommen/kommt> {n2}.",
            "zu hören sind {n0}, {n1} und {n2}.",
            "dreierlei fällt auf: {n0}, {n1} und {n2}.",
            "die Aufnahme (zeigt/enthält) {n0}, {n1} und {n2}.",
            "{n0}, {n1} und {n2} (prägen das Gehörte/kommen zusammen).",
        ]
    ),
}

_PORTRAITS = {
    Emotion.NEUTRAL: "eine sachliche Haltung,eine nüchterne Mitteilung,eine Aussage ohne innere Beteiligung",
    Emotion.CALM: "eine friedliche Stimmung,eine entspannte Haltung,eine Verfassung ohne jede Eile",
    Emotion.HAPPY: "eine heitere Stimmung,eine gut gelaunte Haltung,eine beschwingte Verfassung",
    Emotion.EXCITED: "eine mitgerissene Haltung,eine stark angeregte Verfassung,eine kaum zu bremsende Stimmung",
    Emotion.SAD: "eine niedergeschlagene Stimmung,eine bedrückte Haltung,eine Verfassung voller Kummer",
    Emotion.ANGRY: "eine gereizte Stimmung,eine angriffslustige Haltung,eine feindselige Verfassung",
    Emotion.FEAR: "eine alarmierte Verfassung,eine erschrockene Haltung,eine bedrohlich erlebte Lage",
    Emotion.DISGUST: "eine abgestoßene Haltung,eine Abneigung gegen etwas Widerliches,eine angestrengte Abwehr",
    Emotion.CONTEMPT: "eine herablassende Haltung,eine abschätzige Stimmung,eine geringe Meinung vom Gegenüber",
    Emotion.SURPRISE: "eine verblüffte Reaktion,eine unvorbereitete Haltung,eine plötzlich aufgeschreckte Verfassung",
    Emotion.CONFUSED: "eine ratlose Haltung,eine zweifelnde Stimmung,eine suchende und unsichere Verfassung",
    Emotion.WHISPER: "eine heimliche Mitteilung,eine vertrauliche Haltung,eine Botschaft für ein einziges Ohr",
    Emotion.BORED: "eine teilnahmslose Haltung,eine lustlose Stimmung,eine müde und unbeteiligte Verfassung",
    Emotion.FRUSTRATED: "eine ungeduldige Haltung,eine entnervte Stimmung,eine vergebliche Anstrengung",
}

_REASONS = {
    Emotion.NEUTRAL: "so wird etwas mitgeteilt und nicht bewertet.|hier soll niemand bewegt werden."
    "|das Gesagte bleibt auf Abstand zu dem, der es sagt.",
    Emotion.CALM: "nichts drängt, und nichts droht.|wer so spricht, hat nichts zu verteidigen."
    "|hier ist Zeit genug für jedes Wort.",
    Emotion.HAPPY: "so lädt jemand dazu ein, an etwas Gutem teilzuhaben.|wer so spricht, genießt den Augenblick."
    "|die Stimmung überträgt sich auf die Worte.",
    Emotion.EXCITED: "so viel Anregung sucht sich einen Weg.|wer so spricht, will andere mitziehen."
    "|das Gesagte eilt sich selbst voraus.",
    Emotion.SAD: "jedes Wort kostet hier Kraft.|wer so spricht, hat etwas verloren oder sieht es schwinden."
    "|die Worte werden eher losgelassen als gesendet.",
    Emotion.ANGRY: "so wird gegen einen Widerstand angeredet.|wer so spricht, will, dass etwas aufhört."
    "|die Worte zielen auf ein Gegenüber.",
    Emotion.FEAR: "so klingt ein Körper vor der Flucht.|wer so spricht, rechnet mit dem Schlimmsten."
    "|das Gesagte sucht einen Ausweg.",
    Emotion.DISGUST: "so wird etwas von sich weggeschoben.|wer so spricht, will damit nichts zu tun haben."
    "|die Worte kommen gegen einen inneren Widerstand.",
    Emotion.CONTEMPT: "so entsteht Abstand zwischen den beiden Seiten.|wer so spricht, hält jede Mühe für unnötig."
    "|die Worte fallen von oben herab.",
    Emotion.SURPRISE: "etwas Unerwartetes ist eben erst eingetroffen.|wer so spricht, hatte mit anderem gerechnet."
    "|hier wird reagiert, bevor gedacht wird.",
    Emotion.CONFUSED: "der Gedanke entsteht noch beim Sprechen.|wer so spricht, wartet auf eine Erklärung."
    "|das Gesagte fragt mehr, als es sagt.",
    Emotion.WHISPER: "das Gesagte ist nicht für alle bestimmt.|wer so spricht, will im Raum nicht gehört werden."
    "|die Worte bleiben unter zwei Menschen.",
    Emotion.BORED: "hier verlangt nichts nach einer Antwort.|wer so spricht, wartet auf das Ende."
    "|die Worte werden wie eine Pflicht erledigt.",
    Emotion.FRUSTRATED: "so trifft jemand noch einmal auf dasselbe Hindernis.|wer so spricht, hat es schon versucht."
    "|die Worte halten etwas zurück, das hinauswill.",
}

_SPEAKERS = {
    ("female", ""): "eine [gender=female:Frau]",
    ("male", ""): "ein [gender=male:Mann]",
    ("", "child"): "ein [age=child:Kind]",
    ("", "teenager"): "eine [age=teenager:jugendliche] Person",
    ("", "young adult"): "eine [age=young adult:junge] Person",
    ("", "middle-aged"): "eine Person [age=middle-aged:mittleren Alters]",
    ("", "elderly"): "eine [age=elderly:ältere] Person",
    ("female", "child"): "ein [age=child:Kind], und zwar ein [gender=female:Mädchen]",
    ("female", "teenager"): "eine [age=teenager:jugendliche] [gender=female:Sprecherin]",
    ("female", "young adult"): "eine [age=young adult:junge] [gender=female:Frau]",
    ("female", "middle-aged"): "eine [gender=female:Frau] [age=middle-aged:mittleren Alters]",
    ("female", "elderly"): "eine [age=elderly:ältere] [gender=female:Frau]",
    ("male", "child"): "ein [age=child:Kind], und zwar ein [gender=male:Junge]",
    ("male", "teenager"): "ein [age=teenager:jugendlicher] [gender=male:Sprecher]",
    ("male", "young adult"): "ein [age=young adult:junger] [gender=male:Mann]",
    ("male", "middle-aged"): "ein [gender=male:Mann] [age=middle-aged:mittleren Alters]",
    ("male", "elderly"): "ein [age=elderly:älterer] [gender=male:Mann]",
}

WORDING = Wording(
    generator="rules/2-de",
    facts=FACTS,
    strong=(("sehr", "strong"), ("ausgesprochen", "strong"), ("auffallend", "strong"), ("besonders", "strong")),
    weak=(("eher", ""), ("recht", ""), ("vergleichsweise", "")),
    only_just=(", wenn auch nur knapp", ", allerdings nur knapp"),
    conjunction=" und ",
    disjunction=" oder ",
    subject="die Person",
    pronouns=MappingProxyType({Gender.FEMALE: "sie", Gender.MALE: "er"}),
    article="die",
    possessives=MappingProxyType({Gender.FEMALE: "ihre", Gender.MALE: "seine"}),
    evidence=MappingProxyType(_EVIDENCE),
    links=("außerdem ", "zudem ", "dabei ", "zugleich ", "ferner ", "überdies ", "daneben "),
    quotes=expand(
        [
            "(die Worte lauten/gesagt wird/der Satz lautet/der Wortlaut ist): [“{text}”]",
            "zu (hören/verstehen) sind die Worte [“{text}”]",
            "[“{text}”] (sind die Worte/wird gesagt/ist zu verstehen).",
            "die Worte [“{text}”] (sind zu verstehen/werden gesprochen).",
        ]
    ),
    spoken_quotes=(
        "{speaker} sagt: [“{text}”]",
        "die Worte [“{text}”] spricht {speaker}.",
        "[“{text}”], sagt {speaker}.",
    ),
    speakers=MappingProxyType({key: marked(text) for key, text in _SPEAKERS.items()}),
    speaker_sentences=expand(
        ["(es/hier) spricht {speaker}.", "{speaker} (spricht/ist zu hören).", "(zu hören/am Wort) ist {speaker}."]
    ),
    stress=agreeing(
        [
            "[die Betonung liegt auf {word}].",
            "[(betont/hervorgehoben) <werden/wird> {word}].",
            "[besonderes Gewicht <bekommen/bekommt> {word}].",
            "@ [(betont/hebt hervor:) {word}].",
        ]
    ),
    portraits=MappingProxyType({emotion: tuple(text.split(",")) for emotion, text in _PORTRAITS.items()}),
    reasons=MappingProxyType({emotion: tuple(text.split("|")) for emotion, text in _REASONS.items()}),
    fitting=agreeing(
        [
            "{cues} <sprechen/spricht> für {portrait}.",
            "zusammengenommen <ergeben/ergibt> {cues} das Bild: {portrait}.",
            "{cues} <deuten/deutet> auf {portrait} hin.",
            "{portrait} erklärt {cues}.",
            "vor allem {cues} <lassen/lässt> an {portrait} denken.",
            "als Ganzes gehört <sprechen/spricht> {cues} für {portrait}.",
            "für {portrait} <sprechen/spricht> {cues}.",
            "auf {portrait} <weisen/weist> {cues} hin.",
            "der Eindruck ist dieser: {portrait}. Dafür <stehen/steht> {cues}.",
        ]
    ),
    these_fit=expand(
        [
            "(das/so weit) (spricht für/deutet auf) {portrait}.",
            "(diese Merkmale/solche Beobachtungen) (sprechen für/deuten auf) {portrait}.",
            "{portrait} (erklärt all das/macht das verständlich).",
            "das lässt an {portrait} denken.",
        ]
    ),
    opposing=agreeing(
        [
            "allerdings <sprechen/spricht> {cues} dagegen.",
            "{cues} <passen/passt> jedoch nicht ins Bild.",
            "andererseits <weisen/weist> {cues} in eine andere Richtung.",
            "schwer zu erklären <bleiben/bleibt> so {cues}.",
            "{cues} <widersprechen/widerspricht> dieser Lesart.",
            "ein Zweifel bleibt, denn {cues} <gehören/gehört> nicht dazu.",
            "nur {cues} <stehen/steht> dieser Lesart im Weg.",
        ]
    ),
    opposing_facts=MappingProxyType(
        {
            1: agreeing(
                [
                    "(allerdings/andererseits) {i0}, und das (passt nicht/weist anderswohin/spricht dagegen).",
                    "dagegen <stehen/steht> {n0}.",
                    "(die Schwierigkeit ist/nicht dazu passt), dass {f0}.",
                ]
            ),
            2: agreeing(
                [
                    "(allerdings/andererseits) {i0}, und {c1}: das (passt nicht/weist anderswohin).",
                    "dagegen stehen {n0} und {n1}.",
                    "(die Schwierigkeit ist/nicht dazu passt), dass {f0} und dass {f1}.",
                ]
            ),
            3: agreeing(
                [
                    "dagegen stehen {n0}, {n1} und {n2}.",
                    "(allerdings/andererseits) {i0}, {c1}, und {c2}: nichts davon passt.",
                ]
            ),
        }
    ),
    opposing_alone=agreeing(
        [
            "tatsächlich <sprechen/spricht> {cues} dagegen.",
            "{cues} <weisen/weist> sogar in die andere Richtung.",
            "hinzu kommt, dass {cues} nicht dazu <passen/passt>.",
            "{cues} <machen/macht> diese Lesart noch schwerer.",
        ]
    ),
    nothing_fits=expand(
        [
            "(kein einzelnes Merkmal/nichts von dem Gemessenen) (deutet klar auf/spricht eindeutig für) {portrait}.",
            "die gemessenen Merkmale allein belegen {portrait} nicht.",
            "{portrait} hinterlässt im Gemessenen keine klare Spur.",
        ]
    ),
    nothing_opposes=expand(
        [
            "(nichts sonst/kein anderes Merkmal) (spricht dagegen/widerspricht dem/weist in eine andere Richtung).",
            "die (übrigen/anderen) Merkmale lassen sich damit vereinbaren.",
            "ein Gegenargument ist nicht zu hören.",
        ]
    ),
    nothing_at_all=expand(
        [
            "(nichts/kein Merkmal) spricht (dagegen/gegen diese Lesart).",
            "das Gemessene (lässt die Frage offen/schließt nichts aus).",
        ]
    ),
    conflicts=(
        "die Worte allein entscheiden die Sache nicht, so dass Merkmal gegen Merkmal abzuwägen ist.",
        "was gesagt wird und wie es gesagt wird, muss nicht übereinstimmen, und hier sind die Hinweise selbst geteilt.",
        "solche Worte lassen sich in vielen Stimmungen sprechen, und ihr Klang ist nicht aus einem Guss.",
        "zwischen Wortlaut und Klang bleibt Raum für mehr als eine Lesart.",
        "für sich genommen lassen die Worte jede Lesart zu, und der Klang ist in sich uneins.",
    ),
    outweighed=(
        "im Ganzen wiegen die passenden Merkmale schwerer.",
        "trotzdem spricht mehr für diese Lesart als gegen sie.",
        "die passenden Merkmale sind dennoch in der Überzahl.",
        "werden beide Seiten abgewogen, so hält der erste Eindruck.",
    ),
    undecided=(
        "beide Seiten heben einander beinahe auf, so dass die Lesart vorsichtig bleibt.",
        "die Entscheidung ist knapp.",
        "keine Seite gewinnt klar, und ein Zweifel muss bleiben.",
        "so wird das Urteil zu einer Frage des Grades.",
    ),
    fillers=(
        "die Hinweise sind spärlich, und diese Lesart bleibt daher unsicher.",
        "solche Merkmale überschneiden sich zwischen den Gefühlen, so dass ein Zweifel bleibt.",
        "eine einzelne Aufnahme kann die Frage nicht entscheiden, und andere Ohren könnten anders urteilen.",
        "was sich nicht sicher messen ließ, bleibt hier mit Absicht unerwähnt.",
        "ohne weiteren Zusammenhang muss sich das Urteil auf das Wenige stützen, das zu hören ist.",
    ),
    conclusions=expand(
        [
            "die (wahrscheinlichste/plausibelste) Emotion ist {label}.",
            "am besten passt (daher/also/somit) das Label {label}.",
            "(alles in allem/insgesamt/unter dem Strich) lautet die Antwort {label}.",
            "nach Abwägung (aller/der) Merkmale ergibt sich das Label {label}.",
            "damit ist die Emotion am ehesten als {label} zu bezeichnen.",
        ]
    ),
    labels=MappingProxyType({e.value: names[0] for e, names in NAMES.items() if e is not Emotion.NEUTRAL}),
)
