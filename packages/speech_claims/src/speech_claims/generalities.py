"""What is said of emotions, persons and languages in general: *in fear the pitch goes up*, *children speak higher*."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from speech_claims import lexicon
from speech_claims.lexicon import Kind
from speech_claims.scope import clause_of
from speech_claims.senses import word_set
from speech_claims.word import Word

_NEAR, _GENERAL_REACH = 4, 24
_PLURAL_PERSONS = frozenset(
    ("people", "speakers", "men", "women", "males", "females", "children", "kids", "adults", "teenagers", "teens")
)
_IN_GENERAL = frozenset(("speech", "voices", "people", "speakers", "persons", "utterances"))
_PERSONS = word_set("persons") | {"speakers", "people", "voices", "person", "talkers", "one"}
_AT_LARGE = _PLURAL_PERSONS | {"voices", "talkers", "listeners", "patients", "clients", "readers", "actors"}
_AMONG = frozenset(("of", "for", "than", "among", "most", "many", "in", "other", "typical of", "some"))
_LANGUAGES = word_set("languages")
_BRINGS = word_set("brings")
_LABELS = frozenset(("emotion", "label", "category", "answer", "class", "emotions", "labels"))


def opens_in_general(clause: Sequence[Word], place: int) -> bool:  # noqa: PLR0911
    """*In fear, the pitch goes up*; *a sad speaker might be slow*: said of an emotion, whatever its articles."""
    if any(a.phrase == "in" and b.phrase in _LANGUAGES for a, b in pairwise(clause[:place])):
        return True
    one, other = ([w.phrase for w in clause[:2]] + ["", ""])[:2]
    if one in ("in", "under", "during") and other in lexicon.EMOTIONS:
        return True
    before = [w.phrase for w in clause[:place]]
    if place > 1 and one in lexicon.EMOTIONAL and other in _IN_GENERAL:
        return True
    if place and _is_of_emotion(clause, place):
        return True
    if any(one in lexicon.EMOTIONS and other == "=" for one, other in pairwise(before)):
        return True
    subject = next((k for k in range(place - 1) if before[k] in lexicon.EMOTIONAL and before[k + 1] in _PERSONS), None)
    if subject is None or not lexicon.MODALS.intersection(before[subject:]):
        return False
    return lexicon.DEFINITE.isdisjoint(before[max(0, subject - 1) :])


def _is_of_emotion(clause: Sequence[Word], place: int) -> bool:
    """*Anger is rarely slow*."""
    beside = (Kind.DEGREE, Kind.ARTICLE, Kind.NEGATION)
    if clause[0].phrase not in lexicon.EMOTIONS:
        return False
    verb = clause[2] if clause[1].phrase in lexicon.MODALS and len(clause) > 2 else clause[1]
    if verb.phrase in _BRINGS and not is_definite(clause[:place]):
        return True  # anger raises the voice
    is_subject = clause[1].kind in (Kind.COPULA, Kind.NEGATED_COPULA)
    return is_subject and all(w.kind in beside or w.phrase in lexicon.GENERIC for w in clause[2:place])


def says_of_an_emotion(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` says what an emotion is: *anger is the loudest of emotions*."""
    clause, place = clause_of(words, i)
    names_one = 1 < place <= _NEAR and clause[0].phrase in lexicon.EMOTIONS and clause[1].kind is Kind.COPULA
    return names_one and all(w.kind in (Kind.DEGREE, Kind.ARTICLE) for w in clause[2:place])


def is_of_persons(clause: Sequence[Word], place: int) -> bool:
    """Whether word `place` names persons at large: *higher than is typical of men*; *deep voices carry further*."""
    opens = next((k for k, w in enumerate(clause[:5]) if w.kind not in (Kind.VALUE, Kind.DEGREE, Kind.COMMA)), None)
    if opens is not None and clause[opens].phrase in _AT_LARGE and place <= opens and clause[opens + 1 :]:
        return clause[opens + 1].kind not in (Kind.COMMA, Kind.BOUNDARY)
    if clause[0].phrase in _PLURAL_PERSONS and place < _GENERAL_REACH:
        return True  # *children speak at a higher pitch*
    before = {w.phrase for w in clause[max(0, place - 2) : place]}
    return clause[place].phrase in _PLURAL_PERSONS and not before.isdisjoint(_AMONG)


def names_an_emotion(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` speaks of emotions as labels: *the emotion is whisper*."""
    clause, _ = clause_of(words, i)
    return any(w.phrase in _LABELS for w in clause)


def is_definite(before: Sequence[Word]) -> bool:
    """Whether the last article before a word is a definite one."""
    articles = [w for w in before if w.kind is Kind.ARTICLE or w.phrase in lexicon.DEFINITE]
    return bool(articles) and articles[-1].phrase in lexicon.DEFINITE
