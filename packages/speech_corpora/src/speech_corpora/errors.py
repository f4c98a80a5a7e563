"""The one error of this package: `CorpusError`, for a corpus that cannot be read at all.

One bad file or line of a corpus is not an error: it becomes a `FailedItem` of the listing and the rest is read.
"""


class CorpusError(ValueError):
    """A corpus cannot be read at all: unknown name, missing root, nothing usable in it."""
