"""Every error this application raises itself.

```
ExplainerError (ValueError)
├── CheckpointError   a folder does not hold the policy it should; names what was expected and found
│   └── NoCheckpointError   none was named and there is no demo
└── ClipError         a clip in which there is nothing to explain, or to which the model cannot answer as asked
```

Files that are no audio raise what `prosody.load_audio` raises (`prosody.AudioError`).
"""


class ExplainerError(ValueError):
    """Base of all errors of this application."""


class CheckpointError(ExplainerError):
    """A policy checkpoint is incomplete, malformed, or of another architecture."""


class NoCheckpointError(CheckpointError):
    """No checkpoint was named, and the demo was not run here."""


class ClipError(ExplainerError):
    """The clip holds no speech, or more of it, together with the answer, than the model takes."""
