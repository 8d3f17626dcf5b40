"""A new structure takes the four kinds of file that ARCHITECTURE.md names, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MODULE = '''
"""The commissioner pays the planned cost in advance; what is not spent goes back at the end."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

from socialfinance.core.ledger import Leg
from socialfinance.core.terms import Sourced
from socialfinance.instruments.base import PEOPLE, Brief, Figure, Lowered, Now
from socialfinance.kernels.elementwise import least, part
from socialfinance.programmes.base import Orders


class AdvancePayment(Sourced):
    """Terms: a share of each quarter's planned cost is paid when the quarter ends."""

    finances: ClassVar[frozenset[str]] = PEOPLE
    kind: Literal["advance-payment"]
    share: float = 1.0
    """of planned cost"""

    def lower(self, brief: Brief) -> Lowered:
        """Floats, a step, and the legs of its payments."""
        planned = tuple(Row(self.share * sum(a.costs), float(t == brief.rows - 1))
                        for t, a in enumerate(brief.plan))
        return Lowered(
            terms=Terms(0.0), opening=State(0.0, 0.0), lags=(),
            legs=Payments(Leg("commissioner", "vehicle", "grant"),
                          Leg("vehicle", "provider", "service payment"),
                          Leg("vehicle", "commissioner", "surplus share")),
            schedule=planned, ask=ask, step=step,
            figures=(Figure("unpaid_cost", "pounds", lambda state: state.unpaid),),
            contract_value={}, maximum={"commissioner": sum(row.advance for row in planned)},
            uses=tuple(True for _ in brief.costs),
        )


class Terms(NamedTuple):
    nothing: float


class State(NamedTuple):
    cash: Any
    unpaid: Any


class Row(NamedTuple):
    advance: float
    last: float


class Payments(NamedTuple):
    advance: Any
    service: Any
    back: Any


def ask(terms: Any, state: Any, now: Now) -> Any:
    """Nobody is asked for money."""
    return 0.0


def step(terms: Any, state: State, now: Now) -> tuple[State, Payments, Orders, Any]:
    """Pay the cost as far as there is cash."""
    cost = now.activity.costs[0]
    for j in range(1, len(now.activity.costs)):
        cost = cost + now.activity.costs[j]
    owed = cost + state.unpaid
    cash = state.cash + now.plan.advance
    paid = least(cash, owed)
    back = part(cash - paid, now.plan.last)
    payments = Payments(now.plan.advance, paid, back)
    return State(cash - paid - back, owed - paid), payments, Orders(1.0, 1.0, 1.0), ()
'''
SHEET = """# Payment in advance: the commissioner pays the planned cost, and what is not spent goes back.
kind: advance-payment
share: 1.0
illustrative: true
"""
DEAL = """based_on: edge-of-care
name: toy
deals:
  edge-of-care:
    instrument: advance-payment
    parties: {investor: null}
"""
UNION = ("    SocialImpactBond\n", "    SocialImpactBond\n    | AdvancePayment\n")
IMPORT = (
    "from socialfinance.instruments.social_impact_bond",
    "from socialfinance.instruments.advance_payment import AdvancePayment\n"
    "from socialfinance.instruments.social_impact_bond",
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house with the toy in it: a module, a line in the union, a term sheet (and a page)."""
    copy = tmp_path_factory.mktemp("house")
    for part in ("socialfinance", "instruments", "portfolios"):
        shutil.copytree(ROOT / part, copy / part)  # compiled files too: what is changed below is newer
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "socialfinance/instruments/advance_payment.py").write_text(MODULE, encoding="utf-8")
    catalogue = copy / "socialfinance/instruments/catalogue.py"
    text = catalogue.read_text(encoding="utf-8")
    for before, after in (UNION, IMPORT):
        assert before in text
        text = text.replace(before, after, 1)
    catalogue.write_text(text, encoding="utf-8")
    (copy / "instruments/advance-payment.yaml").write_text(SHEET, encoding="utf-8")
    (copy / "toy.yaml").write_text(DEAL, encoding="utf-8")
    return copy


def said(house: Path, *words: str) -> str:
    """What a command prints in that house."""
    done = subprocess.run(
        [sys.executable, "-m", "socialfinance", *words], cwd=house, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(house)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list",), "Payment in advance: the commissioner pays the planned cost"),
        (("validate", "toy.yaml"), "ok: 1 deal"),
        (("schema", "instrument"), "AdvancePayment"),
        (("explain", "toy.yaml", "--path", "3"), "surplus share"),
        (("run", "toy.yaml", "--paths", "500", "--quiet"), "Eastmere County Council (made up)"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_every_command_knows_it(house: Path, words: tuple[str, ...], told: str) -> None:
    assert told in said(house, *words)
