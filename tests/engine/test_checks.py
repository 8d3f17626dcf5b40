"""What is missing or left over is an error before a run starts."""

from __future__ import annotations

from typing import Any

import pytest

from socialfinance.core.errors import InputError
from socialfinance.engine.ready import prepare
from socialfinance.funds.portfolio import Portfolio
from tests.fixtures import one_deal

REF = {"outcomes": {"outcome": {"probability": {"driver": "success"}, "lag": 1}}}
BETA = {"distribution": "beta", "mean": 0.5, "sd": 0.1}
GROWTH = {"distribution": "normal", "mean": 0.03, "sd": 0.01}


def changed(portfolio: Portfolio, **change: Any) -> Portfolio:
    """The portfolio with top-level fields changed, validated again."""
    return Portfolio.model_validate({**portfolio.model_dump(exclude_unset=True), **change})


@pytest.mark.parametrize(
    ("portfolio", "field", "words"),
    [
        (lambda: one_deal(prices={"outcome": 1.0}, programme=REF),
         "deals.deal.programme.outcomes.outcome.probability.driver", "driver that is missing"),
        (lambda: one_deal(prices={"outcome": 1.0}, programme={"drivers": {"spare": BETA}}),
         "deals.deal.programme.drivers.spare", "nothing needs"),
        (lambda: one_deal(prices={"outcome": 1.0}, probability={**BETA, "loadings": {"economy": 0.2}}),
         "deals.deal.programme.outcomes.outcome.probability.loadings.economy", "factor that is missing"),
        (lambda: changed(one_deal(prices={"outcome": 1.0}), factors={"economy": {"kind": "gaussian"}}),
         "factors.economy", "no driver loads on"),
        (lambda: changed(one_deal(prices={"outcome": 1.0}), indices={"pay": {"annual": 0.02}}),
         "indices.pay", "nothing follows"),
        (lambda: one_deal(prices={"outcome": 1.0}, index="pay"), "deals.deal.tariff.index", "index"),
        (lambda: one_deal(prices={"other": 1.0}), "deals.deal.tariff.prices.other", "outcome line"),
        (lambda: one_deal(prices={"outcome": 1.0}, caps={"other": 5.0}),
         "deals.deal.tariff.caps.other", "outcome line"),
        (lambda: one_deal(prices={"outcome": 1.0}, instrument={
            "performance_coupon": {"line": "other", "steps": ({"at": 0.5, "rate": 0.05},)}}),
         "deals.deal.instrument.performance_coupon.line", "outcome line"),
        (lambda: one_deal(prices={"outcome": 1.0}, instrument={
            "protection": {"by": "angel", "schedule": ({"from_quarter": 0, "share": 0.5},)}}),
         "deals.deal.parties.angel", "no party fills"),
        (lambda: one_deal(prices={"outcome": 1.0}, instrument={
            "protection": {"by": "vehicle", "schedule": ({"from_quarter": 0, "share": 0.5},)}}),
         "deals.deal.instrument.protection.by", "belongs to the model"),
        (lambda: one_deal(prices={"outcome": 1.0}, payers={"outside": {"share": 1.0}}),
         "deals.deal.tariff.payers.outside", "belongs to the model"),
        (lambda: one_deal(prices={"outcome": 1.0}, programme={"savings": {"beds": {
            "on": "outcome", "agency": "vehicle", "unit_value": 1.0}}}),
         "deals.deal.programme.savings.beds.agency", "belongs to the model"),
    ],
)  # fmt: skip
def test_missing_or_left_over(portfolio: Any, field: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        prepare(portfolio())
    assert caught.value.field == field
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_role_nobody_needs_is_refused() -> None:
    data = one_deal(prices={"outcome": 1.0}).model_dump(exclude_unset=True)
    data["deals"]["deal"]["parties"]["spectator"] = "charity"
    with pytest.raises(InputError, match="nothing in this deal needs"):
        prepare(Portfolio.model_validate(data))


def test_the_models_own_roles_and_parties_are_refused() -> None:
    data = one_deal(prices={"outcome": 1.0}).model_dump(exclude_unset=True)
    data["deals"]["deal"]["parties"]["vehicle"] = "charity"
    with pytest.raises(InputError, match="belongs to the model"):
        prepare(Portfolio.model_validate(data))
    for name in ("outside", "deal vehicle"):
        data = one_deal(prices={"outcome": 1.0}).model_dump(exclude_unset=True)
        data["parties"][name] = {"kind": "council"}
        with pytest.raises(ValueError, match="belongs to the model"):
            Portfolio.model_validate(data)


def test_a_party_fills_a_role_once() -> None:
    data = one_deal(prices={"outcome": 1.0}).model_dump(exclude_unset=True)
    data["deals"]["deal"]["parties"]["investor"] = ({"party": "fund", "share": 0.5},) * 2
    with pytest.raises(ValueError, match="names a party twice"):
        Portfolio.model_validate(data)


# --- who shares which score -----------------------------------------------------------------------


def loading(by: str, tags: dict[str, str], index: bool = False) -> Portfolio:
    """One deal whose outcome, or whose price index, loads on a factor ``common``."""
    on = {"loadings": {"common": 0.5}}
    data = one_deal(prices={"outcome": 1.0}, probability=BETA | ({} if index else on), index="prices")
    fields = data.model_dump(exclude_unset=True)
    fields["deals"]["deal"] |= tags
    fields["factors"] = {"common": {"kind": "gaussian", "by": by}}
    fields["indices"] = {"prices": {"annual": GROWTH | (on if index else {})}}
    return Portfolio.model_validate(fields)


@pytest.mark.parametrize("by", ["theme", "place", "provider"])
def test_a_deal_without_a_tag_has_no_score_by_it(by: str) -> None:
    others = {tag: "x" for tag in ("theme", "place", "provider") if tag != by}
    with pytest.raises(InputError) as caught:
        prepare(loading(by, others))
    assert caught.value.field == "deals.deal.programme.outcomes.outcome.probability.loadings.common"
    assert f"is a factor by {by}, and the deal does not name its own" in str(caught.value)
    assert prepare(loading(by, {by: "x"})).deals[0].tags == {by: "x"}
    assert prepare(loading("all", {})).deals[0].tags == {}


def test_an_index_loads_only_on_what_all_share() -> None:
    assert prepare(loading("all", {}, index=True))
    with pytest.raises(InputError, match="is a factor by place, and an index has none") as caught:
        prepare(loading("place", {"place": "x"}, index=True))
    assert caught.value.field == "indices.prices.annual.loadings.common"
    fields = loading("all", {}, index=True).model_dump(exclude_unset=True)
    fields["factors"] = {}
    with pytest.raises(InputError, match="needs a factor that is missing") as caught:
        prepare(Portfolio.model_validate(fields))
    assert caught.value.field == "indices.prices.annual.loadings.common"


def test_what_the_file_says_of_its_discount_rate_is_its_basis() -> None:
    def basis(discount: dict[str, Any], **top: Any) -> str:
        return prepare(changed(one_deal(prices={"outcome": 1.0}), discount=discount, **top)).discount_basis

    assert basis({"rate": 0.04}) == "the file gives none"
    assert basis({"rate": 0.04, "illustrative": True}) == "illustrative"
    assert basis({"rate": 0.04, "illustrative": ("rate",)}) == "illustrative"
    assert basis({"rate": 0.04, "source": "a report"}) == "a report"
    assert basis({"rate": 0.04}, source="a book") == "a book"
    assert basis({"rate": 0.04}, illustrative=True) == "illustrative"
    assert basis({"rate": 0.04}, source="a book", illustrative=("discount",)) == "illustrative"
