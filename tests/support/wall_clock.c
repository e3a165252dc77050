/* A wall clock that a test can set, for the process that loads this with LD_PRELOAD. Linux only.
 *
 * What the process sees as CLOCK_REALTIME is the system's plus an offset, which set_wall_clock_forward() changes.
 * Descriptors of timerfd on that clock become ones on the monotonic clock; as the kernel does when the
 * clock is set, they then become readable and read() fails with ECANCELED.
 *
 * Waits of condition variables and semaphores until a time of day are made waits for what is left of it now;
 * unlike the kernel's they do not notice when the clock is set meanwhile. Any thread may call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t offset_ns;
static struct {
    int fd; /* 0: a free place */
    int cancelled;
} alarms[MOST];

static int64_t real_ns(clockid_t clock) {
    struct timespec now;
    syscall(SYS_clock_gettime, clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct timespec as_timespec(int64_t ns) {
    struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return time;
}

static int64_t wall_ns(void) {
    return real_ns(CLOCK_REALTIME) + __atomic_load_n(&offset_ns, __ATOMIC_SEQ_CST);
}

static int find(int fd) {
    for (int i = 0; i < MOST; i++)
        if (alarms[i].fd == fd)
            return i;
    return -1;
}

static int set_monotonic(int fd, int64_t at_ns) {
    struct itimerspec setting = {.it_value = as_timespec(at_ns)};
    return (int)syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &setting, NULL);
}

void set_wall_clock_forward(int64_t ns) {
    pthread_mutex_lock(&lock);
    __atomic_add_fetch(&offset_ns, ns, __ATOMIC_SEQ_CST);
    for (int i = 0; i < MOST; i++)
        if (alarms[i].fd > 0) {
            alarms[i].cancelled = 1;
            set_monotonic(alarms[i].fd, 1);
        }
    pthread_mutex_unlock(&lock);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    if (clock != CLOCK_REALTIME)
        return (int)syscall(SYS_clock_gettime, clock, out);
    *out = as_timespec(wall_ns());
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    const int64_t now = wall_ns();
    out->tv_sec = now / 1000000000;
    out->tv_usec = now % 1000000000 / 1000;
    return 0;
}

int timerfd_create(int clock, int flags) {
    const int is_wall = clock == CLOCK_REALTIME;
    const int fd = (int)syscall(SYS_timerfd_create, is_wall ? CLOCK_MONOTONIC : clock, flags);
    if (!is_wall || fd < 0)
        return fd;
    pthread_mutex_lock(&lock);
    const int place = find(0);
    if (place >= 0) {
        alarms[place].fd = fd;
        alarms[place].cancelled = 0;
    }
    pthread_mutex_unlock(&lock);
    if (place >= 0)
        return fd;
    syscall(SYS_close, fd);
    errno = EMFILE;
    return -1;
}

/* For the wall clock's: absolute times only, which is all that csploop asks for. */
int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value) {
    pthread_mutex_lock(&lock);
    const int place = find(fd);
    int result;
    if (place < 0) {
        result = (int)syscall(SYS_timerfd_settime, fd, flags, new_value, old_value);
    } else {
        const int64_t at = (int64_t)new_value->it_value.tv_sec * 1000000000 + new_value->it_value.tv_nsec;
        const int64_t left = at - wall_ns();
        alarms[place].cancelled = 0;
        result = set_monotonic(fd, at == 0 ? 0 : left > 0 ? real_ns(CLOCK_MONOTONIC) + left : 1);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t read(int fd, void *buffer, size_t size) {
    int cancelled = 0;
    pthread_mutex_lock(&lock);
    const int place = fd > 0 ? find(fd) : -1;
    if (place >= 0) {
        cancelled = alarms[place].cancelled;
        alarms[place].cancelled = 0;
    }
    pthread_mutex_unlock(&lock);
    const ssize_t count = syscall(SYS_read, fd, buffer, size);
    if (!cancelled)
        return count;
    errno = ECANCELED;
    return -1;
}

int close(int fd) {
    pthread_mutex_lock(&lock);
    const int place = fd > 0 ? find(fd) : -1;
    if (place >= 0)
        alarms[place].fd = 0;
    pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_close, fd);
}

#ifdef __GLIBC__
/* The system's time for a time that this process reads off its clock. */
static struct timespec on_system_clock(const struct timespec *time) {
    const int64_t ns = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
    return as_timespec(ns - __atomic_load_n(&offset_ns, __ATOMIC_SEQ_CST));
}

/* Condition variables have their clock from their making. Only the wall clock's time is that large. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    if (until->tv_sec < 1000000000)
        return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
    const struct timespec time = on_system_clock(until);
    return pthread_cond_clockwait(cond, mutex, CLOCK_REALTIME, &time);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    const struct timespec time = on_system_clock(until);
    return sem_clockwait(semaphore, CLOCK_REALTIME, &time);
}
#endif
