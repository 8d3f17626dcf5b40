"""socialfinance: prices social impact bonds and their successors.

::

    import socialfinance as sf

    fund = sf.load("portfolios/collective-impact-fund.yaml")
    result = sf.simulate(fund, paths=100_000, seed=7)
    result.measures

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from socialfinance.core.errors import InputError as InputError
    from socialfinance.core.errors import RunError as RunError
    from socialfinance.council import gmca as gmca
    from socialfinance.council import greenbook as greenbook
    from socialfinance.council import ias37 as ias37
    from socialfinance.council import ifrs9 as ifrs9
    from socialfinance.council import mrp as mrp
    from socialfinance.council import prudential as prudential
    from socialfinance.council import sroi as sroi
    from socialfinance.council.view import View as View
    from socialfinance.evidence.observe import Observation as Observation
    from socialfinance.funds.portfolio import Portfolio as Portfolio
    from socialfinance.funds.terms_at import terms_at as terms_at
    from socialfinance.funds.terms_at import with_terms as with_terms
    from socialfinance.io.files import Loaded as Loaded
    from socialfinance.io.schema import schema as schema
    from socialfinance.kernels import credit as credit
    from socialfinance.kernels.returns import irr as irr
    from socialfinance.kernels.returns import npv as npv
    from socialfinance.kernels.returns import xirr as xirr
    from socialfinance.markets import pwlb as pwlb
    from socialfinance.pricing.compare import Comparison as Comparison
    from socialfinance.pricing.solve import Solution as Solution
    from socialfinance.results.result import Result as Result

__version__ = "0.1.0"
__all__ = [
    "load", "simulate", "council_view", "compare", "observe", "schema", "irr", "npv", "xirr", "pwlb",
    "credit", "mrp", "prudential", "ifrs9", "ias37", "greenbook", "gmca", "sroi",
    "Portfolio", "Loaded", "Result", "View", "InputError", "RunError", "__version__",
]  # fmt: skip

_WHERE = {
    "InputError": "socialfinance.core.errors",
    "RunError": "socialfinance.core.errors",
    "Portfolio": "socialfinance.funds.portfolio",
    "Loaded": "socialfinance.io.files",
    "Comparison": "socialfinance.pricing.compare",
    "Observation": "socialfinance.evidence.observe",
    "Solution": "socialfinance.pricing.solve",
    "terms_at": "socialfinance.funds.terms_at",
    "with_terms": "socialfinance.funds.terms_at",
    "schema": "socialfinance.io.schema",
    "irr": "socialfinance.kernels.returns",
    "npv": "socialfinance.kernels.returns",
    "xirr": "socialfinance.kernels.returns",
    "Result": "socialfinance.results.result",
    "View": "socialfinance.council.view",
}
"""The module that each public name is taken from when it is first used."""
_MODULES = {
    "pwlb": "socialfinance.markets.pwlb",
    "pricing": "socialfinance.pricing",
    "credit": "socialfinance.kernels.credit",
    **{
        name: f"socialfinance.council.{name}"
        for name in ("mrp", "prudential", "ifrs9", "ias37", "greenbook", "gmca", "sroi")
    },
}
"""Names that are modules themselves."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_WHERE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load(name_or_path: str | Path, set: Mapping[str, Any] | None = None) -> Loaded:
    """A shipped portfolio by name, or one from a file; ``.portfolio`` is the portfolio itself.

    ``set`` changes values by path, as error messages write it: ``{"fund.notes.senior.rate.annual": 0.05}``.
    It is checked as if the file said so, and recorded in the provenance of every run.

    Raises :class:`InputError` with file, line and field where something is wrong.
    """
    from socialfinance.io.files import load as load_files

    return load_files(name_or_path, set=set)


def simulate(
    fund: Loaded | Portfolio | str | Path,
    paths: int = 10_000,
    seed: int = 1,
    workers: int | None = None,
    chunk: int | None = None,
    progress: Callable[[int], None] | None = None,
    compare: bool = True,
    checkpoint: str | Path | None = None,
    sampling: Literal["plain", "auto"] = "plain",
    tail: str | None = None,
    accuracy: Mapping[str, float] | None = None,
    towards: Callable[[int, Mapping[str, float]], None] | None = None,
    scheduler: Any = None,
    keep: str | Sequence[str] = "all",
) -> Result:
    """Price a portfolio over ``paths`` futures.

    Raises :class:`InputError` before anything runs where the input is wrong, and :class:`RunError` where a
    process died before it was done.

    Parameters
    ----------
    fund
        What :func:`load` gives, a name or path to load, or a ``Portfolio`` made in Python.
    paths
        Number of simulated futures.
    seed
        The same seed, paths and input give the same figures, whatever ``workers`` and ``chunk``.
    workers
        Processes; default as many as the run is worth, at most one a core.
    chunk
        Paths that a process takes at once; default 8,192.
    progress
        Called with the number of paths just finished.
    compare
        Also run each deal in house and at the PWLB cost of money, on the same futures.
    checkpoint
        A folder in which finished blocks are kept: a run that was stopped goes on from there, same bits.
    sampling
        ``"auto"`` spreads the futures on purpose: smaller standard errors at equal paths, which are rounded
        up to whole sets. ``"plain"``: every path has its own luck.
    tail
        Under ``"auto"``: a figure by path, ``[deal:]who.measure``. Half of the futures are then drawn where
        it is high, and weighted to match: for its tail, at a cost to means.
    accuracy
        Standard errors by figure, ``{"[deal:]who.measure.statistic": error}``: go on until they are met.
        ``paths`` is then what the run begins with.
    towards
        Called after each round with the paths so far and the standard errors by figure.
    scheduler
        Have Dask run it, with the same bits: the address of a scheduler (``"tcp://HOST:PORT"``), a
        ``distributed.Client``, or ``"local"`` for ``workers`` processes under a scheduler of this machine
        that ends with the run. Needs ``pip install 'socialfinance[dask]'``.
    keep
        ``"all"``: every figure by path, and exact quantiles. ``"sums"``: memory does not grow with
        ``paths``; means and their errors are as good, quantiles and the expected shortfall are within 0.1%
        and have a status with ``~``. Figures named ``[deal:]who.measure`` are kept by path beside sums.
    """
    from dataclasses import replace

    from socialfinance.core.errors import InputError
    from socialfinance.engine.run import CHUNK
    from socialfinance.engine.run import simulate as run
    from socialfinance.funds.portfolio import Portfolio
    from socialfinance.io.files import Loaded

    size = CHUNK if chunk is None else chunk

    def priced(portfolio: Portfolio, inputs: dict[str, dict[str, str]]) -> Result:
        return run(
            portfolio, paths, seed, workers, size, progress, compare, inputs, checkpoint, sampling, tail,
            accuracy, towards, scheduler, keep,
        )  # fmt: skip

    if isinstance(fund, Portfolio):
        return priced(fund, {})
    loaded = fund if isinstance(fund, Loaded) else load(fund)
    inputs = {
        name: {"path": file.path, "sha256": file.sha256, "text": file.text}
        for name, file in loaded.inputs.items()
    }
    try:
        return replace(priced(loaded.portfolio, inputs), set=dict(loaded.set))
    except InputError as error:
        raise loaded.place(error) from None


def council_view(
    fund: Loaded | Portfolio | str | Path, council: str, paths: int = 10_000, seed: int = 1
) -> View:
    """One public body's books over ``paths`` futures: what ``socialfinance council`` prints, as frames.

    ``council`` is a public body of the file. The figures are those of a run of the whole file with the same
    seed. Raises :class:`InputError` where the body is unknown or has no part in any deal.
    """
    from socialfinance.core.errors import InputError
    from socialfinance.council.view import view
    from socialfinance.engine.ready import prepare
    from socialfinance.funds.portfolio import Portfolio
    from socialfinance.io.files import Loaded

    if isinstance(fund, Portfolio):
        return view(prepare(fund), council, seed, paths)
    loaded = fund if isinstance(fund, Loaded) else load(fund)
    try:
        return view(prepare(loaded.portfolio), council, seed, paths)
    except InputError as error:
        raise loaded.place(error) from None


def solve(
    fund: Loaded | Portfolio | str | Path,
    vary: str | Sequence[str] | Mapping[str, tuple[float, float] | None],
    target: str | Sequence[str],
    paths: int = 10_000,
    seed: int = 1,
) -> Solution:
    """The value of one or two terms at which as many targets hold, with its standard error.

    Raises :class:`InputError` where something is wrong, and :class:`RunError`, with the reason, where no
    value gives the target.

    Parameters
    ----------
    fund
        What :func:`load` gives, a name or path to load, or a ``Portfolio`` made in Python.
    vary
        Terms by path, with the range of each or without: ``{"fund.pool.cover": (0.0, 1.0)}``.
    target
        One for each term, such as ``"senior.loss.probability <= 0.01"``.
    paths, seed
        The futures: the same at every value that is tried.
    """
    from socialfinance.core.errors import InputError
    from socialfinance.funds.portfolio import Portfolio
    from socialfinance.io.files import Loaded
    from socialfinance.pricing.solve import solve as run

    if isinstance(fund, Portfolio):
        return run(fund, vary, target, paths, seed)
    loaded = fund if isinstance(fund, Loaded) else load(fund)
    try:
        return run(loaded.portfolio, vary, target, paths, seed)
    except InputError as error:
        raise loaded.place(error) from None


def compare(
    name: Loaded | Portfolio | str | Path,
    deal: str | None = None,
    structures: Sequence[str] = ("all",),
    paths: int = 10_000,
    seed: int = 1,
) -> Comparison:
    """One programme on several structures, on the same futures.

    ``deal`` is whose programme, tariff and parties are taken, default the portfolio's first; ``structures``
    are standard names or term sheets, ``("all",)`` every standard one that fits. Raises :class:`InputError`
    for a name that nobody knows.
    """
    from socialfinance.core.errors import InputError
    from socialfinance.engine.ready import prepare
    from socialfinance.funds.portfolio import Portfolio
    from socialfinance.io.files import term_sheet
    from socialfinance.pricing.compare import Variant
    from socialfinance.pricing.compare import compare as run
    from socialfinance.pricing.structures import instruments

    portfolio = name if isinstance(name, Portfolio) else _loaded(name).portfolio
    chosen = deal if deal is not None else next(iter(portfolio.deals))
    if chosen not in portfolio.deals:
        known = ", ".join(portfolio.deals)
        raise InputError("is not a deal of this portfolio", field="deal", given=chosen, allowed=known)
    some = instruments(portfolio.deals[chosen].programme.kind, tuple(structures), term_sheet)
    variants = {label: Variant(*one) for label, one in some.items()}
    return run(prepare(portfolio), chosen, variants, paths, seed)


def observe(
    name: Loaded | Portfolio | str | Path,
    returns: str | Path,
    as_of: date | None = None,
    paths: int = 6_144,
    seed: int = 1,
    workers: int | None = None,
) -> Observation:
    """A portfolio conditioned on its quarterly returns, beside what was first and last forecast.

    ``returns`` is a CSV file or workbook, ``as_of`` the day whose knowledge is used (default the last). The
    ``frame`` of what comes back holds then and now by deal. Raises :class:`InputError` where the returns are
    not sound or do not fit the portfolio.
    """
    from socialfinance.evidence.observe import observe as run
    from socialfinance.funds.portfolio import Portfolio

    if isinstance(name, Portfolio):
        return run(name, returns, as_of, paths, seed, workers)
    loaded = _loaded(name)
    inputs = {key: {"path": file.path, "sha256": file.sha256} for key, file in loaded.inputs.items()}
    return run(loaded.portfolio, returns, as_of, paths, seed, workers, inputs)


def _loaded(fund: Loaded | str | Path) -> Loaded:
    from socialfinance.io.files import Loaded

    return fund if isinstance(fund, Loaded) else load(fund)
