"""The families of SFT tasks, as examples to train on.

- stress: which word is stressed
- attribute: pitch, energy, rate, contour and melody, all at once and one at a time
- comparative: three variants of one sentence, in which order an attribute varies
- reasoning: think, then answer (cold start)
- label: the emotion's label and nothing else, which tells what a model perceives from what its explanation makes of it
- asr, text: the words that were said; text without speech. Data sets hold none: `trainer` makes them of transcripts and
  of a file of texts, so that a model does not forget what it could

Targets of the first three are a few words (`pitch high, energy low, rate normal, contour rising, melody flat`), so that
a small model can learn to hear prosody before it learns to write.

- `records`, `phrasing`: what an example is; how it is asked
- `examples`, `balancing`: the examples of one utterance; classes of equal size
- `joining`, `stress`: examples of any two files of traces and measurements; those about stress from a manifest alone
- `variants`: recipes for comparative clips
- `scoring`: the strict forms of answers, and what an answer is worth
- `perception`, `conflict`, `word_emotions`: sets to test on: hearing prosody; words against voice
- `answers`: a model's answers to a file of any of these, as a table
"""

from cotgen.tasks.examples import TaskConfig
from cotgen.tasks.phrasing import Phrasing
from cotgen.tasks.records import Attribute, ComparativeClip, SFTExample, Task
from cotgen.tasks.scoring import score

__all__ = ["Attribute", "ComparativeClip", "Phrasing", "SFTExample", "Task", "TaskConfig", "score"]
