/* The smallest useful program: a timer that stops the loop. Says which version it ran on. */
#include <csploop.h>
#include <stdio.h>

static void stop(csploop_t *loop, const csploop_record *record, void *arg) {
    int *fired = arg;
    *fired += record->kind == CSPLOOP_KIND_TIMER;
    csploop_stop(loop);
}

int main(void) {
    csploop_options options = CSPLOOP_OPTIONS_INIT;
    csploop_t *loop = NULL;
    int fired = 0;
    int code = csploop_new(&loop, &options);
    if (code == CSPLOOP_OK) {
        code = csploop_call_later(loop, NULL, 1000000, stop, &fired);
    }
    if (code == CSPLOOP_OK) {
        code = csploop_run(loop, CSPLOOP_RUN_FOREVER);
    }
    if (code != CSPLOOP_OK || fired != 1) {
        fprintf(stderr, "%s: %s, fired %d\n", csploop_error_name(code), csploop_strerror(code), fired);
        return 1;
    }
    csploop_close(loop);
    loop = csploop_unref(loop);
    printf("csploop %s\n", csploop_version_string());
    return 0;
}
