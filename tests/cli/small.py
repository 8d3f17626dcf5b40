"""One small deal with savings, an early end and a review; and the same with published figures."""

from __future__ import annotations

SMALL = """\
name: small
title: A small fund
start: 2026-10-01
quarters: 20
discount: {rate: 0.05, illustrative: true}
comparison: {pwlb_method: eip, pwlb_term_years: 2}
parties:
  anytown: {kind: council, title: Anytown Council}
  nhs-trust: {kind: nhs}
  backer: {kind: investor}
  charity: {kind: provider}
deals:
  families:
    illustrative: true
    programme:
      title: Family therapy
      illustrative: true
      referrals: {per_quarter: 20, quarters: 6, volume: {distribution: lognormal, mean: 1.0, sd: 0.15}}
      engagement: {distribution: beta, mean: 0.85, sd: 0.05}
      outcomes:
        home: {probability: {distribution: beta, mean: 0.75, sd: 0.08}, lag: 2, verification_lag: 1}
        home a year: {of: home, probability: 0.85, lag: 2}
      costs:
        therapy: {per_quarter: 100000, overrun: {distribution: lognormal, mean: 1.02, sd: 0.05}}
        staff: {paid_to: provider, reason: other cost, per_quarter: 8000, basis: in house}
      savings:
        care: {on: home, agency: commissioner, unit_value: 2000, duration: 4, cashable: 0.5}
    instrument:
      kind: social-impact-bond
      illustrative: true
      commitment: {peak_need: 1.25}
      cap: {irr: 0.12}
      performance_coupon:
        line: home
        steps: [{at: 0.55, rate: 0.03}, {at: 0.60, rate: 0.075}, {at: 0.65, rate: 0.12}]
      termination: {voluntary: {annual_probability: 0.1}, compensation: {voluntary: 0.5}}
      review: {quarters: [6], below: 0.7, price: 1.1, pause_quarters: 1}
    tariff:
      illustrative: true
      prices: {home: 10000, home a year: 6000}
      payers: {council: {share: 0.7, cap: 1200000}, health: {share: 0.3}}
      cap: 1500000
    parties: {council: anytown, health: nhs-trust, investor: backer, provider: charity}
"""

PUBLISHED = """\
    actuals: {set: {outcomes.home.probability: 0.62}}
    published:
      people helped:
        {figure: programme.people started, value: 100, unit: people, treatment: reproduced, source: A report}
      rate: {figure: "programme.rate: home", value: 0.6, unit: fraction, treatment: calibrated}
      rate set: {figure: outcomes.home.probability, value: 0.62, unit: fraction, treatment: calibrated}
      coupon: {figure: "coupon at 0.62, step", value: 0.075, unit: fraction a year, treatment: reproduced}
      coupon paid:
        {figure: "coupon at 0.62, interpolated", value: 0.089, unit: fraction a year, treatment: reproduced}
      paid: {figure: investor.drawdown, value: 300000, unit: pounds, treatment: reproduced, case: plan}
      both: {figure: public.paid, value: 1000000, unit: pounds, treatment: reproduced}
      coupon of year 2: {figure: coupon.step.2, value: 0.075, unit: fraction a year, treatment: reproduced}
      most: {figure: council.contract_value, value: 1200000, unit: pounds, treatment: reproduced}
      quarters paid: {figure: investor.payments, value: 4, unit: quarters, treatment: context}
      no support: {figure: council.emergency support, value: 0, unit: pounds, treatment: reproduced}
      hopes: {figure: hopes raised, value: 3, unit: hopes, treatment: context, note: not modelled}
"""

REPLAY = SMALL + PUBLISHED
