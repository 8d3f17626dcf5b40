"""Generated examples are the same in every run, so that a test that passed passes again.

``make slow`` draws new ones each time: what it finds becomes a test of its own.
"""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, print_blob=True)
settings.load_profile("repeatable")
