"""From what the stages leave behind (evaluations, histories of figures) to the parts of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trainer.metrics import Comparison, Estimate, Evaluation
from trainer.report.data import Measure, PairedDifference, RLRun, RLStep, System, SystemResult


def system_result(system: System, evaluation: Evaluation, *, reward_score: Estimate | None = None) -> SystemResult:
    """One row of the headline table; `reward_score` is the mean score of the reward model, in [1, 5]."""
    claims = evaluation.claims
    measures = {
        Measure.ACCURACY: evaluation.accuracy,
        Measure.UAR: evaluation.unweighted_average_recall,
        Measure.MACRO_F1: evaluation.macro_f1,
        Measure.VALID_FORMAT: evaluation.valid_format,
        Measure.SUPPORTED: None if claims is None else claims.supported,
        Measure.CONTRADICTED: None if claims is None else claims.contradicted,
        Measure.REWARD_SCORE: reward_score,
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
    """A GRPO run from the rows of its `history.jsonl`; figures that a row does not have were not computed there.

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
