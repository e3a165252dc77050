/* echo_uv - plain libuv streams, used well: uv_try_write first, uv_write for the rest. */
#include "listen.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

union stream {
    uv_stream_t any;
    uv_tcp_t tcp;
    uv_pipe_t local;
};

struct rest {
    uv_write_t request;
    union stream *stream;
    char data[];
};

static int local; /* Unix sockets rather than TCP */
static char buffer[READ_SIZE];

static void fine(int code, const char *what) {
    errno = -code;
    must(code >= 0, what);
}

static void init(uv_loop_t *loop, union stream *stream) {
    fine(local ? uv_pipe_init(loop, &stream->local, 0) : uv_tcp_init(loop, &stream->tcp), "init");
}

static void on_closed(uv_handle_t *handle) {
    free(handle);
}

static void drop(union stream *stream) {
    if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_closed);
}

/* One buffer serves all: what is read is written, or copied, before the next read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle, (void)suggested;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data);

static void on_written(uv_write_t *request, int status) {
    struct rest *rest = (struct rest *)request;
    if (status < 0)
        drop(rest->stream);
    else if (!uv_is_closing((uv_handle_t *)rest->stream))
        fine(uv_read_start(&rest->stream->any, on_alloc, on_read), "uv_read_start");
    free(rest);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data) {
    if (n == 0)
        return;
    uv_buf_t out = uv_buf_init(data->base, n > 0 ? (unsigned)n : 0);
    int sent = n > 0 ? uv_try_write(stream, &out, 1) : -1;
    if (n > 0 && sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0) {
        drop((union stream *)stream);
        return;
    }
    if (sent == n)
        return;
    size_t length = (size_t)(n - sent);
    struct rest *rest = malloc(sizeof *rest + length);
    must(rest != NULL, "malloc");
    rest->stream = (union stream *)stream;
    memcpy(rest->data, data->base + sent, length);
    out = uv_buf_init(rest->data, (unsigned)length);
    uv_read_stop(stream);
    fine(uv_write(&rest->request, stream, &out, 1, on_written), "uv_write");
}

static void on_connection(uv_stream_t *listener, int status) {
    fine(status, "listening");
    union stream *stream = malloc(sizeof *stream);
    must(stream != NULL, "malloc");
    init(listener->loop, stream);
    fine(uv_accept(listener, &stream->any), "uv_accept");
    if (!local)
        fine(uv_tcp_nodelay(&stream->tcp, 1), "uv_tcp_nodelay");
    fine(uv_read_start(&stream->any, on_alloc, on_read), "uv_read_start");
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* libuv lets a gone peer raise it */
    int fd = listen_as_told(argc, argv);
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    must(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
    local = address.ss_family == AF_UNIX;
    uv_loop_t loop;
    union stream listener;
    fine(uv_loop_init(&loop), "uv_loop_init");
    init(&loop, &listener);
    fine(local ? uv_pipe_open(&listener.local, fd) : uv_tcp_open(&listener.tcp, fd), "open");
    fine(uv_listen(&listener.any, 512, on_connection), "uv_listen");
    say_ready(fd);
    return uv_run(&loop, UV_RUN_DEFAULT);
}
