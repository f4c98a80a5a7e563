"""The four families of SFT tasks, as examples to train on.

- stress: which word is stressed
- attribute: pitch, energy, rate, contour and melody, all at once and one at a time
- comparative: three variants of one sentence, in which order an attribute varies
- reasoning: think, then answer (cold start)

Targets of the first three are a few words (`pitch high, energy low, rate normal, contour rising, melody flat`), so that
a small model can learn to hear prosody before it learns to write.

- `records`, `phrasing`: what an example is; how it is asked
- `examples`, `balancing`: examples in memory; classes of equal size
- `streaming`, `stress`: the same examples from files of any size; those about stress from a manifest alone
- `variants`: recipes for comparative clips
- `scoring`: the strict forms of answers, and what an answer is worth
- `perception`, `conflict`, `word_emotions`: sets to test on: hearing prosody; words against voice
- `answers`: a model's answers to a file of any of these, as a table
"""

from cotgen.tasks.examples import SINGLE_SHARE, Asking, attribute_target, build
from cotgen.tasks.phrasing import (
    ALL_QUESTIONS,
    ATTRIBUTE_QUESTIONS,
    COMPARATIVE_QUESTIONS,
    STRESS_QUESTIONS,
    UNVOICED,
    Phrasing,
)
from cotgen.tasks.records import Attribute, ComparativeClip, SFTExample, Task
from cotgen.tasks.scoring import Score, TaskScore, score
from cotgen.tasks.streaming import stream

__all__ = [
    "ALL_QUESTIONS",
    "ATTRIBUTE_QUESTIONS",
    "COMPARATIVE_QUESTIONS",
    "SINGLE_SHARE",
    "STRESS_QUESTIONS",
    "UNVOICED",
    "Asking",
    "Attribute",
    "ComparativeClip",
    "Phrasing",
    "SFTExample",
    "Score",
    "Task",
    "TaskScore",
    "attribute_target",
    "build",
    "score",
    "stream",
]
