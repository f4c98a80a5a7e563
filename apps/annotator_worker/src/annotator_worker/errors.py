"""Every error this application raises.

```
AnnotatorError (Exception)
├── UnusableInputError       nothing can be done with what was given: unknown corpus, missing root, no train split
├── ClipError                one utterance cannot be annotated; it becomes a failed item and the rest is done
│   ├── MissingAudioError        no such file, or a path that leaves the corpus root
│   └── TooLittleSpeechError     silence or a few milliseconds: nothing to reason about
├── JobError                 a stage asked for before the one it builds on is finished
├── BrokerError              the queue cannot be reached, or refuses
└── StoreError               the object store
    ├── ObjectNotFoundError      no object of that key
    ├── StoreAccessError         credentials missing or refused
    └── StoreUnavailableError    not reachable, or failing; worth another try
```

`prosody` and `cotgen` raise errors of their own; for one utterance those, too, become failed items.
"""


class AnnotatorError(Exception):
    """Base of all errors of this application."""


class UnusableInputError(AnnotatorError):
    """Nothing can be done with what was given."""


class ClipError(AnnotatorError):
    """One utterance cannot be annotated."""


class MissingAudioError(ClipError):
    """The audio of an utterance is not a file inside the corpus root."""


class TooLittleSpeechError(ClipError):
    """A clip holds too little speech to reason about."""


class JobError(AnnotatorError):
    """A stage was asked for before the one it builds on is finished."""


class BrokerError(AnnotatorError):
    """The queue cannot be reached, or refuses the credentials."""


class StoreError(AnnotatorError):
    """The object store could not do what was asked."""


class ObjectNotFoundError(StoreError):
    """There is no object of that key."""


class StoreAccessError(StoreError):
    """Credentials are missing or were refused."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or fails; the same call may succeed later."""
