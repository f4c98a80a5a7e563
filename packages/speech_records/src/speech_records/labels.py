"""Which label of a set an answer in a model's own words means.

`LabelSet.parse` takes the label as it was asked for and little else: rewards rest on it. Here a sentence is read.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from speech_records.emotions import ALIASES, Emotion, LabelSet


@dataclass(frozen=True, slots=True)
class LabelReading:
    """The label that an answer means, `None` when it means none or several, and every emotion that it names.

    `named` are the emotions in the order of the text, each once, those outside the label set included.
    """

    label: Emotion | None
    named: tuple[Emotion, ...]

    @property
    def ambiguous(self) -> bool:
        """Emotions are named that do not all count as one label."""
        return self.label is None and len(self.named) > 1


_WORDS = re.compile(r"[^\W_]+|[.,;:!?]")
_NAMES = {
    tuple(name.split()): emotion
    for emotion in Emotion
    for name in (emotion.value, *ALIASES[emotion])
}  # fmt: skip
_LONGEST = max(map(len, _NAMES))
_SHORTEST_ALIAS = 4  # letters: within a sentence, `dis` or `sur` is more likely a torn word than a corpus's label
_AMBIGUOUS_WORDS = {"default"}  # a label of one corpus, but seldom meant in a sentence
_ARTICLES = {"a", "an", "the"}
_NEGATIONS = {"not", "no", "never", "neither", "nor", "without", "cannot", "t", "hardly", "than"}  # t: isn't, doesn't
_AFFIRMED = {"only", "just", "doubt"}  # "not only angry", "no doubt angry"
_REACH = 3  # words that a negation may stand before what it denies: "not at all angry"
_CLAUSE_ENDS = {".", ",", ";", ":", "!", "?", "but"}


def read_label(answer: str, label_set: LabelSet) -> LabelReading:
    """The label of `label_set` that `answer` means. Never raises.

    1. Case, quotes, markdown, hyphens and underscores are dropped, compatibility forms of letters made plain.
    2. An answer that is a name or alias of an emotion, with or without article and closing mark, names that one.
    3. Otherwise it names every emotion whose name or alias is a word of its own in it (the longest first,
       aliases from four letters on), unless a negation stands at most three words before it in its clause: "not angry"
       names nothing, "not angry but sad" names sadness. "Not only" denies nothing; "instead of" and "than" do.
    4. Named emotions are mapped into the set (`LabelSet.map`). They mean a label when all of them count as it.

    >>> from speech_records import IEMOCAP_4
    >>> read_label("The emotion is **Sadness**.", IEMOCAP_4).label
    <Emotion.SAD: 'sad'>
    >>> read_label("not angry", IEMOCAP_4)
    LabelReading(label=None, named=())
    >>> read_label("happy or sad", IEMOCAP_4).ambiguous
    True
    """
    plain = unicodedata.normalize("NFKC", answer).casefold().replace("instead of", "without")
    words = _WORDS.findall(plain)
    whole = tuple(word for word in words if word[0].isalnum() and word not in _ARTICLES)
    named = [_NAMES[whole]] if whole in _NAMES else _mentioned(words)
    labels = {label_set.map(emotion) for emotion in named}
    return LabelReading(labels.pop() if len(labels) == 1 else None, tuple(dict.fromkeys(named)))


def _mentioned(words: list[str]) -> list[Emotion]:
    """The emotions named in `words` and not denied."""
    found: list[Emotion] = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            emotion = _NAMES.get(tuple(words[at : at + length]))
            if emotion is None or (length == 1 and not _meant(words[at], emotion)):
                continue
            if not _denied(words[:at]):
                found.append(emotion)
            at += length - 1
            break
        at += 1
    return found


def _meant(word: str, emotion: Emotion) -> bool:
    return word == emotion.value or (len(word) >= _SHORTEST_ALIAS and word not in _AMBIGUOUS_WORDS)


def _denied(before: list[str]) -> bool:
    """Whether a negation among the last words of `before`, in the same clause, denies what follows."""
    clause: list[str] = []
    for word in reversed(before):
        if word in _CLAUSE_ENDS or len(clause) == _REACH:
            break
        clause.insert(0, word)
    return not _AFFIRMED.intersection(clause) and not _NEGATIONS.isdisjoint(clause)
