"""JSON Schema for editors."""

from __future__ import annotations

import json

import pytest

from socialfinance.core.errors import InputError
from socialfinance.io.schema import KINDS, schema


def pointers(part):
    """Every ``$ref`` in a schema."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for one in part.values():
            yield from pointers(one)
    elif isinstance(part, list):
        for one in part:
            yield from pointers(one)


def demands(part):
    """Every list of required fields in a schema."""
    if isinstance(part, dict):
        if isinstance(part.get("required"), list):
            yield part["required"]
        for one in part.values():
            yield from demands(one)
    elif isinstance(part, list):
        for one in part:
            yield from demands(one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_whole(kind):
    made = schema(kind)

    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["title"] == f"socialfinance {kind}"
    assert json.loads(json.dumps(made)) == made
    assert {pointer.removeprefix("#/$defs/") for pointer in pointers(made)} <= set(made["$defs"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_closed_and_changes_demand_nothing(kind):
    definitions = schema(kind)["$defs"]

    assert all(
        one.get("additionalProperties") is False for one in definitions.values() if "properties" in one
    )
    for name, one in definitions.items():
        asked = list(demands(one))
        assert not name.endswith("Changed") or asked in ([], [["based_on"]], [["based_on"], ["based_on"]])


def test_fields_are_described():
    tariff = schema("portfolio")["$defs"]["Tariff"]["properties"]

    assert tariff["cap"]["description"] == "contract cap over all payers"


@pytest.mark.parametrize("form", ["Tariff", "TariffChanged"])
def test_a_block_says_where_its_numbers_come_from(form):
    block = schema("portfolio")["$defs"][form]["properties"]
    names = {"type": "array", "items": {"type": "string"}}

    for field in ("illustrative", "unverified"):
        assert block[field]["anyOf"] == [{"type": "boolean"}, names]
        assert "a list: these fields" in block[field]["description"]
    assert block["unsourced"].items() >= names.items()


def test_a_deal_may_refer_to_files():
    deal = schema("portfolio")["$defs"]["Deal"]["properties"]

    for part in ("programme", "instrument"):
        reference, _, changes = deal[part]["anyOf"]
        assert reference["type"] == "string"
        assert changes["required"] == ["based_on"]


def test_a_file_may_be_based_on_another():
    for kind in KINDS:
        whole, changes = schema(kind)["anyOf"]
        assert "based_on" not in whole.get("properties", {})
        assert changes["required"] == ["based_on"]
    assert "based_on" in schema("instrument")["$defs"]["SocialImpactBondChanged"]["properties"]


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="allowed: instrument, programme, portfolio"):
        schema("fund")
