"""The command line: ``socialfinance run | validate | explain | replay | schema | list | pwlb``.

Ends with 0 when all is well, 1 where there is no answer, 2 for bad input (one line on stderr), 130 when
interrupted, 143 when told to end. A file is written whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from socialfinance.core.currency import CURRENCIES
from socialfinance.core.errors import InputError, RunError
from socialfinance.core.text import visible

if TYPE_CHECKING:
    from socialfinance.engine.ready import ReadyDeal, ReadyPortfolio
    from socialfinance.engine.run import Estimate
    from socialfinance.io.files import Loaded
    from socialfinance.reports.catalogue import Entry
    from socialfinance.results.result import Result

OK, NO_ANSWER, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
UNCHECKED = "What depends on the deal that it is put in is checked with that deal."
PORTFOLIO = "a shipped portfolio (see `socialfinance list`), or a path to a .yaml file"
EXAMPLES = """
examples:
  socialfinance list
  socialfinance run collective-impact-fund --paths 100000 --seed 7 --json run.json
  socialfinance explain collective-impact-fund --path 4711
  socialfinance replay peterborough
  socialfinance validate my-fund.yaml
"""


class Terminated(BaseException):
    """The program was told to end (SIGTERM), which it does as on Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that has no pound sign still gets its report
    if sys.stdout is None:
        return _ended("standard output is closed, so there is nowhere to print", NO_ANSWER)
    try:
        with _told_to_end(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numbers too large: a figure's status says so
            return _command(arguments)
    except InputError as error:
        return _ended(str(error), BAD_INPUT)
    except RunError as error:
        return _ended(str(error), NO_ANSWER)
    except KeyboardInterrupt:
        return _ended("interrupted; no file is half-written", INTERRUPTED)
    except Terminated:
        return _ended("told to end; no file is half-written", TERMINATED)
    except MemoryError:
        return _ended("ran out of memory: ask for fewer paths, or a smaller --chunk", NO_ANSWER)
    except BrokenPipeError:  # whoever read the output has seen enough
        _let_go(sys.stdout)
        return OK
    except OSError as error:  # a full disk behind standard output
        _let_go(sys.stdout)
        what = error.filename or "the output cannot be written"
        return _ended(f"{what}: {error.strerror or error}", NO_ANSWER)


def _command(arguments: Sequence[str] | None) -> int:
    try:
        options = parser().parse_args(arguments)
        code = int(options.command(options))
    except SystemExit as end:  # how argparse ends after --help, or a mistake in the arguments
        code = int(end.code or OK)
    sys.stdout.flush()
    return code


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Raise Terminated on SIGTERM, unless whoever started the program has it handled or ignored."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(*_: object) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _ended(problem: str, code: int) -> int:
    _say(f"socialfinance: {' '.join(problem.split())}")
    return code


def _show(text: str) -> None:
    """On standard output, which commands write to in no other way."""
    print(visible(text, keep="\n"), end="")


def _say(words: str) -> None:
    """One line on standard error, where there is one."""
    if sys.stderr is None:
        return
    try:
        print(visible(words), file=sys.stderr, flush=True)
    except OSError:
        _let_go(sys.stderr)


def _let_go(stream: TextIO) -> None:
    """Write no more there, so that it does not fail again when Python closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        """One line, and exit status 2."""
        self.exit(BAD_INPUT, f"{self.prog}: {visible(message)} (try {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    from socialfinance import __version__

    top = Parser(
        prog="socialfinance",
        description="Prices social impact bonds: who pays whom, when, if it works this well.",
        epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"socialfinance {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _run_options(commands)
    _explain_options(commands)
    for name, command, text, told in (
        ("replay", replay_command, "a real deal with what really happened", PORTFOLIO),
        (
            "validate",
            validate_command,
            "check files and say what is wrong with them",
            "paths or shipped names",
        ),
        ("schema", schema_command, "the JSON Schema of a kind of file, for editors", "which kind"),
        ("list", list_command, "what is shipped: portfolios, programmes, instruments", ""),
    ):
        one = commands.add_parser(name, help=text, description=_sentence(text))
        if name == "schema":
            one.add_argument("name", choices=("instrument", "programme", "portfolio"), metavar="KIND",
                             help="instrument, programme or portfolio")  # fmt: skip
        elif name == "validate":
            one.add_argument("names", nargs="+", metavar="FILE", help=told)
        elif name == "replay":
            one.add_argument("name", metavar="NAME_OR_PATH", help=told)
        _json_option(one)
        one.set_defaults(command=command)
    _pwlb_options(commands)
    return top


def _run_options(commands: Any) -> None:
    text = "simulate a portfolio and report on it"
    run = commands.add_parser("run", help=text, description=_sentence(text))
    run.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    run.add_argument(
        "--paths", type=int, default=10_000, metavar="N", help="simulated futures (default 10000)"
    )
    run.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same figures (default 1)")
    run.add_argument("--workers", type=int, metavar="N",
                     help="processes (default: as many as the run is worth, at most one a core)")  # fmt: skip
    run.add_argument("--chunk", type=int, metavar="N", help="paths a process takes at once (default 8192)")
    run.add_argument(
        "--no-compare", action="store_true", help="leave out in house and the PWLB cost of money"
    )
    run.add_argument("--deal", nargs="+", action="extend", default=[], metavar="NAME",
                     help="report on these deals only (all are run)")  # fmt: skip
    run.add_argument("--quiet", action="store_true", help="no word of progress on stderr")
    _json_option(run)
    run.set_defaults(command=run_command)


def _explain_options(commands: Any) -> None:
    text = "one future: every payment, the people, the inputs"
    one = commands.add_parser("explain", help=text, description=_sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--path", type=int, metavar="N", help="a simulated future by number, from 0")
    which.add_argument("--case", metavar="NAME", help="plan, low, actual, or another case of the deal")
    one.add_argument("--deal", metavar="NAME", help="one deal (default: all of them)")
    one.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the run (default 1)")
    one.add_argument("--with-variation", action="store_true", help="with reviews and emergency support")
    _json_option(one)
    one.set_defaults(command=explain_command)


def _pwlb_options(commands: Any) -> None:
    text = "loans of the Public Works Loan Board: rates, schedules, early repayment"
    loans = commands.add_parser("pwlb", help=text, description=_sentence(text))
    kinds = loans.add_subparsers(title="what", metavar="WHAT", required=True)
    for name, command, said in (
        ("schedule", pwlb_schedule_command, "every instalment of a loan"),
        ("rate", pwlb_rate_command, "the published rate for a term"),
        ("premature", pwlb_premature_command, "the premium or discount on early repayment"),
    ):
        one = kinds.add_parser(name, help=said, description=_sentence(said))
        one.add_argument("--method", required=True, choices=("maturity", "eip", "annuity"))
        if name == "premature":
            one.add_argument(
                "--outstanding", required=True, metavar="POUNDS", help="principal not yet repaid"
            )
            one.add_argument("--loan-rate", required=True, metavar="PERCENT", help="the loan's rate")
            one.add_argument("--repayment-rate", metavar="PERCENT",
                             help="default: as published for this method and term")  # fmt: skip
            one.add_argument("--half-years", type=int, required=True, metavar="N", help="half-years left")
            one.add_argument("--days", type=int, default=0, metavar="N", help="since the last interest")
        else:
            one.add_argument("--years", type=float, required=True, metavar="N", help="term, by half-years")
            one.add_argument("--product", metavar="NAME",
                             help="standard, certainty (default), hra, local-infrastructure")  # fmt: skip
        if name == "schedule":
            one.add_argument("--principal", required=True, metavar="POUNDS")
            one.add_argument("--rate", metavar="PERCENT", help="default: the published rate")
        one.add_argument("--on", metavar="DATE", help="rates published on or before this day")
        one.add_argument("--table", type=Path, metavar="CSV", help="a rate table of your own")
        one.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows as CSV")
        _json_option(one)
        one.set_defaults(command=command)


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to a file, as JSON")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


# --- run ------------------------------------------------------------------------------------------


def run_command(options: argparse.Namespace) -> int:
    """Simulate, write the file, print the report."""
    from socialfinance.engine.run import CHUNK, check_memory, estimate
    from socialfinance.reports.console import report

    began = time.monotonic()
    _check_writable(options.json)
    loaded, ready = _prepared(options.name, options.json)
    for deal in options.deal:
        _deal(ready, deal)
    chunk = CHUNK if options.chunk is None else options.chunk
    needs = estimate(ready, options.paths, chunk, options.workers)
    check_memory(needs)
    if not options.quiet:
        _say(_dry_run(ready, needs))
    result = _simulated(loaded, options, needs)
    if options.json:
        result.to_json(options.json)
    _show(report(result, ready, options.deal))
    if not options.quiet:
        _say(f"Took {time.monotonic() - began:,.1f} s.")
    return OK


def _simulated(loaded: Loaded, options: argparse.Namespace, needs: Estimate) -> Result:
    from socialfinance import simulate

    with _progress(options, needs) as progress:
        return simulate(
            loaded, options.paths, options.seed, options.workers, options.chunk, progress,
            not options.no_compare,
        )  # fmt: skip


def _dry_run(ready: ReadyPortfolio, needs: Estimate) -> str:
    from socialfinance.kernels.luck import backend

    return (
        f"{needs.paths:,} paths of {_counted(ready)}; about {needs.total_bytes / 2**20:,.0f} MiB of memory; "
        f"{needs.workers} worker{'s' * (needs.workers != 1)}; {backend()} backend."
    )


def _counted(ready: ReadyPortfolio) -> str:
    return f"{len(ready.deals)} deal{'s' * (len(ready.deals) != 1)} over {ready.calendar.quarters} quarters"


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


# --- explain, replay ------------------------------------------------------------------------------


def explain_command(options: argparse.Namespace) -> int:
    """One future, line by line."""
    from socialfinance.engine.explain import explain_case, explain_path
    from socialfinance.engine.explain_fund import explain_fund
    from socialfinance.io.write import write_json
    from socialfinance.reports.future import explanation, fund_explanation, fund_rows, rows

    _check_writable(options.json)
    loaded, ready = _prepared(options.name, options.json)
    deals = (_deal(ready, options.deal),) if options.deal else ready.deals
    try:
        found = []
        for deal in deals:
            varied = options.with_variation and (deal.varied is not None or len(deals) == 1)
            if options.case is not None:
                found.append(explain_case(ready, deal, options.case, varied))
            else:
                found.append(explain_path(ready, deal, options.path, options.seed, varied))
    except InputError as error:
        raise loaded.place(error) from None
    whole = options.case is None and not options.deal
    fund = explain_fund(ready, options.path, options.seed) if whole else None
    if options.json:
        which = {"case": options.case} if options.case else {"path": options.path, "seed": options.seed}
        found_rows = {**rows(found), **fund_rows(fund)}
        write_json(options.json, {"provenance": _provenance(loaded, **which), **found_rows})
    symbol = CURRENCIES[loaded.portfolio.currency].symbol
    _show(explanation(found, _titles(ready), symbol) + fund_explanation(fund, symbol))
    return OK


# --- pwlb -----------------------------------------------------------------------------------------


def pwlb_schedule_command(options: argparse.Namespace) -> int:
    """Every instalment."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import schedule_page

    _check_outputs(options)
    if options.rate is not None and (options.product or options.on or options.table):
        raise InputError("is given, so nothing is looked up", field="--rate", given=options.rate,
                         allowed="without --product, --on and --table")  # fmt: skip
    rate = _per_cent("--rate", options.rate) if options.rate is not None else _published(options)
    principal = _pounds("--principal", options.principal)
    frame = pwlb.schedule(principal, rate, options.years, options.method)
    basis = "" if options.rate is not None else f"{_table(options).source}."
    rows = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    _write_rows(options, rows, rate=rate, principal=str(principal))
    _show(schedule_page(frame, principal, rate, options.method, basis))
    return OK


def pwlb_rate_command(options: argparse.Namespace) -> int:
    """One published rate."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import rate_page

    _check_outputs(options)
    rate, table = _published(options), _table(options)
    what = options.product or "certainty"
    row = {"years": options.years, "method": options.method, "product": what, "rate": rate,
           "effective": pwlb.effective_rate(rate), "published": table.published.isoformat(),
           "source": table.source}  # fmt: skip
    _write_rows(options, [row])
    _show(rate_page(rate, options.years, options.method, what, table))
    return OK


def pwlb_premature_command(options: argparse.Namespace) -> int:
    """What it costs to repay early."""
    from socialfinance.markets import pwlb
    from socialfinance.reports.pwlb import premature_page

    _check_outputs(options)
    outstanding = _pounds("--outstanding", options.outstanding)
    if options.repayment_rate is not None:
        now, basis = _per_cent("--repayment-rate", options.repayment_rate), "as given"
    else:
        given = pwlb.read_table(options.table) if options.table else None
        now = pwlb.rate(
            options.half_years / 2, options.method, kind="premature", on=_day("--on", options.on), given=given
        )
        basis = f"published {_table(options).published}: {_table(options).source}"
    loan = _per_cent("--loan-rate", options.loan_rate)
    found = pwlb.premature_repayment(options.method, outstanding, loan, now, options.half_years, options.days)
    row = {"outstanding": float(outstanding), "repayment_rate": now, **{k: float(v) for k, v in
           found._asdict().items()}}  # fmt: skip
    _write_rows(options, [row])
    _show(premature_page(found, outstanding, loan, now, basis))
    return OK


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse files that could not be written, or that would replace the rate table or one another."""
    from socialfinance.io.write import refuse_to_replace

    for output in (options.csv, options.json):
        _check_writable(output)
        if options.table is not None:
            refuse_to_replace(output, options.table)
    if (
        options.csv is not None
        and options.json is not None
        and options.csv.resolve() == options.json.resolve()
    ):
        raise InputError(
            "is the file of --csv too: give another name", file=str(options.json), field="--json"
        )


def _published(options: argparse.Namespace) -> float:
    from socialfinance.markets import pwlb

    given = pwlb.read_table(options.table) if options.table else None
    day = _day("--on", options.on)
    return pwlb.rate(options.years, options.method, options.product, on=day, given=given)


def _table(options: argparse.Namespace) -> Any:
    from socialfinance.markets import pwlb

    return pwlb.read_table(options.table) if options.table else pwlb.table(_day("--on", options.on))


def _day(field: str, written: str | None) -> Any:
    from datetime import date

    try:
        return None if written is None else date.fromisoformat(written)
    except ValueError:
        raise InputError("is not a date", field=field, given=written, allowed="YYYY-MM-DD") from None


def _per_cent(field: str, written: str) -> float:
    """A rate written in per cent as a fraction."""
    number = _number(field, written, "0 to 100, in per cent")
    if not 0 <= number <= 100:
        raise InputError("is out of range", field=field, given=written, allowed="0 to 100, in per cent")
    return float(number / 100)


def _pounds(field: str, written: str) -> Any:
    number = _number(field, written, "pounds, above 0")
    if number <= 0:
        raise InputError("is out of range", field=field, given=written, allowed="pounds, above 0")
    return number


def _number(field: str, written: str, allowed: str) -> Any:
    from decimal import Decimal, InvalidOperation

    try:
        number = Decimal(written.replace(",", ""))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise InputError("is not a number", field=field, given=written, allowed=allowed)
    return number


def _write_rows(options: argparse.Namespace, rows: list[dict[str, Any]], **more: object) -> None:
    """The rows as CSV and JSON, where asked for."""
    from socialfinance import __version__
    from socialfinance.io.write import write_json, write_text

    if options.csv:
        import csv
        import io

        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(options.csv, text.getvalue())
    if options.json:
        provenance = {"package": "socialfinance", "version": __version__, **more}
        write_json(options.json, {"provenance": provenance, "rows": rows})


def replay_command(options: argparse.Namespace) -> int:
    """The model beside what was published."""
    from socialfinance.engine.replay import replay
    from socialfinance.io.write import write_json
    from socialfinance.reports.comparison import replayed

    _check_writable(options.json)
    loaded, ready = _prepared(options.name, options.json)
    try:
        found = replay(ready)
    except InputError as error:
        raise loaded.place(error) from None
    if options.json:
        rows = [row._asdict() for row in found]
        write_json(options.json, {"provenance": _provenance(loaded), "replay": rows})
    _show(replayed(loaded.portfolio.title or loaded.portfolio.name, found))
    return OK


def _provenance(loaded: Loaded, **more: object) -> dict[str, object]:
    from socialfinance import __version__

    return {
        "package": "socialfinance",
        "version": __version__,
        "portfolio": loaded.portfolio.name,
        "currency": loaded.portfolio.currency,
        **more,
        "inputs": {
            name: {"path": file.path, "sha256": file.sha256, "text": file.text}
            for name, file in loaded.inputs.items()
        },
        "resolved": loaded.portfolio.model_dump(mode="json"),
    }


def _titles(ready: ReadyPortfolio) -> Callable[[str], str]:
    return lambda party: ready.parties[party].title or party


# --- validate, schema, list -----------------------------------------------------------------------


def validate_command(options: argparse.Namespace) -> int:
    """Check every file; 2 if any is bad."""
    from socialfinance.io.write import write_json

    _check_writable(options.json)
    rows = [_validated(name, options.json) for name in options.names]
    for row in rows:
        if row["ok"]:
            _show(f"{visible(row['file'])}: {row['text']}\n")
            _show("".join(f"- {visible(note)}\n" for note in row["notes"]))
        else:
            _say(row["text"])
    if options.json:
        write_json(options.json, {"validated": rows})
    return OK if all(row["ok"] for row in rows) else BAD_INPUT


def _validated(name: str, output: Path | None) -> dict[str, Any]:
    from socialfinance.io.files import A_PART, load_part
    from socialfinance.io.write import OutputIsInput
    from socialfinance.reports.inputs import count_sources

    try:
        part = load_part(name, output)
        if part is not None:
            counted = count_sources(part.terms)
            about, notes = f"{A_PART[part.kind]} ({getattr(part.terms, 'kind', '')})", [UNCHECKED]
        else:
            loaded, ready = _prepared(name, output)
            counted = count_sources(loaded.portfolio)
            about = f"{_counted(ready)} from {ready.calendar.start.isoformat()}"
            notes = [f"{deal.name}: {note}." for deal in ready.deals for note in deal.own.lowered.notes]
    except OutputIsInput:
        raise
    except InputError as error:
        return {"file": name, "ok": False, "text": " ".join(str(error).split()), "notes": []}
    text = (
        f"ok: {about}, {counted.total} numbers "
        f"({counted.sourced} with a source, {counted.illustrative} illustrative, {counted.unsaid} neither)"
    )
    return {"file": name, "ok": True, "text": text, "notes": notes}


def schema_command(options: argparse.Namespace) -> int:
    """Print a JSON Schema, or write it to a file."""
    from socialfinance.io.schema import schema
    from socialfinance.io.write import write_json

    _check_writable(options.json)
    found = schema(options.name)
    if options.json:
        write_json(options.json, found)
    else:
        _show(json.dumps(found, indent=1) + "\n")
    return OK


def list_command(options: argparse.Namespace) -> int:
    """What comes with the package."""
    from socialfinance.io.write import write_json
    from socialfinance.reports.catalogue import shown

    _check_writable(options.json)
    rows = catalogue(options.json)
    if options.json:
        write_json(options.json, {"shipped": [row._asdict() for row in rows]})
    _show(shown(rows))
    return OK


def catalogue(output: Path | None = None) -> list[Entry]:
    """Every shipped file, portfolios first; ``output`` must be none of them."""
    from socialfinance.io.shipped import Kind, shipped

    kinds: tuple[Kind, ...] = ("portfolios", "programmes", "instruments")
    return [_entry(kind, name, path, output) for kind in kinds for name, path in shipped(kind).items()]


def _entry(kind: str, name: str, path: Path, output: Path | None) -> Entry:
    from socialfinance.io.write import refuse_to_replace
    from socialfinance.io.yaml import parse, plain, read_bytes
    from socialfinance.reports.catalogue import Entry

    refuse_to_replace(output, path)
    content = read_bytes(path, path.name)
    data: dict[str, Any] = plain(parse(content, path.name))
    deals = data.get("deals")
    known = list(deals.values()) if isinstance(deals, dict) else []
    title = str(data.get("title") or _first_sentence(content.decode("utf-8")) or name)
    return Entry(kind, name, title, any(isinstance(deal, dict) and "published" in deal for deal in known))


def _first_sentence(text: str) -> str:
    """What the comment at the top of a file says first."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[2:].strip())
    return " ".join(lines).split(". ")[0].rstrip(".")


# --- shared ---------------------------------------------------------------------------------------


def _prepared(name: str, output: Path | None) -> tuple[Loaded, ReadyPortfolio]:
    """A portfolio loaded and made ready; an error says where in the file. ``output`` must not be read."""
    from socialfinance.engine.ready import prepare
    from socialfinance.io.files import load

    loaded = load(name, output)
    try:
        return loaded, prepare(loaded.portfolio)
    except InputError as error:
        raise loaded.place(error) from None


def _deal(ready: ReadyPortfolio, name: str) -> ReadyDeal:
    for deal in ready.deals:
        if deal.name == name:
            return deal
    names = ", ".join(deal.name for deal in ready.deals)
    raise InputError("is not a deal of this portfolio", field="--deal", given=name, allowed=names)


def _check_writable(path: Path | None) -> None:
    """Refuse a file that could not be written before anything is run."""
    if path is None:
        return
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass  # a new file, or a folder that is missing: said below
    except OSError as error:  # a name that is too long
        problem = f"cannot be written: {error.strerror}"
        raise InputError(problem, file=str(path), field="--json") from None
    if os.path.isdir(path):
        raise InputError("is a folder: give a file name", file=str(path), field="--json")
    if not os.path.isdir(path.parent):
        raise InputError("its folder does not exist", file=str(path), field="--json")
    if not os.access(path.parent, os.W_OK):
        raise InputError("no permission to write there", file=str(path), field="--json")


if __name__ == "__main__":
    sys.exit(main())
