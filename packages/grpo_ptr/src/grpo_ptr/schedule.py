"""When reasoning rewards enter: the progressive schedule, equation (4) of GRPO-PTR.

    R_i = 0.3 R_f + 1.0 R_o                  until accuracy is steady at about 50 %
    R_i = 0.3 R_f + 1.0 R_o + 0.5 τ R_t      from then on

The paper says neither whose accuracy nor over what window. Here it is the accuracy that the caller observes (`trainer`:
of the rollouts of each step). Let m be the running mean of the last `window` accuracies: the gate opens when the newest
m has reached `threshold` and the last `window` values of m lie within `tolerance` of one another. Single accuracies are
no basis for "steady": over 32 answers their standard error alone is 9 points.

Once open, the gate stays open, whatever the accuracy does: closing it would move the objective under the policy, and
the totals before and after would not be comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import fsum
from typing import Any

from grpo_ptr.errors import OptionError, StateError


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What the schedule must remember between two observations; a checkpoint stores it as JSON.

    Attributes:
        step: of the latest observation, `None` before the first.
        recent: the accuracies that still count, oldest first; at most 2 · window - 1.
        opened_at: step at which the gate opened, `None` while it is closed.
    """

    step: int | None = None
    recent: tuple[float, ...] = ()
    opened_at: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether reasoning rewards enter the total."""
        return self.opened_at is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and a list, ready for `json.dump`.

        >>> ScheduleState(step=3, recent=(0.25, 0.5)).to_dict()
        {'step': 3, 'recent': [0.25, 0.5], 'opened_at': None}
        """
        return asdict(self) | {"recent": list(self.recent)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ScheduleState:
        """The state that `to_dict` wrote; raises `StateError` naming what is wrong with it."""
        try:
            step, opened_at = (None if data[name] is None else int(data[name]) for name in ("step", "opened_at"))
            return cls(step, tuple(float(a) for a in data["recent"]), opened_at)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"{dict(data)!r} is no schedule state: {error!r}") from error


@dataclass(frozen=True, slots=True)
class ProgressiveSchedule:
    """Settings of the gate; `update` is pure, so resuming from a stored state equals never having stopped.

    Attributes:
        threshold: accuracy in [0, 1] to be reached (paper: about 0.5).
        window: number of observations in a running mean, and number of running means compared; 1 opens the gate at
            the first accuracy that reaches the threshold.
        tolerance: largest difference between those running means that still counts as steady, >= 0.

    With a window of two the gate needs three accuracies: 0.4, 0.5, 0.6 have the running means 0.45 and 0.55, which
    reach 0.5 but rise too fast; after another 0.5 they are 0.55 and 0.55.

    >>> schedule = ProgressiveSchedule(threshold=0.5, window=2, tolerance=0.05)
    >>> state = ScheduleState()
    >>> for step, accuracy in enumerate([0.4, 0.5, 0.6, 0.5], start=1):
    ...     state = schedule.update(state, accuracy, step=step)
    ...     print(step, state.is_open, state.opened_at)
    1 False None
    2 False None
    3 False None
    4 True 4
    """

    threshold: float = 0.5
    window: int = 20
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise OptionError(f"threshold is {self.threshold}, expected an accuracy in [0, 1]")
        if self.window < 1:
            raise OptionError(f"window is {self.window}, expected at least 1 observation")
        if not self.tolerance >= 0.0:
            raise OptionError(f"tolerance is {self.tolerance}, expected a difference of accuracies >= 0")

    def update(self, state: ScheduleState, accuracy: float, *, step: int) -> ScheduleState:
        """The state after `accuracy` was observed at `step`.

        Feed a step's own rollouts before computing its rewards and the gate counts from that very step.

        Raises:
            StateError: `accuracy` is outside [0, 1], or `step` is not later than the last one, so that an
                observation would count twice after a resume.
        """
        if not 0.0 <= accuracy <= 1.0:
            raise StateError(f"accuracy at step {step} is {accuracy}, expected a number in [0, 1]")
        if state.step is not None and step <= state.step:
            raise StateError(f"step {step} was observed already; the schedule stands at step {state.step}")
        if state.is_open:
            return replace(state, step=step)
        recent = (*state.recent, accuracy)[-(2 * self.window - 1) :]
        opened_at = step if self._is_steady(recent) else None
        return ScheduleState(step=step, recent=recent, opened_at=opened_at)

    def _is_steady(self, recent: tuple[float, ...]) -> bool:
        if len(recent) < 2 * self.window - 1:
            return False
        means = [fsum(recent[i : i + self.window]) / self.window for i in range(self.window)]
        return means[-1] >= self.threshold and max(means) - min(means) <= self.tolerance
