#!/bin/sh
# Makes a virtual environment with csploop and all that its tests need, or brings one up to date.
#   tools/venv.sh PYTHON DIRECTORY
# Stamps inside the environment say what is finished: tools are installed again when pyproject.toml changes, the
# package when any of its sources does.
set -eu

cd "$(dirname "$0")/.."
python=$1
venv=$2
name=$(basename "$venv")
stamps=$venv/stamps
log=build/logs/venv-${name#.}.log
mkdir -p build/logs

# Some of aiohttp's helpers have no wheels for PyPy; their pure-Python halves do the same there.
export AIOHTTP_NO_EXTENSIONS=1 FROZENLIST_NO_EXTENSIONS=1 MULTIDICT_NO_EXTENSIONS=1 PROPCACHE_NO_EXTENSIONS=1
export YARL_NO_EXTENSIONS=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_REQUIRE_VIRTUALENV=1

step() {
    echo "$name: $1"
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "$name: this failed; all of its output is in $log" >&2
        exit 1
    fi
}

# An environment whose interpreter has gone, or that was left half made, is made anew.
if [ ! -e "$stamps/made" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    step "making a virtual environment for $("$python" -V 2>&1 | tr '\n' ' ')" "$python" -m venv "$venv"
    step "installing the newest pip" "$venv/bin/python" -m pip install --upgrade pip
    mkdir -p "$stamps"
    touch "$stamps/made"
fi

if ! cmp -s pyproject.toml "$stamps/pyproject.toml"; then
    rm -f "$stamps/package"
    groups="--group test"
    if "$venv/bin/python" -c 'import sys, sysconfig; sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED"))'; then
        groups="--group essential"
    fi
    if [ "$name" = .venv ]; then
        groups="$groups --group lint"
    fi
    # The first two are what pip would fetch into a build environment of its own for each build.
    # shellcheck disable=SC2086  # a list of words
    step "installing what building and testing need" "$venv/bin/python" -m pip install --upgrade \
        "scikit-build-core>=0.10.7" "cffi>=1.15; platform_python_implementation != 'PyPy'" $groups
    cp pyproject.toml "$stamps/pyproject.toml"
fi

sources="include src capi cmake python CMakeLists.txt pyproject.toml"
# shellcheck disable=SC2086  # a list of words
newer() { find $sources -newer "$stamps/package" -not -path '*/__pycache__*' -print -quit; }
if [ ! -e "$stamps/package" ] || [ -n "$(newer)" ]; then
    # Taken before building: what is edited meanwhile counts as newer.
    touch "$stamps/package.started"
    step "building and installing csploop" "$venv/bin/python" -m pip install --no-build-isolation --no-deps \
        --config-settings="build-dir=build/python/${name#.}" .
    mv "$stamps/package.started" "$stamps/package"
fi
