"""Generated examples are the same in every run, so that a test that passed passes again.

``make slow`` draws new ones each time: what it finds becomes a test of its own. Linear algebra has one
thread in every process: the matrices are small, and threads that wait for each other while tests run side
by side take ten times as long.
"""

import os

from hypothesis import settings

for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(library, "1")  # read once, when numpy is first imported

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, print_blob=True)
settings.load_profile("repeatable")
