"""The board's HTTP and WebSocket face, in plain aiohttp.

GET /                  a page with a chart that moves
GET /live              WebSocket; every bar and trade as it comes
GET /bars              the latest bar of every symbol
GET /bars/{symbol}     of one, all so far, oldest first; ?limit=N
GET /stats             counts: trades, bars, viewers, requests by route
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Callable

from aiohttp import web

from .board import Board, as_dict
from .websocket import serve_subscriber, websocket

PAGE = Path(__file__).with_name("chart.html")
MOST_BARS = 2000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BoardService:
    def __init__(self, board: Board) -> None:
        self.board = board
        self.requests: Counter[str] = Counter()  # answered, by route
        self._page = PAGE.read_text(encoding="utf-8")
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port. An OSError says why it could not."""
        app = web.Application(middlewares=[self._count])
        app.router.add_get("/", self._index)
        app.router.add_get("/live", self._live)
        app.router.add_get("/bars", self._latest)
        app.router.add_get("/bars/{symbol}", self._bars)
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
        return response

    async def _index(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._page, content_type="text/html")

    async def _latest(self, request: web.Request) -> web.StreamResponse:
        return web.json_response([as_dict(rows[-1]) for rows in self.board.rows.values() if rows])

    async def _bars(self, request: web.Request) -> web.StreamResponse:
        symbol = request.match_info["symbol"]
        if symbol not in self.board.rows:
            known = ", ".join(self.board.symbols)
            raise web.HTTPNotFound(text=f"no such symbol; there are {known}\n")
        text = request.query.get("limit", str(MOST_BARS))
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_BARS):
            raise web.HTTPBadRequest(text=f"limit should be 1 to {MOST_BARS}\n")
        return web.json_response([as_dict(row) for row in self.board.rows[symbol][-int(text) :]])

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        board = self.board
        numbers = {"trades": board.trades, "bars": board.bars, "sent": board.sent, "dropped": board.dropped}
        return web.json_response({**numbers, "symbols": board.symbols, "requests": dict(self.requests)})

    async def _live(self, request: web.Request) -> web.StreamResponse:
        ws = await websocket(request)
        viewer = self.board.join()
        try:
            await serve_subscriber(
                ws, viewer, ws.send_str, lambda text: json.dumps({"error": "this one only talks"})
            )
        finally:
            self.board.leave(viewer)
        return ws
