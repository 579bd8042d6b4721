/*
 * Pins one address to one interface, and proves it: the policy is planned and applied on trial; then the model of the kernel has to
 * prove for all senders that exactly that interface answers, and the host is asked by frames, as if from the wire. Only then the
 * change is kept.
 *
 *     cc pin.c -o pin $(pkg-config --cflags --libs arpflux)
 *     ./pin ADDRESS INTERFACE        (as root)
 */
#include <arpflux.h>
#include <stdio.h>
#include <string.h>

static int fail(arpflux_error *err)
{
    int code = arpflux_error_exit_code(err);
    fprintf(stderr, "%s\n", arpflux_error_text(err));
    arpflux_error_free(err);
    return code ? code : 1;
}

/* Whether, whoever asks for the address, `interface` answers every neighbour and nobody else answers anybody. */
static bool proved(const arpflux_host *host, arpflux_ip address, const char *interface, arpflux_error **err)
{
    arpflux_claim answers, alone;
    const arpflux_claim *claims[2];
    arpflux_snapshot *snapshot = arpflux_host_snapshot(host, err);
    arpflux_proofs *proofs;
    bool all;
    size_t i;

    if (!snapshot)
        return false;
    memset(&answers, 0, sizeof answers);
    answers.size = sizeof answers;
    answers.kind = ARPFLUX_CLAIM_KIND_ANSWERS;
    answers.address = address;
    answers.interface = interface;
    alone = answers;
    alone.kind = ARPFLUX_CLAIM_KIND_NOTHING_BUT;
    claims[0] = &answers;
    claims[1] = &alone;
    proofs = arpflux_snapshot_prove(snapshot, claims, 2, err);
    arpflux_snapshot_free(snapshot);
    for (i = 0; i < arpflux_proofs_count(proofs); i++)
        printf("%s: %s (%s)\n", arpflux_proofs_at(proofs, i) == ARPFLUX_PROOF_PROVED ? "proved" : "NOT PROVED",
               arpflux_proofs_sentence_at(proofs, i), arpflux_proofs_reason_at(proofs, i));
    all = arpflux_proofs_all_proved(proofs);
    arpflux_proofs_free(proofs);
    return all;
}

/* Whether frames say the same. */
static bool seen(const arpflux_host *host, const arpflux_policy *policy, arpflux_error **err)
{
    arpflux_verify_options options;
    arpflux_report *report;
    bool good;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.wire = ARPFLUX_WIRE_OWN;
    report = arpflux_host_verify(host, policy, &options, err);
    good = report && arpflux_report_check(report, err);
    if (good)
        printf("%zu checks, all good\n", arpflux_report_check_count(report));
    arpflux_report_free(report);
    return good;
}

int main(int argc, char **argv)
{
    const char *interface = argc > 2 ? argv[2] : "eth3";
    arpflux_apply_options options;
    arpflux_error *err = NULL;
    arpflux_host *host = NULL;
    arpflux_snapshot *snapshot = NULL;
    arpflux_policy *policy = NULL;
    arpflux_plan *plan = NULL;
    arpflux_receipt *receipt = NULL;
    arpflux_ip address;
    int status = 1;
    size_t i;

    if (!arpflux_ip_parse(argc > 1 ? argv[1] : "192.168.18.101", &address, &err))
        return fail(err);
    if (!(policy = arpflux_policy_with_proxy(NULL, "pin", &address, 1, interface, &err)) ||
        !(host = arpflux_host_open_current(&err)) || !(snapshot = arpflux_host_snapshot(host, &err)) ||
        !(plan = arpflux_policy_plan(policy, snapshot, &err)))
        goto out;
    for (i = 0; i < arpflux_plan_change_count(plan); i++)
        printf("%s\n", arpflux_change_text(arpflux_plan_change_at(plan, i)));

    /* On trial: should this program die here, the change is undone after 30 s. */
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.confirm_within_ms = 30 * 1000;
    if (!(receipt = arpflux_host_apply(host, plan, &options, &err)))
        goto out;
    if (proved(host, address, interface, &err) && seen(host, policy, &err) && arpflux_receipt_confirm(receipt, &err))
        status = 0;

out:
    if (err)
        status = fail(err);
    arpflux_receipt_free(receipt); /* undoes what was not confirmed */
    arpflux_plan_free(plan);
    arpflux_policy_free(policy);
    arpflux_snapshot_free(snapshot);
    arpflux_host_free(host);
    return status;
}
