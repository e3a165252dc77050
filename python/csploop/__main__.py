"""python -m csploop: which csploop is this?"""

from __future__ import annotations

import argparse
import platform
import sys

import csploop
from csploop._ffi import lib, library_path


def _poller() -> str:
    names = {lib.CSPLOOP_POLLER_EPOLL: "epoll", lib.CSPLOOP_POLLER_UV: "uv"}
    loop = csploop.new_event_loop()
    try:
        return names[lib.csploop_poller_kind(loop._core)]
    finally:
        loop.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m csploop", description="Says which csploop this is and what it runs on."
    )
    parser.add_argument("--version", action="version", version=f"csploop {csploop.__version__}")
    parser.parse_args(arguments)
    print(f"csploop   {csploop.__version__}")
    print(f"python    {platform.python_implementation()} {platform.python_version()}")
    print(f"poller    {_poller()}")
    print(f"library   {library_path() or 'unknown'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
