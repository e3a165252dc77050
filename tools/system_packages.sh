#!/bin/sh
# Installs the system packages that building and testing need and that are not here yet.
#   tools/system_packages.sh          for the core and the default Python
#   tools/system_packages.sh pypy     and for PyPy
#   tools/system_packages.sh root     and for tools/debian_root.sh
#   tools/system_packages.sh tests    and what tests use: servers for tests/interop, a browser for the market graph
# Everything is asked of the tools themselves, so that a libuv or a Python from elsewhere counts as well.
set -eu

python=${PYTHON:-python3}
missing=""

# want PACKAGE COMMAND…: PACKAGE is missing if the command fails.
want() {
    package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        missing="$missing $package"
    fi
}

have() {
    command -v "$1"
}

# A bare `python3 -m venv` may fail only in the middle, for want of ensurepip.
can_make_venvs() {
    "$1" -c 'import venv, ensurepip'
}

has_headers() {
    "$1" -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

has_gtest() {
    pkg-config --exists gtest_main || ls /usr/include/gtest/gtest.h /usr/local/include/gtest/gtest.h
}

# CPython's own tests, which Debian packs apart.
has_testsuite() {
    "$python" -c 'import test.test_asyncio'
}

# Where apt has none, wanting a package brings them.
has_package_lists() {
    apt-get indextargets 'Created-By: Packages' 'Origin: Debian' | grep -q .
}

is_debians() {
    test "$(command -v "$python")" -ef "/usr/bin/python3"
}

# Debian keeps PostgreSQL's programs out of PATH.
has_postgresql() {
    have postgres || ls /usr/lib/postgresql/*/bin/postgres
}

want cmake have cmake
want g++ have c++
want pkg-config have pkg-config
want openssl have openssl
want libuv1-dev pkg-config --exists "libuv >= 1.44"
want libgtest-dev has_gtest
if have "$python" >/dev/null; then
    # The packages of these names serve Debian's own python3; another one brings its parts itself.
    want python3-venv can_make_venvs "$python"
    want python3-dev has_headers "$python"
else
    missing="$missing python3 python3-venv python3-dev"
fi
if [ "${1:-}" = pypy ]; then
    want pypy3 have pypy3
    want pypy3-venv can_make_venvs pypy3
    want pypy3-dev has_headers pypy3
fi
if [ "${1:-}" = root ]; then
    want debootstrap have debootstrap
    want util-linux have unshare
    want util-linux have flock
    want apt has_package_lists
fi
if [ "${1:-}" = tests ]; then
    want redis-server have redis-server
    want postgresql has_postgresql
    want chromium have chromium
    want chromium-driver have chromedriver
    want openssl have openssl
    if is_debians; then
        want "libpython$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite" has_testsuite
    fi
fi

missing=${missing# }
if [ -z "$missing" ]; then
    exit 0
fi
echo "system packages that are not here yet: $missing"
if ! have apt-get >/dev/null; then
    echo "There is no apt-get on this system: please install what Debian calls by these names, then try again." >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! have sudo >/dev/null; then
        echo "Installing them needs root, and there is no sudo. As root: apt-get install $missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing them with apt-get"
$as_root apt-get update -q
# shellcheck disable=SC2086  # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
