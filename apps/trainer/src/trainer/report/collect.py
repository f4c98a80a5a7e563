"""From the output directory of a pipeline run to the data of its report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from prosody import load_audio, tracks
from prosody.page import ClipView
from speech_records import (
    Verdict,
    from_json,
    parse_response,
    read_jsonl,
)
from trainer.checkpoint import CARD
from trainer.dataset import AnnotatedCorpus
from trainer.errors import DataSetError
from trainer.evaluate import ANSWERS, RESULT, EvaluationResult
from trainer.metrics import Comparison, Estimate, Evaluation
from trainer.predict import Answer
from trainer.report.data import (
    Curve,
    ExplainedClip,
    JudgeRow,
    Measure,
    PairedDifference,
    Provenance,
    ReportData,
    RLRun,
    RLStep,
    SanityCheck,
    System,
    SystemResult,
)
from trainer.reward_report import QUALITY
from trainer.settings.other_stages import POLICIES
from trainer.tracking import HISTORY, read_history

DURATIONS = "durations.json"
"""Seconds that each stage of the pipeline took, by its name; written by the pipeline itself."""
_LOSS_WINDOW = 10
"""Steps over which a loss curve is averaged before it is drawn."""


def collect_report(run: Path) -> ReportData:
    """Everything the report shows, read from the folders `annotated`, `evaluate` and those of the policies in `run`.

    Raises `DataSetError` naming the file that is missing.
    """
    try:
        corpus = AnnotatedCorpus.read(run / "annotated")
        result = from_json(EvaluationResult, (run / "evaluate" / RESULT).read_text())
        return ReportData(
            corpus=corpus.corpus,
            synthetic=corpus.synthetic,
            labels=tuple(corpus.label_set.text(label) for label in corpus.label_set.labels),
            clips=result.baselines.test_clips,
            speakers=result.baselines.majority.speakers,
            chance=1.0 / len(corpus.label_set.labels),
            systems=_systems(result),
            differences=_differences(result),
            sanity=_sanity(result),
            sft_curves=tuple(_sft_curve(run, system) for system in (System.COLD_START, System.SFT)),
            rl_runs=tuple(
                rl_run(system, read_history(run / system.value / HISTORY), gated=system is System.GRPO_PTR)
                for system in (System.GRPO, System.GRPO_PTR)
            ),
            judge=_judge(run / "reward" / QUALITY),
            clip=_clip(run, corpus),
            provenance=_provenance(run, corpus, result),
        )
    except FileNotFoundError as error:
        raise DataSetError(f"{error.filename} is missing: this pipeline run is not finished") from error


def _systems(result: EvaluationResult) -> tuple[SystemResult, ...]:
    baselines = (
        system_result(System.MAJORITY, result.baselines.majority),
        system_result(System.LOGISTIC_REGRESSION, result.baselines.prosody),
    )
    policies = tuple(
        system_result(
            System(p.name),
            p.evaluation,
            label_only=p.label_only,
            reward_score=p.reward_score,
            evaluator_score=p.evaluator_score,
        )
        for p in result.policies
    )
    return baselines + policies


def _differences(result: EvaluationResult) -> tuple[PairedDifference, ...]:
    return tuple(
        difference
        for c in result.comparisons
        for difference in paired_differences(System(c.second), System(c.first), c.comparison)
    )


def _sanity(result: EvaluationResult) -> tuple[SanityCheck, ...]:
    shuffled = SanityCheck(
        "shuffled audio", "the prosody of another clip of the test set", result.baselines.shuffled_audio.accuracy
    )
    if result.baselines.text is None:
        return (shuffled,)
    return (SanityCheck("text only", "a bag of the transcript's words", result.baselines.text.accuracy), shuffled)


def _sft_curve(run: Path, system: System) -> Curve:
    """The loss of the texts; perception steps, which come before them, have a loss of their own."""
    steps = [(int(row["step"]), row["loss"]) for row in read_history(run / system.value / HISTORY) if "loss" in row]
    windows = [steps[start : start + _LOSS_WINDOW] for start in range(0, len(steps), _LOSS_WINDOW)]
    means = (float(np.mean([loss for _, loss in window])) for window in windows)
    return Curve(system.display, tuple(window[0][0] for window in windows), tuple(means))


def _judge(quality: Path) -> tuple[JudgeRow, ...]:
    """What `stage=reward` measured of its model; nothing where a run has none."""
    if not quality.is_file():
        return ()
    found = json.loads(quality.read_text())
    return tuple(
        JudgeRow(
            texts=name,
            claims=right["count"],
            right=right["auroc"],
            shuffled=found["shuffled"][name]["auroc"],
            silent=found["silent"][name]["auroc"],
            factual=found["factual"][name]["spearman"],
        )
        for name, right in found["claims"].items()
    )


def _clip(run: Path, corpus: AnnotatedCorpus) -> ExplainedClip:
    answer = _illustration(list(read_jsonl(run / "evaluate" / f"{System.GRPO_PTR.value}{ANSWERS}", Answer)))
    utterance = corpus.utterance(answer.utterance_id)
    place = corpus.audio_clip(utterance)
    audio = load_audio(place.path, channel=place.channel, start_s=place.start_s, end_s=place.end_s)
    view = ClipView(
        name=answer.utterance_id,
        text=parse_response(answer.text, strict=True).think if answer.format_ok else answer.text,
        is_reasoning=answer.format_ok,
        claims=answer.claims,
        samples=audio.samples,
        sample_rate=audio.sample_rate,
        tracks=tracks(audio.samples, audio.sample_rate),
    )
    return ExplainedClip(
        view=view,
        speaker_id=answer.speaker_id,
        system=System.GRPO_PTR,
        label=corpus.label_set.text(answer.expected),
        emotion=None if answer.predicted is None else corpus.label_set.text(answer.predicted),
        transcript=utterance.transcript,
    )


def _illustration(answers: list[Answer]) -> Answer:
    """The first clip, by id, that was answered rightly with both a supported and a contradicted claim; else the first.

    Chosen to show what verification does, not to flatter: the page says which clip it is.
    """
    for answer in sorted(answers, key=lambda a: a.utterance_id):
        verdicts = {claim.verdict for claim in answer.claims}
        if answer.predicted is answer.expected and {Verdict.SUPPORTED, Verdict.CONTRADICTED} <= verdicts:
            return answer
    return min(answers, key=lambda a: a.utterance_id)


def _provenance(run: Path, corpus: AnnotatedCorpus, result: EvaluationResult) -> Provenance:
    cards = {name: json.loads((run / name / CARD).read_text()) for name in POLICIES}
    durations = run / DURATIONS
    names = ("emotionthinker-trainer", "emotionthinker-prosody", "emotionthinker-cotgen", "torch", "transformers")
    return Provenance(
        seeds={name: card["seed"] for name, card in cards.items()} | {"evaluation": result.seed},
        versions={name: version(name) for name in names},
        data_sha256={name: digest for name, digest in corpus.data.files.items() if "/" not in name},
        durations_s=json.loads(durations.read_text()) if durations.is_file() else {},
    )


def system_result(
    system: System,
    evaluation: Evaluation,
    *,
    label_only: Evaluation | None = None,
    reward_score: float | None = None,
    evaluator_score: float | None = None,
) -> SystemResult:
    """One row of the headline table; `label_only` is of the answers by the label alone, `reward_score` and
    `evaluator_score` are mean scores of reward models, in [1, 5].
    """
    claims, of_sound = evaluation.claims, evaluation.sound_claims
    measures = {
        Measure.ACCURACY: evaluation.accuracy,
        Measure.LABEL_ONLY: None if label_only is None else label_only.accuracy,
        Measure.UAR: evaluation.unweighted_average_recall,
        Measure.MACRO_F1: evaluation.macro_f1,
        Measure.VALID_FORMAT: evaluation.valid_format,
        Measure.SUPPORTED: None if claims is None else claims.supported,
        Measure.CONTRADICTED: None if claims is None else claims.contradicted,
        Measure.SOUND_SUPPORTED: None if of_sound is None else of_sound.supported,
        Measure.FAITHFULNESS: evaluation.faithfulness,
        Measure.REWARD_SCORE: None if reward_score is None else Estimate(reward_score, None, None),
        Measure.EVALUATOR_SCORE: None if evaluator_score is None else Estimate(evaluator_score, None, None),
    }
    known = {measure: estimate for measure, estimate in measures.items() if estimate is not None}
    return SystemResult(system, known, evaluation.confusion.counts)


def paired_differences(system: System, reference: System, comparison: Comparison) -> tuple[PairedDifference, ...]:
    """What `comparison` (of `reference` first, `system` second) found, measure by measure."""
    gains = {
        Measure.ACCURACY: comparison.accuracy,
        Measure.UAR: comparison.unweighted_average_recall,
        Measure.MACRO_F1: comparison.macro_f1,
    }
    return tuple(PairedDifference(system, reference, measure, gain) for measure, gain in gains.items())


def rl_run(system: System, history: Iterable[Mapping[str, float]], *, gated: bool) -> RLRun:
    """A GRPO run from the rows of its `history.jsonl`; metrics that a row does not have were not computed there.

    >>> row = {"step": 7, "format": 0.9, "accuracy": 0.5, "gate": 1.0, "trust_mean": 0.97, "trust_min": 0.8}
    >>> rl_run(System.GRPO_PTR, [row], gated=True).gate_step
    7
    """
    steps = (
        RLStep(
            step=int(row["step"]),
            format=row["format"],
            outcome=row["accuracy"],
            reasoning=row.get("reasoning"),
            tau_mean=row.get("trust_mean"),
            tau_min=row.get("trust_min"),
            tau_below_one_share=row.get("distrusted_groups"),
            gate_open=bool(row.get("gate", 0.0)),
        )
        for row in history
    )
    return RLRun(system, tuple(steps), gated=gated)
