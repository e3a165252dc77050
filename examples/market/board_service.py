"""The board's HTTP and WebSocket face, in plain aiohttp.

GET /                  a page with a chart that moves
GET /live              WebSocket; every bar and trade as it comes
GET /bars              the latest bar of every symbol
GET /bars/{symbol}     of one, all so far, oldest first; ?limit=N
GET /stats             counts: trades, bars, viewers, requests by route
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from .board import Board, as_dict
from .web_service import Handler, WebService, limit_of
from .websocket import serve_subscriber, websocket

MOST_BARS = 2000


class BoardService(WebService):
    def __init__(self, board: Board) -> None:
        super().__init__(Path(__file__).with_name("chart.html"), board.symbols)
        self.board = board

    def routes(self) -> Mapping[str, Handler]:
        return {
            "/live": self._live,
            "/bars": self._latest,
            "/bars/{symbol}": self._bars,
            "/stats": self._stats,
        }

    async def _latest(self, request: web.Request) -> web.StreamResponse:
        return web.json_response([as_dict(rows[-1]) for rows in self.board.rows.values() if rows])

    async def _bars(self, request: web.Request) -> web.StreamResponse:
        rows = self.board.rows[self._symbol(request)]
        return web.json_response([as_dict(row) for row in rows[-limit_of(request, MOST_BARS, MOST_BARS) :]])

    async def _stats(self, request: web.Request) -> web.StreamResponse:
        board, viewers = self.board, self.board.viewers
        numbers = {"trades": board.trades, "bars": board.bars}
        numbers |= {"viewers": len(viewers), "sent": viewers.sent, "dropped": viewers.dropped}
        return web.json_response({**numbers, "symbols": board.symbols, "requests": dict(self.requests)})

    async def _live(self, request: web.Request) -> web.StreamResponse:
        ws = await websocket(request)
        viewer = self.board.viewers.join()
        try:
            await serve_subscriber(
                ws, viewer, ws.send_str, lambda text: json.dumps({"error": "this one only talks"})
            )
        finally:
            self.board.viewers.leave(viewer)
        return ws
