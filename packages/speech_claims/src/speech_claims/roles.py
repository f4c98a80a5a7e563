"""What a word is beside its neighbours: *some* before a number, *average* of *average pitch*, *above* behind a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from speech_claims.lexicon import Kind
from speech_claims.senses import AGES_OF_PERSONS, SENSES, YOUNG_PERSONS, names_person, word_set
from speech_claims.word import Word
from speech_records import Cue

RELATIVES = frozenset(("that", "which", "who"))
_WHO = frozenset(("i", "we", "you", "one", "he", "she", "it", "they"))
_HAS = frozenset(("has", "have", "had"))
_PARTICIPLES = ("ed", "ept", "eld", "ought", "ung", "wn", "ven", "ken", "sen")
_PERSONS, _SIZES, _MOVEMENTS, _KEEPS = (word_set(name) for name in ("persons", "sizes", "movements", "keeps"))
_LOOSE_HEADS, _NEAR_VOICE = word_set("loose_heads"), 10
_THEN = frozenset(("then", "and", "and then", "to", "before"))
_UP = {"up": "high", "down": "low"}
_KEYS = frozenset((":", "="))


@dataclass(frozen=True, slots=True)
class Place:
    """Word `i` of `words`, and the word before it as it was read."""

    words: Sequence[Word]
    i: int
    before: Word | None

    @property
    def word(self) -> Word:
        """The word itself."""
        return self.words[self.i]

    @property
    def following(self) -> Word | None:
        """The word behind it."""
        return self.words[self.i + 1] if self.i + 1 < len(self.words) else None

    def is_behind(self, *kinds: Kind) -> bool:
        """Whether the word before is of one of `kinds`."""
        return self.before is not None and self.before.kind in kinds

    def is_before(self, *kinds: Kind) -> bool:
        """Whether the word behind is of one of `kinds`."""
        return self.following is not None and self.following.kind in kinds

    def is_last(self) -> bool:
        """Whether nothing follows in this part of the clause."""
        return self.following is None or self.is_before(Kind.COMMA, Kind.BOUNDARY)

    def is_key(self) -> bool:
        """*Dynamics: moderate*, *level = −20 dBFS*."""
        return self.following is not None and self.following.phrase in _KEYS


def role(place: Place) -> Word | None:
    """The word at `place` as its neighbours have it read; `None` where they leave it as it is."""
    word = place.word
    if word.kind is Kind.OTHER and _is_transparent(place):
        return replace(word, kind=Kind.DEGREE)
    if word.kind is Kind.HEAD and _is_whose(place):
        return replace(word, kind=Kind.DEGREE, group=None)
    for rule in _RULES.get(word.phrase, ()):
        read = rule(place)
        if read is not None:
            return read
    is_adverb = word.kind is Kind.VALUE and word.phrase.endswith("ly")
    return replace(word, kind=Kind.DEGREE) if is_adverb and _is_movement(place.following) else None


def _is_transparent(place: Place) -> bool:
    """Whether the word may be passed over from a head to its value: *the tune I hear swoops*, *is pushed up*."""
    words, i = place.words, place.i
    return _is_reduced_relative(words, i) or _is_reduced_relative(words, i - 1) or _is_participle(place)


def _is_reduced_relative(words: Sequence[Word], i: int) -> bool:
    """Whether words `i` and `i + 1` only say whose the head is: *the tune I hear swoops*, *the range that it has*."""
    if not 0 < i < len(words) - 2 or words[i].phrase not in _WHO or words[i + 1].kind is not Kind.OTHER:
        return False
    before = words[i - 2 if i > 1 and words[i - 1].phrase in RELATIVES else i - 1]
    return before.kind is Kind.HEAD and words[i + 2].kind in "BMNVD"


def _is_participle(place: Place) -> bool:
    """Whether the word says how a value came to be: *is pushed up*, *are kept low*, *is being held down*."""
    words, i = place.words, place.i
    if (
        not i
        or words[i - 1].kind is not Kind.COPULA
        or words[i - 1].phrase in _HAS
        or not place.word.phrase.endswith(_PARTICIPLES)
    ):
        return False
    behind = next((w for w in words[i + 1 : i + 4] if w.kind is not Kind.DEGREE), None)
    return behind is not None and behind.kind is Kind.VALUE


def _is_whose(place: Place) -> bool:
    """Whether the word only says whose the head before it is: *the speed of the young woman's speech fluctuates*."""
    words, i = place.words, place.i
    if words[i].group not in ("voice", "delivery"):
        return False
    of = next((k for k in range(i - 1, max(0, i - 5), -1) if words[k].phrase == "of"), None)
    if of is None or words[of - 1].kind is not Kind.HEAD or words[of - 1].group in ("voice", "delivery", "pauses"):
        return False
    return all(w.kind in (Kind.ARTICLE, Kind.OTHER, Kind.DEGREE) or names_person(w.phrase) for w in words[of + 1 : i])


def _of_a_person(place: Place) -> Word | None:
    """*Old* of *an old man*, and of *an old sea captain*."""
    following, next_but_one = place.following, place.words[place.i + 2 : place.i + 3]
    age = _age(place.word, following)
    if age is None and following is not None and following.kind is Kind.OTHER and next_but_one:
        age = _age(place.word, next_but_one[0])
    return None if age is None else replace(place.word, kind=Kind.VALUE, sense=(Cue.AGE, age))


def _age(word: Word, person: Word | None) -> str | None:
    """The age that *young* or *old* claims of the person it stands before."""
    if person is None or person.phrase not in _PERSONS:
        return None
    age = AGES_OF_PERSONS[word.phrase]
    if age == "child" and person.phrase not in YOUNG_PERSONS:
        return None
    return "child" if age == "young adult" and person.phrase in YOUNG_PERSONS else age


def _is_movement(word: Word | None) -> bool:
    moves = SENSES["contour"].get(word.phrase) if word is not None and word.kind is Kind.VALUE else None
    return moves is not None and moves[0] is Cue.CONTOUR_SHAPE


def _of_a_size(place: Place) -> Word | None:
    """*Sharp* of *a sharp fall*."""
    following = place.following
    is_size = place.is_behind(Kind.ARTICLE, Kind.PREPOSITION, Kind.AT_END, Kind.DEGREE, Kind.NEGATION)
    moves = (
        _is_movement(following)
        and following is not None
        and (following.phrase in _MOVEMENTS or " " in following.phrase)
    )
    return replace(place.word, kind=Kind.DEGREE) if is_size and moves else None


def _of_a_mean(place: Place) -> Word | None:
    """*Average* of *a high average pitch* and *her pitch average is 230 Hz*."""
    following = place.following
    if place.word.kind is not Kind.VALUE or following is None:
        return None
    is_measured = place.is_behind(Kind.HEAD) and (following.kind is Kind.COPULA or following.quantity is not None)
    is_passed = is_measured or (place.is_behind(Kind.VALUE) and following.kind is Kind.HEAD)
    return replace(place.word, kind=Kind.DEGREE) if is_passed else None


def _of_a_loose_head(place: Place) -> Word | None:
    """*The voice has little power*, *quality: clear*; not *the power of the law*."""
    words, i = place.words, place.i
    first, last = max(0, i - _NEAR_VOICE), min(len(words), i + _NEAR_VOICE)
    start = next((k for k in range(i, first - 1, -1) if words[k].kind is Kind.BOUNDARY), first)
    end = next((k for k in range(i, last) if words[k].kind is Kind.BOUNDARY), last)
    groups = ("pitch", "voice") if words[i].phrase == "quality" else ("voice", "delivery")
    is_by_a_voice = any(w.group in groups and w.phrase not in _LOOSE_HEADS for w in words[start:end])
    return None if place.is_key() or is_by_a_voice else replace(place.word, kind=Kind.OTHER, group=None)


def _of_the_level(place: Place) -> Word | None:
    """*The voice is mellow, the level moderate*, *level: −20 dBFS*; not *the level contour*."""
    before, following = place.before, place.following
    if before is None or place.is_behind(Kind.BOUNDARY, Kind.COMMA):
        is_head = place.is_key()
    elif before.phrase in ("the", "its", "overall", "her", "his", "their") and following is not None:
        is_head = place.is_before(Kind.COPULA, Kind.COMMA, Kind.VALUE) or following.quantity is not None
    else:
        is_head = False
    return replace(place.word, kind=Kind.HEAD, group="energy") if is_head else None


def _of_a_bare_comparison(place: Place) -> Word | None:
    """*Tempo average, loudness below*; *tempo: also above it*."""
    words, i = place.words, place.i
    k = next((k for k in range(i - 1, max(-1, i - 4), -1) if words[k].kind is not Kind.DEGREE), 0)
    is_value = words[k].phrase in _KEYS and k > 0 and words[k - 1].kind is Kind.HEAD
    following = place.following
    closes = place.is_last() or (following is not None and following.phrase in ("it", "that", "this"))
    points_back = following is not None and not place.is_last() and place.is_behind(Kind.COPULA, Kind.DEGREE)
    if not closes or not (is_value or points_back or place.is_behind(Kind.HEAD)):
        return None
    return replace(place.word, phrase=f"{place.word.phrase} average", kind=Kind.VALUE)


def _of_a_kept_pitch(place: Place) -> Word | None:
    """*Keep the pitch up* asks for a high one, no rise."""
    before = place.before
    is_kept = any(w.phrase in _KEEPS for w in place.words[max(0, place.i - 4) : place.i])
    if before is None or before.kind is not Kind.HEAD or before.group != "pitch" or not is_kept:
        return None
    return replace(place.word, phrase=_UP[place.word.phrase])


def _of_a_turn(place: Place) -> Word | None:
    """*Dips, then up*."""
    before = place.before
    if before is None or before.phrase not in _THEN:
        return None
    moves = any(_is_movement(w) for w in place.words[max(0, place.i - 4) : place.i])
    return replace(place.word, phrase=f"{place.word.phrase}ward") if moves else None


def _turned(kind: Kind, applies: Callable[[Place], bool]) -> Callable[[Place], Word | None]:
    return lambda place: replace(place.word, kind=kind) if applies(place) else None


def _is_denied_before(place: Place) -> bool:
    return any(w.kind in "NM" for w in place.words[max(0, place.i - 4) : place.i])


def _is_before_a_number(place: Place) -> bool:
    return place.following is not None and place.following.quantity is not None


def _is_before_a_verb(place: Place) -> bool:
    return place.is_before(Kind.COPULA) and place.following is not None and place.following.phrase.isalpha()


def _in_brackets(place: Place) -> bool:
    return place.is_behind(Kind.COMMA) and place.is_last()


def _is_conceded(place: Place) -> bool:
    """*Low though the volume is, every word is clear*."""
    opens = place.i == 1 or place.words[place.i - 2].kind in (Kind.BOUNDARY, Kind.COMMA)
    return opens and place.is_behind(Kind.VALUE) and place.is_before(Kind.ARTICLE)


def _of_a_level_pitch(place: Place) -> Word | None:
    """*The voice is smooth, the pitch level*; not *a high pitch level*, nor *the pitch level is high*."""
    is_said = place.is_behind(Kind.ARTICLE, Kind.AND, Kind.COMMA) and place.is_last()
    return replace(place.word, kind=Kind.VALUE, sense=(Cue.CONTOUR_SHAPE, "level")) if is_said else None


def _of_an_arrow(place: Place) -> Word | None:
    """*Tempo →, loudness ↑*."""
    stays = place.is_last() and place.is_behind(Kind.HEAD)
    return replace(place.word, phrase="normal", kind=Kind.VALUE) if stays else None


_Rule = Callable[[Place], Word | None]
_RULES: Mapping[str, tuple[_Rule, ...]] = {
    **dict.fromkeys(_SIZES, (_of_a_size,)),
    **dict.fromkeys(AGES_OF_PERSONS, (_of_a_person, _of_a_size)),
    **dict.fromkeys(_LOOSE_HEADS, (_of_a_loose_head,)),
    **dict.fromkeys(("average", "mean", "median", "normal", "usual"), (_of_a_mean,)),
    **dict.fromkeys(("above", "below"), (_of_a_bare_comparison,)),
    **dict.fromkeys(_UP, (_of_a_kept_pitch, _of_a_turn)),
    **dict.fromkeys(RELATIVES, (_turned(Kind.RELATIVE, lambda place: place.is_behind(Kind.HEAD, Kind.COMMA)),)),
    # the tempo slackens word by word
    **dict.fromkeys(word_set("step_by_step"), (_turned(Kind.DEGREE, lambda place: place.is_behind(Kind.VALUE)),)),
    # the voice does tremble
    **dict.fromkeys(
        word_set("auxiliaries"),
        (
            _turned(
                Kind.DEGREE,
                lambda place: place.is_behind(Kind.HEAD, Kind.RELATIVE) and place.is_before(Kind.VALUE, Kind.DEGREE),
            ),
        ),
    ),
    **dict.fromkeys(("though", "however"), (_turned(Kind.DEGREE, _in_brackets),)),
    "though": (_turned(Kind.DEGREE, lambda place: _in_brackets(place) or _is_conceded(place)),),
    "pitch level": (_of_a_level_pitch,),
    # dial the volume down and the speed up
    "speed up": (
        lambda place: replace(place.word, sense=(Cue.RATE, "high")) if place.is_behind(Kind.ARTICLE) else None,
    ),
    "level": (_of_the_level,),
    "dynamics": (lambda place: replace(place.word, group="contour") if place.is_key() else None,),
    "→": (_of_an_arrow,),
    # the loudness to swell
    "to": (_turned(Kind.DEGREE, lambda place: place.is_behind(Kind.HEAD) and place.is_before(Kind.VALUE)),),
    "some": (_turned(Kind.DEGREE, _is_before_a_number),),
    "about": (_turned(Kind.PREPOSITION, lambda place: place.is_before(Kind.ARTICLE)),),  # nothing rough about the voice
    # rises before collapsing
    "before": (_turned(Kind.AND, lambda place: place.is_behind(Kind.VALUE) and place.is_before(Kind.VALUE)),),
    "either": (_turned(Kind.DEGREE, lambda place: place.is_last() and _is_denied_before(place)),),
    "none": (_turned(Kind.NEGATION, _is_before_a_verb),),  # of the pauses none is long
}
"""The rules for each phrase that its neighbours can change, in order."""
