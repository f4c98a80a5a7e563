"""Every error this package raises.

```
SpeechLMError (ValueError)
├── CheckpointError   a directory that is not a usable checkpoint; names what was expected and found
├── AudioInputError   samples or features that the model cannot take (empty, wrong shape, too short or long)
├── BatchError        clips, questions and completions that do not make a batch (counts, indices, text, length)
├── GraftError        pretrained parts that cannot become one speech LLM; names which and why
├── PartError         parts or adapters that cannot be trained, switched off or merged as asked
└── PresetError       a preset that is unknown, lacks an argument, or whose weights are not on this machine
```
"""


class SpeechLMError(ValueError):
    """Base of all errors of this package."""


class CheckpointError(SpeechLMError):
    """A checkpoint directory is incomplete, unreadable or of another architecture."""


class AudioInputError(SpeechLMError):
    """Audio that cannot become model input."""


class BatchError(SpeechLMError):
    """Clips, questions and completions that do not make a batch."""


class GraftError(SpeechLMError):
    """An encoder or a language model that cannot be grafted."""


class PartError(SpeechLMError):
    """A part of the model that cannot be trained, switched off or merged as asked."""


class PresetError(SpeechLMError):
    """A preset that cannot be made or found."""
