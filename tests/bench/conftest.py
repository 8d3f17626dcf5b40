"""One page for all that is measured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.page import PerformancePage


@pytest.fixture(scope="session")
def page() -> Iterator[PerformancePage]:
    """The page, written once everything on it has been measured."""
    from tests.bench import test_bench, test_bench_compiled, test_bench_fund, test_bench_sampling

    page = PerformancePage()
    yield page
    wanted = {
        *test_bench.TITLES,
        *test_bench_fund.TITLES,
        test_bench_compiled.ROWS,
        test_bench_sampling.SPREAD,
    }
    if wanted <= set(page.tables):
        page.write()
