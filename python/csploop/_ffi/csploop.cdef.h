/* Written by build.py --write from the headers below include/. */
typedef struct csploop_loop csploop_t;
typedef uint64_t csploop_id;
enum csploop_kind {
    CSPLOOP_KIND_NONE = 0,
    CSPLOOP_KIND_SOON = 1,
    CSPLOOP_KIND_TIMER = 2,
    CSPLOOP_KIND_POST = 3,
    CSPLOOP_KIND_READ = 4,
    CSPLOOP_KIND_READABLE = 5,
    CSPLOOP_KIND_EOF = 6,
    CSPLOOP_KIND_WRITTEN = 7,
    CSPLOOP_KIND_BACKLOG = 8,
    CSPLOOP_KIND_SHUTDOWN = 9,
    CSPLOOP_KIND_ACCEPT = 10,
    CSPLOOP_KIND_CONNECT = 11,
    CSPLOOP_KIND_WATCH = 12,
    CSPLOOP_KIND_BRIDGE = 13,
    CSPLOOP_KIND_ERROR = 14,
    CSPLOOP_KIND_CLOSED = 15,
    CSPLOOP_KIND_REJECTED = 16,
    CSPLOOP_KIND_RECV = 17,
    CSPLOOP_KIND_DATAGRAM_ERROR = 18,
};
typedef struct csploop_record {
    csploop_id id;
    uint64_t token;
    int64_t result;
    uint32_t offset;
    uint16_t kind;
    uint16_t flags;
} csploop_record;
typedef void (*csploop_fn)(csploop_t *loop, const csploop_record *record, void *arg);
enum csploop_op {
    CSPLOOP_OP_NONE = 0,
    CSPLOOP_OP_TIMER_ADD = 1,
    CSPLOOP_OP_TIMER_CANCEL = 2,
    CSPLOOP_OP_WRITE = 3,
    CSPLOOP_OP_WRITE_REF = 4,
    CSPLOOP_OP_READ_START = 5,
    CSPLOOP_OP_READ_STOP = 6,
    CSPLOOP_OP_SHUTDOWN = 7,
    CSPLOOP_OP_CLOSE = 8,
    CSPLOOP_OP_WALL_TIMER_ADD = 9,
    CSPLOOP_OP_SEND = 10,
};
typedef struct csploop_submission {
    csploop_id id;
    uint64_t token;
    uint64_t data;
    uint64_t length;
    uint32_t op;
    uint32_t flags;
} csploop_submission;
typedef struct csploop_batch {
    uint32_t size;
    uint32_t n_submissions;
    const csploop_submission *submissions;
    const void *out_slab;
    uint64_t out_slab_size;
    csploop_record *records;
    uint32_t capacity;
    uint32_t n_records;
    const void *slab;
    uint64_t slab_size;
} csploop_batch;
typedef struct csploop_bridge csploop_bridge_t;
enum csploop_bridge_policy {
    CSPLOOP_BRIDGE_BLOCK = 0,
    CSPLOOP_BRIDGE_FAIL = 1,
    CSPLOOP_BRIDGE_DROP_OLDEST = 2,
};
typedef struct csploop_bridge_options {
    uint32_t size;
    uint32_t policy;
    uint32_t record_size;
    uint32_t capacity;
} csploop_bridge_options;
typedef struct csploop_bridge_counts {
    uint32_t size;
    uint32_t capacity;
    uint64_t pushed;
    uint64_t drained;
    uint64_t dropped;
    uint64_t refused;
    uint64_t blocked;
    uint64_t wakes;
    uint64_t queued;
} csploop_bridge_counts;
int csploop_bridge_new(csploop_t *loop, csploop_bridge_t **out, const csploop_bridge_options *options, csploop_fn fn, void *arg);
int csploop_bridge_push(csploop_bridge_t *bridge, const void *data, size_t length);
int csploop_bridge_push_many(csploop_bridge_t *bridge, uint32_t *out_records, const void *records, uint32_t count);
int csploop_bridge_drain(csploop_bridge_t *bridge, uint32_t *out_items, size_t *out_bytes, void *buffer, size_t buffer_bytes);
int csploop_bridge_close(csploop_bridge_t *bridge);
int csploop_bridge_stats(const csploop_bridge_t *bridge, csploop_bridge_counts *out);
csploop_id csploop_bridge_id(const csploop_bridge_t *bridge);
csploop_bridge_t *csploop_bridge_ref(csploop_bridge_t *bridge);
csploop_bridge_t *csploop_bridge_unref(csploop_bridge_t *bridge);
enum csploop_error {
    CSPLOOP_OK = 0,
    CSPLOOP_EINVAL = ...,
    CSPLOOP_ENOMEM = ...,
    CSPLOOP_EBADF = ...,
    CSPLOOP_EPERM = ...,
    CSPLOOP_EACCES = ...,
    CSPLOOP_EEXIST = ...,
    CSPLOOP_ENOENT = ...,
    CSPLOOP_EAGAIN = ...,
    CSPLOOP_EBUSY = ...,
    CSPLOOP_EALREADY = ...,
    CSPLOOP_EDEADLK = ...,
    CSPLOOP_ECHILD = ...,
    CSPLOOP_ECANCELED = ...,
    CSPLOOP_EMFILE = ...,
    CSPLOOP_ENFILE = ...,
    CSPLOOP_ENOBUFS = ...,
    CSPLOOP_EMSGSIZE = ...,
    CSPLOOP_EPIPE = ...,
    CSPLOOP_ECONNRESET = ...,
    CSPLOOP_ECONNREFUSED = ...,
    CSPLOOP_ECONNABORTED = ...,
    CSPLOOP_ENOTCONN = ...,
    CSPLOOP_EISCONN = ...,
    CSPLOOP_ETIMEDOUT = ...,
    CSPLOOP_EADDRINUSE = ...,
    CSPLOOP_EADDRNOTAVAIL = ...,
    CSPLOOP_EAFNOSUPPORT = ...,
    CSPLOOP_ENETUNREACH = ...,
    CSPLOOP_EHOSTUNREACH = ...,
    CSPLOOP_ENOTSOCK = ...,
    CSPLOOP_ENOTSUP = ...,
    CSPLOOP_ENOSYS = ...,
    CSPLOOP_EBADID = -10001,
    CSPLOOP_ECLOSED = -10002,
    CSPLOOP_ETHREAD = -10003,
    CSPLOOP_EPENDING = -10004,
    CSPLOOP_EINTERNAL = -10005,
    CSPLOOP_ERROR_LIST_END = -20000,
};
const char *csploop_strerror(int code);
const char *csploop_error_name(int code);
enum csploop_clock {
    CSPLOOP_CLOCK_MONOTONIC = 0,
    CSPLOOP_CLOCK_WALL = 1,
    CSPLOOP_CLOCK_SIMULATED = 2,
};
enum csploop_poller {
    CSPLOOP_POLLER_DEFAULT = 0,
    CSPLOOP_POLLER_EPOLL = 1,
    CSPLOOP_POLLER_UV = 2,
};
typedef struct csploop_options {
    uint32_t size;
    uint32_t clock;
    uint32_t poller;
    uint32_t reserved;
    int64_t start_ns;
    uint64_t slab_bytes;
} csploop_options;
int csploop_new(csploop_t **out, const csploop_options *options);
int csploop_close(csploop_t *loop);
csploop_t *csploop_ref(csploop_t *loop);
csploop_t *csploop_unref(csploop_t *loop);
int csploop_attach(csploop_t *loop);
int csploop_detach(csploop_t *loop);
enum csploop_run_mode {
    CSPLOOP_RUN_FOREVER = 0,
    CSPLOOP_RUN_ONCE = 1,
    CSPLOOP_RUN_NOWAIT = 2,
};
int csploop_run(csploop_t *loop, int mode);
int csploop_turn(csploop_t *loop, csploop_batch *batch, int64_t timeout_ns);
int csploop_submit(csploop_t *loop, csploop_batch *batch);
int csploop_ids_reserve(csploop_t *loop, csploop_id *out, int n);
int csploop_stop(csploop_t *loop);
int csploop_wake(csploop_t *loop);
int csploop_backend_fd(const csploop_t *loop);
int csploop_next_deadline(csploop_t *loop, int64_t *out);
int csploop_poller_kind(const csploop_t *loop);
int64_t csploop_heap_bytes(const csploop_t *loop);
enum csploop_stream_flags {
    CSPLOOP_STREAM_NODELAY = 1,
    CSPLOOP_LISTEN_REUSEPORT = 2,
    CSPLOOP_LISTEN_V6ONLY = 4,
    CSPLOOP_ADOPT_KEEP_FD = 8,
    CSPLOOP_ACCEPT_KEEP_FD = 16,
    CSPLOOP_ADOPT_VOUCHED = 32,
};
typedef struct csploop_stream_options {
    uint32_t size;
    uint32_t flags;
    uint32_t high_water;
    int32_t backlog;
} csploop_stream_options;
enum csploop_read_mode {
    CSPLOOP_READ_SLAB = 0,
    CSPLOOP_READ_READY = 1,
};
enum csploop_close_flags {
    CSPLOOP_CLOSE_DRAIN = 0,
    CSPLOOP_CLOSE_ABORT = 1,
    CSPLOOP_CLOSE_RESET = 2,
};
int csploop_tcp_listen(csploop_t *loop, csploop_id *out, const char *host, int port, const csploop_stream_options *options, csploop_fn fn, void *arg);
int csploop_unix_listen(csploop_t *loop, csploop_id *out, const char *path, const csploop_stream_options *options, csploop_fn fn, void *arg);
int csploop_listener_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_stream_options *options, csploop_fn fn, void *arg);
int csploop_listener_pause(csploop_t *loop, csploop_id id);
int csploop_listener_resume(csploop_t *loop, csploop_id id);
int csploop_tcp_connect(csploop_t *loop, csploop_id *out, const char *host, int port, const csploop_stream_options *options, csploop_fn fn, void *arg);
int csploop_unix_connect(csploop_t *loop, csploop_id *out, const char *path, const csploop_stream_options *options, csploop_fn fn, void *arg);
int csploop_stream_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_stream_options *options, csploop_fn fn, void *arg);
int csploop_stream_set_handler(csploop_t *loop, csploop_id id, csploop_fn fn, void *arg);
int csploop_stream_read_start(csploop_t *loop, csploop_id id, int mode);
int csploop_stream_read_stop(csploop_t *loop, csploop_id id);
int64_t csploop_stream_read_into(csploop_t *loop, csploop_id id, void *buffer, size_t length);
const void *csploop_slab(const csploop_t *loop, uint64_t *out_size);
int csploop_stream_write(csploop_t *loop, csploop_id id, const void *data, size_t length);
int csploop_stream_write_ref(csploop_t *loop, csploop_id id, const void *data, size_t length, csploop_fn fn, void *arg);
int64_t csploop_stream_flush(csploop_t *loop, csploop_id id);
int64_t csploop_stream_buffered(csploop_t *loop, csploop_id id);
int csploop_stream_shutdown(csploop_t *loop, csploop_id id);
int csploop_stream_close(csploop_t *loop, csploop_id id, unsigned flags);
int csploop_stream_fd(csploop_t *loop, csploop_id id);
int csploop_stream_local_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);
int csploop_stream_peer_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);
int64_t csploop_now(const csploop_t *loop);
int csploop_clock_set(csploop_t *loop, int64_t now_ns);
int csploop_call_soon(csploop_t *loop, csploop_id *out, csploop_fn fn, void *arg);
int csploop_call_later(csploop_t *loop, csploop_id *out, int64_t delay_ns, csploop_fn fn, void *arg);
int csploop_call_at(csploop_t *loop, csploop_id *out, int64_t when_ns, csploop_fn fn, void *arg);
int csploop_call_at_wall(csploop_t *loop, csploop_id *out, int64_t wall_ns, csploop_fn fn, void *arg);
int csploop_cancel(csploop_t *loop, csploop_id id);
int csploop_post(csploop_t *loop, csploop_fn fn, void *arg);
enum csploop_udp_flags {
    CSPLOOP_UDP_REUSEADDR = 1,
    CSPLOOP_UDP_REUSEPORT = 2,
    CSPLOOP_UDP_V6ONLY = 4,
    CSPLOOP_UDP_BROADCAST = 8,
    CSPLOOP_UDP_KEEP_FD = 16,
    CSPLOOP_UDP_VOUCHED = 32,
};
typedef struct csploop_udp_options {
    uint32_t size;
    uint32_t flags;
    uint32_t high_water;
    uint32_t max_datagram;
} csploop_udp_options;
enum csploop_recv_flags {
    CSPLOOP_RECV_ADDRESS = ...,
    CSPLOOP_RECV_TRUNCATED = ...,
};
int csploop_udp_bind(csploop_t *loop, csploop_id *out, const char *host, int port, const csploop_udp_options *options, csploop_fn fn, void *arg);
int csploop_udp_adopt(csploop_t *loop, csploop_id *out, int fd, const csploop_udp_options *options, csploop_fn fn, void *arg);
int csploop_udp_connect(csploop_t *loop, csploop_id id, const char *host, int port);
int csploop_udp_read_start(csploop_t *loop, csploop_id id);
int csploop_udp_read_stop(csploop_t *loop, csploop_id id);
const void *csploop_udp_sender(const csploop_t *loop, const csploop_record *record, uint32_t *out_length);
int csploop_udp_address(void *out, size_t room, const char *host, int port);
int csploop_udp_send(csploop_t *loop, csploop_id id, const void *data, size_t length);
int csploop_udp_send_to(csploop_t *loop, csploop_id id, const void *data, size_t length, const void *address, size_t address_length);
int64_t csploop_udp_flush(csploop_t *loop, csploop_id id);
int64_t csploop_udp_buffered(csploop_t *loop, csploop_id id, uint32_t *out_datagrams);
int csploop_udp_close(csploop_t *loop, csploop_id id, unsigned flags);
int csploop_udp_fd(csploop_t *loop, csploop_id id);
int csploop_udp_local_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);
int csploop_udp_peer_address(csploop_t *loop, csploop_id id, char *buffer, size_t length);
enum csploop_watch_events {
    CSPLOOP_WATCH_READ = 1,
    CSPLOOP_WATCH_WRITE = 2,
    CSPLOOP_WATCH_EDGE = 4,
};
int csploop_watch(csploop_t *loop, csploop_id *out, int fd, unsigned events, csploop_fn fn, void *arg);
int csploop_watch_modify(csploop_t *loop, csploop_id id, unsigned events);
int csploop_unwatch(csploop_t *loop, csploop_id id);
enum csploop_header_version {
    CSPLOOP_VERSION_MAJOR = 0,
    CSPLOOP_VERSION_MINOR = 1,
    CSPLOOP_VERSION_PATCH = 0,
};
int csploop_version(void);
const char *csploop_version_string(void);
