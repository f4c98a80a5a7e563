"""German for the varied style: sentences, portraits and conclusions, in the notation of `phrases`.

No phrase outside the conclusions names an emotion, in German (`NAMES`) or in English. Quotes stand in
“…”, as in English text: that is what reads quotes everywhere here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cotgen.rules.phrases import Wording, agreeing, expand, marked
from cotgen.rules.wording_de_facts import FACTS
from cotgen.rules.wording_de_moods import PORTRAITS, REASONS
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
"""What Germans call the emotions; the first is the name that a conclusion gives beside the label."""

_WORDS_ALONE = (
    "die Worte allein entscheiden die Sache nicht",
    "solche Worte passen zu vielen Stimmungen",
    "der Wortlaut lässt mehrere Lesarten zu",
    "was gesagt wird, verrät hier wenig",
    "für sich genommen sagen die Worte wenig",
    "der bloße Text lässt die Frage offen",
    "aus dem Wortlaut folgt noch nichts",
)
_DIVIDED = (
    "und der Klang ist nicht aus einem Guss",
    "und die Hinweise im Klang sind geteilt",
    "so dass Merkmal gegen Merkmal abzuwägen ist",
    "und die Merkmale sind untereinander uneins",
    "und die Stimme gibt gemischte Signale",
    "während die Merkmale einander widersprechen",
    "und der Klang lässt Raum für Zweifel",
)
_BOTH_SIDES = ("im Ganzen", "gleichwohl", "dennoch", "bei alledem", "am Ende", "nach Abwägung beider Seiten")
_OUTWEIGHED = (
    "wiegen die passenden Merkmale schwerer",
    "spricht mehr dafür als dagegen",
    "hält der erste Eindruck",
    "sind die passenden Merkmale in der Überzahl",
    "bleibt es bei dieser Lesart",
    "zählen die Einwände weniger",
)
_UNDECIDED = (
    "fällt die Entscheidung knapp aus",
    "bleibt ein Zweifel",
    "gewinnt keine Seite klar",
    "heben beide Seiten einander beinahe auf",
    "bleibt die Lesart vorsichtig",
    "ist das Urteil eine Frage des Grades",
)
_CONCLUDING = (
    "daher", "also", "somit", "folglich", "alles in allem", "insgesamt", "unter dem Strich", "im Ergebnis",
    "nach Abwägung der Merkmale",
)  # fmt: skip
_CONCLUDED = (
    "passt am besten das Label {label}",
    "lautet das Label {label}",
    "ist die (wahrscheinlichste/plausibelste) Emotion {label}",
    "ist die Emotion am ehesten als {label} zu bezeichnen",
    "ergibt sich das Label {label}",
)
_CLIP = "die (Aufnahme/Probe)"
_NOTED = "(bemerkenswert ist/festhalten lässt sich/zu hören ist/es fällt auf)"

_EVIDENCE = {
    1: agreeing(
        [
            *["{c0}."] * 8,
            "(zu hören/zu vernehmen/auffällig) <sind|ist> {n0}.",
            "{n0} (<fallen|fällt> auf/<sind|ist> zu hören/<prägen|prägt> das Gehörte).",
            f"{_CLIP} (zeigt/hat) {{n0}}.",
            f"{_NOTED}, dass {{f0}}.",
            "was das Gehörte angeht, so {i0}.",
        ]
    ),
    2: agreeing(
        [
            *["{c0}, und {c1}."] * 2,
            "{c0}, während {f1}.",
            "{c0}; (zugleich/dabei/daneben) {i1}.",
            "{c0}; dazu <kommen|kommt> {n1}.",
            "(zu hören/zu vernehmen/auffällig) sind {n0} (und/sowie) {n1}.",
            "{n0} und {n1} (prägen das Gehörte/fallen auf/kommen zusammen/treffen aufeinander).",
            f"{_CLIP} (zeigt/verbindet) {{n0}} und {{n1}}.",
            f"{_NOTED}, dass {{f0}} und {{f1}}.",
        ]
    ),
    3: agreeing(
        [
            "{c0}; {c1}, und {c2}.",
            "{c0} und {c1}, während {f2}.",
            "{c0}; {c1}, und dazu <kommen|kommt> {n2}.",
            "(zu hören/zu vernehmen/auffällig) sind {n0}, {n1} und {n2}.",
            "dreierlei (fällt auf/ist zu hören): {n0}, {n1} und {n2}.",
            f"{_CLIP} (zeigt/verbindet) {{n0}}, {{n1}} und {{n2}}.",
            "{n0}, {n1} und {n2} (prägen das Gehörte/kommen zusammen).",
        ]
    ),
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
            "[(betont/hervorgehoben) <werden|wird> {word}].",
            "[besonderes Gewicht <bekommen|bekommt> {word}].",
            "@ [(betont/hebt hervor:) {word}].",
        ]
    ),
    portraits=PORTRAITS,
    reasons=REASONS,
    fitting=agreeing(
        [
            "{cues} <sprechen|spricht> für {portrait}.",
            "(zusammengenommen/alles in allem) <ergeben|ergibt> {cues} das Bild: {portrait}.",
            "{cues} (<deuten|deutet> auf {portrait} hin/<weisen|weist> auf {portrait}).",
            "{portrait} erklärt {cues}.",
            "(vor allem/besonders/in erster Linie) {cues} <lassen|lässt> an {portrait} denken.",
            "als Ganzes (gehört/genommen) <sprechen|spricht> {cues} für {portrait}.",
            "für {portrait} <sprechen|spricht> {cues}.",
            "auf {portrait} <weisen|weist> {cues} hin.",
            "der Eindruck ist (dieser/folgender): {portrait}. Dafür <stehen|steht> {cues}.",
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
            "(allerdings/jedoch/freilich) <sprechen|spricht> {cues} dagegen.",
            "{cues} <passen|passt> (jedoch/aber) nicht ins Bild.",
            "(andererseits/auf der anderen Seite) <weisen|weist> {cues} in eine andere Richtung.",
            "schwer (zu erklären/damit zu vereinbaren) <bleiben|bleibt> {cues}.",
            "{cues} <widersprechen|widerspricht> dieser (Lesart/Deutung).",
            "ein Zweifel bleibt, denn {cues} <gehören|gehört> nicht dazu.",
            "nur {cues} <stehen|steht> dieser (Lesart/Deutung) im Weg.",
        ]
    ),
    opposing_facts=MappingProxyType(
        {
            1: agreeing(
                [
                    "(allerdings/andererseits) {i0}, und das (passt nicht/weist anderswohin/spricht dagegen).",
                    "dagegen <stehen|steht> {n0}.",
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
            "tatsächlich <sprechen|spricht> {cues} dagegen.",
            "{cues} <weisen|weist> sogar in die andere Richtung.",
            "hinzu kommt, dass {cues} nicht dazu <passen|passt>.",
            "{cues} <machen|macht> diese Lesart noch schwerer.",
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
            *(
                f"{no_cue} (spricht dagegen/widerspricht dem/weist anderswohin/verlangt eine andere Deutung)."
                for no_cue in ("nichts sonst", "kein anderes Merkmal", "keine weitere Beobachtung")
            ),
            "die (übrigen/anderen/restlichen) Merkmale lassen sich (damit vereinbaren/ebenso lesen).",
        ]
    ),
    nothing_at_all=expand(
        [
            "(nichts/kein Merkmal) spricht (dagegen/gegen diese Lesart).",
            "das Gemessene (lässt die Frage offen/schließt nichts aus).",
        ]
    ),
    conflicts=expand(f"{words}, {sound}." for words in _WORDS_ALONE for sound in _DIVIDED),
    outweighed=expand(f"{start} {end}." for start in _BOTH_SIDES for end in _OUTWEIGHED),
    undecided=expand(f"{start} {end}." for start in _BOTH_SIDES for end in _UNDECIDED),
    fillers=tuple(
        expand([text])
        for text in (
            "die Hinweise sind spärlich, und diese (Lesart/Deutung) bleibt daher unsicher.",
            "solche Merkmale überschneiden sich zwischen den Gefühlen, so dass ein Zweifel (bleibt/angebracht ist).",
            "eine einzelne Aufnahme kann die Frage nicht entscheiden, und andere Ohren könnten anders urteilen.",
            "was sich nicht sicher messen ließ, bleibt hier (mit Absicht/bewusst) unerwähnt.",
            "ohne weiteren Zusammenhang muss sich das Urteil auf das Wenige stützen, das zu hören ist.",
        )
    ),
    conclusions=expand(f"{start} {end}." for start in _CONCLUDING for end in _CONCLUDED),
    labels=MappingProxyType({e.value: names[0] for e, names in NAMES.items() if e is not Emotion.NEUTRAL}),
)
