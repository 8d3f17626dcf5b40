"""The page of ``observe``: the original plan, the last forecast, this forecast, and what is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from socialfinance.core.currency import CURRENCIES
from socialfinance.evidence.observe import Forecast, Line, Observation
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PEOPLE, PERCENT, THOUSANDS, Scale, text, with_error
from socialfinance.reports.page import Page, stacked

SCALES = {
    "people": PEOPLE, "pounds": THOUSANDS, "fraction": PERCENT._replace(decimals=1, usual=0),
    "rate": PERCENT, "chance": PERCENT,
}  # fmt: skip
BAR = 60
"""Columns of the chart."""
MOST = 1.2
"""Paid over plan at its right end."""
INPUT = Scale(1.0, "", "", 3, 3)


def observe_page(found: Observation, title: str, deals: Sequence[str] = ()) -> str:
    """The whole page; ``deals`` are shown line by line beside those that are flagged."""
    page = Page(symbol=CURRENCIES[found.now.result.portfolio.currency].symbol)
    forecasts = [one for one in (found.original, found.last, found.now) if one is not None]
    figures = [Figures(one.result, one.ready) for one in forecasts]
    words = _words(found)
    page.heading(f"{title}: returns as of {found.as_of}")
    _said(page, found)
    flagged(page, found)
    by_deal(page, found, figures, words)
    chart(page, found, words)
    for name in dict.fromkeys([*(flag.deal for flag in found.flags), *deals]):
        one_deal(page, found, name, words)
    notes(page, figures, words)
    guarantors(page, figures, words)
    bodies(page, figures, words)
    learnt(page, found)
    how_good(page, found)
    return page.text


def _words(found: Observation) -> list[str]:
    last = found.last.returns if found.last is not None else None
    return ["first forecast", *([f"as of {last.as_of}"] if last else []), f"as of {found.as_of}"]


def _said(page: Page, found: Observation) -> None:
    returns = found.now.returns
    assert returns is not None
    told = sum(len(past.quarters) for past in returns.past.values())
    page.say(
        f"{returns.values:,} values returned for {told} quarters of {len(returns.past)} deals;",
        f"{returns.corrected} put right since.",
        "Quarters that are over are taken as returned, on every future; what they teach moves the rest.",
    )
    for name, days in returns.late.items():
        ends = ", ".join(str(day) for day in days)
        page.say(f"Late: {name} has not returned {ends}. It is forecast from its last return on.")
    for remark in found.now.remarks:
        page.say(f"{remark}.")


def flagged(page: Page, found: Observation) -> None:
    """Programmes to be looked at, and why."""
    page.heading("To be looked at")
    if not found.flags:
        page.say("Nothing.")
    for flag in found.flags:
        page.say(f"{flag.deal}: {'; '.join(flag.reasons)}.")


def by_deal(page: Page, found: Observation, figures: Sequence[Figures], words: list[str]) -> None:
    """One row a deal: paid over plan, investors' return, chances of loss and of an early end."""
    page.heading("Then and now, deal by deal")
    rows = []
    for deal in found.now.ready.deals:
        lines = []
        for name, one in zip(words, figures, strict=True):
            ended = [
                one.structure(deal.name, f"ended_{why}", "probability")
                for why in ("performance", "insolvency")
            ]
            lines.append((
                name, cell(one.structure(deal.name, "paid_over_plan"), SCALES["fraction"], page),
                _between(one.structure(deal.name, "paid_over_plan", at) for at in ("p5", "p95")),
                cell(one.total(deal.name, "paid"), THOUSANDS, page),
                cell(one.investor(deal.name, "irr", "of_mean_flows"), PERCENT, page),
                chance(one.investor(deal.name, "loss", "probability"), page),
                *(chance(row, page) for row in ended),
            ))  # fmt: skip
        rows.append(stacked(deal.name, lines))
    page.table(
        "Forecasts for life (£000 unless said; IRR is that of the expected flows)",
        ("Deal", "Forecast", "Paid over plan", "P5 to P95", "Paid by public bodies", "Investors' IRR",
         "Chance of loss", "Ended by a failed test", "Ended by insolvency"),
        rows,
    )  # fmt: skip


def _between(rows: Iterable[Row | None]) -> str:
    low, high = (NOTHING if row is None or row.value is None else f"{row.value:.0%}" for row in rows)
    return f"{low} to {high}"


def chart(page: Page, found: Observation, words: list[str]) -> None:
    """Paid over plan, as a line from P5 to P95 with its mean, forecast by forecast."""
    by_name = {line.deal: line for line in found.lines if line.what == "paid over plan"}
    rows = []
    for deal in found.now.ready.deals:
        line = by_name[deal.name]
        forecasts = [(found.original, line.original), (found.last, line.last), (found.now, line.now)]
        bars = [_bar(one, row) for one, row in forecasts if one is not None]
        rows.append((deal.name, "\n".join(words), "\n".join(bars)))
    at_plan = round(BAR / MOST)
    head = "0%" + " " * (at_plan - 6) + "100%"
    page.table("Paid over plan: P5 to P95, mean at o, plan at |", ("Deal", "Forecast", head), rows, names=3)


def _bar(one: Forecast, row: Row | None) -> str:
    if row is None or row.value is None:
        return NOTHING
    low, high = (
        one.figure("paid_over_plan", at, who="structure", deal=row.deal, scope="deal") for at in ("p5", "p95")
    )
    places = [_place(end.value if end and end.value is not None else row.value) for end in (low, high)]
    cells = ["."] * BAR
    cells[places[0] : places[1] + 1] = "=" * (places[1] + 1 - places[0])
    cells[_place(1.0)] = "|"
    cells[_place(row.value)] = "o"
    return "".join(cells)


def _place(value: float) -> int:
    return min(max(round(value / MOST * BAR), 0), BAR - 1)


def one_deal(page: Page, found: Observation, name: str, words: list[str]) -> None:
    """Every line of a deal: plan, forecasts, and what was returned beside what was planned by now."""
    page.heading(name)
    mine = [line for line in found.lines if line.deal == name]
    rows = [_line_of(line, found, page) for line in mine]
    page.table(
        "Planned, forecast for life, and so far (people, £000, or as said)",
        ("", "Planned", *(word.capitalize() for word in words), "P5 to P95 now", "Planned so far",
         "Returned so far"),
        rows,
    )  # fmt: skip


def _line_of(line: Line, found: Observation, page: Page) -> tuple[str, ...]:
    scale = SCALES[line.unit]
    forecasts = [line.original, *([line.last] if found.last is not None else []), line.now]
    ends = []
    if line.now is not None and line.now.statistic == "mean":
        ends = [
            found.now.figure(
                line.now.measure, at, who=line.now.party or line.now.role, deal=line.deal, scope="deal"
            )
            for at in ("p5", "p95")
        ]
    between = f"{cell(ends[0], scale, page)} to {cell(ends[1], scale, page)}" if ends else NOTHING
    shown = chance if line.unit == "chance" else None
    return (
        line.what, text(line.planned, None, scale),
        *(shown(row, page) if shown else cell(row, scale, page) for row in forecasts),
        between, text(line.planned_to_date, None, scale), text(line.to_date, None, scale),
    )  # fmt: skip


def notes(page: Page, figures: Sequence[Figures], words: list[str]) -> None:
    """The fund's notes."""
    fund = figures[-1].ready.fund
    if fund is None:
        return
    page.heading("The fund's notes")
    rows = []
    for name, note in fund.fund.notes.items():
        lines = []
        for word, one in zip(words, figures, strict=True):

            def at(measure: str, statistic: str, one: Figures = one, name: str = name) -> Row | None:
                return one.row(measure, statistic, scope="fund", party=name, role="note")

            lines.append((
                word, cell(at("irr", "of_mean_flows"), PERCENT, page),
                chance(at("loss", "probability"), page),
                cell(at("expected_loss_rate", "of_means"), PERCENT, page),
                cell(at("drawn", "mean"), THOUSANDS, page),
            ))  # fmt: skip
        rows.append(stacked(note.title or name, lines))
    page.table(
        "Notes (£000 unless said)",
        ("Note", "Forecast", "IRR of expected flows", "Chance of loss", "Expected loss", "Drawn"), rows,
    )  # fmt: skip
    page.say("What notes have paid and received so far is by the fund's rules on what deals returned.")


def guarantors(page: Page, figures: Sequence[Figures], words: list[str]) -> None:
    """What guarantors may be called for: the contingent liability, then and now."""
    now = figures[-1]
    places = dict.fromkeys(
        (row.scope, row.deal, row.party)
        for row in now.result.measures_rows
        if row.role == "guarantor" and row.measure == "calls" and row.scope in ("deal", "fund")
    )
    if not places:
        return
    page.heading("Contingent liabilities")
    rows = []
    for place in places:
        _, deal, party = place
        lines = []
        for word, one in zip(words, figures, strict=True):

            def at(
                measure: str, statistic: str, one: Figures = one, place: tuple[str, str, str] = place
            ) -> Row | None:
                return one.row(
                    measure, statistic, scope=place[0], deal=place[1], party=place[2], role="guarantor"
                )

            lines.append((
                word, chance(at("called", "probability"), page),
                cell(at("calls", "mean"), THOUSANDS, page, True),
                *(cell(at("calls", point), THOUSANDS, page) for point in ("p95", "p99", "es99")),
            ))  # fmt: skip
        rows.append(stacked(f"{now.title(party)}{f' ({deal})' if deal else ''}", lines))
    page.table(
        "Guarantee calls for life (£000)",
        ("Guarantor", "Forecast", "Chance of a call", "Expected", "P95", "P99", "Mean of the worst 1%"), rows,
    )  # fmt: skip


def bodies(page: Page, figures: Sequence[Figures], words: list[str]) -> None:
    """Budget by year and body: this forecast, and how far it is from the first."""
    first, now = figures[0], figures[-1]
    page.heading("Budgets of public bodies")
    years = [
        year for year in now.ready.calendar.financial_years
        if any(_paid(now, body, year) or _paid(first, body, year) for body in now.bodies())
    ]  # fmt: skip
    rows, whole = [], []
    for body in now.bodies():
        if not _paid(now, body, "") and not _paid(first, body, ""):
            continue
        values = [(_paid(now, body, year), _paid(first, body, year)) for year in (*years, "")]
        lines = [
            ("now", *(text(one, None, THOUSANDS) for one, _ in values)),
            ("moved", *(_moved(one - other) for one, other in values)),
        ]
        rows.append(stacked(now.title(body), lines))
        whole.append((body, lines))
    page.table(
        "Expected payments as contracted, now and moved since the first forecast (£000)",
        ("Body", "", *years, "Life"), rows,
    )  # fmt: skip
    rows = []
    for body, _ in whole:
        lines = [
            (word, cell(one.public(body, "paid"), THOUSANDS, page, True),
             *(cell(one.public(body, "paid", at), THOUSANDS, page) for at in ("p5", "p95", "p99")),
             cell(one.public(body, "saving"), THOUSANDS, page))
            for word, one in zip(words, figures, strict=True)
        ]  # fmt: skip
        rows.append(stacked(now.title(body), lines))
    page.table(
        "Payments for life (£000)",
        ("Body", "Forecast", "Expected", "P5", "P95", "P99", "Cashable saving"), rows,
    )  # fmt: skip


def _paid(figures: Figures, body: str, year: str) -> float:
    row = figures.public(body, "paid", "mean", year)
    return row.value if row is not None and row.value is not None else 0.0


def _moved(pounds: float) -> str:
    written = text(pounds, None, THOUSANDS)
    return f"+{written}" if pounds > 0 and written != "0" else written


def learnt(page: Page, found: Observation) -> None:
    """What returns say of every input that moved."""
    page.heading("What the returns teach")
    rows = [
        (one.deal or "common", one.name, f"{one.prior_mean:.3f}", f"{one.prior_sd:.3f}", f"{one.mean:.3f}",
         f"{one.sd:.3f}", one.how)
        for one in found.learnt
    ]  # fmt: skip
    if not rows:
        page.say("Nothing that moved an input by a tenth of its spread.")
        return
    page.table(
        "Inputs that moved by a tenth of their spread or more",
        ("Deal", "Input", "Mean before", "sd", "Mean now", "sd", "How"), rows, names=2,
    )  # fmt: skip
    page.say(
        "Factors are scores: 0 and 1 before anything was returned. How: beta chances that nothing else",
        "multiplies are updated in closed form, the rest by particles.",
    )


def how_good(page: Page, found: Observation) -> None:
    """What the figures rest on."""
    quality = found.quality
    least = min(quality.taken.values(), default=1.0)
    page.heading("How good the figures are")
    page.say(
        f"{found.sets * found.size:,} particles in {found.sets} sets;",
        f"returns came in by {quality.steps} powers, of which the hardest left",
        f"{with_error(quality.effective, None, PERCENT)} of the particles counting;",
        f"of the moves at least {least:.0%} were taken in every block.",
        f"A quarter's cost is taken to lie {found.noise[0]:g} about what it tells of, its savings",
        f"{found.noise[1]:g} (sd of logs: --cost-noise, --saving-noise).",
        "Standard errors are from the spread between sets. They are noise of simulation: not doubt about the",
        "priors, about the form of the model, or about returns that are wrong.",
    )
