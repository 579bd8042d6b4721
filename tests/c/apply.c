/* Plans and transactions on the real kernel (tests/c/apply.setup made the interfaces). */
#include <sys/stat.h>
#include <unistd.h>

#include "arpflux.h"
#include "check.h"

static const char *const policy_text =
    "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n"
    "[[proxy]]\nowner = \"101\"\naddresses = [\"192.168.18.101\"]\ninterface = \"eth3\"\n";

static arpflux_host *host;

static arpflux_snapshot *here(void)
{
    arpflux_error *err = NULL;
    arpflux_snapshot *snapshot = arpflux_host_snapshot(host, &err);
    CHECK_OK(snapshot != NULL, err);
    return snapshot;
}

static arpflux_plan *plan_for(const arpflux_snapshot *snapshot)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_toml(policy_text, "policy.toml", &err);
    arpflux_plan *plan;

    CHECK_OK(policy != NULL, err);
    plan = arpflux_policy_plan(policy, snapshot, &err);
    CHECK_OK(plan != NULL, err);
    arpflux_policy_free(policy);
    return plan;
}

static int arp_ignore(const char *interface)
{
    char path[96], digit = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/arp_ignore", interface);
    file = fopen(path, "r");
    CHECK(file && fread(&digit, 1, 1, file) == 1);
    if (file)
        fclose(file);
    return digit - '0';
}

static void a_plan_lists_its_changes(void)
{
    arpflux_snapshot *snapshot = here();
    arpflux_plan *plan = plan_for(snapshot);
    arpflux_error *err = NULL;
    size_t i, ignore = 0;
    char *json;

    CHECK(arpflux_plan_change_count(plan) > 3);
    for (i = 0; i < arpflux_plan_change_count(plan); i++)
        ignore += strstr(arpflux_change_text(arpflux_plan_change_at(plan, i)), "arp_ignore") != NULL;
    CHECK(ignore == 3);
    CHECK(arpflux_plan_change_at(plan, i) == NULL);
    CHECK(strstr(arpflux_plan_text(plan), "arp_announce") != NULL);

    json = arpflux_plan_to_json(plan, &err);
    CHECK_OK(json != NULL, err);
    arpflux_string_free(json);
    CHECK(arpflux_policy_plan(NULL, snapshot, NULL) == NULL);
    arpflux_plan_free(plan);
    arpflux_snapshot_free(snapshot);
}

/* What the plan of a policy harms here. */
static arpflux_assessment *assessed(const char *text, arpflux_plan **plan)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_toml(text, "policy.toml", &err);
    arpflux_snapshot *snapshot = here();
    arpflux_assessment *assessment;

    CHECK_OK(policy != NULL, err);
    *plan = arpflux_policy_plan(policy, snapshot, &err);
    CHECK_OK(*plan != NULL, err);
    assessment = arpflux_plan_assess(*plan, snapshot, &err);
    CHECK_OK(assessment != NULL, err);
    CHECK(arpflux_plan_assess(*plan, NULL, NULL) == NULL && arpflux_plan_assess(NULL, snapshot, NULL) == NULL);
    arpflux_snapshot_free(snapshot);
    arpflux_policy_free(policy);
    return assessment;
}

/* What is assessed beforehand is what applying says afterwards, and what it refuses. */
static void harm_is_told_beforehand_and_refused(void)
{
    static const char *const taken =
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nforeign_proxies = \"remove\"\n";
    arpflux_apply_options options;
    arpflux_error *err = NULL;
    arpflux_receipt *receipt;
    arpflux_plan *plan;
    arpflux_assessment *assessment = assessed(policy_text, &plan);

    CHECK(arpflux_assessment_judged(assessment) == ARPFLUX_JUDGED_GOOD);
    CHECK(arpflux_assessment_harm_count(assessment) == 0 && arpflux_assessment_harm_at(assessment, 0) == NULL);
    CHECK(strcmp(arpflux_assessment_text(assessment), "") == 0);
    CHECK(json(arpflux_assessment_to_json(assessment, &err), "\"schema\": 1"));
    arpflux_assessment_free(assessment);
    arpflux_plan_free(plan);

    /* Nobody would answer for the container any more. */
    assessment = assessed(taken, &plan);
    CHECK(arpflux_assessment_judged(assessment) == ARPFLUX_JUDGED_BAD);
    CHECK(arpflux_assessment_harm_count(assessment) == 1 && strstr(arpflux_assessment_harm_at(assessment, 0), "192.168.18.101"));
    CHECK(strstr(arpflux_assessment_text(assessment), arpflux_assessment_harm_at(assessment, 0)) != NULL);
    CHECK(json(arpflux_assessment_to_json(assessment, &err), "\"harm\": ["));
    CHECK(arpflux_host_apply(host, plan, NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_REFUSED && about(err, "harm"));
    arpflux_error_free(err);
    CHECK(arp_ignore("eth0") == 0);
    INIT(options);
    options.accept_harm = 1;
    receipt = arpflux_host_apply(host, plan, &options, &err);
    CHECK_OK(receipt != NULL && arp_ignore("eth0") == 1, err);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    arpflux_receipt_free(receipt);
    arpflux_assessment_free(assessment);
    arpflux_assessment_free(assessment);
    CHECK(arpflux_assessment_judged(NULL) == ARPFLUX_JUDGED_UNDETERMINED && arpflux_assessment_text(NULL) == NULL);
    arpflux_plan_free(plan);
}

static void applied_twice_changes_once_and_rolls_back_exactly(void)
{
    arpflux_error *err = NULL;
    arpflux_snapshot *before = here(), *after;
    arpflux_plan *plan = plan_for(before), *empty;
    arpflux_receipt *receipt, *back;
    char *json;

    CHECK(arp_ignore("eth0") == 0);
    receipt = arpflux_host_apply(host, plan, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_APPLIED);
    CHECK(arpflux_receipt_id(receipt) >= 1);
    CHECK(arpflux_receipt_change_count(receipt) == arpflux_plan_change_count(plan));
    CHECK(arpflux_receipt_change_at(receipt, 0) != NULL);
    json = arpflux_receipt_to_json(receipt, &err);
    CHECK_OK(json != NULL && strstr(json, "\"outcome\": \"applied\"") != NULL, err);
    arpflux_string_free(json);
    CHECK(arp_ignore("eth0") == 1);

    /* The plan is for the host as it was. */
    CHECK(arpflux_host_apply(host, plan, NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_CHANGED);
    arpflux_error_free(err);
    /* Planned again, there is nothing to do. */
    after = here();
    empty = plan_for(after);
    CHECK(arpflux_plan_change_count(empty) == 0);
    back = arpflux_host_apply(host, empty, NULL, &err);
    CHECK_OK(back != NULL, err);
    CHECK(arpflux_receipt_outcome(back) == ARPFLUX_OUTCOME_UNCHANGED && arpflux_receipt_id(back) == 0);
    arpflux_receipt_free(back);
    arpflux_plan_free(empty);
    arpflux_snapshot_free(after);

    back = arpflux_host_rollback(host, arpflux_receipt_id(receipt), false, NULL, &err);
    CHECK_OK(back != NULL, err);
    CHECK(arpflux_receipt_conflict_count(back) == 0);
    arpflux_receipt_free(back);
    CHECK(arp_ignore("eth0") == 0);
    /* The plan fits again: everything is as it was. */
    after = here();
    empty = plan_for(after);
    CHECK(arpflux_plan_change_count(empty) == arpflux_plan_change_count(plan));
    arpflux_plan_free(empty);
    arpflux_snapshot_free(after);

    CHECK(arpflux_host_rollback(host, 999, false, NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
    arpflux_error_free(err);
    arpflux_receipt_free(receipt);
    arpflux_plan_free(plan);
    arpflux_snapshot_free(before);
}

static void verify_sees_the_difference(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_toml(policy_text, "policy.toml", &err);
    arpflux_snapshot *snapshot = here();
    arpflux_plan *plan = plan_for(snapshot);
    arpflux_report *report = arpflux_policy_verify(policy, snapshot, &err);
    arpflux_receipt *receipt;
    char *json;
    size_t i;

    CHECK_OK(report != NULL, err);
    CHECK(arpflux_report_judged(report) == ARPFLUX_JUDGED_BAD && arpflux_report_check_count(report) > 0);
    CHECK(arpflux_report_failure_count(report) > 0 && arpflux_report_failure_at(report, 0) != NULL);
    CHECK(arpflux_report_failure_at(report, arpflux_report_failure_count(report)) == NULL);
    arpflux_report_free(report);
    arpflux_snapshot_free(snapshot);

    receipt = arpflux_host_apply(host, plan, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    snapshot = here();
    report = arpflux_policy_verify(policy, snapshot, &err);
    CHECK_OK(report != NULL, err);
    CHECK(arpflux_report_judged(report) == ARPFLUX_JUDGED_GOOD && arpflux_report_check_count(report) > 0);
    for (i = 0; i < arpflux_report_failure_count(report); i++)
        fprintf(stderr, "%s\n", arpflux_report_failure_at(report, i));
    for (i = 0; i < arpflux_report_undetermined_count(report); i++)
        CHECK(arpflux_report_undetermined_at(report, i) != NULL);
    json = arpflux_report_to_json(report, &err);
    CHECK_OK(json != NULL && strstr(json, "\"ok\": true") != NULL, err);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    CHECK(arpflux_policy_verify(policy, NULL, NULL) == NULL && arpflux_report_judged(NULL) == ARPFLUX_JUDGED_UNDETERMINED);
    arpflux_string_free(json);
    arpflux_receipt_free(receipt);
    arpflux_report_free(report);
    arpflux_plan_free(plan);
    arpflux_snapshot_free(snapshot);
    arpflux_policy_free(policy);
}

static void on_trial(void)
{
    arpflux_apply_options options;
    arpflux_error *err = NULL;
    arpflux_snapshot *before = here();
    arpflux_plan *plan = plan_for(before);
    arpflux_receipt *receipt;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.confirm_within_ms = 3600 * 1000;
    /* Freed without confirmation: undone. */
    receipt = arpflux_host_apply(host, plan, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_PENDING && arp_ignore("eth0") == 1);
    arpflux_receipt_free(receipt);
    CHECK(arp_ignore("eth0") == 0);
    /* Confirmed: kept. */
    receipt = arpflux_host_apply(host, plan, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK_OK(arpflux_receipt_confirm(receipt, &err), err);
    CHECK(arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_APPLIED);
    CHECK(!arpflux_receipt_confirm(receipt, &err)); /* decided already */
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    arpflux_receipt_free(receipt);
    CHECK(arp_ignore("eth0") == 1);
    receipt = arpflux_host_rollback(host, 0, false, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    /* Left, and confirmed by somebody else. */
    receipt = arpflux_host_apply(host, plan, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK_OK(arpflux_receipt_leave(receipt, &err), err);
    arpflux_receipt_free(receipt);
    CHECK(arp_ignore("eth0") == 1);
    receipt = arpflux_host_confirm(host, 0, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    CHECK(arpflux_host_confirm(host, 0, NULL, NULL) == NULL);
    /* Undone by its holder. */
    receipt = arpflux_host_rollback(host, 0, false, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    receipt = arpflux_host_apply(host, plan, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    arpflux_receipt_free(receipt);
    CHECK(arp_ignore("eth0") == 0);

    options.confirm_within_ms = 1; /* below a second */
    CHECK(arpflux_host_apply(host, plan, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    options.confirm_within_ms = 0;
    options.state_dir = "relative";
    CHECK(arpflux_host_apply(host, plan, &options, NULL) == NULL);
    CHECK(arp_ignore("eth0") == 0);
    arpflux_plan_free(plan);
    arpflux_snapshot_free(before);
}

static void persisted_with_its_files(void)
{
    arpflux_persist_options options;
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_toml(policy_text, "policy.toml", &err);
    arpflux_receipt *receipt;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.root = "/run/image";
    CHECK(arpflux_host_persist_policy(host, policy, &options, &err) == NULL); /* there is no such folder: nothing is made */
    CHECK(arpflux_error_text(err) && strstr(arpflux_error_text(err), "/run/image") && arp_ignore("eth0") == 0);
    arpflux_error_free(err);
    err = NULL;
    CHECK(mkdir("/run/image", 0755) == 0);
    receipt = arpflux_host_persist_policy(host, policy, &options, &err);
    if (!has_openat2()) { /* said by name, and nothing was changed */
        CHECK(receipt == NULL && strstr(arpflux_error_text(err), "openat2()") && arp_ignore("eth0") == 0);
        arpflux_error_free(err);
        arpflux_policy_free(policy);
        return;
    }
    CHECK_OK(receipt != NULL, err);
    CHECK(arp_ignore("eth0") == 1 && access("/run/image/etc/arpflux/policy.toml", F_OK) == 0);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    CHECK(arp_ignore("eth0") == 0 && access("/run/image/etc/arpflux/policy.toml", F_OK) != 0);
    arpflux_receipt_free(receipt);
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
    RUN(a_plan_lists_its_changes);
    RUN(harm_is_told_beforehand_and_refused);
    RUN(applied_twice_changes_once_and_rolls_back_exactly);
    RUN(verify_sees_the_difference);
    RUN(on_trial);
    RUN(persisted_with_its_files);
    arpflux_host_free(host);
    return report();
}
