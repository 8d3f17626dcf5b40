"""The one writer of cash: double entry, a closed vocabulary of reasons, a memo for what is not cash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Reason = Literal[
    "drawdown", "commitment fee", "arrangement fee",
    "delivery cost", "set-up cost", "intermediary cost", "evaluation cost", "other cost",
    "service payment", "reimbursed cost", "irrecoverable vat", "deferred fee",
    "outcome payment", "savings payment", "clawback", "minimum-referral payment", "emergency support",
    "capital returned", "investor return", "surplus share",
    "floor coupon", "capital protection", "termination compensation",
    "interest", "principal", "guarantee fee", "guarantee call", "recovery", "unpaid balance",
    "saving", "non-cashable saving", "extra cost", "non-cashable extra cost", "grant",
    "sale receipt", "rent", "ground rent", "head rent", "land payment", "overage", "property sale",
    "cure payment", "option price", "property in kind",
    "running cost", "wind-down cost", "cash yield", "redemption", "carried interest", "claim deferred",
]  # fmt: skip
"""Why money moves. Closed: a new structure that needs a new reason adds it here."""

REASONS: frozenset[str] = frozenset(get_args(Reason))
RESULTS: frozenset[str] = frozenset({"outcome payment", "savings payment"})
"""Reasons that are payment by results."""
MEMO: frozenset[str] = frozenset({"non-cashable saving", "non-cashable extra cost", "property in kind"})
"""Reasons that are never cash and never added to it."""


SAVED: frozenset[str] = frozenset({"saving", "extra cost", "non-cashable saving", "non-cashable extra cost"})
"""Reasons that are what a programme saves, or costs, on the services around it."""
WATCHED: frozenset[str] = frozenset({"investor"})
"""Roles whose payments are kept apart from their parties' other payments."""


class Leg(NamedTuple):
    """One kind of payment a structure can make: payer role, payee role, reason."""

    payer: str
    payee: str
    reason: Reason


class Entry(NamedTuple):
    """One line of the journal of one path."""

    row: int
    payer: str
    payee: str
    reason: str
    amount: float


class Place(NamedTuple):
    """A table of the ledger in which a kind of payment is booked: added to the line of its row, or year."""

    table: str
    key: Any
    yearly: bool
    sign: float


class Ledger:
    """All cash of one deal on one block of paths.

    - ``net``: ``{party: (row, path)}``, received less paid, pounds. Parties sum to nil on every path by
      construction.
    - ``saved``: ``{party: (row, path)}``, the cashable savings less extra cost in its net.
    - ``by_role``: ``{(role, paid or received): (row, path)}``, gross, for the roles in ``WATCHED``: a party
      may fill several.
    - ``by_year``: ``{(payer, payee, reason): (year, path)}``, gross.

    With ``journal`` each payment that is not nil on some path is also kept as it was booked. Payments for a
    ``watched`` reason by or to a party in ``watch`` are kept by row: ``seen_rows``, ``{reason: (row,
    path)}``. Every leg that a party in ``books`` pays or receives is kept by row beside, memo and all:
    ``by_row``, ``{(payer, payee, reason): (row, path)}``, gross.
    """

    def __init__(
        self, year_of_row: Sequence[int], paths: int, journal: bool = False,
        watched: frozenset[str] = frozenset(), watch: frozenset[str] = frozenset(),
        books: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.year_of_row = year_of_row
        self.paths = paths
        self.rows = len(year_of_row)
        self.years = max(year_of_row) + 1
        self.net: dict[str, NDArray[np.float64]] = {}
        self.saved: dict[str, NDArray[np.float64]] = {}
        self.by_role: dict[tuple[str, str], NDArray[np.float64]] = {}
        self.by_year: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        self.memo_by_year: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        self.journal: list[Entry] | None = [] if journal else None
        self.watched, self.watch = watched, watch
        self.seen_rows: dict[str, NDArray[np.float64]] = {}
        self.books = books
        self.by_row: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        self._places: dict[tuple[str, str, str], tuple[Place, ...]] = {}

    def pay(self, row: int, payer: str, payee: str, amount: Any, why: str) -> None:
        """Book ``amount`` pounds (a float or ``(path,)``, never negative) from payer to payee."""
        if why not in REASONS:
            raise ValueError(f"{why!r} is not a reason the ledger knows")
        if isinstance(amount, float) and amount == 0.0:
            return
        year = self.year_of_row[row]
        for table, key, yearly, sign in self.places(payer, payee, why):
            line = self.table(table, key)[year if yearly else row]
            if sign > 0.0:
                line += amount
            else:
                line -= amount
        if self.journal is not None:
            self._write(row, (payer, payee, why), amount)

    def places(self, payer: str, payee: str, why: str) -> tuple[Place, ...]:
        """Where a payment is added, or taken off."""
        key = (payer, payee, why)
        if key not in self._places:
            self._places[key] = tuple(self._found(payer, payee, why))
        return self._places[key]

    def _found(self, payer: str, payee: str, why: str) -> Iterator[Place]:
        key = (payer, payee, why)
        yield Place("memo_by_year" if why in MEMO else "by_year", key, True, 1.0)
        if why not in MEMO:
            yield Place("net", payer, False, -1.0)
            yield Place("net", payee, False, 1.0)
        if why == "saving":
            yield Place("saved", payee, False, 1.0)
        elif why == "extra cost":
            yield Place("saved", payer, False, -1.0)
        if why in self.watched and (payer in self.watch or payee in self.watch):
            yield Place("seen_rows", why, False, 1.0)
        if payer in self.books or payee in self.books:
            yield Place("by_row", key, False, 1.0)

    def table(self, name: str, key: Any) -> NDArray[np.float64]:
        """One table of the ledger; of noughts where nothing was booked in it yet."""
        tables: dict[Any, NDArray[np.float64]] = getattr(self, name)
        if key not in tables:
            tables[key] = np.zeros((self.lines_of(name), self.paths))
        return tables[key]

    def unwritten(self, name: str, key: Any) -> NDArray[np.float64]:
        """A new table in which anything may stand: for who writes all of its lines."""
        tables: dict[Any, NDArray[np.float64]] = getattr(self, name)
        tables[key] = np.empty((self.lines_of(name), self.paths))
        return tables[key]

    def like(self, paths: int) -> Ledger:
        """An empty ledger of so many paths that keeps the same."""
        journal = self.journal is not None
        return Ledger(self.year_of_row, paths, journal, self.watched, self.watch, self.books)

    def seen(self, why: str, row: int) -> Any:
        """What was paid in a row for a watched reason by or to a watched party; 0.0 for none so far."""
        return self.seen_rows[why][row] if why in self.seen_rows else 0.0

    def combined(self, other: Ledger, combine: Any) -> Ledger:
        """This ledger and that of other paths as one: ``combine(mine, theirs)`` by leg, paths last."""
        first = next(iter(self.net.values()), np.zeros((self.rows, self.paths)))
        second = next(iter(other.net.values()), np.zeros((other.rows, other.paths)))
        made = Ledger(self.year_of_row, combine(first, second).shape[-1])
        made.journal = other.journal if made.paths == 1 else None
        tables = ("net", "saved", "by_year", "memo_by_year")
        for table in tables:
            mine, theirs, rows = getattr(self, table), getattr(other, table), self.lines_of(table)
            for name in {**mine, **theirs}:
                getattr(made, table)[name] = combine(
                    mine.get(name, np.zeros((rows, self.paths))),
                    theirs.get(name, np.zeros((rows, other.paths))),
                )
        return made

    def lines_of(self, table: str) -> int:
        """How many lines its tables have: rows, or years."""
        return self.years if table in ("by_year", "memo_by_year") else self.rows

    def note(self, row: int, leg: Leg, amount: Any) -> None:
        """Keep a payment in cash under the roles of its leg, where they are watched."""
        for table, key, _, _ in self.noted(leg):
            self.table(table, key)[row] += amount

    def noted(self, leg: Leg) -> tuple[Place, ...]:
        """Where ``note`` adds a payment."""
        ways = ((leg.payer, "paid"), (leg.payee, "received")) if leg.reason not in MEMO else ()
        return tuple(Place("by_role", way, False, 1.0) for way in ways if way[0] in WATCHED)

    def of_role(self, role: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a watched role paid and received, ``(row, path)``, whoever fills it."""
        return self.table("by_role", (role, "paid")), self.table("by_role", (role, "received"))

    def _write(self, row: int, key: tuple[str, str, str], amount: Any) -> None:
        assert self.journal is not None
        figure = float(np.broadcast_to(amount, (self.paths,))[0])
        if figure != 0.0:
            self.journal.append(Entry(row, *key, figure))

    def of(self, payer: str | None = None, payee: str | None = None, reason: str | None = None) -> Any:
        """Gross payments ``(year, path)`` of every leg that matches; ``0.0`` where none does."""
        total: Any = 0.0
        for (a, b, why), amounts in sorted(self.by_year.items(), key=itemgetter(0)):
            if payer in (None, a) and payee in (None, b) and reason in (None, why):
                total = total + amounts
        return total


def nil_sum(net: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The sum over parties of their net, ``(row, path)``: nil up to rounding, or the ledger is broken."""
    return np.asarray(np.sum(np.stack(list(net.values())), axis=0))
