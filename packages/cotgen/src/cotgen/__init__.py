"""Corpora and language: from a labelled, measured utterance to verified reasoning and to SFT examples.

- `corpora`: corpora on disk as lists of utterances; EmotionCoT JSON Lines in and out
- `rules`: the rule generator, `generate`, in two styles, and the tables of their wording
- `llm`: reasoning written by a language model, the best verified candidate kept; the client that asks it
- `verification`: the claim verifier, `verify`; screening of whole texts; verdicts as a report; scores on labelled ones
- `dataset`: a data set with its card, built as a stream; its figures
- `tasks`: the four families of SFT tasks, sets to test on, scores
- `cli`: the command `cotgen`
- `readings`, `survey`: what a profile says of each cue; which cues fit which emotion
- `admission`, `generation`: what reasoning may be written about; what a generator is
- `batch`, `shards`: files of any size, a record at a time
- `quoting`, `variety`, `synthetic`: transcripts as harmless quotes; how much texts differ; made-up utterances to try
  things on

Knows no audio: profiles are given.
"""

from cotgen import corpora, tasks
from cotgen.errors import CorpusError, CotgenError, GenerationError, TaskError
from cotgen.rules import Language, Style, generate
from cotgen.verification import verify, verify_trace

__all__ = [
    "CorpusError",
    "CotgenError",
    "GenerationError",
    "Language",
    "Style",
    "TaskError",
    "corpora",
    "generate",
    "tasks",
    "verify",
    "verify_trace",
]
