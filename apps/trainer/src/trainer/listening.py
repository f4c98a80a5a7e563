"""Whether answers come from listening: reasoning held against other clips, and questions about the prosody alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from torch import Tensor

from cotgen.tasks import SFTExample, Task, score
from policy import Sampler
from speech_claims import ClaimsError, faithfulness
from speech_claims.faithfulness import constant_text
from speech_records import AnswerFormatError, MeasuredUtterance, parse_response
from speechlm import SpeechLM
from trainer.dataset import feature_key
from trainer.features import as_float
from trainer.predict import Answer
from trainer.progress import track

ANSWER_TOKENS = 64
"""Most tokens of an answer about the prosody."""
COLUMNS = {"pitch": "pitch", "rate": "rate", "energy": "energy", "contour": "intonation"}
"""Attributes of the data set's questions, and the paper's columns for them; stress is its fifth."""


@dataclass(frozen=True, slots=True)
class FaithfulnessControls:
    """Mean faithfulness scores that need no listening, beside which a policy's own is to be read.

    - `shuffled`: its texts against the measurements of another clip
    - `alike`: of another clip of the same emotion and gender, where there is one
    - `modal`: of one text for all clips, with the most frequent value of every cue
    """

    shuffled: float
    alike: float | None
    modal: float


@dataclass(frozen=True, slots=True)
class PerceptionColumn:
    """How many of the `asked` questions about one property of the sound were answered right."""

    name: str
    asked: int
    accuracy: float


def faithfulness_controls(
    clips: Sequence[MeasuredUtterance], answers: Sequence[Answer], *, seed: int
) -> FaithfulnessControls:
    """The controls for `answers` to `clips`; texts without form score 0, as they do on their own clip."""
    order = np.random.default_rng(seed).permutation(len(clips)).tolist()
    shuffled = dict(zip(order, order[1:] + order[:1], strict=True))
    groups: dict[tuple[str, str], list[int]] = {}
    for i in order:
        utterance = clips[i].utterance
        groups.setdefault((str(utterance.emotion), str(utterance.gender)), []).append(i)
    alike = {i: j for g in groups.values() if len(g) > 1 for i, j in zip(g, g[1:] + g[:1], strict=True)}
    modal = constant_text(clips)

    def mean(pairs: Mapping[int, int]) -> float:
        return fmean(_score(_reasoning(answers[i].text), clips[i], clips[j]) for i, j in pairs.items())

    return FaithfulnessControls(
        shuffled=mean(shuffled),
        alike=mean(alike) if alike else None,
        modal=fmean(_score(modal, clip, clip) for clip in clips),
    )


def _reasoning(text: str) -> str | None:
    try:
        return parse_response(text, strict=True).think
    except AnswerFormatError:
        return None


def _score(think: str | None, said: MeasuredUtterance, measured: MeasuredUtterance) -> float:
    """The words quoted stay those of the clip that the text is about."""
    if think is None:
        return 0.0
    try:
        return faithfulness(think, measured.profile, measured.levels, said.utterance.transcript).score
    except ClaimsError:
        return 0.0


def perceive(
    model: SpeechLM,
    examples: Sequence[SFTExample],
    features: Mapping[str, Tensor],
    *,
    limit: int,
    seed: int,
    what: str,
    batch_size: int = 64,
) -> tuple[PerceptionColumn, ...]:
    """The data set's own questions about attributes, stress and order, at most `limit` of each family, greedily."""
    rng = np.random.default_rng(seed)
    chosen: list[SFTExample] = []
    for task in (Task.ATTRIBUTE, Task.STRESS, Task.COMPARATIVE):
        family = [e for e in examples if e.task is task]
        chosen += [family[i] for i in sorted(rng.permutation(len(family))[:limit])]
    sampler, results = Sampler(model), dict[str, list[bool]]()
    starts = range(0, len(chosen), batch_size)
    for start in track(starts, total=len(starts), what=what):
        batch = chosen[start : start + batch_size]
        heard = as_float(features[feature_key(e)] for e in batch)
        rollout = sampler.sample(heard, [e.question for e in batch], temperature=0.0, max_new_tokens=ANSWER_TOKENS)
        for example, (text,) in zip(batch, rollout.texts, strict=True):
            for name, right in answered(example, text).items():
                results.setdefault(name, []).append(right)
    return tuple(PerceptionColumn(name, len(found), fmean(found)) for name, found in results.items())


def answered(example: SFTExample, text: str) -> dict[str, bool]:
    """Which properties an example asks for, and whether the answer is right about each; one without form never is.

    >>> example = SFTExample("a", Task.ATTRIBUTE, "a", "a.wav", "Name the pitch and rate.", "pitch low, rate fast")
    >>> answered(example, "pitch low, rate slow")
    {'pitch': True, 'rate': False}
    """
    if example.task is not Task.ATTRIBUTE:
        return {example.task.value: score(example, text).exact}
    valid, given = score(example, text).valid, set(text.strip().removesuffix(".").casefold().split(", "))
    wanted = (part.split(" ", 1)[0] for part in example.target.split(", "))
    parts = dict(zip(wanted, example.target.split(", "), strict=True))
    return {COLUMNS.get(name, name): valid and part in given for name, part in parts.items()}
