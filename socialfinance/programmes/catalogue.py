"""Every kind of thing that can be financed. A new one is one line in each of the two lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from socialfinance.programmes import building_futures, futures, loan_futures
from socialfinance.programmes.base import Ready
from socialfinance.programmes.development import Development
from socialfinance.programmes.loan_book import LoanBook
from socialfinance.programmes.people import Programme

PEOPLE = "people-programme"


def kind(given: Any) -> str:
    """What a programme says that it is; a people's programme where it says nothing."""
    found = given.get("kind") if isinstance(given, Mapping) else getattr(given, "kind", None)
    return PEOPLE if found is None else str(found)


Financed = Annotated[
    Annotated[Programme, Tag(PEOPLE)]
    | Annotated[Development, Tag("development")]
    | Annotated[LoanBook, Tag("loan-book")],
    Discriminator(kind),
]  # fmt: skip
"""What a deal's ``programme`` may be."""

_LOWER: dict[str, Callable[[Any, bool], Ready]] = {
    PEOPLE: futures.lower,
    "development": building_futures.lower,
    "loan-book": loan_futures.lower,
}
KINDS = tuple(_LOWER)


def lower(programme: Any, by_class: bool) -> Ready:
    """What is financed as floats and pure functions; ``by_class`` concerns people's programmes only."""
    return _LOWER[programme.kind](programme, by_class)
