"""Which emotion the words of an English sentence say, by a small lexicon of our own.

It is meant to be read and argued with: plain words and phrases that are loaded on their own, chosen by us without any
other list and never measured against human judgement. It looks for few words and prefers silence: a text without any of
them says *nothing known*, not neutral; one with words of two emotions says nothing either. A word counts for nothing
when one of the three words before it in its clause negates it ("not happy at all"), or when the sentence asks ("are you
angry?"). It does not see irony, nor who it is that feels ("she was furious" counts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from speech_claims.quotes import words
from speech_records import Emotion

REACH = 3
"""Words before a loaded one among which a negation takes it away."""
NEGATIONS = frozenset(
    ("no", "not", "never", "neither", "nor", "without", "hardly", "barely", "nothing", "nobody", "isn't", "aren't",
     "wasn't", "weren't", "don't", "doesn't", "didn't", "can't", "couldn't", "won't", "wouldn't", "shouldn't", "cannot",
     "ain't")
)  # fmt: skip
LEXICON: Mapping[Emotion, tuple[str, ...]] = MappingProxyType(
    {
        Emotion.HAPPY: (
            "happy", "happiest", "delighted", "wonderful", "fantastic", "glad", "joyful", "overjoyed", "hooray",
            "congratulations", "great news", "good news", "best day", "made my day", "so proud",
        ),
        Emotion.EXCITED: ("excited", "exciting", "thrilled", "thrilling", "can't wait", "cannot wait"),
        Emotion.SAD: (
            "sad", "heartbroken", "miserable", "lonely", "hopeless", "grief", "grieving", "mourning", "sorrow",
            "devastated", "passed away", "funeral", "broke my heart", "in tears", "cried all night", "miss him so",
            "miss her so", "miss you so",
        ),
        Emotion.ANGRY: (
            "furious", "angry", "outraged", "outrageous", "infuriating", "livid", "how dare", "hate you", "shut up",
            "sick of", "fed up", "get out of my", "leave me alone",
        ),
        Emotion.FRUSTRATED: ("frustrated", "frustrating", "nothing works", "keeps going wrong"),
        Emotion.FEAR: (
            "afraid", "scared", "terrified", "terrifying", "frightened", "frightening", "panicking", "help me please",
            "going to die", "somebody is following", "scares me",
        ),
        Emotion.DISGUST: (
            "disgusting", "disgusted", "revolting", "repulsive", "nauseating", "gross", "makes me sick",
            "smells rotten",
        ),
        Emotion.CONTEMPT: ("pathetic", "despise", "contemptible", "beneath me", "waste of my time", "look down on"),
        Emotion.SURPRISE: (
            "surprised", "astonished", "astonishing", "amazed", "unbelievable", "can't believe", "cannot believe",
            "never expected", "out of nowhere", "what a surprise", "wow",
        ),
        Emotion.CONFUSED: (
            "confused", "confusing", "puzzled", "puzzling", "baffled", "don't understand", "do not understand",
            "makes no sense", "no idea what",
        ),
        Emotion.BORED: ("bored", "boring", "tedious", "monotonous", "dull"),
        Emotion.CALM: ("peaceful", "serene", "relaxed", "calm"),
    }
)  # fmt: skip
"""Loaded words and phrases, in small letters."""
SENTENCES: Mapping[Emotion, tuple[str, ...]] = MappingProxyType(
    {
        Emotion.HAPPY: (
            "This is the best day of my life", "I am so happy that you came", "What wonderful weather for our party",
            "The great news came this morning",
        ),
        Emotion.SAD: (
            "My grandmother passed away last night", "I have been so lonely since you left", "She broke my heart again",
            "The funeral is tomorrow at noon",
        ),
        Emotion.ANGRY: (
            "I am sick of your excuses", "You make me furious every single day", "How dare you open my letters",
            "I am fed up with this noise",
        ),
        Emotion.FEAR: (
            "I am terrified of that man", "I think somebody is following us", "The dark cellar scares me to death",
            "They were afraid to open the door",
        ),
        Emotion.DISGUST: (
            "There is something disgusting in my soup", "The smell in here makes me sick",
            "That sandwich looks revolting", "The kitchen smells rotten today",
        ),
        Emotion.CONTEMPT: (
            "Talking to you is a waste of my time", "What a pathetic little speech", "I despise people like him",
            "Such work is beneath me",
        ),
        Emotion.SURPRISE: (
            "I never expected to see you here", "He came back out of nowhere", "What a surprise to find you at home",
            "I was astonished when they told me",
        ),
        Emotion.CONFUSED: (
            "I have no idea what you want", "This map makes no sense to me", "The instructions are so confusing",
            "I am puzzled by her answer",
        ),
    }
)  # fmt: skip
"""Sentences of our own to be spoken in another emotion than the one they say."""
_CLAUSE = re.compile(r"[.,;:!…\n]+|\bbut\b", re.IGNORECASE)
_ASKED = re.compile(r"[^.!?…]*\?")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded word or phrase as it was found in a text, and the emotion it says."""

    emotion: Emotion
    text: str


def loaded_words(transcript: str) -> tuple[Loaded, ...]:
    """Every loaded word or phrase of a text that no negation takes away, in order of the lexicon.

    >>> [found.text for found in loaded_words("I'm not happy, I am furious. Are you scared?")]
    ['furious']
    """
    found: list[Loaded] = []
    for clause in _CLAUSE.split(_ASKED.sub(".", transcript)):
        spoken = words(clause)
        for emotion, entries in LEXICON.items():
            found += [Loaded(emotion, entry) for entry in entries if _stands(entry.split(), spoken)]
    return tuple(found)


def _stands(entry: list[str], spoken: list[str]) -> bool:
    return any(
        spoken[i : i + len(entry)] == entry and not NEGATIONS & set(spoken[max(0, i - REACH) : i])
        for i in range(len(spoken) - len(entry) + 1)
    )
