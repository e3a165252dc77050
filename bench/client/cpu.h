/* cpu.h - how much processor time another process has used so far. Linux. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <sys/types.h>

struct cpu_usage {
    double total;        /* seconds, to the nanosecond, all threads */
    double user_ticks;   /* user and system in clock ticks: coarse, */
    double system_ticks; /* good enough to split the total */
    double waited;       /* seconds in which the main thread could have run, but something else did */
    long switches;       /* voluntary context switches of the main thread: how often it slept */
};

/* Returns 0, or -1 when the process is gone. */
int cpu_usage_read(struct cpu_usage *usage, pid_t pid);

#endif
