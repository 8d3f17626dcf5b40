"""Carried interest: how profit is split between investors and a manager."""

from __future__ import annotations

from typing import Any, NamedTuple

from socialfinance.kernels.elementwise import least, most


class Tiers(NamedTuple):
    """One distribution by tier, pounds. ``manager`` is all that the manager has of it."""

    preferred: Any
    """capital and preferred return"""
    catch_up: Any
    split: Any
    manager: Any


def european(
    cash: Any, owed: Any, investors_gain: Any, managers: Any, share: float, catch_up: float
) -> Tiers:
    """Split ``cash``: capital and preferred return, then catch-up, then by share.

    ``owed`` is capital and compounded preferred return not yet paid; ``investors_gain`` what investors have
    received less what they paid in; ``managers`` what the manager has had, all before this. With P and M the
    gains of investors and manager after the first tier, of the next y pounds the manager has catch_up x y
    until M + catch_up y = share x (P + M + y): y = (share x (P + M) - M) / (catch_up - share), nil where
    catch_up is not above share. The rest is split by ``share``.
    """
    preferred = least(cash, owed)
    rest = cash - preferred
    gain = investors_gain + preferred
    behind = rest * 0.0
    if catch_up > share:
        behind = least(rest, most(0.0, (share * (gain + managers) - managers) / (catch_up - share)))
    split = rest - behind
    return Tiers(preferred, behind, split, catch_up * behind + share * split)
