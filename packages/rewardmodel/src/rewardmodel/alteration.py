"""Wrong facts: a trace written about a clip some of whose cues are measured as another clip's are.

The other clips are of the same corpus and express the same emotion, so that the false facts are as likely with this
answer as true ones: the text is fluent, argues from what it says, and only the sound shows that it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from speech_claims import verify_trace
from speech_claims.cue_values import cue_values
from speech_claims.quotes import words
from speech_records import Cue, MeasuredUtterance, ReasoningTrace

Writer = Callable[[MeasuredUtterance], ReasoningTrace]
"""Writes about a clip from its measurements, the same about the same: for instance the rules of `cotgen`."""
Lenders = Mapping[Cue, MeasuredUtterance]
"""The clip to take each cue from."""

_LEVELS = (Cue.PITCH, Cue.ENERGY, Cue.RATE)
_SPREAD = ("contour_dynamics", "f0_range_st", "f0_sd_st")
_FIELDS: Mapping[Cue, tuple[str, ...]] = MappingProxyType(
    {
        Cue.CONTOUR_SHAPE: ("contour_shape", "contour_confidence", "f0_slope_st_per_s"),
        Cue.CONTOUR_DYNAMICS: _SPREAD,
        Cue.PITCH_RANGE: _SPREAD,
        Cue.PAUSES: ("pauses", "pause_share"),
        Cue.VOICE_QUALITY: ("hnr_db", "snr_db"),
        Cue.GENDER: ("gender", "gender_confidence"),
        Cue.AGE: ("age_group",),
        Cue.STRESS: ("stressed_words",),
    }
)
"""The fields of a profile that say a cue. Voicing stays: without it there is no pitch to be wrong about."""
ALTERABLE = frozenset((*_LEVELS, *_FIELDS))
"""The cues that can be measured otherwise."""


def lenders_of(clips: Sequence[MeasuredUtterance], *, generator: Random) -> Mapping[str, Lenders]:
    """For each of `clips`, by utterance id, the other clips that its cues can be taken from to be wrong.

    Every clip lends at most once, in random order, to a clip where its value would not pass, and lending ends with the
    first that finds none: so false values are as frequent as true ones, and none is telling. Stressed words are taken
    from clips of the same words only.
    """
    values = {clip.utterance.utterance_id: cue_values(clip.profile, clip.levels) for clip in clips}
    lenders: dict[str, dict[Cue, MeasuredUtterance]] = {name: {} for name in values}
    for cue in sorted(ALTERABLE):
        groups: dict[str, list[tuple[MeasuredUtterance, frozenset[str]]]] = {}
        for clip in clips:
            value = values[clip.utterance.utterance_id].get(cue)
            names = _stressed(clip) if cue is Cue.STRESS else value.accepted if value else frozenset[str]()
            if names:
                spoken = (clip.utterance.transcript or "") if cue is Cue.STRESS else ""
                groups.setdefault(spoken, []).append((clip, names))
        for group in groups.values():
            for borrower, lender in _pairs(group, generator):
                lenders[borrower.utterance.utterance_id][cue] = lender
    return lenders


def _pairs(
    clips: Sequence[tuple[MeasuredUtterance, frozenset[str]]], generator: Random
) -> Iterator[tuple[MeasuredUtterance, MeasuredUtterance]]:
    """Borrower and lender, of clips with the names that their value may be called by, such that none of them passes."""
    waiting: dict[frozenset[str], list[MeasuredUtterance]] = {}
    for clip, names in generator.sample(clips, len(clips)):
        waiting.setdefault(names, []).append(clip)
    for lender, names in generator.sample(clips, len(clips)):
        others = [other for other, left in waiting.items() if left and not other & names]
        if others:
            (chosen,) = generator.choices(others, [len(waiting[other]) for other in others])
            yield waiting[chosen].pop(), lender
        else:
            return


def _stressed(clip: MeasuredUtterance) -> frozenset[str]:
    return frozenset(part for word in clip.profile.stressed_words or () for part in words(word.word))


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Writes about `measured` with cues that are taken from `lenders`."""

    measured: MeasuredUtterance
    lenders: Lenders
    write: Writer

    def rewrite(self, count: int, generator: Random) -> ReasoningTrace | None:
        """A trace in which `count` cues, or as many as can be taken from another clip, are wrong.

        Its claims are checked against the real measurements. `None` when none can be taken.
        """
        clip, written, changed = self.measured, None, 0
        for cue in generator.sample(sorted(self.lenders), len(self.lenders)):
            altered = _with_cue(clip, cue, self.lenders[cue])
            trace = self.write(altered)
            if any(claim.cue is cue for claim in trace.claims):
                clip, written, changed = altered, trace, changed + 1
            if changed == count:
                break
        return None if written is None else verify_trace(written, self.measured)


def _with_cue(clip: MeasuredUtterance, cue: Cue, lender: MeasuredUtterance) -> MeasuredUtterance:
    if cue in _LEVELS and clip.levels is not None:
        return replace(clip, levels=replace(clip.levels, **{cue.value: getattr(lender.levels, cue.value)}))
    lent = {name: getattr(lender.profile, name) for name in _FIELDS.get(cue, ())}
    return replace(clip, profile=replace(clip.profile, **lent))
