"""``socialfinance pwlb``: schedules, rates and early repayment, as page, CSV and JSON; what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from socialfinance.cli import main

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
