"""No more digits than the standard error supports."""

from __future__ import annotations

import pytest

from socialfinance.reports.numbers import (
    PERCENT,
    POUNDS,
    THOUSANDS,
    TIE,
    TIMES,
    digits,
    pounds,
    rounded,
    text,
    with_error,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (0.0042, 3),
        (0.5, 1),
        (1.0, 0),
        (9.4, 0),
        (9.6, -1),
        (86.0, -1),
        (0.096, 1),
        (3_721.0, -3),
        (0.0, None),
    ],
)
def test_digits_end_at_the_first_significant_digit_of_the_error(error, expected):
    assert digits(error) == expected


@pytest.mark.parametrize("error", [float("nan"), float("inf"), -1.0])
def test_an_error_that_is_none_supports_nothing(error):
    assert digits(error) is None


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [(1_673_398.0, 3_721.0, 1_673_000.0), (0.05963, 0.0042, 0.06), (12.0, 86.0, 10.0), (4.2, None, 4.2)],
)
def test_values_are_rounded_where_their_error_begins(value, error, expected):
    assert rounded(value, error) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "error", "scale", "expected"),
    [
        (1_673_398.0, 3_721.0, THOUSANDS, "1,673"),
        (1_673_398.0, 37_210.0, THOUSANDS, "1,670"),
        (-2_192_069.0, 21_000.0, THOUSANDS, "-2,190"),
        (4_160.0, 120.0, THOUSANDS, "4.2"),
        (812_340.0, 40.0, THOUSANDS, "812"),
        (-3.0, 86.0, THOUSANDS, "0.0"),
        (0.05963, 0.00042, PERCENT, "5.96%"),
        (0.05963, 0.0042, PERCENT, "6.0%"),
        (0.05963, 0.042, PERCENT, "6%"),
        (0.05963, None, PERCENT, "6.0%"),
        (1.2345, 0.006, TIMES, "1.234x"),
        (1.2345, None, TIMES, "1.23x"),
        (-1234.5, None, POUNDS, "-£1,234"),
        (None, None, THOUSANDS, "-"),
    ],
)
def test_a_figure_in_a_table(value, error, scale, expected):
    assert text(value, error, scale) == expected


@pytest.mark.parametrize(
    ("value", "error", "scale", "expected"),
    [
        (1_673_398.0, 3_721.0, THOUSANDS, "1,673 ± 4"),
        (-178_900.0, 8_036.0, THOUSANDS, "-179 ± 8"),
        (100_000.0, 96_000.0, THOUSANDS, "100 ± 100"),
        (0.0432, 0.0007, PERCENT, "4.32% ± 0.07%"),
        (0.0432, 0.00003, PERCENT, "4.32% ± 0.01%"),
        (0.0432, 0.0, PERCENT, "4.3%"),
        (0.0432, 1e-15, PERCENT, "4.3%"),
    ],
)
def test_a_figure_with_its_error(value, error, scale, expected):
    assert with_error(value, error, scale).replace(TIE, " ") == expected


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (12_340_000.0, 20_000.0, "£12.34m ± £0.02m"),
        (412_300.0, 8_100.0, "£412k ± £8k"),
        (5_312.0, None, "£5,312"),
        (-178_900.0, None, "-£179k"),
        (999_900.0, None, "£1.00m"),
        (None, None, "-"),
    ],
)
def test_pounds_in_a_sentence(value, error, expected):
    assert pounds(value, error).replace(TIE, " ") == expected
