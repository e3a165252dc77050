#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int watch(struct connection *connection, struct load *load, int operation, bool write) {
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = connection};
    connection->wants_write = write;
    if (epoll_ctl(load->epoll, operation, connection->fd, &event) == 0)
        return 0;
    perror("epoll_ctl");
    return -1;
}

/* Sends until the credit or the socket's room is used up. */
static int send_more(struct connection *connection, struct load *load) {
    while (connection->sent > 0 || connection->credit > 0) {
        if (connection->sent == 0) {
            connection->credit--;
            connection->started[(connection->first + connection->under_way++) % MAX_DEPTH] = now_ns();
        }
        ssize_t n = send(connection->fd, load->pattern + connection->sent, load->size - connection->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            /* A message that has begun, even with no byte of it out, goes on when there is room. */
            if (connection->sent == 0) {
                connection->credit++;
                connection->under_way--;
            }
            return connection->wants_write ? 0 : watch(connection, load, EPOLL_CTL_MOD, true);
        }
        if (n < 0) {
            perror("send");
            return -1;
        }
        connection->sent = (connection->sent + (size_t)n) % load->size;
    }
    return connection->wants_write ? watch(connection, load, EPOLL_CTL_MOD, false) : 0;
}

static int check(const struct connection *connection, const struct load *load, size_t length) {
    size_t at = connection->received;
    for (size_t done = 0; done < length;) {
        size_t part = length - done < load->size ? length - done : load->size;
        if (memcmp(load->buffer + done, load->pattern + at, part) != 0) {
            fprintf(stderr, "the echo differs from what was sent\n");
            return -1;
        }
        at = (at + part) % load->size;
        done += part;
    }
    return 0;
}

static int receive(struct connection *connection, struct load *load) {
    ssize_t n = recv(connection->fd, load->buffer, load->buffer_size, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        fprintf(stderr, "the server closed the connection%s%s\n", n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
        return -1;
    }
    if (load->verify && check(connection, load, (size_t)n) < 0)
        return -1;
    connection->received += (size_t)n;
    if (connection->received < load->size)
        return 0;
    uint64_t now = now_ns();
    while (connection->received >= load->size) {
        if (connection->under_way == 0) {
            fprintf(stderr, "the server sent more than it got\n");
            return -1;
        }
        connection->received -= load->size;
        if (load->record) {
            load->messages++;
            histogram_add(&load->latency, now - connection->started[connection->first]);
        }
        connection->first = (connection->first + 1) % MAX_DEPTH;
        connection->under_way--;
        connection->credit++;
    }
    return 0;
}

int connection_open(struct connection *connection, struct load *load, const struct sockaddr *address,
                    socklen_t length) {
    memset(connection, 0, sizeof *connection);
    connection->credit = load->depth;
    connection->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, address, length) < 0) {
        perror("connect");
        return -1;
    }
    int on = 1;
    if (address->sa_family == AF_INET && setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) {
        perror("TCP_NODELAY");
        return -1;
    }
    if (watch(connection, load, EPOLL_CTL_ADD, false) < 0)
        return -1;
    return send_more(connection, load);
}

int connection_ready(struct connection *connection, struct load *load, uint32_t events) {
    if (events & ~(uint32_t)EPOLLOUT && receive(connection, load) < 0)
        return -1;
    if (connection->credit > 0 || events & EPOLLOUT)
        return send_more(connection, load);
    return 0;
}
