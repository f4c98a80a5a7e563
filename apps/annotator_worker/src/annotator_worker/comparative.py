"""Comparative clips: three variants of one sentence, low, normal and high in one attribute, joined in random order.

The paper's comparative task asks for that order. Two things would give it away without listening to the attribute, and
are prevented: all three variants pass through the same modification (the normal one too, so that no variant is the
only one without a vocoder's traces), and all three share a random offset (so that no absolute value names a level).
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from annotator_worker.errors import ClipError, MissingAudioError
from annotator_worker.pipeline import audio_sha256, load_clip
from annotator_worker.records import ComparativePlan, JobSpec, Versions, digest
from cotgen.tasks import Attribute
from cotgen.tasks.variants import VariantRecipe
from prosody import modify
from speech_records import Level, MeasuredUtterance, Utterance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SOURCE_S = 5.0
"""Longest speech that is used: three variants and the silences must stay within what a pocket model attends to."""
GAP_S = 0.25
MARGIN_S = 0.05
"""Kept around the speech of the source clip."""
PEAK = 0.97
"""Full scale is 1; a joined clip that would pass this is scaled down as a whole, which keeps its levels in relation."""
_TINY = 1e-9
CENTI = 100
"""Offsets are drawn in hundredths, as integers, so that a plan is the same text on every machine."""


@dataclass(frozen=True, slots=True)
class Variation:
    """How an attribute is varied: the step from normal to low or high, and the largest common offset."""

    step: float
    max_offset: float


VARIATIONS: Mapping[Attribute, Variation] = MappingProxyType(
    {
        Attribute.PITCH: Variation(step=4.0, max_offset=1.0),  # semitones
        Attribute.ENERGY: Variation(step=6.0, max_offset=2.0),  # dB
        Attribute.RATE: Variation(step=0.25, max_offset=0.06),  # share of the tempo
    }
)
"""Steps well above just noticeable differences, small enough that WORLD keeps speech natural."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Voiced speech between two times of an utterance."""

    utterance: Utterance
    audio_sha256: str
    start_s: float
    end_s: float


_SIGN = {Level.LOW: -1.0, Level.NORMAL: 0.0, Level.HIGH: 1.0}


def plan(measured: Iterable[MeasuredUtterance], spec: JobSpec) -> list[ComparativePlan]:
    """At most `spec.comparative` plans for each split, drawn by `spec.seed`, attributes in turn; sorted by clip id.

    Only voiced speech of at most `MAX_SOURCE_S` is used: whispering has no pitch to vary.
    """
    by_split: dict[str, list[_Source]] = {}
    usable = (source for source in map(_source, measured) if source is not None)
    for source in sorted(usable, key=lambda s: s.utterance.utterance_id):
        by_split.setdefault(source.utterance.split or "", []).append(source)
    plans = []
    for split, sources in sorted(by_split.items()):
        rng = random.Random(f"comparative:{spec.seed}:{split}")
        chosen = rng.sample(sources, min(spec.comparative, len(sources)))
        plans += [_plan(s, attribute, spec.versions, rng) for s, attribute in zip(chosen, cycle(Attribute))]
    return sorted(plans, key=lambda p: p.clip_id)


def plan_recipe(recipe: VariantRecipe, item: MeasuredUtterance, versions: Versions) -> ComparativePlan:
    """The plan of a recipe of `cotgen variants` for the utterance that it names.

    Raises `ClipError` where there is no voiced speech of at most `MAX_SOURCE_S`, or it is not known which bytes were
    measured.
    """
    source = _source(item)
    if source is None:
        raise ClipError(
            f"{recipe.utterance_id}: needs voiced speech of at most {MAX_SOURCE_S} s and the hash of its audio"
        )
    offset = round(recipe.offset * _largest_offset(recipe.attribute)) or (1 if recipe.offset > 0 else -1)
    return _named(source, recipe.attribute, recipe.order, offset, versions, step=recipe.step)


def render(plan: ComparativePlan, path: Path) -> bytes:
    """The clip of `plan` from the source at `path`: 16 kHz mono 16-bit FLAC."""
    import numpy as np
    import soundfile

    if audio_sha256(path) != plan.audio_sha256:
        raise MissingAudioError(f"{plan.utterance.utterance_id}: its audio changed since it was measured")
    audio = load_clip(plan.utterance, path)
    start = max(0, round((plan.speech_start_s - MARGIN_S) * audio.sample_rate))
    speech = audio.samples[start : round((plan.speech_end_s + MARGIN_S) * audio.sample_rate)]
    if plan.attribute is Attribute.ENERGY:
        # Room for the loudest variant: a limiter would take away the very difference that is asked for.
        loudest = plan.step * VARIATIONS[Attribute.ENERGY].step + plan.offset_centi / CENTI
        speech = speech * min(1.0, PEAK * 10 ** (-loudest / 20) / max(float(np.max(np.abs(speech))), _TINY))
    gap = np.zeros(round(GAP_S * audio.sample_rate), dtype=np.float32)
    parts: list[NDArray[np.float32]] = []
    for level in plan.order:
        parts += [_variant(speech, audio.sample_rate, plan, level), gap]
    joined = np.concatenate(parts[:-1])
    peak = float(np.max(np.abs(joined)))
    if peak > PEAK:
        joined *= PEAK / peak
    buffer = io.BytesIO()
    soundfile.write(buffer, joined, audio.sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _variant(speech: NDArray[np.float32], sample_rate: int, plan: ComparativePlan, level: Level) -> NDArray[np.float32]:
    amount = _SIGN[level] * plan.step * VARIATIONS[plan.attribute].step + plan.offset_centi / CENTI
    match plan.attribute:
        case Attribute.PITCH:
            return modify(speech, sample_rate, pitch_st=amount)
        case Attribute.ENERGY:
            return modify(speech, sample_rate, energy_db=amount)
        case Attribute.RATE:
            return modify(speech, sample_rate, tempo=1.0 + amount)


def _source(item: MeasuredUtterance) -> _Source | None:
    profile = item.profile
    start, end = profile.speech_start_s, profile.speech_end_s
    if profile.f0_median_hz is None or start is None or end is None or item.audio_sha256 is None:
        return None
    return _Source(item.utterance, item.audio_sha256, start, end) if 0.0 < end - start <= MAX_SOURCE_S else None


def _plan(source: _Source, attribute: Attribute, versions: Versions, rng: random.Random) -> ComparativePlan:
    order = tuple(rng.sample(list(Level), len(Level)))
    largest = _largest_offset(attribute)
    offset = rng.randint(1, largest) * rng.choice((-1, 1))  # never 0: see the module
    return _named(source, attribute, order, offset, versions)


def _largest_offset(attribute: Attribute) -> int:
    return round(VARIATIONS[attribute].max_offset * CENTI)


def _named(
    source: _Source,
    attribute: Attribute,
    order: tuple[Level, ...],
    offset: int,
    versions: Versions,
    *,
    step: float = 1.0,
) -> ComparativePlan:
    """A plan whose name holds everything that decides the clip."""
    part = (source.utterance.start_s, source.utterance.end_s, source.utterance.channel)
    name = digest(
        [
            versions.prosody,
            versions.annotator_worker,
            source.utterance.utterance_id,
            source.audio_sha256,
            repr(source.start_s),
            repr(source.end_s),
            attribute,
            *order,
            offset,
            repr(step * VARIATIONS[attribute].step),
            *(() if part == (None, None, None) else (repr(part),)),
        ]
    )
    return ComparativePlan(
        clip_id=f"comparative-{name}",
        utterance=source.utterance,
        audio_sha256=source.audio_sha256,
        attribute=attribute,
        order=order,
        offset_centi=offset,
        step=step,
        speech_start_s=source.start_s,
        speech_end_s=source.end_s,
    )
