"""Plain sentences computed from the numbers: what GRPO changed, where a policy stands, when the gate opened."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.metrics import Estimate
from trainer.report.data import Measure, PairedDifference, ReportData, RLRun, System, SystemResult

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def percent(value: float) -> str:
    """A share in per cent.

    >>> percent(0.4567)
    '45.7 %'
    """
    return f"{100 * value:.1f} %"


def show(measure: Measure, value: float) -> str:
    """A value of a measure as the tables print it: per cent, or the score itself."""
    return percent(value) if measure.is_share else f"{value:.2f}"


def interval(measure: Measure, estimate: Estimate) -> str:
    """The two ends without their unit, or that there are none.

    >>> interval(Measure.ACCURACY, Estimate(0.5, 0.45, 0.55))
    '45.0 – 55.0'
    """
    if estimate.low is None or estimate.high is None:
        return "no interval"
    ends = (show(measure, end).removesuffix(" %") for end in (estimate.low, estimate.high))
    return f" {DASH} ".join(ends)


def signed(measure: Measure, value: float) -> str:
    """A difference with its sign: in points of a per cent, or in units of the score.

    >>> signed(Measure.ACCURACY, -0.0123)
    '−1.2'
    """
    text = f"{100 * value:+.1f}" if measure.is_share else f"{value:+.2f}"
    return text.replace("-", MINUS)


def tells_from_zero(difference: Estimate) -> bool:
    """Whether the interval leaves zero out; without an interval nothing can be told."""
    return difference.low is not None and difference.high is not None and not difference.low <= 0.0 <= difference.high


def against_chance(accuracy: Estimate, chance: float) -> str:
    """Whether an interval of accuracies leaves chance out, and on which side.

    >>> against_chance(Estimate(0.12, 0.08, 0.16), 1 / 9), against_chance(Estimate(0.3, 0.2, 0.4), 1 / 9)
    ('not told from chance', 'above chance')
    """
    if accuracy.low is None or accuracy.high is None:
        return "no interval"
    if accuracy.low > chance:
        return "above chance"
    return "below chance" if accuracy.high < chance else "not told from chance"


def compare(differences: Sequence[PairedDifference]) -> list[str]:
    """One paragraph for each pair of systems, in the order in which the pairs first occur."""
    pairs = dict.fromkeys((d.system, d.reference) for d in differences)
    return [
        _paragraph(system, reference, [d for d in differences if (d.system, d.reference) == (system, reference)])
        for system, reference in pairs
    ]


def _paragraph(system: System, reference: System, differences: Sequence[PairedDifference]) -> str:
    changed = [d for d in differences if tells_from_zero(d.difference)]
    same = [d for d in differences if not tells_from_zero(d.difference)]
    sentences = []
    if changed:
        sentences.append(f"{system.display} {_join([_change(d) for d in changed])}, compared with {reference.display}.")
    if same:
        names = "; ".join(f"{d.measure.display} {_amount(d)}" for d in same)
        start = "" if changed else f"{system.display} against {reference.display}: "
        text = f"{start}no difference that the interval can tell from zero in {names}."
        sentences.append(text[0].upper() + text[1:])
    return " ".join(sentences)


def _change(d: PairedDifference) -> str:
    return f"{'raised' if d.difference.value > 0 else 'lowered'} {d.measure.display} {_amount(d)}"


def _amount(d: PairedDifference) -> str:
    unit = " points" if d.measure.is_share else ""
    low, high = d.difference.low, d.difference.high
    ends = "no interval" if low is None or high is None else f"{signed(d.measure, low)} to {signed(d.measure, high)}"
    return f"({signed(d.measure, d.difference.value)}{unit}; {ends})"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def standing(data: ReportData) -> str | None:
    """How the SFT policy compares with the two baselines; `None` when one of the three was not evaluated."""
    found = {result.system: _accuracy(result) for result in data.systems}
    sft, majority = found.get(System.SFT), found.get(System.MAJORITY)
    regression = found.get(System.LOGISTIC_REGRESSION)
    if sft is None or majority is None or not regression:
        return None
    side = "above" if sft >= majority else "below"
    return (
        f"The SFT policy names the emotion of {percent(sft)} of {data.clips} clips from {data.speakers} "
        f"speakers it never trained on: {100 * abs(sft - majority):.1f} points {side} the majority class, and "
        f"{100 * sft / regression:.0f} % of the accuracy of a logistic regression on the measured prosody."
    )


def _accuracy(result: SystemResult) -> float | None:
    estimate = result.measures.get(Measure.ACCURACY)
    return None if estimate is None else estimate.value


def gate(run: RLRun) -> str:
    """When the reasoning reward entered, and how often trust was lowered from then on."""
    name, total = run.system.display, len(run.steps)
    if not total:
        return f"{name}: no steps were recorded."
    if not run.gated:
        return f"{name} ran {total} steps; it has no gate."
    if run.gate_step is None:
        return f"{name}: the gate did not open in these {total} steps; no reasoning reward was given."
    after = [s for s in run.steps if s.gate_open]
    lowered = [s for s in after if s.tau_min is not None and s.tau_min < 1.0]
    text = f"{name}: the gate opened at step {run.gate_step}; "
    if not lowered:
        return text + f"in the {len(after)} steps with an open gate no group had τ < 1."
    lowest = min(s.tau_min for s in lowered if s.tau_min is not None)
    return text + (
        f"in {len(lowered)} of the {len(after)} steps with an open gate some group had τ < 1 "
        f"(first at step {lowered[0].step}; lowest τ {lowest:.2f})."
    )
