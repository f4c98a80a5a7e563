"""The one error of this package: `ClaimsError`, for a file that cannot be used or a picture that cannot be drawn.

One bad line of a file raises nothing: it becomes a `speech_records.FailedItem` and the rest is done.
"""


class ClaimsError(ValueError):
    """What was asked for cannot be done at all; the message says why and what to do."""
