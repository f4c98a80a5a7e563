"""What is not said of this clip: others, other things, speech in general, suppositions, plans, what is not settled."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speech_claims import lexicon
from speech_claims.frames import answers_would, asks_for, is_framed_elsewhere
from speech_claims.generalities import is_definite, is_of_persons, names_an_emotion, opens_in_general
from speech_claims.lexicon import Kind
from speech_claims.scope import clause_of, parts
from speech_claims.senses import names_person, word_set
from speech_claims.word import Word
from speech_records import Cue

_NEAR = 4
_OF_ANOTHER = frozenset(("than", "who", "someone", "somebody", "anyone", "what", "which", "that", "as"))
"""Words behind which somebody or something else is supposed: *this voice is of one who would rather not ask*."""
_SUPPOSES = frozenset(("would", "would be", "would have", "'d expect", "we'd expect", "might expect", "should have"))
_SPILLS_OVER = re.compile(r"\bwould (?:have to|need to|be (?:an? )?|turn|become|tip|count|qualify)")
"""*Any quieter and it would be a whisper*."""
_WHO = ("agent", "clerk", "er", "or", "ist", "man", "woman")
_OTHER = frozenset(("other", "another", "previous", "earlier", "next", "different"))
_CONDITIONS = frozenset(("if", "had", "were", "unless", "had it", "were it"))
_SUBJUNCTIVE = frozenset(("would", "might", "could"))
_IMPERATIVES = word_set("imperatives")
_WISHES = frozenset(("should", "need", "need to", "needs to", "let's"))
"""What a prompt says of what it wants."""
_IS = frozenset(("is", "are", "was", "were", "isn't", "aren't", "'s"))
_STAYS = ("remain", "stay", "sound", "seem", "lie", "sits")
_TOPIC_REACH = 7
_SPEAKER = frozenset(("he", "she", "speaker", "i", "they", "his", "her", "his own", "her own"))
_CLOSE_TO_WOULD = 4
_OWN = frozenset(("his", "her", "my", "our", "their", "your", "his own", "her own"))
_TALKING = frozenset(("talking", "talks", "speaking", "speaks", "says", "said", "reads", "sings"))
_ABOUT = frozenset(("about", "mentions", "mention", "concerns", "misses", "addresses", "asks", "tells"))
_GENERAL_REACH = 12
_CONCEDES = frozenset(("contrary", "whatever", "no matter", "contrary to"))
"""Openings of a part that ends at the next comma: *contrary to what the caption says, …*."""
_REPORTERS, _REPORTING = word_set("reporters"), word_set("reporting")
_MAY = frozenset(("would", "might", "may", "will", "had", "has", "have", "also"))


def is_no_claim(words: Sequence[Word], i: int) -> bool:
    """Whether word `i` is in a clause that speaks of a hypothesis, of speech in general, of other speech, or of
    a kind of delivery that cues would fit.
    """
    clause, place = clause_of(words, i)
    if _is_extreme(clause, place):
        return False
    is_prompt = words[0].phrase in _IMPERATIVES or asks_for(words, clause, place)
    supposed = lexicon.HYPOTHETICAL - _WISHES if is_prompt else lexicon.HYPOTHETICAL
    return (
        _stands_with(clause, place, supposed)
        or _stands_after(clause, place, lexicon.ELSEWHERE)
        or _stands_behind(clause, place, lexicon.UNSETTLED)
        or _is_set_apart(words, i)
        or answers_would(words, i)
        or _is_interpreted(clause, place)
        or any(is_else(clause, place) for is_else in _ELSE)
    )


def _is_extreme(clause: Sequence[Word], place: int) -> bool:
    """*Were it any quieter, one would have to call it a whisper*."""
    if not place or clause[place - 1].phrase != "any" or not clause[place].phrase.endswith("er"):
        return False
    opens = clause[0].phrase in ("were", "were it", "if", "was") or place == 1
    return opens and _SPILLS_OVER.search(" ".join(w.phrase for w in clause[place:])) is not None


def _is_interpreted(clause: Sequence[Word], place: int) -> bool:
    """Whether cues fit it (*fits a loud voice*); but *consistent with a male speaker* says that he is one."""
    return _stands_behind(clause, place, lexicon.INTERPRETS) and not names_person(clause[place].phrase)


def _is_generic(clause: Sequence[Word], place: int) -> bool:
    """*A loud voice is often angry*; not *the loud voice*."""
    ends = (k for k in range(place, len(clause)) if clause[k].kind is Kind.COMMA or clause[k].phrase == "than")
    at = next((k for k in range(next(ends, len(clause))) if clause[k].phrase in lexicon.GENERIC), None)
    if at is None:
        return False
    return not is_definite(clause[at if at < place and _ends_a_part(clause, at) else 0 : place])


def _ends_a_part(clause: Sequence[Word], at: int) -> bool:
    """Whether a part of the clause ends before word `at`: *…, and speakers tend to pause*."""
    return any(parts(w) for w in clause[:at])


def _has_other_subject(clause: Sequence[Word], _place: int) -> bool:
    """*The other actor, in the previous clip, shouted*."""
    first = [w for w in clause[:3] if w.kind not in (Kind.ARTICLE, Kind.DEGREE)]
    return len(first) > 1 and first[0].phrase in _OTHER and first[1].kind in (Kind.OTHER, Kind.VALUE)


def _is_reported(clause: Sequence[Word], place: int) -> bool:
    """*My colleague swears that she mumbles*: what somebody else says, up to the last comma."""
    at = next((k for k in range(place + 1) if clause[k].phrase in _REPORTERS and _reports(clause, k)), None)
    return at is not None and _reaches(clause, at, place)


def _reports(clause: Sequence[Word], at: int) -> bool:
    behind = [w for w in clause[at + 1 : at + 3] if w.phrase not in _MAY]
    return bool(behind) and behind[0].phrase.removesuffix(" that") in _REPORTING


def _is_set_apart(words: Sequence[Word], i: int) -> bool:
    """*In her greeting she was softly spoken, but that was another clip*."""
    but = next((k for k in range(i + 1, min(len(words), i + _GENERAL_REACH)) if words[k].kind is Kind.BUT), None)
    if but is None or any(w.phrase in (".", "!", "?") for w in words[i:but]):
        return False
    behind = [w.phrase for w in words[but + 1 : but + 5]]
    return behind[:2] in (["that", "was"], ["this", "was"], ["it", "was"]) and not _OTHER.isdisjoint(behind[2:])


def _is_conditional(clause: Sequence[Word], place: int) -> bool:
    """*Had he spoken louder, with fewer pauses, the jury might have believed him*: all before *might*."""
    opens = any(w.phrase.split(" ")[0] in _CONDITIONS and w.kind is not Kind.PREPOSITION for w in clause[:2])
    with_more = clause[0].phrase.startswith("with") and clause[place].phrase.endswith(
        "er"
    )  # with a louder voice I would
    if not opens and not with_more:
        return False
    return any(not _SUBJUNCTIVE.isdisjoint(w.phrase.split(" ")) for w in clause[place:])


def _would_fit(clause: Sequence[Word], place: int) -> bool:
    """*A raised pitch would speak for fear*, whoever has one."""
    would = next((k for k in range(place + 1, len(clause)) if clause[k].phrase.startswith("would ")), None)
    articles = [w.phrase for w in clause[:place] if w.kind is Kind.ARTICLE]
    return would is not None and articles[-1:] in (["a"], ["an"]) and would - place <= _CLOSE_TO_WOULD


def _stands_behind(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    return not triggers.isdisjoint([w.phrase for w in clause[:place]])


def _is_supposed(clause: Sequence[Word], place: int) -> bool:
    """Whether a part before that of word `place` says *would*, and no verb since says what is: *the voice would be
    louder, the tempo faster*.
    """
    at = next((k for k, w in enumerate(clause[:place]) if w.phrase in _SUPPOSES), None)
    if at is None or not any(w.kind is Kind.COMMA for w in clause[at:place]):
        return False
    comma = next(k for k in range(at, place) if clause[k].kind is Kind.COMMA)
    return not any(w.phrase in _IS or w.phrase.startswith(_STAYS) for w in clause[comma : place + 3])


def _is_of_another(clause: Sequence[Word], place: int) -> bool:
    """Whether what stands nearest before word `place`, or directly behind it, is not of the speaker's voice."""
    for k in range(place - 1, max(-1, place - 1 - _TOPIC_REACH), -1):
        is_listed = clause[k].kind is Kind.COMMA and k and clause[k - 1].kind is Kind.VALUE
        if (
            clause[k].kind in (Kind.HEAD, Kind.QUOTE)
            or (parts(clause[k]) and not is_listed)
            or clause[k].phrase in _SPEAKER
        ):
            break
        if clause[k].kind is Kind.OTHER and clause[k].phrase in lexicon.OTHERS:
            if clause[k + 1].kind is Kind.OTHER and clause[k + 1].phrase.endswith(_WHO):
                break  # our sales agent
            return k < place - 1 or clause[k - 1].kind is not Kind.OTHER  # that early-morning fry
    behind = [w for w in clause[place + 1 : place + 5] if w.kind not in (Kind.COMMA, Kind.VALUE)][:2]
    attributive = place == 0 or clause[place - 1].kind not in (Kind.COPULA, Kind.NEGATED_COPULA, Kind.HEAD)
    if not attributive or not behind or behind[0].phrase not in lexicon.OTHERS:
        return False
    is_verb = "".join(w.kind for w in clause[place + 1 : place + 3]) in ("OA", "OH") or behind[0].phrase == "runs"
    return not is_verb  # a growl colours the voice


def is_of_else(words: Sequence[Word], letters: str, i: int, cue: Cue) -> bool:
    """Whether word `i` by itself names an emotion, another person, or the speed of a judgement."""
    if cue in (Cue.GENDER, Cue.AGE):
        return _is_another_person(words, letters, i)
    if cue is Cue.RATE:
        return letters[i + 1 : i + 2] != "H" and _is_mental(words, i)
    if cue is Cue.ENERGY and i and words[i - 1].phrase in lexicon.MENTAL:
        return True  # types loudly
    return words[i].phrase in ("whisper", "a whisper") and names_an_emotion(words, i)


def _is_another_person(words: Sequence[Word], letters: str, i: int) -> bool:
    """Whether the person whom word `i` names is spoken of or to: *his mother*, *about a boy*, *the man in the film*."""
    if letters[i + 1 : i + 2] == "H":
        return False
    before = words[max(0, i - _NEAR) : i]
    nearest = next((w for w in reversed(before) if w.phrase in _OWN or w.kind not in "VD"), None)
    if nearest is not None and nearest.phrase in _OWN:
        return True
    phrases = [w.phrase for w in before]
    if (words[i].sense is None and not _ABOUT.isdisjoint(phrases[-3:])) or (
        "to" in phrases and not _TALKING.isdisjoint(phrases)
    ):
        return True
    return letters[i + 1 : i + 2] == "P" and any(w.phrase in lexicon.OTHERS for w in words[i + 2 : i + 2 + _NEAR])


def _is_mental(words: Sequence[Word], i: int) -> bool:
    """Whether the clause of word `i` speaks of a judgement or of time: *some emotions are quickly ruled out*."""
    clause, place = clause_of(words, i)
    start = next((k + 1 for k in range(place, -1, -1) if clause[k].phrase == ":"), 0)
    return any(w.phrase in lexicon.MENTAL for w in clause[start:])


def _asks_how(clause: Sequence[Word], place: int) -> bool:
    """*How fast she might be*."""
    how = any(w.phrase == "how" for w in clause[max(0, place - 2) : place])
    return how and any(w.phrase in ("might", "might be", "may", "may be") for w in clause[place:])


def _stands_with(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    """Whether a trigger is in the same part of the clause, between commas, as word `place`."""
    if triggers.isdisjoint([w.phrase for w in clause]):
        return False
    start = next((k + 1 for k in range(place, -1, -1) if parts(clause[k])), 0)
    end = next((k for k in range(place, len(clause)) if parts(clause[k])), len(clause))
    at = next((k for k in range(start, end) if clause[k].phrase in triggers and not _is_simile(clause, k)), None)
    return at is not None and not any(w.phrase in _OF_ANOTHER for w in clause[place:at])


def _is_simile(clause: Sequence[Word], at: int) -> bool:
    """Whether *would* only compares: *read it as an old captain would*."""
    closes = at + 1 >= len(clause) or parts(clause[at + 1])
    compares = any(w.phrase in ("as", "like", "than", "the way") for w in clause[:at])
    return closes and compares and clause[at].phrase == "would"


def _stands_after(clause: Sequence[Word], place: int, triggers: frozenset[str]) -> bool:
    """Whether word `place` stands behind a trigger and before the clause's last comma behind it."""
    at = next((k for k, w in enumerate(clause[:place]) if w.phrase in triggers and not _compares(clause, k)), None)
    if at is None:
        return False
    return _reaches(clause, at, place)


def _compares(clause: Sequence[Word], at: int) -> bool:
    """*Unlike the pitch, which is high, the loudness is low*."""
    behind = next((w for w in clause[at + 1 : at + 3] if w.kind is not Kind.ARTICLE), None)
    is_cue = behind is not None and behind.kind is Kind.HEAD and behind.group not in ("voice", "delivery")
    return clause[at].phrase == "unlike" and is_cue


def _reaches(clause: Sequence[Word], at: int, place: int) -> bool:
    """Whether word `place` stands before the last comma behind word `at`, or, after *contrary to*, before the next."""
    commas = [k for k in range(at, len(clause)) if clause[k].kind is Kind.COMMA]
    return not commas or place < commas[0 if clause[0].phrase in _CONCEDES else -1]


_ELSE = (
    _is_reported, _is_conditional, _would_fit, _has_other_subject, opens_in_general, _is_supposed, _is_of_another,
    is_of_persons, _asks_how, _is_generic, is_framed_elsewhere,
)  # fmt: skip
"""What else keeps a clause from claiming."""
