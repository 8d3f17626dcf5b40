"""``socialfinance explore``: a page on this machine on which terms are moved and figures answer."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from socialfinance.cli.shared import OK, PORTFOLIO, prepared, say, sentence
from socialfinance.core.errors import InputError

if TYPE_CHECKING:
    import socket

HOST = "127.0.0.1"
PATHS, REFINED = 1_024, 8_192
OF_THE_WHOLE = 4
"""All deals together answer on so many times fewer futures."""
MOST = 100_000


def explore_options(commands: Any) -> None:
    """``explore`` and its options."""
    text = "a page on this machine on which terms are moved with sliders and figures answer"
    one = commands.add_parser("explore", help=text, description=sentence(text))
    one.add_argument("name", metavar="NAME_OR_PATH", help=PORTFOLIO)
    one.add_argument("--paths", type=int, default=PATHS, metavar="N",
                     help=f"futures of an answer while a slider moves (default {PATHS})")  # fmt: skip
    one.add_argument("--refined", type=int, default=REFINED, metavar="N",
                     help=f"futures once the hand rests (default {REFINED})")  # fmt: skip
    one.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same figures (default 1)")
    one.add_argument("--port", type=int, default=0, metavar="N", help="default: any that is free")
    one.set_defaults(command=explore_command)


def explore_command(options: argparse.Namespace) -> int:
    """Say where the page is, and serve it until Ctrl-C."""
    check_sizes(options.paths, options.refined)
    try:
        import uvicorn

        from socialfinance.explorer.app import application, word
    except ModuleNotFoundError as missing:
        raise InputError(
            f"needs {missing.name}, which is not installed: pip install 'socialfinance[explore]'",
            field="explore",
        ) from None
    from socialfinance.explorer.asked import Source
    from socialfinance.explorer.bench import QUICK, REFINED, Bench
    from socialfinance.explorer.page import whole

    loaded, _ = prepared(options.name, None)
    source, secret = Source(loaded.portfolio, named(options.name)), word()
    whole(
        loaded.portfolio, source.name, options.paths, options.refined, options.seed
    )  # what it needs is there
    sizes = {QUICK: options.paths, REFINED: options.refined}
    sizes |= {f"whole {size}": max(n // OF_THE_WHOLE, 1) for size, n in sizes.items()}
    with listening(options.port) as door, Bench(source, options.seed) as bench:
        say(f"Explore {source.name} at http://{HOST}:{door.getsockname()[1]}/{secret}/")
        say("Whoever has this address can use the page; it is served to this machine only. Ctrl-C ends it.")
        app = application(bench, sizes, options.seed, secret)
        settings = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", ws="none")
        try:
            uvicorn.Server(settings).run(sockets=[door])
        except KeyboardInterrupt:
            say("The page is closed.")
    return OK


def check_sizes(paths: int, refined: int) -> None:
    """Refuse numbers of futures that are none, or too many for a page."""
    for field, given in (("--paths", paths), ("--refined", refined)):
        if not 1 <= given <= MOST:
            raise InputError("is no number of futures for a page", field=field, given=given,
                             allowed=f"1 to {MOST:,}")  # fmt: skip


def named(given: str) -> str:
    """How a file that lies beside the one that was given names it."""
    from pathlib import Path

    is_path = given.endswith((".yaml", ".yml", ".xlsx")) or "/" in given
    return Path(given).name if is_path else given


def listening(port: int) -> socket.socket:
    """A door on this machine only."""
    import socket

    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((HOST, port))
    except (OSError, OverflowError) as error:
        door.close()
        problem = f"cannot be listened on: {getattr(error, 'strerror', None) or error}"
        raise InputError(
            problem, field="--port", given=port, allowed="0 (any that is free) to 65535"
        ) from None
    return door
