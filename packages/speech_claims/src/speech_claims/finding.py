"""A claim found in a text, and how it is put: denied, with what degree, beside a norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speech_claims import scope
from speech_claims.echoes import Answer, answer
from speech_claims.lexicon import Kind
from speech_claims.senses import word_set
from speech_claims.spans import Span
from speech_claims.word import Word
from speech_records import Cue, Degree

_NORM_REACH = 5
_BEYOND = {
    **dict.fromkeys(("above", "over", "beyond", "exceed", "exceeds", "exceeding"), "high"),
    **dict.fromkeys(("below", "under", "beneath"), "low"),
}
_ONLY_DENIED, _OFF_NORM = word_set("only_denied"), word_set("off_norm")


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim found in a text, not judged yet: its half-open span, its cue, what it says of it, and how."""

    start: int
    end: int
    cue: Cue
    value: str
    negated: bool = False
    degree: Degree | None = None
    hedged: bool = False


def finding_of(
    words: Sequence[Word], letters: str, i: int, span: Span, claimed: tuple[Cue, str], *, negated: bool | None = None
) -> Finding:
    """The finding of `claimed` over `span`, put as word `i` is put."""
    denied = scope.is_negated(words, letters, i) if negated is None else negated
    denied = denied or answer(words, letters, i) is Answer.NO
    if denied and claimed[0] is Cue.CONTOUR_DYNAMICS and words[i].phrase in _ONLY_DENIED:
        claimed, denied = (Cue.CONTOUR_DYNAMICS, "flat"), False  # the melody hardly moves
    if words[i].phrase in _OFF_NORM:
        denied = not denied
    claimed = _beside_the_norm(words, i, claimed)
    if denied and (claimed == (Cue.PAUSES, "present") or words[i].phrase == "single"):
        # *never pauses*, *there isn't a single pause*; but *hardly pauses*
        claimed, denied = (Cue.PAUSES, "few" if scope.is_hardly(words, i) else "none"), False
    return Finding(*span, *claimed, denied, scope.degree(words, i), scope.is_hedged(words, i))


def measure_of(words: Sequence[Word], letters: str, i: int, cue: Cue) -> Finding:
    """The finding of the number that word `i` is."""
    denied = scope.is_negated(words, letters, i) and not scope.is_hardly(words, i)  # barely three semitones
    return Finding(words[i].start, words[i].end, cue, words[i].phrase, denied, None, scope.is_hedged(words, i))


def _beside_the_norm(words: Sequence[Word], i: int, claimed: tuple[Cue, str]) -> tuple[Cue, str]:
    """*Exceeds what is customary* is high, *well below an ordinary register* low."""
    cue, value = claimed
    if value != "normal":
        return claimed
    for k in range(i - 1, max(-1, i - 1 - _NORM_REACH), -1):
        word = words[k]
        is_copula = word.kind is Kind.COPULA and (not k or words[k - 1].phrase != "what")
        if is_copula or word.kind in (Kind.HEAD, Kind.BOUNDARY, Kind.COMMA, Kind.VALUE, Kind.AND):
            break
        if word.phrase in _BEYOND and words[k + 1].phrase not in (
            "all",
            *(("a", "an") if word.phrase == "over" else ()),
        ):
            return cue, _BEYOND[word.phrase]
    return claimed
