"""Mass annotation: from labelled audio to verified reasoning, in one process or through a queue of workers.

`pipeline`     the steps for one clip             `comparative`  clips that compare three variants of a sentence
`dataset`      the folder that comes out          `listing`      the corpus that goes in
`local`        everything here: `pool` of processes, `workfile` that lets a stopped run continue
`job`          the same through workers: `jobfiles` and `keys` in an object `store`, `tasks` of the app in `celery`
`records`      what only annotation needs         `errors`       the exception tree
`recipes`      comparative clips by recipes       `cli`          the command `annotator`

The Celery parts are imported by those who need them only: `celery -A annotator_worker worker`, `annotator submit`.
"""

from annotator_worker.dataset import Annotation, Summary
from annotator_worker.errors import (
    AnnotatorError,
    BrokerError,
    ClipError,
    ContradictedTraceError,
    JobError,
    MissingAudioError,
    ObjectNotFoundError,
    StoreAccessError,
    StoreError,
    StoreUnavailableError,
    TooLittleSpeechError,
    UnusableInputError,
    WorkerLostError,
)
from annotator_worker.listing import Listing, list_corpus
from annotator_worker.local import run
from annotator_worker.records import DeadLetter, JobSpec, Stage
from annotator_worker.store import FolderStore, ObjectStore, S3Store, open_store

__all__ = [
    "Annotation",
    "AnnotatorError",
    "BrokerError",
    "ClipError",
    "ContradictedTraceError",
    "DeadLetter",
    "FolderStore",
    "JobError",
    "JobSpec",
    "Listing",
    "MissingAudioError",
    "ObjectNotFoundError",
    "ObjectStore",
    "S3Store",
    "Stage",
    "StoreAccessError",
    "StoreError",
    "StoreUnavailableError",
    "Summary",
    "TooLittleSpeechError",
    "UnusableInputError",
    "WorkerLostError",
    "list_corpus",
    "open_store",
    "run",
]
