/* A thread that pushes records into a bridge: what a feed handler in C looks like to csploop.
 *
 * A shared library, for Python to load: it links to the very libcsploop that Python uses. Owner of a producer:
 * who started it, until producer_join. The thread holds a reference to the bridge of its own.
 */
#include <csploop.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct record { /* as RECORD in bridge_records.py */
    uint64_t number;
    int64_t time_ns;
    double price;
    double size;
};

struct producer {
    pthread_t thread;
    csploop_bridge_t *bridge;
    uint64_t first, count;
    uint32_t run; /* records a call; 1: csploop_bridge_push */
    uint64_t taken;
    uint64_t cpu_ns; /* that the thread has used */
    int code;        /* of the push that ended it, 0 if none did */
};

enum { most = 4096 };

static void fill(struct record *record, uint64_t number) {
    record->number = number;
    record->time_ns = (int64_t)number * 1000;
    record->price = 100.0 + (double)(number & 255) / 256;
    record->size = 1;
}

static void *produce(void *argument) {
    struct producer *const self = argument;
    struct record records[most];
    for (uint64_t done = 0; done < self->count && self->code == 0;) {
        if (self->run == 1) {
            fill(&records[0], self->first + done);
            self->code = csploop_bridge_push(self->bridge, &records[0], sizeof records[0]);
            self->taken += self->code == 0;
            ++done;
            continue;
        }
        const uint64_t left = self->count - done;
        const uint32_t some = left < self->run ? (uint32_t)left : self->run;
        for (uint32_t i = 0; i < some; ++i)
            fill(&records[i], self->first + done + i);
        uint32_t taken = 0;
        self->code = csploop_bridge_push_many(self->bridge, &taken, records, some);
        self->taken += taken;
        done += some;
    }
    csploop_bridge_unref(self->bridge);
    struct timespec used = {0, 0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    self->cpu_ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
    return NULL;
}

/* address: of a csploop_bridge_t whose records are struct record. run: 1 to 4096. NULL: no thread to be had. */
struct producer *producer_start(uint64_t address, uint64_t first, uint64_t count, uint32_t run) {
    struct producer *const self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->bridge = csploop_bridge_ref((csploop_bridge_t *)(uintptr_t)address);
    self->first = first;
    self->count = count;
    self->run = run < 1 ? 1 : run > most ? most : run;
    if (pthread_create(&self->thread, NULL, produce, self) == 0)
        return self;
    csploop_bridge_unref(self->bridge);
    free(self);
    return NULL;
}

/* Waits for the thread and frees it. out_taken: how many records went in. out_cpu_ns: the thread's CPU time.
 * Returns: 0, or the code that ended it. */
int producer_join(struct producer *self, uint64_t *out_taken, uint64_t *out_cpu_ns) {
    pthread_join(self->thread, NULL);
    const int code = self->code;
    *out_taken = self->taken;
    *out_cpu_ns = self->cpu_ns;
    free(self);
    return code;
}
