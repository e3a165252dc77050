"""What both web services of the examples have in common: a page, routes, and a count of the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Callable

from aiohttp import web

HOST = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotStart(Exception):
    """A taken port, for example; the text is for the user."""


class WebService:
    """An aiohttp application on the running loop, from `start` to `stop`."""

    def __init__(self, page: Path, symbols: Sequence[str]) -> None:
        self.requests: Counter[str] = Counter()  # answered, by route
        self.http_bytes: Counter[str] = Counter()  # of bodies, by route
        self._page = page.read_text(encoding="utf-8")
        self._symbols = symbols
        self._runner: web.AppRunner | None = None

    def routes(self) -> Mapping[str, Handler]:
        """What answers a GET of which path; "/" is the page."""
        raise NotImplementedError

    async def start(self, port: int) -> str:
        """Listens on this port, 0: any free one; returns the URL. Raises CannotStart."""
        app = web.Application(middlewares=[self._count])
        app.router.add_get("/", self._index)
        for path, handler in self.routes().items():
            app.router.add_get(path, handler)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, port).start()
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or error
            raise CannotStart(f"cannot listen on port {port}: {reason}; --port names another") from error
        return f"http://{HOST}:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Closes all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        if resource is not None and isinstance(response, web.Response):  # a WebSocket is none
            self.requests[resource.canonical] += 1
            self.http_bytes[resource.canonical] += response.content_length or 0
        return response

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._page, content_type="text/html")

    def _symbol(self, request: web.Request) -> str:
        """The symbol in the path; there must be one of that name."""
        symbol = request.match_info["symbol"]
        if symbol not in self._symbols:
            raise web.HTTPNotFound(text=f"no such symbol; there are {', '.join(self._symbols)}\n")
        return symbol


def limit_of(request: web.Request, default: int, most: int) -> int:
    """The query's ?limit=N."""
    text = request.query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise web.HTTPBadRequest(text=f"limit should be 1 to {most}\n")
    return int(text)
