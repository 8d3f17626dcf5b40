"""``socialfinance pwlb``: loans of the Public Works Loan Board, and what they cost."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.given import (
    check_outputs,
    given_day,
    given_number,
    given_per_cent,
    given_pounds,
    output_options,
    rows_of,
    write_rows,
)
from socialfinance.cli.shared import OK, sentence, show
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.markets.pwlb import RateTable

METHODS = ("maturity", "eip", "annuity")


def pwlb_options(commands: Any) -> None:
    """``pwlb`` and its own commands."""
    text = "loans of the Public Works Loan Board: rates, schedules, early repayment, refinancing"
    loans = commands.add_parser("pwlb", help=text, description=sentence(text))
    kinds = loans.add_subparsers(title="what", metavar="WHAT", required=True)
    _schedule_options(kinds)
    _variable_options(kinds)
    _rate_options(kinds)
    _premature_options(kinds)
    _refinance_options(kinds)


def _schedule_options(kinds: Any) -> None:
    one = _added(kinds, "schedule", schedule_command, "every instalment of a loan")
    one.add_argument("--principal", required=True, metavar="POUNDS")
    one.add_argument("--rate", metavar="PERCENT", help="default: the published rate")
    _years_option(one)
    one.add_argument("--method", required=True, choices=METHODS)
    one.add_argument("--first-days", type=int, metavar="N",
                     help="days to the first instalment, where that is not half a year")  # fmt: skip
    _product_option(one)
    _table_options(one)
    output_options(one)


def _variable_options(kinds: Any) -> None:
    one = _added(kinds, "variable", variable_command, "every instalment of a variable-rate loan")
    one.add_argument("--principal", required=True, metavar="POUNDS")
    one.add_argument("--rates", required=True, nargs="+", metavar="PERCENT",
                     help="one for all, or one for each period between resets")  # fmt: skip
    _years_option(one)
    one.add_argument("--method", required=True, choices=METHODS)
    one.add_argument("--reset-months", type=int, required=True, metavar="N", help="1, 3 or 6")
    one.add_argument("--principal-months", type=int, default=6, metavar="N",
                     help="months between instalments of principal, eip (default 6)")  # fmt: skip
    one.add_argument("--on", metavar="DATE", help="day of the advance: interest by its calendar")
    output_options(one)


def _rate_options(kinds: Any) -> None:
    one = _added(kinds, "rate", rate_command, "the published rate for a term")
    _years_option(one)
    one.add_argument("--method", required=True, choices=METHODS)
    _product_option(one)
    _table_options(one)
    output_options(one)


def _premature_options(kinds: Any) -> None:
    one = _added(kinds, "premature", premature_command, "the premium or discount on early repayment")
    one.add_argument("--method", required=True, choices=METHODS)
    one.add_argument("--outstanding", required=True, metavar="POUNDS", help="principal not yet repaid")
    one.add_argument("--loan-rate", required=True, metavar="PERCENT", help="the loan's rate")
    one.add_argument("--repayment-rate", metavar="PERCENT",
                     help="default: as published for this method and term")  # fmt: skip
    one.add_argument("--half-years", type=int, required=True, metavar="N", help="half-years left")
    one.add_argument("--days", type=int, default=0, metavar="N", help="since the last interest")
    _table_options(one)
    output_options(one)


def _refinance_options(kinds: Any) -> None:
    said = "borrow for some years, then again at a rate not known today, beside one long loan"
    one = _added(kinds, "refinance", refinance_command, said)
    one.add_argument("--principal", required=True, metavar="POUNDS")
    one.add_argument("--years", type=int, required=True, metavar="N", help="term of the first loan")
    one.add_argument("--method", required=True, choices=METHODS)
    one.add_argument("--again-years", type=float, required=True, metavar="N", help="term of the second")
    one.add_argument("--again-method", required=True, choices=METHODS)
    one.add_argument("--amortise-over", type=float, metavar="N",
                     help="years over which the first would repay (eip, annuity)")  # fmt: skip
    for name, said in (
        ("--rate", "the first loan's (default: as published)"),
        ("--long-rate", "one loan's over both terms (default: as published)"),
        ("--start", "today's for the second loan's term and method (default: as published)"),
    ):
        one.add_argument(name, metavar="PERCENT", help=said)
    for name, kind, said in (
        ("--mean", "PERCENT", "where that rate returns to: your assumption"),
        ("--reversion", "N", "how fast, a year (0.2: a fifth of the gap a year, about): your assumption"),
        ("--volatility", "PERCENT", "how much it moves in a year, in points: your assumption"),
    ):
        one.add_argument(name, required=True, metavar=kind, help=said)
    one.add_argument("--discount", metavar="PERCENT",
                     help="annual effective, for present values (default: the long loan's cost)")  # fmt: skip
    one.add_argument("--paths", type=int, default=10_000, metavar="N", help="simulated (default 10000)")
    one.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same figures (default 1)")
    _product_option(one)
    _table_options(one)
    output_options(one)


def _added(
    kinds: Any, name: str, command: Callable[[argparse.Namespace], int], said: str
) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = kinds.add_parser(name, help=said, description=sentence(said))
    one.set_defaults(command=command)
    return one


def _years_option(one: argparse.ArgumentParser) -> None:
    one.add_argument("--years", type=float, required=True, metavar="N", help="term, by half-years")


def _product_option(one: argparse.ArgumentParser) -> None:
    one.add_argument("--product", metavar="NAME",
                     help="standard, certainty (default), hra, local-infrastructure")  # fmt: skip


def _table_options(one: argparse.ArgumentParser) -> None:
    one.add_argument("--on", metavar="DATE", help="rates published on or before this day")
    one.add_argument("--table", type=Path, metavar="CSV", help="a rate table of your own")


def schedule_command(options: argparse.Namespace) -> int:
    """Every instalment."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import schedule_page

    check_outputs(options, options.table)
    _nothing_looked_up(options, "rate")
    looked_up = options.rate is None
    rate = _published(options, options.years, options.method) if looked_up else _per_cent(options, "rate")
    principal = given_pounds("--principal", options.principal)
    frame = pwlb.schedule(principal, rate, options.years, options.method, first_days=options.first_days)
    basis = f"{_table(options).source}." if looked_up else ""
    write_rows(options, rows_of(frame), rate=rate, principal=str(principal))
    show(schedule_page(frame, principal, rate, options.method, basis, options.first_days))
    return OK


def variable_command(options: argparse.Namespace) -> int:
    """Every instalment of a variable-rate loan."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import variable_page

    check_outputs(options)
    principal = given_pounds("--principal", options.principal)
    rates = [given_per_cent("--rates", written) for written in options.rates]
    day = given_day("--on", options.on)
    frame = pwlb.variable_schedule(
        principal, rates if len(rates) > 1 else rates[0], options.years, options.method, options.reset_months,
        on=day, principal_months=options.principal_months,
    )  # fmt: skip
    write_rows(options, rows_of(frame), principal=str(principal), on=options.on)
    show(variable_page(frame, principal, options.method, day))
    return OK


def rate_command(options: argparse.Namespace) -> int:
    """One published rate."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import rate_page

    check_outputs(options, options.table)
    rate, table = _published(options, options.years, options.method), _table(options)
    what = options.product or "certainty"
    row = {"years": options.years, "method": options.method, "product": what, "rate": rate,
           "effective": pwlb.effective_rate(rate), "published": table.published.isoformat(),
           "source": table.source}  # fmt: skip
    write_rows(options, [row])
    show(rate_page(rate, options.years, options.method, what, table))
    return OK


def premature_command(options: argparse.Namespace) -> int:
    """What it costs to repay early."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import premature_page

    check_outputs(options, options.table)
    outstanding = given_pounds("--outstanding", options.outstanding)
    if options.repayment_rate is not None:
        now, basis = _per_cent(options, "repayment_rate"), "as given"
    else:
        now = pwlb.rate(options.half_years / 2, options.method, kind="premature", **_where(options))
        basis = f"published {_table(options).published}: {_table(options).source}"
    loan = _per_cent(options, "loan_rate")
    found = pwlb.premature_repayment(options.method, outstanding, loan, now, options.half_years, options.days)
    row = {"outstanding": float(outstanding), "repayment_rate": now, **{k: float(v) for k, v in
           found._asdict().items()}}  # fmt: skip
    write_rows(options, [row])
    show(premature_page(found, outstanding, loan, now, basis))
    return OK


def refinance_command(options: argparse.Namespace) -> int:
    """Two loans one after the other, beside one for the whole term."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import RefinancingTerms, refinance_page, refinance_rows

    check_outputs(options, options.table)
    _nothing_looked_up(options, "rate", "start", "long_rate")
    principal = given_pounds("--principal", options.principal)
    whole_term = options.years + options.again_years
    rate = _given_or_published(options, "rate", options.years, options.method)
    long_rate = _given_or_published(options, "long_rate", whole_term, options.method)
    start = _given_or_published(options, "start", options.again_years, options.again_method)
    process = pwlb.RateProcess(
        start, _per_cent(options, "mean"), float(given_number("--reversion", options.reversion, "0 to 100")),
        _per_cent(options, "volatility"),
    )  # fmt: skip
    new = pwlb.rate_paths(process, options.years, options.paths, options.seed)[-1]
    discount = None if options.discount is None else _per_cent(options, "discount")
    found = pwlb.refinance(
        principal, rate, options.years, options.method, options.again_years, options.again_method, new,
        long_rate=long_rate, amortise_over=options.amortise_over, discount_rate=discount,
    )  # fmt: skip
    terms = RefinancingTerms(
        principal, rate, options.years, options.method, options.again_years, options.again_method, long_rate,
        process, options.seed, _basis(options, "rate", "start", "long_rate"),
    )  # fmt: skip
    rows = refinance_rows(found)
    assumed = {"rate": rate, "long_rate": long_rate, "start": start, "mean": process.mean,
               "reversion": process.reversion, "volatility": process.volatility, "floor": process.floor,
               "paths": options.paths, "seed": options.seed}  # fmt: skip
    write_rows(options, rows, **assumed)
    show(refinance_page(found, rows, terms))
    return OK


def _nothing_looked_up(options: argparse.Namespace, *rates: str) -> None:
    """Refuse a product, a day or a table where every rate is given."""
    if all(getattr(options, name) is not None for name in rates) and (
        options.product or options.on or options.table
    ):
        raise InputError("is given, so nothing is looked up", field=_flag(rates[0]), given=options.rate,
                         allowed="without --product, --on and --table")  # fmt: skip


def _basis(options: argparse.Namespace, *rates: str) -> str:
    """Which notice rates were looked up in; nothing where all are given."""
    if all(getattr(options, name) is not None for name in rates):
        return ""
    return f"Rates not given: {options.product or 'certainty'}, {_table(options).source}."


def _given_or_published(options: argparse.Namespace, name: str, years: float, method: str) -> float:
    given = getattr(options, name) is not None
    return _per_cent(options, name) if given else _published(options, years, method)


def _per_cent(options: argparse.Namespace, name: str) -> float:
    return given_per_cent(_flag(name), getattr(options, name))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _published(options: argparse.Namespace, years: float, method: str) -> float:
    from socialfinance.markets import pwlb

    return pwlb.rate(years, method, options.product, **_where(options))


def _where(options: argparse.Namespace) -> dict[str, Any]:
    """The day and the table in which a rate is looked up."""
    from socialfinance.markets import pwlb

    given = pwlb.read_table(options.table) if options.table else None
    return {"on": given_day("--on", options.on), "given": given}


def _table(options: argparse.Namespace) -> RateTable:
    from socialfinance.markets import pwlb

    return pwlb.read_table(options.table) if options.table else pwlb.table(given_day("--on", options.on))
