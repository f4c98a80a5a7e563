"""From a labelled, measured utterance to verified reasoning, SFT examples and test sets.

- `rules`: the rule generator, `generate`, in two styles, and the tables of their wording
- `llm`: reasoning written by a language model, the best verified candidate kept; the client that asks it
- `admission`, `screening`: what reasoning may be written about; which texts may be trained on
- `generation`, `reasoning`: what a generator is; which one is asked, and how
- `dataset`: the data set: the function that writes it, the class that reads it
- `tasks`: the four families of SFT tasks, sets to test on, scores
- `cli`: the command `cotgen`

Knows no audio: profiles are given.
"""

from cotgen import tasks
from cotgen.errors import CotgenError, DataSetError, GenerationError, TaskError
from cotgen.rules import Style, generate

__all__ = ["CotgenError", "DataSetError", "GenerationError", "Style", "TaskError", "generate", "tasks"]
