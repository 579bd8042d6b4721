/* What is found wrong in a snapshot and what helps: impact of changes, diagnosis, recommended policies, pages, the next boot
 * (tests/c/diagnose.setup made the interfaces). */
#define _POSIX_C_SOURCE 200809L
#include <sys/stat.h>

#include "arpflux.h"
#include "check.h"

static arpflux_snapshot *snapshot;

static void changes_and_their_impact(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy, *empty;
    arpflux_ip addresses[1];
    arpflux_plan *plan;
    arpflux_impact *impact;
    arpflux_ip last = {0, {0}};
    uint32_t from = 0;
    size_t i, sysctls = 0, rules = 0, routes = 0, moved = 0;

    addresses[0] = ip("192.168.18.101");
    policy = arpflux_policy_with_proxy(NULL, "101", addresses, 1, "eth4", &err);
    CHECK_OK(policy != NULL, err);
    CHECK(arpflux_policy_proxy_count(policy) == 1 && strcmp(arpflux_policy_owner_at(policy, 0), "101") == 0);
    CHECK(strcmp(arpflux_policy_interface_at(policy, 0), "eth4") == 0);
    CHECK(arpflux_policy_address_count(policy, 0) == 1 && same(arpflux_policy_address_at(policy, 0, 0), "192.168.18.101"));
    CHECK(arpflux_policy_address_at(policy, 0, 1).family == 0 && arpflux_policy_owner_at(policy, 1) == NULL);
    CHECK_OK(arpflux_policy_check(policy, &err), err);
    empty = arpflux_policy_with_proxy(policy, "101", NULL, 0, NULL, &err);
    CHECK(arpflux_policy_proxy_count(empty) == 0 && arpflux_policy_proxy_count(policy) == 1);
    arpflux_policy_free(empty);
    CHECK(arpflux_policy_with_proxy(policy, "101", addresses, 1, "a/b", NULL) == NULL);

    plan = arpflux_policy_plan(policy, snapshot, &err);
    CHECK_OK(plan != NULL, err);
    for (i = 0; i < arpflux_plan_change_count(plan); i++) {
        const arpflux_change *change = arpflux_plan_change_at(plan, i);
        CHECK(arpflux_change_text(change) != NULL);
        switch (arpflux_change_subject(change)) {
        case ARPFLUX_SUBJECT_SYSCTL:
            sysctls++;
            CHECK(arpflux_change_sysctl(change) != NULL && arpflux_change_scope(change) != NULL);
            CHECK(arpflux_change_before(change) != arpflux_change_after(change) && arpflux_change_interface(change) > 0);
            CHECK(arpflux_change_proxy(change) == NULL && arpflux_change_rule(change) == NULL);
            break;
        case ARPFLUX_SUBJECT_PROXY:
            CHECK(same(arpflux_proxy_address(arpflux_change_proxy(change)), "192.168.18.101"));
            if (arpflux_change_after(change) == 1)
                moved += arpflux_change_interface(change) ==
                         arpflux_interface_index(arpflux_snapshot_find_interface(snapshot, "eth4"));
            else
                moved += arpflux_change_interface(change) ==
                         arpflux_interface_index(arpflux_snapshot_find_interface(snapshot, "eth3"));
            CHECK(arpflux_change_sysctl(change) == NULL);
            break;
        case ARPFLUX_SUBJECT_RULE:
            rules++;
            CHECK(arpflux_rule_protocol(arpflux_change_rule(change)) == 175);
            break;
        case ARPFLUX_SUBJECT_ROUTE:
            routes++;
            CHECK(arpflux_route_protocol(arpflux_change_route(change)) == 175);
            break;
        default: break;
        }
    }
    CHECK(sysctls > 0 && rules > 0 && routes > 0 && moved == 2);
    CHECK(arpflux_plan_announcement_count(plan) > 0);
    CHECK(arpflux_plan_announcement_at(plan, 0, &from).family == 4 && from > 0);
    CHECK(arpflux_plan_announcement_at(plan, 99, NULL).family == 0);

    impact = arpflux_plan_impact(plan, snapshot, policy, &err);
    CHECK_OK(impact != NULL, err);
    CHECK(arpflux_impact_count(impact) > 0 && arpflux_impact_victim_count(impact) <= arpflux_impact_count(impact));
    CHECK(arpflux_impact_text(impact) != NULL && arpflux_impact_at(impact, 9999) == NULL);
    for (i = 0, moved = 0; i < arpflux_impact_count(impact); i++) {
        const arpflux_effect *effect = arpflux_impact_at(impact, i);
        CHECK(arpflux_effect_text(effect) != NULL && arpflux_effect_target_count(effect) > 0);
        if (arpflux_effect_turn(effect) == ARPFLUX_TURN_GAINS &&
            same(arpflux_effect_target_at(effect, 0, &last), "192.168.18.101")) {
            moved++;
            CHECK(same(last, "192.168.18.101") && strcmp(arpflux_effect_interface(effect), "eth4") == 0);
            CHECK(arpflux_effect_mac_before(effect) == NULL);
            CHECK(strcmp(arpflux_effect_mac_after(effect), "00:0c:29:b3:a2:5e") == 0);
            CHECK(arpflux_effect_is_named(effect) && arpflux_effect_is_for_neighbours(effect));
        }
    }
    CHECK(moved == 1);
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
    size_t i, flux = 0, planned = 0, count = arpflux_diagnosis_count(diagnosis);
    arpflux_plan *plan;

    CHECK_OK(diagnosis != NULL, err);
    CHECK(arpflux_diagnosis_worst(diagnosis) == ARPFLUX_SEVERITY_ERROR);
    for (i = 0; i < count; i++) {
        const arpflux_finding *finding = arpflux_diagnosis_at(diagnosis, i);
        CHECK(strlen(arpflux_finding_id(finding)) == 5 && arpflux_finding_severity(finding) > ARPFLUX_SEVERITY_NONE);
        CHECK(arpflux_finding_title(finding) && arpflux_finding_what(finding) && arpflux_finding_why(finding));
        CHECK(arpflux_finding_remedy(finding) && arpflux_finding_link(finding) && arpflux_finding_text(finding));
        CHECK(arpflux_finding_evidence_count(finding) > 0 && arpflux_finding_evidence_at(finding, 0) != NULL);
        flux += strcmp(arpflux_finding_id(finding), "AF001") == 0 && arpflux_finding_interface_count(finding) >= 2 &&
                arpflux_finding_interface_at(finding, 0) != NULL && arpflux_finding_address_count(finding) > 0 &&
                arpflux_finding_address_at(finding, 0).family == 4;
        plan = arpflux_finding_plan(finding, &err);
        if (plan) {
            planned += arpflux_plan_change_count(plan) > 0;
            arpflux_plan_free(plan);
        } else {
            CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
            arpflux_error_free(err);
            err = NULL;
        }
    }
    CHECK(flux > 0 && planned > 0 && arpflux_diagnosis_at(diagnosis, i) == NULL);
    for (i = 0; i < arpflux_diagnosis_unseen_count(diagnosis); i++)
        CHECK(arpflux_diagnosis_unseen_at(diagnosis, i) != NULL);
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
    CHECK(arpflux_finding_plan(NULL, NULL) == NULL);
}

static void a_policy_is_recommended_and_proved(void)
{
    arpflux_error *err = NULL;
    arpflux_recommendation *recommendation = arpflux_snapshot_recommend(snapshot, &err);
    arpflux_policy *policy;
    arpflux_plan *plan;
    arpflux_report *proof;

    CHECK_OK(recommendation != NULL, err);
    CHECK(strstr(arpflux_recommendation_toml(recommendation), "version = 1") != NULL);
    CHECK(arpflux_recommendation_proved(recommendation) != NULL);
    CHECK(arpflux_recommendation_reason_count(recommendation) > 0 && arpflux_recommendation_reason_at(recommendation, 0));
    CHECK(arpflux_recommendation_refused_count(recommendation) > 0 && arpflux_recommendation_refused_at(recommendation, 0));
    CHECK(arpflux_recommendation_note_at(recommendation, arpflux_recommendation_note_count(recommendation)) == NULL);
    policy = arpflux_recommendation_policy(recommendation, &err);
    plan = arpflux_recommendation_plan(recommendation, &err);
    proof = arpflux_recommendation_proof(recommendation, &err);
    CHECK_OK(policy && plan && proof, err);
    CHECK(arpflux_plan_change_count(plan) > 0);
    CHECK_OK(arpflux_report_check(proof, &err), err);
    CHECK_OK(arpflux_policy_check(policy, &err), err);
    CHECK(json(arpflux_recommendation_to_json(recommendation, &err), "\"reasons\""));
    arpflux_report_free(proof);
    arpflux_plan_free(plan);
    arpflux_policy_free(policy);
    arpflux_recommendation_free(recommendation);
}

static void pages_and_metrics(void)
{
    arpflux_error *err = NULL;
    arpflux_diagnosis *diagnosis = arpflux_snapshot_diagnose(snapshot, NULL, &err);
    char *text = arpflux_diagnosis_to_html(diagnosis, snapshot, "node", "", &err);

    CHECK_OK(text && strstr(text, "<title>") && strstr(text, "AF001"), err);
    arpflux_string_free(text);
    text = arpflux_diagnosis_to_metrics(diagnosis, snapshot, 1.0, &err);
    CHECK_OK(text && strstr(text, "arpflux_findings{severity=\"error\"}"), err);
    arpflux_string_free(text);
    CHECK(arpflux_diagnosis_to_html(diagnosis, NULL, "node", "", NULL) == NULL);
    arpflux_diagnosis_free(diagnosis);
}

static void what_a_boot_brings(void)
{
    arpflux_persist_options options;
    arpflux_error *err = NULL;
    arpflux_boot *boot;
    size_t i, proxies = 0, ignore = 0;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.root = "/run/no-such-root";
    CHECK(arpflux_snapshot_at_boot(snapshot, &options, &err) == NULL); /* nothing was read: nothing is said */
    CHECK(arpflux_error_text(err) && strstr(arpflux_error_text(err), options.root));
    arpflux_error_free(err);
    err = NULL;
    options.root = "/run/empty-root"; /* a host without a file: everything made by hand is lost */
    CHECK(mkdir(options.root, 0755) == 0);
    boot = arpflux_snapshot_at_boot(snapshot, &options, &err);
    if (!has_openat2()) { /* said by name: nothing was read, so nothing is told */
        CHECK(boot == NULL && strstr(arpflux_error_text(err), "openat2()"));
        arpflux_error_free(err);
        return;
    }
    CHECK_OK(boot != NULL, err);
    for (i = 0; i < arpflux_boot_change_count(boot); i++)
        proxies += arpflux_change_proxy(arpflux_boot_change_at(boot, i)) != NULL &&
                   arpflux_change_after(arpflux_boot_change_at(boot, i)) == 0;
    CHECK(proxies == 1 && arpflux_boot_change_at(boot, i) == NULL);
    for (i = 0; i < arpflux_boot_sysctl_count(boot); i++)
        ignore += strstr(arpflux_boot_sysctl_at(boot, i), "eth4/arp_ignore") != NULL &&
                  arpflux_boot_value_now(boot, i) == 1 && arpflux_boot_value_then(boot, i) == 0;
    CHECK(ignore == 1 && arpflux_boot_sysctl_at(boot, i) == NULL);
    CHECK(arpflux_boot_difference_count(boot) >= 2);
    CHECK(json(arpflux_boot_to_json(boot, &err), "\"entries\""));
    arpflux_boot_free(boot);
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
    RUN(pages_and_metrics);
    RUN(what_a_boot_brings);
    arpflux_snapshot_free(snapshot);
    return report();
}
