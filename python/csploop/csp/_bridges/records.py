"""RecordBridge: fixed structs from threads of C, C++ or anything, as NumPy arrays in a csp graph.

    bridge = RecordBridge(np.dtype([("time", "M8[ns]"), ("price", "f8"), ("size", "i8")]), "trades")
    start_feed(bridge.address)  # in C: csploop_bridge_push((csploop_bridge_t *)address, &trade, sizeof trade)
    ...
    batches = bridge.out()      # in the graph: a ts[np.ndarray], one tick for all that has come

Records go through the core's lock-free ring (csploop/bridge.h) and never through Python one by one: a batch
is one copy into an array that NumPy owns. The engine is told by the core's descriptor: the run's loop
watches it (csploop.csp.run), or a thread that sleeps on it.

Owner: whoever made it, until `close`. The engine's thread drains; pushes are for any thread. A C producer
that may outlive `close` holds a reference of its own (csploop_bridge_ref).
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable

import csp
import numpy as np

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop.csp._bridges import nodes
from csploop.csp._bridges.channel import BridgeStats
from csploop.csp._bridges.layout import record_dtype, struct_maker
from csploop.csp._bridges.port import is_realtime, wired_realtime
from csploop.csp._run import current_run
from csploop.csp._wake import watch
from csploop.lowlevel import Core

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["RecordBridge"]

CAPACITY = 1 << 17
EDEADLK = lib.CSPLOOP_EDEADLK
POLICIES = {
    "block": lib.CSPLOOP_BRIDGE_BLOCK,
    "fail": lib.CSPLOOP_BRIDGE_FAIL,
    "drop-oldest": lib.CSPLOOP_BRIDGE_DROP_OLDEST,
}


class LoopWatch:
    """As _wake.watch, without a thread: the loop of the run looks at the descriptor."""

    def __init__(self, loop: Any, fd: int, wake: Callable[[], object]) -> None:
        self._loop = loop
        self._fd = fd
        self._wake = wake

    def arm(self) -> None:
        self._loop.add_reader(self._fd, self._ready)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)

    def _ready(self) -> None:
        self._loop.remove_reader(self._fd)
        self._wake()


class RecordBridge:
    """Records from any thread into a graph that runs in realtime.

    layout: the record as a NumPy dtype, or a csp.Struct type whose fields are int, float, bool, datetime and
    timedelta (in C: int64_t, double, bool, and ns as int64_t, aligned as a C compiler does).
    struct: the csp.Struct type that `structs` makes of them; by default the layout's, if it is one.
    capacity: records that may wait; rounded up to a power of two.
    overflow: what a push into a full bridge does: "block" waits, "fail" returns CSPLOOP_EAGAIN (in Python:
    takes less), "drop-oldest" makes room.
    batch: the most records that one tick brings.
    """

    def __init__(
        self,
        layout: Any,
        name: str = "record_bridge",
        *,
        struct: Any = None,
        capacity: int = CAPACITY,
        overflow: str = "block",
        batch: int = CAPACITY,
    ) -> None:
        if overflow not in POLICIES:
            raise ValueError(f"overflow must be one of {', '.join(map(repr, POLICIES))}, not {overflow!r}")
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        if not 1 <= capacity <= 1 << 24:
            raise ValueError(f"capacity must be 1 to {1 << 24}, not {capacity}")
        self._dtype = record_dtype(layout)
        if struct is None and isinstance(layout, type) and issubclass(layout, csp.Struct):
            struct = layout
        self._struct = struct
        self._make_structs = None if struct is None else struct_maker(self._dtype, struct)
        self._name = name
        self._most = batch
        self._lock = threading.Lock()
        self._core = Core(capacity=4)
        options = ffi.new("csploop_bridge_options *")
        options.size = ffi.sizeof("csploop_bridge_options")
        options.policy = POLICIES[overflow]
        options.record_size = self._dtype.itemsize
        options.capacity = capacity
        out = ffi.new("csploop_bridge_t **")
        try:
            check(lib.csploop_bridge_new(self._core.handle, out, options, ffi.NULL, ffi.NULL))
        except BaseException:
            self._core.close()
            raise
        self._bridge = ffi.gc(out[0], lib.csploop_bridge_unref)
        self._items = ffi.new("uint32_t *")
        self._bytes = ffi.new("size_t *")
        self._wired: bool | None = None
        self._input: Callable[[bool], None] | None = None
        self._watch: Any = None
        self._live = False
        self._closed = False

    # Producers, any thread.

    @property
    def dtype(self) -> np.dtype[Any]:
        """The layout of a record."""
        return self._dtype

    @property
    def address(self) -> int:
        """The csploop_bridge_t's, for producers in C.

        Good until `close`, and beyond for who holds a reference.
        """
        return int(ffi.cast("uintptr_t", self._bridge))

    def push(self, record: Any) -> bool:
        """One record: a tuple, a numpy.void or bytes. False: not taken, because there is no room ("fail"), or
        the bridge is closed."""
        if isinstance(record, (bytes, bytearray)):
            if len(record) != self._dtype.itemsize:
                raise ValueError(f"a record has {self._dtype.itemsize} bytes, not {len(record)}")
            array = np.frombuffer(record, self._dtype, 1)
        else:
            array = np.array([record], self._dtype)
        return self.push_many(array) == 1

    def push_many(self, records: Any) -> int:
        """An array of records; returns how many were taken, the first ones. TypeError for another dtype."""
        array = np.ascontiguousarray(records)
        if array.dtype != self._dtype:
            raise TypeError(f"{self._name} carries {self._dtype}, not {array.dtype}")
        taken = ffi.new("uint32_t *")
        total = array.size
        done = 0
        while done < total:
            some = min(total - done, 1 << 31)
            start = ffi.cast("char *", array.ctypes.data + done * array.itemsize)
            code = lib.csploop_bridge_push_many(self._bridge, taken, start, some)
            done += taken[0]
            if code in (lib.CSPLOOP_EAGAIN, lib.CSPLOOP_ECLOSED):
                break
            if code == EDEADLK:
                raise RuntimeError(
                    "the bridge is full, and to wait for room on the engine's own thread would be for ever"
                )
            check(code)
        return done

    def stats(self) -> BridgeStats:
        """What has become of all records since the bridge was made."""
        counts = ffi.new("csploop_bridge_counts *")
        counts.size = ffi.sizeof("csploop_bridge_counts")
        check(lib.csploop_bridge_stats(self._bridge, counts))
        return BridgeStats(
            counts.capacity,
            counts.pushed,
            counts.drained,
            counts.dropped,
            counts.refused,
            counts.blocked,
            counts.wakes,
            counts.queued,
        )

    # Wiring.

    def out(self) -> Any:
        """The records as a ts[np.ndarray], one tick a batch. In the wiring of a graph."""
        self._wired = wired_realtime()
        wake = nodes.bridge_wake(self, push_mode=csp.PushMode.LAST_VALUE)
        return nodes.record_arrays.using(name=self._name)(self, wake)

    def structs(self) -> Any:
        """The same as a ts[List[struct]], made in Python one by one."""
        if self._make_structs is None:
            raise TypeError(f"{self._name} was made without struct=")
        return nodes.record_structs(self, self.out(), self._struct)

    # Life.

    def close(self) -> None:
        """Takes no more; producers that wait for room return. Twice is no error. From any thread.

        A graph that runs still gets what is inside. Otherwise that is dropped, and counted.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            check(lib.csploop_bridge_close(self._bridge))
            if not self._live:
                self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # What the nodes call, on the engine's thread.

    def _input_started(self, push_tick: Callable[[bool], None]) -> None:
        if self._input is not None:
            raise RuntimeError(f"{self._name} is already part of a graph that runs")
        self._input = push_tick

    def _input_stopped(self) -> None:
        self._engine_stopped()
        self._input = None

    def _engine_started(self) -> None:
        if not is_realtime(self._wired):
            raise RuntimeError(
                f"{self._name} brings records from threads, of which simulation knows nothing: realtime only"
            )
        with self._lock:
            if self._live:
                raise RuntimeError(f"{self._name} is already part of a graph that runs")
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            self._core.attach()
            self._live = True
        run = current_run()
        fd = self._core.backend_fd
        if run is not None and not run.on_thread:
            self._watch = LoopWatch(run.loop, fd, self._wake)
        else:
            self._watch = watch(fd, self._wake)
        self._rearm()

    def _engine_stopped(self) -> None:
        if not self._live:
            return
        if self._watch is not None:
            # Afterwards nobody wakes any more.
            self._watch.close()
            self._watch = None
        with self._lock:
            self._live = False
            self._core.detach()
            if self._closed:
                self._core.close()

    def _take(self) -> Any:
        """bench: bridge_records.py. One batch, copied out of the ring once."""
        self._core.turn((), 0)
        queued = min(self.stats().queued, self._most)
        batch = None
        if queued:
            batch = np.empty(queued, self._dtype)
            memory = ffi.cast("void *", batch.ctypes.data)
            check(lib.csploop_bridge_drain(self._bridge, self._items, self._bytes, memory, batch.nbytes))
            items = self._items[0]
            if items < queued:
                # The last producers were still writing theirs.
                batch = batch[:items] if items else None
        self._rearm()
        return batch

    def _structs(self, batch: Any) -> list[Any]:
        assert self._make_structs is not None
        return self._make_structs(batch)

    def _wake(self) -> None:
        push_tick = self._input
        if push_tick is not None:
            push_tick(True)

    def _rearm(self) -> None:
        if self._core.next_deadline() == 0:
            self._wake()
        else:
            self._watch.arm()
