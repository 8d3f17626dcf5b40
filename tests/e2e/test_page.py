"""The page in a real browser: what is seen, heard and pressed. ``make e2e``; pictures in ``.e2e/``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from socialfinance.cli import main
from tests.e2e.browser import executable, missing
from tests.pages.made import HOSTILE, hostile_page

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
SHOWN = Path(__file__).resolve().parents[2] / ".e2e"
"""Where screenshots go, for people to look at."""
VIEWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light", "device_scale_factor": 2},
    "narrow": {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
}
REACHED = "a[href], summary, [tabindex='0']"
"""What a keyboard must come to."""


class Seen:
    """A page in a browser, and what happened there."""

    def __init__(self, browser: Any, file: Path, **view: Any) -> None:
        self.context = browser.new_context(**view)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    SHOWN.mkdir(exist_ok=True)
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """The demo fund's page, and the JSON of the same run."""
    folder = tmp_path_factory.mktemp("page")
    html, data = folder / "fund.html", folder / "fund.json"
    run = ["run", "collective-impact-fund", "--paths", "512", "--seed", "7", "--quiet"]
    assert main([*run, "--html", str(html), "--json", str(data)]) == 0
    return html, json.loads(data.read_text("utf-8"))


@pytest.fixture(scope="module", params=HOSTILE)
def nasty(request, tmp_path_factory) -> tuple[str, Path]:
    """A page of a file in which every word is hostile."""
    file = tmp_path_factory.mktemp("nasty") / "nasty.html"
    file.write_text(hostile_page(HOSTILE[request.param]), "utf-8")
    return request.param, file


def sound(seen: Seen, file: Path) -> None:
    """No word on the console, nothing fetched, nothing wider than the window, no serious finding of axe."""
    from axe_playwright_python.sync_playwright import Axe

    assert seen.said == []
    assert seen.asked == [file.as_uri()]
    wide, window = seen.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    found = Axe().run(seen.page).response["violations"]
    bad = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert bad == []
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false })")


@pytest.mark.parametrize("view", VIEWS)
def test_sound_and_seen(browser, written, view):
    seen = Seen(browser, written[0], **VIEWS[view])

    seen.page.screenshot(path=SHOWN / f"{view}.png", full_page=True)
    sound(seen, written[0])


@pytest.mark.parametrize("view", ["desktop", "narrow"])
def test_hostile_words_do_nothing(browser, nasty, view):
    kind, file = nasty
    seen = Seen(browser, file, **VIEWS[view])

    seen.page.screenshot(path=SHOWN / f"hostile {kind} {view}.png")
    sound(seen, file)


def test_figures_that_are_seen_are_those_of_the_json(browser, written):
    file, data = written
    seen = Seen(browser, file, **VIEWS["desktop"])
    known = {"|".join(list(row.values())[:7]): row["value"] for row in data["measures"]}
    known |= {"|".join([*list(row.values())[:6], f"{row['along']} {row['at']:g}"]): row["value"]
              for row in data["curves"]}  # fmt: skip
    seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    shown = seen.page.eval_on_selector_all(
        "[data-about]",
        """all => all.map(one => [one.dataset.about, one.dataset.value ?? one.value ?? null, one.innerText,
                                  one.checkVisibility()])""",
    )

    assert len(shown) > 500
    for about, value, text, visible in shown:
        assert visible, about
        if value is not None:
            assert float(value) == known[about], about
            assert near(text, known[about]), (about, text, known[about])


def near(text: str, value: float) -> bool:
    """Whether a figure as it is written is the value, to the digits it is written with."""
    first = text.split("±")[0].strip()
    scale = 100.0 if "%" in first else 1e-6 if "m" in first else 1e-3 if "k" in first else 1.0
    bare = re.sub(r"[^0-9.-]", "", first)
    after = len(bare.partition(".")[2])
    nils = 0 if after else len(bare) - len(bare.rstrip("0"))
    return abs(float(bare) - value * scale) <= 0.5001 * 10.0 ** (nils - after)


def test_a_keyboard_comes_to_everything(browser, written):
    seen = Seen(browser, written[0], **VIEWS["desktop"])
    every = seen.page.eval_on_selector_all(REACHED, "all => all.filter(one => one.checkVisibility()).length")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    assert seen.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    outlines, reached = set(), 1
    while reached < every:
        seen.page.keyboard.press("Tab")
        outlines.add(seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
        reached += 1
    assert outlines == {"solid"}
    last = seen.page.evaluate(f"""[...document.querySelectorAll("{REACHED}")]
        .filter(one => one.checkVisibility()).at(-1) === document.activeElement""")
    assert last


def test_enter_skips_and_opens(browser, written):
    seen = Seen(browser, written[0], **VIEWS["desktop"])
    seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    seen.page.locator("#fan-0 summary").focus()
    seen.page.keyboard.press("Enter")

    assert seen.page.locator("#fan-0 table").is_visible()


def test_printed_tables_are_open_and_fit_the_paper(browser, written):
    seen = Seen(browser, written[0], **VIEWS["desktop"])
    seen.page.pdf(path=SHOWN / "print.pdf", prefer_css_page_size=True, print_background=True)

    assert (SHOWN / "print.pdf").read_bytes().startswith(b"%PDF")
    assert seen.page.locator("details[open]").count() == 0, "folded again after printing"
    if shutil.which("pdftotext"):
        done = subprocess.run(
            ["pdftotext", "-layout", str(SHOWN / "print.pdf"), "-"], capture_output=True, check=True
        )
        text = done.stdout.decode("utf-8")
        assert "Financial year" in text
        assert "The numbers behind it" not in text
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", "70", "-png", str(SHOWN / "print.pdf"), str(SHOWN / "print")],
                       check=True)  # fmt: skip
