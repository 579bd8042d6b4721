/*
 * Pins one address to one interface, and proves it: the policy is planned, applied on trial, looked at with
 * the model of the kernel, and kept only if exactly that interface answers.
 *
 *     cc pin.c -o pin $(pkg-config --cflags --libs arpflux)
 *     ./pin ADDRESS INTERFACE SENDER        (as root)
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

/* How many interfaces answer for the address, and whether the wanted one does. */
static int answering(const arpflux_host *host, arpflux_ip target, arpflux_ip sender, const char *wanted,
                     bool *wanted_answers, arpflux_error **err)
{
    arpflux_snapshot *snapshot = arpflux_host_snapshot(host, err);
    arpflux_request request;
    int count = 0;
    size_t i;

    if (!snapshot)
        return -1;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.target = target;
    request.sender = sender;
    *wanted_answers = false;
    for (i = 0; i < arpflux_snapshot_interface_count(snapshot); i++) {
        arpflux_explanation *explanation;
        request.interface = arpflux_interface_name(arpflux_snapshot_interface_at(snapshot, i));
        explanation = arpflux_snapshot_explain(snapshot, &request, err);
        if (!explanation) {
            arpflux_snapshot_free(snapshot);
            return -1;
        }
        /* What cannot be told is no proof: it counts as an answer. */
        if (arpflux_explanation_answer(explanation) != ARPFLUX_ANSWER_SILENT) {
            count++;
            if (strcmp(request.interface, wanted) == 0)
                *wanted_answers = true;
        }
        arpflux_explanation_free(explanation);
    }
    arpflux_snapshot_free(snapshot);
    return count;
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "192.168.18.101";
    const char *interface = argc > 2 ? argv[2] : "eth3";
    arpflux_apply_options options;
    arpflux_error *err = NULL;
    arpflux_host *host = NULL;
    arpflux_snapshot *snapshot = NULL;
    arpflux_policy *policy = NULL;
    arpflux_plan *plan = NULL;
    arpflux_receipt *receipt = NULL;
    arpflux_ip target, sender;
    bool wanted = false;
    int count, status = 1;
    char text[512];
    size_t i;

    if (!arpflux_ip_parse(address, &target, &err) ||
        !arpflux_ip_parse(argc > 3 ? argv[3] : "192.168.18.129", &sender, &err))
        return fail(err);
    snprintf(text, sizeof text,
             "{\"version\": 1, \"proxy\": [{\"owner\": \"pin\", \"addresses\": [\"%s\"], \"interface\": \"%s\"}]}",
             address, interface);

    if (!(policy = arpflux_policy_from_json(text, "arguments", &err)) ||
        !(host = arpflux_host_open_current(&err)) || !(snapshot = arpflux_host_snapshot(host, &err)) ||
        !(plan = arpflux_policy_plan(policy, snapshot, &err)))
        goto out;
    for (i = 0; i < arpflux_plan_change_count(plan); i++)
        printf("%s\n", arpflux_plan_change_at(plan, i));

    /* On trial: should this program die here, the change is undone after 30 s. */
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.confirm_within_ms = 30 * 1000;
    if (!(receipt = arpflux_host_apply(host, plan, &options, &err)))
        goto out;
    count = answering(host, target, sender, interface, &wanted, &err);
    if (count < 0)
        goto out;
    printf("%s: %d interface(s) answer, %s %s\n", address, count, interface, wanted ? "does" : "does not");
    if (count == 1 && wanted && arpflux_receipt_confirm(receipt, &err))
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
