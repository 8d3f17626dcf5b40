"""Guaranteed debt broken in many ways: each gives one clear line; a gap in the cover is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialfinance.engine.ready import prepare
from socialfinance.io.files import load
from tests.io.small import line_of, write
from tests.io.test_broken_alternatives import refused

WHOLE = "unit: share of commitment, of: the whole loss"
BROKEN: dict[str, tuple[str, str, str]] = {
    "layers that overlap": (
        f"layers: [{{guarantor: insurer, detach: 0.3, {WHOLE}}}, "
        f"{{guarantor: commissioner, attach: 0.2, {WHOLE}}}]",
        "layers[1].attach", "together they pay more than the loss",
    ),
    "two covers that sum to more than the loss": (
        f"layers: [{{guarantor: insurer, cover: 0.7, {WHOLE}}}, "
        f"{{guarantor: commissioner, cover: 0.4, {WHOLE}}}]",
        "layers[1].attach", "or covers that sum to at most 1",
    ),
    "a layer that ends where it begins": (
        "layers: [{guarantor: insurer, attach: 5000.0, detach: 5000.0}]",
        "layers[0].detach", "must be above attach, which is 5000",
    ),
    "a share above one": (
        "layers: [{guarantor: insurer, detach: 25.0, unit: share of drawn}]",
        "layers[0].detach", "in a share of drawn nothing is above 1",
    ),
    "a cover of more than all": (
        "layers: [{guarantor: insurer, cover: 80.0}]", "layers[0].cover", "must be at most 1 (given 80.0)",
    ),
    "a guarantor whom nobody is": (
        "layers: [{guarantor: european investment fund}]",
        "parties.european investment fund", "is a role that no party fills",
    ),
    "a lender that guarantees its own loan": (
        "layers: [{guarantor: investor}]", "layers[0].guarantor", "cannot guarantee the loan",
    ),
    "a fee that the guarantor pays itself": (
        "layers: [{guarantor: insurer, fee: {running: 0.01, paid_by: insurer}}]",
        "layers[0].fee.paid_by", "cannot pay the fee",
    ),
    "a fee that nobody pays": (
        "layers: [{guarantor: insurer, fee: {running: 0.01, paid_by: the mayor}}]",
        "parties.the mayor", "is a role that no party fills",
    ),
    "amounts not in order": (
        "layers: [{guarantor: insurer, "
        "schedule: [{from_quarter: 4, amount: 1.0}, {from_quarter: 2, amount: 2.0}]}]",
        "layers[0].schedule", "quarters must rise",
    ),
    "a cap below nothing": (
        "layers: [{guarantor: insurer, cap: -5.0}]", "layers[0].cap", "must be at least 0 (given -5.0)",
    ),
    "a claim on an unknown day": (
        "layers: [{guarantor: insurer, when: on demand}]",
        "layers[0].when", "is not one of the allowed values (given 'on demand'",
    ),
    "a claim that is paid after the end": (
        "layers: [{guarantor: insurer, when: maturity, claim_lag: 5}]",
        "layers[0].claim_lag", "after the file's last quarter, 32",
    ),
    "an offer that had ended": (
        "layers: [{guarantor: insurer, offer: {until: 2020-12-31}}]",
        "layers[0].offer", "was not on offer when the deal closes, on 2026-10-01",
    ),
    "an offer that had not begun": (
        "layers: [{guarantor: insurer, offer: {since: 2027-01-01}}]",
        "layers[0].offer", "allowed: from 2027-01-01 to now",
    ),
    "a guarantor that fails for sure": (
        "layers: [{guarantor: insurer, failure: 1.0}]", "layers[0].failure", "must be below 1 (given 1.0)",
    ),
    "a peg without a baseline": (
        "peg: {by: commissioner, floor: 1000.0}", "peg.baseline", "is missing",
    ),
    "a peg on a certainty": (
        "peg: {by: commissioner, baseline: last year, quantile: 1.0}", "peg.quantile", "must be below 1",
    ),
    "a peg that guarantees nothing more": (
        "{peg: {by: commissioner, baseline: last year, floor: 1000.0}, recourse: {to: commissioner}}",
        "recourse", "a peg guarantees nothing more",
    ),
    "recourse to a stranger": (
        "recourse: {to: the mayor}", "recourse.to", "is not one of the allowed values (given 'the mayor'",
    ),
    "recourse for less than nothing": (
        "recourse: {to: provider, limit: -1.0}", "recourse.limit", "must be at least 0",
    ),
    "ratchet steps not in order": (
        "performance: {ratchet: [{at: 1.0, margin: 0.01}, {at: 0.9, margin: 0.0}]}",
        "performance.ratchet", "steps must rise",
    ),
    "a ratchet that takes the rate below nothing": (
        "performance: {ratchet: [{at: 0.0, margin: -0.15}]}",
        "performance.ratchet", "below nil",
    ),
    "a maturity before the first instalment": (
        "repayment: {first_quarter: 20, last_quarter: 16}",
        "repayment.last_quarter", "is before first_quarter",
    ),
    "a maturity after the end": (
        "repayment: {last_quarter: 40}", "repayment.last_quarter", "is after the last quarter of the file",
    ),
    "money drawn after maturity": (
        "availability_quarters: 30", "availability_quarters", "cannot be drawn after its last instalment",
    ),
    "a fixed rate that is not given": (
        "rate: {reference: fixed, method: null, term_years: null, product: null}",
        "rate", "value: a fixed reference needs it",
    ),
    "a PWLB rate for a term that there is not": (
        "rate: {term_years: 60}", "rate.term_years", "must be at most 50 (given 60)",
    ),
    "a commitment of nothing said": (
        "commitment: {peak_need: null}", "commitment", "give either amount or peak_need",
    ),
    "a peg whose baseline is empty": (
        "peg: {by: commissioner, floor: 1000.0, baseline: ' '}", "peg.baseline", "is empty",
    ),
    "a peg agreed when the deal had closed": (
        "peg: {by: commissioner, floor: 1000.0, baseline: last year, agreed: 2026-10-02}",
        "peg.agreed", "is after the deal closes (given 2026-10-02; allowed: at the latest 2026-10-01)",
    ),
    "a peg in pounds and by quantile": (
        "peg: {by: commissioner, floor: 1000.0, baseline: last year, quantile: 0.1}",
        "peg.quantile", "is for a floor that the model proposes",
    ),
    "a peg that the lender gives itself": (
        "peg: {by: investor, floor: 1000.0, baseline: last year}",
        "peg.by", "cannot guarantee the loan: it is the lender",
    ),
    "an offer that ends before it begins": (
        "layers: [{guarantor: insurer, offer: {since: 2026-01-01, until: 2025-01-01}}]",
        "layers[0].offer.until", "is before since, which is 2026-01-01",
    ),
    "a schedule of draws that is empty": ("draws: []", "draws", "must have 1 or more entries"),
    "draws after the loan is available": (
        "{availability_quarters: 1, draws: [1000.0, 0.0, 500.0]}",
        "draws", "nothing can be drawn after quarter 1",
    ),
    "a limit on recourse to nobody": (
        "recourse: {to: outcome payments, limit: 5000.0}", "recourse.limit", "nobody is liable",
    ),
}  # fmt: skip


def sheet(change: str) -> str:
    """The demonstration with a change to its loan."""
    inside = change if change.startswith("{") else f"{{{change}}}"
    return (
        f"based_on: demo-guaranteed-debt\nname: broken\ndeals:\n  edge-of-care:\n    instrument: {inside}\n"
    )


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_loan_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Its line, its field, and what is wrong with it."""
    change, field, words = BROKEN[name]
    text = sheet(change)
    error = refused(write(tmp_path, "small.yaml", text))
    within = "deals.edge-of-care" if field.startswith("parties") else "deals.edge-of-care.instrument"
    assert error.field == f"{within}.{field}", str(error)
    assert words in str(error)
    assert "\n" not in str(error)
    if not field.startswith("parties"):
        assert error.line == line_of(text, "instrument:")


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (
            f"layers: [{{guarantor: insurer, detach: 0.1, {WHOLE}}}, "
            f"{{guarantor: commissioner, attach: 0.2, {WHOLE}}}]",
            "no layer covers losses between £121,298 and £242,596",
        ),
        (
            "layers: [{guarantor: insurer, attach: 0.05, unit: share of drawn}]",
            "insurer begins to pay after the first 5.0% of drawn of the loss",
        ),
        (
            "layers: [{guarantor: insurer}, {guarantor: commissioner, enforceability: {void: 0.02}}]",
            "commissioner's guarantee is void with a chance of 2.0%; no certificate was given",
        ),
        (
            "layers: [{guarantor: commissioner}, "
            "{guarantor: insurer, schedule: [{from_quarter: 29, amount: 50000.0}]}]",
            "insurer's layer, number 2 of the list, can never be called for anything",
        ),
        (
            "peg: {by: commissioner, floor: 9000000.0, baseline: last year}",
            "that floor is more than can ever be owed, £1,542,838",
        ),
        (
            "performance: {cap: 0.07}",
            "the lender's cap, 7.00% a year, is not above its rate, 7.16% effective: a loan that pays its "
            "interest earns no success fee",
        ),
    ],
    ids=["gap", "deductible", "void", "too late", "floor", "cap"],
)
def test_what_terms_leave_out_is_said(tmp_path: Path, change: str, note: str) -> None:
    """Not refused: it may be meant."""
    ready = prepare(load(write(tmp_path, "small.yaml", sheet(change))).portfolio)
    assert note in ready.deals[0].own.lowered.notes
