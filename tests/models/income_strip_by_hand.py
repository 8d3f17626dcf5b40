"""The income strip again, from its page, one path at a time.

Plain floats and loops in the order of ``docs/structures/income-strip.md``; the development is that of
``asset_backed_by_hand.py``. Nothing of the package is used but its terms and its random numbers.
"""

from __future__ import annotations

from socialfinance.core.currency import HALF_A_PENNY
from socialfinance.instruments.income_strip import IncomeStrip
from socialfinance.programmes.development import Development
from tests.models.asset_backed_by_hand import Books, Draws, Happened, Site, reviewed


class Strip:
    """The strip on one path."""

    def __init__(self, what: Development, strip: IncomeStrip, draws: Draws) -> None:
        self.what, self.strip, self.draws = what, strip, draws
        self.books, self.site = Books(), Site(what, draws)
        self.progress = self.paid_in = self.rent_paid = 0.0
        self.level, self.reviewed_at = 1.0, strip.starts
        self.short, self.quarters_short = 0.0, 0
        self.so_far = self.lowest = 0.0
        self.lapsed = False

    def run(self) -> Books:
        """All rows."""
        ends = self.strip.starts + self.strip.quarters
        going = 1.0
        done = None
        for t in range(self.draws.rows):
            done = self.site.row(t, going, going, going)
            self.row(t, done, ends)
            going = 0.0 if self.lapsed else 1.0
        assert done is not None
        held = 0.0 if self.lapsed or self.draws.rows - 1 < ends else done.value
        self.books.figures = {
            "quarters_short_of_head_rent": float(self.quarters_short),
            "short_of_head_rent": self.short,
            "head_rent": self.rent_paid,
            "option_lapsed": float(self.lapsed),
            "worst_out_of_pocket": -self.lowest,
            "property_at_end": held,
            "council_property_at_end": held,
        }
        return self.books

    def pay(self, t: int, payer: str, payee: str, reason: str, amount: float) -> None:
        """Book it, and count the council's cash."""
        self.books.pay(t, payer, payee, reason, amount)
        if reason != "property in kind":
            self.so_far += amount * ((payee == "commissioner") - (payer == "commissioner"))

    def row(self, t: int, done: Happened, ends: int) -> None:
        """Steps 1 to 5 of the page."""
        strip = self.strip
        capital = strip.capital_sum * (done.progress - self.progress)
        if strip.paid == "at close":
            capital = strip.capital_sum if t == 0 else 0.0
        self.progress = done.progress
        self.paid_in += capital
        self.pay(t, "investor", "commissioner", "drawdown", capital)
        self.pay(t, "outside", "commissioner", "sale receipt", done.receipts)
        self.pay(t, "outside", "commissioner", "rent", done.rents)
        if self.what.grant:
            self.pay(t, self.what.grant.by, "commissioner", "grant", done.grant)
        running = self.costs(t, done)
        head = 0.0
        if strip.starts < t <= ends:
            head = strip.rent / 4.0 * self.level * self.paid_in / strip.capital_sum
            self.pay(t, "commissioner", "investor", "head rent", head)
            self.rent_paid += head
        missing = head - (done.rents - running)
        self.quarters_short += missing > HALF_A_PENNY
        self.short += max(0.0, missing)
        if strip.starts < t < ends and (t - strip.starts) % strip.indexation.every == 0:
            index = self.draws.rent_index
            self.level = reviewed(strip.indexation, index, self.level, t, self.reviewed_at)
            self.reviewed_at = t
        if t == ends and done.value >= strip.option:
            self.pay(t, "commissioner", "investor", "option price", strip.option)
            self.pay(t, "investor", "commissioner", "property in kind", done.value)
        elif t == ends:
            self.lapsed = True
        self.lowest = min(self.lowest, self.so_far)
        self.books.save(t, self.what, done)

    def costs(self, t: int, done: Happened) -> float:
        """What the council pays for building and running it; gives the running cost."""
        running = 0.0
        for name, line in self.what.costs.items():
            if line.basis != "in house":
                self.pay(t, "commissioner", line.paid_to, "service payment", done.costs[name])
                self.books.pay(t, line.paid_to, "outside", line.reason, done.costs[name])
                running += done.costs[name] if line.running else 0.0
        return running


def income_strip(what: Development, strip: IncomeStrip, plan: Draws, draws: Draws) -> Books:
    """The strip on one path; nothing in it hangs on the plan."""
    return Strip(what, strip, draws).run()
