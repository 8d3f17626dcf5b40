"""The report of a run: what is there, what is not, and why."""

from __future__ import annotations

import pytest

from socialfinance import simulate
from socialfinance.funds.portfolio import Portfolio
from socialfinance.io.yaml import parse, plain
from socialfinance.reports.console import report
from socialfinance.reports.page import WIDTH
from tests.cli.small import SMALL


def portfolio(text=SMALL):
    return Portfolio.model_validate(plain(parse(text.encode(), "small")))


def two_deals():
    """The same deal twice, one of them with a long name."""
    data = plain(parse(SMALL.encode(), "small"))
    data["deals"]["a second deal with quite a long name that goes on"] = data["deals"]["families"]
    return Portfolio.model_validate(data)


@pytest.fixture(scope="module")
def one():
    return report(simulate(portfolio(), paths=300, workers=1))


@pytest.fixture(scope="module")
def both():
    return simulate(two_deals(), paths=300, workers=1)


def section(text, heading):
    """A section's lines."""
    lines = text.splitlines()
    start = lines.index(heading.upper())
    ends = [i for i in range(start + 2, len(lines)) if lines[i].startswith("=====")]
    return lines[start : ends[0] - 1 if ends else None]


def test_every_section_is_there_once(one):
    for heading in (
        "Investment committee", "Council by council", "Other public bodies", "All other parties",
        "Against doing it in house, and the PWLB cost of money", "As contracted, and with variation",
        "From plan to expected value", "How contracts ended", "What was done",
    ):  # fmt: skip
        assert one.splitlines().count(heading.upper()) == 1


def test_it_says_what_it_is(one):
    head = one.split("INVESTMENT COMMITTEE")[0]
    assert head.startswith("A small fund\n")
    words = " ".join(head.split())
    for said in (
        "1 deal with 1 council and 1 other public body, over 20 quarters from 1 October 2026",
        "300 simulated futures, seed 1", "5.000% a year, annual effective", "illustrative (invented)",
        "England only; before tax", "noise of simulating",
    ):  # fmt: skip
        assert said in words


def head_of(changes=(), paths=20):
    text = SMALL
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    shown = report(simulate(portfolio(text), paths=paths, workers=1, compare=False))
    return " ".join(shown.split("INVESTMENT COMMITTEE")[0].split()), shown


NO_PUBLIC_BODY = (
    ("anytown: {kind: council", "anytown: {kind: community"),
    ("nhs-trust: {kind: nhs}", "nhs-trust: {kind: community}"),
)


def test_without_a_public_body_the_sentence_has_none():
    head, _ = head_of(NO_PUBLIC_BODY)
    assert "1 deal over 20 quarters from 1 October 2026" in head


def test_public_bodies_are_counted_as_the_tables_list_them():
    vat = ("therapy: {per_quarter: 100000,", "therapy: {per_quarter: 100000, vat: 0.2, vat_recoverable: 0.0,")
    head, shown = head_of((vat,))
    assert "1 deal with 1 council and 2 other public bodies, over 20 quarters" in head
    lines = section(shown, "Other public bodies")
    body = [line for line in lines if line.startswith(("nhs-trust ", "HM Revenue and Customs  "))]
    assert len(body) == 2
    words = " ".join(shown.split())
    assert "HM Revenue and Customs has a negative cost: VAT that vehicles pay" in words
    assert "all public bodies together pay that much less than those who pay under the deals" in words
    head, shown = head_of()
    assert "VAT" not in shown
    assert "1 council and 1 other public body, over" in head


@pytest.mark.parametrize(
    ("discount", "basis"),
    [
        ("{rate: 0.05, illustrative: true}", "Basis: illustrative."),
        ("{rate: 0.05, source: the Green Book}", "Basis: the Green Book."),
        ("{rate: 0.05}", "Basis: the file gives none."),
    ],
)
def test_the_basis_of_the_discount_rate_is_what_the_file_says(discount, basis):
    head, _ = head_of((("discount: {rate: 0.05, illustrative: true}", f"discount: {discount}"),))
    assert basis in head


def test_a_file_in_another_currency_says_so_and_has_no_pound_sign():
    head, shown = head_of((("quarters: 20", "quarters: 20\ncurrency: AUD"),))
    assert "Australian dollars, not converted; before tax; cash of the day (nominal), not deflated." in head
    assert "England" not in shown
    assert "£" not in shown
    assert "Investors draw A$" in " ".join(shown.split())
    assert "undiscounted (A$000)" in shown


def test_the_benchmark_is_called_what_it_is(one):
    words = " ".join(one.split())
    assert (
        "cost-of-money benchmark: PWLB cannot lawfully fund a people programme, whose cost is revenue"
        in words
    )


def test_no_line_is_wider_than_the_page(one, both):
    assert max(map(len, one.splitlines())) <= WIDTH
    assert max(map(len, report(both).splitlines())) <= WIDTH


def test_part_years_are_marked(one):
    assert "2026/27*" in one
    assert "2027/28 " in one
    assert "2027/28*" not in one


def test_a_fund_leads_with_one_line_for_the_whole(both):
    lines = section(report(both), "Investment committee")
    assert sum(line.startswith("Whole fund") for line in lines) == 2
    assert any(line.startswith("All deals") for line in report(both).splitlines())


def test_a_report_on_some_deals_says_so(both):
    text = report(both, deals=["families"])
    assert "Shown for families only." in text
    assert "a second deal" not in text


def test_unverified_numbers_are_marked():
    text = SMALL.replace("commitment: {peak_need: 1.25}", "commitment: {peak_need: 1.25, unverified: true}")
    shown = report(simulate(portfolio(text), paths=50, workers=1, compare=False))
    assert "[unverified] 1 number must still be confirmed, in deals.families.instrument.commitment." in shown
    assert "Family therapy [unverified]" in shown


def test_a_figure_that_does_not_exist_is_said_with_its_reason():
    nobody_succeeds = SMALL.replace(
        "home: {probability: {distribution: beta, mean: 0.75, sd: 0.08}", "home: {probability: 0.0"
    ).replace("annual_probability: 0.1}", "annual_probability: 0.0}")
    shown = report(simulate(portfolio(nobody_succeeds), paths=50, workers=1, compare=False))
    assert "none (a)" in shown
    assert "(a) families: IRR (plan): no IRR: total loss" in shown
