"""Every structure there is. A new one is one line in the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from socialfinance.instruments.asset_backed import AssetBacked
from socialfinance.instruments.council_build import CouncilBuild
from socialfinance.instruments.credit_line import CreditLine
from socialfinance.instruments.grant import Grant
from socialfinance.instruments.guaranteed_debt import GuaranteedDebt
from socialfinance.instruments.in_house import DoNothing, FeeForService, PwlbLoan
from socialfinance.instruments.income_strip import IncomeStrip
from socialfinance.instruments.loan_pool import LoanPool
from socialfinance.instruments.pay_as_you_save import PayAsYouSave
from socialfinance.instruments.social_impact_bond import SocialImpactBond

Instrument = Annotated[
    SocialImpactBond
    | GuaranteedDebt
    | PayAsYouSave
    | CreditLine
    | Grant
    | LoanPool
    | AssetBacked
    | IncomeStrip
    | CouncilBuild
    | FeeForService
    | PwlbLoan
    | DoNothing,
    Field(discriminator="kind"),
]
