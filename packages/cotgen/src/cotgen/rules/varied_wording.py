"""The varied style's sentences and conclusions, in the notation of `phrases`.

No phrase outside the conclusions holds an emotion label or an alias of one, and none but those of measured facts
(`varied_facts`) claims anything of the sound.
"""

from __future__ import annotations

from types import MappingProxyType

from cotgen.rules.phrases import agreeing, expand, people
from cotgen.verdict import OPENINGS
from speech_records import Gender

_WORDS_ALONE = (
    "the words by themselves do not settle the matter",
    "such words can be said in many moods",
    "the words alone leave the question open",
    "the wording tells little here",
    "no words are proof of a mood",
    "taken alone, the wording allows several readings",
    "words like these suit more than one mood",
)
_DIVIDED = (
    "so cue has to be weighed against cue",
    "and the sound is not of one piece",
    "and here the evidence is divided",
    "and the voice gives mixed signals",
    "while the cues disagree among themselves",
    "and the cues point two ways",
    "and the sound leaves room for doubt",
)
_BOTH_SIDES = ("on balance", "all told", "still", "nevertheless", "for all that", "with both sides weighed")
_OUTWEIGHED = (
    "the cues that fit weigh more",
    "more speaks for this reading than against it",
    "the fitting cues are in the majority",
    "the first impression holds",
    "the objections count for less",
    "the reading stands",
)
_UNDECIDED = (
    "the decision is a close one",
    "neither side wins clearly",
    "the two sides almost cancel out",
    "some doubt has to stay",
    "the conclusion is a matter of degree",
    "the reading has to stay cautious",
)
_CONCLUDING = (
    "", "so, ", "hence, ", "therefore, ", "all in all, ", "in sum, ", "on this evidence, ", "everything considered, ",
    "on the whole, ",
)  # fmt: skip
_CONCLUDED = (
    "the most (likely/plausible) emotion is",
    "the (best/most fitting) label is",
    "the label that fits best is",
    "the answer is",
    "the emotion is (best described as/taken to be)",
)
_ONE = "(one/a listener/the ear)"
_CLIP = "the (recording/clip/sample)"

EVIDENCE = {
    1: agreeing(
        [
            *["{c0}."] * 8,
            f"{_ONE} (hears/notices/picks out) {{n0}}.",
            f"{_CLIP} (shows/has/presents) {{n0}}.",
            "{n0} <stand|stands> out.",
            "{n0} <catch|catches> the ear.",
            "{n0} can be (heard/made out).",
            "(worth noting/noticeable/telling) is that {c0}.",
            "it can be (heard/noted) that {c0}.",
            "as to the (sound/evidence), {c0}.",
        ]
    ),
    2: agreeing(
        [
            *["{c0}, (and/while/and at the same time) {c1}."] * 2,
            "{c0} and {c1}.",
            "{c0}; {c1}.",
            "{c0}, with {n1}.",
            f"{_ONE} (hears/notices/picks out) {{n0}} (and/together with) {{n1}}.",
            "{n0} and {n1} (shape what is heard/stand out/come together/mark this clip/meet here).",
            f"{_CLIP} (combines/joins/brings together) {{n0}} and {{n1}}.",
            f"(besides/apart from) {{n0}}, {_CLIP} has {{n1}}.",
            "{c0}; (add to this/one also hears) {n1}.",
        ]
    ),
    3: agreeing(
        [
            "{c0}; {c1}, (and/while) {c2}.",
            "{c0} and {c1}, (while/and at the same time) {c2}.",
            "{c0}, with {n1} and {n2}.",
            "{c0}; {c1}, with {n2}.",
            f"{_ONE} (hears/notices) {{n0}}, {{n1}} and {{n2}}.",
            "three things can be (heard/made out): {n0}, {n1} and {n2}.",
            f"{_CLIP} (combines/brings together) {{n0}}, {{n1}} and {{n2}}.",
            "{n0}, {n1} and {n2} (shape what is heard/stand out/come together).",
        ]
    ),
}

SPEAKERS = people(
    by_gender={"female": "AN [gender=female:woman]", "male": "AN [gender=male:man]", "": "AN person"},
    by_age={
        "child": "AN [age=child:child]",
        "teenager": "AN [age=teenager:teenage] {}",
        "young adult": "AN [age=young adult:young] {}",
        "middle-aged": "AN [age=middle-aged:middle-aged] {}",
        "elderly": "AN [age=elderly:elderly] {}",
    },
)

GENERATOR = "rules/4"
STRONG = (("very", "strong"), ("markedly", "strong"), ("strikingly", "strong"), ("unusually", "strong"))
WEAK = (("slightly", "slight"), ("somewhat", "slight"), ("fairly", ""), ("rather", ""))
ONLY_JUST = (", though only just", ", though by a small margin", ", although not by much")
PRONOUNS = MappingProxyType({Gender.FEMALE: "she", Gender.MALE: "he"})
POSSESSIVES = MappingProxyType({Gender.FEMALE: "her", Gender.MALE: "his"})
LINKS = (
    "also, ",
    "besides, ",
    "in addition, ",
    "at the same time, ",
    "moreover, ",
    "on top of that, ",
    "meanwhile, ",
    "added to that, ",
)
QUOTES = expand(
    [
        "the (words/spoken words/words of this clip) are [“{text}”]",
        "(one hears the words/what is said is the sentence/the sentence reads/the sentence spoken is) [“{text}”]",
        "the (speaker says/speaker utters the words/text is/line is/transcript reads) [“{text}”]",
        "[“{text}”] (are the words/is what is said/is the sentence/is what the speaker says).",
        "the words [“{text}”] (can be understood/are spoken here/are heard).",
    ]
)
SPOKEN_QUOTES = expand(
    [
        "{speaker} (says/is saying/is heard saying/utters the words) [“{text}”]",
        "the words [“{text}”] (are spoken by/come from) {speaker}.",
        "[“{text}”], says {speaker}.",
    ]
)
SPEAKER_SENTENCES = expand(
    [
        "the speaker is {speaker}.",
        "{speaker} (is speaking/speaks here/can be heard/is the speaker).",
        "the voice is that of {speaker}.",
        "the voice (belongs to/is recognisably that of/comes from) {speaker}.",
        "(one hears/we listen to/this is) {speaker}.",
    ]
)
STRESS = agreeing(
    [
        "[(stress/emphasis) (falls/rests/lies) on {word}].",
        "[the (stress/emphasis/accent) is on {word}].",
        "[{word} <are stressed|is stressed>].",
        "[{word} <carry|carries> the emphasis].",
        "[{word} <stand|stands> out].",
        "@ [(stresses/emphasises/highlights) {word}].",
    ]
)
VERDICTS = expand(
    f"{start}(it/this/the clip/the recording) ({'/'.join(OPENINGS)}) {{portrait}}"
    for start in ("", "all in all, ", "as a whole, ", "on balance, ", "taken together, ", "heard in one piece, ")
)
"""The one place where a text decides; `cotgen.verdict.OPENINGS` is how every verdict begins."""
FITTING = agreeing(
    [
        "{verdict}, and {cues} (<fit|fits>/<suit|suits>/<support|supports>/<match|matches>) this.",
        "{verdict}; {cues} (<speak|speaks> for/<point|points> to/<belong|belongs> to) it.",
        "{verdict}, and it is (above all/chiefly) {cues} that <speak|speaks> for it.",
        "{verdict}, which (accounts for/explains/can explain) {cues}.",
        "{verdict}, a reading that rests on {cues}.",
        "{verdict}, with {cues} as the (main/strongest) (reason/evidence).",
        "{verdict}, and {cues} <carry|carries> (most of the/the greatest) weight in this.",
    ]
)
FITTING_APART = agreeing(
    [
        "(above all/first of all/most clearly), {cues} <speak|speaks> for (it/this reading).",
        "{cues} (<fit|fits>/<support|supports>/<point|points> to) this (reading/picture).",
        "this (reading/impression) (rests on/draws on/accounts for/explains) {cues}.",
        "the case for it rests on {cues}.",
        "from {cues} (a listener/one) can infer as much.",
        "(hearing/given) {cues}, one (has good reason to think so/can hardly think otherwise).",
    ]
)
OPPOSING = agreeing(
    [
        "(however/yet/still), {cues} (<speak|speaks> against it/<disagree|disagrees> with this reading).",
        "(however/but then), {cues} <do|does> not fit this (picture/reading).",
        "on the other hand, {cues} (<pull|pulls> in another direction/<point|points> elsewhere).",
        "{cues} <remain|remains> hard to (explain this way/reconcile with it).",
        "{cues}, (in contrast/by contrast), <speak|speaks> for something else.",
        "a doubt remains, because {cues} <do|does> not belong to it.",
        "this is not the whole picture: {cues} <go|goes> against it.",
        "only {cues} <stand|stands> in the way of this (reading/conclusion).",
    ]
)
OPPOSING_ALONE = agreeing(
    [
        "in fact, {cues} <speak|speaks> against it.",
        "{cues} <point|points> the other way.",
        "{cues} <count|counts> against it as well.",
        "{cues} <make|makes> this reading harder still.",
        "it has to be said that {cues} <disagree|disagrees> with it.",
    ]
)
NOTHING_FITS = expand(
    [
        "{verdict}, though (no single cue/nothing that was measured/nothing here) clearly points to it.",
        "{verdict}, though (no single cue/nothing that was measured/nothing here) is peculiar to it.",
        "{verdict}, though the measured cues (alone/by themselves) do not (show/establish/prove) it.",
        "{verdict}, though it leaves no clear trace in what was (measured/heard).",
    ]
)
NOTHING_OPPOSES = expand(
    [
        *(
            f"{no_cue} (speaks against this/contradicts this reading/points elsewhere/raises an objection)."
            for no_cue in ("nothing else", "no other cue", "no further observation", "none of the other cues")
        ),
        "the (other/remaining) cues can be (reconciled with it/read the same way).",
    ]
)
NOTHING_AT_ALL = expand(
    [
        "(nothing/no cue) speaks against (this/it/such a reading) either.",
        "what was measured (leaves the question open/rules nothing out).",
        "(then again/at least), the reading is not (ruled out/excluded).",
    ]
)
CONFLICTS = expand(f"{words}, {sound}." for words in _WORDS_ALONE for sound in _DIVIDED)
OUTWEIGHED = expand(f"{start}, {end}." for start in _BOTH_SIDES for end in _OUTWEIGHED)
UNDECIDED = expand(f"{start}, {end}." for start in _BOTH_SIDES for end in _UNDECIDED)
FILLERS = tuple(
    expand([text])
    for text in (
        "the evidence is scant, so this (reading/interpretation) stays uncertain.",
        "cues like these overlap between feelings, so some doubt (remains/is in order).",
        "a single clip cannot settle the matter, and another listener could (well/easily) decide otherwise.",
        "what could not be measured with certainty is left out (here on purpose/of this account).",
        "without more context, the conclusion has to rest on what (little can be heard/the sound alone can tell).",
    )
)
CONCLUSIONS = expand(f"{start}{end} {{label}}." for start in _CONCLUDING for end in _CONCLUDED)
