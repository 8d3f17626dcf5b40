"""``socialfinance calibrate | backtest``: what projects were paid, against plan and against forecasts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import OK, check_writable, json_option, say, sentence, show
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    from socialfinance.evidence.calibrate import Priors
    from socialfinance.evidence.panel import Panel

TABLE = "a CSV file with a line for each project: project, sector, plan, paid, and more where known"


def backtest_options(commands: Any) -> None:
    """``calibrate`` and ``backtest`` and their options."""
    text = "fit failure, spread, shock and sectors to a table of projects"
    one = _added(commands, "calibrate", calibrate_command, text)
    one.add_argument("--metrics", type=Path, metavar="FILE",
                     help="a CSV file of metrics: project, metric, stage, target, achieved")  # fmt: skip
    one.add_argument("--bad-year", type=int, default=2020, metavar="YEAR",
                     help="the year of the common shock (default 2020)")  # fmt: skip
    one.add_argument("--write", type=Path, metavar="FILE", help="write a prior file, YAML")
    text = "hold forecasts of paid over plan against what was paid, project by project"
    two = _added(commands, "backtest", backtest_command, text)
    two.add_argument("--priors", type=Path, metavar="FILE", help="also judge a prior file of calibrate")


def _added(commands: Any, name: str, command: Any, text: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser(name, help=text, description=sentence(text))
    one.add_argument("table", metavar="TABLE", help=TABLE)
    one.add_argument("--failure", nargs=2, default=("0", "0.5"), metavar=("LOW", "HIGH"),
                     help="paid / plan of projects whose delivery failed (default 0 0.5)")  # fmt: skip
    one.add_argument("--seed", type=int, default=1, metavar="N", help="of the bootstrap (default 1)")
    json_option(one)
    one.set_defaults(command=command)
    return one


def calibrate_command(options: argparse.Namespace) -> int:
    """Fit, write files, print the page."""
    from datetime import date

    from socialfinance import __version__
    from socialfinance.evidence.calibrate import calibrate, priors
    from socialfinance.evidence.panel import read_metrics
    from socialfinance.io.write import write_json, write_text
    from socialfinance.io.yaml import dump
    from socialfinance.reports.calibrate import calibration_page

    _check_seed(options.seed)
    if not 1900 <= options.bad_year <= 2200:
        raise InputError("is no year", field="--bad-year", given=options.bad_year, allowed="1900 to 2200")
    panel = _panel(options, (options.json, "--json"), (options.write, "--write"))
    _spare(options.metrics, (options.json, "--json"), (options.write, "--write"))
    metrics = read_metrics(options.metrics) if options.metrics else None
    found = calibrate(panel, metrics, _failure(options), options.bad_year, seed=options.seed)
    if options.write:
        made = priors(found, date.today(), f"socialfinance {__version__} calibrate")
        write_text(options.write, dump(made.model_dump(exclude_unset=True, exclude_none=True)))
        say(f"Wrote {options.write}.")
    if options.json:
        write_json(options.json, {"provenance": _provenance(panel, options), "calibration": _plain(found)})
    show(calibration_page(found))
    return OK


def backtest_command(options: argparse.Namespace) -> int:
    """Forecast, score, write the file, print the page."""
    from socialfinance.evidence.backtest import backtest
    from socialfinance.io.write import write_json
    from socialfinance.reports.backtest import backtest_page

    _check_seed(options.seed)
    panel = _panel(options, (options.json, "--json"))
    _spare(options.priors, (options.json, "--json"))
    given = read_priors(options.priors) if options.priors else None
    found = backtest(panel, _failure(options), given.regimes if given else None, options.seed)
    if options.json:
        made = given.model_dump(mode="json", exclude_unset=True) if given else None
        provenance = {**_provenance(panel, options), "priors": made}
        write_json(options.json, {"provenance": provenance, "backtest": _plain(found)})
    show(backtest_page(found, given is not None and given.made.sha256 == panel.sha256))
    return OK


def _panel(options: argparse.Namespace, *outputs: tuple[Path | None, str]) -> Panel:
    """The table, once what would be written over it or nowhere is refused."""
    from socialfinance.evidence.panel import read_panel

    for output, field in outputs:
        check_writable(output, field)
    _spare(Path(options.table), *outputs)
    if len({output.resolve() for output, _ in outputs if output}) < sum(
        bool(output) for output, _ in outputs
    ):
        raise InputError("is written twice: give another name", file=str(outputs[0][0]), field=outputs[0][1])
    return read_panel(options.table)


def _spare(read: Path | None, *outputs: tuple[Path | None, str]) -> None:
    """Refuse an output that is a file which is read."""
    from socialfinance.io.write import OutputIsInput, refuse_to_replace

    for output, field in outputs:
        try:
            if read is not None:
                refuse_to_replace(output, read)
        except OutputIsInput as error:
            raise InputError(error.problem, file=error.file, field=field) from None


def _failure(options: argparse.Namespace) -> tuple[float, float]:
    from socialfinance.cli.given import given_number

    low, high = (float(given_number("--failure", text, "from 0 to 1")) for text in options.failure)
    if not 0.0 <= low < high <= 1.0:
        raise InputError("is no range", field="--failure", given=" ".join(options.failure),
                         allowed="two numbers from 0 to 1, the lower first")  # fmt: skip
    return low, high


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise InputError("must not be below 0", field="--seed", given=seed)


def read_priors(path: Path) -> Priors:
    """A prior file; errors name file, line and field."""
    from pydantic import ValidationError

    from socialfinance.evidence.calibrate import Priors
    from socialfinance.io.messages import first_problem
    from socialfinance.io.yaml import marks, parse, plain, read_bytes

    node = parse(read_bytes(path, str(path)), str(path))
    data = plain(node)
    try:
        return Priors.model_validate(data)
    except ValidationError as error:
        raise first_problem(error, Priors, data, marks(node), str(path)) from None


def _provenance(panel: Panel, options: argparse.Namespace) -> dict[str, object]:
    from socialfinance import __version__

    return {
        "package": "socialfinance", "version": __version__, "table": panel.file, "sha256": panel.sha256,
        "failure": _failure(options), "seed": options.seed,
    }  # fmt: skip


def _plain(found: Any) -> Any:
    """Named tuples as mappings, arrays as lists; of the table itself only its name, sum and flags."""
    from socialfinance.evidence.panel import Metrics, Panel

    if isinstance(found, Panel | Metrics):
        return {
            name: _plain(value) for name, value in found._asdict().items() if name not in ("projects", "rows")
        }
    if hasattr(found, "_asdict"):
        return {name: _plain(value) for name, value in found._asdict().items()}
    if isinstance(found, dict):
        return {str(name): _plain(value) for name, value in found.items()}
    if isinstance(found, list | tuple):
        return [_plain(value) for value in found]
    return found.tolist() if hasattr(found, "tolist") else found
