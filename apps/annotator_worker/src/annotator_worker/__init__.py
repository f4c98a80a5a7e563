"""Mass annotation: from labelled audio to verified reasoning, in one process or through a queue of workers.

`pipeline`     the steps for one clip             `comparative`  clips that compare three variants of a sentence
`listing`      the corpus that goes in            `local`        everything here, on a few processes
`workfile`     lets a stopped run continue        `recipes`      comparative clips by recipes
`job`          the same through workers: `batching` of items, `sending` to the queue, `jobfiles` and `keys` in an object
               `store`, `results` and `status` of what is there
`tasks`        what workers do: one batch is the `work`, the `ledger` is what they tell one another, `celery` the app
`metrics`      their counters for Prometheus      `logs`         their logs as JSON
`records`      what only annotation needs         `settings`     what comes from the environment
`errors`       the exception tree                 `cli`          the command `annotator`

What comes out is a data set of `cotgen.dataset`. The Celery parts are imported by those who need them only:
`celery -A annotator_worker worker`, `annotator submit`.
"""

from annotator_worker.errors import AnnotatorError
from annotator_worker.listing import CorpusRequest, Listing, list_corpus
from annotator_worker.local import run
from annotator_worker.records import MeasureConfig, Stress
from annotator_worker.store import ObjectStore, open_store

__all__ = [
    "AnnotatorError",
    "CorpusRequest",
    "Listing",
    "MeasureConfig",
    "ObjectStore",
    "Stress",
    "list_corpus",
    "open_store",
    "run",
]
