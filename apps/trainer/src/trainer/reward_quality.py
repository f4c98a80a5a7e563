"""What is counted of texts that a reward model has judged: claims by cue, factual order, pairs by severity."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from rewardmodel import (
    MAX_SEVERITY,
    MIN_GAP,
    CriterionQuality,
    Fault,
    auroc,
    criterion_quality,
    expected_calibration_error,
)
from speech_records import Cue, RewardScores
from trainer.reward_data import Source, Text

FAULTS: Mapping[str, frozenset[Fault]] = {
    "factual_alignment": frozenset((Fault.NONE, Fault.WRONG_FACTS, Fault.MISMATCHED_AUDIO)),
    "interpretative_quality": frozenset((Fault.NONE, Fault.WRONG_INFERENCE)),
    "caption_completeness": frozenset((Fault.NONE, Fault.MISSING_CUES)),
    "fluency_and_structural_clarity": frozenset((Fault.NONE, Fault.BROKEN_LANGUAGE)),
}
"""The faults that are about a criterion."""


@dataclass(frozen=True, slots=True)
class JudgedText:
    """A text about a clip as the model judged it: its scores, and every claim that the measurement decides.

    `target` are the scores that it deserves, the factual one by the faithfulness score of its reasoning.
    """

    clip: int
    text: Text
    target: tuple[float, ...]
    scores: tuple[float, ...]
    cues: tuple[Cue, ...]
    probabilities: tuple[float, ...]
    outcomes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ClaimQuality:
    """Verdicts on `count` claims, a share of them `supported`; `auroc` overall and by cue, `None` for one outcome."""

    count: int
    supported: float
    auroc: float | None
    ece: float
    by_cue: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class FactualQuality:
    """The factual score of whole texts.

    - `spearman`: with the faithfulness score, of which `at_zero` is the share of texts that earn nothing: all of them
      are one tie, which no model's scores reproduce; `order`: of pairs of texts about one clip
    - `spearman_share`: of the mean probability of a text's claims with the share of them that are true
    """

    texts: int
    at_zero: float
    spearman: float | None
    order: float | None
    spearman_share: float | None


def claim_quality(judged: Sequence[JudgedText], *, temperature: float = 1.0) -> Mapping[str, ClaimQuality]:
    """Verdicts by source; the log-odds of probabilities are multiplied with `temperature` first."""
    found = {}
    for source in (Source.SWAPPED, Source.OWN):
        p, true = claims_of(judged, source, temperature)
        if not len(p):
            continue
        cues = np.array([cue.value for j in judged if j.text.source is source for cue in j.cues])
        by_cue = {str(cue): auroc(p[cues == cue], true[cues == cue]) for cue in np.unique(cues)}
        found[source.value] = ClaimQuality(
            len(p), float(true.mean()), auroc(p, true), expected_calibration_error(p, true), by_cue
        )
    return found


def text_only(trained_on: Sequence[Text], held_out: Sequence[Text]) -> float | None:
    """The AUROC with which logistic regression on words and pairs of words tells wrong facts from whole traces."""
    faults = (Fault.NONE, Fault.WRONG_FACTS)
    train, test = (
        [t.graded for t in texts if t.source is Source.GRADED and t.graded.fault in faults]
        for texts in (trained_on, held_out)
    )
    labels = [g.fault is Fault.NONE for g in train]
    if len(set(labels)) < len(faults) or not test:
        return None
    words = CountVectorizer(ngram_range=(1, 2), binary=True)
    classifier = make_pipeline(words, LogisticRegression(max_iter=1000)).fit([g.think for g in train], labels)
    return auroc(classifier.predict_proba([g.think for g in test])[:, 1], [g.fault is Fault.NONE for g in test])


def graded_of(judged: Sequence[JudgedText]) -> list[JudgedText]:
    """The graded traces that could be judged."""
    return [j for j in judged if j.text.source is Source.GRADED and not math.isnan(j.scores[0])]


def claims_of(
    judged: Sequence[JudgedText], source: Source | None, temperature: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities and outcomes of the claims of a source, or of all.

    The log-odds of probabilities are multiplied with `temperature` first.
    """
    chosen = [j for j in judged if source is None or j.text.source is source]
    p = np.array([p for j in chosen for p in j.probabilities])
    odds = logit(np.clip(p, 1e-7, 1.0 - 1e-7)) * temperature
    return expit(odds), np.array([outcome for j in chosen for outcome in j.outcomes])


def factual_quality(judged: Sequence[JudgedText]) -> FactualQuality:
    """The factual scores of texts that could be judged, against what they deserve."""
    scored = [j for j in judged if not math.isnan(j.scores[0])]
    by_clip: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for j in scored:
        by_clip[j.clip].append((j.scores[0], j.target[0]))
    right = [_in_order(*pair) for same in by_clip.values() for pair in combinations(same, 2)]
    decided = [r for r in right if r is not None]
    claimed = [j for j in scored if j.outcomes]
    return FactualQuality(
        texts=len(scored),
        at_zero=float(np.mean([j.target[0] == 1.0 for j in scored])) if scored else 0.0,
        spearman=_spearman([(j.scores[0], j.target[0]) for j in scored]),
        order=float(np.mean(decided)) if decided else None,
        spearman_share=_spearman([(float(np.mean(j.probabilities)), float(np.mean(j.outcomes))) for j in claimed]),
    )


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    return criterion_quality(*np.array(pairs).T).spearman if len(pairs) > 1 else None


def severity_pairs(graded: Sequence[JudgedText]) -> Mapping[str, float | None]:
    """By severity, the share of pairs of a whole trace and a damaged one that each criterion the fault costs orders."""
    whole = {j.clip: j for j in graded if j.text.graded.fault is Fault.NONE}
    right: dict[int, list[float]] = {severity: [] for severity in range(1, MAX_SEVERITY + 1)}
    for j in graded:
        other = whole.get(j.clip)
        if other is None or j.text.graded.severity == 0:
            continue
        pairs = zip(zip(j.scores, j.target, strict=True), zip(other.scores, other.target, strict=True), strict=True)
        right[j.text.graded.severity] += [r for pair in pairs if (r := _in_order(*pair)) is not None]
    return {str(severity): float(np.mean(found)) if found else None for severity, found in right.items()}


def by_fault(graded: Sequence[JudgedText]) -> Mapping[str, CriterionQuality]:
    """Agreement by criterion on whole traces and those with the faults that are about it."""
    found = {}
    for j, criterion in enumerate(RewardScores.CRITERIA):
        about = [g for g in graded if g.text.graded.fault in FAULTS[criterion] and not math.isnan(g.scores[j])]
        if about:
            found[criterion] = criterion_quality(*np.array([(g.scores[j], g.target[j]) for g in about]).T)
    return found


def _in_order(one: tuple[float, float], other: tuple[float, float]) -> float | None:
    """Whether scores are in the order of their targets, a tie counting half; `None` where these are too close."""
    (score, target), (other_score, other_target) = one, other
    if abs(target - other_target) < MIN_GAP:
        return None
    difference = (score - other_score) * (target - other_target)
    return 0.5 if difference == 0 else float(difference > 0)
