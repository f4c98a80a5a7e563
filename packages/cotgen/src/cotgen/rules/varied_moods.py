"""The varied style's words for what the cues add up to, without naming the emotion: portraits, and reasons."""

from __future__ import annotations

from collections.abc import Mapping

from cotgen.rules.phrases import expand, moods
from speech_records import Emotion

_FRAMES = ("AN {} (mood/manner/attitude/state of mind/frame of mind/speaker)", "someone in AN {} (mood/frame of mind)")
_SPEECH = "(such speech/this kind of speech/speech of this sort/speaking like this)"
_PERSON = "(whoever/anyone who) (speaks/talks) like this"

PORTRAITS: Mapping[Emotion, tuple[str, ...]] = moods(
    _FRAMES,
    {
        Emotion.NEUTRAL: ("matter-of-fact/businesslike/factual", "someone who simply states a fact",
                          "a speaker with no particular stake in the matter"),
        Emotion.CALM: ("peaceful/untroubled/settled/unworried", "someone at ease",
                       "a person with nothing to worry about"),
        Emotion.HAPPY: ("cheerful/sunny/light-hearted/pleased", "someone in good spirits", "a person with good news"),
        Emotion.EXCITED: ("exhilarated/enthusiastic/fired-up/thrilled", "someone carried away by what is going on"),
        Emotion.SAD: ("downcast/sorrowful/dejected/mournful", "someone weighed down by something",
                      "a person who has given up hope"),
        Emotion.ANGRY: ("hostile/aggressive/irate/combative", "someone ready for a confrontation",
                        "a person whose patience is at an end"),
        Emotion.FEAR: ("frightened/alarmed/worried/threatened", "someone who senses a threat",
                       "a person who wants to get away"),
        Emotion.DISGUST: ("repelled/repulsed/revolted", "someone who wants to keep something unpleasant away",
                          "a feeling of revulsion"),
        Emotion.CONTEMPT: ("dismissive/scornful/condescending/disdainful", "someone who looks down on others"),
        Emotion.SURPRISE: ("startled/astonished/amazed/unprepared", "someone who did not see this coming",
                           "a person taken aback"),
        Emotion.CONFUSED: ("puzzled/doubtful/uncertain/perplexed", "someone in search of an explanation",
                           "a person who has lost the thread"),
        Emotion.WHISPER: ("secretive/confidential/conspiratorial", "someone who wants one listener only",
                          "an attempt not to be overheard"),
        Emotion.BORED: ("listless/indifferent/weary/unengaged", "someone without any interest in the matter",
                        "a person who is waiting for the end"),
        Emotion.FRUSTRATED: ("impatient/exasperated/thwarted/fed-up", "someone whose efforts come to nothing"),
    },
)  # fmt: skip

REASONS: Mapping[Emotion, tuple[str, ...]] = {
    emotion: expand(texts)
    for emotion, texts in {
        Emotion.NEUTRAL: (
            f"{_SPEECH} (informs more than it moves/reports and does not judge).",
            f"{_PERSON} (has nothing to prove/keeps a distance from the matter).",
            "nothing here asks for the (attention/sympathy) of a listener.",
        ),
        Emotion.CALM: (
            f"there is no (threat/danger) in {_SPEECH}.",
            f"{_PERSON} (has time to spare/has nothing to defend/expects no harm).",
            f"{_SPEECH} (asks for nothing/puts the listener at ease).",
        ),
        Emotion.HAPPY: (
            f"{_SPEECH} (invites the listener in/wants to share something good).",
            f"{_PERSON} (enjoys the moment/has something to be glad of/likes what is happening).",
            "the mood carries over to the (words/listener).",
        ),
        Emotion.EXCITED: (
            f"{_SPEECH} (runs ahead of itself/can hold nothing back).",
            f"{_PERSON} (wants to pull others along/has trouble sitting still).",
            "so much (activation/eagerness) looks for a way out.",
        ),
        Emotion.SAD: (
            f"{_SPEECH} (costs the speaker an effort/asks to be left alone).",
            f"{_PERSON} (has lost something/has little strength left/sees no way forward).",
            "the words are let go more than they are (sent/meant for somebody).",
        ),
        Emotion.ANGRY: (
            f"{_SPEECH} (presses against an obstacle/is out to win/takes no answer).",
            f"{_PERSON} (wants something to stop/feels wronged).",
            "the words are aimed at (somebody/an opponent).",
        ),
        Emotion.FEAR: (
            f"{_SPEECH} (looks for a way out/prepares for flight).",
            f"{_PERSON} (expects the worst/cannot feel safe).",
            "a body that prepares to (flee/hide) is heard in it.",
        ),
        Emotion.DISGUST: (
            f"{_SPEECH} (pushes its object away/keeps its object at a distance).",
            f"{_PERSON} (wants nothing to do with it/has come too near to something foul).",
            "the words come against some inner (resistance/reluctance).",
        ),
        Emotion.CONTEMPT: (
            f"{_SPEECH} (puts a distance between the two sides/makes the other side small).",
            f"{_PERSON} (sees no need to try/does not expect an equal).",
            "the other side is talked at and not (talked to/listened to).",
        ),
        Emotion.SURPRISE: (
            f"{_SPEECH} (reacts before it has thought/comes before any plan).",
            f"{_PERSON} (had reckoned with something else/has just learned something new).",
            "something unexpected has just (come in/happened).",
        ),
        Emotion.CONFUSED: (
            f"{_SPEECH} (asks more than it says/feels its way forward).",
            f"{_PERSON} (is waiting for something to make sense/has not understood yet).",
            "the thought is still being formed while it is (spoken/put into words).",
        ),
        Emotion.WHISPER: (
            f"{_SPEECH} (is meant for one pair of ears/shuts the room out).",
            f"{_PERSON} (has something to hide/trusts one person only).",
            "the words are kept from (everybody else/the room).",
        ),
        Emotion.BORED: (
            f"{_SPEECH} (asks for no answer/does its duty and no more).",
            f"{_PERSON} (waits for it to be over/has heard it all before).",
            "the words are (done as a duty/got over with).",
        ),
        Emotion.FRUSTRATED: (
            f"{_SPEECH} (meets the same obstacle once more/holds back what wants out).",
            f"{_PERSON} (has tried before/is about to give up trying).",
            "the words carry the weight of (many attempts/a wasted effort).",
        ),
    }.items()
}
