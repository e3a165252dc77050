"""The core's constants and the layouts of its structs, as plain integers and compiled formats."""

from __future__ import annotations

import struct

from csploop._ffi import lib

SOON = lib.CSPLOOP_KIND_SOON
TIMER = lib.CSPLOOP_KIND_TIMER
READ = lib.CSPLOOP_KIND_READ
READABLE = lib.CSPLOOP_KIND_READABLE
EOF = lib.CSPLOOP_KIND_EOF
WRITTEN = lib.CSPLOOP_KIND_WRITTEN
BACKLOG = lib.CSPLOOP_KIND_BACKLOG
SHUTDOWN = lib.CSPLOOP_KIND_SHUTDOWN
ACCEPT = lib.CSPLOOP_KIND_ACCEPT
WATCH = lib.CSPLOOP_KIND_WATCH
ERROR = lib.CSPLOOP_KIND_ERROR
CLOSED = lib.CSPLOOP_KIND_CLOSED
REJECTED = lib.CSPLOOP_KIND_REJECTED
RECV = lib.CSPLOOP_KIND_RECV
DATAGRAM_ERROR = lib.CSPLOOP_KIND_DATAGRAM_ERROR

OP_TIMER_ADD = lib.CSPLOOP_OP_TIMER_ADD
OP_TIMER_CANCEL = lib.CSPLOOP_OP_TIMER_CANCEL
OP_WRITE = lib.CSPLOOP_OP_WRITE
OP_WRITE_REF = lib.CSPLOOP_OP_WRITE_REF
OP_READ_START = lib.CSPLOOP_OP_READ_START
OP_READ_STOP = lib.CSPLOOP_OP_READ_STOP
OP_SHUTDOWN = lib.CSPLOOP_OP_SHUTDOWN
OP_CLOSE = lib.CSPLOOP_OP_CLOSE
OP_SEND = lib.CSPLOOP_OP_SEND

CLOSE_DRAIN = lib.CSPLOOP_CLOSE_DRAIN
CLOSE_ABORT = lib.CSPLOOP_CLOSE_ABORT
READ_SLAB = lib.CSPLOOP_READ_SLAB
READ_READY = lib.CSPLOOP_READ_READY
RECV_ADDRESS = lib.CSPLOOP_RECV_ADDRESS
RECV_TRUNCATED = lib.CSPLOOP_RECV_TRUNCATED

# csploop_record: id, token, result, offset, kind, flags.
RECORD = struct.Struct("=QQqIHH")
# csploop_submission: id, token, data, length, op, flags; shorter forms for the common cases. Signed where
# nothing needs the 64th bit: small ones are packed faster.
SUBMISSION = struct.Struct("=QQQQII")
SUBMIT_WRITE = struct.Struct("=q8xqqI4x")  # id, data, length, op
SUBMIT_TIMER = struct.Struct("=q8xq8xI4x")  # id, deadline, op
SUBMIT_OP = struct.Struct("=q24xII")  # id, op, flags
SUBMIT_SEND = struct.Struct("=q8xqqII")  # id, data, length, op, bytes of the address
SUBMISSION_BYTES = SUBMISSION.size

# Writes from this size on go by reference.
REFERENCE_BYTES = 32 * 1024
# As the size of what is queued: the gathering takes its slower, general way.
SLOW_GATHERING = REFERENCE_BYTES
