/* load - the load client: closed-loop echo over TCP or Unix sockets.
 *
 * It is in C and pinned to a processor of its own, so that the server is what
 * is measured; `client_busy` in the output shows whether that held. It reads
 * the server's processor time at both ends of the window.
 *
 *   load --tcp PORT | --unix PATH  --pid SERVER  --connections N  --size BYTES
 *        [--depth N] [--warm SECONDS] [--seconds SECONDS]
 *
 * Prints one JSON object. Exit code 1: something failed, stderr says what.
 */
#define _GNU_SOURCE
#include "connection.h"
#include "cpu.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, STALLED_MS = 10000, LEAST_BUFFER = 64 * 1024 };

struct arguments {
    int port;
    const char *path;
    pid_t pid;
    int connections;
    long size;
    int depth;
    double warm, seconds;
};

static int parse(struct arguments *arguments, int argc, char **argv) {
    static const struct option options[] = {
        {"tcp", required_argument, NULL, 't'},
        {"unix", required_argument, NULL, 'u'},
        {"pid", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 's'},
        {"depth", required_argument, NULL, 'd'},
        {"warm", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 'S'},
        {NULL, 0, NULL, 0},
    };
    *arguments = (struct arguments){.connections = 1, .size = 1024, .depth = 1, .warm = 0.2, .seconds = 1.0};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 't':
            arguments->port = atoi(optarg);
            break;
        case 'u':
            arguments->path = optarg;
            break;
        case 'p':
            arguments->pid = (pid_t)atol(optarg);
            break;
        case 'c':
            arguments->connections = atoi(optarg);
            break;
        case 's':
            arguments->size = atol(optarg);
            break;
        case 'd':
            arguments->depth = atoi(optarg);
            break;
        case 'w':
            arguments->warm = atof(optarg);
            break;
        case 'S':
            arguments->seconds = atof(optarg);
            break;
        default:
            return -1;
        }
    }
    bool fine = (arguments->port > 0) != (arguments->path != NULL) && arguments->pid > 0 &&
                arguments->connections > 0 && arguments->size > 0 && arguments->depth > 0 &&
                arguments->depth <= MAX_DEPTH && arguments->seconds > 0 && arguments->warm >= 0;
    if (!fine)
        fprintf(stderr,
                "usage: load --tcp PORT | --unix PATH --pid SERVER --connections N --size BYTES "
                "[--depth 1..%d] [--warm SECONDS] [--seconds SECONDS]\n",
                MAX_DEPTH);
    return fine ? 0 : -1;
}

static socklen_t make_address(struct sockaddr_storage *storage, const struct arguments *arguments) {
    memset(storage, 0, sizeof *storage);
    if (arguments->path) {
        struct sockaddr_un *local = (struct sockaddr_un *)storage;
        local->sun_family = AF_UNIX;
        strncpy(local->sun_path, arguments->path, sizeof local->sun_path - 1);
        return sizeof *local;
    }
    struct sockaddr_in *inet = (struct sockaddr_in *)storage;
    inet->sin_family = AF_INET;
    inet->sin_port = htons((uint16_t)arguments->port);
    inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof *inet;
}

static int prepare(struct load *load, const struct arguments *arguments) {
    memset(load, 0, sizeof *load);
    load->size = (size_t)arguments->size;
    load->depth = (unsigned)arguments->depth;
    load->buffer_size = load->size > LEAST_BUFFER ? load->size : LEAST_BUFFER;
    load->buffer = malloc(load->buffer_size);
    unsigned char *pattern = malloc(2 * load->size);
    load->pattern = pattern;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load->buffer || !pattern || load->epoll < 0) {
        perror("prepare");
        return -1;
    }
    for (size_t i = 0; i < load->size; i++)
        pattern[i] = pattern[i + load->size] = (unsigned char)(i * 131 + (i >> 8) * 7 + 1);
    return 0;
}

/* Lets the connections run until the time has come. */
static int run_until(struct load *load, uint64_t end) {
    struct epoll_event events[MAX_EVENTS];
    while (now_ns() < end) {
        int n = epoll_wait(load->epoll, events, MAX_EVENTS, STALLED_MS);
        if (n < 0 && errno != EINTR) {
            perror("epoll_wait");
            return -1;
        }
        if (n == 0) {
            fprintf(stderr, "stalled: the server sent nothing for %d s\n", STALLED_MS / 1000);
            return -1;
        }
        for (int i = 0; i < n; i++)
            if (connection_ready(events[i].data.ptr, load, events[i].events) < 0)
                return -1;
    }
    return 0;
}

/* Both ends of the measured window. */
struct window {
    uint64_t start, end;
    struct cpu_usage server[2], client[2];
};

static void report(const struct load *load, const struct window *window) {
    const struct cpu_usage *before = &window->server[0], *after = &window->server[1];
    double user = after->user_ticks - before->user_ticks, system = after->system_ticks - before->system_ticks;
    printf("{\"messages\": %llu, \"seconds\": %.9f, \"server_cpu\": %.9f, \"server_waited\": %.9f, ",
           (unsigned long long)load->messages, (double)(window->end - window->start) / 1e9,
           after->total - before->total, after->waited - before->waited);
    printf("\"user_part\": %.4f, \"sleeps\": %ld, \"client_cpu\": %.9f, \"client_waited\": %.9f, ",
           user + system > 0 ? user / (user + system) : 0, after->switches - before->switches,
           window->client[1].total - window->client[0].total, window->client[1].waited - window->client[0].waited);
    printf("\"p50_us\": %.3f, \"p99_us\": %.3f}\n", histogram_percentile(&load->latency, 0.5) / 1e3,
           histogram_percentile(&load->latency, 0.99) / 1e3);
}

/* Reads the clocks of both processes at one end of the window. */
static int read_usage(struct window *window, int end, pid_t server) {
    if (cpu_usage_read(&window->server[end], server) == 0 && cpu_usage_read(&window->client[end], getpid()) == 0)
        return 0;
    fprintf(stderr, "cannot read the processor time of process %ld\n", (long)server);
    return -1;
}

int main(int argc, char **argv) {
    struct arguments arguments;
    static struct load load;
    if (parse(&arguments, argc, argv) < 0)
        return 2;
    if (prepare(&load, &arguments) < 0)
        return 1;

    struct sockaddr_storage address;
    socklen_t length = make_address(&address, &arguments);
    struct connection *connections = calloc((size_t)arguments.connections, sizeof *connections);
    if (!connections)
        return 1;
    load.verify = true;
    for (int i = 0; i < arguments.connections; i++)
        if (connection_open(&connections[i], &load, (struct sockaddr *)&address, length) < 0)
            return 1;

    uint64_t start = now_ns(), half = (uint64_t)(arguments.warm * 5e8);
    if (run_until(&load, start + half) < 0)
        return 1;
    load.verify = false;
    if (run_until(&load, start + 2 * half) < 0)
        return 1;

    struct window window = {0};
    load.record = true;
    if (read_usage(&window, 0, arguments.pid) < 0)
        return 1;
    window.start = now_ns();
    if (run_until(&load, window.start + (uint64_t)(arguments.seconds * 1e9)) < 0)
        return 1;
    window.end = now_ns();
    if (read_usage(&window, 1, arguments.pid) < 0)
        return 1;
    report(&load, &window);
    return 0;
}
