"""An evaluation design as text: what it can tell, what it risks, and what a bigger control group is worth."""

from __future__ import annotations

from socialfinance.evidence.design import (
    Design,
    detectable,
    paid_at,
    people_needed,
    pooled_alone,
    power_at,
)
from socialfinance.evidence.design_runs import Engine, Estimate, Study
from socialfinance.programmes.futures import evaluation_error
from socialfinance.reports.numbers import NOTHING, PERCENT, THOUSANDS, text, with_error
from socialfinance.reports.page import Page

EACH = (1.0, 2.0, 10.0)
"""Controls for each person in the table of sample sizes."""


def design_page(study: Study, title: str, symbol: str, power: float = 0.8, alpha: float = 0.05) -> str:
    """The page of ``design``."""
    page = Page(symbol=symbol)
    page.heading(f"Evaluation design: {title}")
    _told(page, study.design, power, alpha)
    _needed(page, study.design, power, alpha)
    _risks(page, study)
    _sides(page, study)
    _worth(page, study)
    page.gap()
    page.say(
        f"{study.paths:,} futures, seed {study.seed}, the same for every size. ± is one standard error of",
        "the simulation. What is not in it: people lost to follow-up, effects that spread to the control",
        "group, and a dispersion of events other than the file's.",
    )
    return page.text


def _told(page: Page, design: Design, power: float, alpha: float) -> None:
    rows = [
        (one.name, f"{one.people:,.0f}", f"{one.controls:,.0f}", f"{one.weight:,.0f}",
         *_errors(evaluation_error(design.effect, one.people, one.controls), design.plan, power, alpha))
        for one in design.cohorts
    ]  # fmt: skip
    foot = (
        "all together", f"{design.people:,.0f}", f"{design.controls:,.0f}",
        f"{sum(one.weight for one in design.cohorts):,.0f}",
        *_errors(design.pooled_error, design.plan, power, alpha),
    )  # fmt: skip
    head = ("Cohort", "People planned", "Controls", "People expected at the report", "sd of the error",
            f"Least effect found, {power:.0%} power", f"Power at {design.plan:.1%}")  # fmt: skip
    page.table("", head, rows, foot)
    bias = "none is assumed (--matching-bias gives one)"
    if design.bias:
        bias = f"an sd of {design.bias:.2%}, the same draw for all cohorts, in the last line only"
    page.say(
        "Effects are relative falls in events.",
        f"Baseline {design.effect.baseline:g} events a person, dispersion {design.effect.dispersion:g};",
        f"two-sided test at {alpha:.0%}. Bias of matching, which more controls do not make smaller: {bias}.",
    )


def _errors(error: float, plan: float, power: float, alpha: float) -> tuple[str, str, str]:
    return f"{error:.2%}", f"{detectable(error, power, alpha):.1%}", f"{power_at(plan, error, alpha):.0%}"


def _needed(page: Page, design: Design, power: float, alpha: float) -> None:
    effects = sorted({0.05, 0.10, round(design.plan, 4)})
    rows = [
        (f"{effect:.1%}", *(_people(design, effect, each, power, alpha) for each in EACH))
        for effect in effects
    ]
    head = ("True effect", *(f"{each:g} control{'s' * (each != 1)} each" for each in EACH))
    page.table(f"People needed in one cohort to find it with {power:.0%} power", head, rows)
    terms = design.tariff.effect
    assert terms is not None
    trigger = terms.pooled_trigger if pooled_alone(design) is None else pooled_alone(design)
    assert trigger is not None
    page.say(
        f"The trigger for all together is {trigger:.1%}. It is reached in four cases of five only from a",
        f"true effect of {paid_at(trigger, design.pooled_error, 0.8):.1%} on, in one of five from",
        f"{paid_at(trigger, design.pooled_error, 0.2):.1%}.",
    )


def _people(design: Design, effect: float, each: float, power: float, alpha: float) -> str:
    found = people_needed(design.effect, effect, each, power, alpha, design.bias)
    return "no number" if found is None else f"{found:,.0f}"


def _risks(page: Page, study: Study) -> None:
    rows = [
        (_size(study, risk.controls), f"{risk.error:.2%}", _share(risk.false_payment),
         _chance(engine.false_payment), _share(risk.missed_payment), _chance(engine.missed_payment),
         text(risk.expected, None, THOUSANDS), _thousands(engine.expected), text(engine.sd, None, THOUSANDS))
        for risk, engine in zip(study.risks, study.engine, strict=True)
    ]  # fmt: skip
    head = ("Controls", "sd of the pooled error", "False payment", "by the engine", "Missed payment",
            "by the engine", "Expected payment", "by the engine", "sd")  # fmt: skip
    page.table("Payment risk (£000)", head, rows)
    page.say(
        "False: anything is paid though the true effect is nil. Missed: nothing is paid though it is",
        f"{study.design.plan:.1%}, as planned. First column of each pair: by the normal error and the tariff",
        "alone, at the tariff's prices; second: by the engine, where contracts also end early, volumes vary",
        "and prices move. Where the two differ by more than the error, that is why. (*): the file's own.",
    )


def _sides(page: Page, study: Study) -> None:
    rows = [(_size(study, one.controls), *_side(one)) for one in study.engine]
    head = ("Controls", "Investors' NPV", "sd", "IRR of expected flows", "Chance of a loss",
            "Public bodies' net cost, PV", "sd", "Paid above the truth", "Unpaid below it")  # fmt: skip
    page.table("Investors and public bodies (£000)", head, rows)
    page.say(
        "Paid above the truth: what is paid more than an evaluation without error would have paid in the",
        "same future; unpaid below it: what is paid less. The first is the payers' loss by the evaluation,",
        "the second the investors'.",
    )


def _side(one: Engine) -> tuple[str, ...]:
    return (
        _thousands(one.investor_npv), text(one.investor_npv_sd, None, THOUSANDS),
        with_error(*one.investor_irr, PERCENT), _chance(one.investor_loss), _thousands(one.net_cost_pv),
        text(one.net_cost_pv_sd, None, THOUSANDS), _thousands(one.over), _thousands(one.under),
    )  # fmt: skip


def _worth(page: Page, study: Study) -> None:
    priced = study.cost_per_control is not None
    rows = [
        (_size(study, one.controls), _thousands(one.to_payers), _thousands(one.to_investors),
         _thousands(one.together), _thousands(one.investor_npv), _thousands(one.net_cost_pv),
         *(text(x, None, THOUSANDS) for x in (one.cost, one.net) if priced))
        for one in study.worth[1:]
    ]  # fmt: skip
    more = ("Cost of the controls more", "Worth less cost") if priced else ()
    head = ("Controls", "To payers", "To investors", "Together", "Investors' NPV", "Net cost, PV", *more)
    least = study.worth[0].controls
    page.table(
        f"Worth of a bigger group over {least:,.0f} controls, in payments that follow the truth (£000)",
        head,
        rows,
    )
    best = study.best
    if best is None:
        page.say("Give --cost-per-control for the size at which a bigger group is no longer worth its cost.")
        return
    first = best.controls == least
    page.say(
        f"At £{study.cost_per_control:,.2f} a control the best size of this table is {best.controls:,.0f}:",
        "no bigger group is worth its cost."
        if first
        else "of those listed, its worth less its cost is greatest.",
        "Worth counts a pound paid wrongly as a pound lost, to whichever side; it puts no price on risk.",
    )


def _size(study: Study, controls: float) -> str:
    return f"{controls:,.0f}{' (*)' if controls == study.design.controls else ''}"


def _thousands(one: Estimate) -> str:
    return with_error(*one, THOUSANDS)


def _share(chance: float) -> str:
    """A chance in per cent; one below a thousandth of a per cent as such."""
    return "<0.01%" if chance < 0.0001 else f"{chance:.2%}" if chance < 0.01 else f"{chance:.1%}"


def _chance(one: Estimate) -> str:
    if one.value is None:
        return NOTHING
    return "none seen" if one.value == 0.0 else with_error(*one, PERCENT)
