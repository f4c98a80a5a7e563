"""Comparative examples without rendering: three recordings of one speaker, joined in known order of what was measured.

`annotator compare` makes clips that differ in one attribute alone, and needs audio and time for each. Recordings of one
speaker differ in all of them, so that a model has to compare the one it is asked about, and their cached features
are joined when a batch is made: as many examples as there are triples, at no cost.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from cotgen.tasks import Attribute, Phrasing, SFTExample, Task
from cotgen.tasks.phrasing import VALUES, questions
from speech_records import MeasuredUtterance
from speechlm import FeatureSpec
from speechlm.features import SAMPLE_RATE

LEAST: Mapping[Attribute, float] = {Attribute.PITCH: 3.0, Attribute.ENERGY: 4.0, Attribute.RATE: 12 * math.log2(1.2)}
"""Least distance of neighbours: semitones, decibels, and 20 % of the rate on a scale of twelve steps to the double."""
GAP_S = 0.25
MAX_S = 15.0
"""Longest joined clip."""
RANGE = 2.0
"""How far under a clip's maximum `speechlm.log_mel` goes: 8 decades."""
ORDERS = tuple(permutations(range(3)))


@dataclass(frozen=True, slots=True)
class Joined:
    """The recordings of a joined clip, in order."""

    parts: tuple[str, str, str]


class JoinedFeatures(Mapping[str, Tensor]):
    """Features by key as in `stored`, and those of joined clips, made when they are asked for."""

    def __init__(self, stored: Mapping[str, Tensor], joined: Mapping[str, Joined], spec: FeatureSpec) -> None:
        self._stored, self._joined = stored, joined
        self._gap = round(GAP_S * SAMPLE_RATE / spec.hop_samples)

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._joined:
            return self._stored[key]
        parts = [self._stored[name] for name in self._joined[key].parts]
        floor = torch.stack([part.max() for part in parts]).max() - RANGE
        gap = floor.expand(parts[0].shape[0], self._gap)
        return torch.cat([parts[0], gap, parts[1], gap, parts[2]], dim=-1).clamp(min=floor)

    def __iter__(self) -> Iterator[str]:
        yield from self._stored
        yield from self._joined

    def __len__(self) -> int:
        return len(self._stored) + len(self._joined)


def joined_examples(
    clips: Sequence[MeasuredUtterance], *, each: int, phrasing: Phrasing, seed: int
) -> tuple[list[SFTExample], dict[str, Joined]]:
    """At most `each` examples of every attribute, orders in turn, speakers drawn by `seed`, and what to join by key.

    The parts are recordings of one speaker whose measurements are `LEAST` apart. Speakers without such are passed over.
    """
    by_speaker: dict[str, list[MeasuredUtterance]] = {}
    for m in clips:
        by_speaker.setdefault(m.utterance.speaker_id, []).append(m)
    examples: list[SFTExample] = []
    joined: dict[str, Joined] = {}
    for attribute in Attribute:
        rng = random.Random(f"joined:{seed}:{attribute}")
        values = {speaker: _measured(own, attribute) for speaker, own in sorted(by_speaker.items())}
        speakers = [speaker for speaker, own in values.items() if _spread(own) >= 2 * LEAST[attribute]]
        for number in range(each if speakers else 0):
            triple = _triple(values[rng.choice(speakers)], LEAST[attribute], rng)
            if triple is not None:
                order = ORDERS[number % len(ORDERS)]
                question = rng.choice(questions(phrasing, attribute.value).comparative).format(name=attribute.value)
                target = ", ".join(VALUES[attribute.value][i] for i in order)
                first, second, third = (triple[i].utterance for i in order)
                name = f"joined/{attribute}/{number}"
                examples.append(
                    SFTExample(name, Task.COMPARATIVE, first.utterance_id, name, question, target, first.split)
                )
                joined[name] = Joined((first.utterance_id, second.utterance_id, third.utterance_id))
    return examples, joined


def _measured(clips: Sequence[MeasuredUtterance], attribute: Attribute) -> list[tuple[float, MeasuredUtterance]]:
    """The clips by what was measured, on a scale on which equal distances sound alike."""
    found = []
    for m in clips:
        profile = m.profile
        value = {
            Attribute.PITCH: profile.f0_median_hz and 12 * math.log2(profile.f0_median_hz),
            Attribute.ENERGY: profile.energy_dbfs,
            Attribute.RATE: profile.articulation_rate_sps and 12 * math.log2(profile.articulation_rate_sps),
        }[attribute]
        if value and 3 * (profile.duration_s + GAP_S) <= MAX_S:
            found.append((float(value), m))
    return sorted(found, key=lambda pair: (pair[0], pair[1].utterance.utterance_id))


def _spread(values: Sequence[tuple[float, MeasuredUtterance]]) -> float:
    return values[-1][0] - values[0][0] if values else 0.0


def _triple(
    values: Sequence[tuple[float, MeasuredUtterance]], least: float, rng: random.Random, tries: int = 50
) -> tuple[MeasuredUtterance, MeasuredUtterance, MeasuredUtterance] | None:
    """A low, a middle and a high clip; `None` where none is drawn in as many `tries`."""
    for _ in range(tries):
        (low, first), (middle, second), (high, third) = sorted(rng.sample(values, 3), key=lambda pair: pair[0])
        if middle - low >= least and high - middle >= least:
            return first, second, third
    return None
