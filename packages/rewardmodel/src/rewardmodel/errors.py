"""What this package raises.

RewardModelError (a ValueError)
├── CorruptionError   a fault that cannot be put into a trace, or a severity out of range
├── CompletionError   a language model gave no answer, or none that can be used
├── CheckpointError   a folder that holds no reward model of this architecture
├── TraceError        a text that cannot be judged: no form, no reasoning
│   └── TraceTooLongError
└── ScoreShapeError   scores, texts or audio that do not belong together
"""

from __future__ import annotations


class RewardModelError(ValueError):
    """Root of everything that `rewardmodel` raises."""


class CorruptionError(RewardModelError):
    """A fault that cannot be put into a trace, or a severity out of range."""


class CompletionError(RewardModelError):
    """A language model gave no answer, or none that can be used."""


class CheckpointError(RewardModelError):
    """A folder that holds no reward model of this architecture."""


class ScoreShapeError(RewardModelError):
    """Scores, texts or audio that do not belong together."""


class TraceError(RewardModelError):
    """A text that cannot be judged: no form, no reasoning."""


class TraceTooLongError(TraceError):
    """A text with more reasoning than is scored."""
