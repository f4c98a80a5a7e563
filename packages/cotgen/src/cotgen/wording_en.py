"""English for the varied style: sentences, portraits and conclusions, in the notation of `phrases`.

No phrase outside the conclusions holds an emotion label or an alias of one, and none but those of measured facts
(`wording_en_facts`) claims anything of the sound.
"""

from __future__ import annotations

from types import MappingProxyType

from cotgen.phrases import Wording, agreeing, expand, people
from cotgen.wording_en_facts import FACTS
from cotgen.wording_en_moods import PORTRAITS, REASONS
from speech_records import Gender

_ONE = "(one/a listener/the ear)"
_CLIP = "the (recording/clip/sample)"

_EVIDENCE = {
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

_SPEAKERS = people(
    by_gender={"female": "AN [gender=female:woman]", "male": "AN [gender=male:man]", "": "AN person"},
    by_age={
        "child": "AN [age=child:child]",
        "teenager": "AN [age=teenager:teenage] {}",
        "young adult": "AN [age=young adult:young] {}",
        "middle-aged": "AN [age=middle-aged:middle-aged] {}",
        "elderly": "AN [age=elderly:elderly] {}",
    },
)

WORDING = Wording(
    generator="rules/2",
    facts=FACTS,
    strong=(("very", "strong"), ("markedly", "strong"), ("strikingly", "strong"), ("unusually", "strong")),
    weak=(("slightly", "slight"), ("somewhat", "slight"), ("fairly", ""), ("rather", "")),
    only_just=(", though only just", ", though by a small margin", ", although not by much"),
    conjunction=" and ",
    disjunction=" or ",
    subject="the speaker",
    pronouns=MappingProxyType({Gender.FEMALE: "she", Gender.MALE: "he"}),
    article="the",
    possessives=MappingProxyType({Gender.FEMALE: "her", Gender.MALE: "his"}),
    evidence=MappingProxyType(_EVIDENCE),
    links=(
        "also, ",
        "besides, ",
        "in addition, ",
        "at the same time, ",
        "moreover, ",
        "on top of that, ",
        "meanwhile, ",
        "added to that, ",
    ),
    quotes=expand(
        [
            "the (words/spoken words/words of this clip) are [“{text}”]",
            "(one hears the words/what is said is the sentence/the sentence reads/the sentence spoken is) [“{text}”]",
            "the (speaker says/speaker utters the words/text is/line is/transcript reads) [“{text}”]",
            "[“{text}”] (are the words/is what is said/is the sentence/is what the speaker says).",
            "the words [“{text}”] (can be understood/are spoken here/are heard).",
        ]
    ),
    spoken_quotes=expand(
        [
            "{speaker} (says/is saying/is heard saying/utters the words) [“{text}”]",
            "the words [“{text}”] (are spoken by/come from) {speaker}.",
            "[“{text}”], says {speaker}.",
        ]
    ),
    speakers=_SPEAKERS,
    speaker_sentences=expand(
        [
            "the speaker is {speaker}.",
            "{speaker} (is speaking/speaks here/can be heard/is the speaker).",
            "the voice is that of {speaker}.",
            "the voice (belongs to/is recognisably that of/comes from) {speaker}.",
            "(one hears/we listen to/this is) {speaker}.",
        ]
    ),
    stress=agreeing(
        [
            "[(stress/emphasis) (falls/rests/lies) on {word}].",
            "[the (stress/emphasis/accent) is on {word}].",
            "[{word} <are stressed|is stressed>].",
            "[{word} <carry|carries> the emphasis].",
            "[{word} <stand|stands> out].",
            "@ [(stresses/emphasises/highlights) {word}].",
        ]
    ),
    portraits=PORTRAITS,
    reasons=REASONS,
    fitting=agreeing(
        [
            "(taken together/heard as a whole/combined), {cues} (<suggest|suggests>/<point|points> to) {portrait}.",
            "{cues} (<fit|fits>/<suggest|suggests>/<point|points> to/<call|calls> to mind) {portrait}.",
            "(above all/first of all/most clearly), {cues} <speak|speaks> for {portrait}.",
            "it is (above all/chiefly) {cues} that <speak|speaks> for {portrait}.",
            "{portrait} (accounts for/explains/can explain) {cues}.",
            "with {cues}, the (impression/picture) is one of {portrait}.",
            "the combination suggests {portrait}, and {cues} <carry|carries> (most of the/the greatest) weight.",
            "the case for {portrait} rests on {cues}.",
            "{cues} <belong|belongs> to {portrait}.",
            "from {cues} (a listener/one) can infer {portrait}.",
            "{cues} (<give|gives>/<leave|leaves>) the impression of {portrait}.",
            "(hearing/given) {cues}, one thinks of {portrait}.",
        ]
    ),
    these_fit=expand(
        [
            "(so far, this/this much/all of this) (fits/suggests/points to/speaks for) {portrait}.",
            "(together they/these observations/such cues) (fit/suggest/point to/speak for) {portrait}.",
            "{portrait} (accounts for/explains/can explain) (all of that/these cues).",
            "(one thinks of/this brings to mind/the impression is one of) {portrait}.",
        ]
    ),
    opposing=agreeing(
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
    ),
    opposing_facts=MappingProxyType(
        {
            1: agreeing(
                [
                    "(still/on the other hand), {c0}, which (does not fit/points elsewhere/speaks against it).",
                    "(against this one has to weigh/one thing disagrees:/harder to place is) {n0}.",
                    "(what disagrees is that/the difficulty is that) {c0}.",
                ]
            ),
            2: agreeing(
                [
                    "(still/on the other hand), {c0} and {c1}, which (does not fit/points elsewhere).",
                    "(against this one has to weigh/two things disagree:) {n0} and {n1}.",
                    "(the difficulty is that/what disagrees is that) {c0}, and that {c1}.",
                ]
            ),
            3: agreeing(
                [
                    "(against this one has to weigh/three things disagree:) {n0}, {n1} and {n2}.",
                    "(still/on the other hand), {c0}, {c1}, and {c2}, none of which fits.",
                ]
            ),
        }
    ),
    opposing_alone=agreeing(
        [
            "in fact, {cues} <speak|speaks> against it.",
            "{cues} <point|points> the other way.",
            "{cues} <count|counts> against it as well.",
            "{cues} <make|makes> this reading harder still.",
            "it has to be said that {cues} <disagree|disagrees> with it.",
        ]
    ),
    nothing_fits=expand(
        [
            "(no single cue/nothing that was measured/nothing here) (clearly points to/is peculiar to) {portrait}.",
            "the measured cues (alone/by themselves) do not (show/establish/prove) {portrait}.",
            "{portrait} leaves no clear trace in what was (measured/heard).",
        ]
    ),
    nothing_opposes=expand(
        [
            "(nothing else/no other cue) (speaks against this/contradicts this reading/points elsewhere).",
            "the (other cues/remaining cues/rest of the evidence) can be (reconciled with it/read the same way).",
            "(there is no cue to the contrary/no cue has to be explained away/no objection can be heard).",
            "against this (reading/interpretation) (nothing can be said/no cue has anything to say).",
        ]
    ),
    nothing_at_all=expand(
        [
            "(nothing/no cue) speaks against (this/it/such a reading) either.",
            "what was measured (leaves the question open/rules nothing out).",
            "(then again/at least), the reading is not (ruled out/excluded).",
        ]
    ),
    conflicts=expand(
        [
            "the (words/words by themselves) do not (settle/decide) the matter, so cue has to be weighed against cue.",
            "what is said and how it is said need not (agree/match), and here the evidence itself is (divided/split).",
            "(words like these/such words) can be spoken in many moods, and (the/their) sound is not of one piece.",
            "between the (words/wording) and the sound there is room for more than one (reading/interpretation).",
            "(taken alone/by themselves) the words leave every reading open, and the sound is (divided/of two minds).",
        ]
    ),
    outweighed=expand(
        [
            "(on balance/all told), the cues that fit weigh more.",
            "(even so/all the same), more speaks for this (reading/interpretation) than against it.",
            "(still/nevertheless), the fitting cues are in the majority.",
            "(weighing both sides/with both sides weighed), the first impression (holds/stands).",
        ]
    ),
    undecided=expand(
        [
            "the two sides come close to cancelling out, so the (reading/conclusion) stays cautious.",
            "the (decision/call) is a close one.",
            "neither side wins clearly, and some doubt (has to stay/must remain).",
            "this makes the (conclusion/answer) a matter of (degree/judgement).",
        ]
    ),
    fillers=tuple(
        expand([text])
        for text in (
            "the evidence is scant, so this (reading/interpretation) stays uncertain.",
            "cues like these overlap between feelings, so some doubt (remains/is in order).",
            "a single clip cannot settle the matter, and another listener could (well/easily) decide otherwise.",
            "what could not be measured with certainty is left out (here on purpose/of this account).",
            "without more context, the conclusion has to rest on what (little can be heard/the sound alone can tell).",
        )
    ),
    conclusions=expand(
        [
            "the (most likely/most plausible/likeliest) emotion is {label}.",
            "(so/hence/therefore), the (best/most fitting) label is {label}.",
            "the (label/answer) that fits best is {label}.",
            "(all in all/on the whole), the answer is {label}.",
            "(in sum/everything considered/on this evidence/overall), the emotion is best described as {label}.",
            "this (leads to/supports) the (label/answer) {label}.",
            "therefore the emotion is (taken to be/labelled) {label}.",
        ]
    ),
    labels=MappingProxyType({}),
)
