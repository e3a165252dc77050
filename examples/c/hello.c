#include <csploop.h>
#include <stdio.h>

static void hello(csploop_t *loop, const csploop_record *record, void *arg) {
    (void)record;
    printf("%s\n", (const char *)arg);
    csploop_stop(loop);
}

int main(void) {
    csploop_t *loop;
    int code = csploop_new(&loop, NULL);
    if (code == 0)
        code = csploop_call_later(loop, NULL, 10 * 1000 * 1000, hello, "10 ms later"); /* nanoseconds */
    if (code == 0)
        code = csploop_run(loop, CSPLOOP_RUN_FOREVER);
    if (code != 0)
        fprintf(stderr, "%s\n", csploop_strerror(code));
    csploop_unref(loop); /* the last reference: closes the loop, too */
    return code == 0 ? 0 : 1;
}
