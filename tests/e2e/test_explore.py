"""The explorer in a real browser: a slider is moved, figures answer. ``make e2e``; pictures in ``.e2e/``."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import socialfinance as sf
from socialfinance.engine.block import run_block
from socialfinance.engine.ready import prepare
from socialfinance.explorer.asked import Asked, Source, terms_of
from socialfinance.explorer.runs import Runs, as_contracted
from tests.e2e.browser import executable, missing

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
SHOWN = Path(__file__).resolve().parents[2] / ".e2e"
DEAL, PATHS, REFINED, SEED = "edge-of-care", 1024, 8192, 1
PRICES = f"deals.{DEAL}.prices"
COVER = f"deals.{DEAL}.instrument.layers[0].cover"
VIEWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light", "device_scale_factor": 2,
              "has_touch": True},
    "narrow": {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
}  # fmt: skip
WAIT = 60_000
"""Milliseconds for an answer on a machine that is busy."""
TIMED = """([name, value]) => new Promise((done) => {
    const began = performance.now();
    document.body.dataset.shown = "";
    new MutationObserver((_, watch) => {
        if (document.body.dataset.shown !== "quick") return;
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(() => done((performance.now() - began) / 1000)));
    }).observe(document.body, { attributes: true, attributeFilter: ["data-shown"] });
    const slider = document.querySelector(`input[name="${CSS.escape(name)}"]`);
    slider.value = value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""
"""Seconds from a move until the new figures are painted."""


@pytest.fixture(scope="module")
def address():
    """Where a running explorer of the one deal is."""
    command = [sys.executable, "-m", "socialfinance", "explore", DEAL]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr is not None
        found = re.search(r"http://\S+", running.stderr.readline())
        assert found is not None
        try:
            yield found.group()
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    SHOWN.mkdir(exist_ok=True)
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        yield started
        started.close()


class Seen:
    """The explorer in a browser of its own, and what happened there."""

    def __init__(self, browser: Any, address: str, **view: Any) -> None:
        self.context = browser.new_context(**view)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def shows(self, *sizes: str) -> None:
        """Wait for an answer of one of these sizes."""
        some = ", ".join(f"body[data-shown={size}]:not(.waiting)" for size in sizes)
        self.page.wait_for_selector(some, timeout=WAIT)

    def move(self, name: str, value: float) -> None:
        """Move a slider as a hand does, and tell what is shown next from what was."""
        self.page.evaluate(
            """([name, value]) => {
                document.body.dataset.shown = "";
                const slider = document.querySelector(`input[name="${CSS.escape(name)}"]`);
                slider.value = value;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
            }""",
            [name, value],
        )

    def figures(self) -> dict[str, tuple[str, str, str]]:
        """By name: the value, its error, and what is said of the difference."""
        return {
            item.get_attribute("data-name"): (
                item.locator(".value").evaluate("one => one.firstChild.textContent"),
                item.locator("small").inner_text().removeprefix("± ")
                if item.locator("small").count()
                else "",
                item.locator(".change").inner_text(),
            )
            for item in self.page.locator("#figure-list li").all()
        }


@pytest.fixture
def seen(browser, address):
    opened = []

    def see(view="desktop", **more):
        one = Seen(browser, address, **{**VIEWS[view], **more})
        opened.append(one)
        return one

    yield see
    for one in opened:
        one.context.close()


def told(asked: Asked, paths: int) -> dict[str, tuple[str, str, str]]:
    """The same figures, made here."""
    held = Runs(Source(sf.load(DEAL).portfolio, DEAL), SEED)
    while (found := held.advance(asked, paths)) is None:
        pass
    return {
        one.name: (one.text, one.error_text, one.change_text.removesuffix(" points")) for one in found.figures
    }


def same(shown: dict[str, tuple[str, str, str]], own: dict[str, tuple[str, str, str]]) -> None:
    assert list(shown) == list(own)
    for name, (value, error, change) in own.items():
        assert shown[name][:2] == (value, error)
        assert shown[name][2].startswith(change)


@pytest.mark.parametrize("view", VIEWS)
def test_a_slider_moves_and_figures_answer(seen, view):
    """Before and after, in pictures; the figures are those of a run made here; nothing goes wrong."""
    one = seen(view)
    one.shows("refined")
    same(one.figures(), told(Asked(DEAL), REFINED))
    one.page.screenshot(path=SHOWN / f"explore-{view}-before.png", full_page=view in ("phone", "narrow"))

    one.move(PRICES, 1.1)
    one.shows("quick")
    same(one.figures(), told(Asked(DEAL, (), ((PRICES, 1.1),)), PATHS))
    one.shows("refined")
    same(one.figures(), told(Asked(DEAL, (), ((PRICES, 1.1),)), REFINED))
    one.page.screenshot(path=SHOWN / f"explore-{view}-after.png", full_page=view in ("phone", "narrow"))

    assert one.said == []
    own = one.page.url
    assert all(url.startswith(own) or url.startswith("data:") for url in one.asked)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert one.page.evaluate(wide) == 0, "nothing is wider than the screen"
    assert one.page.locator("figure svg").count() == 2


@pytest.mark.parametrize("view", ["desktop", "dark", "phone"])
def test_axe_finds_nothing_serious(seen, view):
    from axe_playwright_python.sync_playwright import Axe

    one = seen(view)
    one.page.select_option("#structure", "debt-80", timeout=WAIT)
    one.page.wait_for_selector("input[name*='cover']", timeout=WAIT)
    one.shows("quick", "refined")
    for summary in one.page.locator("summary").all():
        summary.click()

    found = Axe().run(one.page).response["violations"]

    assert [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")] == []


def test_the_keyboard_alone_is_enough(seen):
    one = seen()
    one.shows("quick", "refined")
    for _ in range(12):
        one.page.keyboard.press("Tab")
        if one.page.evaluate("document.activeElement.name") == PRICES:
            break
    else:
        pytest.fail("the slider of prices is not reached")
    one.page.evaluate("document.body.dataset.shown = ''")
    one.page.keyboard.press("ArrowRight")
    one.shows("quick")

    assert one.page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "+1%"
    one.shows("refined")
    assert one.page.locator("[aria-live]").inner_text().startswith("8,192 futures: investors' return ")


def test_a_structure_brings_its_cover(seen):
    one = seen()
    one.shows("quick", "refined")
    assert one.page.locator("input[name*='cover']").count() == 0
    one.page.evaluate("document.body.dataset.shown = ''")
    one.page.select_option("#structure", "debt-80")
    one.page.wait_for_selector("input[name*='cover']", timeout=WAIT)
    one.move(COVER, 0.6)
    one.shows("quick")

    same(one.figures(), told(Asked(DEAL, ((DEAL, "debt-80"),), ((COVER, 0.6),)), PATHS))
    one.page.screenshot(path=SHOWN / "explore-structure.png")
    one.page.evaluate("document.body.dataset.shown = ''")
    one.page.click("#reset")
    one.shows("quick")
    assert one.page.locator("input[name*='cover']").count() == 0
    assert {change for _, _, change in one.figures().values()} == {"as in the file"}


def test_what_is_saved_can_be_run(seen, tmp_path):
    one = seen()
    one.shows("quick", "refined")
    one.move(PRICES, 1.07)
    one.shows("quick")
    with one.page.expect_download() as saved:
        one.page.click("#save")
    saved.value.save_as(tmp_path / "saved.yaml")

    assert saved.value.suggested_filename == "edge-of-care-explored.yaml"
    found = sf.load(str(tmp_path / "saved.yaml")).portfolio
    shown = terms_of(sf.load(DEAL).portfolio, Asked(DEAL, (), ((PRICES, 1.07),))).portfolio
    assert found.deals[DEAL].tariff.prices == shown.deals[DEAL].tariff.prices


def test_two_browsers_at_once_do_not_disturb_each_other(seen):
    """Both are moved before either has answered; each shows its own."""
    one, other = seen(), seen("phone")
    one.shows("quick", "refined")
    other.shows("quick", "refined")
    for step in range(5):
        one.move(PRICES, 1.0 + 0.02 * step)
        other.move(PRICES, 1.0 - 0.02 * step)
    one.shows("quick")
    other.shows("quick")

    same(one.figures(), told(Asked(DEAL, (), ((PRICES, 1.08),)), PATHS))
    same(other.figures(), told(Asked(DEAL, (), ((PRICES, 0.92),)), PATHS))


def test_an_explorer_that_is_gone_is_said(seen, browser):
    one = seen()
    one.shows("quick", "refined")
    one.page.route("**/quick", lambda route: route.abort())
    one.move(PRICES, 1.03)
    one.page.wait_for_selector("#error:not([hidden])", timeout=WAIT)

    assert "does not answer" in one.page.inner_text("#error")
    assert "of the terms before" in one.page.inner_text("#state")


def test_how_long_figures_take(seen):
    """From the move to new figures on the page, as a multiple of one small simulation made here."""
    ready, once = as_contracted(prepare(sf.load(DEAL).portfolio, DEAL)), []
    for _ in range(8):
        began = time.perf_counter()
        run_block(ready, SEED, 0, PATHS, compare=False)
        once.append(time.perf_counter() - began)
    one = seen()
    one.shows("refined")
    taken = [one.page.evaluate(TIMED, [PRICES, round(1.1 + 0.01 * step, 2)]) for step in range(1, 13)]
    ratio = statistics.median(taken) / statistics.median(once)
    print(
        f"\nmove to figures {statistics.median(taken):.2f} s (from {min(taken):.2f} to {max(taken):.2f}), "
        f"one run of {PATHS} futures {statistics.median(once):.2f} s: {ratio:.1f} times"
    )

    assert ratio < 12.0
