"""Checks what a text claims of a clip's prosody against what was measured.

`finding` and `mentions` find the claims, here they are judged. A claim is

- *supported* when the measurement says the same, or lies so close to the border between two levels that both names
  are fair (`cue_values.BORDER_PERCENTILES`);
- *contradicted* when the measurement says something else;
- *unverifiable* when nothing was measured, or what was measured is called uncertain.

What counts as a claim is laid down in `docs/claims.md`. Texts are English; their quotes may be in any language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from speech_claims.cue_values import CueValue, cue_values, movements
from speech_claims.finding import Finding
from speech_claims.frames import is_unheard
from speech_claims.mentions import NO_WORD, find_quotes, find_stress, quoted_spans, quotes_blanked
from speech_claims.movement import is_of_time
from speech_claims.quantities import Quantity, agrees, quantity
from speech_claims.quotes import is_quoted_from, sanitize, words
from speech_claims.reader import find
from speech_claims.spans import Occupied
from speech_records import (
    Claim,
    Cue,
    Degree,
    MeasuredUtterance,
    ProsodyLevels,
    ProsodyProfile,
    ReasoningTrace,
    Verdict,
)

_LONGEST_KEPT = 4096
"""Characters of the longest text whose claims are kept in memory."""
_NOWHERE: frozenset[int] = frozenset()
"""One for all texts: an empty set of its own would be a third of what is kept of a short one."""
NOT = "not "
"""A claim of absence carries its value with this before it: `not high`."""

_SCALED = frozenset((Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.PITCH_RANGE))
_END = " at the end"
_ENDINGS: Mapping[str, str] = MappingProxyType(
    {"rising": "rising", "falling-rising": "rising", "falling": "falling", "rising-falling": "falling"}
)


def verify(text: str, profile: ProsodyProfile, levels: ProsodyLevels | None, transcript: str | None) -> list[Claim]:
    """The prosodic claims and quotes in `text`, in their order, each with its verdict and what was measured.

    Spans are character ranges of `text` and never overlap. Values are in the vocabulary of `cue_values`; besides them
    `not <value>`, `rising at the end`, `falling at the end`, a stressed word, or the quoted text.

    >>> profile = ProsodyProfile(duration_s=2.0, sample_rate=16000, voiced_share=0.6)
    >>> for claim in verify("She whispers, quickly.", profile, None, None):
    ...     print(claim.cue, claim.value, claim.verdict, claim.measured)
    voicing whispered contradicted 60 % of the speech is voiced
    rate high unverifiable None
    """
    read = _findings if len(text) <= _LONGEST_KEPT else _findings.__wrapped__
    return judge(text, read(text, transcript), profile, levels, transcript)


@lru_cache(maxsize=1024)
def _findings(text: str, transcript: str | None) -> tuple[Finding, ...]:
    """What `text` claims of a clip in which `transcript` is said, kept: one text is read for several scores."""
    quotes = quoted_spans(text)
    if is_unheard(quotes_blanked(text, quotes)):
        return ()
    stress = find_stress(text, quotes=quotes, transcript=transcript)
    stressed = [(f.start, f.end) for f in stress]
    taken = Occupied(len(text), stressed)
    free = [q for q in quotes if taken.is_free((q[0], q[0] + 1))]
    masked = tuple(_merged([*quotes, *stressed]))
    read = _found if len(text) <= _LONGEST_KEPT else _found.__wrapped__
    return (
        *stress,
        *find_quotes(text, quotes=free, transcript=transcript, stressed=stress),
        *read(text, masked, _of_last_word(text, quotes, transcript)),
    )


@lru_cache(maxsize=8192)
def _found(text: str, quotes: tuple[tuple[int, int], ...], last: frozenset[int]) -> tuple[Finding, ...]:
    """`find`, kept: one text is scored against several clips."""
    return tuple(find(text, quotes=quotes, last=last))


def _of_last_word(text: str, quotes: Iterable[tuple[int, int]], transcript: str | None) -> frozenset[int]:
    """The starts of the quotes that are the transcript's last word."""
    spoken = words(transcript or "")[-1:]
    return frozenset(start for start, end in quotes if spoken and words(text[start:end]) == spoken) or _NOWHERE


def verify_trace(trace: ReasoningTrace, measured: MeasuredUtterance) -> ReasoningTrace:
    """`trace` with the claims of its text, checked against `measured`."""
    claims = verify(trace.think, measured.profile, measured.levels, measured.utterance.transcript)
    return replace(trace, claims=tuple(claims))


def judge(
    text: str,
    findings: Iterable[Finding],
    profile: ProsodyProfile,
    levels: ProsodyLevels | None,
    transcript: str | None,
) -> list[Claim]:
    """The claims that `findings` of `text` make, in their order, each with its verdict and what was measured.

    For those who know what a text claims because they wrote it; `verify` is for all others.
    """
    measured = cue_values(profile, levels)
    moved = movements(profile)
    claims = []
    for finding in findings:
        if finding.cue is Cue.STRESS:
            claims.append(_judge_stress(finding, text, profile, transcript))
        elif finding.cue is Cue.QUOTE:
            claims.append(_judge_quote(finding, text, transcript))
        elif (number := quantity(finding.value)) is not None:
            claims.append(_judge_number(finding, text, number, profile))
        elif is_of_time(finding.cue, finding.value):
            claims.append(_judge_value(finding, text, moved.get((finding.cue, finding.value))))
        else:
            claims.append(_judge_value(finding, text, measured.get(finding.cue)))
    return sorted(claims, key=lambda c: (c.start, c.end))


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans joined, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _claim(finding: Finding, text: str, verdict: Verdict, measured: str | None) -> Claim:
    return Claim(
        start=finding.start,
        end=finding.end,
        text=text[finding.start : finding.end],
        cue=finding.cue,
        value=f"{NOT if finding.negated else ''}{finding.value}",
        verdict=verdict,
        measured=measured,
        degree=finding.degree,
        hedged=finding.hedged,
    )


def _verdict(*, holds: bool) -> Verdict:
    return Verdict.SUPPORTED if holds else Verdict.CONTRADICTED


def _judge_value(finding: Finding, text: str, measured: CueValue | None) -> Claim:
    if measured is None or not _decides(measured, finding):
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    value, accepted = finding.value, measured.accepted
    if finding.degree is Degree.IMPOSSIBLE and not finding.negated:
        return _claim(finding, text, Verdict.CONTRADICTED, measured.measured)
    if finding.degree is Degree.EXTREME and not finding.negated and measured.extremes is not None:
        return _claim(finding, text, _verdict(holds=value in measured.extremes), measured.measured)
    if finding.degree is Degree.SLIGHT and not finding.negated:
        accepted |= measured.slightly
    if value.endswith(_END):
        value, accepted = value.removesuffix(_END), frozenset({_ENDINGS.get(measured.value, measured.value)})
    if not finding.negated:
        holds = value in accepted
    elif finding.cue in _SCALED:  # at a border either of two levels holds, and then also "not high"
        holds = accepted != {value}
    else:
        holds = value not in accepted
    return _claim(finding, text, _verdict(holds=holds), measured.measured)


def _judge_number(finding: Finding, text: str, number: Quantity, profile: ProsodyProfile) -> Claim:
    found = agrees(finding.cue, number, profile)
    if found is None:
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    return _claim(finding, text, _verdict(holds=found[0] != finding.negated), found[1])


def _decides(measured: CueValue, finding: Finding) -> bool:
    """Whether the measurement can tell; that a voice is rough *or* breathy does not tell whether it is *not* rough."""
    if measured.decidable is None:
        return True
    is_one_of_several = finding.value in measured.accepted and len(measured.accepted) > 1
    return finding.value in measured.decidable and not (finding.negated and is_one_of_several)


def _judge_stress(finding: Finding, text: str, profile: ProsodyProfile, transcript: str | None) -> Claim:
    claimed = set(words(finding.value))
    if finding.value == NO_WORD:
        return _judge_value(finding, text, _no_word(profile))
    if profile.stressed_words is not None:
        heard = [w.word for w in profile.stressed_words]
        is_stressed = claimed <= {part for word in heard for part in words(sanitize(word))}
        measured = f"stressed: {', '.join(heard) or 'no word'}"
    elif transcript is not None and not claimed <= set(words(sanitize(transcript))):
        is_stressed, measured = False, "not a word of the transcript"
    else:
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    return _claim(finding, text, _verdict(holds=is_stressed != finding.negated), measured)


def _no_word(profile: ProsodyProfile) -> CueValue | None:
    if profile.stressed_words is None:
        return None
    heard = ", ".join(sanitize(w.word) for w in profile.stressed_words)
    return CueValue(
        "word" if heard else NO_WORD, frozenset({"word" if heard else NO_WORD}), f"stressed: {heard or 'no word'}"
    )


def _judge_quote(finding: Finding, text: str, transcript: str | None) -> Claim:
    if transcript is None:
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    holds = is_quoted_from(finding.value, transcript)
    return _claim(finding, text, _verdict(holds=holds), f"transcript: {sanitize(transcript)}")
