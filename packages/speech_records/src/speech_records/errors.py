"""Every error this package raises.

```
SpeechRecordsError (ValueError)
├── InvalidRecordError    a record's own rule is broken (a negative duration, a percentile of 140)
├── RecordFormatError     JSON that is not the record it should be; names line and field
├── RecordFileError       a file of records that does not exist, or records in it that exclude one another
├── UnknownEmotionError   a label that no corpus alias explains
└── AnswerFormatError     text that is not `<think>…</think><answer>…</answer>`
```
"""


class SpeechRecordsError(ValueError):
    """Base of all errors of this package."""


class InvalidRecordError(SpeechRecordsError):
    """A record was built from values that break its invariants."""


class RecordFormatError(SpeechRecordsError):
    """JSON does not hold the record that was asked for."""


class RecordFileError(SpeechRecordsError):
    """A file of records is missing, or its records exclude one another."""


class UnknownEmotionError(SpeechRecordsError):
    """A label is no emotion of the taxonomy and no alias of one."""


class AnswerFormatError(SpeechRecordsError):
    """A text does not have the strict think/answer form."""
