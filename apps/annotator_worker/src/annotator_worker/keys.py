"""Where things lie in the object store.

```
audio/<sha256>.<suffix>        submitted audio            measured/<key>.json       MeasuredUtterance, no levels
comparative/<id>.flac          comparative clips          deliveries/<key>          times a message came again
errors/<key>.json              FailedItem of that work    jobs/<job>/spec.json      JobSpec
jobs/<job>/rejected.jsonl      FailedItem before work     jobs/<job>/submitted.jsonl  Submitted
jobs/<job>/scale.json          LevelScale
jobs/<job>/plans.jsonl         ComparativePlan
```

Everything but the jobs lies under keys of its content: jobs share results, and storing one twice changes nothing.
"""

from __future__ import annotations

AUDIO, MEASURED, COMPARATIVE = "audio/", "measured/", "comparative/"
ERRORS, DELIVERIES = "errors/", "deliveries/"


def audio(sha256: str, suffix: str) -> str:
    """The key of audio; its suffix stays, for decoders that go by it, unless it is a strange one."""
    known = suffix.lower() if suffix[1:].isascii() and suffix[1:].isalnum() else ""
    return f"{AUDIO}{sha256}{known}"


def measured(key: str) -> str:
    """The key of the measurements of work item `key`."""
    return f"{MEASURED}{key}.json"


def clip(clip_id: str) -> str:
    """The key of a comparative clip."""
    return f"{COMPARATIVE}{clip_id}.flac"


def failure(key: str) -> str:
    """The key of what went wrong with work item `key`."""
    return f"{ERRORS}{key}.json"


def deliveries(key: str) -> str:
    """The key of the count of times that the message of work item `key` was handed out again."""
    return f"{DELIVERIES}{key}"


def job(name: str, file: str) -> str:
    """The key of one file of a job."""
    return f"jobs/{name}/{file}"
