"""Where things lie in the object store.

```
audio/<sha256>.<suffix>                        audio that was submitted
batches/<digest>.jsonl                         items of many batches, one after the other; a task names its lines
shards/<batch>/<start>-<stop>-<failed>.jsonl   Outcome of items start to stop of a batch, of which so many failed
comparative/<id>.flac                          comparative clips
jobs/<job>/<stage>-<round>/<number>.jsonl      Batch: what was sent; round 0 by submit, further ones by retry
jobs/<job>/spec.json                           JobSpec, once everything is submitted
jobs/<job>/rejected.jsonl                      FailedItem before work
jobs/<job>/scale.json, plans.jsonl             LevelScale; ComparativePlan
jobs/<job>/writing.json                        Writing
```

Everything but the jobs lies under keys of its content: jobs share results, and storing one twice changes nothing.
"""

from __future__ import annotations

from annotator_worker.records import Stage

AUDIO, BATCHES, SHARDS, COMPARATIVE = "audio/", "batches/", "shards/", "comparative/"


def audio(sha256: str, audio_path: str) -> str:
    """The key of the audio at `audio_path`; the suffix stays, for decoders that go by it, unless it is a strange one.

    >>> audio("5f70", "speaker/One.FLAC"), audio("5f70", "strange.wäv")
    ('audio/5f70.flac', 'audio/5f70')
    """
    _, dot, suffix = audio_path.rpartition(".")
    return f"{AUDIO}{sha256}.{suffix.lower()}" if dot and suffix.isascii() and suffix.isalnum() else f"{AUDIO}{sha256}"


def part(digest: str) -> str:
    """The key of the items of many batches."""
    return f"{BATCHES}{digest}.jsonl"


def shard(name: str, failed: int) -> str:
    """The key of the outcomes of a range of a batch (`BatchTask.name`)."""
    return f"{SHARDS}{name}-{failed}.jsonl"


def clip(clip_id: str) -> str:
    """The key of a comparative clip."""
    return f"{COMPARATIVE}{clip_id}.flac"


def job(name: str, file: str) -> str:
    """The key of one file of a job."""
    return f"jobs/{name}/{file}"


def index(stage: Stage, retries: int) -> str:
    """The folder, below that of its job, of what one round sent."""
    return f"{stage}-{retries:03}/"
