"""examples/market_graph.py as a user runs it: its numbers must add up, and its page must move."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import signal
import socket
import struct
import urllib.request
from pathlib import Path

import pytest
from support.programs import SECONDS, get, numbers, run, serving

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(importlib.util.find_spec("csp") is None, reason="csp has no wheel for this Python"),
]


def market(tmp_path: Path, *arguments: str) -> list[str]:
    """Program and arguments: it draws into the test's directory."""
    return ["market_graph.py", "--png", str(tmp_path / "run.png"), *arguments]


def columns(table: str) -> dict[str, list[int]]:
    """Symbol -> bars, trades and volume of the table's rows."""
    rows = re.findall(r"^([A-Z]{4}) +([\d,]+) +([\d,]+) +([\d,]+)", table, re.MULTILINE)
    return {name: [int(value.replace(",", "")) for value in values] for name, *values in rows}


def test_live_and_backtest_give_the_same_bars_and_the_summary_adds_up(tmp_path: Path) -> None:
    result = run(*market(tmp_path, "--seconds", "2", "--speed", "1500", "--viewers", "2", "--pollers", "2"))
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    out = result.stdout
    assert "equal to those of the live run" in out and "TROUBLE" not in out
    rows = columns(out)
    assert len(rows) == 6
    (bars,) = numbers(r"([\d,]+) bars of 60 s", out)
    assert bars == sum(count for count, _, _ in rows.values()) > 0
    assert numbers(r"and gave ([\d,]+) bars", out) == [bars]
    (trades,) = numbers(r"([\d,]+) trades, ", out)
    # The last bar of each symbol is not complete, and not in the table.
    assert sum(count for _, count, _ in rows.values()) < trades
    assert numbers(r"viewers (\d+): ([\d,]+) messages, (\d+) dropped", out) == [2, 2 * (bars + trades), 0]
    (answers,) = numbers(r"HTTP ([\d,]+) answers", out)
    assert answers > 0


def test_the_picture_is_a_png_of_some_size(tmp_path: Path) -> None:
    result = run(*market(tmp_path, "--seconds", "1", "--speed", "3000", "--viewers", "0", "--pollers", "0"))
    assert result.returncode == 0, result.stdout + result.stderr
    data = (tmp_path / "run.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 800 and height > 500


def test_a_picture_that_cannot_be_written_spoils_the_exit_code_only(tmp_path: Path) -> None:
    (tmp_path / "run.png").mkdir()
    result = run(*market(tmp_path, "--seconds", "1", "--speed", "3000", "--viewers", "0", "--pollers", "0"))
    assert (result.returncode, result.stderr) == (1, ""), result.stdout + result.stderr
    assert f"TROUBLE: no picture in {tmp_path / 'run.png'}: Is a directory" in result.stdout
    assert "equal to those of the live run" in result.stdout


def test_a_whole_day_ends_by_itself(tmp_path: Path) -> None:
    result = run(*market(tmp_path, "--seconds", "0", "--speed", "50000", "--bar", "900", "--viewers", "1"))
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    (ticks,) = numbers(r"feed ([\d,]+) ticks", result.stdout)
    assert numbers(r"over the same ([\d,]+) ticks", result.stdout) == [ticks]
    assert all(count == 25 for count, _, _ in columns(result.stdout).values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_still_says_what_it_did(tmp_path: Path, number: signal.Signals) -> None:
    with serving(*market(tmp_path, "--speed", "1000", "--viewers", "1", "--pollers", "0")) as (url, process):
        urllib.request.urlopen(url, timeout=SECONDS).close()
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, ""), out + err
    assert "equal to those of the live run" in out


def test_it_answers_over_http(tmp_path: Path) -> None:
    with serving(*market(tmp_path, "--speed", "3000", "--viewers", "0", "--pollers", "0")) as (url, process):
        status, page = get(url)
        assert status == 200 and "new WebSocket(" in page
        bars: list[dict[str, float]] = []
        while len(bars) < 3:
            status, text = get(url + "bars/KITE?limit=3")
            bars = json.loads(text)
        assert status == 200
        assert [bar["start_ms"] for bar in bars] == sorted(bar["start_ms"] for bar in bars)
        assert all(bar["low"] <= bar["vwap"] <= bar["high"] and bar["trades"] > 0 for bar in bars)
        assert get(url + "bars/KITE?limit=0")[0] == get(url + "bars/KITE?limit=x")[0] == 400
        status, text = get(url + "bars/NOPE")
        assert status == 404 and "KITE" in text
        assert {bar["symbol"] for bar in json.loads(get(url + "bars")[1])} >= {"KITE"}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, ""), out + err


def test_a_browser_sees_the_chart_move(tmp_path: Path) -> None:
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert browser and driver, "make test installs Debian's chromium and chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(switch)
    with serving(*market(tmp_path, "--speed", "300", "--viewers", "0", "--pollers", "0")) as (url, process):
        page = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            page.get(url)
            wait = WebDriverWait(page, SECONDS, poll_frequency=0.1)

            def pixels() -> str:
                return str(page.execute_script("return document.getElementById('chart').toDataURL()"))

            def bars() -> int:
                return int(page.find_element("id", "state").get_attribute("data-bars"))

            wait.until(lambda _: bars() >= 3)
            count, picture = bars(), pixels()
            wait.until(lambda _: bars() > count)
            wait.until(lambda _: pixels() != picture)
            # Another symbol is another chart.
            buttons = page.find_elements("css selector", "#symbols button")
            assert len(buttons) == 6
            picture = pixels()
            buttons[-1].click()
            wait.until(lambda _: pixels() != picture)
            assert buttons[-1].get_attribute("aria-pressed") == "true"
            errors = [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]
            assert not [entry for entry in errors if "favicon" not in entry["message"]]
        finally:
            page.quit()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, ""), out + err


BAD = {
    "port out of range": (["--port", "70000"], "'70000' is not a whole number from 0 to 65535"),
    "bar of nothing": (["--bar", "0"], "'0' is not a whole number from 1"),
    "speed zero": (["--speed", "0"], "'0' is not a number from 0.01"),
    "no such file": (["--ticks", "nowhere.csv"], "cannot read nowhere.csv: No such file or directory"),
}


@pytest.mark.parametrize(("arguments", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_clear_line(tmp_path: Path, arguments: list[str], reason: str) -> None:
    result = run(*market(tmp_path, *arguments))
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(*market(tmp_path, "--port", port))
    assert result.returncode == 2
    assert f"cannot listen on port {port}" in result.stderr and "in use" in result.stderr.lower()
    assert result.stderr.count("\n") == 1
