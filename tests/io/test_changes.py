"""Changes laid over what they are based on: what is then said of where each number comes from."""

from __future__ import annotations

import pytest

from socialfinance.core.errors import InputError, field_path
from socialfinance.core.terms import said_of
from socialfinance.instruments.tariff import Tariff
from socialfinance.io.changes import merged
from socialfinance.io.files import load
from socialfinance.io.shipped import shipped
from socialfinance.io.yaml import parse, plain
from socialfinance.programmes.people import Programme
from socialfinance.reports.inputs import count_sources
from tests.io.small import SMALL, line_of, write

CARD = """\
prices: {started: 100.0, stayed: 900.0}
payers: {council: {share: 1.0, payment_lag: 2}}
cap: 5000.0
"""
SOURCED = CARD + "source: a card\n"
LISTED = SOURCED + "illustrative: [payers, cap]\nunverified: [cap]\n"
INVENTED = CARD + "illustrative: true\n"
PROGRAMME = """\
title: x
referrals: {per_quarter: 10.0, quarters: 8, illustrative: true}
outcomes:
  started: {probability: 0.9, source: a count}
  stayed:
    of: started
    lag: 2
    probability: {distribution: beta, mean: 0.5, sd: 0.1, source: a study, illustrative: [sd]}
    illustrative: true
costs: {team: {per_quarter: 100.0}}
"""


def node(text):
    return parse(text.encode(), "x.yaml")


def changed(base, over, model=Tariff):
    return model.model_validate(plain(merged(node(base), node(over))))


def said(block):
    """What is said of every number, by field."""
    return {
        field_path(place): heard.origin
        for place, value, heard in said_of(block)
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def named(base, over):
    """The fields of which something else is said than before, and what; and those that are new."""
    before, after = said(changed(base, "note: x")), said(changed(base, over))
    return {field: word for field, word in after.items() if before.get(field) != word}


# --- changes that say nothing ---------------------------------------------------------------------


def test_a_changed_number_does_not_take_over_a_source():
    block = changed(SOURCED, "prices: {stayed: 950.0}")

    assert block.unsourced == ("prices.stayed",)
    assert block.source == "a card"
    assert said(block) == {
        "prices.started": "sourced", "prices.stayed": "unsaid", "payers.council.share": "sourced",
        "payers.council.payment_lag": "sourced", "cap": "sourced",
    }  # fmt: skip


SILENT = {
    "one of those with a source": (LISTED, "prices: {stayed: 950.0}", {"prices.stayed": "unsaid"}),
    "one named as invented": (LISTED, "cap: 6000.0", {}),
    "in an invented block": (INVENTED, "cap: 6000.0", {}),
    "where nobody speaks": (CARD, "cap: 6000.0", {}),
    "one without a source": (SOURCED + "unsourced: [cap]\n", "cap: 6000.0", {}),
    "given again as it was": (SOURCED, "cap: 5000.0", {}),
    "taken away": (SOURCED, "cap: null", {}),
    "no number": (SOURCED, "index: cpi", {}),
    "a new one": (SOURCED, "rejected: 0.1", {"rejected": "unsaid"}),
    "a new one in an invented block": (INVENTED, "rejected: 0.1", {"rejected": "illustrative"}),
}


@pytest.mark.parametrize("case", SILENT)
def test_a_silent_change(case):
    base, over, fields = SILENT[case]

    assert named(base, over) == fields


def test_what_was_unverified_is_so_until_somebody_speaks():
    assert changed(LISTED, "cap: 6000.0").unverified == ("cap",)
    assert changed(LISTED, "{cap: 6000.0, illustrative: true}").unverified is False
    assert changed(LISTED, "{cap: 6000.0, source: ours}").unverified is False
    assert changed(LISTED, "{cap: 6000.0, source: ours, unverified: true}").unverified == ("cap",)
    assert changed(LISTED, "unverified: false").unverified is False
    assert changed(SOURCED, "unverified: true").unverified is True


# --- changes that speak ---------------------------------------------------------------------------


SPEAKING = {
    "two are invented, the others stay sourced": (
        SOURCED, "{cap: 6000.0, prices: {stayed: 950.0}, illustrative: true}",
        {"cap": "illustrative", "prices.stayed": "illustrative"},
    ),
    "a source for one": (SOURCED, "{cap: 6000.0, source: ours}", {}),
    "a source for one that was invented": (INVENTED, "{cap: 6000.0, source: ours}", {"cap": "sourced"}),
    "a source for one that was named": (LISTED, "{cap: 6000.0, source: ours}", {"cap": "sourced"}),
    "said to have no source": (SOURCED, "{cap: 6000.0, unsourced: [cap]}", {"cap": "unsaid"}),
    "a source taken back": (SOURCED, "{cap: 6000.0, source: null}", {"cap": "unsaid"}),
    "no longer invented": (INVENTED, "{cap: 6000.0, illustrative: false}", {"cap": "unsaid"}),
    "one of two named": (
        SOURCED, "{cap: 6000.0, rejected: 0.1, illustrative: [rejected]}",
        {"cap": "unsaid", "rejected": "illustrative"},
    ),
    "a source, and one named": (
        SOURCED, "{cap: 6000.0, rejected: 0.1, source: ours, illustrative: [rejected]}",
        {"rejected": "illustrative"},
    ),
    "named, not given": (SOURCED, "illustrative: [prices.stayed]", {"prices.stayed": "illustrative"}),
    "in a block within": (
        SOURCED, "payers: {council: {payment_lag: 3, illustrative: true}}",
        {"payers.council.payment_lag": "illustrative"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPEAKING)
def test_a_change_that_speaks_decides_for_what_it_gives(case):
    base, over, fields = SPEAKING[case]

    assert named(base, over) == fields


def test_two_sources_are_told_apart():
    assert changed(SOURCED, "{cap: 6000.0, source: ours}").source == "cap: ours; a card"
    assert changed(INVENTED, "{cap: 6000.0, source: ours}").source == "ours"
    assert changed(SOURCED, "{cap: 6000.0, illustrative: true}").source == "a card"
    council = changed(SOURCED, "{payers: {council: {payment_lag: 3, source: ours}}}").payers["council"]
    assert council.source == "share: a card; payment_lag: ours"


def test_changes_of_changes():
    once = merged(node(SOURCED), node("{cap: 6.0, source: ours}"))
    twice = Tariff.model_validate(plain(merged(once, node("{cap: 7.0}"))))

    assert twice.unsourced == ("cap",)
    assert said(twice)["prices.started"] == "sourced"


def test_a_block_that_gives_no_number_speaks_of_all_its_numbers():
    assert set(said(changed(INVENTED, "source: ours")).values()) == {"sourced"}
    assert set(said(changed(LISTED, "source: ours")).values()) == {"sourced"}
    assert set(said(changed(SOURCED, "illustrative: true")).values()) == {"illustrative"}
    assert set(said(changed(SOURCED, "source: null")).values()) == {"unsaid"}
    assert set(said(changed(INVENTED, "illustrative: false")).values()) == {"unsaid"}
    assert set(said(changed(SOURCED, "illustrative: false")).values()) == {"sourced"}
    assert said(changed(PROGRAMME, "source: ours", Programme)) == {
        **said(changed(PROGRAMME, "title: y", Programme)), "costs.team.per_quarter": "sourced",
    }  # fmt: skip


def test_a_block_around_speaks_for_the_blocks_it_reaches():
    over = "{source: ours, referrals: {per_quarter: 12.0}, outcomes: {started: {lag: 3}}}"
    block = changed(PROGRAMME, over, Programme)

    assert (block.referrals.source, block.referrals.illustrative) == ("ours", ("quarters",))
    assert block.outcomes["started"].source == "lag: ours; a count"
    assert block.source is None
    assert said(block)["costs.team.per_quarter"] is None


# --- what is replaced, and what is wrong ----------------------------------------------------------


def test_what_replaces_a_sourced_block_does_not_take_over_its_source():
    over = "outcomes: {stayed: {probability: {distribution: uniform, low: 0.4, high: 0.5}}}"
    block = changed(PROGRAMME, over, Programme)

    assert block.outcomes["stayed"].unsourced == ("probability.low", "probability.high")
    assert said(block)["outcomes.stayed.lag"] == "illustrative"


def test_what_replaces_a_block_may_speak_itself():
    over = "outcomes: {stayed: {probability: {distribution: uniform, low: 0.4, high: 0.5, source: ours}}}"
    told = said(changed(PROGRAMME, over, Programme))

    assert told["outcomes.stayed.probability.low"] == "sourced"
    assert told["outcomes.stayed.lag"] == "illustrative"


def test_names_go_with_what_they_name():
    listed = PROGRAMME.replace("source: a study, illustrative: [sd]}", "}").replace(
        "    illustrative: true\ncosts", "    source: a study\n    illustrative: [probability.sd, lag]\ncosts"
    )
    assert changed(listed, "title: y", Programme).outcomes["stayed"].illustrative == ("probability.sd", "lag")
    halved = changed(listed, "outcomes: {stayed: {probability: 0.5}}", Programme).outcomes["stayed"]
    assert (halved.illustrative, halved.unsourced) == (("lag",), ("probability",))
    replaced = "outcomes: {stayed: {probability: 0.6, source: ours}}"
    assert said(changed(PROGRAMME, replaced, Programme))["outcomes.stayed.probability"] == "sourced"
    dated = SOURCED + "index: cpi\nprice_base: 2026-04-01\nillustrative: [index, price_base]\n"
    assert changed(dated, "cap: 1.0").illustrative == ("price_base", "index")


def test_a_role_may_be_called_source():
    base = "parties: {source: a, investor: [{party: b, share: 1.0}]}\nillustrative: true\n"
    both = plain(merged(node(base), node("parties: {investor: [{party: c, share: 1.0}]}")))

    assert both == {
        "parties": {"source": "a", "investor": ({"party": "c", "share": 1.0},)}, "illustrative": True,
    }  # fmt: skip


BASED = "based_on: ./base.yaml\ndeals:\n  mst:\n    tariff:\n      cap: 5\n"
CAP = "      cap: 900000\n"


@pytest.mark.parametrize(
    ("added", "at", "field", "words"),
    [
        ("      illustrative: [capp]\n", "illustrative", "illustrative[0]", "names nothing that is given"),
        ("      source: x\n      illustrative: true\n", "illustrative", "illustrative", "beside a source"),
        ("      illustrative: yes\n", "illustrative", "illustrative", "must be true or false or a list"),
        ("      illustrative:\n", "illustrative", "illustrative", "is empty"),
        ("      unsourced: true\n", "unsourced", "unsourced", "must be a list"),
    ],
)
def test_a_mistake_in_a_change_is_refused_at_its_line(tmp_path, added, at, field, words):
    write(tmp_path, "base.yaml", SMALL.replace(CAP, CAP + "      source: y\n"))

    with pytest.raises(InputError, match=words) as caught:
        load(write(tmp_path, "small.yaml", BASED + added))

    assert caught.value.line == line_of(BASED + added, at)
    assert caught.value.field == f"deals.mst.tariff.{field}"


@pytest.mark.parametrize(
    "said", ["      source: y\n      illustrative: true\n", "      illustrative: [capp]\n"]
)
def test_a_mistake_in_the_base_is_refused_there(tmp_path, said):
    write(tmp_path, "base.yaml", SMALL.replace(CAP, CAP + said))

    with pytest.raises(InputError) as caught:
        load(write(tmp_path, "small.yaml", BASED))

    assert caught.value.file == str(tmp_path / "base.yaml")


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(shipped("portfolios")))
def test_without_a_change_nothing_else_is_said(tmp_path, name):
    based = load(write(tmp_path, "mine.yaml", f"based_on: {name}\ntitle: mine\n")).portfolio

    assert count_sources(based) == count_sources(load(name).portfolio)


def test_a_portfolio_based_on_a_sourced_one(tmp_path):
    sourced = SMALL.replace("illustrative: true", "source: a report")
    sourced = sourced.replace(CAP, CAP + "      source: a contract\n")
    before = count_sources(load(write(tmp_path, "base.yaml", sourced)).portfolio)
    after = count_sources(load(write(tmp_path, "small.yaml", BASED)).portfolio)

    assert (after.sourced, after.unsaid) == (before.sourced - 1, before.unsaid + 1)


def test_another_programme_does_not_take_over_the_source_of_the_deal(tmp_path):
    deal = "    title: Family therapy\n"
    write(tmp_path, "base.yaml", SMALL.replace(deal, deal + "    source: a contract\n"))
    write(tmp_path, "other.yaml", PROGRAMME)
    text = "based_on: ./base.yaml\ndeals: {mst: {programme: other.yaml}}\n"

    told = said(load(write(tmp_path, "small.yaml", text)).portfolio.deals["mst"])

    assert told["programme.costs.team.per_quarter"] == "unsaid"
    assert told["programme.outcomes.started.probability"] == "sourced"
    assert told["tariff.cap"] == "sourced"


def test_a_deal_may_say_it_of_another_programme(tmp_path):
    write(tmp_path, "base.yaml", SMALL)
    write(tmp_path, "other.yaml", PROGRAMME + "source: a study\n")
    deal = "{programme: other.yaml, start: 2026-07-01, illustrative: true}"
    text = f"based_on: ./base.yaml\ndeals: {{mst: {deal}}}\n"

    told = said(load(write(tmp_path, "small.yaml", text)).portfolio.deals["mst"])

    assert told["programme.costs.team.per_quarter"] == "sourced"
    assert told["tariff.cap"] is None
