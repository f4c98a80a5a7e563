"""Settings of all tests."""

from hypothesis import settings

# A busy machine is not a failure: properties are checked without a limit of 200 ms an example. Everything else stays as
# Hypothesis chose it (under CI it draws the same examples every time).
settings.register_profile("emotionthinker", parent=settings(), deadline=None)
settings.load_profile("emotionthinker")
