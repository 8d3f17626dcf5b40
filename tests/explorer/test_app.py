"""The page's server: who is let in, what comes back, and that nobody waits for anybody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

import socialfinance as sf
from socialfinance.cli import main, parser
from socialfinance.cli.explore import listening, named
from socialfinance.explorer.app import HEADERS, LARGEST, application, word
from socialfinance.explorer.asked import Asked, Source
from socialfinance.explorer.bench import QUICK, REFINED, Bench, Superseded
from socialfinance.explorer.page import asset, whole
from socialfinance.explorer.runs import Runs

SEED, DEAL = 3, "edge-of-care"
SIZES = {QUICK: 64, REFINED: 128, "whole quick": 32, "whole refined": 64}
HERE = "http://127.0.0.1:8000"
SECRET = "a-word"
SOURCE = Source(sf.load(DEAL).portfolio, DEAL)
PRICES = f"deals.{DEAL}.prices"
COVER = f"deals.{DEAL}.instrument.layers[0].cover"
FILE = {"view": DEAL, "structures": {}, "values": {}}
DEARER = {"view": DEAL, "structures": {}, "values": {PRICES: 1.1}}
DEBT = {"view": DEAL, "structures": {DEAL: "debt-80"}, "values": {COVER: 0.6}}


@pytest.fixture(scope="module")
def bench():
    with Bench(SOURCE, SEED) as one:
        yield one


class Browser:
    """Asks the server, without a network between."""

    def __init__(self, bench):
        self.app = application(bench, SIZES, SEED, SECRET)

    def request(self, method, where, **more):
        async def asked():
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
                return await client.request(method, where, **more)

        return asyncio.run(asked())

    def get(self, where, **more):
        return self.request("GET", where, **more)

    def post(self, where, **more):
        return self.request("POST", where, **more)


@pytest.fixture(scope="module")
def client(bench):
    return Browser(bench)


def post(client, where, data, origin=HERE):
    headers = {} if origin is None else {"Origin": origin}
    return client.post(f"/{SECRET}/{where}", json=data, headers=headers)


# --- who is let in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "192.168.1.4"]
)
def test_a_foreign_host_is_refused(client, host):
    """A name that leads to this machine (DNS rebinding) is not this page's."""
    for answer in (
        client.get(f"/{SECRET}/", headers={"Host": host}),
        client.post(f"/{SECRET}/quick", json=FILE, headers={"Host": host, "Origin": f"http://{host}"}),
    ):
        assert answer.status_code == 400
        assert "Figures" not in answer.text


@pytest.mark.parametrize("where", ["controls", "quick", "refined", "save"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001",
        "http://localhost:8000", None,
    ],
)  # fmt: skip
def test_a_post_from_anywhere_else_is_refused(client, where, origin):
    answer = post(client, where, FILE, origin)

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_another_origin_may_not_read_either(client):
    assert client.get(f"/{SECRET}/", headers={"Origin": "http://evil.example"}).status_code == 403
    asked = client.request("OPTIONS", f"/{SECRET}/quick", headers={"Origin": "http://evil.example"})
    assert asked.status_code == 403
    assert "access-control-allow-origin" not in asked.headers


@pytest.mark.parametrize("where", ["/", "/another-word/", "/page.js", f"/{SECRET}x/"])
def test_without_the_word_there_is_nothing(client, where):
    assert client.get(where).status_code == 404


def test_the_word_cannot_be_guessed():
    words = {word() for _ in range(100)}

    assert len(words) == 100
    assert min(map(len, words)) == 32, "24 random bytes"


def test_it_listens_on_this_machine_only():
    with listening(0) as door:
        assert door.getsockname()[0] == "127.0.0.1"


# --- what comes back --------------------------------------------------------------------------------


def test_the_page_asks_nobody_else(client):
    page = client.get(f"/{SECRET}/")

    assert page.status_code == 200
    for name, value in HEADERS.items():
        assert page.headers[name] == value
    for text in (page.text, asset("page.css"), asset("page.js")):
        # the one address is the name of a language, and is fetched by nobody
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("http://www.w3.org/2000/svg", "")
    assert client.get(f"/{SECRET}/page.js").headers["content-type"].startswith("text/javascript")
    assert client.get(f"/{SECRET}/page.css").headers["content-type"].startswith("text/css")


def test_hostile_names_stay_words():
    hostile = SOURCE.portfolio.model_copy(update={"title": '<script>alert("x")</script>\u202e'})
    text = whole(hostile, '"><img src=x>', 1, 2, 3)

    assert "<script>alert" not in text
    assert "<img" not in text
    assert "\u202e" not in text


def test_figures_are_those_of_the_runs(client):
    held = Runs(SOURCE, SEED)
    for where, data in (("quick", DEARER), ("refined", DEBT)):
        asked = Asked(DEAL, tuple(data["structures"].items()), tuple(data["values"].items()))
        while (found := held.advance(asked, SIZES[where])) is None:
            pass
        answer = post(client, where, data)
        assert answer.status_code == 200
        said, own = answer.json(), json.loads(json.dumps(found.to_dict()))
        assert said["figures"] == own["figures"]
        assert said["charts"] == own["charts"]
        assert said["paths"] == SIZES[where]


def test_a_structure_brings_its_sliders_and_takes_away_what_is_gone(client):
    before, after = post(client, "controls", FILE).json(), post(client, "controls", DEBT).json()
    back = post(client, "controls", {**DEBT, "structures": {}}).json()

    def names(panel):
        return [one["name"] for group in panel["groups"] for one in group["controls"]]

    assert COVER not in names(before)
    assert COVER in names(after)
    assert after["values"] == {COVER: 0.6}
    assert back["values"] == {}, "the bond has no cover"
    assert [one["name"] for one in after["choices"] if one["chosen"]] == ["debt-80"]


def test_a_saved_file_gives_the_same_figures(client, tmp_path):
    answer = post(client, "save", DEBT)
    saved = tmp_path / "saved.yaml"
    saved.write_bytes(answer.content)
    result = sf.simulate(sf.load(str(saved)), paths=SIZES[QUICK], seed=SEED, compare=False, workers=1)
    shown = {one["name"]: one for one in post(client, "quick", DEBT).json()["figures"]}

    assert answer.headers["content-disposition"] == 'attachment; filename="edge-of-care-explored.yaml"'
    for name, (who, measure, statistic) in {
        "irr": ("investor", "irr", "of_mean_flows"), "net_cost_p95": ("eastmere", "net_cost", "p95"),
        "calls": ("guarantor", "calls", "mean"),
    }.items():  # fmt: skip
        assert shown[name]["value"] == result.figure(measure, statistic, who=who, deal=DEAL).value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"view": "nowhere"}, "view: is no view of this portfolio"),
        ({**FILE, "values": {PRICES: 99}}, "Outcome prices: is out of range"),
        ({**FILE, "values": {COVER: 0.5}}, "cannot be moved with these structures"),
        ({**FILE, "structures": {DEAL: "asset-backed"}}, DEAL),
        ({**FILE, "values": {"x" * 90: "\x1b[31m"}}, r"\x1b"),
    ],
)
@pytest.mark.parametrize("where", ["quick", "save"])
def test_bad_values_are_refused_in_one_line(client, where, data, said):
    answer = post(client, where, data)

    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"1" * (LARGEST + 1)])
def test_what_is_no_json_is_refused(client, body):
    answer = client.post(f"/{SECRET}/quick", content=body, headers={"Origin": HERE})

    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]


# --- nobody waits for anybody else ------------------------------------------------------------------


def test_two_browsers_at_once_do_not_disturb_each_other(bench):
    """Each moves its own slider to and fro, both at once: every answer is that of its own terms."""
    alone = {
        key: post(Browser(bench), "quick", data).json()["figures"]
        for key, data in (("dearer", DEARER), ("debt", DEBT))
    }
    heard: dict[str, list[object]] = {"dearer": [], "debt": []}

    def move(key, data):
        own = Browser(bench)
        for n in range(6):
            other = {**data, "values": {**data["values"], PRICES: 0.9 + 0.01 * n}}
            post(own, "quick", other)
            heard[key].append(post(own, "quick", data).json()["figures"])

    threads = [threading.Thread(target=move, args=one) for one in (("dearer", DEARER), ("debt", DEBT))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert alone["dearer"] != alone["debt"]
    for key, answers in heard.items():
        assert answers == [alone[key]] * 6


async def never() -> bool:
    return False


async def at_once() -> bool:
    return True


def moved(multiple):
    return Asked(DEAL, (), ((PRICES, multiple),))


def test_a_long_run_does_not_hold_up_quick_answers(bench):
    async def both():
        await bench.answer(moved(1.2), QUICK, 64, never)
        long = asyncio.create_task(bench.answer(moved(1.21), REFINED, 65_536, never))
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        await bench.answer(moved(1.22), QUICK, 64, never)
        took = time.perf_counter() - began
        still = not long.done()
        long.cancel()
        await asyncio.wait({long})
        return took, still

    took, still = asyncio.run(both())

    assert still, "the long run was to be under way"
    assert took < 5.0


def test_what_nobody_waits_for_is_not_run_to_its_end(bench):
    """A run of 64 blocks is dropped after the one in work; the next asked for has its turn."""

    async def dropped():
        with pytest.raises(Superseded):
            await bench.answer(moved(1.3), REFINED, 65_536, at_once)
        return await bench.answer(moved(1.31), REFINED, 64, never)

    began = time.perf_counter()
    found = asyncio.run(dropped())

    assert found.paths == 64
    assert time.perf_counter() - began < 10.0, "64 blocks take longer"


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--paths", "0"], "--paths: is no number of futures for a page (given 0; allowed: 1 to 100,000)"),
        (["--refined", "9999999"], "--refined: is no number of futures"),
        (["--port", "99999"], "--port: cannot be listened on"),
        (["--port", "-1"], "--port: cannot be listened on"),
    ],
)
def test_bad_options_end_with_one_line(capsys, options, said):
    assert main(["explore", DEAL, *options]) == 2

    heard = capsys.readouterr()
    assert heard.out == ""
    assert said in heard.err
    assert len(heard.err.splitlines()) == 1


def test_a_taken_port_is_said(capsys):
    with listening(0) as door:
        door.listen()
        assert main(["explore", DEAL, "--port", str(door.getsockname()[1])]) == 2
    assert "cannot be listened on: Address already in use" in capsys.readouterr().err


def test_an_unknown_portfolio_is_said(capsys):
    assert main(["explore", "no-such-fund"]) == 2
    assert "is not among the shipped portfolios" in capsys.readouterr().err


def test_a_file_is_named_as_it_lies_beside():
    assert named("edge-of-care") == "edge-of-care"
    assert named("some/where/fund.yaml") == "fund.yaml"
    assert named("fund.xlsx") == "fund.xlsx"


def test_defaults_of_the_command():
    options = parser().parse_args(["explore", "edge-of-care"])

    assert (options.paths, options.refined, options.seed, options.port) == (1024, 8192, 1, 0)


def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert main(["explore", DEAL]) == 2
    assert (
        "needs uvicorn, which is not installed: pip install 'socialfinance[explore]'"
        in capsys.readouterr().err
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "code", "said"), [(signal.SIGINT, 0, "is closed"), (signal.SIGTERM, 143, "told to end")]
)
def test_it_ends_when_it_is_told_to_and_leaves_nothing_behind(told, code, said):
    """Ctrl-C goes to the whole group, SIGTERM to one process; none is left that could still say a word."""
    command = [sys.executable, "-m", "socialfinance", "explore", DEAL]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        address = re.search(r"http://\S+", running.stderr.readline()).group()
        running.stderr.readline()
        own = address.split("/")[2]
        while not reached(f"{address}page.css"):
            time.sleep(0.05)
        begun = httpx.post(f"{address}quick", json=FILE, headers={"Origin": f"http://{own}"}, timeout=60)
        (os.killpg if told == signal.SIGINT else os.kill)(running.pid, told)
        heard = running.stderr.read()  # until all who have it open have ended
        assert running.wait(20) == code

    assert begun.status_code == 200
    assert said in heard
    assert "Traceback" not in heard


def reached(address):
    try:
        return httpx.get(address).status_code == 200
    except httpx.ConnectError:
        return False
