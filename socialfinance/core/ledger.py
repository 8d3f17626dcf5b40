"""The one writer of cash: double entry, a closed vocabulary of reasons, a memo for what is not cash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Ledger:
    """All cash of one deal on one block of paths.

    - ``net``: ``{party: (row, path)}``, received less paid, pounds. Parties sum to nil on every path by
      construction.
    - ``saved``: ``{party: (row, path)}``, the cashable savings less extra cost in its net.
    - ``by_role``: ``{role: (paid, received)}``, ``(row, path)`` gross, for the roles in ``WATCHED``: a party
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
        self.by_role: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self.by_year: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        self.memo_by_year: dict[tuple[str, str, str], NDArray[np.float64]] = {}
        self.journal: list[Entry] | None = [] if journal else None
        self.watched, self.watch = watched, watch
        self.seen_rows: dict[str, NDArray[np.float64]] = {}
        self.books = books
        self.by_row: dict[tuple[str, str, str], NDArray[np.float64]] = {}

    def pay(self, row: int, payer: str, payee: str, amount: Any, why: str) -> None:
        """Book ``amount`` pounds (a float or ``(path,)``, never negative) from payer to payee."""
        if why not in REASONS:
            raise ValueError(f"{why!r} is not a reason the ledger knows")
        if isinstance(amount, float) and amount == 0.0:
            return
        legs = self.memo_by_year if why in MEMO else self.by_year
        key = (payer, payee, why)
        if key not in legs:
            legs[key] = np.zeros((self.years, self.paths))
        legs[key][self.year_of_row[row]] += amount
        if why not in MEMO:
            self._rows(self.net, payer)[row] -= amount
            self._rows(self.net, payee)[row] += amount
        if why == "saving":
            self._rows(self.saved, payee)[row] += amount
        elif why == "extra cost":
            self._rows(self.saved, payer)[row] -= amount
        if why in self.watched and (payer in self.watch or payee in self.watch):
            self._rows(self.seen_rows, why)[row] += amount
        if payer in self.books or payee in self.books:
            if key not in self.by_row:
                self.by_row[key] = np.zeros((self.rows, self.paths))
            self.by_row[key][row] += amount
        if self.journal is not None:
            self._write(row, key, amount)

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
            mine, theirs, rows = getattr(self, table), getattr(other, table), self._lines(table)
            for name in {**mine, **theirs}:
                getattr(made, table)[name] = combine(
                    mine.get(name, np.zeros((rows, self.paths))),
                    theirs.get(name, np.zeros((rows, other.paths))),
                )
        return made

    def _lines(self, table: str) -> int:
        return self.rows if table in ("net", "saved") else self.years

    def note(self, row: int, leg: Leg, amount: Any) -> None:
        """Keep a payment in cash under the roles of its leg, where they are watched."""
        if leg.reason in MEMO:
            return
        if leg.payer in WATCHED:
            self.of_role(leg.payer)[0][row] += amount
        if leg.payee in WATCHED:
            self.of_role(leg.payee)[1][row] += amount

    def of_role(self, role: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a watched role paid and received, ``(row, path)``, whoever fills it."""
        if role not in self.by_role:
            shape = (self.rows, self.paths)
            self.by_role[role] = (np.zeros(shape), np.zeros(shape))
        return self.by_role[role]

    def _rows(self, table: dict[str, NDArray[np.float64]], party: str) -> NDArray[np.float64]:
        if party not in table:
            table[party] = np.zeros((self.rows, self.paths))
        return table[party]

    def _write(self, row: int, key: tuple[str, str, str], amount: Any) -> None:
        assert self.journal is not None
        figure = float(np.broadcast_to(amount, (self.paths,))[0])
        if figure != 0.0:
            self.journal.append(Entry(row, *key, figure))

    def of(self, payer: str | None = None, payee: str | None = None, reason: str | None = None) -> Any:
        """Gross payments ``(year, path)`` of every leg that matches; ``0.0`` where none does."""
        total: Any = 0.0
        for (a, b, why), amounts in self.by_year.items():
            if payer in (None, a) and payee in (None, b) and reason in (None, why):
                total = total + amounts
        return total


def nil_sum(net: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The sum over parties of their net, ``(row, path)``: nil up to rounding, or the ledger is broken."""
    return np.asarray(np.sum(np.stack(list(net.values())), axis=0))
