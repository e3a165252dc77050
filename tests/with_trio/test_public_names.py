"""What csploop.trio promises: every name of trio-asyncio's document, documented and typed."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import csploop.trio
import pytest

DOCUMENT: str = (
    "open_loop run aio_as_trio trio_as_aio allow_asyncio run_trio run_trio_task run_aio_future"
    " run_aio_coroutine run_aio_generator current_loop TrioEventLoop BaseTrioEventLoop TrioExecutor"
    " TrioAsyncioDeprecationWarning asyncio_as_trio trio_as_asyncio"
)
METHODS: str = (
    "run_aio_future run_aio_coroutine trio_as_future run_trio_task synchronize autoclose no_autoclose"
    " wait_stopped stop"
)
GUIDE = Path(__file__).parents[2] / "docs" / "trio.md"


def test_the_documents_names_are_there():
    assert set(DOCUMENT.split()) <= set(csploop.trio.__all__)
    assert set(csploop.trio.__all__) <= set(dir(csploop.trio))
    assert csploop.trio.asyncio_as_trio is csploop.trio.aio_as_trio
    assert csploop.trio.trio_as_asyncio is csploop.trio.trio_as_aio
    assert issubclass(csploop.trio.TrioAsyncioDeprecationWarning, FutureWarning)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", csploop.trio.__all__)
def test_each_name_is_documented_and_typed(name):
    value = getattr(csploop.trio, name)
    assert re.search(rf"`(csploop\.trio\.)?{name}\b", GUIDE.read_text()), "not in docs/trio.md"
    assert inspect.getdoc(value)
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())


@pytest.mark.parametrize("name", METHODS.split())
def test_the_loops_methods(name):
    method = getattr(csploop.trio.TrioEventLoop, name)
    assert inspect.getdoc(method)
    assert name == "stop" or hasattr(csploop.trio.BaseTrioEventLoop, name)


def test_no_other_name():
    with pytest.raises(AttributeError, match="nonsense"):
        csploop.trio.nonsense  # noqa: B018
