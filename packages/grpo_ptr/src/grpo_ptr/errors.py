"""What this package raises.

GrpoPtrError (a ValueError)
├── ShapeError   tensors whose shapes or dtypes do not belong together
├── ScoreError   scores, rewards or log-probabilities that are missing, not finite or out of range
├── OptionError  a setting outside its range
└── StateError   a schedule state that cannot be continued
"""

from __future__ import annotations


class GrpoPtrError(ValueError):
    """Root of everything that `grpo_ptr` raises."""


class ShapeError(GrpoPtrError):
    """Tensors whose shapes or dtypes do not belong together."""


class ScoreError(GrpoPtrError):
    """Scores, rewards or log-probabilities that are missing, not finite or out of range."""


class OptionError(GrpoPtrError):
    """A setting outside its range."""


class StateError(GrpoPtrError):
    """A schedule state, or an observation, that does not continue what came before."""
