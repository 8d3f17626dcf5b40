"""Portfolios by name, by path and from Python data: references, bases, and placing later errors."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date

import pytest

from socialfinance.core.errors import InputError
from socialfinance.io import files, shipped
from socialfinance.io.files import load, load_data
from socialfinance.io.yaml import Mark, parse, plain
from tests.io.small import SMALL, line_of, write

PROGRAMME = SMALL[SMALL.index("      title: Therapy") : SMALL.index("    instrument:")]
INSTRUMENT = SMALL[SMALL.index("      kind: social-impact") : SMALL.index("    tariff:")]
REFERRING = SMALL.replace("    programme:\n" + PROGRAMME, "    programme: PROGRAMME\n").replace(
    "    instrument:\n" + INSTRUMENT, "    instrument: INSTRUMENT\n"
)


def unindented(text):
    return "".join(line[6:] for line in text.splitlines(keepends=True))


def referring(programme, instrument):
    return REFERRING.replace("PROGRAMME", programme).replace("INSTRUMENT", instrument)


def data():
    return plain(parse(SMALL.encode(), "small.yaml"))


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A shipped library of one portfolio, one programme and one instrument."""
    root = tmp_path / "library"
    write(root, "portfolios/small.yaml", referring("therapy", "bond"))
    write(root, "portfolios/programmes/therapy.yaml", unindented(PROGRAMME))
    write(root, "instruments/bond.yaml", unindented(INSTRUMENT))
    monkeypatch.setattr(shipped, "library", lambda: root)
    return root


# --- reading --------------------------------------------------------------------------------------


def test_a_file_alone(tmp_path):
    path = write(tmp_path, "small.yaml", SMALL)

    loaded = load(path)

    assert loaded.portfolio.start == date(2026, 4, 1)
    assert list(loaded.inputs) == ["small.yaml"]
    assert loaded.inputs["small.yaml"].text == SMALL
    assert loaded.inputs["small.yaml"].path == loaded.file == str(path)
    assert loaded.inputs["small.yaml"].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.marks["deals", "mst", "tariff", "cap"] == Mark(str(path), line_of(SMALL, "cap: 900000"))


def test_the_hash_is_of_the_bytes_as_they_are(tmp_path):
    path = write(tmp_path, "small.yaml", b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())

    assert load(path).inputs["small.yaml"].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_text_is_a_path_if_it_looks_like_one(tmp_path, monkeypatch):
    write(tmp_path, "small.yml", SMALL)
    write(tmp_path, "sub/small", SMALL)
    monkeypatch.chdir(tmp_path)

    assert load("small.yml").file == "small.yml"
    assert load("sub/small").file == "sub/small"
    with pytest.raises(InputError, match="is not among the shipped portfolios"):
        load("small")


def test_references_are_paths_from_the_root_files_folder(tmp_path):
    path = write(tmp_path, "small.yaml", referring("parts/therapy.yaml", "./bond.yaml"))
    write(tmp_path, "parts/therapy.yaml", unindented(PROGRAMME))
    write(tmp_path, "bond.yaml", unindented(INSTRUMENT))
    alone = load(write(tmp_path, "alone.yaml", SMALL))

    loaded = load(path)

    assert loaded.portfolio == alone.portfolio
    assert list(loaded.inputs) == ["small.yaml", "parts/therapy.yaml", "bond.yaml"]
    assert loaded.inputs["parts/therapy.yaml"].path == str(tmp_path / "parts/therapy.yaml")
    assert loaded.marks["deals", "mst", "programme", "title"] == Mark(str(tmp_path / "parts/therapy.yaml"), 1)


def test_a_link_within_the_folder_is_followed(tmp_path):
    path = write(tmp_path, "small.yaml", referring("therapy.yaml", "link.yaml"))
    write(tmp_path, "therapy.yaml", unindented(PROGRAMME))
    write(tmp_path, "parts/bond.yaml", unindented(INSTRUMENT))
    (tmp_path / "link.yaml").symlink_to("parts/bond.yaml")

    assert list(load(path).inputs) == ["small.yaml", "therapy.yaml", "parts/bond.yaml"]


def test_a_link_to_the_root_file_leads_to_its_folder(tmp_path):
    write(tmp_path, "real/small.yaml", referring("therapy.yaml", "bond.yaml"))
    write(tmp_path, "real/therapy.yaml", unindented(PROGRAMME))
    write(tmp_path, "real/bond.yaml", unindented(INSTRUMENT))
    (tmp_path / "link.yaml").symlink_to("real/small.yaml")

    loaded = load(tmp_path / "link.yaml")

    assert loaded.inputs["therapy.yaml"].path == str(tmp_path / "real/therapy.yaml")


def test_a_file_is_read_once(tmp_path, library, monkeypatch):
    second = SMALL[SMALL.index("  mst:") :].replace("  mst:", "  other:")
    path = write(
        tmp_path,
        "two.yaml",
        SMALL + second.replace("    instrument:\n" + INSTRUMENT, "    instrument: bond\n"),
    )
    reads: list[str] = []
    monkeypatch.setattr(files, "parse", lambda content, shown: reads.append(shown) or parse(content, shown))

    load(path)

    assert reads == [str(path), "shipped/instruments/bond.yaml"]


# --- the shipped library --------------------------------------------------------------------------


def test_a_shipped_portfolio_by_name(library, tmp_path):
    loaded = load("small")

    assert loaded.portfolio == load(write(tmp_path, "alone.yaml", SMALL)).portfolio
    assert list(loaded.inputs) == [
        "shipped/portfolios/small.yaml",
        "shipped/portfolios/programmes/therapy.yaml",
        "shipped/instruments/bond.yaml",
    ]


def test_a_shipped_file_may_be_reached_by_path_too(library):
    write(library, "portfolios/other.yaml", referring("programmes/therapy.yaml", "../instruments/bond.yaml"))

    inputs = load(library / "portfolios" / "other.yaml").inputs

    assert list(inputs) == ["other.yaml", "programmes/therapy.yaml", "shipped/instruments/bond.yaml"]


def test_a_name_that_is_nearly_right(library):
    with pytest.raises(InputError) as caught:
        load("smal")

    assert str(caught.value) == (
        "is not among the shipped portfolios (given 'smal'; allowed: small, or a path to a .yaml file)"
    )


def test_the_library_lies_beside_the_package_or_below_it(tmp_path):
    package = tmp_path / "socialfinance"
    write(package, "_shipped/portfolios/x.yaml", "")

    assert shipped.library(package) == package / "_shipped"

    write(tmp_path, "portfolios/x.yaml", "")  # in site-packages this may be anybody's
    assert shipped.library(package) == package / "_shipped"

    write(tmp_path, "pyproject.toml", "")
    assert shipped.library(package) == tmp_path


def test_no_library_is_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "library", lambda: tmp_path / "none")

    assert shipped.shipped("instruments") == {}


# --- based on another file ------------------------------------------------------------------------


def test_a_portfolio_based_on_a_shipped_one(library, tmp_path):
    text = """\
based_on: small
name: mine
discount: null
deals:
  mst:
    tariff: {cap: 5, prices: {stayed home: 1}}
    instrument: {cap: {irr: 0.2}, protection: ~}
    programme:
      outcomes:
        started well: {probability: {distribution: uniform, low: 0.1, high: 0.2}}
        stayed home: {probability: {distribution: beta, mean: 0.5, sd: 0.1}}
    parties: {investor: backer}
"""
    loaded = load(write(tmp_path, "mine.yaml", text))

    deal = loaded.portfolio.deals["mst"]
    assert loaded.portfolio.name == "mine"
    assert loaded.portfolio.discount is None
    assert (deal.tariff.cap, deal.tariff.prices) == (5, {"started well": 2000, "stayed home": 1})
    assert (deal.instrument.cap.irr, deal.instrument.protection) == (0.2, None)
    assert deal.instrument.commitment.peak_need == 1.2
    assert deal.programme.outcomes["started well"].lag == 2
    assert deal.programme.outcomes["stayed home"].probability.mean == 0.5
    assert deal.parties["investor"] == "backer"
    assert list(loaded.inputs)[:2] == ["mine.yaml", "shipped/portfolios/small.yaml"]
    assert loaded.marks["deals", "mst", "tariff", "cap"] == Mark(str(tmp_path / "mine.yaml"), 6)
    assert loaded.marks["quarters",] == Mark("shipped/portfolios/small.yaml", 3)
    assert ("deals", "mst", "instrument", "protection", "by") not in loaded.marks


def test_an_instrument_reference_with_changes(library, tmp_path):
    text = referring("therapy", "{based_on: bond, cap: {multiple: 2}}")

    instrument = load(write(tmp_path, "mine.yaml", text)).portfolio.deals["mst"].instrument

    assert (instrument.cap.irr, instrument.cap.multiple) == (0.12, 2)


def test_a_reference_in_a_change_replaces_the_whole_part(library, tmp_path):
    write(library, "instruments/plain.yaml", "kind: social-impact-bond\ncommitment: {amount: 1000}\n")
    text = "based_on: small\ndeals: {mst: {instrument: {based_on: plain, reserve_quarters: 2}}}\n"

    instrument = load(write(tmp_path, "mine.yaml", text)).portfolio.deals["mst"].instrument

    assert (instrument.commitment.amount, instrument.cap.irr, instrument.reserve_quarters) == (1000, None, 2)


def test_another_kind_of_instrument_replaces(library, tmp_path):
    text = "based_on: small\ndeals: {mst: {instrument: {kind: fee-for-service}}}\n"

    assert (
        load(write(tmp_path, "mine.yaml", text)).portfolio.deals["mst"].instrument.kind == "fee-for-service"
    )


def test_bases_have_bases(library, tmp_path):
    write(tmp_path, "b.yaml", "based_on: bond\ncap: {irr: 0.3, multiple: 3}\n")
    write(tmp_path, "c.yaml", "based_on: ./b.yaml\ncap: {irr: 0.4}\n")

    instrument = (
        load(write(tmp_path, "mine.yaml", referring("therapy", "c.yaml"))).portfolio.deals["mst"].instrument
    )

    assert (instrument.cap.irr, instrument.cap.multiple, instrument.commitment.peak_need) == (0.4, 3, 1.2)


def test_two_deals_on_one_base_are_no_circle(library, tmp_path):
    text = referring("therapy", "{based_on: bond}")
    text += text[text.index("  mst:") :].replace("  mst:", "  other:")

    assert sorted(load(write(tmp_path, "mine.yaml", text)).portfolio.deals) == ["mst", "other"]


@pytest.mark.parametrize(
    "part", ["deals: 7", "deals:\n  mst: 7", "deals:\n  mst: {programme: 7, instrument: [x]}"]
)
def test_what_is_no_mapping_is_left_to_the_models(library, tmp_path, part):
    with pytest.raises(InputError, match="must be a mapping"):
        load(
            write(
                tmp_path, "mine.yaml", f"name: mine\nstart: 2026-04-01\nquarters: 4\nparties: {{}}\n{part}\n"
            )
        )


# --- Python data ----------------------------------------------------------------------------------


def test_python_data_gives_the_same_portfolio(tmp_path):
    loaded = load_data(data())

    assert loaded.portfolio == load(write(tmp_path, "small.yaml", SMALL)).portfolio
    assert loaded.marks == {}


def test_python_data_can_be_run_again_from_its_text(tmp_path):
    loaded = load_data(data(), "mine")

    text = loaded.inputs["mine"].text
    assert load(write(tmp_path, "again.yaml", text)).portfolio == loaded.portfolio
    assert list(load(tmp_path / "again.yaml").portfolio.deals["mst"].tariff.prices) == [
        "started well",
        "stayed home",
    ]


def test_python_data_may_refer_to_shipped_files(library):
    given = data()
    given["deals"]["mst"]["instrument"] = {"based_on": "bond", "cap": {"irr": 0.5}}

    loaded = load_data(given)

    assert loaded.portfolio.deals["mst"].instrument.cap.irr == 0.5
    assert list(loaded.inputs) == ["portfolio", "shipped/instruments/bond.yaml"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quarters": 0}, "mine: quarters: must be at least 1 (given 0)"),
        ({"quartes": 1}, "mine: quartes: is not a known field (allowed: quarters)"),
        ({"discount": {"rate": float("nan")}}, "mine: discount.rate: must be a finite number (given nan)"),
        (
            {"based_on": "x.yaml"},
            "mine: based_on: a path needs a file to start from: use a shipped name (given 'x.yaml')",
        ),
        ({"start": "2026-04-01"}, "mine: start: must be a date such as 2026-04-01 (given '2026-04-01')"),
    ],
)  # fmt: skip
def test_python_data_gets_the_same_messages(change, message):
    with pytest.raises(InputError) as caught:
        load_data({**data(), **change}, "mine")

    assert str(caught.value) == message


def test_python_data_that_is_no_mapping():
    with pytest.raises(InputError, match="must be a mapping"):
        load_data([1, 2])


# --- errors raised later --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "at", "full"),
    [
        ("deals.mst.tariff.cap", "cap: 900000", None),
        ("tariff.cap", "cap: 900000", "deals.mst.tariff.cap"),
        ("tariff.prices.stayed home", "stayed home: 9000", "deals.mst.tariff.prices.stayed home"),
        ("tariff.prices.unknown", "      prices:", "deals.mst.tariff.prices.unknown"),
        ("tariff.cap_per_person", "    tariff:", "deals.mst.tariff.cap_per_person"),
        ("instrument.cap.multiple", "      cap:\n", "deals.mst.instrument.cap.multiple"),
        ("deals.mst.instrument.protection.schedule[1].by", "from_quarter: 8", None),
        ("deals.mst.parties.investor[0].party", "party: backer", None),
        ("quarters", "quarters: 24", None),
        ("discount", "discount:", None),
        ("comparison.pwlb_method", "name: small", None),
    ],
)  # fmt: skip
def test_a_later_error_is_placed_by_its_field(tmp_path, field, at, full):
    loaded = load(write(tmp_path, "small.yaml", SMALL))

    error = loaded.place(InputError("is wrong", field=field, given=3, allowed="4"))

    assert (error.file, error.line) == (loaded.file, line_of(SMALL, at))
    assert (error.field, error.given, error.allowed) == (full or field, 3, "4")


@pytest.mark.parametrize("field", ["paths", "deal", "quarterss"])
def test_a_later_error_about_no_field_of_the_file_has_no_place(tmp_path, field):
    loaded = load(write(tmp_path, "small.yaml", SMALL))

    error = loaded.place(InputError("is wrong", field=field))

    assert (error.file, error.line, error.field) == (None, None, field)


def test_a_later_error_without_a_field_names_the_file(tmp_path):
    loaded = load(write(tmp_path, "small.yaml", SMALL))

    assert str(loaded.place(InputError("is wrong"))) == f"{loaded.file}: is wrong"


def test_a_later_error_in_one_of_several_deals(tmp_path):
    second = (
        SMALL[SMALL.index("  mst:") :]
        .replace("  mst:", "  other:")
        .replace("cap: 900000", "cap_per_person: 9")
    )
    text = SMALL + second
    loaded = load(write(tmp_path, "two.yaml", text))

    assert loaded.place(InputError("is wrong", field="tariff.prices")).line is None
    assert loaded.place(InputError("is wrong", field="deals.other.tariff.caps")).line == line_of(
        second, "    tariff:"
    ) + SMALL.count("\n")
    only = loaded.place(InputError("is wrong", field="tariff.cap_per_person"))
    assert (only.line, only.field) == (line_of(text, "cap_per_person"), "deals.other.tariff.cap_per_person")


def test_an_error_that_is_placed_stays_there(tmp_path):
    loaded = load(write(tmp_path, "small.yaml", SMALL))
    placed = InputError("is wrong", file="other.yaml", line=3, field="quarters")

    assert str(loaded.place(placed)) == str(placed)


def test_reading_is_quick_to_import():
    code = "import sys, socialfinance.io.files; print(*sys.modules)"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"ruamel.yaml", "numpy", "pydantic"} & set(got.stdout.split())
