"""The page's server: on this machine only, for those who have its address, and for no other page.

Below a random word lie the page, its style and script, and what answers: what can be moved, quick figures,
refined ones, the file. Every request says all that it is about, so two browsers do not disturb each other.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from socialfinance.core.errors import InputError, RunError
from socialfinance.explorer.asked import Asked, file_name, file_of, read
from socialfinance.explorer.bench import QUICK, REFINED, Bench, Superseded
from socialfinance.explorer.controls import WHOLE
from socialfinance.explorer.page import asset, whole

HOSTS = ["127.0.0.1", "localhost"]
LARGEST = 200_000
"""Bytes of a request."""
SUPERSEDED = 499
"""Status of an answer that nobody waits for."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Sizes = dict[str, int]
Answering = Callable[[Request, Asked], Awaitable[Response]]


class Guard:
    """Refuses what another page has the browser ask: a foreign origin, or a POST that names none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with the page's headers on its answer, or refuse it with 403."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin, own = headers.get("origin"), f"http://{headers.get('host', '')}"
        if origin != own and (origin is not None or scope["method"] not in ("GET", "HEAD")):
            await PlainTextResponse("not from another page", 403, HEADERS)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
            await send(message)

        await self.app(scope, receive, with_headers)


def word() -> str:
    """A random word that belongs into the address: whoever does not know it finds nothing."""
    return secrets.token_urlsafe(24)


class Pages:
    """What is served. ``sizes`` are the futures of a deal's quick and refined answers, and of the whole's."""

    def __init__(self, bench: Bench, sizes: Sizes, seed: int) -> None:
        self.bench, self.source, self.sizes, self.seed = bench, bench.source, sizes, seed

    def routes(self) -> list[Route]:
        """Of the page and its parts; and those that answer."""
        texts = {"page.css": "text/css", "page.js": "text/javascript"}
        posts = {"controls": self.controls, QUICK: self.quick, REFINED: self.refined, "save": self.save}
        return [
            Route("/", self.page),
            *(Route(f"/{name}", _text(name, kind)) for name, kind in texts.items()),
            *(Route(f"/{name}", self._answering(work), methods=["POST"]) for name, work in posts.items()),
        ]

    async def page(self, _: Request) -> Response:
        """The page itself."""
        text = whole(
            self.source.portfolio, self.source.name, self.sizes[QUICK], self.sizes[REFINED], self.seed
        )
        return Response(text, media_type="text/html")

    async def controls(self, request: Request, asked: Asked) -> Response:
        """What can be moved."""
        return JSONResponse(await self.bench.panel(asked, request.is_disconnected))

    async def quick(self, request: Request, asked: Asked) -> Response:
        """Figures while a slider moves."""
        return await self._figures(request, asked, QUICK)

    async def refined(self, request: Request, asked: Asked) -> Response:
        """Figures once the hand rests."""
        return await self._figures(request, asked, REFINED)

    async def _figures(self, request: Request, asked: Asked, size: str) -> Response:
        paths = self.sizes[f"whole {size}" if asked.view == WHOLE else size]
        found = await self.bench.answer(asked, size, paths, request.is_disconnected)
        return JSONResponse(found.to_dict())

    async def save(self, _: Request, asked: Asked) -> Response:
        """The file that says what was changed."""
        text, given = file_of(self.source, asked), file_name(self.source)
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in given)
        attached = {"Content-Disposition": f'attachment; filename="{name}.yaml"'}
        return Response(text, media_type="application/yaml", headers=attached)

    def _answering(self, work: Answering) -> Callable[[Request], Awaitable[Response]]:
        """A request read, and what is wrong with it in one line."""

        async def answered(request: Request) -> Response:
            try:
                return await work(request, read(self.source.portfolio, await _json(request)))
            except InputError as error:
                return JSONResponse({"error": str(error)}, 422)
            except RunError as error:
                return JSONResponse({"error": str(error)}, 500)
            except Superseded:
                return PlainTextResponse("superseded", SUPERSEDED)

        return answered


def application(bench: Bench, sizes: Sizes, seed: int, secret: str) -> Starlette:
    """The server: everything lies below ``/secret/``."""
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False), Middleware(Guard)]
    return Starlette(
        routes=[Mount(f"/{secret}", routes=Pages(bench, sizes, seed).routes())], middleware=guards
    )


def _text(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def text(_: Request) -> Response:
        return Response(asset(name), media_type=kind)

    return text


async def _json(request: Request) -> Any:
    """What a request says. InputError where it is too long, or no JSON."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise InputError("is too long", field="request", allowed=f"up to {LARGEST:,} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("is not JSON", field="request") from None
