"""Payment for success, held against the same fund without it on the same futures."""

from __future__ import annotations

from socialfinance.engine.fund_figures import WITHOUT_POLICY
from socialfinance.engine.ready_fund import ReadyFund
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.fund import of_fund
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, Scale, pounds, text, with_error
from socialfinance.reports.page import Page

RATIO = Scale(1.0, "", "", 3, 3)


def policy(page: Page, figures: Figures) -> None:
    """What the policy gains, whom it cuts and by what mistake, and who gains and loses."""
    ready = figures.ready.fund
    if ready is None or ready.policy is None or not figures.whole:
        return
    agreed = ready.fund.policy
    assert agreed is not None
    page.heading("Payment for success")
    page.say(
        f"Each {_quarters(agreed.every)} from quarter {agreed.first_review} the worst",
        f"{agreed.cut:.0%} of programmes by measured value per pound are reviewed and cut unless something",
        f"mitigates, and what is freed goes to the best {agreed.reinvest:.0%}. Both columns of each pair are",
        "the same fund on the same futures.",
    )
    by_year(page, figures, ready)
    by_deal(page, figures, ready)
    who_gains(page, figures, ready)


def _quarters(every: int) -> str:
    return "year" if every == 4 else "quarter" if every == 1 else f"{every} quarters"


def _of(figures: Figures, ready: ReadyFund, measure: str, year: str = "", scope: str = "fund",
        statistic: str = "mean") -> Row | None:  # fmt: skip
    return of_fund(figures, ready, measure, statistic, "policy", year, scope)


def _per_pound(figures: Figures, ready: ReadyFund, year: str, scope: str) -> str:
    value, cost = (_of(figures, ready, m, year, scope) for m in ("value", "cost"))
    if value is None or cost is None or not cost.value or value.value is None:
        return NOTHING
    return text(value.value / cost.value, None, RATIO)


def by_year(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Value, cost and value per pound by financial year, with and without."""
    rows = []
    for year in (*figures.ready.calendar.financial_years, ""):
        both = [_of(figures, ready, m, year, s) for m in ("value", "cost") for s in (WITHOUT_POLICY, "fund")]
        if not any(row is not None and row.value for row in both):
            continue
        gains = [
            _of(figures, ready, m, year, statistic="of_means") for m in ("value_gain", "value_per_pound_gain")
        ]
        rows.append(
            (year or "Life", *(cell(row, THOUSANDS, page) for row in both),
             _per_pound(figures, ready, year, WITHOUT_POLICY), _per_pound(figures, ready, year, "fund"),
             *(_gain(row) for row in gains))
        )  # fmt: skip
    page.table(
        "Outcomes and what they cost, expected (£000 unless said)",
        ("Year", "Value without", "with", "Cost without", "with", "Value per pound without", "with",
         "Gain in value", "Gain per pound"),
        rows,
    )  # fmt: skip
    page.say(
        "Value: outcomes that would not have happened anyway, at the prices of their rate cards; it ranks",
        "programmes and is not what they save. Outcomes come after costs, so years cannot be read alone.",
    )
    _against_the_claim(page, figures, ready)


def _gain(row: Row | None) -> str:
    if row is None or row.value is None:
        return NOTHING
    return with_error(row.value, row.standard_error, PERCENT)


def _against_the_claim(page: Page, figures: Figures, ready: ReadyFund) -> None:
    life = _of(figures, ready, "value_per_pound_gain", statistic="of_means")
    cuts = _of(figures, ready, "cuts")
    wrong = _of(figures, ready, "share_of_cuts_mistaken", statistic="of_means")
    said = ""
    if cuts is not None and cuts.value is not None:
        said = f"{with_error(cuts.value, cuts.standard_error, Scale(1.0, '', '', 2, 2))} programmes are cut"
        if wrong is not None and wrong.value is not None:
            said += f" on average, {_gain(wrong)} of them by mistake: they would have been above the median"
        said += "."
    page.say(
        f"Over the life the policy gains {_gain(life)} in value per pound, against the 10% in five years",
        "that IPPR's Mass collaboration (2014) hopes for.", said,
    )  # fmt: skip
    left = _of(figures, ready, "not_reinvested")
    if left is not None and left.value:
        page.say(
            f"Of what the plan would have spent on the starts cut, {pounds(left.value)} finds no "
            "programme with room and consent to grow."
        )


def by_deal(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """How often each programme is cut and grown, and what becomes of it."""
    assert ready.policy is not None
    rows = []
    for position, judged in zip(ready.positions, ready.policy.judged, strict=True):
        if not judged:
            continue
        name = position.deal.name

        def at(measure: str, scope: str = "fund", statistic: str = "mean", name: str = name) -> Row | None:
            return figures.row(measure, statistic, scope=scope, deal=name, party=ready.party, role="policy")

        rows.append(
            (name, chance(at("cut", statistic="probability"), page),
             chance(at("grown", statistic="probability"), page),
             *(cell(at(m, s), THOUSANDS, page) for m in ("value", "cost") for s in (WITHOUT_POLICY, "fund")))
        )  # fmt: skip
    page.table(
        "Programme by programme (£000)",
        ("Programme", "Chance it is cut", "Chance it grows", "Value without", "with", "Cost without", "with"),
        rows,
    )  # fmt: skip
    left = [p.deal.name for p, judged in zip(ready.positions, ready.policy.judged, strict=True) if not judged]
    if left:
        page.say(f"Not judged, as no price is paid for each outcome: {', '.join(left)}.")


def who_gains(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Notes, the fund and the pool with the policy and without."""
    rows = []
    places = [(note.title or name, name, "note") for name, note in ready.fund.notes.items()]
    places += [("All notes that are to come back", ready.party, "net"), ("The deals", ready.party, "gross")]
    for words, party, role in places:
        if figures.row("irr", "of_mean_flows", scope="fund", party=party, role=role) is None:
            continue
        rows.append(
            (words, *(
                cell(figures.row(m, s, scope=scope, party=party, role=role), scale, page)
                for m, s, scale in (("drawn", "mean", THOUSANDS), ("gain", "mean", THOUSANDS),
                                    ("irr", "of_mean_flows", PERCENT), ("loss", "probability", PERCENT))
                for scope in (WITHOUT_POLICY, "fund")
            ))
        )  # fmt: skip
    page.table(
        "Who gains and who loses: investors (£000)",
        ("", "Drawn without", "with", "Expected gain without", "with", "IRR without", "with",
         "Chance of loss without", "with"),
        rows,
    )  # fmt: skip
    bodies = sorted(
        {row.party for row in figures.result.measures_rows if (row.scope, row.role) == ("fund", "payer")}
    )
    public = [
        (figures.title(body), *(
            cell(figures.row(m, scope=scope, party=body, role="payer"), THOUSANDS, page)
            for m in ("paid", "saving") for scope in (WITHOUT_POLICY, "fund")
        ))
        for body in bodies
    ]  # fmt: skip
    page.table(
        "Who gains and who loses: those who pay for outcomes, in the fund's deals (£000)",
        ("Council or other public body", "Paid without", "with", "Cashable saving without", "with"), public,
    )  # fmt: skip
    page.say(
        "Only the fund's money moves: no body pays for another. One whose programme grows pays more under",
        "the cap that it agreed to raise, and has more outcomes; one whose programme is cut pays and has",
        "less.",
    )
