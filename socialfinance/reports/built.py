"""What was built, how the lender's tests went, who else put money in, and the council by itself."""

from __future__ import annotations

from collections.abc import Sequence

from socialfinance.engine.ready import ReadyDeal
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, TIE, Scale, text, with_error
from socialfinance.reports.page import Page

KIND = "development"
UNITS = Scale(1.0, "", "", 1, 1, 100.0)
DEALS_OWN = "the deal"
PUT_IN = "capital put in: "


def built(page: Page, figures: Figures) -> None:
    """All of it, only where a development is financed."""
    deals = [deal for deal in figures.deals if deal.deal.programme.kind == KIND]
    if not deals:
        return
    page.heading("What was built, and what stands behind it")
    _done(page, figures, deals)
    _tests(page, figures, deals)
    _capital(page, figures, deals)
    _head_rent(page, figures, deals)
    _against_building(page, figures, deals)


def _done(page: Page, figures: Figures, deals: Sequence[ReadyDeal]) -> None:
    rows = []
    for deal in deals:
        for i, (measure, unit) in enumerate(_counted(deal, figures)):
            pounds = unit == "pounds"
            scale = THOUSANDS if pounds else UNITS
            rows.append((
                "" if i else deal.name, measure + (" (£000)" if pounds else ""),
                *(cell(figures.programme(deal.name, measure, at), scale, page)
                  for at in ("plan", "mean", "p5", "p50", "p95")),
            ))  # fmt: skip
    page.table(
        "Over the life",
        ("Deal", "", "Plan", "Expected", "P5", "Median", "P95"), rows, names=2,
    )  # fmt: skip
    page.say(
        "Units sold and let are what the market of each future takes up; they need not be whole. Years let: "
        "units let times years." + _refusals(page, figures, deals)
    )


def _counted(deal: ReadyDeal, figures: Figures) -> list[tuple[str, str]]:
    """What is counted, in the order of the development: units, sales, lettings, money."""
    what = deal.deal.programme
    names = ["units handed over", *(f"sold: {name}" for name in getattr(what, "sales", {}))]
    names += [f"years let: {name}" for name in getattr(what, "lettings", {})]
    names += ["sale receipts", "rent collected"]
    found = [(name, figures.programme(deal.name, name)) for name in names]
    return [(name, row.unit) for name, row in found if row is not None]


def _refusals(page: Page, figures: Figures, deals: Sequence[ReadyDeal]) -> str:
    rows = [(deal.name, figures.programme(deal.name, "planning refused", "probability")) for deal in deals]
    said = [f"{name} {chance(row, page, error=True)}" for name, row in rows if row is not None]
    return f" Planning is refused, share of futures: {', '.join(said)}." if said else ""


def _tests(page: Page, figures: Figures, deals: Sequence[ReadyDeal]) -> None:
    """Covenants, cures, enforcement, and what the lender lost before and after guarantees."""
    secured = [deal for deal in deals if figures.structure(deal.name, "peak_loan") is not None]
    if not secured:
        return
    page.table(
        "The loan and its tests (£000 unless said)",
        ("Deal", "Largest loan, P95", "Loan to value at its worst test, P95", "Covenant breached", "Cured",
         "Locked up", "Payment missed", "Called in", "Lender short", "Loss before guarantees",
         "made good", "not made good"),
        [
            (
                deal.name,
                cell(figures.structure(deal.name, "peak_loan", "p95"), THOUSANDS, page),
                cell(figures.structure(deal.name, "peak_loan_to_value", "p95"), PERCENT, page),
                *(chance(figures.structure(deal.name, measure, "probability"), page)
                  for measure in ("covenant_breached", "covenant_cured", "locked_up", "payment_missed",
                                  "called_in", "lender_short")),
                *(cell(figures.structure(deal.name, measure), THOUSANDS, page, error=True)
                  for measure in ("loss_before_guarantees", "loss_covered", "loss_uncovered")),
            )
            for deal in secured
        ],
    )  # fmt: skip
    page.say(
        "Shares of futures. Locked up: distributions were. Called in: the lender takes the collateral and "
        "sells it. Lender short: something is still owed to it after the sale and the guarantees. Loss: what "
        "is still owed of the loan and its interest after the sale, whatever interest was earned before; "
        "expected, undiscounted. Investors lose in the tables above only where all they received is less "
        "than they paid in."
    )


def _capital(page: Page, figures: Figures, deals: Sequence[ReadyDeal]) -> None:
    """Who ranks after the loan: what they put in and had back."""
    rows = []
    for deal in deals:
        names = [
            figure.measure.removeprefix(PUT_IN)
            for figure in deal.own.lowered.figures
            if figure.measure.startswith(PUT_IN)
        ]
        for name in names:
            entry = deal.deal.instrument.capital[name]  # type: ignore[union-attr]
            who = " and ".join(figures.title(party) for party, _ in deal.roles[entry.by])
            received = f"capital received: {name}"
            rows.append((
                deal.name, f"{name}, {who}",
                cell(figures.structure(deal.name, PUT_IN + name), THOUSANDS, page),
                cell(figures.structure(deal.name, received, "plan"), THOUSANDS, page),
                cell(figures.structure(deal.name, received), THOUSANDS, page, error=True),
                *(cell(figures.structure(deal.name, received, at), THOUSANDS, page) for at in ("p5", "p95")),
                chance(figures.structure(deal.name, f"capital short: {name}", "probability"), page)
                if entry.amount > 0.0
                else NOTHING,
            ))  # fmt: skip
    if not rows:
        return
    page.table(
        "Who ranks after the loan, in order of payment (£000)",
        ("Deal", "", "Cash put in", "Received, plan", "Expected", "P5", "P95", "Chance of loss"),
        rows,
        names=2,
    )
    page.say(
        "Undiscounted. Land counts as put in where the terms say so; it is no cash, and stands in no sum. "
        "Chance of loss: less cash came back than went in."
    )


def _head_rent(page: Page, figures: Figures, deals: Sequence[ReadyDeal]) -> None:
    """Of income strips: what the council owes against what its tenants pay."""
    strips = [deal for deal in deals if figures.structure(deal.name, "head_rent") is not None]
    if not strips:
        return
    page.table(
        "The head lease (£000 unless said)",
        ("Deal", "Head rent, plan", "Expected", "P95", "Quarters short of it, expected", "P95",
         "Short by, expected", "P95", "Most out of pocket, P95"),
        [
            (
                deal.name,
                cell(figures.structure(deal.name, "head_rent", "plan"), THOUSANDS, page),
                cell(figures.structure(deal.name, "head_rent"), THOUSANDS, page, error=True),
                cell(figures.structure(deal.name, "head_rent", "p95"), THOUSANDS, page),
                *(cell(figures.structure(deal.name, "quarters_short_of_head_rent", at), UNITS, page)
                  for at in ("mean", "p95")),
                *(cell(figures.structure(deal.name, "short_of_head_rent", at), THOUSANDS, page)
                  for at in ("mean", "p95")),
                cell(figures.structure(deal.name, "worst_out_of_pocket", "p95"), THOUSANDS, page),
            )
            for deal in strips
        ],
    )  # fmt: skip
    page.say(
        "Short: rent from tenants less running cost is below the head rent of the quarter, and the council "
        "pays the rest. Most out of pocket: the lowest point of all cash of the scheme so far, the capital "
        "sum and the cost of works included." + _lapsed(page, figures, strips)
    )


def _lapsed(page: Page, figures: Figures, strips: Sequence[ReadyDeal]) -> str:
    """In how many futures the property is not worth the price of the option, if in any."""
    rows = [(deal.name, figures.structure(deal.name, "option_lapsed", "probability")) for deal in strips]
    said = [f"{name} {chance(row, page)}" for name, row in rows if row is not None and row.value]
    if not said:
        return ""
    return f" The option lapses, as the property is worth less than its price: {', '.join(said)}."


# --- against building for itself --------------------------------------------------------------------------


def _against_building(page: Page, figures: Figures, deals: Sequence[ReadyDeal]) -> None:
    """The deal and what the council could do instead: cash, what it then owns, and both together."""
    if not figures.result.compared:
        return
    rows = [row for deal in deals for row in _ways(page, figures, deal)]
    page.table(
        "The council by itself: the same development on the same futures (PV to the commissioner, £000)",
        ("Deal", "", "Net cost", "Deal less this", "Deal less this, P5 to P95", "Property at the end",
         "Loans owed at the end", "Net cost less property"),
        rows, names=2,
    )  # fmt: skip
    page.say(
        "Net cost: what the council pays less what it receives and saves, below nil it gains. Property: what "
        "it owns after the last quarter, at market value; of doing nothing, the land as it stands, at its "
        "value at close. Only with property and loans is one way held fairly against another: building for "
        "itself leaves the council with all that is let. What is taken off in the last column is no cash."
    )
    page.say(
        "From reserves: works are paid as they fall, all receipts are kept. PWLB loans: works and one-off "
        "cost less grant is borrowed for as it falls, which is lawful for capital spending; repayment is in "
        "net cost. In both the council bears every risk of the scheme."
    )


def _ways(page: Page, figures: Figures, deal: ReadyDeal) -> list[tuple[str, ...]]:
    party = " and ".join(figures.commissioners(deal))
    discount = (1.0 + figures.result.discount) ** (-(deal.first_row + deal.calendar.quarters) / 4.0)
    names = [one.name for one in deal.comparators]
    own = _own_cost(figures, deal, party, names)
    mine = _value(figures.structure(deal.name, "council_property_at_end")) * discount
    rows: list[tuple[str, ...]] = []
    rows.append((deal.name, DEALS_OWN, _pounds(own), "", "", _pounds(mine), _pounds(0.0), _pounds(own, mine)))
    for name in names:
        cost = figures.row("net_cost_pv", deal=deal.name, party=party, role=name)
        held = _value(figures.row("council_property_at_end", deal=deal.name, role=name)) * discount
        if not any(one.name == name and one.lowered.delivers for one in deal.comparators):
            held = _land(deal)
        owed = _value(figures.row("loan_owed_at_end", deal=deal.name, role=name)) * discount
        spent = None if cost is None else cost.value
        rows.append((
            "", name, cell(cost, THOUSANDS, page), *_less(page, figures, deal, party, name), _pounds(held),
            _pounds(owed), _pounds(spent, held - owed),
        ))  # fmt: skip
    return rows


def _land(deal: ReadyDeal) -> float:
    land = getattr(deal.deal.programme, "land", None)
    return 0.0 if land is None else float(land.value)


def _own_cost(figures: Figures, deal: ReadyDeal, party: str, names: Sequence[str]) -> float | None:
    """The deal's own: that of the first it is held against, and the paired difference."""
    rows = [
        figures.row(measure, deal=deal.name, party=party, role=names[0])
        for measure in ("net_cost_pv", "net_cost_pv_less")
    ]
    values = [row.value for row in rows if row is not None and row.value is not None]
    return sum(values) if len(values) == len(rows) else None


def _less(page: Page, figures: Figures, deal: ReadyDeal, party: str, name: str) -> tuple[str, str]:
    row = figures.row("net_cost_pv_less", deal=deal.name, party=party, role=name)
    if row is None or row.value is None:
        return cell(row, THOUSANDS, page), NOTHING
    ends = [figures.row("net_cost_pv_less", at, deal=deal.name, party=party, role=name)
            for at in ("p5", "p95")]  # fmt: skip
    return (
        with_error(row.value, row.standard_error, THOUSANDS),
        f"{TIE}to{TIE}".join(cell(end, THOUSANDS, page) for end in ends),
    )


def _value(row: Row | None) -> float:
    return 0.0 if row is None or row.value is None else row.value


def _pounds(amount: float | None, less: float = 0.0) -> str:
    return NOTHING if amount is None else text(amount - less, None, THOUSANDS)
