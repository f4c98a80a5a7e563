"""Equation (4): the gate, on accuracy curves whose running means can be read off by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpo_ptr import OptionError, ProgressiveSchedule, ScheduleState, StateError

accuracies = st.lists(st.floats(0, 1), max_size=40)
schedules = st.builds(
    ProgressiveSchedule, threshold=st.floats(0, 1), window=st.integers(1, 5), tolerance=st.floats(0, 0.5)
)


def run(
    schedule: ProgressiveSchedule, curve: Iterable[float], state: ScheduleState | None = None, *, first: int = 1
) -> ScheduleState:
    state = ScheduleState() if state is None else state
    for step, accuracy in enumerate(curve, start=first):
        state = schedule.update(state, accuracy, step=step)
    return state


def reference_opening(schedule: ProgressiveSchedule, curve: list[float]) -> int | None:
    """The definition on the whole curve at once: first step t whose last `window` running means are level and high."""
    w = schedule.window
    for t in range(2 * w - 1, len(curve) + 1):
        means = [sum(curve[end - w : end]) / w for end in range(t - w + 1, t + 1)]
        if means[-1] >= schedule.threshold and max(means) - min(means) <= schedule.tolerance:
            return t
    return None


def test_level_accuracy_opens_as_soon_as_it_can_be_called_level() -> None:
    """Window 3: three running means need 2 · 3 - 1 = 5 accuracies."""
    schedule = ProgressiveSchedule(threshold=0.5, window=3, tolerance=0.0)
    assert run(schedule, [0.5] * 4).opened_at is None
    assert run(schedule, [0.5] * 5).opened_at == 5


def test_rising_accuracy_waits_until_it_levels() -> None:
    """0.1, 0.2, …, 0.9 rises by 0.1 a step, so two neighbouring means of two differ by 0.1 > 0.06.

    Then 0.9 again and again: the means are 0.85, 0.9 (differ by 0.05): opens at the first repeated 0.9, step 10.
    """
    schedule = ProgressiveSchedule(threshold=0.5, window=2, tolerance=0.06)
    curve = [i / 10 for i in range(1, 10)] + [0.9] * 3
    assert run(schedule, curve[:9]).opened_at is None
    assert run(schedule, curve).opened_at == 10


def test_steady_below_the_threshold_stays_closed() -> None:
    assert run(ProgressiveSchedule(window=2), [0.49] * 30).opened_at is None


def test_open_stays_open_whatever_comes() -> None:
    schedule = ProgressiveSchedule(window=2, tolerance=0.1)
    state = run(schedule, [0.6] * 3)
    assert state.opened_at == 3
    fallen = run(schedule, [0.0] * 10, state, first=4)
    assert fallen.is_open
    assert fallen.opened_at == 3
    assert fallen.step == 13


def test_steps_may_have_gaps() -> None:
    """Validation every 50 steps: what is reported is the trainer's step, not the number of observations."""
    schedule = ProgressiveSchedule(window=1)
    state = ScheduleState()
    for step, accuracy in ((50, 0.3), (100, 0.55)):
        state = schedule.update(state, accuracy, step=step)
    assert state.opened_at == 100


@settings(deadline=None)
@given(
    schedule=st.builds(
        ProgressiveSchedule,
        threshold=st.integers(0, 99).map(lambda i: (i + 0.123) / 100),
        window=st.integers(1, 5),
        tolerance=st.integers(0, 50).map(lambda i: (i + 0.123) / 100),
    ),
    curve=st.lists(st.integers(0, 100).map(lambda i: i / 100), max_size=40),
)
def test_incremental_updates_equal_the_definition(schedule: ProgressiveSchedule, curve: list[float]) -> None:
    """Accuracies in hundredths; thresholds and tolerances between them, so that no tie hangs on rounding."""
    assert run(schedule, curve).opened_at == reference_opening(schedule, curve)


@settings(deadline=None)
@given(schedule=schedules, curve=accuracies, data=st.data())
def test_resuming_from_json_equals_never_having_stopped(
    schedule: ProgressiveSchedule, curve: list[float], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(curve)))
    stored = json.dumps(run(schedule, curve[:cut]).to_dict())
    resumed = run(schedule, curve[cut:], ScheduleState.from_dict(json.loads(stored)), first=cut + 1)
    assert resumed == run(schedule, curve)


@settings(deadline=None)
@given(schedule=schedules, curve=accuracies)
def test_what_is_remembered_stays_bounded(schedule: ProgressiveSchedule, curve: list[float]) -> None:
    assert len(run(schedule, curve).recent) <= 2 * schedule.window - 1


def test_refusals() -> None:
    schedule = ProgressiveSchedule()
    state = schedule.update(ScheduleState(), 0.4, step=7)
    with pytest.raises(StateError, match="step 7 was observed already"):
        schedule.update(state, 0.4, step=7)
    for accuracy in (1.01, -0.1, float("nan")):
        with pytest.raises(StateError, match="accuracy at step 8"):
            schedule.update(state, accuracy, step=8)
    with pytest.raises(StateError, match="no schedule state"):
        ScheduleState.from_dict({"step": 3})
    with pytest.raises(StateError, match="no schedule state"):
        ScheduleState.from_dict({"step": 3, "recent": "many", "opened_at": None})
    with pytest.raises(OptionError, match="window is 0"):
        ProgressiveSchedule(window=0)
    with pytest.raises(OptionError, match="threshold is 50"):
        ProgressiveSchedule(threshold=50.0)
    with pytest.raises(OptionError, match="tolerance is -"):
        ProgressiveSchedule(tolerance=-0.1)
