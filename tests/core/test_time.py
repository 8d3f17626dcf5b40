"""Rows, quarters that begin on any day, and the council financial year."""

from datetime import date

import pytest

from socialfinance.core.errors import InputError
from socialfinance.core.time import Calendar, add_months, financial_year


def test_row_zero_is_close_and_row_t_the_last_day_of_quarter_t() -> None:
    dates = Calendar(date(2026, 10, 1), 3).dates
    assert dates == (date(2026, 10, 1), date(2026, 12, 31), date(2027, 3, 31), date(2027, 6, 30))


def test_a_fund_may_start_on_any_day() -> None:
    dates = Calendar(date(2026, 11, 15), 2).dates
    assert dates == (date(2026, 11, 15), date(2027, 2, 14), date(2027, 5, 14))
    assert Calendar(date(2028, 2, 29), 4).dates[-1] == date(2029, 2, 27)
    assert Calendar(date(2027, 11, 30), 1).dates[-1] == date(2028, 2, 28)


@pytest.mark.parametrize(
    ("day", "year"),
    [
        (date(2027, 3, 31), "2026/27"),
        (date(2027, 4, 1), "2027/28"),
        (date(2026, 12, 31), "2026/27"),
        (date(2099, 4, 1), "2099/00"),
    ],
)
def test_financial_year_runs_april_to_march(day: date, year: str) -> None:
    assert financial_year(day) == year


def test_part_years_at_both_ends() -> None:
    calendar = Calendar(date(2026, 10, 1), 8)
    assert calendar.financial_years == ("2026/27", "2027/28", "2028/29")
    assert [calendar.quarters_in_year(year) for year in calendar.financial_years] == [2, 4, 2]
    assert calendar.year_of_row == (0, 0, 0, 1, 1, 1, 1, 2, 2)


def test_add_months_keeps_to_the_month() -> None:
    assert add_months(date(2027, 1, 31), 1) == date(2027, 2, 28)
    assert add_months(date(2026, 12, 31), 2) == date(2027, 2, 28)


def test_a_deal_starts_with_a_quarter() -> None:
    calendar = Calendar(date(2026, 10, 1), 8)
    assert calendar.row_of_start(date(2027, 4, 1), "start") == 2
    with pytest.raises(InputError, match="first day of a quarter"):
        calendar.row_of_start(date(2027, 4, 2), "start")
