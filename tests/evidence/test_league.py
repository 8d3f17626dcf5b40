"""League tables: shrinkage, ranks with intervals, when ranks mean nothing, and broken tables.

Draws: rates of 20,000 joint draws, fixed seed; what is compared with an exact figure is within four standard
errors of the draws, 4 sqrt(p (1 - p) / 20,000) of a probability.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import betaln

from socialfinance.cli import main
from socialfinance.core.errors import InputError
from socialfinance.evidence.league import (
    DRAWS,
    SURE,
    Placed,
    Posterior,
    Record,
    Sector,
    certain_pairs,
    drawn,
    league,
    means_and_weights,
    pairwise,
    posterior,
    read_league,
)

FULL, MANY = Record("five of five", 5, 5), Record("180 of 200", 200, 180)
ORDINARY = [Record("a", 120, 80), Record("b", 60, 44), Record("c", 300, 190), Record("d", 45, 28),
            Record("e", 80, 61), Record("f", 20, 11)]  # fmt: skip


def one(*records: Record) -> Sector:
    return league({"all": list(records)})[0]


def by_name(sector: Sector) -> dict[str, Placed]:
    return {placed.provider: placed for placed in sector.placed}


def at(m: float, s: float) -> Posterior:
    """A posterior that is sure of m and s."""
    return Posterior(np.array([m]), np.array([s]), np.array([1.0]), (0.0, 0.0))


# --- what the issue asks to be shown ----------------------------------------------------------------


def test_five_of_five_is_not_ranked_above_180_of_200() -> None:
    sector = one(FULL, MANY, *ORDINARY)
    found = by_name(sector)
    order = [placed.provider for placed in sector.placed]

    assert order.index(MANY.provider) < order.index(FULL.provider)
    assert found[MANY.provider].place <= found[FULL.provider].place
    assert found[MANY.provider].mean > found[FULL.provider].mean
    assert found[MANY.provider].expected_rank < found[FULL.provider].expected_rank
    assert found[FULL.provider].rank_high - found[FULL.provider].rank_low > 3


def test_nor_where_the_two_are_alone() -> None:
    """Nothing else is known of the sector, and five of five may well be the better: they share the place."""
    sector = one(FULL, MANY)

    assert [placed.place for placed in sector.placed] == [1, 1]
    assert sector.placed[0].provider == MANY.provider
    assert sector.placed[1].best == pytest.approx(0.69, abs=0.005)
    assert sector.meaningless


def test_but_where_all_others_always_succeed_the_exception_stands_below() -> None:
    """Six with 300 of 300: five of five is likely to be as they are, 180 of 200 is not."""
    found = by_name(one(FULL, MANY, *(Record(str(i), 300, 300) for i in range(6))))

    assert found[FULL.provider].place < found[MANY.provider].place == 8


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 400), st.floats(0.3, 0.8)), min_size=3, max_size=8))
def test_nor_in_any_sector_whose_others_do_worse(others: list[tuple[int, float]]) -> None:
    records = [Record(str(i), users, round(users * rate)) for i, (users, rate) in enumerate(others)]
    sector = one(FULL, MANY, *records)
    found, order = by_name(sector), [placed.provider for placed in sector.placed]

    assert found[MANY.provider].place <= found[FULL.provider].place
    assert order.index(MANY.provider) < order.index(FULL.provider)


# --- the posterior ----------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [[(5, 5), (200, 180)], [(10, 2), (12, 7), (9, 3)], [(40, 1), (35, 0)]])
def test_means_are_those_of_integrating_over_m_and_s(records: list[tuple[int, int]]) -> None:
    """Independent: SciPy's adaptive quadrature over m and s in place of the grid. Within 0.002."""

    def likelihood(m: float, s: float) -> float:
        f = 1.0 / s**2 - 1.0
        a, b = m * f, (1.0 - m) * f
        return math.exp(sum(betaln(a + x, b + n - x) - betaln(a, b) for n, x in records) + 20.0)

    def integral(of: object) -> float:
        found, _ = integrate.dblquad(lambda s, m: of(m, s) * likelihood(m, s), 0, 1, 1e-4, 1 - 1e-9,
                                     epsabs=1e-7, epsrel=1e-4)  # type: ignore[operator]  # fmt: skip
        return found

    users, successes = (np.array(column, dtype=float) for column in zip(*records, strict=True))
    means, weights = means_and_weights(posterior(*zip(*records, strict=True)), users, successes)
    total = integral(lambda m, s: 1.0)
    for i, (n, x) in enumerate(records):
        exact = integral(lambda m, s, n=n, x=x: (m * (1 / s**2 - 1) + x) / (1 / s**2 - 1 + n)) / total
        weight = integral(lambda m, s, n=n: n / (n + 1 / s**2 - 1)) / total
        assert means[i] == pytest.approx(exact, abs=0.002)
        assert weights[i] == pytest.approx(weight, abs=0.005)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.9), st.integers(1, 500), st.floats(0, 1))
def test_given_m_and_s_the_mean_is_the_closed_form(m: float, s: float, n: int, rate: float) -> None:
    """w x / n + (1 - w) m, w = n / (n + f), which is (a + x) / (a + b + n)."""
    x, f = round(n * rate), 1.0 / s**2 - 1.0
    (mean,), (weight,) = means_and_weights(at(m, s), np.array([float(n)]), np.array([float(x)]))

    assert mean == pytest.approx((m * f + x) / (f + n))
    assert mean == pytest.approx(weight * x / n + (1.0 - weight) * m)


def test_a_bigger_record_weighs_more() -> None:
    found = by_name(one(*ORDINARY))
    ordered = sorted(found.values(), key=lambda placed: placed.users)

    assert [placed.weight for placed in ordered] == sorted(placed.weight for placed in ordered)
    assert all(0.0 < placed.weight < 1.0 for placed in ordered)


def test_few_providers_leave_the_spread_wide() -> None:
    """The same rates and users: three providers know less of the spread between them than twelve."""
    rates = (60, 70, 80)
    few = one(*(Record(str(i), 100, x) for i, x in enumerate(rates)))
    many = one(*(Record(str(i), 100, rates[i % 3]) for i in range(12)))

    assert few.spread_high - few.spread_low > 1.5 * (many.spread_high - many.spread_low)


def test_the_draws_agree_with_the_exact_means() -> None:
    """Each within four standard errors of its 20,000 draws."""
    records = [FULL, MANY, *ORDINARY]
    users, successes = (
        np.array([float(getattr(r, name)) for r in records]) for name in ("users", "successes")
    )
    known = posterior([r.users for r in records], [r.successes for r in records])
    means, _ = means_and_weights(known, users, successes)
    _, _, rates = drawn(known, users, successes, DRAWS, 3)

    errors = rates.std(axis=1) / math.sqrt(DRAWS)
    assert np.all(np.abs(rates.mean(axis=1) - means) < 4.0 * errors)


def test_pairs_are_those_of_integrating_the_two_densities() -> None:
    """P(first > second) with m and s known: the first's density times the second's distribution."""
    m, s = 0.7, 0.2
    f = 1.0 / s**2 - 1.0
    first, second = (stats.beta(m * f + x, (1 - m) * f + n - x) for n, x in ((5, 5), (200, 150)))
    exact, _ = integrate.quad(lambda p: first.pdf(p) * second.cdf(p), 0, 1)

    _, _, rates = drawn(at(m, s), np.array([5.0, 200.0]), np.array([5.0, 150.0]), DRAWS, 1)
    found = pairwise(rates)[0, 1]

    assert found == pytest.approx(exact, abs=4.0 * math.sqrt(exact * (1 - exact) / DRAWS))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """120 sectors of six drawn from the prior itself: the first's 90% interval, coverage within 4 s.e."""
    random, hits, sectors = np.random.default_rng(5), 0, 120
    for _ in range(sectors):
        m, s = random.random(), random.random()
        f = 1.0 / s**2 - 1.0
        truth = random.beta(m * f, (1 - m) * f, size=6)
        users = random.integers(5, 120, size=6)
        successes = random.binomial(users, truth)
        records = [Record(str(i), int(n), int(successes[i])) for i, n in enumerate(users)]
        found = by_name(league({"all": records}, draws=1000)[0])["0"]
        hits += found.low - 1e-9 <= truth[0] <= found.high + 1e-9

    assert hits / sectors == pytest.approx(0.9, abs=4.0 * math.sqrt(0.09 / sectors))


# --- ranks ------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=2, max_size=8))
def test_ranks_add_up_and_somebody_is_best(given_records: list[tuple[int, float]]) -> None:
    sector = one(*(Record(str(i), n, round(n * p)) for i, (n, p) in enumerate(given_records)))
    count = len(given_records)

    assert sum(placed.expected_rank for placed in sector.placed) == pytest.approx(count * (count + 1) / 2)
    assert sum(placed.best for placed in sector.placed) == pytest.approx(1.0)
    for placed in sector.placed:
        assert 1 <= placed.rank_low <= placed.rank_high <= count
        assert 1.0 <= placed.expected_rank <= count
        assert 0.0 <= placed.low <= placed.high <= 1.0
        assert placed.place <= count


def test_the_order_of_the_rows_is_nothing() -> None:
    records = [FULL, MANY, *ORDINARY]
    there, back = by_name(one(*records)), by_name(one(*records[::-1]))

    for name, placed in there.items():
        assert placed.mean == pytest.approx(back[name].mean, rel=1e-9)


def test_alike_providers_have_ranks_that_mean_nothing() -> None:
    sector = one(*(Record(str(i), 50, 30 + i % 3) for i in range(10)))

    assert sector.certain < 0.1
    assert sector.meaningless
    assert {placed.place for placed in sector.placed} == {1}


def test_providers_far_apart_are_told_apart() -> None:
    sector = one(*(Record(str(i), 2000, 200 + 300 * i) for i in range(6)))

    assert sector.certain == 1.0
    assert not sector.meaningless
    assert [placed.provider for placed in sector.placed] == ["5", "4", "3", "2", "1", "0"]
    assert [placed.place for placed in sector.placed] == [1, 2, 3, 4, 5, 6]


def test_a_pair_is_certain_from_nine_in_ten_on() -> None:
    better = np.array([[0.0, 0.9, 0.5], [0.1, 0.0, 0.89], [0.5, 0.11, 0.0]])

    assert certain_pairs(better, SURE) == pytest.approx(1 / 3)


def test_sectors_are_populations_of_their_own() -> None:
    text = "provider,users,successes,sector\na,50,40,one\nb,60,30,one\na,20,1,two\nb,30,3,two\n"
    one_, two = league(read_league(text, "t.csv"))

    alone = league({"one": [Record("a", 50, 40), Record("b", 60, 30)]})[0]
    assert one_ == alone
    assert two.mean < 0.4 < one_.mean


def test_programmes_are_added_up_by_provider_or_ranked_themselves() -> None:
    text = "provider,programme,users,successes\na,x,10,4\na,y,20,9\nb,x,30,6\nb,y,5,1\n"

    assert read_league(text, "t.csv") == {"all": [Record("a", 30, 13), Record("b", 35, 7)]}
    assert read_league(text, "t.csv", "programme") == {"all": [Record("x", 40, 10), Record("y", 25, 10)]}
    with pytest.raises(InputError, match="is nothing to rank"):
        read_league(text, "t.csv", "team")


# --- broken tables ----------------------------------------------------------------------------------

HEAD = "provider,users,successes\n"
GOOD = "a,10,5\nb,20,9\n"
LONG = "x" * 201
BROKEN = {
    "nothing": (b"", "is empty (allowed: a line of columns"),
    "a head alone": (HEAD.encode(), "has no rows (allowed: a row for each provider)"),
    "no column users": (b"provider,successes\na,1\n", ":1: users: is missing (allowed:"),
    "a column too many": (
        b"provider,users,successes,colour\na,1,1,red\n",
        ":1: is no column of this table (given 'colour'; allowed:",
    ),
    "a column twice": (b"provider,users,users,successes\na,1,1,1\n", ":1: is a column twice (given 'users')"),
    "semicolons": (
        b"provider;users;successes\na;1;1\n",
        ":1: is no column of this table (given 'provider;users;successes'; allowed:",
    ),
    "a cell short": (
        f"{HEAD}a,10\n".encode(),
        ":2: has another number of cells than the first line has columns (given 2; allowed: 3)",
    ),
    "a cell over": (
        f"{HEAD}a,10,5\nb,1,200,90\n".encode(),
        ":3: has another number of cells than the first line has columns (given 4; allowed: 3)",
    ),
    "half a person": (
        f"{HEAD}a,10.5,5\n".encode(),
        ":2: users: is no whole number (given '10.5'; allowed: a whole number, 1 to 10000000)",
    ),
    "words": (f"{HEAD}a,ten,5\n".encode(), ":2: users: is no whole number (given 'ten'; allowed:"),
    "infinity": (f"{HEAD}a,inf,5\n".encode(), ":2: users: is no whole number (given 'inf'; allowed:"),
    "other digits": (f"{HEAD}a,١٠,5\n".encode(), ":2: users: is no whole number (given '١٠'; allowed:"),
    "nobody": (
        f"{HEAD}{GOOD}c,0,0\n".encode(),
        ":4: users: is out of range (given '0'; allowed: a whole number, 1 to 10000000)",
    ),
    "fewer than nobody": (
        f"{HEAD}a,10,-1\n".encode(),
        ":2: successes: is out of range (given '-1'; allowed: a whole number, 0 to 10000000)",
    ),
    "more than a country": (
        f"{HEAD}a,99999999999999999999,5\n".encode(),
        ":2: users: is out of range (given '99999999999999999999'; allowed:",
    ),
    "more successes than users": (
        f"{HEAD}a,10,11\n".encode(),
        ":2: successes: is more than the users (given 11; allowed: 0 to 10)",
    ),
    "no number": (f"{HEAD}a,,5\n".encode(), ":2: users: is empty (allowed: a whole number"),
    "no name": (f"{HEAD}a,1,1\n,10,5\n".encode(), ":3: provider: is empty"),
    "a name twice": (
        f"{HEAD}{GOOD}a,3,2\n".encode(),
        ":4: provider: stands twice: one row for each provider, or for each of its programmes (given 'a')",
    ),
    "one alone": (
        f"{HEAD}a,10,5\n".encode(),
        ": sector: the sector has nobody to be ranked with (given 'all: 1'; allowed: 2 to 300 rows of a",
    ),
    "one alone in its sector": (
        b"provider,users,successes,sector\na,1,1,x\nb,1,1,x\nc,1,1,y\n",
        "(given 'y: 1'; allowed:",
    ),
    "too many": (
        (HEAD + "".join(f"p{i},10,5\n" for i in range(301))).encode(),
        "has too many to be ranked (given 'all: 301'; allowed:",
    ),
    "a name too long": (
        f"{HEAD}{LONG},10,5\n".encode(),
        ":2: provider: is too long (given 'xxxxxx",
    ),
    "not UTF-8": (HEAD.encode() + b"caf\xe9,10,5\n", ":2: is not text in UTF-8"),
    "a quote left open": (f'{HEAD}"a,10,5\n'.encode(), "is no CSV:"),
    "a name that acts": (
        f"{HEAD}\x1b[31ma,10,5\n\x1b[31ma,10,5\n".encode(),
        r"stands twice: one row for each provider, or for each of its programmes (given '\x1b[31ma')",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_said_in_one_line(name: str, tmp_path: Path, capsys) -> None:
    content, words = BROKEN[name]
    table, output = tmp_path / "table.csv", tmp_path / "league.json"
    table.write_bytes(content)

    assert main(["league", str(table), "--json", str(output)]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"socialfinance: {table}")
    assert words in err
    assert "\x1b" not in err
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.csv"], "missing.csv: no such file"),
        (["."], "is a folder, not a file"),
        (["table.csv", "--by", "programme"], "table.csv:1: programme: is missing: there is nothing"),
        (["table.csv", "--seed", "-1"], "--seed: must not be below 0 (given -1)"),
        (["table.csv", "--json", "table.csv"], "table.csv: --json: is a file that is read"),
        (["table.csv", "--json", "no/league.json"], "its folder does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_written(
    words: list[str], said: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(HEAD + GOOD, encoding="utf-8")

    assert main(["league", *words]) == 2
    assert said in capsys.readouterr().err
    assert Path("table.csv").read_text(encoding="utf-8") == HEAD + GOOD


def test_the_page_and_the_file_say_the_same(tmp_path: Path, capsys) -> None:
    table, output = tmp_path / "table.csv", tmp_path / "league.json"
    table.write_text("\ufeffProvider, Users ,Successes\r\n\r\nA ,10,5\r\nB,20,9\r\n", encoding="utf-8")

    assert main(["league", str(table), "--json", str(output)]) == 0

    page = " ".join(capsys.readouterr().out.split())
    rows = json.loads(output.read_text(encoding="utf-8"))["rows"]
    assert sorted(row["provider"] for row in rows) == ["A", "B"]
    assert all(row["ranks_mean_nothing"] for row in rows)
    assert "these ranks mean nothing" in page
    assert "hardly known" in page
    assert all(f"{row['successes']} of {row['users']}" in page for row in rows)
