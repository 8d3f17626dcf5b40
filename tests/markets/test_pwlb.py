"""The PWLB table, its refusals, product offsets through time, and the default discount rate."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from socialfinance.core.errors import InputError
from socialfinance.kernels.schedules import pence_schedule, schedule
from socialfinance.markets import discount, pwlb

DAY = date(2026, 9, 21)


@pytest.mark.parametrize(
    ("term", "method", "product", "kind", "expected"),
    [
        (5, "maturity", "standard", "new", 0.0585),
        (10, "maturity", "standard", "new", 0.0620),
        (25, "maturity", "standard", "new", 0.0667),
        (50, "maturity", "standard", "new", 0.0635),
        (10, "eip", "standard", "new", 0.0587),
        (10, "annuity", "standard", "new", 0.0590),
        (10, "maturity", None, "premature", 0.0505),
        (10, "maturity", None, "new", 0.0600),
        (10, "eip", "certainty", "new", 0.0567),
        (10, "eip", "hra", "new", 0.0527),
        (10, "eip", "local-infrastructure", "new", 0.0547),
    ],
)
def test_published_rates(term, method, product, kind, expected):
    assert pwlb.rate(term, method, product, kind) == expected
    assert pwlb.rate(term, method, product, kind, on=DAY) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"years": 1, "method": "eip"}, "no new eip rate"),
        ({"years": 1.5, "method": "annuity"}, "2 to 50 years"),
        ({"years": 0.5}, "1 to 50 years"),
        ({"years": 50.5, "interpolate": True}, "given 50.5"),
        ({"years": 10.25}, "by half-years"),
        ({"years": 10, "method": "bullet"}, "maturity, eip, annuity"),
        ({"years": 10, "product": "parish"}, "unknown PWLB product"),
        ({"years": 10, "kind": "old"}, "new, premature"),
        ({"years": 10, "kind": "premature", "product": "certainty"}, "new loans only"),
        ({"years": 10, "on": date(2026, 9, 20)}, "2026-09-21 or later"),
        ({"years": 10, "product": "hra", "on": date(2027, 4, 1)}, "not known to be offered"),
    ],
)
def test_refusals(given, words):
    with pytest.raises(InputError, match=words):
        pwlb.rate(**given)


def test_interpolation_is_asked_for():
    assert pwlb.rate(10.25, product="standard", interpolate=True) == pytest.approx(0.0622, abs=1e-15)
    assert pwlb.rate(10, product="standard", interpolate=True) == 0.0620


@pytest.mark.parametrize(
    ("product", "day", "expected"),
    [
        ("certainty", date(2012, 11, 1), "-0.20"),
        ("certainty", date(2026, 1, 1), "-0.20"),
        ("hra", date(2020, 3, 12), "-1.20"),
        ("hra", date(2020, 11, 26), "-0.20"),
        ("hra", date(2023, 6, 14), "-0.20"),
        ("hra", date(2023, 6, 15), "-0.60"),
        ("hra", date(2027, 3, 31), "-0.60"),
        ("local-infrastructure", date(2019, 10, 8), "-0.40"),
        ("local-infrastructure", date(2019, 10, 9), "-1.40"),
        ("local-infrastructure", date(2020, 11, 26), "-0.40"),
        ("standard", date(2015, 1, 1), "0.00"),
    ],
)
def test_offsets_are_dated(product, day, expected):
    assert pwlb.offset(product, day) == Decimal(expected)


@pytest.mark.parametrize(("product", "day"), [("certainty", date(2012, 10, 31)), ("hra", date(2020, 3, 11))])
def test_a_product_before_its_time_is_refused(product, day):
    with pytest.raises(InputError, match="not known to be offered"):
        pwlb.offset(product, day)


def test_the_table_names_its_source():
    assert pwlb.table().published == DAY
    assert "notice 364/26" in pwlb.table().source


@pytest.mark.parametrize(
    ("term", "method"), [(1, "eip"), (1.5, "annuity"), (50.5, "maturity"), (10.25, "eip")]
)
def test_no_loan_beyond_the_lenders_terms(term, method):
    with pytest.raises(InputError, match="by half-years"):
        pwlb.schedule(1_000_000, 0.05, term, method)


@pytest.mark.parametrize(
    ("call", "field", "allowed"),
    [
        (lambda bad: pwlb.schedule(bad, 0.05, 10, "eip"), "principal", "0 to 1,000,000,000,000 pounds"),
        (lambda bad: pwlb.fees(bad), "principal", "pounds"),
        (lambda bad: pwlb.interest(bad, 0.05, 73), "principal", "pounds"),
        (lambda bad: pwlb.premature_repayment("eip", bad, 0.05, 0.04, 10), "outstanding", "pounds"),
        (lambda bad: pwlb.schedule(100, bad, 10, "eip"), "rate", "from 0 to 1"),
        (lambda bad: pwlb.interest(100, bad, 73), "rate", "from 0 to 1"),
        (lambda bad: pwlb.premature_repayment("eip", 100, 0.05, bad, 10), "repayment_rate", "from 0 to 1"),
        (lambda bad: pwlb.schedule(100, 0.05, bad, "eip"), "years", "2 to 50 years"),
        (lambda bad: pwlb.rate(bad, interpolate=True), "years", "1 to 50 years"),
        (lambda bad: pwlb.interest(100, 0.05, bad), "days", "0 to 366"),
    ],
    ids=range(10),
)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 1e13, "abc", "", True])
def test_what_is_no_number_is_refused(call, field, allowed, bad):
    if bad is True and field in ("years", "days"):
        return  # true counts as one
    with pytest.raises(InputError) as caught:
        call(bad)
    assert (caught.value.field, caught.value.given) == (field, bad)
    assert allowed in caught.value.allowed


def test_a_rate_in_per_cent_is_refused():
    with pytest.raises(InputError, match=r"given 5\.87.*0\.0587 is 5\.87%"):
        pwlb.schedule(1_000_000, 5.87, 10, "eip")


@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
@pytest.mark.parametrize("rate", ["0", "0.0225", "0.06"])
@pytest.mark.parametrize("n", [1, 7, 100])
def test_schedules_clear_the_loan(method, rate, n):
    pence = pence_schedule("1234567.89", rate, n, method)
    assert pence.rows[-1].balance == 0
    assert sum(row.principal for row in pence.rows) == Decimal("1234567.89")
    assert pence.total_paid == sum(row.payment for row in pence.rows)
    assert schedule(1234567.89, float(rate), n, method).principal.sum() == pytest.approx(
        1234567.89, rel=1e-12
    )


def test_a_loan_needs_an_instalment_and_a_known_method():
    with pytest.raises(InputError, match="at least one"):
        pence_schedule(100, "0.02", 0, "eip")
    with pytest.raises(InputError, match="given 'bullet'"):
        schedule(100.0, 0.02, 4, "bullet")
    with pytest.raises(InputError, match="fixed, variable"):
        pwlb.fees(100, "floating")


def test_default_discount_rate():
    found = discount.default_rate(10.1)
    assert found.rate == pytest.approx(1.03**2 - 1, abs=1e-15)
    assert found.basis == (
        "PWLB certainty maturity 10 years on 2026-09-21: 6.00% nominal half-yearly, annual effective"
    )
    assert "364/26" in found.source
    assert discount.default_rate(70).basis.startswith("PWLB certainty maturity 50 years")


def test_discount_factors():
    found = discount.discount_factors(0.0609, [0, 0.5, 1, 10])
    assert found == pytest.approx([1, 1 / 1.03, 1 / 1.0609, 1.03**-20], rel=1e-14)


@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
@pytest.mark.parametrize("now", ["1e-60", "1e-45", "1e-29", "1e-25", "1e-17"])
def test_early_repayment_at_next_to_no_rate_is_that_at_none(method: str, now: str) -> None:
    given = (method, 10_000_000, 0.05)
    at_nil = pwlb.premature_repayment(*given, 0.0, 20, 30)
    assert pwlb.premature_repayment(*given, float(now), 20, 30).total == at_nil.total


@pytest.mark.parametrize("rate", [0.0, 1e-25, 0.0001, 0.0587, 0.13])
@pytest.mark.parametrize("method", ["maturity", "eip", "annuity"])
def test_early_repayment_at_the_loans_own_rate_costs_nothing(method: str, rate: float) -> None:
    for left, days in ((1, 0), (7, 91), (100, 182)):
        assert pwlb.premature_repayment(method, 10_000_000, rate, rate, left, days).amount == 0


def test_a_line_with_commas_for_points_is_refused(tmp_path: Path) -> None:
    """2,5,05,5,10,... reads as rates of 5%, 5% and 5%: the line has more cells than columns."""
    file = tmp_path / "own.csv"
    head = "label_years,new_maturity,new_annuity,new_eip,prem_maturity,prem_annuity,prem_eip"
    file.write_text(f"# published: 2026-10-01\n# source: mine\n{head}\n2,5,05,5,10,5,20,4,10,4,0,4,5\n")
    with pytest.raises(InputError) as caught:
        pwlb.read_table(file)
    assert "more cells" in caught.value.problem
