"""What a page must say beside a note that is sold to the public, and what its yield is worth in an ISA."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from socialfinance.funds.notes import Note
from socialfinance.markets import savings_tax
from socialfinance.markets.savings_tax import BANDS, Band


class Row(NamedTuple):
    """A note's yield for a holder of one tax band, beyond the savings allowance; fractions a year."""

    rate: float
    """income tax on interest"""
    kept: float
    """what a holder keeps of the yield outside an ISA"""
    equivalent: float
    """what a holder must earn outside an ISA to keep the whole of it, as inside one"""
    source: str
    unverified: bool
    """whether the tax rate still has to be confirmed"""


def yields(note_yield: float, on: date) -> dict[Band, Row]:
    """Kept = y (1 − t) outside an ISA, and equivalent = y / (1 − t), by tax band on a day.

    ``note_yield`` y is a fraction a year, t the band's rate on interest. The allowance is taken as used up: a
    holder with allowance left keeps more, up to y itself. Charges of the ISA and losses are left out.
    InputError: a yield outside 0 to 1, a day without a table.
    """
    return {band: _row(note_yield, band, on) for band in BANDS}


def cautions(name: str, note: Note, on_lends: bool) -> tuple[str, ...]:
    """Sentences to print beside a note with ``retail`` terms; none for any other note.

    ``name`` is what the page calls the note; ``on_lends`` says whether what it raises is lent on, as a fund
    does that puts money into deals. They are warnings from public rules, no legal advice; what the
    references do not confirm says ``[unverified]``.
    """
    if note.retail is None:
        return ()
    said = [_redeemed(name)] if note.retail.redemption is not None else []
    if on_lends:
        said.insert(0, _lent_on_listed(name) if note.retail.listed else _lent_on(name))
    if note.retail.wrapper == "stocks and shares isa":
        said.append(_stocks_isa(name, note.retail.listed))
    if note.retail.wrapper == "innovative finance isa":
        said.append(_finance_isa(name))
    return tuple(said)


def _row(note_yield: float, band: Band, on: date) -> Row:
    taxed = savings_tax.rate(band, on)
    # With no allowance left, what is invested makes no difference: a pound does.
    kept = savings_tax.after_tax(note_yield, 1.0, 0.0, band, on)
    equal = savings_tax.tax_equivalent_yield(note_yield, band, on)
    # The allowance does not come in, so the rate alone says whether the row is confirmed.
    return Row(taxed.value, kept.value, equal.value, taxed.source, taxed.unverified)


def _lent_on(name: str) -> str:
    return (
        f"{name} lends on what it raises and is not listed: since 1 January 2021 the FCA has banned the "
        "mass marketing of such speculative illiquid securities to retail investors (PS20/15)."
    )


def _lent_on_listed(name: str) -> str:
    # The ban of 2021 took in listed bonds too, which the temporary one of 2020 had not.
    return (
        f"{name} lends on what it raises: a listing takes it out of the FCA's ban on mass marketing to "
        "retail investors, in force since 1 January 2021, only if regularly traded (PS20/15) [unverified]."
    )


def _redeemed(name: str) -> str:
    return (
        f"{name} can be handed back in windows, which suggests a collective investment scheme, "
        "whose units may not be promoted to the public unless it is authorised [unverified]."
    )


def _stocks_isa(name: str, listed: bool) -> str:
    has = "it is meant to have one, so check the exchange" if listed else "it has none"
    return (
        f"{name} is meant for a stocks and shares ISA, and whether it may be held in one depends on a "
        f"listing on a recognised stock exchange: {has}."
    )


def _finance_isa(name: str) -> str:
    return (
        f"{name} is meant for an innovative finance ISA, which it can be held in only if it is sold through "
        "a platform that the FCA has authorised [unverified]."
    )
