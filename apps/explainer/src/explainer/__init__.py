"""Using a trained policy: from a clip to its emotion, the reasoning, and a verdict on every claim of that reasoning.

- `checkpoint`: the policy's folder, read and checked (`load_policy`)
- `explanation`: `explain`, and what it returns, `Explanation`
- `basis`: what its claims were checked against, in sentences
- `terminal`: an explanation as coloured text
- `page`: an explanation as one HTML page (`write_explanation`)
- `cli`: the command `explainer explain`
- `errors`: the one exception tree
"""

from explainer.checkpoint import TrainedPolicy, load_policy
from explainer.errors import CheckpointError, ClipError, ExplainerError
from explainer.explanation import Explanation, explain
from explainer.page import write_explanation

__all__ = [
    "CheckpointError",
    "ClipError",
    "ExplainerError",
    "Explanation",
    "TrainedPolicy",
    "explain",
    "load_policy",
    "write_explanation",
]
