"""Where things lie in the object store.

```
audio/<sha256>.<suffix>        submitted audio            measured/<key>.json       MeasuredUtterance, no levels
traces/<key>.json              ReasoningTrace             comparative/<id>.flac     comparative clips
errors/<key>.json              DeadLetter of that work    deliveries/<key>          times a message came again
jobs/<job>/spec.json           JobSpec                    jobs/<job>/submitted.jsonl  Submitted
jobs/<job>/rejected.jsonl      DeadLetter before work     jobs/<job>/scale.json     LevelScale
jobs/<job>/plans.jsonl         ComparativePlan
```

Everything but the jobs lies under keys of its content: jobs share results, and storing one twice changes nothing.
"""

from __future__ import annotations

from annotator_worker.records import JobSpec, digest
from prosody import LevelScale

AUDIO, MEASURED, TRACES, COMPARATIVE = "audio/", "measured/", "traces/", "comparative/"
ERRORS, DELIVERIES = "errors/", "deliveries/"


def audio(sha256: str, suffix: str) -> str:
    """The key of audio; its suffix stays, for decoders that go by it, unless it is a strange one."""
    known = suffix.lower() if suffix[1:].isascii() and suffix[1:].isalnum() else ""
    return f"{AUDIO}{sha256}{known}"


def measured(key: str) -> str:
    """The key of the measurements of work item `key`."""
    return f"{MEASURED}{key}.json"


def trace(key: str) -> str:
    """The key of the reasoning of work item `key`."""
    return f"{TRACES}{key}.json"


def clip(clip_id: str) -> str:
    """The key of a comparative clip."""
    return f"{COMPARATIVE}{clip_id}.flac"


def dead_letter(key: str) -> str:
    """The key of what went wrong with work item `key`."""
    return f"{ERRORS}{key}.json"


def deliveries(key: str) -> str:
    """The key of the count of times that the message of work item `key` was handed out again."""
    return f"{DELIVERIES}{key}"


def job(name: str, file: str) -> str:
    """The key of one file of a job."""
    return f"jobs/{name}/{file}"


def trace_item(measured_key: str, scale: LevelScale, spec: JobSpec) -> str:
    """The work item that reasons about measurements: new for another scale, label set, seed, style or release."""
    return digest([measured_key, scale.hash, spec.label_set, spec.seed, spec.style, spec.versions.cotgen])
