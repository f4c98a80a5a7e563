"""Every error this package raises.

```
CotgenError (ValueError)
├── GenerationError      an utterance from which no reasoning can be written (no label, or none in the label set)
├── ContradictedError    reasoning that claims what the measurements contradict
├── TaskError            SFT examples that cannot be built (a trace without its utterance)
├── DataSetError         a folder that is not a complete data set of a version that can be read
└── ChatError            a language model behind an endpoint gave nothing that can be used
    ├── EndpointError    further requests cannot succeed: no key, unknown model, no server; the build ends
    ├── RequestError     this one request got no answer: refused as malformed, or failed in every try
    ├── AnswerError      there is an answer and it cannot be used; `reason` says why, in one word
    └── BudgetError     the next request could exceed a limit on tokens or cost
```
"""


class CotgenError(ValueError):
    """Base of all errors of this package."""


class GenerationError(CotgenError):
    """No reasoning can be written for an utterance."""


class ContradictedError(CotgenError):
    """A reasoning trace claims what the measurements contradict."""


class TaskError(CotgenError):
    """SFT examples cannot be built from what was given."""


class DataSetError(CotgenError):
    """A folder is not a complete data set, or of a version that cannot be read."""


class ChatError(CotgenError):
    """A language model behind an endpoint gave nothing that can be used."""


class EndpointError(ChatError):
    """Further requests to an endpoint cannot succeed; what was paid for is kept."""


class RequestError(ChatError):
    """One request got no answer."""


class AnswerError(ChatError):
    """An answer that cannot be used; `reason` is one word that can be counted (`refused`, `cut_off`, …)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BudgetError(ChatError):
    """The next request could exceed a limit on tokens or cost."""
