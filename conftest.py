"""What every test of the house runs under."""

from hypothesis import settings

# A busy machine is no failure: properties are held to their truth, not to 200 ms an example. Everything else stays as
# Hypothesis chose it (under CI it draws the same examples every time).
settings.register_profile("house", parent=settings(), deadline=None)
settings.load_profile("house")
