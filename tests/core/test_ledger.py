"""Double entry: parties sum to nil, memo is never cash, the vocabulary is closed."""

import numpy as np
import pytest

from socialfinance.core.ledger import Ledger, nil_sum


def test_parties_sum_to_nil_and_years_add_up() -> None:
    ledger = Ledger((0, 0, 1), 3)
    ledger.pay(0, "fund", "vehicle", np.array([1.0, 2.0, 3.0]), "drawdown")
    ledger.pay(2, "vehicle", "fund", 1.5, "capital returned")
    assert np.abs(nil_sum(ledger.net)).max() == 0.0
    assert ledger.of(reason="drawdown").tolist() == [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]
    assert ledger.net["fund"].sum(axis=0).tolist() == [0.5, -0.5, -1.5]


def test_memo_is_not_cash() -> None:
    ledger = Ledger((0, 0), 1)
    ledger.pay(1, "outside", "council", np.array([5.0]), "non-cashable saving")
    assert ledger.net == {}
    assert ledger.by_year == {}
    assert ledger.memo_by_year["outside", "council", "non-cashable saving"].sum() == 5.0


def test_reasons_are_closed() -> None:
    with pytest.raises(ValueError, match="not a reason"):
        Ledger((0, 0), 1).pay(0, "a", "b", 1.0, "sweetener")


def test_the_journal_holds_what_was_booked() -> None:
    ledger = Ledger((0, 0), 1, journal=True)
    ledger.pay(1, "a", "b", np.array([2.0]), "grant")
    ledger.pay(1, "a", "b", np.array([0.0]), "grant")
    assert ledger.journal is not None
    assert [(e.row, e.payer, e.payee, e.reason, e.amount) for e in ledger.journal] == [
        (1, "a", "b", "grant", 2.0)
    ]
