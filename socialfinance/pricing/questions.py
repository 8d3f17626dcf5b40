"""Questions that are often asked, each a few lines over ``solve`` or over one run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Deal, Portfolio
from socialfinance.measures.sample import mean_error, quantile
from socialfinance.pricing.read import Futures
from socialfinance.pricing.solve import HasPortfolio, Solution, portfolio_of, solve
from socialfinance.pricing.vary import Range
from socialfinance.scenarios.distributions import DriverRef


class Quantity(NamedTuple):
    """An amount read off one run, in pounds, with its standard error."""

    value: float
    standard_error: float | None
    what: str


class Charge(NamedTuple):
    """What a guarantee should earn over its life, pounds: expected + cost of risk x (worst - expected)."""

    fee: float
    standard_error: float
    expected_loss: float
    worst_case: float
    cost_of_risk: float


Fund = Portfolio | HasPortfolio


def fair_price(
    fund: Fund, deal: str = "", rate: float | None = None, within: Range = (0.1, 4.0), paths: int = 10_000,
    seed: int = 1,
) -> Solution:  # fmt: skip
    """The multiple of all outcome prices at which the investors of a deal come out even.

    Without a rate the mean of their NPV, at the file's discount rate, is nil; with one, the IRR of their
    expected flows equals it, a fraction a year, annual effective. Caps stay as they are.
    """
    name, terms = _deal(fund, deal)
    if terms.tariff is None or not (terms.tariff.prices or terms.tariff.effect):
        raise InputError("has no outcome prices of its own", field=f"deals.{name}.tariff", given=name)
    prices, around = f"deals.{name}.tariff.prices", within
    if terms.tariff.effect is not None:
        prices, per_event = f"deals.{name}.tariff.effect.per_event", terms.tariff.effect.per_event
        if per_event is None:
            raise InputError(
                "is paid in steps, which have no single price", field=f"deals.{name}.tariff.effect"
            )
        around = (within[0] * per_event, within[1] * per_event)
    target = f"{name}:investor.npv.mean == 0" if rate is None else f"{name}:investor.irr.expected == {rate}"
    return solve(fund, {prices: around}, target, paths, seed)


def guarantee_size(
    fund: Fund, cover: str, target: str, within: Range | None = None, paths: int = 10_000, seed: int = 1
) -> Solution:
    """The cover (a share, an amount or a cap, by path) with which a target just holds.

    ``guarantee_size(fund, "fund.pool.cap", "senior.loss.probability <= 0.01", (0.0, 5e6))``.
    """
    return solve(fund, {cover: within}, target, paths, seed)


def guarantee_fee(
    fund: Fund, guarantor: str, deal: str = "", cost_of_risk: float = 0.06, worst: float = 0.95,
    paths: int = 10_000, seed: int = 1,
) -> Charge:  # fmt: skip
    """What a guarantor should be paid over the life: its expected loss, and what risk costs on top.

    fee = EL + cost_of_risk x (worst case - EL), EL the mean of calls less recoveries, undiscounted, and the
    worst case their quantile ``worst``. A deal's guarantor needs the deal; that of a fund's pool does not.
    The errors of EL and quantile are added up as if they went the same way.
    """
    futures = Futures(portfolio_of(fund), paths, seed)
    before = f"{deal}:" if deal else ""
    calls, back = (
        futures.values(futures.portfolio, futures.find(f"{before}{guarantor}.{name}.mean"))
        for name in ("calls", "recoveries")
    )
    loss = np.sort(calls - back)
    expected, noise = float(loss.mean()), mean_error(loss)
    worst_case, spread = quantile(loss, worst)
    assert worst_case is not None
    fee = expected + cost_of_risk * (worst_case - expected)
    error = (1.0 - cost_of_risk) * noise + cost_of_risk * (spread or 0.0)
    return Charge(fee, error, expected, worst_case, cost_of_risk)


def break_even_success(
    fund: Fund,
    deal: str = "",
    line: str = "",
    within: Range | None = None,
    paths: int = 10_000,
    seed: int = 1,
) -> Solution:
    """The probability of an outcome line (of a distribution its mean) at which investors' mean gain is nil.

    The first line, unless one is named; lines that follow on it follow it.
    """
    name, terms = _deal(fund, deal)
    outcomes = getattr(terms.programme, "outcomes", None)
    if not outcomes:
        raise InputError("has no outcomes whose success could be varied", field=f"deals.{name}.programme")
    line = line or next(iter(outcomes))
    if line not in outcomes:
        raise InputError(
            "is not an outcome of the programme", field=f"deals.{name}.programme.outcomes", given=line,
            allowed=", ".join(outcomes),
        )  # fmt: skip
    path, success = f"deals.{name}.programme.outcomes.{line}.probability", outcomes[line].probability
    if isinstance(success, DriverRef):
        path, success = (
            f"deals.{name}.programme.drivers.{success.driver}",
            terms.programme.drivers[success.driver],
        )
    path = path if isinstance(success, float | int) else f"{path}.mean"
    return solve(fund, {path: within}, f"{name}:investor.gain.mean == 0", paths, seed)


def capital_needed(
    fund: Fund, deal: str = "", statistic: str = "p95", paths: int = 10_000, seed: int = 1
) -> Quantity:
    """The most that investors are out of pocket at any time, in all but one future in twenty."""
    futures = Futures(portfolio_of(fund), paths, seed)
    figure = f"{deal}:investor.peak.{statistic}" if deal else f"all investors.peak.{statistic}"
    row = futures.read(futures.portfolio, [futures.find(figure)])[0]
    if row.value is None:
        raise InputError("does not exist", field="statistic", given=statistic)
    return Quantity(row.value, row.standard_error, f"{statistic} of the peak that investors put in")


def worst_case_peg(
    fund: Fund, deal: str = "", q: float = 0.05, share: float = 1.0, paths: int = 10_000, seed: int = 1
) -> Quantity:
    """Principal that results bring back in all but the worst futures: a share of a quantile of proceeds.

    Proceeds are payments for outcomes and out of savings over the life, caps included, undiscounted.
    """
    if not 0.0 < q < 1.0:
        raise InputError("must be a chance", field="q", given=q, allowed="above 0 and below 1")
    name, _ = _deal(fund, deal)
    futures = Futures(portfolio_of(fund), paths, seed)
    planned = prepare(futures.portfolio, name).deals[0].planned_payments
    paid = futures.values(futures.portfolio, futures.find(f"{name}:structure.paid_over_plan.mean"))
    value, error = quantile(np.sort(paid * planned), q)
    assert value is not None
    return Quantity(share * value, None if error is None else share * error, f"{q:.1%} quantile of proceeds")


def _deal(fund: Fund, name: str) -> tuple[str, Deal]:
    """The deal that is meant: where there is one only, that."""
    deals = portfolio_of(fund).deals
    if not name and len(deals) == 1:
        return next(iter(deals.items()))
    if name not in deals:
        raise InputError(
            "is not a deal of this portfolio", field="deal", given=name or None, allowed=", ".join(deals)
        )
    return name, deals[name]
