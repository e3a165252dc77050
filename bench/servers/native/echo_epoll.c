/* echo_epoll - the floor: level-triggered epoll and nothing around it. */
#include "listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    unsigned char *rest; /* what the socket had no room for; reading waits until it is gone */
    size_t rest_length;
};

static int poller;
static unsigned char buffer[READ_SIZE];

static void drop(struct peer *peer) {
    close(peer->fd);
    free(peer->rest);
    free(peer);
}

static void watch(struct peer *peer, int operation, uint32_t wanted) {
    struct epoll_event event = {.events = wanted, .data.ptr = peer};
    must(epoll_ctl(poller, operation, peer->fd, &event) == 0, "epoll_ctl");
}

static void accept_all(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct peer *peer = calloc(1, sizeof *peer);
        must(peer != NULL, "calloc");
        peer->fd = fd;
        watch(peer, EPOLL_CTL_ADD, EPOLLIN);
    }
    must(errno == EAGAIN, "accept4");
}

/* Bytes sent, or -1 when the peer is gone. */
static ssize_t send_some(struct peer *peer, const unsigned char *data, size_t length) {
    ssize_t n = send(peer->fd, data, length, MSG_NOSIGNAL);
    return n < 0 && errno == EAGAIN ? 0 : n;
}

static void echo(struct peer *peer) {
    ssize_t n = recv(peer->fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    ssize_t sent = n > 0 ? send_some(peer, buffer, (size_t)n) : -1;
    if (sent < 0) {
        drop(peer);
        return;
    }
    if (sent == n)
        return;
    peer->rest_length = (size_t)(n - sent);
    peer->rest = malloc(peer->rest_length);
    must(peer->rest != NULL, "malloc");
    memcpy(peer->rest, buffer + sent, peer->rest_length);
    watch(peer, EPOLL_CTL_MOD, EPOLLOUT);
}

static void send_rest(struct peer *peer) {
    ssize_t sent = send_some(peer, peer->rest, peer->rest_length);
    if (sent < 0) {
        drop(peer);
        return;
    }
    peer->rest_length -= (size_t)sent;
    if (peer->rest_length > 0) {
        memmove(peer->rest, peer->rest + sent, peer->rest_length);
        return;
    }
    free(peer->rest);
    peer->rest = NULL;
    watch(peer, EPOLL_CTL_MOD, EPOLLIN);
}

int main(int argc, char **argv) {
    int listener = listen_as_told(argc, argv);
    poller = epoll_create1(EPOLL_CLOEXEC);
    must(poller >= 0, "epoll_create1");
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    must(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    say_ready(listener);
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);
        must(n >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;
            if (!peer)
                accept_all(listener);
            else if (peer->rest)
                send_rest(peer);
            else
                echo(peer);
        }
    }
}
