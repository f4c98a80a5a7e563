"""From a labelled, measured utterance to verified reasoning, SFT examples and test sets.

- `rules`: the rule generator, `generate`, in two styles, and the tables of their wording
- `llm`: reasoning written by a language model, the best verified candidate kept; the client that asks it
- `admission`, `screening`: what reasoning may be written about; which texts may be trained on
- `generation`: what a generator is
- `dataset`: a data set with its card, built as a stream
- `tasks`: the four families of SFT tasks, sets to test on, scores
- `cli`: the command `cotgen`

Knows no audio: profiles are given.
"""

from cotgen import tasks
from cotgen.errors import CotgenError, GenerationError, TaskError
from cotgen.rules import Style, generate

__all__ = ["CotgenError", "GenerationError", "Style", "TaskError", "generate", "tasks"]
