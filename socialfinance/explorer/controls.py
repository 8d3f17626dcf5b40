"""What can be moved in a portfolio: guarantee cover, margins, success, prices; only what is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from socialfinance.engine.ready import walk
from socialfinance.funds.notes import Fixed, OverPwlb, Performance
from socialfinance.funds.portfolio import Deal, Portfolio
from socialfinance.instruments.guarantees import Layer
from socialfinance.instruments.lending import LendingRate
from socialfinance.instruments.pay_as_you_save import Floor
from socialfinance.instruments.social_impact_bond import Protected
from socialfinance.pricing.stresses import moved
from socialfinance.scenarios.distributions import DriverRef, Uncertain, UncertainShare

WHOLE = ""
"""The view of all deals together, and of their fund."""
SUCCESS, PRICES = "success", "prices"
"""Ends of the names of multiples, of one deal or, alone, of all."""
GROUPS = ("Guarantee cover", "Margin and rates", "Success", "Prices")
SHARE, RATE, POUNDS, MULTIPLE = "share", "rate", "pounds", "multiple"
STEP = {SHARE: 0.01, RATE: 0.0005, MULTIPLE: 0.01}
LEAST, MOST = 0.5, 1.5
"""Between which multiples move, where the models allow it."""
HIGHEST_RATE = 0.1
"""Rates move from nil up to this, or to twice what the file has."""
CHANCE = {
    "fixed": ("value",), "normal": ("mean",), "lognormal": ("mean",), "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"), "beta": ("mean",), "logit-normal": ("median",),
    "discrete": ("values",), "graded": ("value",),
}  # fmt: skip
"""What is multiplied where a chance is a distribution; how wide it spreads stays."""
A_SHARE: TypeAdapter[Any] = TypeAdapter(UncertainShare)
ANY: TypeAdapter[Any] = TypeAdapter(Uncertain)
SURE = 1.0
"""A chance of this is no matter of success: it stays."""


class Control(NamedTuple):
    """Something to move: by its name in a request, with the file's own value and the range around it."""

    name: str
    group: str
    label: str
    unit: str
    low: float
    high: float
    step: float
    now: float
    """what the file, or the structure that was chosen, has; of a multiple 1"""


def controls_of(portfolio: Portfolio, view: str) -> list[Control]:
    """What can be moved in a deal, or, in the view of the whole, in the fund and in all deals at once."""
    found = list(_of_all(portfolio) if view == WHOLE else _of_deal(portfolio, view))
    return sorted(found, key=lambda one: GROUPS.index(one.group))


def some_controls(portfolio: Portfolio, names: Iterable[str]) -> dict[str, Control]:
    """What can be moved in the views to which these names belong, by name."""
    given = tuple(names)
    views = [view for view in portfolio.deals if any(name.startswith(f"deals.{view}.") for name in given)]
    return {one.name: one for view in (WHOLE, *views) for one in controls_of(portfolio, view)}


def _of_all(portfolio: Portfolio) -> Iterator[Control]:
    pool = portfolio.fund.pool
    if pool is not None:
        yield _share("fund.pool.cover", GROUPS[0], "Pool: share of each deal's loss", pool.cover)
        if pool.cap > 0.0:
            yield _pounds("fund.pool.cap", GROUPS[0], "Pool: most it pays", pool.cap)
    for name, note in portfolio.fund.notes.items():
        path, title = f"fund.notes.{name}.rate", note.title or name
        if isinstance(note.rate, Fixed | Performance):
            yield _rate(f"{path}.annual", f"{title} note: rate a year", note.rate.annual)
        elif isinstance(note.rate, OverPwlb):
            yield _rate(f"{path}.margin", f"{title} note: margin over PWLB", note.rate.margin)
    highest = [most for name in portfolio.deals if (most := _highest_success(portfolio, name)) is not None]
    if highest:
        yield _multiple(SUCCESS, GROUPS[2], "Success in all deals", min(highest))
    if any(_prices(portfolio, name) for name in portfolio.deals):
        yield _multiple(PRICES, GROUPS[3], "Outcome prices in all deals", MOST)


def _of_deal(portfolio: Portfolio, name: str) -> Iterator[Control]:
    deal, base = portfolio.deals[name], f"deals.{name}.instrument"
    for path, one in walk(deal.instrument, base):
        yield from _of_term(deal, path, one)
    highest = _highest_success(portfolio, name)
    if highest is not None:
        yield _multiple(f"deals.{name}.{SUCCESS}", GROUPS[2], "Chance of each outcome", highest)
    if _prices(portfolio, name):
        yield _multiple(f"deals.{name}.{PRICES}", GROUPS[3], "Outcome prices", MOST)


def _of_term(deal: Deal, path: str, one: Any) -> Iterator[Control]:
    """What can be moved in one term of a structure."""
    cover = GROUPS[0]
    if isinstance(one, Layer):
        who = _filled(deal, one.guarantor)
        yield _share(f"{path}.cover", cover, f"Covered by {who}{_slice(one)}", one.cover)
        if one.cap:
            yield _pounds(f"{path}.cap", cover, f"Most paid by {who}", one.cap)
    elif isinstance(one, Floor) and one.share is not None:
        yield _share(f"{path}.share", cover, f"Floor by {_filled(deal, one.by)}, of capital", one.share)
    elif isinstance(one, Floor) and one.amount:
        yield _pounds(f"{path}.amount", cover, f"Floor by {_filled(deal, one.by)}", one.amount)
    elif isinstance(one, Protected):
        since = f" from quarter {one.from_quarter}" if one.from_quarter else ""
        yield _share(f"{path}.share", cover, f"Capital protected{since}", one.share)
    elif isinstance(one, LendingRate):
        where = path.removesuffix(".rate").rpartition(".")[2]
        whose = "" if where in ("instrument", "loan") else f"{where}: "
        if one.reference == "fixed" and not one.margin:
            yield _rate(f"{path}.value", f"{whose}Rate a year", one.value or 0.0)
        else:
            over = {"pwlb": "PWLB", "gilt": "gilts"}.get(one.reference, "the base rate")
            yield _rate(f"{path}.margin", f"{whose}Margin over {over}", one.margin)


def _filled(deal: Deal, role: str) -> str:
    """Who fills a role, where that is one party."""
    party = deal.parties.get(role)
    return party if isinstance(party, str) else role


def _slice(layer: Layer) -> str:
    """Of which slice of loss a layer is, where it is not all of it."""
    if layer.unit == "pounds" or not (layer.attach or layer.detach):
        return ""
    return f", loss from {layer.attach:.0%} to {layer.detach or 1.0:.0%}"


# --- ranges that have the file's value on a step ----------------------------------------------------


def _share(name: str, group: str, label: str, now: float) -> Control:
    return _on_steps(name, group, label, SHARE, 0.0, 1.0, STEP[SHARE], now)


def _rate(name: str, label: str, now: float) -> Control:
    high = max(HIGHEST_RATE, 2.0 * now)
    return _on_steps(name, GROUPS[1], label, RATE, 0.0, high, STEP[RATE], now)


def _pounds(name: str, group: str, label: str, now: float) -> Control:
    step = 10.0 ** math.floor(math.log10(now) - 1.0)
    return _on_steps(name, group, label, POUNDS, 0.0, 3.0 * now, step, now)


def _multiple(name: str, group: str, label: str, high: float) -> Control:
    return _on_steps(name, group, label, MULTIPLE, LEAST, high, STEP[MULTIPLE], 1.0)


def _on_steps(
    name: str, group: str, label: str, unit: str, low: float, high: float, step: float, now: float
) -> Control:
    """A slider counts in steps from its lower end: both ends are whole steps from the file's value."""
    below, above = math.floor((now - low) / step + 1e-9), math.floor((high - now) / step + 1e-9)
    ends = (round(now - below * step, 10) + 0.0, round(now + max(above, 0) * step, 10))
    return Control(name, group, label, unit, *ends, step, now)


# --- multiples --------------------------------------------------------------------------------------


def multiplied(portfolio: Portfolio, values: Mapping[str, float]) -> dict[str, Any]:
    """What multiples of success and prices change, by path: that of a deal times that of all."""
    found: dict[str, Any] = {}
    for name in portfolio.deals:
        success, prices = (
            values.get(f"deals.{name}.{kind}", 1.0) * values.get(kind, 1.0) for kind in (SUCCESS, PRICES)
        )
        if success != 1.0:
            for path, one, _ in _chances(portfolio.deals[name], f"deals.{name}.programme"):
                found |= _changed(path, one, success)
        if prices != 1.0:
            found |= {path: _short(price * prices) for path, price in _prices(portfolio, name).items()}
    return found


def _changed(path: str, chance: Any, multiple: float) -> dict[str, Any]:
    """A chance multiplied and its plan as it was: number by number, so that no source is taken over."""
    data = _at(chance, multiple)
    if isinstance(chance, int | float):
        return {path: data}
    return {f"{path}.{field}": data[field] for field in (*CHANCE[chance.distribution], "plan")}


def _at(chance: Any, multiple: float) -> dict[str, Any]:
    return moved(chance, CHANCE, lambda x: _short(x * multiple))


def _short(x: float) -> float:
    """Without the rounding of a computer in its last digits, as it will stand in a file."""
    return float(f"{x:.12g}")


def _prices(portfolio: Portfolio, name: str) -> dict[str, float]:
    """What is paid for outcomes, by path."""
    tariff, path = portfolio.deals[name].tariff, f"deals.{name}.tariff"
    if tariff is None:
        return {}
    found = {f"{path}.prices.{line}": price for line, price in tariff.prices.items()}
    for role, payer in tariff.payers.items():
        found |= {f"{path}.payers.{role}.prices.{line}": one for line, one in (payer.prices or {}).items()}
    if tariff.effect is not None and tariff.effect.per_event is not None:
        found[f"{path}.effect.per_event"] = tariff.effect.per_event
    return {where: float(price) for where, price in found.items() if isinstance(price, int | float)}


def _chances(deal: Deal, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every chance of an outcome that is not sure, and the effect: where it stands, what it is, and its form.

    One that several lines draw on is there once.
    """
    programme: Any = deal.programme
    seen = set()
    given = [
        (f"{path}.outcomes.{line}.probability", one.probability, A_SHARE)
        for line, one in (getattr(programme, "outcomes", None) or {}).items()
    ]
    effect = getattr(programme, "effect", None)
    if effect is not None:
        given.append((f"{path}.effect.true", effect.true, ANY))
    for place, one, form in given:
        where, what = place, one
        if isinstance(what, DriverRef):
            where, what = f"{path}.drivers.{what.driver}", programme.drivers[what.driver]
        movable = isinstance(what, int | float) or what.distribution in CHANCE
        if where not in seen and movable and what != SURE:
            seen.add(where)
            yield where, what, form


def _highest_success(portfolio: Portfolio, name: str) -> float | None:
    """The most by which the chances of a deal can be multiplied, by hundredths; None where it has none."""
    chances = [(one, form) for _, one, form in _chances(portfolio.deals[name], "")]
    if not chances:
        return None
    fits, fails = 0, round((MOST - 1.0) / STEP[MULTIPLE]) + 1
    while fails - fits > 1:
        middle = (fits + fails) // 2
        multiple = 1.0 + middle * STEP[MULTIPLE]
        if all(_fits(one, form, multiple) for one, form in chances):
            fits = middle
        else:
            fails = middle
    return round(1.0 + fits * STEP[MULTIPLE], 10)


def _fits(chance: Any, form: Any, multiple: float) -> bool:
    if isinstance(chance, int | float) and form is A_SHARE and chance * multiple > 1.0:
        return False
    try:
        form.validate_python(_at(chance, multiple))
    except ValidationError:
        return False
    return True
