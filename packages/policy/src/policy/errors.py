"""Every error this package raises. Clips and questions that are not a valid batch raise `speechlm.SpeechLMError`.

```
PolicyError (ValueError)
├── EngineError        another engine is not installed or refuses the model
├── MemoryLimitError   memory ran out; names what was run and what to lower
└── OptionError        a setting outside its range; names setting, value and limit
```
"""


class PolicyError(ValueError):
    """Base of all errors of this package."""


class EngineError(PolicyError):
    """Another engine than the model itself is not installed or refuses the model."""


class OptionError(PolicyError):
    """A setting outside its range."""


class MemoryLimitError(PolicyError):
    """Memory ran out, on the device or the host."""
