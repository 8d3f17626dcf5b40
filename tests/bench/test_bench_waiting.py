"""What somebody at a terminal waits for: whole commands in fresh processes, and reports of a large result."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from shlex import join
from typing import Any

import pytest

import socialfinance as sf
from socialfinance.reports.console import report
from tests.bench.reference import reference_fund
from tests.bench.test_bench import in_turn, seconds

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
WAITING, LARGE, FIRST = "What a user waits for", "A large result", "The first run of all"
IMPORTS = [sys.executable, "-c", "import numpy, pandas, scipy.special"]
SOLVED = (
    "--vary", "deals.edge-of-care.tariff.prices", "--target", "investor.npv.mean == 0",
)  # fmt: skip
COMMANDS = {
    "import socialfinance": (),
    "a deal is checked": ("validate", "edge-of-care"),
    "a deal is priced": ("run", "edge-of-care"),
    "a price is solved": ("solve", "edge-of-care", *SOLVED),
    "its structures are compared": ("compare", "family-therapy", "--structures", "all"),
    "what moves it most": ("tornado", "edge-of-care", "--target", "investor.npv.mean"),
    "a fund of twelve deals is priced": ("run", "collective-impact-fund"),
    "what a council promised in it": ("council", "collective-impact-fund", "--council", "eastmere"),
}


def test_what_a_user_waits_for(page: Any) -> None:
    """Default numbers of futures, everything printed; beside the imports that all of them begin with."""
    page.table(
        WAITING,
        "Whole commands in fresh processes, each with its default number of futures and of workers, "
        "everything printed. The measure is the time Python takes to import NumPy, pandas and SciPy's "
        "special functions.",
        ("What", "Command", "Seconds", "Times those imports"),
    )
    for what, words in COMMANDS.items():
        command = [sys.executable, "-m", "socialfinance", *words]
        if not words:
            command = [sys.executable, "-c", "import socialfinance"]
        took, least = in_turn(
            lambda given=command: seconds(lambda: _done(given)),
            lambda: seconds(lambda: _done(IMPORTS)),
            rounds=3,
        )
        shown = f"`socialfinance {join(words)}`" if words else ""
        page.row(WAITING, what, shown, f"{took:.1f}", f"{took / least:.1f}")


def test_the_first_run_of_all(page: Any, tmp_path: Path) -> None:
    """What compiling costs where nothing is compiled yet: kernels are kept on disk."""
    page.table(
        FIRST,
        "The same command on one worker with no compiled kernel on disk, and again: what is compiled once "
        "for an installation. A long run also puts deals onto tapes, which takes one kernel more.",
        ("Command", "First, seconds", "Again", "Compiling"),
    )
    for paths in (10_240, 65_536):
        words = ("run", "edge-of-care", "--paths", f"{paths}", "--workers", "1")
        command = [sys.executable, "-m", "socialfinance", *words]
        where = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / f"{paths}")}
        first, again = (seconds(partial(_done, command, where)) for _ in range(2))
        page.row(
            FIRST, f"`socialfinance {join(words)}`", f"{first:.1f}", f"{again:.1f}", f"{first - again:.1f}"
        )


def _done(command: list[str], where: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_reports_of_a_large_result(page: Any, tmp_path: Path) -> None:
    """Forty deals: what is printed, JSON, frames, a workbook and a page, beside the run they come from."""
    found: list[sf.Result] = []
    fund = reference_fund()
    took = seconds(lambda: found.append(sf.simulate(fund, paths=32_768, seed=7, compare=False)))
    (result,) = found
    page.table(
        LARGE,
        f"The reference fund at 32,768 paths, {len(result.measures_rows):,} figures and "
        f"{len(result.flow_rows):,} flows; the run itself is 1.",
        ("What", "Seconds", "Share of the run"),
    )
    page.row(LARGE, "the run", f"{took:.1f}", "1.00")
    for what, work in {
        "console report": lambda: report(result),
        "frame of figures": lambda: result.measures,
        "JSON": lambda: result.to_json(tmp_path / "run.json"),
        "workbook": lambda: result.to_excel(tmp_path / "run.xlsx"),
        "page": lambda: result.to_html(tmp_path / "run.html"),
    }.items():
        (least,) = in_turn(lambda one=work: seconds(one), rounds=3)
        page.row(LARGE, what, f"{least:.2f}", f"{least / took:.2f}")
