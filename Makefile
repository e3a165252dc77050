# The commands of this tree; `make help` lists them. Nothing needs to be set up
# by hand: what is missing is installed, what is finished is not repeated.
PYTHON ?= python3
PYTHONS ?= found
ARGS ?=
export PYTHON PYTHONS

.PHONY: help setup run run-service test suite soak python-asan bench lint asan ubsan tsan clean distclean

help: ## This list
	@echo "Targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1@\2/p' Makefile | awk -F@ '{ printf "%-12s %s\n", $$1, $$2 }'
	@echo "Variables:"
	@echo "  ARGS         options for the program behind run and bench: make run ARGS=\"--seconds 20 --port 0\""
	@echo "  PYTHON       the default interpreter ($(PYTHON))"
	@echo "  PYTHONS      which interpreters test: found (all of the supported ones that are here), default, all"
	@echo "               (those as well that have to be brought first: PyPy, and what is newer than this system"
	@echo "               from a root of Debian's unstable suite), or a list of commands, as \"python3.14t\""

setup: ## System packages, .venv, core and Python package
	@tools/system_packages.sh
	@tools/venv.sh $(PYTHON) .venv

run: setup ## The main job: a csp graph and asyncio in one thread, live and as a backtest
	@.venv/bin/python examples/market_graph.py --png build/market_graph.png $(ARGS)

run-service: setup ## Market ticks over HTTP and WebSocket, served by one loop to clients in a second process
	@.venv/bin/python examples/market_service.py $(ARGS)

test: setup ## All tests: C, C++, sanitizers, lint, Python on every interpreter
	@.venv/bin/python tools/run_tests.py

suite: setup ## CPython's own asyncio tests on csploop, on every CPython that has them
	@.venv/bin/python tools/run_tests.py suite

soak: setup ## Ten thousand connects, TLS handshakes and children: nothing stays behind (a minute or two)
	@.venv/bin/python tests/soak/leaks.py $(ARGS)

python-asan: setup ## Python tests on a core built with AddressSanitizer (some minutes)
	@.venv/bin/python tools/run_tests.py python-asan

bench: setup ## csploop against asyncio, uvloop and rloop
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@.venv/bin/python bench/run.py $(ARGS)

lint: setup ## ruff and mypy
	@.venv/bin/python tools/run_tests.py lint

asan: setup ## C and C++ tests under AddressSanitizer and LeakSanitizer
	@.venv/bin/python tools/run_tests.py asan

ubsan: setup ## C and C++ tests under UndefinedBehaviorSanitizer
	@.venv/bin/python tools/run_tests.py ubsan

tsan: setup ## C and C++ tests under ThreadSanitizer
	@.venv/bin/python tools/run_tests.py tsan

clean: ## Remove what was built
	rm -rf build dist bench/build
	rm -f .venv/stamps/package .venvs/*/stamps/package

distclean: clean ## And the virtual environments, and the root of Debian's unstable suite
	rm -rf .venv .venvs .mypy_cache .pytest_cache .ruff_cache
	tools/debian_root.sh remove
