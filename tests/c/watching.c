/* The watch, by poll(2) and by waiting; callbacks that call back (tests/c/watching.setup made the interfaces). */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arpflux.h"
#include "check.h"

static arpflux_host *host;

static arpflux_policy *policy_for(const char *interface)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy;
    char text[512];

    snprintf(text, sizeof text,
             "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nstrategy = \"strict\"\nannounce = false\n"
             "[[proxy]]\nowner = \"101\"\naddresses = [\"192.168.18.101\"]\ninterface = \"%s\"\n",
             interface);
    policy = arpflux_policy_from_toml(text, "policy.toml", &err);
    CHECK_OK(policy != NULL, err);
    return policy;
}

static void set(const char *name, const char *value)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s", name);
    fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, value, 1) == 1);
    close(fd);
}

static int get(const char *name)
{
    char path[128], digit = 0;
    int fd;

    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s", name);
    fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, &digit, 1) == 1);
    close(fd);
    return digit - '0';
}

struct seen {
    int drifts;
    arpflux_cause cause;
    arpflux_remedy remedy;
    size_t changes;
    arpflux_watch *free_this, *step_this;
};

/* Each text has the name that its interface has now, and never its number. */
static void names_are_of_now(const arpflux_drift *drift)
{
    arpflux_snapshot *snapshot = arpflux_host_snapshot(host, NULL);
    size_t i;

    for (i = 0; i < arpflux_drift_change_count(drift); i++) {
        const arpflux_change *change = arpflux_drift_change_at(drift, i);
        uint32_t index = arpflux_change_interface(change);
        const char *name = arpflux_interface_name(arpflux_snapshot_interface_by_index(snapshot, index));

        if (index != 0 && (name == NULL || strstr(arpflux_change_text(change), name) == NULL)) {
            fprintf(stderr, "%s is %s\n", arpflux_change_text(change), name ? name : "gone");
            CHECK(0);
        }
    }
    arpflux_snapshot_free(snapshot);
}

static bool see(const arpflux_drift *drift, void *context)
{
    struct seen *seen = context;
    const arpflux_change *change = arpflux_drift_change_at(drift, 0);

    seen->drifts++;
    seen->cause = arpflux_drift_cause(drift);
    seen->remedy = arpflux_drift_remedy(drift);
    seen->changes = arpflux_drift_change_count(drift);
    CHECK(arpflux_drift_text(drift) != NULL && json(arpflux_drift_to_json(drift, NULL), "\"at_ms\":"));
    CHECK((change != NULL) == (seen->changes > 0) && arpflux_drift_change_at(drift, seen->changes) == NULL);
    names_are_of_now(drift);
    if (seen->step_this) /* calls back into the same watch */
        CHECK(arpflux_watch_step(seen->step_this, NULL, NULL, NULL));
    arpflux_watch_free(seen->free_this); /* even this is allowed: the call that runs holds it */
    return true;
}

/* Steps whenever the descriptor is readable, until something was seen or ten seconds are over. */
static void turn(arpflux_watch *watch, struct seen *seen)
{
    struct pollfd pollfd;
    arpflux_error *err = NULL;
    int before = seen->drifts, round;

    pollfd.fd = arpflux_watch_fd(watch);
    pollfd.events = POLLIN;
    for (round = 0; round < 2000 && seen->drifts == before; round++) {
        if (poll(&pollfd, 1, 100) > 0)
            CHECK_OK(arpflux_watch_step(watch, see, seen, &err), err);
    }
    CHECK(seen->drifts > before);
}

static void drift_is_healed_from_an_event_loop(void)
{
    struct seen seen = {0, 0, 0, 0, NULL, NULL};
    arpflux_error *err = NULL;
    arpflux_watch_options options;
    arpflux_policy *policy = policy_for("eth3"), *other = policy_for("eth4");
    arpflux_watch *watch;
    arpflux_snapshot *snapshot;
    arpflux_receipt *receipt;
    uint64_t id;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.heal = 1;
    options.look_ms = 500;
    watch = arpflux_host_watch(host, policy, &options, &err);
    CHECK_OK(watch != NULL, err);
    CHECK(arpflux_watch_fd(watch) >= 0);
    turn(watch, &seen); /* the first look */
    CHECK(seen.cause == ARPFLUX_CAUSE_START && seen.remedy == ARPFLUX_REMEDY_HEALED && seen.changes > 3);
    CHECK(get("eth0/arp_ignore") == 1);

    set("eth0/arp_ignore", "0");
    turn(watch, &seen);
    CHECK(seen.cause == ARPFLUX_CAUSE_SYSCTL && seen.remedy == ARPFLUX_REMEDY_HEALED && seen.changes == 1);
    CHECK(get("eth0/arp_ignore") == 1);

    seen.step_this = watch;
    CHECK(system("ip neigh del proxy 192.168.18.101 dev eth3") == 0); /* of which the kernel sends no news */
    turn(watch, &seen);
    CHECK(seen.remedy == ARPFLUX_REMEDY_HEALED);
    seen.step_this = NULL;

    CHECK_OK(arpflux_watch_set_policy(watch, other, &err), err);
    turn(watch, &seen);
    CHECK(seen.cause == ARPFLUX_CAUSE_POLICY && seen.remedy == ARPFLUX_REMEDY_HEALED);
    snapshot = arpflux_host_snapshot(host, &err);
    CHECK(arpflux_snapshot_proxy_count(snapshot) == 1);
    CHECK(arpflux_proxy_interface(arpflux_snapshot_proxy_at(snapshot, 0)) ==
          arpflux_interface_index(arpflux_snapshot_interface_by_name(snapshot, "eth4")));
    arpflux_snapshot_free(snapshot);

    set("eth0/arp_ignore", "0");
    seen.free_this = watch;
    turn(watch, &seen);
    CHECK(!arpflux_watch_step(watch, see, &seen, &err)); /* freed by its own callback */
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    CHECK(arpflux_watch_fd(watch) == -1);
    arpflux_error_free(err);
    arpflux_policy_free(other);
    arpflux_policy_free(policy);
    /* What a watch made is routine: it is taken back by its number alone. */
    CHECK(arpflux_host_rollback(host, 0, true, NULL, NULL) == NULL);
    for (id = 20; id > 0; id--) {
        receipt = arpflux_host_rollback(host, id, true, NULL, NULL);
        arpflux_receipt_free(receipt);
    }
    CHECK(get("eth0/arp_ignore") == 0);
}

static void drift_is_only_told_without_heal(void)
{
    struct seen seen = {0, 0, 0, 0, NULL, NULL};
    arpflux_error *err = NULL;
    arpflux_policy *policy = policy_for("eth3");
    arpflux_watch_options options;
    arpflux_watch *watch = arpflux_host_watch(host, policy, NULL, &err);
    arpflux_receipt *receipt;
    int round;

    CHECK_OK(watch != NULL, err);
    CHECK_OK(arpflux_watch_wait(watch, 10000, NULL, see, &seen, &err), err);
    CHECK(seen.drifts == 1 && seen.remedy == ARPFLUX_REMEDY_REPORTED && seen.changes > 0);
    CHECK(get("eth0/arp_ignore") == 0);
    CHECK_OK(arpflux_watch_wait(watch, 30, NULL, see, &seen, &err), err); /* told once */
    CHECK(seen.drifts == 1);
    /* Put right by hand: told, so that an alarm can be cleared. */
    receipt = arpflux_host_apply_policy(host, policy, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    for (round = 0; round < 50 && seen.remedy != ARPFLUX_REMEDY_RECOVERED; round++)
        CHECK_OK(arpflux_watch_wait(watch, 200, NULL, see, &seen, &err), err);
    CHECK(seen.remedy == ARPFLUX_REMEDY_RECOVERED && seen.changes == 0 && strcmp(arpflux_remedy_name(seen.remedy), "recovered") == 0);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    arpflux_receipt_free(receipt);
    CHECK(!arpflux_watch_wait(watch, -2, NULL, see, &seen, &err));
    CHECK(about(err, "timeout_ms"));
    arpflux_error_free(err);
    CHECK(!arpflux_watch_set_policy(watch, NULL, NULL));
    arpflux_watch_free(watch);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.look_ms = 99;
    CHECK(arpflux_host_watch(host, policy, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    arpflux_policy_free(policy);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* On a quiet host a watch wakes up less than once a second: by itself where the policy says nothing of proxy entries, else where
 * it is told to look seldom at what sends no news. */
static void sleeps(arpflux_policy *policy, uint32_t look_ms, uint32_t proxy_ms)
{
    struct seen seen = {0, 0, 0, 0, NULL, NULL};
    arpflux_error *err = NULL;
    arpflux_watch_options options;
    arpflux_receipt *receipt = arpflux_host_apply_policy(host, policy, NULL, &err);
    arpflux_watch *watch;
    double end;
    int woken = 0;

    CHECK_OK(receipt != NULL, err);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.look_ms = look_ms;
    options.proxy_ms = proxy_ms;
    watch = arpflux_host_watch(host, policy, &options, &err);
    CHECK_OK(watch != NULL, err);
    CHECK_OK(arpflux_watch_wait(watch, 2000, NULL, see, &seen, &err), err); /* the first look, and what it leaves */
    for (end = now() + 5; now() < end;) {
        struct pollfd pollfd = {arpflux_watch_fd(watch), POLLIN, 0};
        if (poll(&pollfd, 1, (int)((end - now()) * 1000) + 1) == 1) {
            woken++;
            CHECK_OK(arpflux_watch_step(watch, see, &seen, &err), err);
        }
    }
    if (woken >= 5)
        fprintf(stderr, "woken %d times in 5 s\n", woken);
    CHECK(woken < 5 && seen.drifts == 0);
    arpflux_watch_free(watch);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    arpflux_receipt_free(receipt);
    arpflux_policy_free(policy);
}

static void a_quiet_watch_sleeps(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_toml(
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nannounce = false\n", "policy.toml", &err);

    CHECK_OK(policy != NULL, err);
    sleeps(policy, 0, 0);
    sleeps(policy_for("eth3"), 60000, 2000);
}

/* How many proxy entries the interface of this name has. */
static size_t entries_on(const char *name)
{
    arpflux_snapshot *snapshot = arpflux_host_snapshot(host, NULL);
    uint32_t index = arpflux_interface_index(arpflux_snapshot_interface_by_name(snapshot, name));
    size_t i, count = 0;

    for (i = 0; i < arpflux_snapshot_proxy_count(snapshot); i++)
        count += arpflux_proxy_interface(arpflux_snapshot_proxy_at(snapshot, i)) == index;
    arpflux_snapshot_free(snapshot);
    return count;
}

/* Two cards exchange their names: what is put right then is told by the names that they have since. */
static void renamed_cards_are_told_by_their_new_names(void)
{
    struct seen seen = {0, 0, 0, 0, NULL, NULL};
    arpflux_error *err = NULL;
    arpflux_watch_options options;
    arpflux_policy *policy = policy_for("eth3");
    arpflux_watch *watch;
    int round;

    INIT(options);
    options.heal = 1;
    watch = arpflux_host_watch(host, policy, &options, &err);
    CHECK_OK(watch != NULL, err);
    turn(watch, &seen);
    CHECK(entries_on("eth3") == 1);
    CHECK(system("ip link set eth3 down && ip link set eth4 down && ip link set eth3 name other && ip link set eth4 name eth3 &&"
                 " ip link set other name eth4 && ip link set eth3 up && ip link set eth4 up") == 0);
    seen.drifts = 0;
    for (round = 0; round < 100 && (entries_on("eth3") != 1 || entries_on("eth4") != 0 || seen.drifts == 0); round++)
        CHECK_OK(arpflux_watch_wait(watch, 100, NULL, see, &seen, &err), err);
    CHECK(entries_on("eth3") == 1 && entries_on("eth4") == 0 && seen.drifts > 0);
    arpflux_watch_free(watch);
    arpflux_policy_free(policy);
}

int main(void)
{
    arpflux_error *err = NULL;
    host = arpflux_host_open_current(&err);
    if (!host) {
        fprintf(stderr, "%s\n", arpflux_error_text(err));
        return 1;
    }
    RUN(drift_is_healed_from_an_event_loop);
    RUN(drift_is_only_told_without_heal);
    RUN(a_quiet_watch_sleeps);
    RUN(renamed_cards_are_told_by_their_new_names);
    arpflux_host_free(host);
    return report();
}
