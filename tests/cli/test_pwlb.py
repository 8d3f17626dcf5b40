"""``socialfinance pwlb``: loans, rates, early repayment, refinancing: page, CSV, JSON; what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from socialfinance.cli import main
from socialfinance.markets import pwlb

SCHEDULE = ["pwlb", "schedule", "--principal", "10000000", "--years", "10", "--rate", "4.50",
            "--method", "annuity"]  # fmt: skip
TABLE = """# published: 2026-01-05
# source: made up
label_years,new_maturity,new_annuity,new_eip,prem_maturity,prem_annuity,prem_eip
1,4.00,,,3.00,,
1.5,4.10,,,3.10,,
2,4.20,4.00,4.05,3.20,3.00,3.05
2.5,4.30,4.10,4.15,3.30,3.10,3.15
"""


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_schedule_as_page_csv_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """£10m over 10 years at 4.5%: 20 instalments of £626,420.71, whose principal is £10m to the penny."""
    rows, data = tmp_path / "loan.csv", tmp_path / "loan.json"
    code, out, _ = run([*SCHEDULE, "--csv", str(rows), "--json", str(data)], capsys)
    assert code == 0
    assert "626,420.71" in out
    with rows.open() as file:
        written = list(csv.DictReader(file))
    assert len(written) == 20
    assert sum(round(float(row["principal"]) * 100) for row in written) == 1_000_000_000
    assert float(written[-1]["balance"]) == 0.0
    found = json.loads(data.read_text())
    assert found["rows"][0]["payment"] == 626_420.71
    assert found["provenance"]["rate"] == 0.045


def test_the_published_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """21 September 2026, annuity of 10 years: 5.90% standard, 20 basis points off at the certainty rate."""
    ask = ["pwlb", "rate", "--years", "10", "--method", "annuity"]
    _, certainty, _ = run(ask, capsys)
    _, standard, _ = run([*ask, "--product", "standard"], capsys)
    assert certainty.startswith("5.70% a year")
    assert standard.startswith("5.90% a year")


def test_early_repayment_to_the_penny(capsys: pytest.CaptureFixture[str]) -> None:
    """The Debt Management Office's example: £12m at 8.375%, 11.5%, three years, 14 days: 919,000.48."""
    code, out, _ = run(
        ["pwlb", "premature", "--outstanding", "12000000", "--loan-rate", "8.375", "--repayment-rate", "11.5",
         "--half-years", "6", "--days", "14", "--method", "maturity"], capsys,
    )  # fmt: skip
    assert code == 0
    assert "Discount            -919,000.48" in out


def test_a_table_of_your_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "rates.csv"
    mine.write_text(TABLE)
    ask = ["pwlb", "rate", "--years", "2", "--method", "eip", "--table", str(mine)]
    code, out, _ = run([*ask, "--product", "standard"], capsys)
    assert code == 0
    assert out.startswith("4.05% a year")
    assert "made up" in out


BAD: dict[str, tuple[list[str], str]] = {
    "a principal below nil": (["--principal", "-5"], "--principal: is out of range"),
    "a principal of words": (["--principal", "lots"], "--principal: is not a number"),
    "a rate above all": (["--rate", "450"], "--rate: is out of range"),
    "a term of no loan": (["--years", "1"], "not a term of an annuity loan"),
    "a term between half-years": (["--years", "9.7"], "not a term of an annuity loan"),
    "a rate and a product": (["--product", "hra"], "nothing is looked up"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_schedule_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = BAD[name]
    code, out, err = run([*SCHEDULE, *changes], capsys)
    assert code == 2
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


BAD_RATE: dict[str, tuple[list[str], str]] = {
    "a product nobody offers": (["--product", "gold"], "unknown PWLB product"),
    "a product that has ended": (["--product", "hra", "--on", "2027-05-01"], "not known to be offered"),
    "a day before the tables": (["--on", "1999-01-01"], "no PWLB table that old"),
    "no date": (["--on", "yesterday"], "--on: is not a date"),
    "a term that is not published": (["--years", "77"], "no new annuity rate is published"),
    "a table that is not there": (["--table", "nowhere.csv"], "nowhere.csv: cannot be read"),
}


@pytest.mark.parametrize("name", BAD_RATE)
def test_a_bad_rate_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = BAD_RATE[name]
    code, _, err = run(["pwlb", "rate", "--years", "10", "--method", "annuity", *changes], capsys)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


BROKEN: dict[str, tuple[str, str, str]] = {
    "a hole": ("2,4.20,4.00", "2,,4.00", ":7: new_maturity: has a hole"),
    "a word": ("4.10,,,3.10", "four,,,3.10", ":5: new_maturity: is not a number"),
    "a rate beyond any": ("4.10,,,3.10", "410,,,3.10", ":5: new_maturity: is out of range"),
    "terms out of order": ("\n2.5,", "\n1,", ":7: label_years: must be above the term"),
    "no day": ("# published: 2026-01-05\n", "", "published: is missing"),
    "a day that is none": ("2026-01-05", "5 January", "published: is not a date"),
    "no source": ("# source: made up\n", "", "source: is missing"),
    "a column too few": (",prem_eip\n", "\n", ":3: prem_eip: is a column that is missing"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, words = BROKEN[name]
    assert TABLE.count(old) == 1
    mine = tmp_path / "rates.csv"
    mine.write_text(TABLE.replace(old, new))
    code, _, err = run(["pwlb", "rate", "--years", "2", "--method", "maturity", "--table", str(mine)], capsys)
    assert code == 2
    assert f"rates.csv{words}" in err or f"rates.csv: {words}" in err
    assert err.count("\n") == 1


def test_a_rate_table_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "rates.csv"
    mine.write_text(TABLE)
    ask = ["pwlb", "rate", "--years", "2", "--method", "eip", "--table", str(mine)]
    for output in ("--csv", "--json"):
        code, _, err = run([*ask, output, str(mine)], capsys)
        assert code == 2
        assert "is a file that is read" in err
    both = str(tmp_path / "rows")
    code, _, err = run([*ask, "--csv", both, "--json", both], capsys)
    assert code == 2
    assert "give another name" in err
    assert mine.read_text() == TABLE
    assert not Path(both).exists()


# --- variable rates, broken first periods ---------------------------------------------------------

VARIABLE = ["pwlb", "variable", "--principal", "12000", "--years", "1", "--method", "eip",
            "--reset-months", "3", "--rates", "4", "5", "6", "7"]  # fmt: skip


def test_a_variable_loan_as_page_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "loan.csv"
    code, out, _ = run([*VARIABLE, "--csv", str(rows)], capsys)
    assert code == 0
    assert "2       5.00%    150.00   6,000.00   6,150.00   6,000.00" in out
    assert out.count("[unverified]") == 3
    assert "[terms unverified]" in " ".join(out.split())
    with rows.open() as file:
        written = list(csv.DictReader(file))
    assert [row["interest"] for row in written] == ["120.0", "150.0", "90.0", "105.0"]


def test_a_variable_loan_by_the_calendar(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["pwlb", "variable", "--principal", "10,000,000", "--years", "1", "--method", "maturity",
           "--reset-months", "1", "--rates", "4.71", "--on", "2027-01-01"]  # fmt: skip
    _, out, _ = run(ask, capsys)
    assert "40,002.74" in out
    assert "of the calendar from 2027-01-01" in " ".join(out.split())


def test_a_broken_first_period(capsys: pytest.CaptureFixture[str]) -> None:
    """£10m at 4.5% for 73 days, a fifth of a year: 90,000.00."""
    code, out, _ = run([*SCHEDULE, "--first-days", "73"], capsys)
    assert code == 0
    assert "the first 73 days after the advance" in out
    assert "90,000.00" in out
    assert "days / 365 [unverified]" in out


BAD_VARIABLE: dict[str, tuple[list[str], str]] = {
    "annuity": (["--method", "annuity"], "method: is no method of a variable-rate loan"),
    "a reset nobody offers": (["--reset-months", "2"], "reset_months: is not offered"),
    "a term outside": (["--years", "11"], "years: not a term of a variable-rate loan"),
    "too few rates": (["--rates", "4", "5"], "rates: do not cover the term"),
    "a rate of words": (["--rates", "four"], "--rates: is not a number"),
    "no date": (["--on", "today"], "--on: is not a date"),
    "a principal below nil": (["--principal", "-5"], "--principal: is out of range"),
}


@pytest.mark.parametrize("name", BAD_VARIABLE)
def test_a_bad_variable_loan_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = BAD_VARIABLE[name]
    code, out, err = run([*VARIABLE, *changes], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_first_period_of_half_a_year_or_more_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run([*SCHEDULE, "--first-days", "183"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "first_days: is no such whole number" in err


# --- refinancing ----------------------------------------------------------------------------------

REFINANCE = ["pwlb", "refinance", "--principal", "10000000", "--years", "5", "--method", "maturity",
             "--again-years", "5", "--again-method", "maturity", "--mean", "5", "--reversion", "0.2",
             "--volatility", "1", "--paths", "500", "--seed", "4"]  # fmt: skip
RATES = ["--rate", "5.65", "--long-rate", "6", "--start", "5.65"]


def figures(path: Path) -> dict[tuple[str, str], tuple[float, float | None]]:
    rows = json.loads(path.read_text())["rows"]
    return {(row["figure"], row["statistic"]): (row["value"], row["standard_error"]) for row in rows}


def test_refinancing_as_page_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures are those of the paths; its rates, where not given, those published."""
    data = tmp_path / "again.json"
    code, out, _ = run([*REFINANCE, "--json", str(data)], capsys)
    assert code == 0
    process = pwlb.RateProcess(0.0565, 0.05, 0.2, 0.01)
    new = pwlb.rate_paths(process, 5, 500, seed=4)[5]
    by_hand = pwlb.refinance(10_000_000, 0.0565, 5, "maturity", 5, "maturity", new, long_rate=0.06)
    found = figures(data)
    interest = by_hand.total_interest
    assert found["total_interest", "mean"] == pytest.approx(
        (interest.mean(), interest.std(ddof=1) / 500**0.5)
    )
    assert found["all_in_rate", "p95"][0] == sorted(by_hand.all_in_rate)[474]
    assert found["break_even_rate", "value"][0] == by_hand.break_even_rate
    dearer = float((new > by_hand.break_even_rate).mean())
    assert found["dearer_than_one_loan", "probability"][0] == dearer
    assert f"costs more all in than the one loan: {dearer:.0%} ±" in " ".join(out.split())
    assert "the user's own assumption" in out
    assert "notice 364/26" in " ".join(out.split())
    again = run([*REFINANCE, *RATES], capsys)[1]
    assert again.split("Over both terms")[1] == out.split("Over both terms")[1]
    assert "notice" not in again


def test_without_volatility_every_path_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    still = [*REFINANCE, *RATES, "--volatility", "0", "--mean", "5.65"]
    code, out, _ = run(still, capsys)
    assert code == 0
    assert "5,650,000 5,650,000 5,650,000 6,000,000" in " ".join(out.split())


def test_one_path_has_no_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([*REFINANCE, "--paths", "1"], capsys)
    assert code == 0
    assert "1 path, seed 4" in " ".join(out.split())


def test_a_loan_that_repays_itself_is_not_refinanced(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([*REFINANCE, "--method", "eip"], capsys)
    assert code == 0
    assert "Nothing is left to borrow again." in out


BAD_REFINANCE: dict[str, tuple[list[str], str]] = {
    "a mean in fractions of nothing": (["--mean", "five"], "--mean: is not a number"),
    "a volatility below nil": (["--volatility", "-1"], "--volatility: is out of range"),
    "a reversion below nil": (["--reversion", "-1"], "reversion: is out of range"),
    "a rate above all": (["--rate", "565"], "--rate: is out of range"),
    "no paths": (["--paths", "0"], "paths: is no such whole number"),
    "a seed below nil": (["--seed", "-1"], "seed: is no such whole number"),
    "a maturity loan amortised": (["--amortise-over", "10"], "amortise_over: does not fit the first loan"),
    "a term outside the table": (["--again-years", "60"], "no new maturity rate is published"),
    "both terms outside": (["--again-years", "46", *RATES], "again_years: is too long after the first loan"),
    "rates and a product": ([*RATES, "--product", "hra"], "--rate: is given, so nothing is looked up"),
    "a day before the tables": (["--on", "1999-01-01"], "no PWLB table that old"),
}


@pytest.mark.parametrize("name", BAD_REFINANCE)
def test_a_bad_refinancing_is_refused_in_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = BAD_REFINANCE[name]
    code, out, err = run([*REFINANCE, *changes], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


@pytest.mark.parametrize("left_out", ["--mean", "--reversion", "--volatility"])
def test_the_process_has_no_defaults(left_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = REFINANCE.index(left_out)
    code, _, err = run([*REFINANCE[:at], *REFINANCE[at + 2 :]], capsys)
    assert code == 2
    assert left_out in err
