"""The front door: which commands there are, how a command ends, and with what status."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from socialfinance.cli.backtest import backtest_options
from socialfinance.cli.compare import compare_options
from socialfinance.cli.council import council_options
from socialfinance.cli.evidence import evidence_options
from socialfinance.cli.explore import explore_options
from socialfinance.cli.files import files_options
from socialfinance.cli.future import explain_options, replay_options
from socialfinance.cli.observe import observe_options
from socialfinance.cli.paper import paper_options
from socialfinance.cli.publish import publish_options
from socialfinance.cli.pwlb import pwlb_options
from socialfinance.cli.run import run_options
from socialfinance.cli.scorecard import scorecard_options
from socialfinance.cli.sensitivity import sensitivity_options
from socialfinance.cli.shared import BAD_INPUT, INTERRUPTED, NO_ANSWER, OK, TERMINATED, let_go, say
from socialfinance.cli.solve import solve_options
from socialfinance.cli.template import template_options
from socialfinance.core.errors import InputError, RunError
from socialfinance.core.text import visible

GROUPS = (run_options, explain_options, replay_options, solve_options, files_options, template_options,
          pwlb_options, council_options, paper_options, compare_options, sensitivity_options,
          evidence_options, observe_options, backtest_options, scorecard_options, publish_options,
          explore_options)  # fmt: skip
"""What each group of commands adds to the parser, in the order of ``--help``. A new group is one more."""
EXAMPLES = """
examples:
  socialfinance list
  socialfinance run collective-impact-fund --paths 100000 --seed 7 --json run.json
  socialfinance explain collective-impact-fund --path 4711
  socialfinance council collective-impact-fund --council eastmere
  socialfinance solve edge-of-care --vary deals.edge-of-care.tariff.prices --target "investor.npv.mean == 0"
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
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads would only wait
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
        let_go(sys.stdout)
        return OK
    except OSError as error:  # a full disk behind standard output
        let_go(sys.stdout)
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
    say(f"socialfinance: {' '.join(problem.split())}")
    return code


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
    for add_options in GROUPS:
        add_options(commands)
    return top
