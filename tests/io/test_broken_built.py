"""What is built, and what pays for it, broken in many ways: each gives one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.io.small import write
from tests.io.test_broken_alternatives import refused

ASSET, STRIP, BUILD = "demo-asset-backed", "demo-income-strip", "council"
DEAL = {ASSET: "park homes", STRIP: "keyworker flats", BUILD: "park homes"}
BROKEN: dict[str, tuple[str, str, str, str]] = {
    # an asset-backed deal
    "shares of the surplus above one": (
        ASSET, "instrument: {capital: {council: {surplus: 0.9}}}",
        "instrument.capital", "shares of the surplus must sum to 1, they sum to 1.6",
    ),
    "land put in twice": (
        ASSET, "instrument: {capital: {council: {land: 0.5}}}",
        "instrument.land", "is put in more than once: payments and capital sum to 1.5 of it",
    ),
    "a lock-up above the breach": (
        ASSET, "instrument: {covenants: {loan_to_value: {lock_up: 0.8}}}",
        "instrument.covenants.loan_to_value.lock_up", "must not be above most, which is 0.75",
    ),
    "a lock-up below the breach of cover": (
        ASSET, "instrument: {covenants: {interest_cover: {lock_up: 1.0}}}",
        "instrument.covenants.interest_cover.lock_up", "must not be below least, which is 1.1",
    ),
    "a guarantee that waits for maturity": (
        ASSET, "instrument: {layers: [{guarantor: commissioner, cover: 0.5, when: maturity}]}",
        "instrument.layers[0].when", "the guarantee follows the sale",
    ),
    "a guarantor whom nobody is": (
        ASSET, "instrument: {layers: [{guarantor: insurer, cover: 0.5}]}",
        "parties.insurer", "is a role that no party fills",
    ),
    "more than all of a loss covered": (
        ASSET, "instrument: {layers: [{guarantor: commissioner, cover: 1.2}]}",
        "instrument.layers[0].cover", "must be at most 1 (given 1.2)",
    ),
    "a loan drawn after it is repaid": (
        ASSET, "instrument: {loan: {availability_quarters: 53}}",
        "instrument.loan.availability_quarters", "cannot be drawn after its last instalment",
    ),
    "no time left to sell": (
        ASSET, "instrument: {exit: null, loan: {repayment: {last_quarter: 60}}}",
        "instrument.loan.repayment.last_quarter", "leaves no time to sell the collateral",
    ),
    "instalments that end before they begin": (
        ASSET, "instrument: {loan: {repayment: {first_quarter: 53}}}",
        "instrument.loan.repayment.last_quarter", "is before first_quarter",
    ),
    "a sale that costs more than it brings": (
        ASSET, "instrument: {sale_cost: 1.5}",
        "instrument.sale_cost", "must be at most 1",
    ),
    "a loan to value of nothing": (
        ASSET, "instrument: {covenants: {loan_to_value: {most: 0.0}}}",
        "instrument.covenants.loan_to_value.most", "must be above 0",
    ),
    "land paid for after the end": (
        ASSET, "instrument: {land: {payments: [{quarter: 70, share: 0.0}]}}",
        "instrument.land.payments[0].quarter", "is after the last quarter of the file",
    ),
    "a rate of no known kind": (
        ASSET, "instrument: {loan: {rate: {reference: libor}}}",
        "instrument.loan.rate.reference", "is not one of the allowed values (given 'libor'",
    ),
    # what is built
    "nothing sold and nothing let": (
        ASSET, "programme: {sales: null, lettings: null}",
        "programme", "give sales, lettings or both",
    ),
    "a cost on homes that there are not": (
        ASSET, "programme: {costs: {management and repairs: {on: flats}}}",
        "programme.costs.management and repairs.on", "names no sale or letting: 'flats'",
    ),
    "a collar the wrong way round": (
        ASSET, "programme: {lettings: {affordable homes: {collar: [0.07, 0.0]}}}",
        "programme.lettings.affordable homes.collar", "the least is above the most",
    ),
    "a void of more than all": (
        ASSET, "programme: {lettings: {affordable homes: {void: 1.2}}}",
        "programme.lettings.affordable homes.void", "must be planned from 0 to 1, given 1.2",
    ),
    "a cost by two measures": (
        ASSET, "programme: {costs: {selling: {per_quarter: 100.0}}}",
        "programme.costs.selling", "give one of",
    ),
    "consent by a chance of nine": (
        ASSET, "programme: {planning: {chance: 9.0}}",
        "programme.planning.chance", "must be at most 1 (given 9.0)",
    ),
    "works of no quarters": (
        ASSET, "programme: {build: {quarters: 0}}",
        "programme.build.quarters", "must be at least 1 (given 0)",
    ),
    "a loan pool on homes": (
        ASSET, "instrument: loan-pool",
        "instrument.kind", "does not finance a development (given 'loan-pool'",
    ),
    # an income strip, and a council that builds
    "a collar of rents the wrong way round": (
        STRIP, "instrument: {indexation: {rises: [0.05, 0.01]}}",
        "instrument.indexation.rises", "the least is above the most",
    ),
    "a lease that outlives the file": (
        STRIP, "instrument: {quarters: 170}",
        "instrument.quarters", "goes on after the last quarter of the file (given 170; allowed: at most 160)",
    ),
    "an index that is not there": (
        STRIP, "instrument: {indexation: {index: rents}}",
        "instrument.indexation.index", "names an index the portfolio does not have (given 'rents'",
    ),
    "a rent below nothing": (
        STRIP, "instrument: {rent: -1.0}",
        "instrument.rent", "must be at least 0 (given -1.0)",
    ),
    "a council that borrows by a method of its own": (
        BUILD, "instrument: {method: bullet}",
        "instrument.method", "is not one of the allowed values (given 'bullet'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_deal_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """The line on which it stands, its field, and what is wrong with it."""
    demo, change, field, words = BROKEN[name]
    deal = DEAL[demo]
    text = f"based_on: {ASSET if demo == BUILD else demo}\nname: broken\ndeals:\n  {deal}:\n"
    if demo == BUILD:
        change = change.replace("{", "{based_on: council-build, ")
    text += f"    {change}\n"
    error = refused(write(tmp_path, "small.yaml", text))
    assert error.field == f"deals.{deal}.{field}", str(error)
    assert words in str(error)
    assert "\n" not in str(error)
