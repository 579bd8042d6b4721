/*
 * A policy kept from a program's own event loop: the watch is one more descriptor beside a timer and the signals. Nothing blocks, no
 * thread is needed, and no signal handler.
 *
 *     cc loop.c -o loop $(pkg-config --cflags --libs arpflux)
 *     ./loop POLICY [COUNT]          (as root; ends after COUNT drifts, with SIGINT and with SIGTERM)
 */
#define _GNU_SOURCE
#include <arpflux.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static bool tell(const arpflux_drift *drift, void *context)
{
    unsigned *drifts = context;

    ++*drifts;
    printf("%s\n", arpflux_drift_text(drift));
    fflush(stdout);
    return true;
}

static int add(int epoll, int fd)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    return fd < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
    struct itimerspec second;
    arpflux_watch_options options;
    arpflux_error *err = NULL;
    arpflux_host *host = NULL;
    arpflux_policy *policy = NULL;
    arpflux_watch *watch = NULL;
    sigset_t signals;
    int epoll, timer, signal_fd, status = 1;
    unsigned drifts = 0, seconds = 0, most;

    if (argc < 2) {
        fprintf(stderr, "usage: loop POLICY [COUNT]\n");
        return 2;
    }
    most = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : (unsigned)-1;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    memset(&second, 0, sizeof second);
    second.it_interval.tv_sec = second.it_value.tv_sec = 1;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.heal = 1;
    if (!(policy = arpflux_policy_from_path(argv[1], &err)) || !(host = arpflux_host_open_current(&err)) ||
        !(watch = arpflux_host_watch(host, policy, &options, &err)))
        goto out;
    if (epoll < 0 || timerfd_settime(timer, 0, &second, NULL) < 0 || add(epoll, timer) < 0 ||
        add(epoll, signal_fd) < 0 || add(epoll, arpflux_watch_fd(watch)) < 0) {
        perror("loop");
        goto out;
    }

    while (drifts < most) {
        struct epoll_event event;
        uint64_t ticks;

        if (epoll_wait(epoll, &event, 1, -1) < 1)
            continue;
        if (event.data.fd == arpflux_watch_fd(watch)) {
            if (!arpflux_watch_step(watch, tell, &drifts, &err))
                goto out;
        } else if (event.data.fd == timer) {
            /* whatever else the program does */
            if (read(timer, &ticks, sizeof ticks) == sizeof ticks)
                seconds += (unsigned)ticks;
        } else {
            break; /* a signal */
        }
    }
    printf("%u drifts in %u s\n", drifts, seconds);
    status = 0;

out:
    if (err)
        fprintf(stderr, "%s\n", arpflux_error_text(err));
    arpflux_error_free(err);
    arpflux_watch_free(watch);
    arpflux_host_free(host);
    arpflux_policy_free(policy);
    close(signal_fd);
    close(timer);
    close(epoll);
    return status;
}
