"""One page for all that is measured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.page import PerformancePage


@pytest.fixture(scope="session")
def page() -> Iterator[PerformancePage]:
    """The page, written once everything on it has been measured."""
    from tests.bench import test_bench, test_bench_compiled

    page = PerformancePage()
    yield page
    if {*test_bench.TITLES, test_bench_compiled.ROWS} <= set(page.tables):
        page.write()
