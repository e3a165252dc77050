#define _GNU_SOURCE
#include "cpu.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The fields behind the name: the name may itself hold blanks and brackets. */
static int read_ticks(struct cpu_usage *usage, pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *rest = strrchr(text, ')');
    if (!rest)
        return -1;
    unsigned long user, system;
    if (sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return -1;
    usage->user_ticks = (double)user;
    usage->system_ticks = (double)system;
    return 0;
}

static int read_switches(struct cpu_usage *usage, pid_t pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    int found = -1;
    while (found && fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &usage->switches) == 1)
            found = 0;
    fclose(file);
    return found;
}

/* Not every kernel has it; then nobody knows of any waiting. */
static void read_waited(struct cpu_usage *usage, pid_t pid) {
    char path[64];
    unsigned long long running, waiting;
    usage->waited = 0;
    snprintf(path, sizeof path, "/proc/%ld/schedstat", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    if (fscanf(file, "%llu %llu", &running, &waiting) == 2)
        usage->waited = (double)waiting / 1e9;
    fclose(file);
}

int cpu_usage_read(struct cpu_usage *usage, pid_t pid) {
    clockid_t clock;
    struct timespec now;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0)
        return -1;
    usage->total = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    read_waited(usage, pid);
    return read_ticks(usage, pid) || read_switches(usage, pid) ? -1 : 0;
}
