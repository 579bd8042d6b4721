/* Waits that end from a signal handler, and forks while another thread is in the library (tests/c/signals.setup made the interfaces). */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arpflux.h"
#include "check.h"

static arpflux_stop *stop;
static arpflux_host *host;
static volatile sig_atomic_t raised;

static void handler(int signal)
{
    (void)signal;
    raised++;
    arpflux_stop_raise(stop);
}

/* A flag that is raised after a second by SIGALRM. */
static void fresh(void)
{
    arpflux_stop_free(stop);
    stop = arpflux_stop_new(NULL);
    CHECK(stop != NULL && !arpflux_stop_is_raised(stop));
    alarm(1);
}

static void ended(bool good, arpflux_error *err, time_t since)
{
    if (arpflux_error_code(err) != ARPFLUX_CODE_INTERRUPTED)
        fprintf(stderr, "%s\n", err ? arpflux_error_text(err) : "no error");
    CHECK(!good && arpflux_error_code(err) == ARPFLUX_CODE_INTERRUPTED);
    CHECK(time(NULL) - since < 50); /* of the minute that it would wait */
    arpflux_error_free(err);
}

static void every_wait_ends(void)
{
    const char *target[] = {"192.168.18.77"}, *on[] = {"eth0"};
    arpflux_ip address = ip("192.168.18.10");
    arpflux_detect_options detect;
    arpflux_probe_options probe;
    arpflux_announce_options announce;
    arpflux_listen_options listen;
    arpflux_wires_options wires;
    arpflux_capture *capture = arpflux_capture_new(NULL);
    arpflux_policy *policy = arpflux_policy_from_toml("version = 1\n[host]\ninterfaces = [\"eth0\"]\n", "policy.toml", NULL);
    arpflux_watch *watch;
    bool good;
    arpflux_error *err = NULL;
    time_t now = time(NULL);

    INIT(detect);
    detect.interfaces = on;
    detect.interface_count = 1;
    detect.wait_ms = 60000;
    fresh();
    detect.stop = stop;
    good = arpflux_host_detect(host, target, 1, &detect, &err) != NULL;
    ended(good, err, now);
    INIT(probe);
    probe.wait_ms = 60000;
    probe.interface = "eth0";
    now = time(NULL);
    fresh();
    probe.stop = stop;
    good = arpflux_host_probe(host, target, 1, &probe, NULL, NULL, &err) != NULL;
    ended(good, err, now);
    INIT(announce);
    announce.spacing_ms = 600000;
    now = time(NULL);
    fresh();
    announce.stop = stop;
    good = arpflux_host_announce(host, "eth0", &address, 1, &announce, NULL, &err);
    ended(good, err, now);
    INIT(listen);
    now = time(NULL);
    fresh();
    listen.stop = stop;
    good = arpflux_host_listen(host, "eth0", capture, &listen, NULL, NULL, &err);
    ended(good, err, now);
    INIT(wires);
    wires.wait_ms = 60000;
    now = time(NULL);
    fresh();
    wires.stop = stop;
    good = arpflux_host_wires_to_json(host, NULL, 0, &wires, &err) != NULL;
    ended(good, err, now);
    watch = arpflux_host_watch(host, policy, NULL, &err);
    CHECK_OK(watch != NULL, err);
    now = time(NULL);
    fresh();
    while (arpflux_watch_wait(watch, -1, stop, NULL, NULL, &err) && time(NULL) - now < 50)
        ; /* a handler that ran ends it without an error, once */
    ended(false, err, now);
    arpflux_watch_free(watch);
    arpflux_policy_free(policy);
    arpflux_capture_free(capture);
}

/* That a handler ran is enough where this is asked for; the handler raises nothing, and the flag stays as it was. */
static void a_signal_alone_ends_a_wait(void)
{
    const char *target[] = {"192.168.18.77"};
    arpflux_policy *policy = arpflux_policy_from_toml("version = 1\n[host]\ninterfaces = [\"eth0\"]\n", "policy.toml", NULL);
    arpflux_watch *watch = arpflux_host_watch(host, policy, NULL, NULL);
    arpflux_stop *at_signals = arpflux_stop_new(NULL);
    arpflux_detect_options detect;
    arpflux_probe_options probe;
    arpflux_error *err = NULL;
    time_t now;
    bool good;
    int i;

    arpflux_stop_free(stop);
    stop = NULL; /* what the handler raises */
    arpflux_stop_at_signals(NULL);
    arpflux_stop_at_signals(at_signals);
    INIT(detect);
    detect.wait_ms = 60000;
    detect.stop = at_signals;
    for (i = 0; i < 2; i++) { /* the second call waits anew */
        raised = 0;
        alarm(1);
        now = time(NULL);
        good = arpflux_host_detect(host, target, 1, &detect, &err) != NULL;
        ended(good, err, now);
        err = NULL;
        CHECK(raised == 1 && !arpflux_stop_is_raised(at_signals));
    }
    alarm(1);
    now = time(NULL);
    while ((good = arpflux_watch_wait(watch, -1, at_signals, NULL, NULL, &err)) && time(NULL) - now < 50)
        ; /* what drifted at first comes without waiting */
    ended(good, err, now);
    err = NULL;
    /* Without it a handler ends nothing but the watch's wait, and that without an error. */
    INIT(probe);
    probe.wait_ms = 2500;
    probe.interface = "eth0";
    raised = 0;
    alarm(1);
    now = time(NULL);
    arpflux_probes_free(arpflux_host_probe(host, target, 1, &probe, NULL, NULL, &err));
    CHECK(err == NULL && raised == 1 && time(NULL) - now >= 2);
    alarm(1);
    CHECK(arpflux_watch_wait(watch, 60000, NULL, NULL, NULL, &err) && err == NULL);
    arpflux_stop_free(at_signals);
    arpflux_watch_free(watch);
    arpflux_policy_free(policy);
}

/* Handlers interrupt the library anywhere, also where it holds its lock. */
static void a_handler_may_come_at_any_time(void)
{
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    arpflux_error *err;
    arpflux_ip address;
    int i;

    fresh();
    raised = 0;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (i = 0; i < 2000000 && raised < 200; i++) {
        err = NULL;
        CHECK(!arpflux_ip_parse("no address", &address, &err));
        arpflux_error_free(err);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(raised >= 200 && arpflux_stop_is_raised(stop));
}

#ifndef __SANITIZE_ADDRESS__
static volatile bool over;
static arpflux_snapshot *shared;

static void *busy(void *unused)
{
    while (!over) /* nothing that allocates: what the sanitizers do in a child is not at issue here */
        (void)arpflux_snapshot_interface_count(shared);
    return unused;
}

static void a_child_works_on(void)
{
    pthread_t threads[2];
    int i, good = 0, ends[2];
    char byte;

    CHECK(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    shared = arpflux_host_snapshot(host, NULL);
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, busy, NULL) == 0);
    for (i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            arpflux_error *err = NULL;
            arpflux_snapshot *snapshot;
            arpflux_stop *own;

            signal(SIGALRM, SIG_DFL); /* who hangs is killed */
            alarm(120);
            snapshot = arpflux_host_snapshot(host, &err); /* of the parent, and from a thread of the child */
            own = arpflux_stop_new(NULL);
            arpflux_stop_raise(own);
            if (snapshot && arpflux_snapshot_interface_count(snapshot) > 3 && own && arpflux_stop_is_raised(own))
                CHECK(write(ends[1], "y", 1) == 1);
            kill(getpid(), SIGKILL); /* no checker is to look for what threads held that the child does not have */
        }
        CHECK(child > 0 && waitpid(child, NULL, 0) == child);
        while (read(ends[0], &byte, 1) == 1)
            good++;
    }
    over = true;
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    arpflux_snapshot_free(shared);
    if (good != 30)
        fprintf(stderr, "%d of 30 children\n", good);
    CHECK(good == 30);
}
#endif

int main(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(SIGALRM, &action, NULL);
    host = arpflux_host_open_current(NULL);
    CHECK(host != NULL);
    RUN(every_wait_ends);
    RUN(a_signal_alone_ends_a_wait);
    RUN(a_handler_may_come_at_any_time);
#ifndef __SANITIZE_ADDRESS__ /* whose own locks a child finds taken; under valgrind it runs */
    RUN(a_child_works_on);
#endif
    arpflux_stop_free(stop);
    arpflux_host_free(host);
    return report();
}
