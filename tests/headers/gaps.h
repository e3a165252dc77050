/* Bad examples for every_function_is_documented.py: each function lacks what its name tells, and nothing else. */
#include <csploop/record.h>

CSPLOOP_API int csploop_lacks_comment(csploop_t *loop);

/* Thread: any-thread. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */

int is_not_public(void);
CSPLOOP_API int csploop_lacks_comment_that_is_its_own(csploop_t *loop);

/* Does it. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_thread(csploop_t *loop);

/* Does it. Thread: main-thread. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_thread_of_a_known_word(csploop_t *loop);

/* Does it. Thread: any-thread. Since 0.1. */
CSPLOOP_API int csploop_lacks_errors(csploop_t *loop);

/* Does it. Thread: loop-thread. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_ETHREAD(csploop_t *loop);

/* Does it. Thread: loop-thread. Errors: ETHREAD, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_EINVAL(csploop_t *loop);

/* Does it. Thread: loop-thread. Errors: EINVAL, ETHREAD, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_ECLOSED(csploop_t *loop);

/* Does it. Thread: loop-thread. Errors: EINVAL, ETHREAD, ECLOSED. Since 0.1. */
CSPLOOP_API int csploop_lacks_ECHILD(csploop_t *loop);

/* Does it. Thread: any-thread. Errors: EINVAL, EFANTASY, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_EFANTASY(csploop_t *loop);

/* Does it. Thread: any-thread. Errors: as csploop_never_made. Since 0.1. */
CSPLOOP_API int csploop_lacks_function_of_that_name(csploop_t *loop);

/* Does it with data. Thread: any-thread. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_sizes(csploop_t *loop, const void *data, size_t length);

/* Waits. Thread: any-thread. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_times(csploop_t *loop, int64_t limit);

/* Does it. Thread: any-thread. Errors: EINVAL, ECLOSED, ECHILD. Since 0.1. */
CSPLOOP_API int csploop_lacks_ownership(csploop_t *loop, const char *text);

/* Gives a text. Thread: any-thread. Errors: none. Since 0.1. */
CSPLOOP_API const char *csploop_lacks_ownership_of_the_result(int code);

/* Does it. Thread: any-thread. Errors: EINVAL, ECLOSED, ECHILD. */
CSPLOOP_API int csploop_lacks_since(csploop_t *loop);
