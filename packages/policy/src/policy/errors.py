"""Every error this package raises. Clips and questions that make no batch raise `speechlm.SpeechLMError`.

```
PolicyError (ValueError)
└── OptionError   a setting outside its range; names setting, value and limit
```
"""


class PolicyError(ValueError):
    """Base of all errors of this package."""


class OptionError(PolicyError):
    """A setting outside its range."""
