"""English for the varied style: sentences, portraits and conclusions, in the notation of `phrases`.

No phrase outside the conclusions holds an emotion label or an alias of one, and none but those of measured facts
(`wording_en_facts`) claims anything of the sound.
"""

from __future__ import annotations

from types import MappingProxyType

from cotgen.phrases import Wording, agreeing, expand, people
from cotgen.wording_en_facts import FACTS
from speech_records import Emotion, Gender

_EVIDENCE = {
    1: agreeing(
        [
            "{c0}.",
            "{c0}.",
            "one (hears/notices) {n0}.",
            "the recording (shows/has) {n0}.",
            "{n0} <stand/stands> out.",
            "{n0} <catch/catches> the ear.",
            "{n0} can be heard.",
            "worth noting is that {c0}.",
            "it can be heard that {c0}.",
        ]
    ),
    2: agreeing(
        [
            "{c0}, and {c1}.",
            "{c0} and {c1}.",
            "{c0}, while {c1}.",
            "{c0}; {c1}.",
            "{c0}, with {n1}.",
            "one (hears/notices) {n0} and {n1}.",
            "{n0} and {n1} (shape what is heard/stand out/come together).",
            "the recording combines {n0} and {n1}.",
            "besides {n0}, the recording has {n1}.",
            "{c0}; add to this {n1}.",
        ]
    ),
    3: agreeing(
        [
            "{c0}, {c1}, and {c2}.",
            "{c0} and {c1}, while {c2}.",
            "{c0}, with {n1} and {n2}.",
            "{c0}; {c1}, with {n2}.",
            "one (hears/notices) {n0}, {n1} and {n2}.",
            "three things can be heard: {n0}, {n1} and {n2}.",
            "the recording combines {n0}, {n1} and {n2}.",
            "{n0}, {n1} and {n2} (shape what is heard/stand out/come together).",
        ]
    ),
}

_PORTRAITS = {
    Emotion.NEUTRAL: "a matter-of-fact manner,someone who simply states a fact,a businesslike attitude,"
    "a speaker with no particular stake in the matter",
    Emotion.CALM: "a peaceful state of mind,someone at ease,a relaxed manner,a settled and unworried attitude",
    Emotion.HAPPY: "a cheerful mood,someone in good spirits,a sunny and light-hearted manner,a pleased attitude",
    Emotion.EXCITED: "an exhilarated state of mind,someone thrilled by what is going on,an enthusiastic manner,"
    "a fired-up attitude",
    Emotion.SAD: "a downcast mood,someone weighed down by something,a sorrowful state of mind,a dejected manner",
    Emotion.ANGRY: "an irate state of mind,someone ready for a confrontation,a hostile manner,an aggressive attitude",
    Emotion.FEAR: "an alarmed state of mind,someone who senses a threat,a frightened manner,a worried attitude",
    Emotion.DISGUST: "a repelled attitude,someone who wants to keep something unpleasant away,a feeling of revulsion,"
    "a repulsed manner",
    Emotion.CONTEMPT: "a dismissive attitude,someone who thinks little of the other side,a scornful manner,"
    "a condescending stance",
    Emotion.SURPRISE: "a startled reaction,someone who did not see this coming,an astonished manner,"
    "an unprepared state of mind",
    Emotion.CONFUSED: "a puzzled state of mind,someone in search of an explanation,an uncertain manner,"
    "a doubtful and questioning attitude",
    Emotion.WHISPER: "a secretive manner,someone who wants one listener only,a confidential exchange,"
    "an attempt not to be overheard",
    Emotion.BORED: "a listless state of mind,someone without any interest in the matter,an indifferent manner,"
    "a weary and unengaged attitude",
    Emotion.FRUSTRATED: "an impatient state of mind,someone whose efforts come to nothing,an exasperated manner,"
    "a thwarted attitude",
}

_REASONS = {
    Emotion.NEUTRAL: "nothing here asks for the attention of a listener.|such speech informs more than it moves."
    "|a voice like this keeps its distance from what it says.",
    Emotion.CALM: "there is no hurry and no threat in such speech.|a speaker in this state has nothing to defend."
    "|whoever speaks like this has time to spare.",
    Emotion.HAPPY: "such speech invites the listener to share in something good.|the mood carries over to the words."
    "|whoever speaks like this enjoys the moment.",
    Emotion.EXCITED: "so much activation looks for a way out.|such speech runs ahead of itself."
    "|whoever speaks like this wants to pull others along.",
    Emotion.SAD: "such speech costs the speaker an effort.|the words are let go more than they are sent."
    "|whoever speaks like this has lost something, or fears to.",
    Emotion.ANGRY: "such speech presses forward against an obstacle.|the words are aimed at somebody."
    "|whoever speaks like this wants something to stop.",
    Emotion.FEAR: "a body that prepares to flee sounds like this.|such speech looks for a way out."
    "|whoever speaks like this expects the worst.",
    Emotion.DISGUST: "such speech pushes its object away.|the words come against some inner resistance."
    "|whoever speaks like this wants to have nothing to do with it.",
    Emotion.CONTEMPT: "such speech puts a distance between the two sides.|the words are let fall from above."
    "|whoever speaks like this sees no need to try.",
    Emotion.SURPRISE: "something unexpected has just come in.|such speech reacts before it has thought."
    "|whoever speaks like this had reckoned with something else.",
    Emotion.CONFUSED: "the thought is still being formed while it is spoken.|such speech asks more than it says."
    "|whoever speaks like this is waiting for something to make sense.",
    Emotion.WHISPER: "such speech is meant for one pair of ears.|the words are kept from everybody else."
    "|whoever speaks like this has something to hide from the room.",
    Emotion.BORED: "nothing in such speech asks for an answer.|the words are done as a duty."
    "|whoever speaks like this waits for it to be over.",
    Emotion.FRUSTRATED: "such speech meets the same obstacle once more.|the words hold something back that wants out."
    "|whoever speaks like this has tried before.",
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
            "the (words/spoken words) are [“{text}”]",
            "(one hears the words/what is said is the sentence/the sentence reads) [“{text}”]",
            "the (speaker says/text is/line is/transcript reads) [“{text}”]",
            "[“{text}”] (are the words/is what is said/is the sentence).",
            "the words [“{text}”] (can be understood/are spoken here).",
        ]
    ),
    spoken_quotes=expand(
        ["{speaker} says [“{text}”]", "the words [“{text}”] are spoken by {speaker}.", "[“{text}”], says {speaker}."]
    ),
    speakers=_SPEAKERS,
    speaker_sentences=expand(
        [
            "the speaker is {speaker}.",
            "{speaker} (is speaking/speaks here/can be heard).",
            "the voice is that of {speaker}.",
            "the voice (belongs to/is recognisably that of) {speaker}.",
        ]
    ),
    stress=agreeing(
        [
            "[(stress/emphasis) (falls/rests/lies) on {word}].",
            "[the (stress/emphasis/accent) is on {word}].",
            "[{word} <are stressed/is stressed>].",
            "[{word} <carry/carries> the emphasis].",
            "[{word} <stand/stands> out].",
            "@ [(stresses/emphasises/highlights) {word}].",
        ]
    ),
    portraits=MappingProxyType({emotion: tuple(text.split(",")) for emotion, text in _PORTRAITS.items()}),
    reasons=MappingProxyType({emotion: tuple(text.split("|")) for emotion, text in _REASONS.items()}),
    fitting=agreeing(
        [
            "{cues} <fit/fits> {portrait}.",
            "taken together, {cues} <suggest/suggests> {portrait}.",
            "{cues} <point/points> to {portrait}.",
            "heard as a whole, {cues} <add/adds> up to {portrait}.",
            "it is above all {cues} that <speak/speaks> for {portrait}.",
            "{portrait} accounts for {cues}.",
            "{cues} <call/calls> to mind {portrait}.",
            "with {cues}, the impression is one of {portrait}.",
            "the combination suggests {portrait}, and {cues} <carry/carries> most of the weight.",
            "what speaks for {portrait}: {cues}.",
            "{cues} <belong/belongs> to {portrait}.",
            "from {cues} a listener can infer {portrait}.",
        ]
    ),
    these_fit=expand(
        [
            "(so far, this/this much/all of this) (fits/suggests/points to) {portrait}.",
            "(together they/these observations) (fit/suggest/point to) {portrait}.",
            "{portrait} (accounts for/explains) all of that.",
            "(one thinks of/this brings to mind) {portrait}.",
        ]
    ),
    opposing=agreeing(
        [
            "however, {cues} <speak/speaks> against it.",
            "yet {cues} <do/does> not fit this picture.",
            "on the other hand, {cues} <pull/pulls> in another direction.",
            "{cues} <remain/remains> hard to explain this way.",
            "still, {cues} <disagree/disagrees> with this reading.",
            "{cues}, in contrast, <speak/speaks> for something else.",
            "a doubt remains, because {cues} <do/does> not belong to it.",
            "this is not the whole picture: {cues} <go/goes> against it.",
            "only {cues} <stand/stands> in the way of this reading.",
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
            "in fact, {cues} <speak/speaks> against it.",
            "{cues} <point/points> the other way.",
            "{cues} <count/counts> against it as well.",
            "{cues} <make/makes> this reading harder still.",
            "it has to be said that {cues} <disagree/disagrees> with it.",
        ]
    ),
    nothing_fits=expand(
        [
            "(no single cue/nothing that was measured) (clearly points to/is peculiar to) {portrait}.",
            "the measured cues alone do not (show/establish) {portrait}.",
            "{portrait} leaves no clear trace in what was measured.",
        ]
    ),
    nothing_opposes=expand(
        [
            "(nothing else/no other cue) (speaks against this/contradicts this reading/points elsewhere).",
            "the (other cues/rest of the evidence) can be reconciled with it.",
            "(there is no cue to the contrary/no cue has to be explained away).",
        ]
    ),
    nothing_at_all=expand(
        [
            "(nothing/no cue) speaks against (this/it) either.",
            "what was measured (leaves the question open/rules nothing out).",
        ]
    ),
    conflicts=(
        "the words by themselves do not settle the matter, so cue has to be weighed against cue.",
        "what is said and how it is said need not agree, and here the evidence itself is divided.",
        "words like these can be spoken in many moods, and the sound of them is not of one piece.",
        "between the words and the sound there is room for more than one reading.",
        "taken alone the words leave every reading open, and the sound does not speak with one tongue.",
    ),
    outweighed=(
        "on balance, the cues that fit weigh more.",
        "even so, more speaks for this reading than against it.",
        "still, the fitting cues are in the majority.",
        "weighing both sides, the first impression holds.",
    ),
    undecided=(
        "the two sides come close to cancelling out, so the reading stays cautious.",
        "the decision is a close one.",
        "neither side wins clearly, and some doubt has to stay.",
        "this makes the conclusion a matter of degree.",
    ),
    fillers=(
        "the evidence is thin, so this reading stays uncertain.",
        "cues like these overlap between feelings, so some doubt remains.",
        "a single clip cannot settle the matter, and another listener could well decide otherwise.",
        "what could not be measured with certainty is left out here on purpose.",
        "without more context, the conclusion has to rest on what little can be heard.",
    ),
    conclusions=expand(
        [
            "the (most likely/most plausible) emotion is {label}.",
            "so the (best/most fitting) label is {label}.",
            "the (label/answer) that fits best is {label}.",
            "all in all, the answer is {label}.",
            "(in sum/everything considered/on this evidence), the emotion is best described as {label}.",
            "this leads to the (label/answer) {label}.",
            "therefore the emotion is (taken to be/labelled) {label}.",
        ]
    ),
    labels=MappingProxyType({}),
)
