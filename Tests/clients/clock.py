"""A clock that is wrong: a library put in front of the C library's clocks, which adds to the time of day what a file says."""
import os, shutil, struct, subprocess, tempfile

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static long *seconds;
__attribute__((constructor)) static void begin(void) {
    static long none;
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    seconds = map == MAP_FAILED ? &none : map;
}
static long offset(void) { return seconds ? *(volatile long *)seconds : 0; }
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
    return result;
}
int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec, time->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
/* The kernel counts by the right clock. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec right = *end;
    right.tv_sec -= offset();
    return real(condition, mutex, &right);
}
"""


class Clock:
    """A clock for processes that are started with `environment`; set while they run."""
    library = None

    def __init__(self, folder):
        self.path = folder + "/clock"
        self.set(0)

    @classmethod
    def prepare(cls):
        """Builds the library. None where there is no compiler, or no glibc."""
        compiler = shutil.which("clang") or shutil.which("cc")
        if cls.library or not compiler: return cls.library
        path = os.path.join(tempfile.mkdtemp(prefix="mneme-test-"), "clock.so")
        built = subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=SOURCE, text=True, capture_output=True)
        if built.returncode == 0: cls.library = path
        return cls.library

    @classmethod
    def remove(cls):
        if cls.library: shutil.rmtree(os.path.dirname(cls.library), ignore_errors=True)
        cls.library = None

    def set(self, seconds):
        """So many seconds off from now on."""
        self.seconds = seconds
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file: file.write(struct.pack("@l", seconds))

    def environment(self, environment):
        return dict(environment, LD_PRELOAD=self.library, CLOCK_OFFSET=self.path) if self.library else environment
