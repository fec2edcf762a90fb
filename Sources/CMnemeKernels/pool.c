// A pool of threads for steps of some ten microseconds: a task runs on all of them at once, and the
// caller is one.

#define _GNU_SOURCE
#include "mneme_kernels.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
/// Tells the processor that a loop only waits, so that the other thread of its core goes on.
#define PAUSE() _mm_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

// Workers spin for some ten microseconds after a task, because the next one often follows at
// once (a layer, a token), and then sleep on a condition variable, so that an idle pool is free.

/// Spins of a worker before it sleeps, and of a caller before it yields: some ten microseconds.
enum { SPINS_BEFORE_SLEEP = 2000, SPINS_BEFORE_YIELD = 4000 };

struct mnk_pool {
    // Set once; the caller is thread 0.
    size_t threads;
    mnk_task task;
    void *context;
    _Atomic uint64_t generation;  // raised once a task
    _Atomic size_t running;       // workers that have not ended the task
    _Atomic size_t arrived;       // at the barrier
    _Atomic uint64_t phase;       // of the barrier
    _Atomic int sleepers;
    _Atomic int stop;
    pthread_mutex_t turn;         // callers take turns
    pthread_mutex_t lock;         // guards sleeping
    pthread_cond_t wake;
    pthread_t *workers;
};

/// What a new thread is told.
typedef struct { mnk_pool *pool; size_t index; } worker_start;

/// A worker: waits for the next generation, first spinning, then asleep, and runs its task. It ends
/// when `stop` is set.
static void *work(void *argument) {
    worker_start start = *(worker_start *)argument;
    free(argument);
    mnk_pool *p = start.pool;
    uint64_t seen = 0;
    for (;;) {
        size_t spins = 0;
        while (atomic_load_explicit(&p->generation, memory_order_acquire) == seen) {
            if (++spins < SPINS_BEFORE_SLEEP) { PAUSE(); continue; }
            pthread_mutex_lock(&p->lock);
            atomic_fetch_add(&p->sleepers, 1);
            while (atomic_load(&p->generation) == seen) pthread_cond_wait(&p->wake, &p->lock);
            atomic_fetch_sub(&p->sleepers, 1);
            pthread_mutex_unlock(&p->lock);
        }
        seen++;
        if (atomic_load(&p->stop)) return NULL;
        p->task(p->context, start.index, p->threads);
        atomic_fetch_sub_explicit(&p->running, 1, memory_order_release);
    }
}

/// Begins a generation. Sleepers are counted under the lock before they look at the generation for
/// the last time, so that none misses it.
static void announce(mnk_pool *p) {
    atomic_fetch_add(&p->generation, 1);
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
}

/// Threads that cannot start are an error, not a smaller pool: shares of work are cut by their
/// number.
mnk_pool *mnk_pool_create(size_t threads) {
    if (threads == 0) threads = 1;
    mnk_pool *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->workers = calloc(threads, sizeof *p->workers);
    if (!p->workers) { free(p); return NULL; }
    pthread_mutex_init(&p->turn, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->threads = 1;
    for (size_t i = 1; i < threads; i++) {
        worker_start *s = malloc(sizeof *s);
        if (!s) { mnk_pool_destroy(p); return NULL; }
        *s = (worker_start){p, i};
        if (pthread_create(&p->workers[i], NULL, work, s) != 0) { free(s); mnk_pool_destroy(p); return NULL; }
        p->threads = i + 1;
    }
    return p;
}

/// A last generation, with `stop` set, wakes and ends the workers.
void mnk_pool_destroy(mnk_pool *p) {
    if (!p) return;
    atomic_store(&p->stop, 1);
    announce(p);
    for (size_t i = 1; i < p->threads; i++) pthread_join(p->workers[i], NULL);
    pthread_mutex_destroy(&p->turn);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->workers);
    free(p);
}

size_t mnk_pool_threads(const mnk_pool *p) { return p->threads; }

/// The caller runs index 0 and waits for the others; release and acquire of `running` make what
/// they wrote visible to it.
void mnk_pool_run(mnk_pool *p, mnk_task task, void *context) {
    pthread_mutex_lock(&p->turn);
    if (p->threads == 1) {
        task(context, 0, 1);
    } else {
        p->task = task;
        p->context = context;
        atomic_store(&p->running, p->threads - 1);
        announce(p);
        task(context, 0, p->threads);
        for (size_t spins = 0; atomic_load_explicit(&p->running, memory_order_acquire) > 0;) {
            if (++spins < SPINS_BEFORE_YIELD) PAUSE(); else sched_yield();
        }
    }
    pthread_mutex_unlock(&p->turn);
}

/// A barrier with phases: the last to arrive resets the count and opens the next phase.
void mnk_pool_barrier(mnk_pool *p) {
    if (p->threads == 1) return;
    uint64_t phase = atomic_load(&p->phase);
    if (atomic_fetch_add(&p->arrived, 1) + 1 == p->threads) {
        atomic_store(&p->arrived, 0);
        atomic_store(&p->phase, phase + 1);
    } else {
        for (size_t spins = 0; atomic_load_explicit(&p->phase, memory_order_acquire) == phase;) {
            if (++spins < SPINS_BEFORE_YIELD) PAUSE(); else sched_yield();
        }
    }
}
