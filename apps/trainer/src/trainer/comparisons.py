"""Comparative examples without rendering: three parts of known order, joined of cached features when a batch is made.

`annotator compare` makes clips that differ in one attribute alone, and needs audio and time for each. Here the parts
are, in turn, variants of one recording (`trainer.variants`), as far apart as rendered ones or nearer and further, and
three recordings of one speaker in the order of what was measured: these differ in all attributes, so that a model
has to compare the one that it is asked about. There are as many examples as there are triples, at no cost.
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
from speech_records import MeasuredUtterance, Utterance
from speechlm import FeatureSpec
from speechlm.features import FRAMES_PER_TOKEN, SAMPLE_RATE, audio_token_count
from trainer.dataset import TRAIN
from trainer.perception import UNKNOWN
from trainer.variants import varied_frames, vary

LEAST: Mapping[Attribute, float] = {Attribute.PITCH: 3.0, Attribute.ENERGY: 4.0, Attribute.RATE: 12 * math.log2(1.2)}
"""Least distance of neighbours: semitones, decibels, and 20 % of the rate on a scale of twelve steps to the double."""
STEP: Mapping[Attribute, float] = {Attribute.PITCH: 4.0, Attribute.ENERGY: 6.0, Attribute.RATE: 0.25}
"""Usual distance of neighbouring variants: semitones, decibels, share of the tempo."""
STEPS = (0.5, 1.3)
"""Smallest and largest distance of variants, as shares of the usual one."""
OFFSET = 0.5
"""Largest common offset of variants, as a share of the usual step: no absolute value gives the order away."""
GAP_S = 0.25
MAX_S = 15.0
"""Longest joined clip."""
RANGE = 2.0
"""How far under a clip's maximum `speechlm.log_mel` goes: 8 decades."""
ORDERS = tuple(permutations(range(3)))


Triple = tuple["Part", "Part", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A recording, by its utterance id, in which `attribute` is changed by `amount` (`trainer.variants.vary`)."""

    utterance_id: str
    attribute: Attribute | None = None
    amount: float = 0.0

    def of(self, stored: Mapping[str, Tensor]) -> Tensor:
        """The features of this part."""
        clip = stored[self.utterance_id]
        return clip if self.attribute is None else vary(clip.float(), self.attribute, self.amount)

    def frames(self, stored: Mapping[str, Tensor]) -> int:
        """How many of its features there are."""
        own = int(stored[self.utterance_id].shape[-1])
        return varied_frames(own, self.amount) if self.attribute is Attribute.RATE else own


@dataclass(frozen=True, slots=True)
class Joined:
    """A joined clip: its parts in their order, and the level of each (0, 1, 2) of the attribute that orders them."""

    parts: Triple
    attribute: Attribute
    levels: tuple[int, ...]


class JoinedFeatures(Mapping[str, Tensor]):
    """Features by key as in `stored`, and those of `joined` clips, made when they are asked for."""

    def __init__(self, stored: Mapping[str, Tensor], joined: Mapping[str, Joined], spec: FeatureSpec) -> None:
        self.joined, self._stored = joined, stored
        self._gap = round(GAP_S * SAMPLE_RATE / spec.hop_samples)

    def __getitem__(self, key: str) -> Tensor:
        if key not in self.joined:
            return self._stored[key]
        parts = [part.of(self._stored) for part in self.joined[key].parts]
        floor = torch.stack([part.max() for part in parts]).max() - RANGE
        gap = floor.expand(parts[0].shape[0], self._gap)
        return torch.cat([parts[0], gap, parts[1], gap, parts[2]], dim=-1).clamp(min=floor)

    def __iter__(self) -> Iterator[str]:
        yield from self._stored
        yield from self.joined

    def __len__(self) -> int:
        return len(self._stored) + len(self.joined)

    def levels(self, key: str) -> Tensor:
        """For every audio token of a joined clip the level of its part, `int64[tokens, attributes]`; `UNKNOWN` for
        other attributes and for tokens that are not within a part.
        """
        joined = self.joined[key]
        lengths = [part.frames(self._stored) for part in joined.parts]
        tokens = audio_token_count(sum(lengths) + 2 * self._gap)
        found = torch.full((tokens, len(Attribute)), UNKNOWN)
        column, start = list(Attribute).index(joined.attribute), 0
        for frames, level in zip(lengths, joined.levels, strict=True):
            found[-(-start // FRAMES_PER_TOKEN) : (start + frames) // FRAMES_PER_TOKEN, column] = level
            start += frames + self._gap
        return found


def token_levels(clips: Sequence[Tensor], keys: Sequence[str], features: Mapping[str, Tensor]) -> Tensor:
    """`JoinedFeatures.levels` of all `clips`, one after the other; of one that is not joined all are `UNKNOWN`."""
    found = []
    for clip, key in zip(clips, keys, strict=True):
        if isinstance(features, JoinedFeatures) and key in features.joined:
            found.append(features.levels(key))
        else:
            found.append(torch.full((audio_token_count(clip.shape[1]), len(Attribute)), UNKNOWN))
    return torch.cat(found)


def joined_examples(
    clips: Sequence[MeasuredUtterance], *, numbers: Mapping[str, int], phrasing: Phrasing, seed: int
) -> tuple[list[SFTExample], dict[str, Joined]]:
    """Of every attribute at most as many examples as `numbers` says from variants, and as many from recordings, orders
    in turn, drawn by `seed`; and what to join by key.

    What is varied is voiced; recordings are of one speaker, their measurements `LEAST` apart. Speakers without such
    are passed over.
    """
    short = [m for m in clips if 3 * (m.profile.duration_s + GAP_S) <= MAX_S]
    voiced = [m.utterance for m in short if m.profile.f0_median_hz is not None]
    examples: list[SFTExample] = []
    joined: dict[str, Joined] = {}
    for attribute in Attribute:
        rng = random.Random(f"joined:{seed}:{attribute}")
        recorded = _Recordings(short, attribute)
        for number in range(2 * numbers.get(attribute, 0)):
            is_varied = number % 2 == 0
            triple = _variants(rng.choice(voiced), attribute, rng) if is_varied and voiced else recorded.triple(rng)
            if triple is not None:
                order = ORDERS[number // 2 % len(ORDERS)]
                question = rng.choice(questions(phrasing, attribute.value).comparative).format(name=attribute.value)
                target = ", ".join(VALUES[attribute.value][i] for i in order)
                first, second, third = (triple[i] for i in order)
                name = f"joined/{attribute}/{number}"
                examples.append(SFTExample(name, Task.COMPARATIVE, first.utterance_id, name, question, target, TRAIN))
                joined[name] = Joined((first, second, third), attribute, order)
    return examples, joined


def _variants(utterance: Utterance, attribute: Attribute, rng: random.Random) -> Triple:
    """A low, a middle and a high variant of one recording."""
    step = rng.uniform(*STEPS)
    offset = rng.uniform(-OFFSET, OFFSET)
    low, middle, high = (
        Part(utterance.utterance_id, attribute, round((level * step + offset) * STEP[attribute], 3))
        for level in (-1, 0, 1)
    )
    return low, middle, high


class _Recordings:
    """The recordings of each speaker in the order of what was measured of an attribute."""

    def __init__(self, clips: Sequence[MeasuredUtterance], attribute: Attribute) -> None:
        by_speaker: dict[str, list[MeasuredUtterance]] = {}
        for m in clips:
            by_speaker.setdefault(m.utterance.speaker_id, []).append(m)
        self._least = LEAST[attribute]
        values = [_measured(own, attribute) for _, own in sorted(by_speaker.items())]
        self._values = [own for own in values if own and own[-1][0] - own[0][0] >= 2 * self._least]

    def triple(self, rng: random.Random, tries: int = 50) -> Triple | None:
        """A low, a middle and a high recording of one speaker; `None` where none is drawn in as many `tries`."""
        own = rng.choice(self._values) if self._values else []
        for _ in range(tries if own else 0):
            (low, first), (middle, second), (high, third) = sorted(rng.sample(own, 3), key=lambda pair: pair[0])
            if middle - low >= self._least and high - middle >= self._least:
                return Part(first), Part(second), Part(third)
        return None


def _measured(clips: Sequence[MeasuredUtterance], attribute: Attribute) -> list[tuple[float, str]]:
    """The ids of clips by what was measured, on a scale on which equal distances sound alike."""
    found = []
    for m in clips:
        profile = m.profile
        value = {
            Attribute.PITCH: profile.f0_median_hz and 12 * math.log2(profile.f0_median_hz),
            Attribute.ENERGY: profile.energy_dbfs,
            Attribute.RATE: profile.articulation_rate_sps and 12 * math.log2(profile.articulation_rate_sps),
        }[attribute]
        if value:
            found.append((float(value), m.utterance.utterance_id))
    return sorted(found)
