/* Handles used, and freed, by several threads at once. */
#include <pthread.h>

#include "arpflux.h"
#include "check.h"

#define THREADS 4
#define ROUNDS 20

static arpflux_snapshot *snapshot;
static arpflux_stop *stop;

struct user {
    pthread_t thread;
    volatile int calls; /* how many were answered so far */
    volatile int gone;  /* 1: the last one said so */
};

/* Until the snapshot is freed under its hands: from then on every call is an error, and none of them crashes. */
static void *use(void *argument)
{
    struct user *user = argument;
    arpflux_error *err = NULL;

    while (!user->gone) {
        char *json = arpflux_snapshot_to_json(snapshot, &err);
        if (!json) {
            user->gone = arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT ? 1 : -1;
            arpflux_error_free(err);
        }
        arpflux_string_free(json);
        (void)arpflux_snapshot_interface_count(snapshot);
        user->calls++;
    }
    return NULL;
}

static void freed_while_others_use_it(void)
{
    arpflux_error *err = NULL;
    arpflux_host *host = arpflux_host_open_current(&err);
    struct user users[THREADS];
    int i;

    memset(users, 0, sizeof users);
    snapshot = arpflux_host_snapshot(host, &err);
    CHECK_OK(snapshot != NULL, err);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&users[i].thread, NULL, use, &users[i]) == 0);
    for (i = 0; i < THREADS; i++)
        while (users[i].calls < ROUNDS && !users[i].gone)
            arpflux_string_free(arpflux_snapshot_to_json(snapshot, NULL));
    arpflux_snapshot_free(snapshot);
    for (i = 0; i < THREADS; i++) {
        pthread_join(users[i].thread, NULL);
        CHECK(users[i].gone == 1);
    }
    arpflux_host_free(host);
}

static void *snapshots(void *shared)
{
    int i;
    for (i = 0; i < 5; i++) {
        arpflux_snapshot *own = arpflux_host_snapshot(shared, NULL);
        if (!own)
            return shared;
        arpflux_snapshot_free(own);
    }
    return NULL;
}

static void one_host_for_several_threads(void)
{
    arpflux_host *host = arpflux_host_open_current(NULL);
    pthread_t threads[THREADS];
    void *failed;
    int i;

    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, snapshots, host) == 0);
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
    }
    arpflux_host_free(host);
}

static void *raise_it(void *unused)
{
    (void)unused;
    arpflux_stop_raise(stop);
    return NULL;
}

static void a_wait_ends_when_another_thread_says_so(void)
{
    const char *target[] = {"192.168.18.77"}, *on[] = {"eth0"};
    arpflux_detect_options options;
    arpflux_error *err = NULL;
    arpflux_host *host = arpflux_host_open_current(NULL);
    pthread_t thread;

    stop = arpflux_stop_new(NULL);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.interfaces = on;
    options.interface_count = 1;
    options.wait_ms = 60000;
    options.stop = stop;
    CHECK(pthread_create(&thread, NULL, raise_it, NULL) == 0);
    CHECK(arpflux_host_detect(host, target, 1, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INTERRUPTED);
    arpflux_error_free(err);
    pthread_join(thread, NULL);
    arpflux_stop_free(stop);
    arpflux_host_free(host);
}

int main(void)
{
    RUN(freed_while_others_use_it);
    RUN(one_host_for_several_threads);
    RUN(a_wait_ends_when_another_thread_says_so);
    return report();
}
