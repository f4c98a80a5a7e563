"""How well a reward model judges the speech of voices that it was not trained on: `quality.json` and its pictures."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import Tensor

from rewardmodel import (
    MAX_SEVERITY,
    MIN_GAP,
    CriterionQuality,
    Fault,
    GradedTrace,
    RewardModel,
    ScoredTrace,
    auroc,
    criterion_quality,
    expected_calibration_error,
    fit_temperature,
    quality,
    read,
    reliability,
)
from speech_claims import faithfulness
from speech_records import Cue, RewardScores, Verdict, write_jsonl
from trainer.reward_data import ClipTexts, Source, Text

QUALITY, SCORED = "quality.json", "scored.jsonl"
VERDICTS: Mapping[Verdict, float] = {Verdict.SUPPORTED: 1.0, Verdict.CONTRADICTED: 0.0, Verdict.UNVERIFIABLE: math.nan}
MIN_AUDIO_GAP = 0.05
"""A model whose verdicts are less than this better with the right clip than with another does not listen."""
MAX_TEXT_ONLY = 0.60
"""Above this a bag of words finds too many factual faults."""


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
class Calibration:
    """The temperature of claims, fitted on the validation voices."""

    temperature: float
    claims: int


@dataclass(frozen=True, slots=True)
class FactualQuality:
    """The factual score of whole texts: Spearman with the faithfulness score, order of texts about one clip."""

    texts: int
    spearman: float | None
    order: float | None


@dataclass(frozen=True, slots=True)
class RewardReport:
    """Everything measured, on voices that were not trained on; mappings of `Source` have keys *swapped* and *own*.

    - `criteria`: agreement on graded traces, by criterion
    - `severity`: share of pairs (whole trace, damaged one of the same clip) in the right order, by severity
    - `factual`, `claims`: by source; `claims_before`: before temperature scaling; `untrained`: by the likelihood alone
      that the policy gives to values, the generative reading
    - `shuffled`, `silent`: claims judged with another clip, and with none
    - `text_only`: AUROC of a bag of words and word pairs that tells wrong facts from whole traces
    """

    criteria: Mapping[str, CriterionQuality]
    severity: Mapping[str, float | None]
    factual: Mapping[str, FactualQuality]
    claims: Mapping[str, ClaimQuality]
    claims_before: Mapping[str, ClaimQuality]
    untrained: Mapping[str, ClaimQuality]
    shuffled: Mapping[str, ClaimQuality]
    silent: Mapping[str, ClaimQuality]
    reliability: Mapping[str, list[tuple[float, float, int]]]
    calibration: Calibration
    text_only: float | None


class HeldOut:
    """Clips that were not trained on, their texts, and what they deserve."""

    def __init__(self, about: Sequence[ClipTexts], features: Mapping[str, Tensor], question: str) -> None:
        self.about, self.question = list(about), question
        self.clips = [features[a.name].float() for a in about]
        self.texts = [(i, text) for i, a in enumerate(about) for text in a.texts]

    def judge(self, model: RewardModel, clips: list[Tensor], sources: Iterable[Source]) -> list[JudgedText]:
        """The texts of these sources as `model` judges them with `clips`, which may be others than theirs."""
        wanted = set(sources)
        chosen = [(i, text) for i, text in self.texts if text.source in wanted]
        questions, texts = [self.question] * len(chosen), [text.text for _, text in chosen]
        made = model.judge(clips, questions, texts, audio_index=[i for i, _ in chosen])
        judged = []
        for n, (i, text) in enumerate(chosen):
            measured = self.about[i].measured
            checked = read(model.backbone.tokenizer, text.text, measured).claims
            true = {(c.start, c.end): VERDICTS[c.verdict] for c in checked}
            reading = made.readings[n]
            found = () if reading is None else reading.claims
            decided = [
                (c.cue, p, outcome)
                for c, p in zip(found, made.probabilities[n], strict=True)
                if not math.isnan(outcome := true.get((c.start, c.end), math.nan))
            ]
            cues, probabilities, outcomes = zip(*decided, strict=True) if decided else ((), (), ())
            u = measured.utterance
            factual = 1.0 + 4.0 * faithfulness(text.graded.think, measured.profile, measured.levels, u.transcript).score
            target = (factual, *text.graded.scores.as_tuple()[1:])
            judged.append(JudgedText(i, text, target, tuple(made.scores[n].tolist()), cues, probabilities, outcomes))
        return judged

    def shuffled(self) -> list[Tensor]:
        """For every clip another one, half the list away, so that it is another voice where there are several."""
        half = max(1, len(self.clips) // 2)
        return [*self.clips[half:], *self.clips[:half]]

    def silent(self) -> list[Tensor]:
        """Clips of the same lengths in which nothing can be heard."""
        return [torch.full_like(clip, float(clip.min())) for clip in self.clips]


def claim_quality(judged: Sequence[JudgedText], *, temperature: float = 1.0) -> Mapping[str, ClaimQuality]:
    """Verdicts by source; the log-odds of probabilities are multiplied with `temperature` first."""
    found = {}
    for source in (Source.SWAPPED, Source.OWN):
        p, true = _claims(judged, source, temperature)
        if not len(p):
            continue
        cues = np.array([cue.value for j in judged if j.text.source is source for cue in j.cues])
        by_cue = {str(cue): auroc(p[cues == cue], true[cues == cue]) for cue in np.unique(cues)}
        found[source.value] = ClaimQuality(
            len(p), float(true.mean()), auroc(p, true), expected_calibration_error(p, true), by_cue
        )
    return found


def calibrate(model: RewardModel, held_out: HeldOut) -> Calibration:
    """Fit the temperature of the model's claims to voices that were not trained on, in place."""
    model.claim_temperature.fill_(1.0)
    p, true = _claims(held_out.judge(model, held_out.clips, (Source.SWAPPED, Source.OWN)), None)
    temperature = fit_temperature(p, true) if len(p) else 1.0
    model.claim_temperature.fill_(temperature)
    return Calibration(temperature, len(p))


def measure(
    model: RewardModel,
    held_out: HeldOut,
    *,
    calibration: Calibration,
    untrained: Mapping[str, ClaimQuality],
    trained_on: Sequence[ClipTexts],
) -> tuple[RewardReport, list[JudgedText]]:
    """What a calibrated model is worth on `held_out`, and the texts as it judged them."""
    texts = (Source.SWAPPED, Source.OWN)
    judged = held_out.judge(model, held_out.clips, Source)
    graded = [j for j in judged if j.text.source is Source.GRADED]
    report = RewardReport(
        criteria=quality([j.scores for j in graded], [j.target for j in graded]),
        severity=severity_pairs(graded),
        factual={source.value: factual_quality([j for j in judged if j.text.source is source]) for source in texts},
        claims=claim_quality(judged),
        claims_before=claim_quality(judged, temperature=calibration.temperature),
        untrained=untrained,
        shuffled=claim_quality(held_out.judge(model, held_out.shuffled(), texts)),
        silent=claim_quality(held_out.judge(model, held_out.silent(), texts)),
        reliability={s.value: reliability(*_claims(judged, s)) for s in texts if len(_claims(judged, s)[0])},
        calibration=calibration,
        text_only=text_only([t for a in trained_on for t in a.texts], [t for _, t in held_out.texts]),
    )
    return report, judged


def warnings(report: RewardReport) -> list[str]:
    """What whoever uses the model must know before: that it does not listen, or that texts give faults away."""
    said = []
    for name, right in report.claims.items():
        for what, other in (("another clip", report.shuffled), ("a silent clip", report.silent)):
            if name in other and (right.auroc or 0.0) - (other[name].auroc or 0.0) < MIN_AUDIO_GAP:
                said.append(
                    f"THE MODEL DOES NOT LISTEN: on {name} texts its verdicts have an AUROC of {right.auroc}, and "
                    f"{other[name].auroc} with {what}; train it longer or from a policy that hears more"
                )
    if report.text_only is not None and report.text_only > MAX_TEXT_ONLY:
        said.append(f"a bag of words tells wrong facts with an AUROC of {report.text_only:.2f}, above {MAX_TEXT_ONLY}")
    return said


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


def write_report(report: RewardReport, judged: Sequence[JudgedText], out: Path) -> None:
    """`quality.json`, and the graded traces beside their scores in `scored.jsonl`."""
    (out / QUALITY).write_text(json.dumps(asdict(report), indent=2) + "\n")
    graded = [j for j in judged if j.text.source is Source.GRADED]
    write_jsonl(out / SCORED, [ScoredTrace(_retargeted(j), RewardScores(*j.scores)) for j in graded])


def _retargeted(judged: JudgedText) -> GradedTrace:
    return replace(judged.text.graded, scores=RewardScores(*judged.target))


def _claims(
    judged: Sequence[JudgedText], source: Source | None, temperature: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities and outcomes of the claims of a source, or of all."""
    chosen = [j for j in judged if source is None or j.text.source is source]
    p = np.array([p for j in chosen for p in j.probabilities])
    odds = logit(np.clip(p, 1e-7, 1.0 - 1e-7)) * temperature
    return expit(odds), np.array([outcome for j in chosen for outcome in j.outcomes])


def factual_quality(judged: Sequence[JudgedText]) -> FactualQuality:
    """The factual scores of texts that could be judged, against what they deserve."""
    scored = [(j.clip, j.scores[0], j.target[0]) for j in judged if not math.isnan(j.scores[0])]
    if not scored:
        return FactualQuality(0, None, None)
    _, scores, targets = map(np.array, zip(*scored, strict=True))
    by_clip: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for clip, score, target in scored:
        by_clip[clip].append((score, target))
    right = [_in_order(*pair) for same in by_clip.values() for pair in combinations(same, 2)]
    decided = [r for r in right if r is not None]
    return FactualQuality(
        texts=len(scored),
        spearman=criterion_quality(scores, targets).spearman,
        order=float(np.mean(decided)) if decided else None,
    )


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


def _in_order(one: tuple[float, float], other: tuple[float, float]) -> float | None:
    """Whether scores are in the order of their targets, a tie counting half; `None` where these are too close."""
    (score, target), (other_score, other_target) = one, other
    if abs(target - other_target) < MIN_GAP:
        return None
    difference = (score - other_score) * (target - other_target)
    return 0.5 if difference == 0 else float(difference > 0)
