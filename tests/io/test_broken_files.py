"""A small valid portfolio broken in many ways: each gives one line with file, line and field."""

from __future__ import annotations

import pytest

from socialfinance.core.errors import InputError
from socialfinance.io.files import load
from tests.io.small import SMALL, changed, line_of, write

FUNNEL = "deals.mst.programme.outcomes"

# what is replaced, by what, words of the line that must be named, the field, words of the message
BROKEN = {
    "unknown key at the top": ("quarters: 24", "quarter: 24", "quarter: 24", "quarter", "allowed: quarters"),
    "unknown key in a deal": ("    title: Family", "    titel: Family", "titel", "deals.mst.titel", "title"),
    "unknown key in an instrument": (
        "        irr: 0.12", "        irrr: 0.12", "irrr", "deals.mst.instrument.cap.irrr", "allowed: irr",
    ),
    "unknown key in a distribution": (
        "            mode: 0.5", "            mod: 0.5", "mod: 0.5", f"{FUNNEL}.stayed home.probability.mod",
        "is not a known field (allowed: mode",
    ),
    "unknown key far from any": (
        "  rate: 0.05", "  rate: 0.05\n  zzz: 1", "zzz", "discount.zzz", "allowed: source, illustrative",
    ),
    "unknown key in a list": (
        "{party: backer, share: 0.7}", "{party: backer, shar: 0.7}", "shar: 0.7",
        "deals.mst.parties.investor[0].shar", "allowed: share",
    ),
    "missing field": ("quarters: 24\n", "", "name: small", "quarters", "is missing"),
    "missing field deep down": (
        "            low: 0.4\n", "", "probability:\n", f"{FUNNEL}.stayed home.probability.low", "is missing",
    ),
    "missing kind": (
        "      kind: social-impact-bond\n", "", "    instrument:", "deals.mst.instrument.kind",
        "is missing (allowed: social-impact-bond, guaranteed-debt, pay-as-you-save",
    ),
    "negative price": (
        "home: 9000", "home: -9000", "home: -9000", "deals.mst.tariff.prices.stayed home",
        "must be at least 0 (given -9000)",
    ),
    "share above one": (
        "first: {share: 0.6}", "first: {share: 1.6}", "share: 1.6",
        "deals.mst.instrument.tranches.first.share", "must be at most 1 (given 1.6)",
    ),
    "nought where more is needed": (
        "peak_need: 1.2", "peak_need: 0", "peak_need: 0", "deals.mst.instrument.commitment.peak_need",
        "must be above 0",
    ),
    "too many quarters": ("quarters: 24", "quarters: 401", "quarters: 401", "quarters", "at most 400"),
    "payers that do not share the whole": (
        "share: 1.0", "share: 0.9", "      payers:", "deals.mst.tariff.payers", "shares must sum to 1",
    ),
    "tranches that are not the whole": (
        "share: 0.4,", "share: 0.3,", "      tranches:", "deals.mst.instrument.tranches", "must sum to 1",
    ),
    "a role that is not filled": (
        "charity, share: 0.3", "charity, share: 0.2", "      investor:\n", "deals.mst.parties.investor",
        "they sum to 0.9",
    ),
    "cost that ends before it begins": (
        "last_quarter: 12", "last_quarter: 0", "last_quarter: 0",
        "deals.mst.programme.costs.team.last_quarter", "is before first_quarter (given 0)",
    ),
    "payer that leaves before it joins": (
        "leaves: 20", "leaves: 0", "leaves: 0", "deals.mst.tariff.payers.commissioner.leaves", "before joins",
    ),
    "cohort measured too early": (
        "      costs:\n", "      effect:\n        true: 0.1\n        baseline: 1.5\n        cohorts:\n"
        "          one: {first_quarter: 1, last_quarter: 4, measured_quarter: 3, people: 9, controls: 9}\n"
        "      costs:\n", "measured_quarter: 3", "deals.mst.programme.effect.cohorts.one", "in this order",
    ),
    "protection that does not rise": (
        "from_quarter: 8", "from_quarter: 2", "        schedule:", "deals.mst.instrument.protection.schedule",
        "quarters must rise",
    ),
    "low above high": (
        "high: 0.7", "high: 0.3", "          probability:\n", f"{FUNNEL}.stayed home.probability", "low <=",
    ),
    "spread too wide": ("sd: 0.05", "sd: 0.5", "engagement", "deals.mst.programme.engagement.sd", "large"),
    "text for a number": (
        "per_quarter: 20000", "per_quarter: £20k", "£20k", "deals.mst.programme.costs.team.per_quarter",
        "must be a number (given '£20k')",
    ),
    "quoted number": (
        "irr: 0.12", "irr: '0.12'", "irr: '0.12'", "deals.mst.instrument.cap.irr", "must be a number",
    ),
    "part of a quarter": (
        "quarters: 8", "quarters: 8.5", "quarters: 8.5", "deals.mst.programme.referrals.quarters",
        "must be a whole number (given 8.5)",
    ),
    "yes is text": (
        "illustrative: true", "illustrative: yes", "illustrative", "deals.mst.programme.illustrative",
        "must be true or false or a list (given 'yes')",
    ),
    "illustrative beside a source": (
        "      note: invented for", "      source: invented for", "illustrative",
        "deals.mst.programme.illustrative",
        "beside a source, name the invented fields instead, such as [sd, lag]",
    ),
    "a name of nothing": (
        "illustrative: true", "illustrative: [costs, referral]", "illustrative",
        "deals.mst.programme.illustrative[1]",
        "names nothing that is given here (given 'referral'; allowed: referrals)",
    ),
    "a name of nothing further down": (
        "illustrative: true", "unverified: [outcomes.stayed home.lag]", "unverified",
        "deals.mst.programme.unverified[0]", "allowed: outcomes.stayed home, outcomes.stayed home.of,",
    ),
    "a name of what says it itself": (
        "      illustrative: true\n      referrals:\n",
        "      illustrative: [referrals.quarters]\n      referrals:\n        source: a report\n",
        "illustrative", "deals.mst.programme.illustrative[0]",
        "has a block that says itself where it comes from",
    ),
    "a name that is called two things": (
        "illustrative: true", "illustrative: [costs]\n      unsourced: [costs]", "unsourced",
        "deals.mst.programme.unsourced[0]", "is called illustrative as well (given 'costs')",
    ),
    "a number for a name": (
        "illustrative: true", "illustrative: [costs, 1]", "illustrative",
        "deals.mst.programme.illustrative[1]",
        "must be text (given 1)",
    ),
    "nothing where a number belongs": ("quarters: 24", "quarters:", "quarters:\n", "quarters", "is empty"),
    "date as text": ("2026-04-01", "'2026-04-01'", "start: ", "start", "must be a date such as 2026-04-01"),
    "date that is none": ("2026-04-01", "2026-02-30", "start: ", "start", "is not a date"),
    "date and time": ("2026-04-01", "2026-04-01 12:00:00", "start: ", "start", "is not a date"),
    "a number for a mapping": (
        "        irr: 0.12", "        0.12", "      cap:\n", "deals.mst.instrument.cap", "must be a mapping",
    ),
    "neither number nor distribution": (
        "probability: 0.6", "probability: often", "often", f"{FUNNEL}.started well.probability",
        "write a number, a mapping with `distribution`",
    ),
    "unknown instrument": (
        "social-impact-bond", "social-impact-bund", "social-impact-bund", "deals.mst.instrument.kind",
        "is not a known kind (given 'social-impact-bund'; allowed: social-impact-bond, guaranteed-debt",
    ),
    "unknown distribution": (
        "triangular", "triangle", "triangle", f"{FUNNEL}.stayed home.probability.distribution",
        "allowed: fixed, uniform, triangular",
    ),
    "unknown kind of factor": ("common-shock", "shock", "kind: shock", "factors.slump.kind", "gaussian"),
    "unknown kind of party": ("investor}", "debtor}", "debtor", "parties.backer.kind", "allowed: council"),
    "unknown reason": (
        "          per_quarter: 20000", "          per_quarter: 20000\n          reason: pay", "reason: pay",
        "deals.mst.programme.costs.team.reason", "not one of the allowed",
    ),
    "unknown party": (
        "provider: charity", "provider: chairty", "chairty", "deals.mst.parties.provider",
        "'chairty' is not among the parties",
    ),
    "unknown party among several": (
        "party: charity", "party: chairty", "      investor:\n", "deals.mst.parties.investor", "'chairty'",
    ),
    "a line that follows none": (
        "of: started well", "of: started badly", "of: started badly", f"{FUNNEL}.stayed home.of",
        "follows a line that is not there",
    ),
    "a line that follows itself": (
        "of: started well", "of: stayed home", "of: stayed home", f"{FUNNEL}.stayed home.of", "in a circle",
    ),
    "saving on no outcome": (
        "on: stayed home", "on: stay home", "on: stay home", "deals.mst.programme.savings.care.on",
        "names no outcome line: 'stay home'",
    ),
    "saving on an effect that is not there": (
        "on: stayed home", "on: effect", "on: effect", "deals.mst.programme.savings.care.on", "has none",
    ),
    "two ways to plan referrals": (
        "        quarters: 8", "        quarters: 8\n        schedule: [9, 9]", "      referrals:",
        "deals.mst.programme.referrals", "give either schedule or per_quarter",
    ),
    "a name with capitals": ("  borough: {", "  Borough: {", "Borough", "parties.Borough", "is not a name"),
    "no deal": (SMALL[SMALL.index("  mst:"):], "  {}\n", "deals:", "deals", "must have 1 or more entries"),
    "not a number": ("rate: 0.05", "rate: .nan", ".nan", "discount.rate", "must be a finite number"),
    "infinity": ("cap: 900000", "cap: .inf", ".inf", "deals.mst.tariff.cap", "must be a finite number"),
    "more than a number can hold": (
        "cap: 900000", "cap: 1e999", "1e999", "deals.mst.tariff.cap", "must be a finite number",
    ),
    "a name given twice": (
        "        stayed home: 9000", "        started well: 9000", "well: 9000",
        "deals.mst.tariff.prices.started well", "is given twice, first in line",
    ),
    "a section given twice": (
        "factors:\n", "parties:\n", "parties:\n  slump", "parties", "is given twice, first in line 6",
    ),
    "a list for a name": ("  backer: {", "  [a, b]: {", "[a, b]: {", "parties", "a name must be text"),
    "nothing for a name": ("  backer: {", "  ~: {", "~: {", "parties", "a name must be text"),
    "tab": ("    title: Family", "\ttitle: Family", "title: Family", None, "a tab is not allowed here"),
    "colon in a text": ("Family therapy", "Family: therapy", "Family: therapy", None, "needs quotes"),
    "wrong indentation": ("      cap: 900000", "     cap: 900000", "cap: 900000", None, "wrong indentation"),
    "quote left open": ("Family therapy", "'Family therapy", "'Family therapy", None, "quote is not closed"),
    "a character that begins nothing": ("Family therapy", "@home", "@home", None, "is not valid YAML"),
    "two documents": ("factors:\n", "---\nfactors:\n", "---", None, "more than one document"),
    "anchor": ("rate: 0.05", "rate: &r 0.05", "&r", "discount.rate", "anchors and aliases"),
    "alias": ("rate: 0.05", "rate: *r", "*r", None, "undefined alias"),
    "tag": ("Family therapy", "!!python/object:os.system x", "!!python", "deals.mst.title", "tags (!)"),
    "tag of one's own": ("rate: 0.05", "rate: !percent 5", "!percent", "discount.rate", "tags (!)"),
    "older YAML": ("name: small", "%YAML 1.1\n---\nname: small", "%YAML", None, "directives"),
    "a reference to nothing": (
        "    instrument:\n", "    theme: x\n    instrument: bond.yaml\n    ignored:\n", "bond.yaml",
        "deals.mst.instrument", "no such file (given 'bond.yaml')",
    ),
    "a reference to no shipped file": (
        "      kind: social-impact-bond\n", "      based_on: no such bond\n", "no such bond",
        "deals.mst.instrument.based_on", "is not among the shipped instruments",
    ),
    "a reference that leaves the folder": (
        "      kind: social-impact-bond\n", "      based_on: ../../etc/passwd\n", "passwd",
        "deals.mst.instrument.based_on", "leaves the folder",
    ),
    "a reference to the root of the disk": (
        "      kind: social-impact-bond\n", "      based_on: /etc/passwd\n", "passwd",
        "deals.mst.instrument.based_on", "leaves the folder",
    ),
    "a reference that no file can have": (
        "      kind: social-impact-bond\n", '      based_on: "a\\0/b"\n', "based_on",
        "deals.mst.instrument.based_on", "cannot be followed",
    ),
    "a reference that is a list": (
        "      kind: social-impact-bond\n", "      based_on: [edge-of-care]\n", "based_on: [",
        "deals.mst.instrument.based_on",
        "must be a shipped name, or a path to a .yaml file (given [edge-of-care])",
    ),
    "a reference that is a mapping": (
        "name: small", "based_on: {file: x}\nname: small", "based_on: {", "based_on", "(given {'file': 'x'})",
    ),
    "a start no calendar reaches": (
        "start: 2026-04-01", "start: 9999-10-01", "start: 9999", "start",
        "must be a date from 1990-01-01 to 2199-12-31 (given 9999-10-01)",
    ),
    "a start before any deal": ("start: 2026-04-01", "start: 1989-12-31", "start: 19", "start", "from 1990"),
    "a deal's start far away": (
        "    title: Family", "    start: 2200-01-01\n    title: Family", "start: 2200", "deals.mst.start",
        "must be a date from",
    ),
    "a price base in Roman times": (
        "      cap: 900000", "      price_base: 0043-05-01\n      cap: 900000", "price_base",
        "deals.mst.tariff.price_base", "must be a date from",
    ),
    "a cost's price base": (
        "          per_quarter: 20000", "          price_base: 9999-12-31\n          per_quarter: 20000",
        "price_base", "deals.mst.programme.costs.team.price_base", "must be a date from",
    ),
    "more money than there is": (
        "home: 9000", "home: 1e305", "home: 1e305", "deals.mst.tariff.prices.stayed home",
        "must be at most 1,000,000,000,000 (given 1e+305)",
    ),
    "a number too large to add up": (
        "unit_value: 3000.0", "unit_value: -1e305", "unit_value",
        "deals.mst.programme.savings.care.unit_value",
        "is too large a number, at most 1,000,000,000,000,000 (given -1e+305)",
    ),
    "a spread too wide to work out": (
        "        per_quarter: 10", "        volume: {distribution: lognormal, mean: 1e-200, sd: 1}\n"
        "        per_quarter: 10", "volume", "deals.mst.programme.referrals.volume.sd",
        "a million times the mean",
    ),
    "a currency nobody knows": (
        "quarters: 24", "currency: EUR\nquarters: 24", "EUR", "currency",
        "is not one of the allowed values (given 'EUR'; allowed: GBP, AUD, USD)",
    ),
    "growth in per cent": (
        "factors:\n", "indices:\n  wages:\n    annual: 2.5\nfactors:\n", "annual:", "indices.wages.annual",
        "growth in the plan must be from -0.5 to 1 a year, it is 2.5",
    ),
    "an index by a driver": (
        "factors:\n", "indices:\n  wages:\n    annual: {driver: pay}\nfactors:\n", "annual:",
        "indices.wages.annual", "an index takes no driver",
    ),
    "a process that loads on a factor": (
        "engagement: {distribution: beta, mean: 0.8, sd: 0.05}",
        "engagement: {distribution: mean-reverting, start: 0.8, mean: 0.8, reversion: 1.0, volatility: 0.1, "
        "loadings: {slump: 0.1}}", "engagement", "deals.mst.programme.engagement.loadings",
        "only what is drawn once can load on a factor, not a process",
    ),
    "an index by a process that loads on a factor": (
        "factors:\n", "indices:\n  wages:\n    annual: {distribution: geometric-brownian, start: 0.03, "
        "volatility: 0.1, loadings: {slump: 0.1}}\nfactors:\n", "annual:", "indices.wages.annual.loadings",
        "not a process",
    ),
    "what is certain loads on a factor": (
        "engagement: {distribution: beta, mean: 0.8, sd: 0.05}",
        "engagement: {distribution: fixed, value: 0.8, loadings: {slump: 0.1}}", "engagement",
        "deals.mst.programme.engagement.loadings", "what is certain has no luck to share",
    ),
    "the depth of a shock loads on a factor": (
        "    depth: 0.2", "    depth: {distribution: beta, mean: 0.2, sd: 0.1, loadings: {economy: 0.5}}",
        "depth", "factors.slump.depth.loadings", "the size of a bad time loads on no factor",
    ),
    "the size of failure loads on a factor": (
        "      costs:\n", "      failure: {probability: 0.1, performance: {distribution: beta, mean: 0.2, "
        "sd: 0.1, loadings: {economy: 0.5}}}\n      costs:\n", "failure",
        "deals.mst.programme.failure.performance.loadings", "the size of a bad time loads on no factor",
    ),
    "a reference that is a number": (
        "      kind: social-impact-bond\n", "      based_on: 7\n", "based_on: 7",
        "deals.mst.instrument.based_on", "must be a shipped name",
    ),
    "based on itself": (
        "name: small", "based_on: ./small.yaml\nname: small", "based_on", "based_on",
        "small.yaml → small.yaml",
    ),
}  # fmt: skip


def refused(path):
    with pytest.raises(InputError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_small_portfolio_is_valid(tmp_path):
    assert load(write(tmp_path, "small.yaml", SMALL)).portfolio.quarters == 24


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, name):
    old, new, at, field, words = BROKEN[name]
    text = changed(old, new)

    error = refused(write(tmp_path, "small.yaml", text))

    assert error.file == str(tmp_path / "small.yaml")
    assert (error.field, error.line) == (field, line_of(text, at))
    assert words in str(error)


def test_of_several_mistakes_the_first_line_is_named(tmp_path):
    text = (
        changed("leaves: 20", "leaves: soon").replace("irr: 0.12", "irr: high").replace("lag: 2", "lag: -2")
    )

    error = refused(write(tmp_path, "small.yaml", text))

    assert (error.field, error.line) == (f"{FUNNEL}.started well.lag", line_of(text, "lag: -2"))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", 1, "is empty"),
        (b"# only a remark\n", 1, "is empty"),
        (b"~\n", 1, "is empty"),
        (b"\n- name: small\n", 2, "must be a mapping"),
        (b"just text\n", 1, "must be a mapping"),
        (b"name: small\nnote: \xff\xfe\n", 2, "is not text in UTF-8"),
        ("name: small\n".encode("utf-16"), 1, "is not text in UTF-8"),
        (b"name: small\nnote: a\x00b\n", 2, "holds a character that is not text"),
        (b"name: " + b"[" * 60 + b"]" * 60, 1, "is nested more than 40 deep"),
        (b"name: " + b"[" * 5000, None, "is nested more than 40 deep"),
        (b"name: " + b"9" * 5000, 1, "is too large a number"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, "anchors and aliases"),
    ],
    ids=range(12),
)
def test_a_file_that_is_no_portfolio_at_all(tmp_path, content, line, words):
    error = refused(write(tmp_path, "small.yaml", content))

    assert (error.file, error.line) == (str(tmp_path / "small.yaml"), line)
    assert words in error.problem


def test_no_file_and_no_ordinary_file(tmp_path):
    assert refused(tmp_path / "none.yaml").problem == "no such file"
    assert refused(tmp_path).problem == "is a folder, not a file"
    assert refused("/dev/null.yaml/x.yaml").problem == "no such file"
    assert "ordinary" in refused("/dev/null").problem


def test_a_file_too_large_to_be_meant(tmp_path):
    assert "is larger than" in refused(write(tmp_path, "small.yaml", b"#" * 4_000_001)).problem


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")

    assert refused(tmp_path / "a.yaml").file == str(tmp_path / "a.yaml")


def test_a_circle_of_files_is_shown(tmp_path):
    path = write(tmp_path, "a.yaml", "\nbased_on: parts/b.yaml\nname: a\n")
    write(tmp_path, "parts/b.yaml", "name: b\nbased_on: ./c.yaml\n")
    write(tmp_path, "c.yaml", "based_on: parts/b.yaml\n")

    error = refused(path)

    assert (error.file, error.line, error.field) == (str(tmp_path / "c.yaml"), 1, "based_on")
    assert "a.yaml → parts/b.yaml → c.yaml → parts/b.yaml" in error.problem


@pytest.mark.parametrize("linked", ["bond.yaml", "parts"])
def test_a_link_does_not_lead_out_of_the_folder(tmp_path, linked):
    write(tmp_path, "elsewhere/bond.yaml", "kind: do-nothing\n")
    target = tmp_path / "elsewhere" / ("bond.yaml" if linked == "bond.yaml" else "")
    reference = linked if linked == "bond.yaml" else "parts/bond.yaml"
    text = changed("      kind: social-impact-bond\n", f"      based_on: {reference}\n")
    path = write(tmp_path, "mine/small.yaml", text)
    (tmp_path / "mine" / linked).symlink_to(target)

    error = refused(path)

    assert (error.field, error.line) == ("deals.mst.instrument.based_on", line_of(text, "based_on"))
    assert "leaves the folder" in error.problem


def test_a_mistake_in_another_file_is_placed_there(tmp_path):
    start, end = SMALL.index("    instrument:"), SMALL.index("    tariff:")
    path = write(tmp_path, "small.yaml", SMALL[:start] + "    instrument: parts/bond.yaml\n" + SMALL[end:])
    write(tmp_path, "parts/bond.yaml", "kind: social-impact-bond\n\ncommitment: {peak_need: -1}\n")

    error = refused(path)

    assert (error.file, error.line) == (str(tmp_path / "parts/bond.yaml"), 3)
    assert error.field == "deals.mst.instrument.commitment.peak_need"


def test_a_mistake_in_a_change_is_placed_at_the_change(tmp_path):
    text = "based_on: ./base.yaml\n\ndeals:\n  mst:\n    tariff:\n      cap: -5\n"
    write(tmp_path, "base.yaml", SMALL)

    error = refused(write(tmp_path, "small.yaml", text))

    assert (error.file, error.line, error.field) == (str(tmp_path / "small.yaml"), 6, "deals.mst.tariff.cap")
