"""Tax on interest by band and day, the allowance, and yields in and outside an ISA, by hand.

4% in an ISA, nothing of the allowance left: 4 / 0.80 = 5.00% outside at 20%, 4 / 0.60 = 6.67% at 40%,
4 / 0.55 = 7.27% at 45%; from 6 April 2027 4 / 0.78 = 5.13%, 4 / 0.58 = 6.90%, 4 / 0.53 = 7.55%.
"""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from socialfinance.core.errors import InputError
from socialfinance.markets import savings_tax

OLD = date(2026, 9, 21)
NEW = date(2027, 4, 6)


@pytest.mark.parametrize(
    ("on", "expected", "act"),
    [
        (date(2025, 4, 6), (0.20, 0.40, 0.45), "2025 (c. 8), section 3(2)"),
        (date(2026, 4, 5), (0.20, 0.40, 0.45), "2025 (c. 8), section 3(2)"),
        (date(2026, 4, 6), (0.20, 0.40, 0.45), "2026 (c. 11), section 3(2)"),
        (date(2027, 4, 5), (0.20, 0.40, 0.45), "2026 (c. 11), section 3(2)"),
        (date(2027, 4, 6), (0.22, 0.42, 0.47), "2026 (c. 11), section 5"),
        (date(2028, 4, 5), (0.22, 0.42, 0.47), "2026 (c. 11), section 5"),
    ],
)
def test_rates_change_on_the_sixth_of_april(on, expected, act):
    found = [savings_tax.rate(band, on) for band in savings_tax.BANDS]
    assert tuple(entry.value for entry in found) == expected
    assert all(act in entry.source and not entry.unverified and entry.unit for entry in found)


def test_allowances():
    assert [savings_tax.allowance(band, OLD).value for band in savings_tax.BANDS] == [1000.0, 500.0, 0.0]
    assert savings_tax.isa_allowance(OLD).value == 20_000.0
    assert not savings_tax.isa_allowance(date(2031, 4, 5)).unverified
    assert savings_tax.allowance_left("basic", OLD, 400.0) == 600.0
    assert savings_tax.allowance_left("higher", OLD, 800.0) == 0.0


def test_what_no_act_says_yet_is_unverified_in_every_answer():
    later = date(2028, 4, 6)
    assert savings_tax.rate("basic", later).unverified
    assert savings_tax.tax_equivalent_yield(0.04, "basic", later).unverified
    assert savings_tax.after_tax(0.04, 1000.0, 0.0, "basic", later).unverified
    assert savings_tax.isa_allowance(date(2031, 4, 6)).unverified
    assert not savings_tax.tax_equivalent_yield(0.04, "basic", NEW, invested=1000.0).unverified


@pytest.mark.parametrize(
    ("band", "on", "expected"),
    [
        ("basic", OLD, 0.0500),
        ("higher", OLD, 0.0667),
        ("additional", OLD, 0.0727),
        ("basic", NEW, 0.0513),
        ("higher", NEW, 0.0690),
        ("additional", NEW, 0.0755),
    ],
)
def test_equivalent_of_four_per_cent_beyond_the_allowance(band, on, expected):
    assert round(savings_tax.tax_equivalent_yield(0.04, band, on).value, 4) == expected


def test_equivalent_with_allowance_left():
    """£50,000 at 4% in an ISA is £2,000 a year, for a basic-rate holder in 2026/27.

    Of £1,000 allowance £400 of other interest leaves £600. Gross G pounds: G − 0.2 (G − 600) = 2,000, so
    G = 1,880 / 0.8 = 2,350: 4.70% of 50,000. Back: 2,350 − 0.2 x 1,750 = 2,000.
    """
    gross = savings_tax.tax_equivalent_yield(0.04, "basic", OLD, 400.0, invested=50_000.0)
    assert gross.value == pytest.approx(0.047, rel=1e-12)
    assert len(gross.sources) == 2
    assert savings_tax.after_tax(0.047, 50_000.0, 600.0, "basic", OLD).value == pytest.approx(0.04, rel=1e-12)


def test_inside_the_allowance_an_isa_adds_nothing():
    """£10,000 at 4% is £400, less than the £500 of a higher-rate holder."""
    assert savings_tax.tax_equivalent_yield(0.04, "higher", OLD, invested=10_000.0).value == 0.04
    assert savings_tax.after_tax(0.04, 10_000.0, 500.0, "higher", OLD).value == 0.04


@given(
    net=some.floats(0, 0.5),
    invested=some.floats(1, 1e7),
    interest=some.floats(0, 2000),
    band=some.sampled_from(savings_tax.BANDS),
    on=some.sampled_from([OLD, NEW]),
)
def test_there_and_back(net, invested, interest, band, on):
    """What is kept of the equivalent is the net yield, on either side of the allowance."""
    left = savings_tax.allowance_left(band, on, interest)
    gross = savings_tax.tax_equivalent_yield(net, band, on, interest, invested=invested).value
    assert gross >= net * (1 - 1e-12)
    kept = savings_tax.after_tax(gross, invested, left, band, on).value
    assert kept == pytest.approx(net, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("call", "field", "allowed"),
    [
        (lambda: savings_tax.rate("top", OLD), "band", "basic, higher, additional"),
        (lambda: savings_tax.rate("basic", date(2025, 4, 5)), "on", "2025-04-06 or later"),
        (lambda: savings_tax.rate("basic", datetime(2026, 9, 21)), "on", "without a time"),
        (lambda: savings_tax.rate("basic", "2026-09-21"), "on", "without a time"),
        (lambda: savings_tax.allowance("none", OLD), "band", "basic, higher, additional"),
        (lambda: savings_tax.isa_allowance(date(2017, 4, 5)), "on", "2017-04-06 or later"),
        (lambda: savings_tax.tax_equivalent_yield(4.0, "basic", OLD), "net_yield", "0.04 is 4%"),
        (lambda: savings_tax.tax_equivalent_yield(float("nan"), "basic", OLD), "net_yield", "0.04 is 4%"),
        (lambda: savings_tax.tax_equivalent_yield("4%", "basic", OLD), "net_yield", "0.04 is 4%"),
        (lambda: savings_tax.tax_equivalent_yield(0.04, "basic", OLD, 10.0), "interest", "0"),
        (lambda: savings_tax.tax_equivalent_yield(0.04, "basic", OLD, -1.0), "interest", "0 or more"),
        (
            lambda: savings_tax.tax_equivalent_yield(0.04, "basic", OLD, invested=0.0),
            "invested",
            "more than 0",
        ),
        (lambda: savings_tax.after_tax(0.04, float("inf"), 0.0, "basic", OLD), "invested", "more than 0"),
        (lambda: savings_tax.after_tax(-0.01, 1.0, 0.0, "basic", OLD), "gross", "0.04 is 4%"),
        (lambda: savings_tax.after_tax(0.04, 1.0, 501.0, "higher", OLD), "allowance_left", "0 to 500 pounds"),
        (lambda: savings_tax.after_tax(0.04, 1.0, True, "higher", OLD), "allowance_left", "0 to 500 pounds"),
    ],
)
def test_refusals_name_the_field_and_what_is_allowed(call, field, allowed):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field
    assert allowed in (caught.value.allowed or "")
