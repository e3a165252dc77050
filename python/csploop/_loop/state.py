"""What a loop consists of. The areas of the loop are mixins over this class; nothing else holds state.

Owner: the thread that runs the loop. Only `_ready.append`, `_sleeping` (read) and `_wake` are for other
threads. Memory: `_core` holds a reference to the C handle and drops it when nobody in any thread has the
object any more. Batch, records and submissions are made at the first turn: a loop that is only made and
closed costs little.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable

from csploop._ffi import ffi
from csploop._ffi.errors import check
from csploop._loop.clock import monotonic
from csploop._loop.crossings import library

if TYPE_CHECKING:
    import socket
    from contextvars import Context

    from csploop._loop.driver import Driver
    from csploop._loop.handles import TimerHandle
    from csploop._loop.replaced_time import ReplacedTime
    from csploop._loop.serving import Listener
    from csploop._loop.sockets import SocketWatch
    from csploop._loop.watchers import Watcher
    from csploop._transports.stream import StreamTransport

__all__ = ["LoopState", "open_loops"]

POLLERS = {None: "CSPLOOP_POLLER_DEFAULT", "epoll": "CSPLOOP_POLLER_EPOLL", "uv": "CSPLOOP_POLLER_UV"}
WRITE_MODES = ("gather", "immediate")

# id, token, result, offset, kind, payload: a record whose bytes, if it has any, have left the slab.
Item = "tuple[int, int, int, int, int, Optional[bytes]]"

# Every loop of this process that is not closed, for fork and exit. No WeakSet: threads make and close loops
# while another looks, and what is done to a plain set is done in one piece.
_open_loops: set[weakref.ref[LoopState]] = set()


def open_loops() -> list[LoopState]:
    return [loop for loop in (reference() for reference in _open_loops.copy()) if loop is not None]


class EagerDirty(list):  # type: ignore[type-arg]  # list is not generic at run time before 3.9.2 on PyPy
    """Stands in for the list of streams with unsent bytes where none may wait; sends at once.

    It is there while the loop is not running (no turn would come to send) and always with write="immediate".
    """

    def __init__(self, loop: LoopState) -> None:
        super().__init__()
        self._loop = weakref.ref(loop)

    def append(self, stream: StreamTransport) -> None:
        super().append(stream)
        loop = self._loop()
        if loop is not None:
            loop._flush()
            if loop._outside is not None:
                loop._outside.scheduled()
            # What is sent at once never counts as queued: only the core knows how much waits.
            below = getattr(stream, "_stream", stream)  # of TLS, which is here in its stream's place
            if below is not None:
                below._look_at_backlog()


class LoopState(asyncio.BaseEventLoop):
    """The attributes of a loop, and what its areas want from one another."""

    # Until the base class's constructor says otherwise: nothing to close in a loop that could not be made.
    _closed = True
    # Whether `time` is a method that the loop's own timers know of.
    _has_own_clock = False

    if TYPE_CHECKING:
        # asyncio's own, which its type stubs do not mention
        _ready: deque[Any]
        _stopping: bool
        _debug: bool
        _thread_id: int | None
        _current_handle: asyncio.Handle | None

        def _check_closed(self) -> None: ...
        def _check_running(self) -> None: ...
        def _check_thread(self) -> None: ...
        def _check_callback(self, callback: object, method: str) -> None: ...
        def _set_coroutine_origin_tracking(self, enabled: bool) -> None: ...
        def _asyncgen_firstiter_hook(self, agen: Any) -> None: ...
        def _asyncgen_finalizer_hook(self, agen: Any) -> None: ...

        # of one area, used by another
        def _flush(self) -> None: ...
        def _gather(self) -> None: ...
        def _gather_datagrams(
            self, transport: Any, offset: int, position: int, parts: list[bytes]
        ) -> None: ...
        def _add_timers(self, offset: int) -> None: ...
        def _cancel_timers(self, offset: int) -> None: ...
        def _pack(self, offset: int, parts: list[bytes]) -> None: ...
        def _push(self) -> None: ...
        def _wake(self) -> None: ...
        def _ring(self) -> None: ...
        def _on_rejected(self, id: int, token: int, code: int) -> None: ...
        def _look_closer(self) -> None: ...
        def _make_batch(self) -> None: ...
        def _keep_batch(self) -> None: ...
        def _turns(self) -> None: ...
        def _run_ready(self, todo: int) -> None: ...
        def _relieve(self) -> None: ...
        def _dispatch(self, items: Iterator[Any]) -> None: ...
        def _dispatch_checked(self, items: Iterator[Any]) -> None: ...
        def _run_ready_checked(self, todo: int) -> None: ...
        def _call_soon_checked(
            self, callback: Callable[..., object], args: Any, context: Context | None, method: str
        ) -> asyncio.Handle: ...
        def _run_handle(self, handle: Any, queue: Any = None, key: int = 0) -> None: ...
        def _callback_failed(self, handle: Any, exc: BaseException) -> None: ...
        def _adopt(self, transport: StreamTransport, fd: int, nodelay: bool) -> int: ...
        def _adopt_datagram(self, sock: socket.socket) -> int: ...
        def _ensure_fd_no_transport(self, fd: Any) -> None: ...
        def _forget_socket(self, fd: int) -> None: ...
        def _share_socket(self, fd: int) -> None: ...
        def _add_reader(
            self, fd: Any, callback: Callable[..., object], *args: Any, context: Context | None = ...
        ) -> asyncio.Handle: ...
        def _add_writer(
            self, fd: Any, callback: Callable[..., object], *args: Any, context: Context | None = ...
        ) -> asyncio.Handle: ...
        def _remove_reader(self, fd: int) -> bool: ...
        def _remove_writer(self, fd: int) -> bool: ...
        def _remove_unix_path(self, sock: socket.socket) -> None: ...
        def _open_signal_gate(self) -> Callable[[], None]: ...
        def _close_signal_gate(self) -> None: ...
        def _signals_came(self, numbers: bytes) -> None: ...
        def _forget_signals(self) -> None: ...

    def __init__(self, *, poller: str | None = None, write: str = "gather") -> None:
        if poller not in POLLERS:
            raise ValueError(f"poller must be None, 'epoll' or 'uv', not {poller!r}")
        if write not in WRITE_MODES:
            raise ValueError(f"write must be 'gather' or 'immediate', not {write!r}")
        self._core: Any = None
        self._lib: Any = library()
        # Debug mode, between a host's steps, closed or forked: whether scheduling has to look closer. One
        # check on the fast path.
        self._slow = False
        self._driver: Driver | None = None
        # The same, while its host's own code runs and not a step.
        self._outside: Driver | None = None
        self._close_gate: Callable[[], Any] | None = None
        self._forked = False
        # True while the loop's thread may be asleep in the kernel; see threads.py.
        self._sleeping = False
        self._unfinished: Iterator[Any] | None = None
        # What an exception took out of it and did not let begin.
        self._put_back: list[Any] = []

        self._batch: Any = None
        self._records: Any = None
        self._records_view: Any = None
        self._record_fields: Any = None
        self._slab_address: Any = None
        self._slab_view: Any = None
        self._submissions: Any = None
        self._submissions_view: Any = None
        self._submissions_end = 0
        self._unprepared = True
        self._cramped = False
        # Offset, position and parts, from what packs a part of a batch to `_gather`: not its result, which an
        # exception that comes after the call would lose.
        self._packed: Any = None
        # When the kernel was last asked or something was last sent (monotonic).
        self._sent_at = 0.0
        self._out_memory: Any = None
        self._small_out: Any = None
        self._small_out_view: Any = None
        # How many bytes it holds while it is what the batch shows, else 0.
        self._shown_out = 0

        self._edges_stay = True
        # Everything that has records of its own, by id.
        self._owners: dict[int, Any] = {}
        self._gathered: list[StreamTransport] = []
        self._eager = EagerDirty(self)
        self._dirty: list[StreamTransport] = self._eager
        self._immediate = write == "immediate"
        # (id, op, flags): requests that are not writes and not timers, in order.
        self._ops: list[tuple[int, int, int]] = []
        # By-reference writes that the kernel has not taken: token -> what keeps their memory.
        self._references: dict[int, Any] = {}
        self._last_reference = 0

        self._timers: dict[int, TimerHandle] = {}
        self._new_timers: list[TimerHandle] = []
        self._dead_timers: list[int] = []
        self._spare_ids: list[int] = []
        self._time: Callable[[], float] = monotonic
        # The timers, while that is another.
        self._replaced_time: ReplacedTime | None = None
        self._id_block = 8

        self._streams: dict[int, Any] = {}  # transports by descriptor
        self._watchers: dict[int, Watcher] = {}
        # A finalizer or signal handler may come while its thread is inside.
        self._watching: Any = threading.RLock()
        self._socket_watches: dict[int, SocketWatch] = {}
        self._listeners: dict[socket.socket, Listener] = {}
        self._unix_paths: dict[socket.socket, tuple[str, int]] = {}
        self._signal_gate: Any = None

        self._poller_name = poller
        self._open()
        super().__init__()
        self._reference = weakref.ref(self, _open_loops.discard)
        _open_loops.add(self._reference)

    def _forget(self) -> None:
        """It is closed."""
        _open_loops.discard(self._reference)

    def _open(self) -> None:
        out = ffi.new("csploop_t **")
        options = ffi.new("csploop_options *")
        options.size = ffi.sizeof("csploop_options")
        self._configure(options)
        check(self._lib.csploop_new(out, options))
        self._core = ffi.gc(out[0], self._lib.csploop_unref)

    def _configure(self, options: Any) -> None:
        """Fills the core's options, which are all defaults."""
        options.poller = getattr(self._lib, POLLERS[self._poller_name])
