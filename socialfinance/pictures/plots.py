"""The door to a result's pictures: ``result.plot``."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from socialfinance.pictures import cash, investors, public, terms
from socialfinance.pictures.lookup import Known
from socialfinance.pictures.style import Picture

if TYPE_CHECKING:
    from socialfinance.pricing.compare import Comparison
    from socialfinance.pricing.frontier import Frontier
    from socialfinance.pricing.sensitivity import Tornado
    from socialfinance.results.result import Result


class Plots:
    """Pictures of one result.

    Each is a matplotlib ``Figure`` with ``alt``, which says what it shows, and ``data``, the table behind
    it. InputError, with what there is, for a party or deal that the result does not have.
    """

    def __init__(self, result: Result) -> None:
        self.result = result

    @cached_property
    def known(self) -> Known:
        """The result's rows by what they are about."""
        return Known(self.result)

    def fan(self, council: str | None = None) -> Picture:
        """Net cost of a public body by financial year, and what it is held against; default the dearest."""
        return public.fan(self.known, council)

    def savings(self) -> Picture:
        """Expected savings by agency and financial year."""
        return public.savings(self.known)

    def returns(self) -> Picture:
        """Returns by note or, without a fund, by deal."""
        return investors.returns(self.known)

    def j_curve(self, deal: str = "") -> Picture:
        """What investors of a deal, or of the whole, are out of pocket over time."""
        return investors.j_curve(self.known, deal)

    def exceedance(self, guarantor: str | None = None, deal: str | None = None) -> Picture:
        """The chance that a guarantor is called for more than an amount; default the first."""
        return investors.exceedance(self.known, guarantor, deal)

    def waterfall(self, name: str = "") -> Picture:
        """Where expected money comes from and goes: of a deal by its name, or of the fund."""
        return cash.waterfall(self.known, name)

    def sharing(self, comparison: Comparison | None = None) -> Picture:
        """Who bears the risk: by structure of a comparison, or of the deals as contracted."""
        return terms.sharing(self.known, comparison)

    def frontier(self, found: Frontier) -> Picture:
        """What ``pricing.frontier.frontier`` found."""
        return terms.frontier(found, self.known.symbol)

    def tornado(self, found: Tornado) -> Picture:
        """What ``pricing.sensitivity.tornado`` found."""
        return terms.tornado(found, self.known.symbol)
