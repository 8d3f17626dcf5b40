"""``socialfinance run``: simulate a portfolio and report on it."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import (
    OK,
    PORTFOLIO,
    check_writable,
    deal_named,
    deals_and_quarters,
    json_option,
    prepared,
    run_size_options,
    say,
    sentence,
    set_option,
    show,
)
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyPortfolio
    from socialfinance.engine.run import Estimate
    from socialfinance.io.files import Loaded
    from socialfinance.pricing.sensitivity import Tornado
    from socialfinance.results.result import Result


def run_options(commands: Any) -> None:
    """``run`` and its options."""
    text = "simulate a portfolio and report on it"
    run = commands.add_parser("run", help=text, description=sentence(text))
    run.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    run_size_options(run)
    run.add_argument("--workers", type=int, metavar="N",
                     help="processes (default: as many as the run is worth, at most one a core)")  # fmt: skip
    run.add_argument("--chunk", type=int, metavar="N", help="paths a process takes at once (default 8192)")
    run.add_argument(
        "--no-compare", action="store_true", help="leave out in house and the PWLB cost of money"
    )
    run.add_argument("--deal", nargs="+", action="extend", default=[], metavar="NAME",
                     help="report on these deals only (all are run)")  # fmt: skip
    run.add_argument(
        "--checkpoint", metavar="FOLDER", help="keep finished blocks there, and go on from those it holds"
    )
    run.add_argument("--scheduler", metavar="ADDRESS",
                     help="have Dask run it: tcp://HOST:PORT of a scheduler, or local for one that is "
                          "started with --workers processes and ends with the run "
                          "(docs/scale.md)")  # fmt: skip
    run.add_argument("--sampling", choices=("plain", "auto"), default="plain",
                     help="auto: futures spread on purpose, for smaller errors at equal paths")  # fmt: skip
    run.add_argument("--tail", metavar="[DEAL:]WHO.MEASURE",
                     help="with --sampling auto: draw half of the futures where this figure is high, for its "
                          "tail, and weight them to match")  # fmt: skip
    run.add_argument("--accuracy", action="append", default=[], metavar="FIGURE=ERROR",
                     help="go on from --paths until [DEAL:]WHO.MEASURE.STATISTIC has this standard error or "
                          "less; can be given again")  # fmt: skip
    run.add_argument("--keep", nargs="+", default=["all"], metavar="WHAT",
                     help="all: figures of every path, for exact quantiles (default); sums: memory does not "
                          "grow with --paths, quantiles are within 0.1%% and marked ~; figures given as "
                          "[DEAL:]WHO.MEASURE are kept by path beside sums")  # fmt: skip
    set_option(run)
    run.add_argument("--html", type=Path, metavar="FILE",
                     help="also write one page of charts, tables and sources that opens offline "
                          "(docs/page.md)")  # fmt: skip
    run.add_argument("--tornado", metavar="FIGURE",
                     help="with --html: also which inputs move [DEAL:]WHO.MEASURE.STATISTIC most, over at "
                          "most 2048 futures: a run for each input")  # fmt: skip
    run.add_argument("--quiet", action="store_true", help="no word of progress on stderr")
    json_option(run)
    run.add_argument("--excel", type=Path, metavar="FILE",
                     help="also write a workbook (.xlsx): live sums, charts, one future, inputs")  # fmt: skip
    run.add_argument("--excel-future", type=int, metavar="N",
                     help="the future that the workbook explains, from 0 (default: one near the P95 of "
                          "the net cost of the public body that pays most)")  # fmt: skip
    run.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> int:
    """Simulate, write the file, print the report."""
    from socialfinance.engine.keep import what_to_keep
    from socialfinance.engine.run import CHUNK, check_memory, estimate
    from socialfinance.engine.sampling import whole_sets
    from socialfinance.reports.console import report

    began = time.monotonic()
    check_writable(options.json)
    _check_page(options)
    loaded, ready = prepared(options.name, options.json, options.set)
    _check_excel(options, loaded)
    if options.html:
        _refuse_input(options.html, loaded)
    for deal in options.deal:
        deal_named(ready, deal)
    chunk = CHUNK if options.chunk is None else options.chunk
    paths = whole_sets(options.paths) if options.sampling == "auto" else options.paths
    needs = estimate(ready, paths, chunk, options.workers, what_to_keep(options.keep))
    check_memory(needs)
    if not options.quiet:
        say(_dry_run(ready, needs, options.scheduler))
    tornado = _tornado(loaded, options)  # first, as it refuses a figure that is not there
    result = _simulated(loaded, options, needs)
    if options.json:
        result.to_json(options.json)
    if options.excel:
        result.to_excel(options.excel, options.excel_future)
    if options.html:
        result.to_html(options.html, _command(options), tornado)
    show(report(result, ready, options.deal))
    if not options.quiet:
        say(f"Took {time.monotonic() - began:,.1f} s.")
    return OK


def _simulated(loaded: Loaded, options: argparse.Namespace, needs: Estimate) -> Result:
    from socialfinance import simulate

    with _progress(options, needs) as progress:
        return simulate(
            loaded, options.paths, options.seed, options.workers, options.chunk, progress,
            not options.no_compare, options.checkpoint, options.sampling, options.tail,
            _wanted(options.accuracy), None if options.quiet else _towards, options.scheduler,
            options.keep,
        )  # fmt: skip


def _check_page(options: argparse.Namespace) -> None:
    """Refuse before the run what would stop the page after it."""
    if options.html is None:
        if options.tornado is not None:
            raise InputError("is for a page: give --html FILE too", field="--tornado", given=options.tornado)
        return
    check_writable(options.html, "--html")
    if options.json is not None and options.json.resolve() == options.html.resolve():
        raise InputError(
            "is the file of --json too: give another name", file=str(options.html), field="--html"
        )
    from importlib import import_module

    import_module("socialfinance.pages.page")  # says what is not installed


def _refuse_input(output: Path, loaded: Loaded) -> None:
    """Refuse a page that is a file which was read."""
    from socialfinance.io.write import OutputIsInput, refuse_to_replace

    for file in loaded.inputs.values():
        try:
            refuse_to_replace(output, Path(file.path))
        except OutputIsInput as error:
            raise InputError(error.problem, file=str(output), field="--html") from None


def _command(options: argparse.Namespace) -> str:
    """The run as it was asked for, without the files it writes."""
    words = ["socialfinance", "run", options.name, "--paths", str(options.paths), "--seed", str(options.seed)]
    for name, value, usual in (
        ("--sampling", options.sampling, "plain"), ("--tail", options.tail, None),
        ("--tornado", options.tornado, None),
    ):  # fmt: skip
        words += [name, value] if value != usual else []
    for change in options.set:
        words += ["--set", change]
    if options.no_compare:
        words.append("--no-compare")
    return shlex.join(words)


def _tornado(loaded: Loaded, options: argparse.Namespace) -> Tornado | None:
    """Which inputs move the figure that was asked for."""
    if options.tornado is None:
        return None
    from socialfinance.pictures.terms import MOST_PATHS
    from socialfinance.pricing.sensitivity import tornado

    try:
        return tornado(loaded.portfolio, options.tornado, min(options.paths, MOST_PATHS), options.seed)
    except InputError as error:
        raise loaded.place(error) from None


def _check_excel(options: argparse.Namespace, loaded: Loaded) -> None:
    """Refuse, before anything is run, a workbook that could not be written or would replace what is read."""
    from socialfinance.io.write import refuse_to_replace
    from socialfinance.workbooks.cells import check_openpyxl

    file, future = options.excel, options.excel_future
    if future is not None and (file is None or future < 0):
        wanted = "a number from 0, with --excel FILE"
        raise InputError("is no future to explain", field="--excel-future", given=future, allowed=wanted)
    if file is None:
        return
    if file.suffix.lower() != ".xlsx":
        raise InputError("has no ending of a workbook", file=str(file), field="--excel", allowed=".xlsx")
    check_openpyxl(str(file))
    check_writable(file, "--excel")
    for one in loaded.inputs.values():
        refuse_to_replace(file, Path(one.path), "--excel")
    if options.json is not None and options.json.resolve() == file.resolve():
        raise InputError("is the file of --json too: give another name", file=str(file), field="--excel")


def _wanted(written: Sequence[str]) -> dict[str, float]:
    """What ``--accuracy`` asks for, by figure."""
    found: dict[str, float] = {}
    for one in written:
        figure, equals, error = (part.strip() for part in one.rpartition("="))
        try:
            found[figure] = float(error.replace(",", ""))
        except ValueError:
            equals = ""
        if not equals or not figure:
            raise InputError("is no accuracy", file="--accuracy", given=one, allowed="FIGURE=ERROR")
    return found


def _towards(paths: int, errors: Mapping[str, float]) -> None:
    said = "; ".join(f"{figure} has a standard error of {error:,.6g}" for figure, error in errors.items())
    say(f"After {paths:,} paths: {said}.")


def _dry_run(ready: ReadyPortfolio, needs: Estimate, scheduler: str | None) -> str:
    from socialfinance.kernels.backend import backend

    workers = f"{needs.workers} worker{'s' * (needs.workers != 1)}"
    if scheduler not in (None, "local"):
        workers = f"the workers at {scheduler}"
    return (
        f"{needs.paths:,} paths of {deals_and_quarters(ready)}; "
        f"about {needs.total_bytes / 2**20:,.0f} MiB of memory; "
        f"{workers}; {backend()} backend."
    )


def _progress(
    options: argparse.Namespace, needs: Estimate
) -> AbstractContextManager[Callable[[int], None] | None]:
    """A bar on stderr where that is a terminal."""
    if options.quiet or sys.stderr is None or not sys.stderr.isatty():
        return nullcontext()
    return _Bar(needs.paths)


class _Bar(AbstractContextManager[Callable[[int], None]]):
    """A live bar that leaves nothing behind."""

    def __init__(self, paths: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("paths"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("paths", total=paths)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return lambda count: self._bar.advance(self._task, count)

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
