/* say.h - how the examples fail: one line that says what, and exit code 1. */
#ifndef SAY_H
#define SAY_H

#include <csploop.h>
#include <stdio.h>
#include <stdlib.h>

static inline int must(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %s\n", what, csploop_strerror(code));
        exit(1);
    }
    return code;
}

/* A whole number from 0 to limit, or the end. */
static inline int number(const char *text, int limit) {
    char *end;
    const long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > limit) {
        fprintf(stderr, "'%s' is not a number from 0 to %d\n", text, limit);
        exit(1);
    }
    return (int)value;
}

#endif
