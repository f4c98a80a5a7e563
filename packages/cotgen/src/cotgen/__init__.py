"""Corpora and language: from a labelled, measured utterance to verified reasoning and to SFT examples.

- `corpora`: corpora on disk as lists of utterances; EmotionCoT JSON Lines in and out
- `rules`: the rule generator, `generate`, in two styles, `plain` and `varied`
- `openai_generator`, `prompting`: reasoning written by a language model, the best verified candidate kept
- `chat`, `endpoint`, `replies`, `spending`, `answer_cache`: the client of OpenAI-compatible endpoints, `Chat.complete`
- `generation`, `admission`: what a generator is; what reasoning may be written about
- `verification`: the claim verifier, `verify`, on top of `finding` and `mentions`, which find claims by `lexicon`
- `screening`: whole-text checks; a trace is kept, repaired or rejected
- `faithfulness`: verdicts by cue and emotion, as table, figures, picture
- `tasks`: the four families of SFT tasks
- `building`, `card`, `shards`, `duplicates`: a data set with its card, streamed
- `stats`, `batch`: figures of a data set; whole files at a time
- `survey`, `readings`: which cues fit which emotion; what a profile says of each cue
- `wording` of the plain style; `phrases` and `wording_en…`, `wording_de…` of the varied one; `marking`: what they claim
- `quoting`: transcripts as harmless quotes
- `variety`, `synthetic`: how much texts differ; made-up measured utterances to try things on

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
