"""A small valid portfolio, and ways to change it and write it down."""

from __future__ import annotations

SMALL = """\
name: small
start: 2026-04-01
quarters: 24
discount:
  rate: 0.05
parties:
  borough: {kind: council}
  backer: {kind: investor}
  charity:
    kind: provider
    title: The Charity
factors:
  slump:
    kind: common-shock
    annual_probability: 0.1
    duration: 4
    depth: 0.2
deals:
  mst:
    title: Family therapy
    programme:
      title: Therapy at home
      note: invented for this test
      illustrative: true
      referrals:
        per_quarter: 10
        quarters: 8
      engagement: {distribution: beta, mean: 0.8, sd: 0.05}
      outcomes:
        started well:
          probability: 0.6
          lag: 2
        stayed home:
          of: started well
          probability:
            distribution: triangular
            low: 0.4
            mode: 0.5
            high: 0.7
      costs:
        team:
          per_quarter: 20000
          first_quarter: 1
          last_quarter: 12
      savings:
        care:
          on: stayed home
          agency: commissioner
          unit_value: 3000.0
    instrument:
      kind: social-impact-bond
      commitment:
        peak_need: 1.2
      tranches:
        first: {share: 0.6}
        second: {share: 0.4, from_quarter: 4}
      cap:
        irr: 0.12
      protection:
        by: commissioner
        schedule:
          - {from_quarter: 4, share: 0.25}
          - {from_quarter: 8, share: 0.5}
    tariff:
      prices:
        started well: 2000
        stayed home: 9000
      payers:
        commissioner:
          share: 1.0
          joins: 1
          leaves: 20
      cap: 900000
    parties:
      commissioner: borough
      investor:
        - {party: backer, share: 0.7}
        - {party: charity, share: 0.3}
      provider: charity
"""


def line_of(text, words):
    """The line on which these words begin; they stand there once (and may run on to the next line)."""
    assert text.count(words) == 1, f"{words!r} stands there {text.count(words)} times"
    return text[: text.index(words)].count("\n") + 1


def changed(old, new):
    """The small portfolio with one piece of text replaced."""
    assert SMALL.count(old) == 1, f"{old!r} stands there {SMALL.count(old)} times"
    return SMALL.replace(old, new)


def write(folder, name, text):
    """Write a file below a folder, and give its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path
