"""What stands beside a retail note, and its yield by tax band, by hand.

4% outside an ISA: 4 x 0.8 = 3.2% is kept at 20%, 4 x 0.6 = 2.4% at 40%, 4 x 0.55 = 2.2% at 45%; from 6 April
2027 3.12%, 2.32% and 2.12%. In an ISA it is worth 5.00%, 6.67% and 7.27% outside; then 5.13%, 6.90%, 7.55%.
"""

from datetime import date
from itertools import product
from typing import Any

import pytest

from socialfinance.core.errors import InputError
from socialfinance.funds import retail
from socialfinance.funds.notes import Note

OLD = date(2026, 9, 21)
NEW = date(2027, 4, 6)
WINDOWS = {"every": 4, "asked_for": 0.05, "kept": 0.1}


def note(**terms: Any) -> Note:
    """A retail note of £1m at 4%."""
    return Note.model_validate(
        {
            "holder": "the public",
            "commitment": 1e6,
            "rank": 1,
            "rate": {"basis": "fixed", "annual": 0.04},
            "retail": terms,
        }
    )


@pytest.mark.parametrize(
    ("on", "kept", "equivalent"),
    [
        (OLD, (0.032, 0.024, 0.022), (0.0500, 0.0667, 0.0727)),
        (NEW, (0.0312, 0.0232, 0.0212), (0.0513, 0.0690, 0.0755)),
    ],
)
def test_yields_by_band(on, kept, equivalent):
    rows = retail.yields(0.04, on)
    assert list(rows) == ["basic", "higher", "additional"]
    assert tuple(row.kept for row in rows.values()) == pytest.approx(kept, rel=1e-12)
    assert tuple(round(row.equivalent, 4) for row in rows.values()) == equivalent
    assert all("Finance Act 2026" in row.source and not row.unverified for row in rows.values())


def test_yields_say_when_the_rate_is_not_enacted():
    assert all(row.unverified for row in retail.yields(0.04, date(2028, 4, 6)).values())


def test_a_yield_in_per_cent_is_refused():
    with pytest.raises(InputError, match=r"0\.04 is 4%"):
        retail.yields(4.0, OLD)


def test_a_note_that_is_not_retail_says_nothing():
    plain = note().model_copy(update={"retail": None})
    assert retail.cautions("Senior", plain, True) == ()


def test_the_ban_needs_lending_on_and_no_listing():
    def banned(listed: bool, on_lends: bool) -> bool:
        said = retail.cautions("The note", note(listed=listed), on_lends)
        return any("has banned the mass marketing" in sentence for sentence in said)

    assert banned(listed=False, on_lends=True)
    assert not banned(listed=True, on_lends=True)
    assert not banned(listed=False, on_lends=False)


def test_a_listing_alone_is_no_way_out_of_the_ban():
    (said,) = retail.cautions("The note", note(listed=True), True)
    assert "only if regularly traded" in said
    assert said.endswith("[unverified].")


def test_windows_and_wrappers():
    said = retail.cautions("The note", note(redemption=WINDOWS, wrapper="innovative finance isa"), True)
    words = ["1 January 2021", "collective investment scheme", "platform that the FCA has authorised"]
    assert len(said) == 3
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))
    assert ["[unverified]" in sentence for sentence in said] == [False, True, True]


@pytest.mark.parametrize(("listed", "words"), [(True, "check the exchange"), (False, "it has none")])
def test_a_stocks_and_shares_isa_depends_on_listing(listed, words):
    (said,) = retail.cautions("The note", note(listed=listed, wrapper="stocks and shares isa"), False)
    assert "listing on a recognised stock exchange" in said
    assert words in said


def test_every_caution_is_one_sentence_and_opens_with_the_name():
    wrappers = ("none", "stocks and shares isa", "innovative finance isa")
    for wrapper, listed, on_lends in product(wrappers, (True, False), (True, False)):
        terms = note(wrapper=wrapper, listed=listed, redemption=WINDOWS)
        for said in retail.cautions("The note", terms, on_lends):
            assert said.startswith("The note ")
            assert said.endswith(".")
            assert said.count(". ") == 0
