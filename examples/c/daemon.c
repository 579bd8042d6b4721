/*
 * A daemon that keeps a policy, with a poll loop of its own: drifts and their ends go to syslog, SIGTERM ends it in order, SIGHUP reads
 * the policy anew.
 *
 *     cc daemon.c -o daemon $(pkg-config --cflags --libs arpflux)
 *     ./daemon POLICY [COUNT]        (as root, in the foreground; ends after COUNT drifts)
 */
#define _DEFAULT_SOURCE
#include <arpflux.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static int wake[2] = {-1, -1}; /* what handlers write to, so that no signal is missed between two polls */

static void on_signal(int number)
{
    int before = errno;
    char byte = number == SIGHUP ? 'r' : 'e';

    if (write(wake[1], &byte, 1) < 0)
        byte = 0; /* it is full: there is enough to read */
    errno = before;
}

static int tell(arpflux_error *err)
{
    syslog(LOG_ERR, "%s", arpflux_error_text(err));
    arpflux_error_free(err);
    return 1;
}

static bool each(const arpflux_drift *drift, void *context)
{
    arpflux_remedy remedy = arpflux_drift_remedy(drift);
    bool good = remedy == ARPFLUX_REMEDY_HEALED || remedy == ARPFLUX_REMEDY_POSSIBLE || remedy == ARPFLUX_REMEDY_RECOVERED;
    unsigned long *drifts = (unsigned long *)context;
    size_t i;

    ++*drifts;
    syslog(good ? LOG_NOTICE : LOG_WARNING, "%s (%s)%s%s", arpflux_remedy_name(remedy), arpflux_cause_name(arpflux_drift_cause(drift)),
           arpflux_drift_error(drift) ? ": " : "", arpflux_drift_error(drift) ? arpflux_drift_error(drift) : "");
    for (i = 0; i < arpflux_drift_change_count(drift); i++)
        syslog(LOG_INFO, "%s", arpflux_change_text(arpflux_drift_change_at(drift, i)));
    return true;
}

/* The policy as the file says now; the former one goes on if it is of no use. */
static void reload(arpflux_watch *watch, const char *path)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_path(path, &err);

    if (!policy || !arpflux_watch_set_policy(watch, policy, &err))
        (void)tell(err);
    arpflux_policy_free(policy);
}

static bool catch_signals(void)
{
    struct sigaction action;

    if (pipe(wake) != 0 || fcntl(wake[0], F_SETFL, O_NONBLOCK) != 0 || fcntl(wake[1], F_SETFL, O_NONBLOCK) != 0)
        return false;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    return sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGHUP, &action, NULL) == 0;
}

int main(int argc, char **argv)
{
    ARPFLUX_OPTIONS(arpflux_watch_options, options);
    arpflux_error *err = NULL;
    arpflux_policy *policy = NULL;
    arpflux_host *host = NULL;
    arpflux_watch *watch = NULL;
    struct pollfd fds[2];
    unsigned long drifts = 0, most;
    int status = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: daemon POLICY [COUNT]\n");
        return 2;
    }
    most = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)-1;
    openlog("arpflux-daemon", LOG_PERROR | LOG_PID, LOG_DAEMON);
    options.heal = 1;
    options.proxy_ms = 2000; /* quiet: less than one wake-up in a second */
    if (!(policy = arpflux_policy_from_path(argv[1], &err)) || !(host = arpflux_host_open_current(&err)) ||
        !(watch = arpflux_host_watch(host, policy, &options, &err))) {
        status = tell(err);
    } else if (!catch_signals()) {
        syslog(LOG_ERR, "signals: %s", strerror(errno));
        status = 1;
    }
    fds[0].fd = arpflux_watch_fd(watch);
    fds[1].fd = wake[0];
    fds[0].events = fds[1].events = POLLIN;
    while (status == 0 && drifts < most) {
        char byte = 0;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (read(wake[0], &byte, 1) == 1 && byte == 'e')
            break;
        if (byte == 'r')
            reload(watch, argv[1]);
        if (!arpflux_watch_step(watch, each, &drifts, &err))
            status = tell(err);
    }
    syslog(LOG_NOTICE, "ends after %lu drifts", drifts);
    arpflux_watch_free(watch);
    arpflux_host_free(host);
    arpflux_policy_free(policy);
    closelog();
    return status;
}
