"""Rows of a fund that need all paths at once: multiples, deals' part of its tail, the policy's gain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from socialfinance.engine.accumulate import Kept
from socialfinance.engine.fund_figures import WITHOUT_POLICY
from socialfinance.engine.ready import ReadyPortfolio
from socialfinance.engine.ready_fund import ReadyFund
from socialfinance.kernels.returns import fund_multiples
from socialfinance.measures.fund import tail_contributions
from socialfinance.measures.paths import Key
from socialfinance.measures.sample import Sample
from socialfinance.measures.statistics import Row

Array = NDArray[np.float64]
WORST = 0.05
"""Share of futures that are the tail to which deals contribute."""
POLICY = ("value", "cost", "cuts", "mistaken_cuts")
"""What gains and mistakes of a policy are ratios of."""


def needs_all_paths(key: Key) -> bool:
    """Whether a figure must be kept by path for the rows below: of each deal, each note, and the policy."""
    if key.role == "position":
        return key.measure == "gain"
    if key.role == "note":
        return key.measure in ("loss", "drawn")
    return key.role == "policy" and key.deal == "" and key.measure in POLICY


def fund_rows(ready: ReadyPortfolio, kept: Kept) -> Iterator[Row]:
    """All of them; nothing where there is no fund."""
    fund = ready.fund
    if fund is None:
        return
    scopes = ("fund", WITHOUT_POLICY) if fund.policy is not None else ("fund",)
    yield from _multiples(ready, fund, kept, "fund")
    for scope in scopes:
        yield from _tail(fund, kept, scope)
        yield from _note_rates(fund, kept, scope)
    if fund.policy is not None:
        yield from _gains(ready, fund, kept)
        yield _mistakes(fund, kept)


def _row(key: Key, statistic: str, value: float | None, error: float | None, status: str = "ok") -> Row:
    return Row(
        key.scope, key.deal, key.party, key.role, key.financial_year, key.measure, statistic, value, error,
        key.unit, status, 1.0,
    )  # fmt: skip


def _multiples(ready: ReadyPortfolio, fund: ReadyFund, kept: Kept, scope: str) -> Iterator[Row]:
    """DPI, RVPI, TVPI and PIC of the expected flows at each financial year's end.

    Of those who are to have their money back; value is that of deals and cash after the row, all of it.
    """
    commitment = sum(n.commitment for n in fund.lowered.terms.notes if n.repayable or n.residual)

    def mean(measure: str, year: str) -> float:
        return kept.figure(Key(scope, "", fund.party, "fund", year, measure, "pounds")).mean()[0] or 0.0

    for year in ready.calendar.financial_years:
        paid, back = mean("paid_in_so_far", year), mean("distributed_so_far", year)
        if paid <= 0.0:
            continue
        value = mean("value", year) + mean("cash", year)
        for measure, figure in fund_multiples(paid, back, value, commitment)._asdict().items():
            key = Key(scope, "", fund.party, "fund", year, measure, "times")
            yield _row(key, "of_mean_flows", float(figure), None)


def _tail(fund: ReadyFund, kept: Kept, scope: str) -> Iterator[Row]:
    """Each deal's part of the fund's mean loss in the worst futures; they sum to it."""
    names = [position.deal.name for position in fund.positions]
    gains = np.stack(
        [kept.figures[Key(scope, name, fund.party, "position", "", "gain", "pounds")] for name in names]
    )
    means, errors, total = tail_contributions(gains, WORST, kept.sample)
    for name, mean, error in zip(names, means, errors, strict=True):
        key = Key(scope, name, fund.party, "position", "", "tail_loss", "pounds")
        yield _row(key, "mean_of_worst", float(mean), float(error))
    yield _row(
        Key(scope, "", fund.party, "position", "", "tail_loss", "pounds"), "mean_of_worst", total, None
    )


def _note_rates(fund: ReadyFund, kept: Kept, scope: str) -> Iterator[Row]:
    """Expected loss of each note over what is expected to be drawn, with its standard error."""
    for name, note in zip(fund.names, fund.lowered.terms.notes, strict=True):
        if note.repayable or note.residual:
            loss = kept.by_path(Key(scope, "", name, "note", "", "loss", "pounds"))
            drawn = kept.by_path(Key(scope, "", name, "note", "", "drawn", "pounds"))
            value, error = ratio_of_means(loss.sample, loss.values, drawn.values)
            key = Key(scope, "", name, "note", "", "expected_loss_rate", "fraction")
            yield _row(key, "of_means", value, error, "ok" if value is not None else "nothing is ever drawn")


def ratio_of_means(sample: Sample, above: Array, below: Array) -> tuple[float | None, float | None]:
    """E a / E b, and its standard error by the delta method: that of the mean of (a - r b) / E b."""
    middle = sample.mean(below)[0]
    if middle <= 0.0:
        return None, None
    value = sample.mean(above)[0] / middle
    return value, sample.error((above - value * below) / middle)


def relative_gain(
    sample: Sample, value: Array, cost: Array, value0: Array, cost0: Array
) -> tuple[float | None, float | None]:
    """(E v / E c) / (E v0 / E c0) - 1, paired on the same futures, with its standard error.

    Delta method: (1 + gain) x the error of the mean of v / E v - c / E c - v0 / E v0 + c0 / E c0.
    """
    means = [sample.mean(x)[0] for x in (value, cost, value0, cost0)]
    if min(means) <= 0.0:
        return None, None
    gain = (means[0] / means[1]) / (means[2] / means[3]) - 1.0
    apart = value / means[0] - cost / means[1] - value0 / means[2] + cost0 / means[3]
    error = sample.error(apart)
    return gain, None if error is None else (1.0 + gain) * error


def _gains(ready: ReadyPortfolio, fund: ReadyFund, kept: Kept) -> Iterator[Row]:
    """The policy's gain in value per pound and in value, by year and over the life."""
    for year in (*ready.calendar.financial_years, ""):
        table = [
            kept.figures[Key(scope, "", fund.party, "policy", year, name, "pounds")]
            for scope in ("fund", WITHOUT_POLICY)
            for name in ("value", "cost")
        ]
        ones = np.ones_like(table[0])
        gain, error = relative_gain(kept.sample, *table)
        more, more_error = relative_gain(kept.sample, table[0], ones, table[2], ones)
        status = "ok" if gain is not None else "nothing was done in this year"
        about = Key("fund", "", fund.party, "policy", year, "value_per_pound_gain", "fraction")
        yield _row(about, "of_means", gain, error, status)
        yield _row(about._replace(measure="value_gain"), "of_means", more, more_error, status)


def _mistakes(fund: ReadyFund, kept: Kept) -> Row:
    """Mistaken cuts over all cuts, both expected."""
    cuts, wrong = (
        kept.figures[Key("fund", "", fund.party, "policy", "", name, "deals")]
        for name in ("cuts", "mistaken_cuts")
    )
    value, error = ratio_of_means(kept.sample, wrong, cuts)
    key = Key("fund", "", fund.party, "policy", "", "share_of_cuts_mistaken", "fraction")
    return _row(key, "of_means", value, error, "ok" if value is not None else "nothing is ever cut")
