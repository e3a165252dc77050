"""What importing csploop.csp says and does."""

from __future__ import annotations

import subprocess
import sys

import csploop.csp
import pytest


def test_without_csp_the_error_says_what_to_install():
    code = "import sys; sys.modules['csp'] = None; import csploop.csp"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1] == "ImportError: csploop.csp needs csp: pip install csploop[csp]"


def test_csploop_alone_does_not_import_csp():
    code = "import csploop, sys; print('csp' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize("name", csploop.csp.__all__)
def test_public_names_exist_and_are_documented(name):
    assert getattr(csploop.csp, name).__doc__


@pytest.mark.parametrize("name", ["now", "stop_engine"])
def test_outside_of_a_run_the_error_says_so(name):
    with pytest.raises(RuntimeError, match=rf"csploop\.csp\.{name}\(\) is for nodes and coroutines"):
        getattr(csploop.csp, name)()
