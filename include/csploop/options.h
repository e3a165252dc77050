/* csploop/options.h - what a loop can be told when it is made. No functions here. */
#ifndef CSPLOOP_OPTIONS_H
#define CSPLOOP_OPTIONS_H

#include <csploop/export.h>
#include <stdint.h>

CSPLOOP_BEGIN_DECLS

/* Where the loop's time comes from. */
enum csploop_clock {
    CSPLOOP_CLOCK_MONOTONIC = 0, /* the system's monotonic clock */
    CSPLOOP_CLOCK_WALL = 1,      /* ns since the epoch at creation, then monotonic */
    CSPLOOP_CLOCK_SIMULATED = 2  /* stands still; csploop_clock_set moves it */
};

/* Which part of the system tells the loop that a descriptor is ready. */
enum csploop_poller {
    CSPLOOP_POLLER_DEFAULT = 0, /* the best one here */
    CSPLOOP_POLLER_EPOLL = 1,   /* Linux only, else CSPLOOP_ENOTSUP */
    CSPLOOP_POLLER_UV = 2       /* libuv's uv_poll, everywhere */
};

/* Begins with its size, so that a program built against an older header still
 * works: fields that it does not know take their defaults (0). */
typedef struct csploop_options {
    uint32_t size;       /* sizeof(csploop_options) */
    uint32_t clock;      /* enum csploop_clock */
    uint32_t poller;     /* enum csploop_poller */
    uint32_t reserved;   /* 0 */
    int64_t start_ns;    /* simulated clock: its first value, >= 0 */
    uint64_t slab_bytes; /* read slab; 0: 1 MiB; else 16 KiB to 1 GiB. Paid for with the first stream */
} csploop_options;

#define CSPLOOP_OPTIONS_INIT {(uint32_t)sizeof(csploop_options), 0, 0, 0, 0, 0}

CSPLOOP_END_DECLS
#endif
