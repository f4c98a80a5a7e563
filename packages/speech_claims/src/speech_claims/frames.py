"""What frames a clause: the noun that it is said of, the time it speaks of, and whether the clip was heard at all.

*The kettle whistles at a high pitch* has a subject that is no voice, *last month she was louder* tells of another time,
and *…, but the audio is missing* says that nothing before it describes a clip.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from speech_claims import lexicon
from speech_claims.lexicon import Kind
from speech_claims.scope import parts
from speech_claims.senses import names_person, word_set
from speech_claims.word import Word

_SUBJECTS = word_set("subjects") | word_set("speech") | word_set("persons") | word_set("of_speech") | word_set("places")
_SAYS = word_set("says")
"""Verbs of those who speak, or who hear a speaker: *the surgeon says*, *the ear hears*."""
_SUBJECTS -= {"laugh", "smile", "sigh", "cough"}
_SOUNDS, _OTHER_TIMES, _THIS_CLIP = word_set("sounds"), word_set("other_times"), word_set("this_clip")
_SPEAKER = frozenset(("he", "she", "i", "we", "you", "it", "they", "this", "that", "there", "who", "which", "one"))
_WHICH = frozenset(("which", "who", "that"))
_EVERY = frozenset(("every", "each", "any", "most", "many"))
_ANY = frozenset(
    ("every", "each", "any", "most", "many", "some", "whoever", "anybody", "anyone", "everyone", "everybody")
)
_POSSESSIVE = frozenset(("my", "our", "his", "her", "their", "your", "his own", "her own"))
_NO_PERSONS = word_set("no_persons")
_HEARSAY = word_set("hearsay")
_RELATIVES = word_set("relatives")
_PERSON_ENDINGS = ("er", "or", "ist", "ian", "man", "woman", "men", "women", "ess", "ee", "ant", "person")
_MOST_NOUNS = 3
_REACH, _PROMPT = 14, 20
_WANTS = frozenset(
    (
        "wants",
        "wanted",
        "want",
        "asked for",
        "asks for",
        "prefers",
        "preferred",
        "needs",
        "requests",
        "requested",
        "demands",
    )
)
_TAKES = frozenset(
    ("take", "takes", "took", "taken", "taking", "mistook", "mistake", "mistakes", "mistaken", "pass", "passes")
)
_WRITINGS = frozenset(
    ("script", "words", "text", "title", "caption", "transcript", "story", "letter", "wording", "plot", "lyrics")
)
_KINDS = frozenset(("kind", "type", "sort", "form", "variety", "brand"))
_VOICES = frozenset(
    ("speaker", "narrator", "announcer", "voice", "character", "actor", "actress", "reader", "sentence", "line")
)
_DUTIES = frozenset(("must", "should", "has to", "have to", "needs to", "need to", "ought to"))
_COMPARES = frozenset(("than", "as", "like", "unlike", "from", "since", "until", "compared", "before"))
_WOULD = ("would", "should")

_HEARD = r"(?:heard?|listen(?:ed)?|play(?:ed)?|open(?:ed)?|receiv(?:ed?)|seen|got|had|met)"
_CLIP = r"(?:audio|recordings?|clips?|files?|tapes?|sound|track|take|version|sample)"
_THE = r"(?:the|this|that|today['’]s|his|her|our|any)"
_NOT = r"(?:not|n['’]t|never|yet\s+to|still\s+to|(?:have|had)n['’]t)"
_I_HAVE_NOT = rf"\b(?:i|we|nobody|no\s+one)(?:\s+(?:have|had)|['’](?:ve|d))?\s+{_NOT}(?:\s+(?:yet|actually))?"
_OBJECT = rf"(?:it|him|her|them|{_THE}\s+(?:\w+\s+)?{_CLIP})"
_GONE = (
    r"(?:missing|empty|silent|corrupt(?:ed)?|damaged|lost|blank|unavailable|muted|unplayable|still\s+to\s+come|"
    r"yet\s+to\s+(?:come|arrive|be\s+\w+)|not\s+(?:available|attached|supplied|included|provided|there|here))"
)
_MADE = r"(?:arrived|come|been\s+(?:sent|recorded|delivered|uploaded|heard|played|spoken|made))"
_WRITTEN = r"(?:script|transcript|text|file\s+name|title|words|page|label|metadata)"
_UNHEARD = re.compile(
    "|".join(
        (
            rf"{_I_HAVE_NOT}\s+{_HEARD}(?:\s+to)?(?:\s+{_OBJECT})?\s*(?:yet|so\s+far|myself)?\s*(?:[.;,!]|$)",
            rf"\b{_THE}\s+(?:\w+\s+)?{_CLIP}\s+(?:itself\s+)?(?:is|was|are|were)\s+{_GONE}",
            rf"\b(?:{_THE}|(?:month|week|year)['’]s)(?:\s+\w+)?\s+(?:has|have)(?:\s+not|n['’]t)\s+(?:yet\s+)?{_MADE}",
            rf"\bno\s+{_CLIP}\s+(?:is|was|were|has|comes|came|accompan)",
            rf"\b(?:could|can)(?:\s+not|n['’]t|not)\s+(?:open|play|load|hear)\s+{_THE}\s+(?:\w+\s+)?{_CLIP}",
            rf"\b(?:only|just|nothing\s+but)\s+the\s+{_WRITTEN}\s+(?:is|was|has|have|reached|came|survives?|exists?)",
            r"\bseen\s+only\s+(?:the|a)\b|\bsent\s+the\s+wrong\b|\bthe\s+wrong\s+(?:file|clip|recording)\b",
            rf"\b(?:is|was|are|were)\s+(?:not|n['’]t|never)\s+(?:in|part\s+of|on)\s+this\s+{_CLIP}",
            r"\b(?:(?:was|were)\s+never|never\s+been)\s+(?:spoken|recorded|read\s+aloud)",
            rf"\bwhen\s+the\s+{_CLIP}\s+arrives\b|\bhas\s+not\s+recorded\b|\bwould\s+have\s+to\s+(?:hear|listen)\b",
        )
    ),
    re.IGNORECASE,
)


def is_unheard(text: str) -> bool:
    """Whether `text` says that its clip was not heard: then nothing in it describes one.

    >>> is_unheard("Is she loud? I have not heard the clip yet."), is_unheard("I have not heard a pause.")
    (True, False)
    """
    return _UNHEARD.search(text) is not None


def is_framed_elsewhere(clause: Sequence[Word], place: int) -> bool:
    """Whether word `place` is said of another thing, person or time than the clip's, or of what anybody must do."""
    if any(w.phrase in _HEARSAY for w in clause):
        return True  # he is a loud man, they say
    rules = (
        _is_of_another_time,
        _has_foreign_subject,
        _is_a_duty,
        _is_wanted,
        _is_mistaken,
        _is_kind_of_emotion,
        _is_written,
    )
    return any(applies(clause, place) for applies in rules)


def _is_of_another_time(clause: Sequence[Word], place: int) -> bool:
    """*Earlier in the interview she was louder and hoarser*; *yesterday's take was shrill*."""
    opens = next((k for k in range(min(3, place)) if clause[k].phrase in _OTHER_TIMES), None)
    if opens is None:
        behind = next((k for k in range(place + 1, len(clause)) if clause[k].phrase in _OTHER_TIMES), None)
        between = clause[place + 1 : behind]
        return behind is not None and not any(parts(w) or w.phrase in _COMPARES for w in between)
    return not any(w.phrase in _THIS_CLIP for w in clause[opens + 1 : place + 4])


def _has_foreign_subject(clause: Sequence[Word], place: int) -> bool:
    """*The kettle whistles at a high pitch*; *her brother, a baritone, …*: the last subject before it."""
    if names_person(clause[place].phrase) and place and clause[place - 1].phrase in _EVERY:
        return True  # every actor
    end = place
    while True:
        start = next((k + 1 for k in range(end - 1, -1, -1) if parts(clause[k])), 0)
        kind = _subject(clause[start:end], clause[end : end + 2])
        if kind is not None:
            return kind
        if start == 0 or place - start > _REACH:
            return False
        end = start - 1


def _subject(segment: Sequence[Word], following: Sequence[Word]) -> bool | None:
    """Whether the subject that opens `segment` is none of the speaker's; `None` where it opens with no subject."""
    passed = (Kind.AND, Kind.DEGREE, Kind.NEGATION)
    first = next((k for k, w in enumerate(segment) if w.kind not in passed or w.phrase in _ANY), None)
    if first is None:
        return None
    opening = segment[first:]
    if opening[0].phrase in _WHICH:
        return None
    if any(w.phrase in _SPEAKER for w in opening):
        return False
    is_owned = opening[0].phrase in _POSSESSIVE
    if _names_anybody(opening) or (is_owned and len(opening) > 1 and opening[1].phrase in _RELATIVES):
        return True
    return _is_no_voice(opening, following) if is_owned or opening[0].kind is Kind.ARTICLE else None


def _names_anybody(opening: Sequence[Word]) -> bool:
    """*Every actor can whisper*; *not every loud speaker is angry*."""
    if opening[0].phrase not in _ANY:
        return False
    noun = next((w for w in opening[1:4] if w.kind is Kind.OTHER or names_person(w.phrase)), None)
    return noun is not None and (names_person(noun.phrase) or _is_who(noun.phrase.removesuffix("s")))


def _is_who(noun: str) -> bool:
    """Whether `noun` ends as those of persons do: *surveyor*, *clinician*."""
    return noun.endswith(_PERSON_ENDINGS) and noun not in _NO_PERSONS


def _is_no_voice(opening: Sequence[Word], following: Sequence[Word]) -> bool | None:
    """Whether the noun behind the article is neither a person nor of speech, and a verb follows it."""
    at = next((k for k in range(1, len(opening)) if opening[k].kind not in (Kind.DEGREE, Kind.VALUE)), None)
    names_one = any(names_person(w.phrase) for w in opening[:at])
    if at is None or names_one or opening[at].kind is not Kind.OTHER:
        is_none = at is None or opening[at].kind in (Kind.PREPOSITION, Kind.RELATIVE)
        return None if is_none and not names_one else False
    run = next((k for k, w in enumerate(opening[at:]) if w.kind is not Kind.OTHER), len(opening) - at)
    nouns = [w.phrase for w in opening[at : at + run]][:_MOST_NOUNS]
    if _is_possessive(opening[at]) and run > 1:
        nouns = nouns[1:]  # the violinist's vibrato
    if _SUBJECTS.isdisjoint(nouns) and not (_SOUNDS | lexicon.OTHERS).isdisjoint(nouns[:2]):
        return True
    if not (_SUBJECTS | _SAYS).isdisjoint(nouns) or any(_is_who(n) for n in nouns):
        return False
    behind = opening[at + run : at + run + 1] or following[:1]
    if run == 1:
        if opening[0].phrase in _POSSESSIVE:
            return True  # her handwriting sinks
        return bool(behind) and behind[0].kind in (Kind.COPULA, Kind.NEGATED_COPULA) and behind[0].phrase.isalpha()
    return not behind or behind[0].kind is not Kind.COPULA or behind[0].phrase.isalpha()


def _is_possessive(word: Word) -> bool:
    return word.end - word.start == len(word.phrase) + len("'s")


def _is_a_duty(clause: Sequence[Word], place: int) -> bool:
    """*To convince, a liar must keep the voice steady*; *teachers should speak loudly, clearly and not too fast*."""
    at = next((k for k in range(place) if clause[k].phrase in _DUTIES), None)
    if at is None or not at:
        return False
    subject = clause[max(0, at - 3) : at]
    if any(w.phrase in _SPEAKER - {"one"} or w.kind is Kind.HEAD or w.phrase in lexicon.DEFINITE for w in subject):
        return False
    if subject[-1].phrase == "one":
        return True
    return subject[0].phrase in ("a", "an") or (at == 1 and subject[0].phrase.endswith("s"))


def _is_wanted(clause: Sequence[Word], place: int) -> bool:
    """*The producer wants a deeper voice, a slower tempo and fewer pauses*."""
    at = next((k for k in range(1, place) if clause[k].phrase in _WANTS or _asks(clause[k : k + 2])), None)
    if at is None or clause[at - 1].phrase in ("i", "we", "d"):
        return False
    near = clause[max(at, place - 1) : place + 1]
    return any(w.phrase.split(" ")[0].endswith("er") or w.phrase in ("more", "less") for w in near)


def _is_written(clause: Sequence[Word], place: int) -> bool:
    """*For all the shouting in the script, the voice is soft*."""
    behind = [w.phrase for w in clause[place + 1 : place + 4]]
    return len(behind) > 2 and behind[0] in ("in", "of") and behind[1] in lexicon.DEFINITE and behind[2] in _WRITINGS


def _asks(two: Sequence[Word]) -> bool:
    return [w.phrase for w in two] in (["asked", "for"], ["asks", "for"], ["hopes", "for"], ["hoped", "for"])


def _is_mistaken(clause: Sequence[Word], place: int) -> bool:
    """*What she took for strain is simply creak*."""
    near = [w for w in clause[max(0, place - 2) : place] if w.phrase not in ("a", "an") and w.kind is not Kind.DEGREE]
    before = clause[max(0, place - _REACH) : place]
    is_denied = any(w.kind in (Kind.NEGATION, Kind.NEGATED_COPULA) for w in before)
    return not is_denied and bool(near) and near[-1].phrase == "for" and any(w.phrase in _TAKES for w in before)


def _is_kind_of_emotion(clause: Sequence[Word], place: int) -> bool:
    """*… rules out the shouting kind of anger*."""
    behind = " ".join(w.phrase for w in clause[place + 1 : place + 4]).split(" ")
    return len(behind) > 2 and behind[0] in _KINDS and behind[1] == "of" and behind[2] in lexicon.EMOTIONS


def asks_for(words: Sequence[Word], clause: Sequence[Word], place: int) -> bool:
    """Whether *should* asks for what a voice is to be like: *the delivery should be forceful*."""
    at = next((k for k in range(place) if clause[k].phrase == "should"), None)
    if at is None or not at or any(w.phrase in ("if", "unless", "than") for w in clause[:place]):
        return False
    subject = clause[at - 1]
    is_definite = at > 1 and clause[at - 2].kind is Kind.ARTICLE and clause[at - 2].phrase not in ("a", "an")
    is_voice = is_definite and (subject.kind is Kind.HEAD or subject.phrase in _VOICES)
    is_wanted = is_voice or (subject.phrase in ("he", "she", "it") and _opens_without_verb(words))
    phrase = clause[place].phrase.split(" ")[0]
    return is_wanted and not phrase.endswith("er") and phrase != "more" and clause[place - 1].phrase != "more"


def _opens_without_verb(words: Sequence[Word]) -> bool:
    """*An old sailor's voice, never loud. He should pause …*: a prompt names what it wants first."""
    end = next((k for k, w in enumerate(words[:_PROMPT]) if w.kind is Kind.BOUNDARY), _PROMPT)
    verbs = (Kind.COPULA, Kind.NEGATED_COPULA)
    return all(w.phrase not in _SPEAKER and (w.kind not in verbs or w.phrase == ":") for w in words[:end])


def answers_would(words: Sequence[Word], i: int) -> bool:
    """*What would a frightened man sound like? Probably shrill and hurried.*"""
    start = next((k for k in range(i - 1, max(-1, i - _REACH), -1) if words[k].kind is Kind.BOUNDARY), None)
    if start is None or words[start].phrase != "?":
        return False
    if any(w.kind in (Kind.COPULA, Kind.HEAD) or w.phrase in _SPEAKER for w in words[start + 1 : i]):
        return False
    before = next((k for k in range(start - 1, max(-1, start - 2 * _REACH), -1) if words[k].kind is Kind.BOUNDARY), -1)
    return any(w.phrase.split(" ")[0] in _WOULD for w in words[before + 1 : start])
