"""The HTTP and WebSocket face of the service, in plain aiohttp.

GET /                  a page that shows the live ticks
GET /ws                WebSocket; send {"subscribe": ["KITE", …]} or {"subscribe": "*"}
GET /quotes            the latest quote of every symbol
GET /quotes/{symbol}   of one
GET /trades/{symbol}   its last trades, newest first; ?limit=N
GET /stats             counts: subscribers, messages, drops, requests by route
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Callable

from aiohttp import web

from .hub import TRADES_KEPT, Hub, Subscriber
from .websocket import serve_subscriber, websocket

PAGE = Path(__file__).with_name("page.html")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.requests: Counter[str] = Counter()  # answered, by route
        self.http_bytes: Counter[str] = Counter()  # of bodies, by route
        self.ws_bytes = 0  # of messages
        self._page = PAGE.read_text(encoding="utf-8")
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port. An OSError says why it could not."""
        app = web.Application(middlewares=[self._count])
        app.router.add_get("/", self._index)
        app.router.add_get("/ws", self._websocket)
        app.router.add_get("/quotes", self._quotes)
        app.router.add_get("/quotes/{symbol}", self._quote)
        app.router.add_get("/trades/{symbol}", self._trades)
        app.router.add_get("/stats", self._stats)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
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

    # -- HTTP ---------------------------------------------------------------

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._page, content_type="text/html")

    async def _quotes(self, request: web.Request) -> web.StreamResponse:
        return _json_text(f"[{','.join(self.hub.quotes.values())}]")

    async def _quote(self, request: web.Request) -> web.StreamResponse:
        symbol = self._symbol(request)
        return _json_text(self.hub.quotes.get(symbol, "null"))

    async def _trades(self, request: web.Request) -> web.StreamResponse:
        trades = self.hub.trades[self._symbol(request)]
        text = request.query.get("limit", "10")
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= TRADES_KEPT):
            raise web.HTTPBadRequest(text=f"limit should be 1 to {TRADES_KEPT}\n")
        newest_first = [trades[i] for i in range(-1, -1 - min(int(text), len(trades)), -1)]
        return _json_text(f"[{','.join(newest_first)}]")

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        hub = self.hub
        numbers = {"subscribers": hub.present, "sent": hub.sent, "dropped": hub.dropped, "slow": hub.slow}
        return web.json_response({**numbers, "requests": dict(self.requests)})

    def _symbol(self, request: web.Request) -> str:
        symbol = request.match_info["symbol"]
        if symbol not in self.hub.symbols:
            raise web.HTTPNotFound(text=f"no such symbol; there are {', '.join(sorted(self.hub.symbols))}\n")
        return symbol

    # -- WebSocket ----------------------------------------------------------

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        ws = await websocket(request)
        subscriber = self.hub.join()

        async def send(message: str) -> None:
            await ws.send_str(message)
            self.ws_bytes += len(message)

        try:
            # Symbols are added and the answer is written in one step, so no tick can come before it.
            await serve_subscriber(ws, subscriber, send, lambda text: self._subscribe(subscriber, text))
        finally:
            self.hub.leave(subscriber)
        return ws

    def _subscribe(self, subscriber: Subscriber, text: str) -> str:
        known = self.hub.symbols
        try:
            wanted = json.loads(text)["subscribe"]
            chosen = known if wanted == "*" else {str(name) for name in wanted}
        except (ValueError, KeyError, TypeError):
            return json.dumps({"error": 'send {"subscribe": ["SYMBOL", …]} or {"subscribe": "*"}'})
        if not chosen <= known:
            return json.dumps(
                {"error": f"unknown: {', '.join(sorted(chosen - known))}", "known": sorted(known)}
            )
        subscriber.symbols |= chosen
        return json.dumps({"subscribed": {name: self.hub.number(name) for name in sorted(chosen)}})


def _json_text(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")
