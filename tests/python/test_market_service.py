"""examples/market_service.py as a user runs it: its table must add up. No assertion depends on speed."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from support.programs import EXAMPLES, SECONDS, get, numbers, run, serving

PROGRAM = "market_service.py"

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        sys.implementation.name == "pypy" and importlib.util.find_spec("aiohttp") is None,
        reason="aiohttp is not installed for this PyPy",
    ),
]


def service(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run(PROGRAM, *arguments, env=env)


def counts(table: str) -> dict[str, int]:
    """Name -> count of the table's rows."""
    rows = re.findall(r"^((?:WebSocket|GET)\b.*?) {2,}([\d,]+) ", table, re.MULTILINE)
    return {name: int(count.replace(",", "")) for name, count in rows}


@pytest.mark.parametrize("client_loop", ["asyncio", "csploop"])
def test_market_service_table_adds_up(client_loop: str) -> None:
    clients = ["--clients", "5", "--slow", "1", "--pollers", "2", "--client-loop", client_loop]
    result = service("--seconds", "2", "--speed", "1500", *clients)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    out = result.stdout
    assert re.search(r"^csploop \S+ on ", out, re.MULTILINE), out
    rows = counts(out)
    endpoints = ["GET /quotes", "GET /quotes/{symbol}", "GET /trades/{symbol}"]
    assert sorted(rows) == [*endpoints, "WebSocket ticks", "WebSocket, slow readers"]
    assert all(rows.values())

    (ticks,) = numbers(r"ticks in ([\d,]+)", out)
    (messages,) = numbers(r"messages out ([\d,]+)", out)
    (dropped,) = numbers(r"dropped by policy ([\d,]+)", out)
    assert messages == rows["WebSocket ticks"] + rows["WebSocket, slow readers"]
    slow, joined = numbers(r"slow consumers (\d+) of (\d+)", out)
    assert joined == 5
    assert slow >= 1
    assert dropped > 0
    # The slow reader wants every tick: it got it, or was told that it had been dropped. On a busy machine
    # others are late, too, and what they lost is counted with it.
    lost_by_others = rows["WebSocket, slow readers"] + dropped - ticks
    assert lost_by_others >= 0
    assert (lost_by_others > 0) == (slow > 1)
    assert numbers(r"HTTP answers ([\d,]+)", out) == [sum(rows[name] for name in endpoints)]
    assert numbers(r"audit: (\d+) of (\d+) subscribers", out) == [5, 5]
    assert numbers(r"told of ([\d,]+) drops", out) == [dropped]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_market_service_interrupted_prints_the_table_so_far(number: signal.Signals) -> None:
    with serving(PROGRAM, "--clients", "3", "--pollers", "1", "--slow", "0") as (url, process):
        urllib.request.urlopen(url, timeout=SECONDS).close()
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, ""), out + err
    assert numbers(r"audit: (\d+) of (\d+) subscribers", out) == [3, 3]


def test_market_service_that_loses_its_clients_says_so_and_fails(tmp_path: Path) -> None:
    # An aiohttp that the service has found already, and the clients' process finds broken.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif sys.argv[0] == '-m':\n    sys.modules['aiohttp'] = None\n"
    )
    path = os.pathsep.join(p for p in (str(tmp_path), os.environ.get("PYTHONPATH")) if p)
    result = service("--seconds", "1", env={**os.environ, "PYTHONPATH": path})
    assert result.returncode == 1
    assert "TROUBLE: the clients' process ended too early" in result.stdout
    assert "aiohttp" in result.stderr


def test_market_service_answers_over_http() -> None:
    with serving(PROGRAM, "--clients", "0", "--pollers", "0", "--speed", "5000") as (url, process):
        status, page = get(url)
        assert status == 200 and "new WebSocket(" in page
        status, quotes = get(url + "quotes")
        assert status == 200 and all(quote["bid"] < quote["ask"] for quote in json.loads(quotes))
        status, trades = get(url + "trades/KITE?limit=3")
        shown = [trade["n"] for trade in json.loads(trades)]
        assert status == 200 and shown == sorted(shown, reverse=True) and len(shown) <= 3
        assert get(url + "trades/KITE?limit=0")[0] == get(url + "trades/KITE?limit=x")[0] == 400
        status, text = get(url + "quotes/NOPE")
        assert status == 404 and "KITE" in text
        status, stats = get(url + "stats")
        assert json.loads(stats)["requests"] == {"/": 1, "/quotes": 1, "/trades/{symbol}": 1}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    assert numbers(r"HTTP answers (\d+)", out) == [4]


def test_market_service_websocket_answers_and_numbers_its_ticks() -> None:
    import aiohttp  # not at the top: where it is missing, the skip above says so

    async def talk(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(url + "ws") as ws:
            for wrong in ("{", "[]", '{"subscribe": 5}', '{"other": 1}'):
                await ws.send_str(wrong)
                assert "send {" in (await ws.receive_json())["error"]
            await ws.send_json({"subscribe": ["KITE", "NOPE"]})
            answer = await ws.receive_json()
            assert "NOPE" in answer["error"] and "KITE" in answer["known"]

            await ws.send_json({"subscribe": ["KITE", "RUNE"]})
            latest = (await ws.receive_json())["subscribed"]
            assert set(latest) == {"KITE", "RUNE"}
            for _ in range(50):
                tick = await ws.receive_json()
                assert tick["n"] == latest[tick["symbol"]] + 1
                latest[tick["symbol"]] += 1

    with serving(PROGRAM, "--clients", "0", "--pollers", "0", "--speed", "1000") as (url, process):
        asyncio.run(asyncio.wait_for(talk(url), SECONDS))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    assert numbers(r"slow consumers (\d+) of (\d+)", out) == [0, 1]


BAD = {
    "port out of range": (["--port", "70000"], "'70000' is not a whole number from 0 to 65535"),
    "port no number": (["--port", "http"], "'http' is not a whole number"),
    "seconds negative": (["--seconds", "-1"], "'-1' is not a number"),
    "seconds nan": (["--seconds", "nan"], "'nan' is not a number"),
    "speed zero": (["--speed", "0"], "'0' is not a number from 0.01"),
    "loop unknown": (["--loop", "trio"], "invalid choice: 'trio'"),
    "no such file": (["--ticks", "nowhere.csv"], "cannot read nowhere.csv: No such file or directory"),
    "not a recording": (["--ticks", str(EXAMPLES / PROGRAM)], "line 1 should be ms,symbol,"),
}


@pytest.mark.parametrize(("arguments", "reason"), BAD.values(), ids=BAD.keys())
def test_market_service_bad_input_is_one_clear_line(arguments: list[str], reason: str) -> None:
    result = service(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_market_service_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = service("--port", port)
    assert result.returncode == 2
    assert f"cannot listen on port {port}" in result.stderr and "in use" in result.stderr.lower()
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("5,KITE,q,1.00,x,1.01,1", "line 2: 'x' is no whole number"),
        ("5,KITE,q,1.0,1,1.01,1", "line 2: '1.0' is no price"),
        ("5,KITE,z,1.00,1,1.01,1", "line 2: kind 'z'"),
        ("5,KITE,q", "line 2: 3 fields, not 7"),
        ('5,"KI""TE",q,1.00,1,1.01,1', "is no symbol"),
        ("5,KITE,t,1.00,1,,\n4,KITE,t,1.00,1,,", "line 3: earlier than the line before"),
        ("", "no ticks in it"),
    ],
)
def test_market_service_bad_recording_names_the_line(tmp_path: Path, line: str, reason: str) -> None:
    recording = tmp_path / "bad.csv"
    recording.write_text("ms,symbol,kind,price,size,ask,ask_size\n" + (line and f"{line}\n"))
    result = service("--ticks", str(recording))
    assert result.returncode == 2
    assert reason in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_market_recording_is_what_its_generator_makes(tmp_path: Path) -> None:
    made = tmp_path / "ticks.csv.gz"
    command = [sys.executable, str(EXAMPLES / "market" / "make_ticks.py"), "--out", str(made)]
    subprocess.run(command, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)
    committed = EXAMPLES / "data" / "ticks.csv.gz"
    assert gzip.decompress(made.read_bytes()) == gzip.decompress(committed.read_bytes())


def test_market_histogram_is_close_and_survives_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from market.measure import Histogram

    values = [n * n for n in range(10_000)]
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    again = Histogram.from_json(json.loads(json.dumps(histogram.as_json())))
    assert again.total == len(values) and again.largest == values[-1]
    for q in (0.001, 0.1, 0.5, 0.9, 0.99, 1.0):
        exact = values[max(0, round(q * len(values)) - 1)]
        assert exact <= again.quantile(q) <= exact * 1.04 + 1
