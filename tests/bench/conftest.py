"""One page for all that is measured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.page import PerformancePage


@pytest.fixture(scope="session")
def page() -> Iterator[PerformancePage]:
    """The page: what was measured is written at the end."""
    page = PerformancePage()
    yield page
    page.write()
