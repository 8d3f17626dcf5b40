"""A council that builds for itself again, from the page of the development, one path at a time.

Plain floats and loops; the development is that of ``asset_backed_by_hand.py``, and every advance is a loan of
its own as in ``in_house_by_hand.py``. Nothing of the package is used but its terms, its table of PWLB rates
and its random numbers.
"""

from __future__ import annotations

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.council_build import CouncilBuild
from socialfinance.markets import pwlb
from socialfinance.programmes.development import Development
from tests.models.asset_backed_by_hand import Books, Draws, Happened, Site
from tests.models.in_house_by_hand import SHORTEST, Loan


def capital_spending(what: Development, done: Happened) -> float:
    """Works and one-off cost that the council bears."""
    return sum(
        amount
        for name, amount in done.costs.items()
        if what.costs[name].basis != "vehicle"
        and (what.costs[name].works is not None or what.costs[name].one_off is not None)
    )


def term(what: Development, terms: CouncilBuild, plan: Draws) -> int:
    """Years of each advance: given, or the longest that ends within the file after the last planned works."""
    if terms.term_years is not None:
        return terms.term_years
    site = Site(what, plan)
    spent = [t for t in range(plan.rows) if capital_spending(what, site.row(t, 1.0, 1.0, 1.0)) > 0.0]
    left = (plan.rows - 1 - (spent[-1] if spent else 0)) // 4
    return min(max(left, SHORTEST[terms.method]), 50)


def council_build(what: Development, terms: CouncilBuild, plan: Draws, draws: Draws) -> Books:
    """The council's own scheme on one path."""
    books, site = Books(), Site(what, draws)
    years = term(what, terms, plan)
    borrows = terms.funded_from == "pwlb loans"
    rate = pwlb.rate(years, terms.method, terms.product) if terms.rate is None and borrows else terms.rate
    loans: list[Loan] = []
    done = None
    for t in range(draws.rows):
        done = site.row(t, 1.0, 1.0, 1.0)
        books.pay(t, "outside", "commissioner", "sale receipt", done.receipts)
        books.pay(t, "outside", "commissioner", "rent", done.rents)
        if what.grant:
            books.pay(t, what.grant.by, "commissioner", "grant", done.grant)
        for name, line in what.costs.items():
            if line.basis != "vehicle":
                books.pay(t, "commissioner", line.paid_to, "service payment", done.costs[name])
                books.pay(t, line.paid_to, "outside", line.reason, done.costs[name])
        for loan in loans:
            principal, interest = loan.due.get(t, (0.0, 0.0))
            books.pay(t, "commissioner", "pwlb", "principal", principal)
            books.pay(t, "commissioner", "pwlb", "interest", interest)
        advance = max(0.0, capital_spending(what, done) - done.grant)
        if borrows and advance > HALF_A_PENNY:
            assert rate is not None
            loans.append(Loan.of(t, advance, rate, years, terms.method))
            fee = max(terms.fee.rate * advance, terms.fee.least)
            books.pay(t, "pwlb", "commissioner", "drawdown", advance)
            books.pay(t, "commissioner", "pwlb", "arrangement fee", fee)
        books.save(t, what, done)
    assert done is not None
    owed = sum(p for loan in loans for when, (p, _) in loan.due.items() if when >= draws.rows)
    books.figures = {
        "loan_owed_at_end": owed,
        "property_at_end": done.value,
        "council_property_at_end": done.value,
    }
    return books
