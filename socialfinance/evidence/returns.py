"""Quarterly returns: what really happened so far, line by line, as of the day on which it was said.

A return is a table of one value a row: deal, quarter_end, item, line, value, as_of, and a note where wanted.

    item              line                 value
    referrals         (none)               people referred in the quarter
    starts            (none)               people who started
    outcome           an outcome line      people who achieved it in the quarter
    reported effect   a cohort             the effect that the evaluator has reported, a fraction
    cost              a cost line          pounds before VAT
    saving            a saving             pounds of cash that the agency saved
    paid              a payer's role       pounds of outcome payments received from it
    outcome payment   an outcome line      pounds of them received for it: published, and moves nothing
    savings paid      an agency's role     pounds received out of savings
    drawn             (none)               pounds drawn from investors or lenders
    repaid            (none)               pounds of capital returned to them
    return            (none)               pounds of return or interest paid to them

A later as_of puts right what an earlier one said of the same thing. A quarter is returned whole: people at
every line, nil included. What was drawn, repaid or paid in return is returned with all other cash of the
quarter and all its costs, or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from socialfinance.core.errors import InputError
from socialfinance.engine.observed import CASH, OF_FUNDERS, Past, cash_lines
from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
from socialfinance.evidence.tables import Row, read_rows
from socialfinance.programmes.known import Quarter, pasts

COLUMNS = ("deal", "quarter_end", "item", "line", "value", "as_of")
OPTIONAL = ("note",)
WITHOUT_LINE = ("referrals", "starts", "drawn", "repaid", "return")
WHOLE = ("referrals", "starts", "outcome")
"""Items that count people: whole numbers."""
LARGEST = 1e12


class Said(NamedTuple):
    """One value of a return, and where it stands."""

    deal: str
    row: int
    """the deal's own"""
    item: str
    line: str
    value: float
    as_of: date
    at: int
    """line of the file"""


@dataclass(frozen=True)
class Returns:
    """What was known on a day."""

    as_of: date
    past: Mapping[str, Past]
    """by deal"""
    late: Mapping[str, tuple[date, ...]]
    """by deal: ends of quarters that were over and had not been returned"""
    corrected: int
    """values that a later return put in place of earlier ones"""
    values: int
    """values in force"""
    sha256: str
    """of the file"""


class Returned:
    """A file of returns, checked against a portfolio; ``on`` gives what was known on a day."""

    def __init__(self, path: str | Path, ready: ReadyPortfolio) -> None:
        self.path, self.ready = Path(path), ready
        self.deals = {deal.name: deal for deal in ready.deals}
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path.is_file() else ""
        rows = read_rows(self.path, COLUMNS, OPTIONAL, "returns")
        self.said = [one for row in rows if (one := self._said(row)) is not None]
        if not self.said:
            raise InputError("says nothing: no row has a value", file=str(self.path))
        _refuse_twice(self.said, str(self.path))

    @property
    def days(self) -> tuple[date, ...]:
        """The days on which anything was said, the first first."""
        return tuple(sorted({one.as_of for one in self.said}))

    def on(self, day: date) -> Returns:
        """What was known on a day. InputError where nothing was, or where it does not fit together."""
        heard = sorted((one for one in self.said if one.as_of <= day), key=lambda one: one.as_of)
        if not heard:
            raise InputError(
                "nothing had been returned by then", file=str(self.path), field="as_of", given=day,
                allowed=f"{self.days[0]} or later",
            )  # fmt: skip
        in_force = {one[:4]: one for one in heard}
        past, late = {}, {}
        for name, deal in self.deals.items():
            mine = [one for one in in_force.values() if one.deal == name]
            if mine:
                past[name] = self._past(deal, mine)
            over = sum(deal.calendar.row_date(row) <= day for row in range(1, deal.calendar.quarters + 1))
            told = len(past[name].quarters) if name in past else 0
            if over > told:
                late[name] = tuple(deal.calendar.row_date(row) for row in range(told + 1, over + 1))
        return Returns(day, past, late, len(heard) - len(in_force), len(in_force), self.sha256)

    def _said(self, row: Row) -> Said | None:
        """One row, checked by itself; None where its value is blank: not known yet."""
        name = row.text("deal", self.deals, "a deal of the portfolio")
        deal = self.deals[name]
        lines = items(deal)
        end = row.day("quarter_end")
        ends = {deal.calendar.row_date(r): r for r in range(1, deal.calendar.quarters + 1)}
        if end not in ends:
            raise row.refuse("quarter_end", "is no end of a quarter of this deal", str(end), _near(end, ends))
        item = row.text("item", lines, f"an item of {name}")
        line = _line(row, item, lines[item])
        as_of = row.day("as_of")
        if as_of < end:
            raise row.refuse("as_of", "is before the quarter's end", str(as_of), f"{end} or later")
        if row.blank("value"):
            return None
        return Said(name, ends[end], item, line, _value(row, item), as_of, row.at)

    def _past(self, deal: ReadyDeal, mine: Iterable[Said]) -> Past:
        """What was returned of a deal, quarter by quarter without a gap."""
        by_row: dict[int, dict[tuple[str, str], Said]] = {}
        for one in mine:
            by_row.setdefault(one.row, {})[one.item, one.line] = one
        last = max(by_row)
        for row in range(1, last + 1):
            if row not in by_row:
                raise self._missing(
                    deal, row, f"returned for {deal.calendar.row_date(last)} but not for this"
                )
        quarters = [self._quarter(deal, row, by_row[row]) for row in range(1, last + 1)]
        cash = [self._cash(deal, row, by_row[row]) for row in range(1, last + 1)]
        self._fits(deal, quarters, by_row)
        effects = {
            line: one.value
            for row in by_row.values() for (item, line), one in row.items() if item == "reported effect"
        }  # fmt: skip
        by_line = [_of(by_row[row], "outcome payment") for row in range(1, last + 1)]
        return Past(tuple(quarters), tuple(cash), effects, tuple(by_line) if any(by_line) else ())

    def _quarter(self, deal: ReadyDeal, row: int, said: Mapping[tuple[str, str], Said]) -> Quarter:
        def people(item: str, line: str = "") -> float:
            if (item, line) not in said:
                raise self._missing(
                    deal, row, f"no {' '.join([item, line]).strip()}: a quarter is returned whole"
                )
            return said[item, line].value

        outcomes = {line: people("outcome", line) for line in deal.programme.lines}
        costs, savings = (_of(said, item) for item in ("cost", "saving"))
        return Quarter(people("referrals"), people("starts"), outcomes, costs, savings)

    def _cash(
        self, deal: ReadyDeal, row: int, said: Mapping[tuple[str, str], Said]
    ) -> Mapping[tuple[str, str], float]:
        cash = {key: one.value for key, one in said.items() if key[0] in CASH}
        if not any(item in OF_FUNDERS for item, _ in cash):
            return cash
        wanted = [(item, line) for item, lines in cash_lines(deal).items() for line in lines]
        wanted += [("cost", line) for line in items(deal)["cost"]]
        for item, line in wanted:
            if (item, line) not in said:
                what = " ".join([item, line]).strip()
                raise self._missing(
                    deal, row, f"no {what}: what funders paid and had comes with all cash and all costs"
                )
        return cash

    def _fits(
        self, deal: ReadyDeal, quarters: list[Quarter], by_row: Mapping[int, Mapping[tuple[str, str], Said]]
    ) -> None:
        """Refuse more starts than referrals, and more at a line than can have come to it."""
        referred = started = 0.0
        for row, quarter in enumerate(quarters, start=1):
            referred, started = referred + quarter.referrals, started + quarter.starts
            if started > referred:
                raise self._wrong(
                    by_row[row]["starts", ""], "more people have started than were referred so far",
                    f"{quarter.starts:,.0f}", f"{quarter.starts - (started - referred):,.0f} or fewer",
                )  # fmt: skip
            try:
                pasts(deal.programme, quarters[:row])
            except InputError as error:
                one = by_row[row]["outcome", error.field or ""]
                raise self._wrong(one, error.problem, f"{one.value:,.0f}", error.allowed) from None

    def _wrong(self, one: Said, problem: str, given: str, allowed: str | None) -> InputError:
        return InputError(
            problem, file=str(self.path), line=one.at, field="value", given=given, allowed=allowed
        )

    def _missing(self, deal: ReadyDeal, row: int, problem: str) -> InputError:
        return InputError(problem, file=str(self.path), field=f"{deal.name}, {deal.calendar.row_date(row)}")


def items(deal: ReadyDeal) -> dict[str, tuple[str, ...]]:
    """By item that can be returned of a deal: its lines; one nothing where it has none."""
    programme = deal.programme
    if not hasattr(programme.terms, "parent"):
        return {}
    terms = programme.programme
    costs = tuple(name for name, used in zip(terms.costs, deal.own.lowered.uses, strict=True) if used)
    found = {"referrals": ("",), "starts": ("",), "outcome": programme.lines, "cost": costs}
    found["saving"] = tuple(name for name, one in terms.savings.items() if one.cashable > 0.0)
    if deal.deal.tariff is not None:
        found["outcome payment"] = programme.lines
    found["reported effect"] = tuple(terms.effect.cohorts) if terms.effect is not None else ()
    if deal.own.lowered.restate is not None:
        found |= cash_lines(deal)
    return {item: lines for item, lines in found.items() if lines}


def template(ready: ReadyPortfolio, quarters: int) -> list[dict[str, Any]]:
    """A blank return for the portfolio's first ``quarters`` quarters: every row that can be filled in."""
    last = ready.calendar.row_date(quarters)
    rows = []
    for deal in ready.deals:
        for row in range(1, deal.calendar.quarters + 1):
            end = deal.calendar.row_date(row)
            if end > last:
                break
            for item, lines in items(deal).items():
                for line in lines:
                    rows.append({
                        "deal": deal.name, "quarter_end": end.isoformat(), "item": item, "line": line,
                        "value": "", "as_of": last.isoformat(), "note": "",
                    })  # fmt: skip
    return rows


def _of(said: Mapping[tuple[str, str], Said], item: str) -> dict[str, float]:
    """What was said of one item, by line."""
    return {line: one.value for (name, line), one in said.items() if name == item}


def _line(row: Row, item: str, lines: tuple[str, ...]) -> str:
    if lines == ("",):
        if not row.blank("line"):
            raise row.refuse("line", f"{item} has no lines", row.shown("line"), "nothing")
        return ""
    return row.text("line", lines, f"a line of {item}")


def _value(row: Row, item: str) -> float:
    value = row.number("value")
    if item == "reported effect":
        if not -1.0 <= value <= 1.0:
            raise row.refuse(
                "value", "is no effect", row.shown("value"), "a fraction from -1 to 1: 0.10 is a 10% fall"
            )
        return value
    if not 0.0 <= value <= LARGEST:
        raise row.refuse("value", "is out of range", row.shown("value"), "nil or more, up to 1e12")
    if item in WHOLE and value != int(value):
        raise row.refuse("value", "people are counted whole", row.shown("value"), "a whole number")
    return value


def _near(day: date, ends: Mapping[date, int]) -> str:
    """The ends of quarters either side."""
    before = [str(end) for end in ends if end < day][-1:]
    after = [str(end) for end in ends if end > day][:1]
    return " or ".join(before + after)


def _refuse_twice(said: list[Said], file: str) -> None:
    """The same thing said twice on one day."""
    seen: dict[tuple[Any, ...], int] = {}
    for one in said:
        key = (*one[:4], one.as_of)
        if key in seen:
            raise InputError(
                f"says again what line {seen[key]} says, on the same day", file=file, line=one.at,
                field="as_of", given=str(one.as_of), allowed="a later day, for a correction",
            )  # fmt: skip
        seen[key] = one.at
