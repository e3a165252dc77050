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
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from .hub import TRADES_KEPT, Hub
from .subscribers import Subscriber
from .web_service import Handler, WebService, limit_of
from .websocket import serve_subscriber, websocket


class Service(WebService):
    def __init__(self, hub: Hub) -> None:
        super().__init__(Path(__file__).with_name("page.html"), sorted(hub.symbols))
        self.hub = hub
        self.ws_bytes = 0  # of messages

    def routes(self) -> Mapping[str, Handler]:
        return {
            "/ws": self._websocket,
            "/quotes": self._quotes,
            "/quotes/{symbol}": self._quote,
            "/trades/{symbol}": self._trades,
            "/stats": self._stats,
        }

    # -- HTTP ---------------------------------------------------------------

    async def _quotes(self, request: web.Request) -> web.StreamResponse:
        return _json_text(f"[{','.join(self.hub.quotes.values())}]")

    async def _quote(self, request: web.Request) -> web.StreamResponse:
        symbol = self._symbol(request)
        return _json_text(self.hub.quotes.get(symbol, "null"))

    async def _trades(self, request: web.Request) -> web.StreamResponse:
        trades = self.hub.trades[self._symbol(request)]
        count = min(limit_of(request, 10, TRADES_KEPT), len(trades))
        newest_first = [trades[i] for i in range(-1, -1 - count, -1)]
        return _json_text(f"[{','.join(newest_first)}]")

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        all_ = self.hub.subscribers
        numbers = {"subscribers": len(all_), "sent": all_.sent, "dropped": all_.dropped, "slow": all_.slow}
        return web.json_response({**numbers, "requests": dict(self.requests)})

    # -- WebSocket ----------------------------------------------------------

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        ws = await websocket(request)
        subscriber = self.hub.subscribers.join()

        async def send(message: str) -> None:
            await ws.send_str(message)
            self.ws_bytes += len(message)

        try:
            # Symbols are added and the answer is written in one step, so no tick can come before it.
            await serve_subscriber(ws, subscriber, send, lambda text: self._subscribe(subscriber, text))
        finally:
            self.hub.subscribers.leave(subscriber)
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
