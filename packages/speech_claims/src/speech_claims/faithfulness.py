"""The faithfulness score: how much of what a clip offers a text says rightly, in [0, 1] (`docs/faithfulness.md`).

With O the cues that the clip offers, V the claims of the text, each cue and value once and quotes left out, and K the
number of contradicted ones and of cues whose claims exclude one another:

    e(c) = 1 if a positive claim of c is supported, NEGATIVE_CREDIT if only claims of absence are, 0 otherwise, and 0
           wherever a claim of c is contradicted
    score = max(0, sum of e(c) over c in O  -  K) / |O|

A guess that is true with probability p changes the score by (2p - 1) / |O| in expectation: it pays to say only what is
more likely true than not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from types import MappingProxyType

from speech_claims.counterfactuals import incompatible
from speech_claims.cue_values import cue_values
from speech_claims.errors import ClaimsError
from speech_claims.movement import is_of_time
from speech_claims.readable import readable
from speech_claims.verification import NOT, verify
from speech_records import Claim, Cue, MeasuredUtterance, ProsodyLevels, ProsodyProfile, Verdict

NEGATIVE_CREDIT = 0.1
"""What a cue earns of which only absence is claimed, as *not loud* leaves two of three levels open, or only evenness
or a trend."""
MAX_CHARACTERS = 20_000
"""Longest text that is scored: about 3 000 words, fifteen times a reasoning trace's."""

_WHO = frozenset((Cue.GENDER, Cue.AGE))
_SAME: Mapping[Cue, Cue] = MappingProxyType({Cue.CONTOUR_DYNAMICS: Cue.PITCH_RANGE})
"""Two names for the movement of pitch: both are cuts of the same semitones."""
_ABSENT = frozenset(("voiced", "none"))
"""What most clips are; to claim it is to claim that something is absent."""


@dataclass(frozen=True, slots=True)
class FaithfulnessScore:
    """The score of a text and its parts.

    - `offered`: the cues of the clip that a claim could be right about; `earned`: credit of each that earned any
    - `contradicted`: claims (cue, value) that the measurement contradicts; `excluded`: cues whose supported claims
      cannot be true together
    - `undecided`: claims that the measurement cannot decide, reported and not counted; `quotes`: the same of quotes
    - `obscured`: supported claims in sentences that are not what they look like, reported and not counted
    """

    score: float
    offered: tuple[Cue, ...]
    earned: Mapping[Cue, float]
    contradicted: tuple[tuple[Cue, str], ...]
    excluded: tuple[Cue, ...]
    undecided: int
    obscured: int
    quotes: int


@dataclass(frozen=True, slots=True)
class FaithfulnessSummary:
    """Means over texts: the score, credit and costs as shares of the offered cues, undecided claims of a text."""

    texts: int
    score: float
    coverage: float
    cost: float
    undecided: float


def faithfulness(
    text: str, profile: ProsodyProfile, levels: ProsodyLevels | None, transcript: str | None
) -> FaithfulnessScore:
    """The score of `text` about the clip that measures `profile` and `levels`; 0 where the clip offers no cue.

    Raises `ClaimsError` when the text has more than `MAX_CHARACTERS`.

    >>> profile = ProsodyProfile(duration_s=2.0, sample_rate=16000, f0_range_st=12.0, hnr_db=20.0)
    >>> made = faithfulness("The pitch range is wide. It is wide.", profile, None, None)
    >>> made.score, [cue.value for cue in made.offered]
    (0.5, ['pitch_range', 'voice_quality'])
    """
    if len(text) > MAX_CHARACTERS:
        raise ClaimsError(f"the text has {len(text)} characters, at most {MAX_CHARACTERS} are scored; score its parts")
    made = readable(text, transcript)
    claims = verify(made.text, profile, levels, transcript)
    hidden = [c.verdict is Verdict.SUPPORTED and made.is_obscured(c.start, c.end) for c in claims]
    seen = [c for c, is_hidden in zip(claims, hidden, strict=True) if not is_hidden]
    return score_claims(seen, offered_cues(profile, levels), obscured=sum(hidden))


def offered_cues(profile: ProsodyProfile, levels: ProsodyLevels | None) -> tuple[Cue, ...]:
    """The cues of how it is said that were measured with certainty.

    Not gender and age, which are of who says it; not the dynamics of the contour beside the pitch range, of which they
    are another word; voicing only of a whisper and pauses only where there are any, as to lack either is the rule.
    """
    measured = cue_values(profile, levels)
    cues = dict.fromkeys(named_cue(c) for c, v in measured.items() if c not in _WHO and v.value not in _ABSENT)
    return (*cues, Cue.STRESS) if profile.stressed_words else tuple(cues)


def named_cue(cue: Cue) -> Cue:
    """The cue under which claims of `cue` are counted."""
    return _SAME.get(cue, cue)


def score_claims(claims: Iterable[Claim], offered: Sequence[Cue], *, obscured: int = 0) -> FaithfulnessScore:
    """The score of verified claims about a clip that offers these cues: the equation at the head of the module."""
    verdicts: dict[tuple[Cue, str], set[Verdict]] = defaultdict(set)
    quotes = 0
    for claim in claims:
        if claim.cue is Cue.QUOTE:
            quotes += 1
        else:
            verdicts[claim.cue, claim.value].add(claim.verdict)
    contradicted = tuple(key for key, given in verdicts.items() if Verdict.CONTRADICTED in given)
    supported: dict[Cue, list[str]] = defaultdict(list)
    for (cue, value), given in verdicts.items():
        if Verdict.CONTRADICTED not in given and Verdict.SUPPORTED in given:
            supported[cue].append(value)
    excluded = tuple(c for c, values in supported.items() if any(incompatible(c, *p) for p in combinations(values, 2)))
    wrong = {named_cue(cue) for cue in (*(c for c, _ in contradicted), *excluded)}
    earned: dict[Cue, float] = {}
    for cue, values in supported.items():
        named = named_cue(cue)
        if named in offered and named not in wrong:
            earned[named] = max(earned.get(named, 0.0), _credit(cue, values))
    cost = len(contradicted) + len(excluded)
    score = max(0.0, sum(earned.values()) - cost) / len(offered) if offered else 0.0
    undecided = sum(given == {Verdict.UNVERIFIABLE} for given in verdicts.values())
    return FaithfulnessScore(score, tuple(offered), earned, contradicted, excluded, undecided, obscured, quotes)


def summarise(scores: Sequence[FaithfulnessScore]) -> FaithfulnessSummary | None:
    """Means over `scores`; `None` without any."""
    if not scores:
        return None
    return FaithfulnessSummary(
        texts=len(scores),
        score=fmean(s.score for s in scores),
        coverage=fmean(sum(s.earned.values()) / max(1, len(s.offered)) for s in scores),
        cost=fmean((len(s.contradicted) + len(s.excluded)) / max(1, len(s.offered)) for s in scores),
        undecided=fmean(s.undecided for s in scores),
    )


def constant_text(clips: Iterable[MeasuredUtterance], *, above: float = 0.0) -> str:
    """What can be said of every clip without listening: of each cue, the value that it has in most clips.

    With `above`, only of cues that have it in more than this share of all clips: above one half, the guesses that pay.
    """
    values: dict[Cue, Counter[str]] = defaultdict(Counter)
    total = 0
    for clip in clips:
        total += 1
        for cue, value in cue_values(clip.profile, clip.levels).items():
            values[cue][value.value] += 1
    modal = {cue: counts.most_common(1)[0] for cue, counts in values.items()}
    return " ".join(_SENTENCES[c].format(_WORDS.get((c, v), v)) for c, (v, n) in modal.items() if n > above * total)


def floors(clips: Sequence[MeasuredUtterance]) -> dict[str, FaithfulnessSummary | None]:
    """The scores over `clips` of the two texts that need no listening: every modal value, and only the likely ones."""
    made = {}
    for name, above in (("floor: modal values", 0.0), ("floor: likely values", 0.5)):
        text = constant_text(clips, above=above)
        made[name] = summarise([faithfulness(text, c.profile, c.levels, c.utterance.transcript) for c in clips])
    return made


_SENTENCES: Mapping[Cue, str] = {
    Cue.PITCH: "The pitch is {}.",
    Cue.ENERGY: "The loudness is {}.",
    Cue.RATE: "The speaking rate is {}.",
    Cue.CONTOUR_SHAPE: "The pitch contour is {}.",
    Cue.CONTOUR_DYNAMICS: "The intonation is {}.",
    Cue.PITCH_RANGE: "The pitch range is {}.",
    Cue.VOICING: "The speech is {}.",
    Cue.PAUSES: "There are {} pauses.",
    Cue.VOICE_QUALITY: "The voice quality is {}.",
    Cue.GENDER: "The speaker is {}.",
    Cue.AGE: "The speaker is {}.",
}
_WORDS: Mapping[tuple[Cue, str], str] = {
    (Cue.PITCH_RANGE, "low"): "narrow",
    (Cue.PITCH_RANGE, "high"): "wide",
    (Cue.PAUSES, "none"): "no",
    (Cue.PAUSES, "present"): "some",
    (Cue.AGE, "child"): "a child",
    (Cue.AGE, "teenager"): "a teenager",
    **{(Cue.AGE, age): f"a {age} person" for age in ("young adult", "adult", "middle-aged")},
    (Cue.AGE, "elderly"): "an elderly person",
    (Cue.GENDER, "female"): "a woman",
    (Cue.GENDER, "male"): "a man",
}


def _credit(cue: Cue, values: Iterable[str]) -> float:
    """Full credit for a positive claim of a level, a value or a number; little for absence, evenness and trends."""
    little = all(v.startswith(NOT) or v in _ABSENT or is_of_time(cue, v) for v in values)
    return NEGATIVE_CREDIT if little else 1.0
