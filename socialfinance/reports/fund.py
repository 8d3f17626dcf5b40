"""The fund: its notes, what lies between deals and note holders, its money over time, its pool, its tail."""

from __future__ import annotations

from socialfinance.core.parties import PUBLIC
from socialfinance.engine.ready_fund import ReadyFund
from socialfinance.funds.lower import annual_rate
from socialfinance.funds.notes import Granted, Note, OverPwlb, Performance, Residual
from socialfinance.funds.retail import cautions, yields
from socialfinance.measures.statistics import Row
from socialfinance.reports.figures import Figures, cell, chance
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, TIMES, YEARS, Scale, pounds, text
from socialfinance.reports.page import Page

RATE = Scale(100.0, "", "%", 2, 2)


def fund(page: Page, figures: Figures) -> None:
    """All tables of a fund with notes; nothing where there is none."""
    ready = figures.ready.fund
    if ready is None or not figures.whole:
        return
    page.heading("The fund")
    opening(page, figures, ready)
    notes(page, figures, ready)
    retail(page, figures, ready)
    between(page, figures, ready)
    over_time(page, figures, ready)
    pool(page, figures, ready)
    tail(page, figures, ready)


def of_fund(
    figures: Figures, ready: ReadyFund, measure: str, statistic: str = "mean", role: str = "fund",
    year: str = "", scope: str = "fund",
) -> Row | None:  # fmt: skip
    """A figure of the whole fund."""
    return figures.row(measure, statistic, scope=scope, party=ready.party, role=role, year=year)


def opening(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Who puts money in, and what the reader must know of how it is run."""
    terms = ready.fund
    committed = sum(note.commitment for note in terms.notes.values())
    held = (
        f"{len(ready.positions)} of the deals above"
        if len(ready.positions) < len(figures.deals)
        else "all deals above"
    )
    page.say(
        f"{figures.title(ready.party)} holds {held}. Notes of {pounds(committed)} are called as deals draw;",
        "what deals pay back runs down to the notes in order of rank. The tables above are of the deals as",
        "contracted, before the fund moves any money.",
    )
    public = sorted(
        party for shares in ready.holders for party, _ in shares
        if figures.ready.parties[party].kind in PUBLIC
    )  # fmt: skip
    if public:
        named = ", ".join(figures.title(party) for party in public)
        page.say(f"Held by a public body, which may be on both sides of a deal: {named}.")


def rate_said(note: Note) -> str:
    """A note's rate in words."""
    rate = note.rate
    if isinstance(rate, Granted):
        return "grant"
    if isinstance(rate, Residual):
        return "what is left" if rate.cap is None else f"what is left, to {text(rate.cap, None, RATE)}"
    base = text(annual_rate(note), None, RATE)
    if isinstance(rate, Performance):
        return f"{base} to {text(rate.annual + rate.extra, None, RATE)}"
    return f"{base} (PWLB + {rate.margin * 100:.2f}%)" if isinstance(rate, OverPwlb) else base


def notes(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """What each note is promised, what it can expect and what it can lose."""
    order = sorted(ready.fund.notes.items(), key=lambda item: item[1].rank)
    rows, wrong = [], []
    for name, note in order:

        def at(measure: str, statistic: str = "mean", name: str = name) -> Row | None:
            return figures.row(measure, statistic, scope="fund", party=name, role="note")

        granted = isinstance(note.rate, Granted)
        rows.append(
            (
                note.title or name,
                ", ".join(figures.title(p) for p, _ in ready.holders[ready.names.index(name)]),
                f"{note.rank}",
                text(note.commitment, None, THOUSANDS),
                rate_said(note),
                cell(at("drawn"), THOUSANDS, page),
                NOTHING if granted else cell(at("irr", "of_mean_flows"), PERCENT, page, error=True),
                NOTHING if granted else cell(at("multiple"), TIMES, page),
                NOTHING if granted else cell(at("life"), YEARS, page),
            )
        )
        if not granted:
            wrong.append(
                (
                    note.title or name,
                    chance(at("loss", "probability"), page),
                    cell(at("expected_loss_rate", "of_means"), PERCENT, page, error=True),
                    *(cell(at("loss_rate", q), PERCENT, page) for q in ("p95", "p99", "max")),
                    chance(at("missed_interest", "probability"), page),
                    chance(at("late", "probability"), page),
                )
            )
    page.table(
        "The notes, in the order in which they are paid (£000 unless said)",
        ("Note", "Holder", "Rank", "Committed", "Rate", "Drawn", "IRR of expected flows", "Multiple",
         "Life, years"),
        rows, names=2,
    )  # fmt: skip
    page.table(
        "What note holders can lose (of what they paid in)",
        ("Note", "Chance of any loss", "Expected loss", "Loss, P95", "Loss, P99", "Largest simulated",
         "Chance interest is missed", "Chance not repaid in time"),
        wrong,
    )  # fmt: skip
    page.say(
        "Expected loss: over what is expected to be drawn; a loss is less received than paid in. Life: from",
        "the mean date of money in to that of money out. Interest is missed where it may not be put off and",
        "was not paid; not repaid in time, where a note has a date. A grant is not meant to come back.",
    )


def retail(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Notes sold to the public: what they yield by tax band, and what restricts their sale."""
    on = figures.ready.calendar.start
    rows: list[tuple[str, ...]] = []
    said: list[str] = []
    for name, note in ready.fund.notes.items():
        if note.retail is None:
            continue
        said.append(f"{note.title or name} is sold in pieces of {pounds(note.retail.denomination)} or more.")
        said += cautions(f"{note.title or name}: this note", note, True)
        earned = annual_rate(note)
        if earned is not None:
            for band, row in yields(earned, on).items():
                mark = " [unverified]" if row.unverified else ""
                rows.append(
                    (note.title or name, f"{band}{mark}", text(row.rate, None, PERCENT),
                     text(row.kept, None, RATE), text(row.equivalent, None, RATE))
                )  # fmt: skip
    if rows:
        page.table(
            f"Retail notes, tax on interest from {on.day} {on:%B %Y}",
            ("Note", "Holder's band", "Rate of tax", "Kept outside an ISA",
             "Yield outside that equals it in an ISA"),
            rows, names=2,
        )  # fmt: skip
        page.say("Beyond the holder's savings allowance; before losses. A note's base rate.")
    page.say(*said)


def between(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Gross and net return, and what lies between them."""

    def at(measure: str, statistic: str = "mean", role: str = "fund") -> Row | None:
        return of_fund(figures, ready, measure, statistic, role)

    rows = [
        (words, cell(at("irr", "of_mean_flows", role), PERCENT, page, error=True),
         cell(at("drawn", role=role), THOUSANDS, page), cell(at("received", role=role), THOUSANDS, page),
         cell(at("gain", role=role), THOUSANDS, page, error=True),
         cell(at("gain", "p5", role), THOUSANDS, page), chance(at("loss", "probability", role), page))
        for words, role in (("Deals, before costs", "gross"), ("Notes that are to come back", "net"))
    ]  # fmt: skip
    page.table(
        "From deals to note holders (£000)",
        ("", "IRR of expected flows", "Drawn", "Received", "Expected gain", "Gain, P5", "Chance of loss"),
        rows,
    )  # fmt: skip
    said = [
        f"Running costs {pounds(_value(at('costs')))} in all; yield on idle cash",
        f"{pounds(_value(at('cash_yield')))};",
        f"left at the end for {figures.title(ready.fund.surplus_to)} {pounds(_value(at('surplus')))}."
        if ready.fund.surplus_to else "nothing is left at the end.",
    ]  # fmt: skip
    if ready.fund.carry is not None:
        said.append(f"Carried interest {pounds(_value(at('carry')))}.")
    said.append(f"Of commitments {text(_value(at('pic')), None, PERCENT)} is called.")
    for measure, words in (
        ("rationed", "Chance that deals are ever granted less than they ask"),
        ("locked_up", "Chance that a test ever locks lower notes up"),
    ):
        found = at(measure, "probability")
        said.append(f"{words}: {chance(found, page)}.")
    pme = at("ks_pme")
    if pme is not None and ready.fund.benchmark is not None:
        said.append(
            f"Held against {ready.fund.benchmark.title} (KS-PME: future value of distributions over that of "
            f"contributions): {cell(pme, TIMES, page, error=True)}."
        )
    page.say(*said)


def _value(row: Row | None) -> float | None:
    return row.value if row is not None else None


def over_time(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Calls, distributions, value and multiples by financial year: the J-curve."""
    rows = []
    for year in figures.ready.calendar.financial_years:

        def at(measure: str, statistic: str = "mean", year: str = year) -> Row | None:
            return of_fund(figures, ready, measure, statistic, year=year)

        rows.append(
            (year, *(cell(at(m), THOUSANDS, page) for m in (
                "calls", "into_deals", "from_deals", "distributions", "net_so_far", "value", "cash", "undrawn"
            )), *(cell(at(m, "of_mean_flows"), TIMES, page) for m in ("dpi", "rvpi", "tvpi")))
        )  # fmt: skip
    page.table(
        "Expected, by financial year, April to March (£000)",
        ("Year", "Called", "Into deals", "From deals", "To notes", "Net so far", "Value of deals",
         "Cash in fund",
         "Not called", "DPI", "RVPI", "TVPI"),
        rows,
    )  # fmt: skip
    page.say(
        "Called: from all notes, grants too. Net so far, DPI, RVPI and TVPI are of notes that are to come",
        "back: distributed, value and cash, and both, over paid in. Deals are valued at the lower of what",
        "they cost and have not returned, and what a plan that runs late expects, scaled by how they do.",
    )


def pool(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """The pooled guarantee: by guarantor, then by deal."""
    agreed = ready.fund.pool
    if agreed is None:
        return
    rows = []
    for party, share in ready.guarantors:

        def at(measure: str, statistic: str = "mean", party: str = party) -> Row | None:
            return figures.row(measure, statistic, scope="fund", party=party, role="guarantor")

        rows.append(
            (figures.title(party), text(agreed.cap * share, None, THOUSANDS),
             chance(at("called", "probability"), page), cell(at("calls"), THOUSANDS, page, error=True),
             *(cell(at("calls", s), THOUSANDS, page) for s in ("p95", "p99")),
             *(cell(at(m), THOUSANDS, page) for m in ("fees", "recoveries", "loss_after_fees")))
        )  # fmt: skip
    page.table(
        "Pooled guarantee, by guarantor (£000)",
        ("Guarantor", "Cap", "Chance of a call", "Expected calls", "Calls, P95", "Calls, P99", "Fees",
         "Recovered", "Loss after fees"),
        rows,
    )  # fmt: skip
    claims = []
    for position in ready.positions:
        if position.pooled or position.cover > 0.0:
            name = position.deal.name
            cover = "its own terms" if position.pooled else text(position.cover, None, PERCENT)
            claimed, met = (
                figures.row(m, scope="fund", deal=name, party=ready.party, role="position")
                for m in ("claimed", "met")
            )
            claims.append((name, cover, *(cell(x, THOUSANDS, page, error=True) for x in (claimed, met))))
    page.table("Claims on the pool, by deal (£000)", ("Deal", "Cover", "Claimed", "Met"), claims)
    short = of_fund(figures, ready, "pool_short", "probability")
    lost = of_fund(figures, ready, "claims_not_met")
    page.say(
        f"Chance that the pool is short: {chance(short, page)}; {pounds(_value(lost))} of claims is not met",
        "on average and stays the fund's loss. Claims of a quarter are met in the next, all alike.",
    )


def tail(page: Page, figures: Figures, ready: ReadyFund) -> None:
    """Each deal's part of what the fund loses in the worst futures."""

    def at(deal: str, scope: str = "fund") -> Row | None:
        return figures.row(
            "tail_loss", "mean_of_worst", scope=scope, deal=deal, party=ready.party, role="position"
        )

    total = _value(at(""))
    if total is None or total <= 0.0:
        page.say("In the worst one in twenty futures the fund's deals together lose nothing.")
        return
    rows = []
    for position in ready.positions:
        row, paid = at(position.deal.name), figures.row(
            "drawn", scope="fund", deal=position.deal.name, party=ready.party, role="position"
        )  # fmt: skip
        part = (_value(row) or 0.0) / total
        rows.append((position.deal.name, cell(paid, THOUSANDS, page), cell(row, THOUSANDS, page, error=True),
                     text(part, None, PERCENT)))  # fmt: skip
    page.table(
        "What each deal adds to the loss of the worst one in twenty futures (£000)",
        ("Deal", "Drawn", "Mean loss then", "Share"), rows,
        ("All deals", NOTHING, text(total, None, THOUSANDS), "100.0%"),
    )  # fmt: skip
    page.say("Below nil it gains when the fund as a whole does worst. The parts sum to the whole (Euler).")
