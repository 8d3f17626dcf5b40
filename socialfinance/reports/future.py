"""One future as an audit trail: every payment, what happened, the inputs, and who ended up with what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from socialfinance.engine.explain import Explained, Happened, Input, Payment
from socialfinance.engine.explain_fund import FundExplained
from socialfinance.reports.page import POUND, Page

Title = Callable[[str], str]
SUCCESS = "success"
HEADS = {
    "people referred": "Referred", "people started": "Started", SUCCESS: "Chance of success, of usual",
}  # fmt: skip
"""How figures of a quarter are headed where it is not by their names."""


def explanation(found: Sequence[Explained], title: Title, symbol: str = POUND) -> str:
    """One future of one or more deals, as text; ``symbol`` is the currency's."""
    page = Page(symbol=symbol)
    for one in found:
        _deal(page, one, title)
    if len(found) > 1:
        page.heading("All deals together")
        _sums(page, _together(found), title)
    return page.text


def rows(found: Sequence[Explained]) -> dict[str, Any]:
    """The same as tidy rows: payments, what happened, inputs, sums."""
    return {
        "payments": [
            {"deal": one.deal, **_plain(payment)} for one in found for payment in one.payments
        ],
        "balances": [
            {"deal": one.deal, "quarter": b.quarter, "date": b.date.isoformat(), "owed": name, "value": n}
            for one in found for b in one.balances for name, n in b.owed.items()
        ],
        "happened": [
            {"deal": one.deal, "quarter": h.quarter, "date": h.date.isoformat(), "measure": name, "value": n}
            for one in found for h in one.happened for name, n in h.figures.items()
        ],
        "inputs": [{"deal": one.deal, **item._asdict()} for one in found for item in one.inputs],
        "sums": [
            {"deal": one.deal, "party": party, "net": net} for one in found for party, net in one.sums.items()
        ],
        "ended": [{"deal": one.deal, "ended": one.ended} for one in found],
    }  # fmt: skip


def _plain(payment: Payment) -> dict[str, Any]:
    return {**payment._asdict(), "date": payment.date.isoformat()}


def _deal(page: Page, one: Explained, title: Title) -> None:
    page.heading(f"{one.deal}, {one.future}" + (", with variation" if one.with_variation else ""))
    page.say(_how_it_went(one))
    if not one.payments:
        page.say("Nothing is paid.")
        return
    held = any(f"{one.deal} vehicle" in (payment.payer, payment.payee) for payment in one.payments)
    page.table(
        "Every payment, in order (£)" + (". Vehicle: the cash it holds after the payment" if held else ""),
        ("Date", "Year", "From", "To", "Why", "Amount", *(("Vehicle",) if held else ())),
        list(_payments(one, held)),
        names=5,
    )
    if any(payment.memo for payment in one.payments):
        page.say("(memo): no cash, and in no sum: capacity freed, land or property put in or passed on.")
    _balances(page, one)
    _happened(page, one)
    _inputs(page, one.inputs)
    _sums(page, one.sums, title)


def _how_it_went(one: Explained) -> str:
    """Whether the contract ended early, where there is one that can."""
    lowered = one.outcome.lowered
    if one.ended:
        return f"Ended early: {one.ended}."
    if any(figure.measure.startswith("ended_") for figure in lowered.figures):
        return "The contract ran its course."
    return "No contract that could end early." if lowered.delivers else "Nothing is done."


def _payments(found: Explained, held: bool) -> Iterator[tuple[str, ...]]:
    """One line a payment; the date where it changes, the deal's vehicle by that word and what it holds."""
    before = None
    for one in found.payments:
        new = one.date != before
        before = one.date
        payer, payee = (name.removeprefix(f"{found.deal} ") for name in (one.payer, one.payee))
        yield (
            one.date.isoformat() if new else "", one.financial_year if new else "", payer, payee,
            one.reason + (" (memo)" if one.memo else ""), f"{one.amount:,.2f}",
            *((f"{_no_minus(one.vehicle_cash):,.2f}",) if held else ()),
        )  # fmt: skip


def _balances(page: Page, one: Explained) -> None:
    """What is owed after each quarter, from the first in which anything is to the last."""
    owing = [b.quarter for b in one.balances if any(round(value, 2) for value in b.owed.values())]
    if not owing:
        return
    names = [name for name in one.balances[0].owed if any(round(b.owed[name], 2) for b in one.balances)]
    page.table(
        "Balances after each quarter (£)",
        ("Quarter", "Ends", *names),
        [
            (str(b.quarter), b.date.isoformat(), *(f"{_no_minus(b.owed[name]):,.2f}" for name in names))
            for b in one.balances
            if owing[0] <= b.quarter <= owing[-1] + 1
        ],
        names=2,
    )


def _happened(page: Page, one: Explained) -> None:
    """What happened quarter by quarter, up to the last in which anything did."""
    names = [name for name in one.happened[0].figures if not name.startswith("verified: ")]
    last = max((h.quarter for h in one.happened if _anything(h)), default=0)
    page.table(
        "What happened, quarter by quarter",
        ("Quarter", "Ends", *(HEADS.get(name, name.removeprefix("achieved: ")) for name in names)),
        [
            (str(h.quarter), h.date.isoformat(), *(_figure(name, h.figures[name]) for name in names))
            for h in one.happened
            if h.quarter <= last
        ],
        names=2,
    )


def _anything(happened: Happened) -> bool:
    return any(value for name, value in happened.figures.items() if name != SUCCESS)


def _figure(name: str, value: float) -> str:
    if name == SUCCESS:
        return f"{value:.0%}"
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:,.4g}"


def _inputs(page: Page, inputs: Sequence[Input]) -> None:
    uncertain = [item for item in inputs if item.uncertain]
    if not uncertain:
        return
    page.table(
        "Uncertain inputs: their plan, and what this future met",
        ("Input", "Plan", "This future"),
        [(item.name, f"{item.plan:,.4g}", _met(item)) for item in uncertain],
    )


def _met(item: Input) -> str:
    if item.value == item.last:
        return f"{item.value:,.4g}"
    return f"{item.value:,.4g} at first, {item.last:,.4g} at last"


def _sums(page: Page, sums: dict[str, float], title: Title) -> None:
    page.table(
        "Received less paid over the life (£); the parties sum to nil",
        ("Party", "Net"),
        [(title(party), f"{_no_minus(net):,.2f}") for party, net in sums.items()],
        foot=("Sum", f"{_no_minus(sum(sums.values())):,.2f}"),
    )


def _together(found: Sequence[Explained]) -> dict[str, float]:
    total: dict[str, float] = {}
    for one in found:
        for party, net in one.sums.items():
            total[party] = total.get(party, 0.0) + net
    return dict(sorted(total.items()))


def _no_minus(amount: float) -> float:
    """Nil where it rounds to nil, without a minus."""
    return round(amount, 2) + 0.0


def fund_explanation(fund: FundExplained | None, symbol: str = POUND) -> str:
    """The fund's own payments and balances in this future, as text; nothing where there is no fund."""
    if fund is None:
        return ""
    page = Page(symbol=symbol)
    page.heading("The fund")
    page.say(
        "The deals above are as contracted. The fund's part follows, with its policy and with what it could",
        "grant; what passes between it and each deal is summed by quarter below.",
    )
    if fund.unmet > 0.0:
        page.say(f"Up to {fund.unmet:.0%} of what deals ask for in a quarter is not granted.")
    for name, said in fund.steered.items():
        page.say(f"{name}: {said}.")
    lines, before = [], None
    for one in fund.payments:
        new, before = one.date != before, one.date
        when = (one.date.isoformat(), one.financial_year) if new else ("", "")
        lines.append((*when, one.payer, one.payee, one.reason, f"{one.amount:,.2f}"))
    page.table("Every payment, in order (£)", ("Date", "Year", "From", "To", "Why", "Amount"), lines, names=5)
    names = list(fund.rows[0].owed)
    page.table(
        "The fund quarter by quarter (£); owed to each note after it, * locked up",
        ("Quarter", "Ends", "Called", "Into deals", "From deals", "To notes", "Cash", *names),
        [
            (f"{row.quarter}{'*' if row.locked else ''}", row.date.isoformat(),
             *(f"{_no_minus(x):,.0f}" for x in (
                 row.called, row.into_deals, row.from_deals, row.to_notes, row.cash, *row.owed.values()
             )))
            for row in fund.rows
        ],
        names=2,
    )  # fmt: skip
    return "\n" + page.text


def fund_rows(fund: FundExplained | None) -> dict[str, Any]:
    """The same as tidy rows; nothing where there is no fund."""
    if fund is None:
        return {}
    return {
        "fund_payments": [{**one._asdict(), "date": one.date.isoformat()} for one in fund.payments],
        "fund_balances": [
            {"quarter": row.quarter, "date": row.date.isoformat(), "note": name, "owed": owed}
            for row in fund.rows for name, owed in row.owed.items()
        ],
        "fund_policy": [{"deal": name, "did": said} for name, said in fund.steered.items()],
    }  # fmt: skip
