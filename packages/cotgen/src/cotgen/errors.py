"""Every error this package raises.

```
CotgenError (ValueError)
├── CorpusError          a corpus cannot be read at all: unknown name, missing root, nothing usable in it
├── GenerationError      an utterance from which no reasoning can be written (no label, or none in the label set)
└── TaskError            SFT examples that cannot be built (a trace without its utterance)
```

One bad file or line of a corpus is no error: it becomes a `RejectedRecord` of the listing and the rest is read.
"""


class CotgenError(ValueError):
    """Base of all errors of this package."""


class CorpusError(CotgenError):
    """A corpus cannot be read at all."""


class GenerationError(CotgenError):
    """No reasoning can be written for an utterance."""


class TaskError(CotgenError):
    """SFT examples cannot be built from what was given."""
