"""How well a reward model judges the speech of voices that it was not trained on: `quality.json` and its pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rewardmodel import (
    MAX_GAIN,
    PROBES,
    Clip,
    CriterionAgreement,
    CriterionQuality,
    Fault,
    GradedTrace,
    Judge,
    Judgement,
    Rating,
    RewardModel,
    RuleJudge,
    ScoredTrace,
    agreement,
    fit_temperature,
    parse_text,
    quality,
    reliability,
)
from speech_claims import faithfulness
from speech_records import FailedItem, LabelSet, RewardScores, Verdict, format_answer, parse_response, write_jsonl
from speech_records.failures import Report
from speech_records.streams import good_lines
from trainer.reward_data import ClipTexts, Source, Text
from trainer.reward_quality import (
    ClaimQuality,
    FactualQuality,
    JudgedText,
    by_fault,
    claim_quality,
    claims_of,
    factual_quality,
    graded_of,
    severity_pairs,
    text_only,
)

QUALITY, SCORED, PROBE_TABLE = "quality.json", "scored.jsonl", "probes.md"
VERDICTS: Mapping[Verdict, float] = {Verdict.SUPPORTED: 1.0, Verdict.CONTRADICTED: 0.0, Verdict.UNVERIFIABLE: math.nan}
MIN_AUDIO_GAP = 0.05
"""A model whose verdicts are less than this better with the right clip than with another does not listen."""
MAX_TEXT_ONLY = 0.60
"""Above this a bag of words finds too many factual faults."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The `temperature` that was fitted to `claims` claims of the policy's own answers to validation voices."""

    temperature: float
    claims: int


@dataclass(frozen=True, slots=True)
class RewardReport:
    """Everything measured, on voices that were not trained on; mappings of `Source` have keys *swapped* and *own*.

    - `criteria`: agreement on graded traces, by criterion; `faults`: on whole traces and those with the faults that
      are about the criterion (`FAULTS`), as most others deserve a 5 in it, which is one tie
    - `severity`: share of pairs (whole trace, damaged one of the same clip) in the right order, by severity
    - `factual`, `claims`: by source; `claims_before`: before temperature scaling; `untrained`: by the likelihood alone
      that the policy gives to values, the generative reading
    - `shuffled`, `silent`: claims judged with another clip, and with none
    - `text_only`: AUROC of a bag of words and word pairs that tells wrong facts from whole traces
    - `rules`: as `faults`, of the scores that `rewardmodel.RuleJudge` gives, which knows measurements and labels
    - `calibration`: `None` for an untrained model
    - `probes`: what each of `rewardmodel.PROBES` changes scores by on average, by criterion and in the mean
    - `people`: agreement with the ratings of people, where there are any
    """

    criteria: Mapping[str, CriterionQuality]
    faults: Mapping[str, CriterionQuality]
    rules: Mapping[str, CriterionQuality]
    severity: Mapping[str, float | None]
    factual: Mapping[str, FactualQuality]
    claims: Mapping[str, ClaimQuality]
    claims_before: Mapping[str, ClaimQuality]
    untrained: Mapping[str, ClaimQuality]
    shuffled: Mapping[str, ClaimQuality]
    silent: Mapping[str, ClaimQuality]
    reliability: Mapping[str, list[tuple[float, float, int]]]
    calibration: Calibration | None
    text_only: float | None
    probes: Mapping[str, Mapping[str, float]]
    people: Mapping[str, CriterionAgreement] | None = None


class HeldOut:
    """Clips that were not trained on, their texts, and what they deserve."""

    def __init__(
        self, about: Sequence[ClipTexts], features: Mapping[str, Tensor], questions: Mapping[str, str]
    ) -> None:
        self.about, self.questions = list(about), questions
        self.clips = [features[a.name].float() for a in about]
        self.texts = [(i, text) for i, a in enumerate(about) for text in a.texts]

    def scored(self, judge: Judge, sounds: Sequence[Tensor], texts: Sequence[tuple[int, str]]) -> Judgement:
        """What `judge` gives to texts about clips, by their numbers, that sound like `sounds`."""
        clips = [Clip(sound, a.measured) for sound, a in zip(sounds, self.about, strict=True)]
        questions = [self.questions[self.about[i].name] for i, _ in texts]
        return judge.judge(clips, questions, [text for _, text in texts], audio_index=[i for i, _ in texts])

    def judge(self, judge: Judge, sounds: Sequence[Tensor], sources: Iterable[Source]) -> list[JudgedText]:
        """The texts of these sources as `judge` sees them with `sounds`, which may be those of other clips."""
        wanted = set(sources)
        chosen = [(i, text) for i, text in self.texts if text.source in wanted]
        made = self.scored(judge, sounds, [(i, text.text) for i, text in chosen])
        judged = []
        for n, (i, text) in enumerate(chosen):
            measured = self.about[i].measured
            true = {(c.start, c.end): VERDICTS[c.verdict] for c in parse_text(text.text, measured).claims}
            decided = [
                (c.cue, p, outcome)
                for c, p in zip(made.claims[n], made.probabilities[n], strict=True)
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


def calibrate(model: RewardModel, held_out: HeldOut) -> Calibration:
    """Fit the temperature of claims, in place, to the policy's own answers about voices that were not trained on."""
    model.heads.claim_temperature.fill_(1.0)
    p, true = claims_of(held_out.judge(model, held_out.clips, (Source.OWN,)), Source.OWN)
    temperature = fit_temperature(p, true) if len(p) else 1.0
    model.heads.claim_temperature.fill_(temperature)
    return Calibration(temperature, len(p))


def measure(
    model: RewardModel,
    held_out: HeldOut,
    *,
    calibration: Calibration | None,
    untrained: Mapping[str, ClaimQuality],
    fitted_to: Sequence[ClipTexts],
    label_set: LabelSet,
) -> tuple[RewardReport, list[JudgedText]]:
    """What a calibrated model is worth on `held_out`, and the texts as it judged them."""
    texts = (Source.SWAPPED, Source.OWN)
    judged = held_out.judge(model, held_out.clips, Source)
    graded = graded_of(judged)
    report = RewardReport(
        criteria=quality([j.scores for j in graded], [j.target for j in graded]),
        faults=by_fault(graded),
        rules=by_fault(held_out.judge(RuleJudge(label_set), held_out.clips, (Source.GRADED,))),
        severity=severity_pairs(graded),
        factual={source.value: factual_quality([j for j in judged if j.text.source is source]) for source in texts},
        claims=claim_quality(judged),
        claims_before=claim_quality(judged, temperature=1.0 if calibration is None else calibration.temperature),
        untrained=untrained,
        shuffled=claim_quality(held_out.judge(model, held_out.shuffled(), texts)),
        silent=claim_quality(held_out.judge(model, held_out.silent(), texts)),
        reliability={s.value: reliability(*claims_of(judged, s)) for s in texts if len(claims_of(judged, s)[0])},
        calibration=calibration,
        probes=probe(model, held_out),
        text_only=text_only([t for a in fitted_to for t in a.texts], [t for _, t in held_out.texts]),
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
                    f"{other[name].auroc} with {what}; train it on more clips or from a policy that perceives more"
                )
    for name, gain in report.probes.items():
        if gain["mean"] > MAX_GAIN:
            said.append(f"the probe {name!r} gains {gain['mean']:.2f} points, above {MAX_GAIN}: a policy may find it")
    if report.text_only is not None and report.text_only > MAX_TEXT_ONLY:
        said.append(f"a bag of words tells wrong facts with an AUROC of {report.text_only:.2f}, above {MAX_TEXT_ONLY}")
    return said


def with_people(
    report: RewardReport,
    model: RewardModel,
    ratings: Path,
    *,
    features: Mapping[str, Tensor],
    questions: Mapping[str, str],
    failed: Report,
) -> RewardReport:
    """`report` with the agreement of the model and the `ratings` of people (`rewardmodel.Rating`, JSON Lines).

    Every line that cannot be used, and every text that cannot be judged, goes to `failed`; the rest is done.
    """
    found = {}
    for where, rating in good_lines(ratings, Rating, failed):
        if rating.utterance_id in features and rating.utterance_id in questions:
            found[where] = rating
        else:
            message = f"utterance {rating.utterance_id!r} is not in the data set"
            failed(FailedItem(where, "ratings", "DataSetError", message))
    names = sorted({r.utterance_id for r in found.values()})
    made = model.judge(
        [Clip(features[name].float()) for name in names],
        [questions[r.utterance_id] for r in found.values()],
        [r.text for r in found.values()],
        audio_index=[names.index(r.utterance_id) for r in found.values()],
    )
    scores = {}
    for i, (where, rating) in enumerate(found.items()):
        if i in made.problems:
            failed(FailedItem(where, "ratings", "TraceError", f"{rating.utterance_id}: {made.problems[i]}"))
        else:
            scores[rating.utterance_id, rating.text] = made.scores[i].tolist()
    return replace(report, people=agreement(found.values(), scores) if scores else None)


def probe(model: RewardModel, held_out: HeldOut) -> Mapping[str, Mapping[str, float]]:
    """What `PROBES` change the scores by, on the whole trace and the first of the policy's answers to clips: on half as
    many texts as there are clips.
    """
    kinds: dict[tuple[int, Source], tuple[int, Text]] = {}
    for i, text in held_out.texts:
        if text.source is Source.OWN or text.graded.fault is Fault.NONE:
            kinds.setdefault((i, text.source), (i, text))
    chosen = list(kinds.values())[: max(1, len(held_out.about) // 2)]
    texts = [(i, text.text) for i, text in chosen]
    for change in PROBES.values():
        for i, text in chosen:
            parsed, asked = parse_response(text.text, strict=True), held_out.questions[held_out.about[i].name]
            texts.append((i, format_answer(change(parsed.think, asked), parsed.answer)))
    found = held_out.scored(model, held_out.clips, texts).scores.double().numpy()
    scores = found.reshape(1 + len(PROBES), len(chosen), len(RewardScores.CRITERIA))
    changes = {}
    for name, changed in zip(PROBES, scores[1:], strict=True):
        gain = np.nanmean(changed - scores[0], axis=0)
        by_criterion = dict(zip(RewardScores.CRITERIA, gain.tolist(), strict=True))
        changes[name] = by_criterion | {"mean": float(gain.mean())}
    return changes


def write_report(report: RewardReport, judged: Sequence[JudgedText], out: Path) -> None:
    """`quality.json`, the table of probes `probes.md`, and the graded traces beside their scores in `scored.jsonl`."""
    (out / QUALITY).write_text(json.dumps(asdict(report), indent=2) + "\n")
    (out / PROBE_TABLE).write_text(probe_table(report.probes) + "\n")
    graded = graded_of(judged)
    write_jsonl(out / SCORED, [ScoredTrace(_retargeted(j), RewardScores(*j.scores)) for j in graded])


def probe_table(probes: Mapping[str, Mapping[str, float]]) -> str:
    """What every probe changes the scores by, as Markdown.

    >>> print(probe_table({"length": {"factual_alignment": -0.001, "mean": 0.5}}).splitlines()[2])
    | length | 0.00 | +0.50 |
    """
    names = list(next(iter(probes.values())))
    lines = [f"| probe | {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * (1 + len(names)) + "|"]
    lines += [f"| {probe} | {' | '.join(_signed(gain[name]) for name in names)} |" for probe, gain in probes.items()]
    return "\n".join(lines)


def _signed(gain: float) -> str:
    return "0.00" if abs(gain) < 0.005 else f"{gain:+.2f}"


def _retargeted(judged: JudgedText) -> GradedTrace:
    return replace(judged.text.graded, scores=RewardScores(*judged.target))
