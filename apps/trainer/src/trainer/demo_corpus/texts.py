"""What the demo corpus says: short sentences of neutral content, our own."""

from __future__ import annotations

SENTENCES: tuple[str, ...] = (
    "The train leaves after lunch",
    "My coat hangs behind the door",
    "They moved the table yesterday",
    "The keys are under the mat",
    "We park the car outside",
    "Her office opens at nine",
    "The list is on the desk",
    "He painted the kitchen wall",
    "The shop sells bread and milk",
    "Our bus stops near the bridge",
    "She put the book back",
    "The letter came this morning",
    "You can take the stairs",
    "The garden needs some water",
    "They changed the meeting room",
    "I have a window seat",
    "The clock shows ten past four",
    "We bought another blue chair",
    "His bag is in the hall",
    "The lamp stands by the sofa",
    "She works on the second floor",
    "The road turns left here",
    "There is coffee in the pot",
    "He reads the paper on Sunday",
    "The box holds twelve pencils",
    "We walk along the river",
    "The phone is in my pocket",
    "They sent a new form",
    "I wrote the number down",
    "The store closes at eight",
    "You left your hat inside",
    "The plates go on the shelf",
    "She called from the station",
    "The bench faces the lake",
    "We need a longer rope",
    "He carried the ladder home",
    "The map covers the whole town",
    "They grow beans and corn",
    "The tickets cost five dollars",
    "I saw them at the market",
)

_FUNCTION_WORDS = frozenset(
    ("a", "after", "along", "another", "are", "at", "behind", "by", "can", "from", "has", "have", "he", "her", "his",
     "i", "in", "is", "my", "near", "on", "our", "past", "she", "the", "them", "there", "they", "this", "under", "we",
     "you", "your")
)  # fmt: skip


def content_words(sentence: str) -> tuple[int, ...]:
    """Positions of the words that a speaker may stress.

    >>> content_words("The keys are under the mat")
    (1, 5)
    """
    return tuple(i for i, word in enumerate(sentence.split()) if word.lower() not in _FUNCTION_WORDS)
