"""Loan pools broken in many ways: each gives one clear line; gaps between layers are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from socialfinance.engine.ready import prepare
from socialfinance.io.files import load
from tests.io.small import write
from tests.io.test_broken_alternatives import refused

DEAL = "deals.community-loans"
BROKEN: dict[str, tuple[str, str, str]] = {
    "a layer that waits for acceleration": (
        "instrument: {layers: [{guarantor: scheme, cover: 0.7, when: missed payment}]}",
        "instrument.layers[0]", "a loan of a pool is called in when it defaults",
    ),
    "a layer for interest": (
        "instrument: {layers: [{guarantor: scheme, cover: 0.7, interest: true}]}",
        "instrument.layers[0]", "covers interest, which a loan in default no longer earns",
    ),
    "a layer that ends before it begins": (
        "instrument: {layers: [{guarantor: scheme, attach: 0.2, detach: 0.1, unit: share of drawn}]}",
        "instrument.layers[0].detach", "must be above attach, which is 0.2 (given 0.1)",
    ),
    "layers that overlap": (
        "instrument: {layers: [{guarantor: scheme, detach: 0.1, unit: share of drawn, of: the whole loss}, "
        "{guarantor: insurer, attach: 0.05, detach: 0.2, unit: share of drawn, of: the whole loss}]}",
        "instrument.layers[1].attach", "covers the same loss as a layer before it",
    ),
    "a cover of more than all": (
        "instrument: {layers: [{guarantor: scheme, cover: 1.7}]}",
        "instrument.layers[0].cover", "must be at most 1 (given 1.7)",
    ),
    "a cap rate of more than all": (
        "instrument: {layers: [{guarantor: scheme, cover: 0.7, cap_rate: 15.0}]}",
        "instrument.layers[0].cap_rate", "must be at most 1 (given 15.0)",
    ),
    "a guarantor whom nobody is": (
        "instrument: {layers: [{guarantor: council, cover: 0.7}]}",
        "parties.council", "is a role that no party fills",
    ),
    "more lent again than is lent again": (
        "instrument: {revolving_quarters: 0, most_lending: 1.5}",
        "instrument.most_lending", "no repayments are lent again",
    ),
    "lending after the end": (
        "instrument: {revolving_quarters: 50}",
        "instrument.revolving_quarters",
        "is after the last quarter of the file (given 50; allowed: at most 40)",
    ),
    "a grant from the vehicle": (
        "instrument: {grant: {by: vehicle, share: 0.2}}",
        "instrument.grant.by", "is a role that belongs to the model",
    ),
    "a grant of everything": (
        "instrument: {grant: {by: grant maker, share: 1.0}}",
        "instrument.grant.share", "must be below 1 (given 1.0)",
    ),
    "a holiday as long as the loan": (
        "programme: {segments: {growing: {holiday: 20}}}",
        "programme.segments.growing.holiday", "must be shorter than the term, which is 20",
    ),
    "a chance of default of five": (
        "programme: {segments: {starting: {default_probability: 5.0}}}",
        "programme.segments.starting.default_probability", "must be planned from 0 to 1, given 5",
    ),
    "a default timing without defaults to term": (
        "programme: {segments: {starting: {default_timing: [0.5, 0.5]}}}",
        "programme.segments.starting.default_timing", "default_basis must be to term",
    ),
    "a correlation of more than one": (
        "programme: {segments: {growing: {correlation: 1.1}}}",
        "programme.segments.growing.correlation", "given 1.1",
    ),
    "a loan of no size": (
        "programme: {segments: {growing: {size: 0.0}}}",
        "programme.segments.growing.size", "must be above 0 (given 0.0)",
    ),
}  # fmt: skip


def changed(tmp_path: Path, change: str) -> Path:
    """The demonstration with a change to its deal."""
    text = f"based_on: demo-loan-pool\nname: broken\ndeals:\n  community-loans:\n    {change}\n"
    return write(tmp_path, "small.yaml", text)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_pool_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Its field, and what is wrong with it."""
    change, field, words = BROKEN[name]
    error = refused(changed(tmp_path, change))
    assert error.field == f"{DEAL}.{field}", str(error)
    assert words in str(error)
    assert "\n" not in str(error)


def test_a_gap_between_layers_is_said(tmp_path: Path) -> None:
    """Nobody but the pool bears what lies between two slices."""
    layers = (
        "instrument: {layers: [{guarantor: scheme, detach: 0.05, unit: share of drawn, of: the whole loss}, "
        "{guarantor: insurer, attach: 0.1, detach: 0.2, unit: share of drawn, of: the whole loss}]}"
    )
    ready = prepare(load(changed(tmp_path, layers)).portfolio)
    notes = " ".join(ready.deals[0].own.lowered.notes)
    assert "no layer covers losses between" in notes, notes
