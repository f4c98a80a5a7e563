"""Using a trained policy: from a clip to its emotion, the reasoning, and a verdict on every claim of that reasoning.

- `checkpoint`: the policy's folder, read and checked (`load_policy`)
- `explanation`: `explain`, and what it returns, `Explanation`
- `terminal`: an explanation as coloured text
- `cli`: the command `explainer explain`
- `errors`: the one exception tree
"""

from explainer.checkpoint import TrainedPolicy, load_policy
from explainer.errors import CheckpointError, ClipError, ExplainerError
from explainer.explanation import Explanation, explain

__all__ = [
    "CheckpointError",
    "ClipError",
    "ExplainerError",
    "Explanation",
    "TrainedPolicy",
    "explain",
    "load_policy",
]
