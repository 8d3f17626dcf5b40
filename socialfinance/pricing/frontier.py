"""Figures over a grid of terms on the same draws, those that nothing beats, and the cheapest that holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from socialfinance.core.errors import InputError, RunError
from socialfinance.funds.portfolio import Portfolio
from socialfinance.funds.terms_at import terms_at, with_terms
from socialfinance.pricing.paired import Reader, Reading
from socialfinance.pricing.targets import Target, target_of

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Direction = Literal["min", "max"]
DIRECTIONS = ("min", "max")
MOST_POINTS = 400
"""Points of a grid; more is a slip of the hand, or a night's work."""
COARSE = {1: 9, 2: 5, 3: 4}
"""Values of each term on the first grid of a search, by how many terms there are."""
MOST_TRIES = 60
"""Points that a search tries after its grid."""
NEAR = 1e-3
"""To how much of each range a search is taken."""


@dataclass(frozen=True)
class Frontier:
    """Figures by terms."""

    table: pd.DataFrame
    """one row a point: the terms by path, each measure, its error (``MEASURE error``), ``efficient`` (where
    directions were given), ``status``"""
    axes: tuple[str, ...]
    measures: Mapping[str, Direction | None]
    units: Mapping[str, str]
    paths: int
    seed: int
    runs: int

    @property
    def efficient(self) -> pd.DataFrame:
        """The points that nothing beats."""
        return self.table[self.table["efficient"]]


def frontier(
    portfolio: Portfolio, axes: Mapping[str, Sequence[Any]],
    measures: Sequence[str] | Mapping[str, Direction | None],
    paths: int = 10_000, seed: int = 1, deal: str = "",
) -> Frontier:  # fmt: skip
    """Every measure at every combination of terms, ``{path: values}``, on the same draws.

    Measures with a direction (``{"investor.npv.mean": "max"}``) are what a point is judged by: it is
    efficient where no other is at least as good in all and better in one. Terms that the file or the engine
    refuses are a row with a status and no figures.
    """
    import pandas as pd

    wanted = _directions(measures)
    _check_axes(portfolio, axes)
    reader = Reader(portfolio, list(wanted), paths, seed, deal)
    rows = [
        _point(portfolio, reader, dict(zip(axes, values, strict=True)), wanted)
        for values in product(*axes.values())
    ]
    table = pd.DataFrame(rows)
    judged = {name: way for name, way in wanted.items() if way is not None}
    if judged:
        table["efficient"] = efficient(table[list(judged)].to_numpy(dtype=float), list(judged.values()))
    units = {name: one.unit for name, one in zip(wanted, reader.wanted, strict=True)}
    return Frontier(table, tuple(axes), wanted, units, paths, seed, reader.runs)


def _directions(measures: Sequence[str] | Mapping[str, Direction | None]) -> dict[str, Direction | None]:
    wanted = dict(measures) if isinstance(measures, Mapping) else dict.fromkeys(measures)
    for name, way in wanted.items():
        if way is not None and way not in DIRECTIONS:
            raise InputError("is no direction", field=name, given=way, allowed="min or max")
    return wanted


def _check_axes(portfolio: Portfolio, axes: Mapping[str, Sequence[Any]]) -> None:
    if not axes:
        raise InputError("names no term to vary", field="axis")
    for path, values in axes.items():
        terms_at(portfolio, path)
        if not values:
            raise InputError("has no values", field=path)
    points = int(np.prod([len(values) for values in axes.values()]))
    if points > MOST_POINTS:
        raise InputError(
            "makes too many points", field="axis", given=points, allowed=f"at most {MOST_POINTS}"
        )


def _point(
    portfolio: Portfolio, reader: Reader, terms: Mapping[str, Any], measures: Mapping[str, Any]
) -> dict[str, Any]:
    row: dict[str, Any] = dict(terms)
    nothing = {name: None for measure in measures for name in (measure, f"{measure} error")}
    try:
        found = reader.read(with_terms(portfolio, terms))
    except InputError as error:
        return {**row, **nothing, "status": f"refused: {error.problem}"}
    for name, one in zip(measures, found, strict=True):
        row |= {name: one.value, f"{name} error": one.standard_error}
    missing = [name for name in measures if row[name] is None]
    return {**row, "status": f"does not exist: {', '.join(missing)}" if missing else "ok"}


def efficient(values: Array, directions: Sequence[Direction]) -> NDArray[np.bool_]:
    """Which rows of ``(point, measure)`` no other row beats: at least as good in all, better in one.

    A row with a figure that does not exist is not efficient, and beats nothing.
    """
    there: NDArray[np.bool_] = np.asarray(~np.isnan(values).any(axis=1))
    signs = np.array([1.0 if way == "max" else -1.0 for way in directions])
    good = np.where(there[:, None], values * signs, -np.inf)
    beaten = [bool(np.any(np.all(good >= one, axis=1) & np.any(good > one, axis=1))) for one in good]
    return there & ~np.array(beaten, dtype=np.bool_)


# --- the cheapest terms under constraints ---------------------------------------------------------------


@dataclass(frozen=True)
class Cheapest:
    """The best terms that were found."""

    terms: Mapping[str, float]
    minimised: str
    value: float
    standard_error: float | None
    limits: Mapping[str, float]
    """by constraint, as written: the figure there"""
    tried: pd.DataFrame
    """every point: terms, what is minimised, each constraint's figure, ``holds``"""
    grid: int
    """points of the coarse grid among them; the search tried the rest"""
    paths: int
    seed: int


def cheapest(
    portfolio: Portfolio, vary: Mapping[str, tuple[float, float]], minimise: str,
    subject_to: Sequence[str] = (), paths: int = 4096, seed: int = 1, deal: str = "",
) -> Cheapest:  # fmt: skip
    """Terms within their ranges with the least of a figure, under limits (``investor.npv.mean >= 0``).

    First a coarse grid; then, from the best point on it that holds, COBYLA of ``scipy``, which needs no
    slopes: probabilities and quantiles move in steps. The answer is the best of all points tried at which
    every limit holds, so it always does; it need not be the least of all. Raises RunError where no point of
    the grid holds.
    """
    import pandas as pd

    search = _Search(portfolio, vary, minimise, subject_to, paths, seed, deal)
    for unit in product(np.linspace(0.0, 1.0, COARSE[len(vary)]), repeat=len(vary)):
        search.at(unit)
    grid = len(search.rows)
    if search.best is None:
        raise RunError(
            f"no point of {grid} on the grid holds to {' and '.join(subject_to) or 'having a figure'}"
        )
    search.go_on()
    row = search.best
    error = row.pop("error")
    return Cheapest(
        {path: row[path] for path in vary}, minimise, row[minimise], error,
        {one.text: row[one.text] for one in search.limits},
        pd.DataFrame(search.rows).drop(columns="error"), grid, paths, seed,
    )  # fmt: skip


class _Search:
    """Points tried so far, each term between 0 and 1 of its range."""

    def __init__(
        self, portfolio: Portfolio, vary: Mapping[str, tuple[float, float]], minimise: str,
        subject_to: Sequence[str], paths: int, seed: int, deal: str,
    ) -> None:  # fmt: skip
        if len(vary) not in COARSE:
            raise InputError("one to three terms can be varied", field="vary", given=len(vary))
        for path, (low, high) in vary.items():
            now = terms_at(portfolio, path)
            if isinstance(now, bool) or not isinstance(now, int | float):
                raise InputError("is not a number that can be varied", field=path)
            if not low < high:
                raise InputError(
                    "needs a range, the lower number first", field=path, given=f"{low:g} to {high:g}"
                )
        self.portfolio, self.vary = portfolio, vary
        self.whole = {path: isinstance(terms_at(portfolio, path), int) for path in vary}
        self.minimise, self.limits = minimise, [_limit(one, portfolio) for one in subject_to]
        self.reader = Reader(portfolio, [minimise, *(one.figure for one in self.limits)], paths, seed, deal)
        self.rows: list[dict[str, Any]] = []
        self.seen: dict[tuple[float, ...], dict[str, Any]] = {}

    @property
    def best(self) -> dict[str, Any] | None:
        """The least of those that hold."""
        holding = [row for row in self.rows if row["holds"]]
        return dict(min(holding, key=lambda row: row[self.minimise])) if holding else None

    def at(self, unit: Sequence[float]) -> dict[str, Any]:
        """The figures at a point, read once."""
        terms = {path: self._value(path, x) for path, x in zip(self.vary, unit, strict=True)}
        place = tuple(terms.values())
        if place not in self.seen:
            self.seen[place] = self._row(terms)
            self.rows.append(self.seen[place])
        return self.seen[place]

    def _value(self, path: str, x: float) -> float:
        low, high = self.vary[path]
        value = low + float(min(max(x, 0.0), 1.0)) * (high - low)
        return round(value) if self.whole[path] else value

    def _row(self, terms: dict[str, float]) -> dict[str, Any]:
        try:
            found: tuple[Reading, ...] = self.reader.read(with_terms(self.portfolio, terms))
        except InputError as error:
            nothing = dict.fromkeys([self.minimise, "error", *(one.text for one in self.limits)])
            return {**terms, **nothing, "holds": False, "status": error.problem}
        first, *rest = found
        figures = {one.text: reading.value for one, reading in zip(self.limits, rest, strict=True)}
        holds = first.value is not None and all(_holds(one, figures[one.text]) for one in self.limits)
        return {**terms, self.minimise: first.value, "error": first.standard_error, **figures,
                "holds": holds, "status": "ok"}  # fmt: skip

    def go_on(self) -> None:
        """Search from the best point so far."""
        from scipy.optimize import minimize

        best = self.best
        assert best is not None
        scale = max(abs(best[self.minimise]), 1e-9)
        start = [(best[path] - low) / (high - low) for path, (low, high) in self.vary.items()]
        worst: float = max(row[self.minimise] for row in self.rows if row[self.minimise] is not None) / scale

        def aim(unit: Array) -> float:
            value = self.at(unit.tolist())[self.minimise]
            return float(worst if value is None else value / scale)

        limits: Any = [{"type": "ineq", "fun": self._room(one)} for one in self.limits]
        options: Any = {"rhobeg": 0.5 / COARSE[len(self.vary)], "maxiter": MOST_TRIES, "tol": NEAR}
        minimize(
            aim, np.array(start), method="COBYLA", bounds=[(0.0, 1.0)] * len(start), constraints=limits,
            options=options,
        )  # fmt: skip

    def _room(self, limit: Target) -> Any:
        """How far inside a limit a point is, over the size of the limit: below nil outside."""
        sign, size = (1.0 if limit.sign == ">=" else -1.0), max(abs(limit.value), 0.01)

        def room(unit: Array) -> float:
            value = self.at(unit.tolist())[limit.text]
            return float(-1.0 if value is None else sign * (value - limit.value) / size)

        return room


def _limit(text: str, portfolio: Portfolio) -> Target:
    target = target_of(text, portfolio)
    if target.sign == "==":
        raise InputError("is no limit", field="subject_to", given=text, allowed="<= or >=")
    return target


def _holds(limit: Target, value: float | None) -> bool:
    return value is not None and limit.holds(value)
