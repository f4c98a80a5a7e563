"""Holds what a text claims of a clip's prosody against what was measured.

`finding` and `mentions` find the claims, here they are judged. A claim is

- *supported* when the measurement says the same, or lies so close to the border between two levels that both names
  are fair (`readings.BORDER_PERCENTILES`);
- *contradicted* when the measurement says something else;
- *unverifiable* when nothing was measured, or what was measured is called uncertain.

What counts as a claim is laid down in `docs/claims.md`. Change inside the clip is none, except of the contour. Only
English is searched for claims; a German text keeps those that it was built with, and they are judged again.

- `finding`, `mentions`: prosodic claims; quotes and stressed words
- `senses`, `lexicon`, `tokens`, `scope`: what words say, from `english.toml`; their grammar; how a claim is put
- `screening`: checks of whole texts; a trace is kept, repaired or rejected
- `faithfulness`: verdicts by cue and by emotion
- `gold`, `worlds`: how good the verifier is on labelled sentences; the measurements that these are held against
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from cotgen.quoting import is_quoted_from, neutralise, words
from cotgen.readings import Reading, read_cues
from cotgen.verification.finding import Finding, find
from cotgen.verification.mentions import find_quotes, find_stress, quoted_spans, without_quotes
from cotgen.verification.senses import word_set
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

NOT = "not "
"""A claim of absence carries its value with this before it: `not high`."""

_GERMAN, _ENGLISH = word_set("common_german"), word_set("common_english")
_SCALED = frozenset((Cue.PITCH, Cue.ENERGY, Cue.RATE, Cue.PITCH_RANGE))
_END = " at the end"
_ENDINGS: Mapping[str, str] = MappingProxyType(
    {"rising": "rising", "falling-rising": "rising", "falling": "falling", "rising-falling": "falling"}
)


def verify(text: str, profile: ProsodyProfile, levels: ProsodyLevels | None, transcript: str | None) -> list[Claim]:
    """The prosodic claims and quotes in `text`, in their order, each with its verdict and what was measured.

    Spans are character ranges of `text` and never overlap. Values are in the vocabulary of `readings`; besides them
    `not <value>`, `rising at the end`, `falling at the end`, a stressed word, or the quoted text.

    >>> profile = ProsodyProfile(duration_s=2.0, sample_rate=16000, voiced_share=0.6)
    >>> for claim in verify("She whispers, quickly.", profile, None, None):
    ...     print(claim.cue, claim.value, claim.verdict, claim.measured)
    voicing whispered contradicted 60 % of the speech is voiced
    rate high unverifiable None
    """
    quotes = quoted_spans(text)
    stress = find_stress(text, quotes=quotes, transcript=transcript)
    free = [q for q in quotes if not any(f.start <= q[0] < f.end for f in stress)]
    masked = [*quotes, *((f.start, f.end) for f in stress)]
    findings = [
        *stress,
        *find_quotes(text, quotes=free, transcript=transcript),
        *find(text, quotes=_merged(masked)),
    ]
    return judge(text, findings, profile, levels, transcript)


def verify_trace(trace: ReasoningTrace, measured: MeasuredUtterance) -> ReasoningTrace:
    """`trace` with the claims of its text held against `measured`.

    The claims of an English text are looked for in it. A German text is not read: the claims that it came with, as
    `rules/2-de` writes them, are judged again.
    """
    profile, levels, transcript = measured.profile, measured.levels, measured.utterance.transcript
    if is_german(trace.think):
        claims = judge(trace.think, map(_found_again, trace.claims), profile, levels, transcript)
    else:
        claims = verify(trace.think, profile, levels, transcript)
    return replace(trace, claims=tuple(claims))


def is_german(text: str) -> bool:
    """Whether a text, its quotes left out, has more of the commonest German words than of the commonest English ones.

    >>> is_german("Die Stimme ist laut, und das Tempo ist hoch."), is_german("She says “die Stimme ist laut”.")
    (True, False)
    """
    said = words(without_quotes(text))
    return sum(w in _GERMAN for w in said) > sum(w in _ENGLISH for w in said)


def _found_again(claim: Claim) -> Finding:
    negated = claim.value.startswith(NOT)
    value = claim.value.removeprefix(NOT)
    return Finding(claim.start, claim.end, claim.cue, value, negated, claim.degree, claim.hedged)


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
    readings = read_cues(profile, levels)
    claims = []
    for finding in findings:
        if finding.cue is Cue.STRESS:
            claims.append(_judge_stress(finding, text, profile, transcript))
        elif finding.cue is Cue.QUOTE:
            claims.append(_judge_quote(finding, text, transcript))
        else:
            claims.append(_judge_reading(finding, text, readings.get(finding.cue)))
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


def _judge_reading(finding: Finding, text: str, reading: Reading | None) -> Claim:
    if reading is None or not _decides(reading, finding):
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    value, accepted = finding.value, reading.accepted
    if finding.degree is Degree.SLIGHT and not finding.negated:
        accepted |= reading.slightly
    if value.endswith(_END):
        value, accepted = value.removesuffix(_END), frozenset({_ENDINGS.get(reading.value, reading.value)})
    if not finding.negated:
        holds = value in accepted
    elif finding.cue in _SCALED:  # at a border either of two levels holds, and then also "not high"
        holds = accepted != {value}
    else:
        holds = value not in accepted
    return _claim(finding, text, _verdict(holds=holds), reading.measured)


def _decides(reading: Reading, finding: Finding) -> bool:
    """Whether the measurement can tell; that a voice is rough *or* breathy does not tell whether it is *not* rough."""
    if reading.decidable is None:
        return True
    is_one_of_several = finding.value in reading.accepted and len(reading.accepted) > 1
    return finding.value in reading.decidable and not (finding.negated and is_one_of_several)


def _judge_stress(finding: Finding, text: str, profile: ProsodyProfile, transcript: str | None) -> Claim:
    claimed = set(words(finding.value))
    if profile.stressed_words is not None:
        heard = [w.word for w in profile.stressed_words]
        is_stressed = claimed <= {part for word in heard for part in words(neutralise(word))}
        measured = f"stressed: {', '.join(heard) or 'no word'}"
    elif transcript is not None and not claimed <= set(words(neutralise(transcript))):
        is_stressed, measured = False, "not a word of the transcript"
    else:
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    return _claim(finding, text, _verdict(holds=is_stressed != finding.negated), measured)


def _judge_quote(finding: Finding, text: str, transcript: str | None) -> Claim:
    if transcript is None:
        return _claim(finding, text, Verdict.UNVERIFIABLE, None)
    holds = is_quoted_from(finding.value, transcript)
    return _claim(finding, text, _verdict(holds=holds), f"transcript: {neutralise(transcript)}")
