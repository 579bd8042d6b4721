/* What is found wrong in a snapshot and what helps: impact of changes, diagnosis, recommended policies, the next boot
 * (tests/c/diagnose.setup made the interfaces). */
#define _POSIX_C_SOURCE 200809L
#include <sys/stat.h>

#include "arpflux.h"
#include "check.h"

static arpflux_snapshot *snapshot;

static uint32_t index_of(const char *name)
{
    return arpflux_interface_index(arpflux_snapshot_interface_by_name(snapshot, name));
}

static void changes_and_their_impact(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy, *empty;
    arpflux_ip addresses[1];
    arpflux_plan *plan;
    arpflux_impact *impact;
    size_t i, sysctls = 0, rules = 0, routes = 0, moved = 0;

    addresses[0] = ip("192.168.18.101");
    policy = arpflux_policy_with_proxy(NULL, "101", addresses, 1, "eth4", &err);
    CHECK_OK(policy != NULL, err);
    CHECK(arpflux_policy_proxy_count(policy) == 1 && strcmp(arpflux_policy_owner_at(policy, 0), "101") == 0);
    CHECK(strcmp(arpflux_policy_interface_at(policy, 0), "eth4") == 0);
    CHECK(arpflux_policy_owner_at(policy, 1) == NULL);
    empty = arpflux_policy_with_proxy(policy, "101", NULL, 0, NULL, &err);
    CHECK(arpflux_policy_proxy_count(empty) == 0 && arpflux_policy_proxy_count(policy) == 1);
    arpflux_policy_free(empty);
    CHECK(arpflux_policy_with_proxy(policy, "101", addresses, 1, "a/b", NULL) == NULL);

    plan = arpflux_policy_plan(policy, snapshot, &err);
    CHECK_OK(plan != NULL, err);
    for (i = 0; i < arpflux_plan_change_count(plan); i++) {
        const arpflux_change *change = arpflux_plan_change_at(plan, i);
        CHECK(arpflux_change_text(change) != NULL);
        sysctls += arpflux_change_subject(change) == ARPFLUX_SUBJECT_SYSCTL;
        rules += arpflux_change_subject(change) == ARPFLUX_SUBJECT_RULE;
        routes += arpflux_change_subject(change) == ARPFLUX_SUBJECT_ROUTE;
        if (arpflux_change_subject(change) == ARPFLUX_SUBJECT_PROXY) {
            moved++;
            CHECK(strstr(arpflux_change_text(change), "192.168.18.101") != NULL);
            CHECK(arpflux_change_interface(change) == index_of("eth4") || arpflux_change_interface(change) == index_of("eth3"));
        }
    }
    CHECK(sysctls > 0 && rules > 0 && routes > 0 && moved == 2);
    CHECK(arpflux_change_subject(NULL) == ARPFLUX_SUBJECT_UNKNOWN);

    impact = arpflux_plan_impact(plan, snapshot, policy, &err);
    CHECK_OK(impact != NULL, err);
    CHECK(arpflux_impact_count(impact) > 0 && arpflux_impact_victim_count(impact) <= arpflux_impact_count(impact));
    CHECK(strstr(arpflux_impact_text(impact), "192.168.18.101") != NULL);
    CHECK(json(arpflux_impact_to_json(impact, &err), "\"effects\""));
    arpflux_impact_free(impact);
    arpflux_plan_free(plan);
    arpflux_policy_free(policy);
}

static void findings_say_what_why_and_what_to_do(void)
{
    const char *ignore[] = {"AF001"};
    const char *unknown[] = {"AF999"};
    arpflux_diagnose_options options;
    arpflux_error *err = NULL;
    arpflux_diagnosis *diagnosis = arpflux_snapshot_diagnose(snapshot, NULL, &err);
    size_t count = arpflux_diagnosis_count(diagnosis);

    CHECK_OK(diagnosis != NULL, err);
    CHECK(arpflux_diagnosis_judged(diagnosis) == ARPFLUX_JUDGED_BAD && arpflux_diagnosis_judged(NULL) == ARPFLUX_JUDGED_UNDETERMINED);
    CHECK(count > 0 && strstr(arpflux_diagnosis_text(diagnosis), "AF001") != NULL);
    CHECK(json(arpflux_diagnosis_to_json(diagnosis, &err), "\"AF001\""));
    arpflux_diagnosis_free(diagnosis);

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.ignore = ignore;
    options.ignore_count = 1;
    diagnosis = arpflux_snapshot_diagnose(snapshot, &options, &err);
    CHECK_OK(diagnosis != NULL, err);
    CHECK(arpflux_diagnosis_count(diagnosis) < count);
    arpflux_diagnosis_free(diagnosis);
    options.ignore = unknown;
    CHECK(arpflux_snapshot_diagnose(snapshot, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
}

static void a_policy_is_recommended_and_proved(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_snapshot_recommend(snapshot, &err);
    arpflux_plan *plan;

    CHECK_OK(policy != NULL, err);
    plan = arpflux_policy_plan(policy, snapshot, &err);
    CHECK_OK(plan != NULL, err);
    CHECK(arpflux_plan_change_count(plan) > 0);
    CHECK(json(arpflux_snapshot_recommend_to_json(snapshot, &err), "\"reasons\""));
    arpflux_plan_free(plan);
    arpflux_policy_free(policy);
}

static void what_a_boot_brings(void)
{
    arpflux_persist_options options;
    arpflux_error *err = NULL;
    char *boot;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.root = "/run/no-such-root";
    CHECK(arpflux_snapshot_boot_to_json(snapshot, &options, &err) == NULL); /* nothing was read: nothing is said */
    CHECK(arpflux_error_text(err) && strstr(arpflux_error_text(err), options.root));
    arpflux_error_free(err);
    err = NULL;
    options.root = "/run/empty-root"; /* a host without a file: everything made by hand is lost */
    CHECK(mkdir(options.root, 0755) == 0);
    boot = arpflux_snapshot_boot_to_json(snapshot, &options, &err);
    if (!has_openat2()) { /* said by name: nothing was read, so nothing is told */
        CHECK(boot == NULL && strstr(arpflux_error_text(err), "openat2()"));
        arpflux_error_free(err);
        return;
    }
    CHECK_OK(boot != NULL, err);
    CHECK(strstr(boot, "192.168.18.101") != NULL && strstr(boot, "eth4/arp_ignore") != NULL);
    CHECK(json(boot, "\"entries\""));
}

int main(void)
{
    arpflux_error *err = NULL;
    arpflux_host *host = arpflux_host_open_current(&err);
    snapshot = arpflux_host_snapshot(host, &err);
    arpflux_host_free(host);
    if (!snapshot) {
        fprintf(stderr, "%s\n", arpflux_error_text(err));
        return 1;
    }
    RUN(changes_and_their_impact);
    RUN(findings_say_what_why_and_what_to_do);
    RUN(a_policy_is_recommended_and_proved);
    RUN(what_a_boot_brings);
    arpflux_snapshot_free(snapshot);
    return report();
}
