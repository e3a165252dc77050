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
    # What pip would fetch into a build environment of its own for each build.
    step "installing build tools" "$venv/bin/python" -m pip install --upgrade \
        "scikit-build-core>=0.10.7" "cffi>=1.15; platform_python_implementation != 'PyPy'"
    with_tools=yes
fi

sources="include src capi cmake python CMakeLists.txt pyproject.toml"
# shellcheck disable=SC2086  # a list of words
if [ ! -e "$stamps/package" ] || [ -n "$(find $sources -newer "$stamps/package" -not -path '*/__pycache__*' -print -quit)" ]; then
    # Taken before building: what is edited meanwhile counts as newer.
    touch "$stamps/package.started"
    extras=test
    if [ "$name" = .venv ]; then
        extras=test,lint
    fi
    step "building and installing csploop${with_tools:+ and what its tests need}" \
        "$venv/bin/python" -m pip install --no-build-isolation \
        --config-settings="build-dir=build/python/${name#.}" ".[$extras]"
    mv "$stamps/package.started" "$stamps/package"
    cp pyproject.toml "$stamps/pyproject.toml"
fi
