/* What NULL and a count of 0 mean for each list that a function or a struct takes, as docs/c-guide.md says (tests/c/lists.setup made
 * the interfaces). */
#include <stdlib.h>

#include "arpflux.h"
#include "check.h"

static arpflux_host *host;
static arpflux_snapshot *snapshot;
static arpflux_error *err;
static const char *text[] = {"eth0"};

/* Whether a call failed because of its list; the error is freed. */
static bool refused(const void *given, const char *what)
{
    bool right = given == NULL && about(err, what);

    if (!right)
        fprintf(stderr, "instead of %s: %s\n", what, err ? arpflux_error_text(err) : "no error");
    arpflux_error_free(err);
    err = NULL;
    return right;
}

/* Whether a receipt says that there was nothing to do; it is freed. */
static bool unchanged(arpflux_receipt *receipt)
{
    bool right = receipt != NULL && arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_UNCHANGED;

    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    return right;
}

static size_t cells(arpflux_matrix *matrix, arpflux_judged *judged)
{
    size_t count = arpflux_matrix_interface_count(matrix) * arpflux_matrix_address_count(matrix);

    CHECK_OK(matrix != NULL, err);
    *judged = arpflux_matrix_judged(matrix);
    arpflux_matrix_free(matrix);
    return count;
}

static void a_matrix(void)
{
    arpflux_ip target = ip("192.168.18.10");
    arpflux_matrix_options options;
    arpflux_judged judged;

    INIT(options);
    CHECK(cells(arpflux_snapshot_matrix(snapshot, &options, &err), &judged) > 1 && judged == ARPFLUX_JUDGED_BAD);
    options.interfaces = text;
    CHECK(cells(arpflux_snapshot_matrix(snapshot, &options, &err), &judged) == 0 && judged == ARPFLUX_JUDGED_UNDETERMINED);
    options.interfaces = NULL;
    options.targets = &target;
    CHECK(cells(arpflux_snapshot_matrix(snapshot, &options, &err), &judged) == 0 && judged == ARPFLUX_JUDGED_UNDETERMINED);
    options.targets = NULL;
    options.target_count = 1;
    CHECK(refused(arpflux_snapshot_matrix(snapshot, &options, &err), "options.targets"));
}

static void claims(void)
{
    const arpflux_claim *none[1];
    arpflux_claim claim;
    arpflux_proofs *proofs[2];
    size_t i;

    none[0] = &claim;
    INIT(claim);
    claim.kind = ARPFLUX_CLAIM_KIND_EXACTLY_ONE;
    claim.address = ip("192.168.18.10");
    proofs[0] = arpflux_snapshot_prove(snapshot, NULL, 0, &err);
    proofs[1] = arpflux_snapshot_prove(snapshot, none, 0, &err);
    for (i = 0; i < 2; i++) {
        CHECK_OK(proofs[i] != NULL, err);
        CHECK(arpflux_proofs_count(proofs[i]) == 0 && !arpflux_proofs_all_proved(proofs[i]));
        arpflux_proofs_free(proofs[i]);
    }
    proofs[0] = arpflux_snapshot_prove(snapshot, none, 1, &err); /* all, and not one of them alone answers */
    claim.among = text;
    CHECK(refused(arpflux_snapshot_prove(snapshot, none, 1, &err), "no interface is named"));
    claim.among_count = 1;
    proofs[1] = arpflux_snapshot_prove(snapshot, none, 1, &err);
    CHECK(arpflux_proofs_at(proofs[0], 0) == ARPFLUX_PROOF_REFUTED && arpflux_proofs_at(proofs[1], 0) == ARPFLUX_PROOF_PROVED);
    for (i = 0; i < 2; i++)
        arpflux_proofs_free(proofs[i]);
}

static void several_hosts(void)
{
    const arpflux_snapshot *one[1];
    arpflux_port port;

    memset(&port, 0, sizeof port);
    one[0] = snapshot;
    CHECK(json(arpflux_segments_to_json(NULL, NULL, 0, NULL, 0, &err), "\"segments\": []"));
    CHECK(json(arpflux_segments_to_json(text, one, 0, NULL, 0, &err), "\"segments\": []"));
    CHECK(json(arpflux_segments_to_json(text, one, 1, &port, 0, &err), "\"segments\": [")); /* one wire of nobody */
    CHECK(refused(arpflux_segments_to_json(text, one, 1, NULL, 1, &err), "ports"));
    CHECK(refused(arpflux_segments_to_json(text, NULL, 1, NULL, 0, &err), "snapshots"));
}

static void who_is_asked(void)
{
    const char *target[] = {"192.168.18.77"};
    arpflux_detect_options detect;
    arpflux_wires_options wires;

    INIT(detect);
    detect.rounds = 1;
    detect.wait_ms = 1;
    INIT(wires);
    wires.wait_ms = 1;
    CHECK(refused(arpflux_host_probe(host, NULL, 0, NULL, NULL, NULL, &err), "there is no address"));
    CHECK(refused(arpflux_host_probe(host, text, 0, NULL, NULL, NULL, &err), "there is no address"));
    CHECK(refused(arpflux_host_detect(host, NULL, 0, &detect, &err), "no address"));
    CHECK(refused(arpflux_host_detect(host, text, 0, &detect, &err), "no address"));
    detect.interfaces = text;
    CHECK(refused(arpflux_host_detect(host, target, 1, &detect, &err), "no interface is named"));
    detect.interfaces = NULL;
    detect.interface_count = 1;
    CHECK(refused(arpflux_host_detect(host, target, 1, &detect, &err), "options.interfaces"));
    CHECK(json(arpflux_host_wires_to_json(host, NULL, 0, &wires, &err), "\"eth4\""));
    CHECK(refused(arpflux_host_wires_to_json(host, text, 0, &wires, &err), "no interface is named"));
    CHECK(refused(arpflux_host_wires_to_json(host, NULL, 1, &wires, &err), "interfaces"));
}

static void what_is_told(void)
{
    arpflux_ip address = ip("192.168.18.10");
    arpflux_announce_options options;
    const char *never[] = {"10.0.0.0/8"};
    size_t frames = 77;

    INIT(options);
    options.rounds = 1;
    CHECK(refused(arpflux_host_announce(host, "eth0", NULL, 0, &options, &frames, &err) ? host : NULL, "there is no address"));
    CHECK(refused(arpflux_host_announce(host, "eth0", &address, 0, &options, &frames, &err) ? host : NULL, "there is no address"));
    CHECK(frames == 77);
    options.never = never;
    CHECK_OK(arpflux_host_announce(host, "eth0", &address, 1, &options, &frames, &err), err);
    CHECK(frames > 0);
}

static void entries(void)
{
    arpflux_ip address = ip("192.168.18.170");
    arpflux_policy *with = arpflux_policy_with_proxy(NULL, "101", &address, 1, "eth3", &err), *without;

    CHECK(arpflux_policy_proxy_count(with) == 1);
    without = arpflux_policy_with_proxy(with, "101", NULL, 0, NULL, &err);
    CHECK(without != NULL && arpflux_policy_proxy_count(without) == 0);
    arpflux_policy_free(without);
    without = arpflux_policy_with_proxy(with, "101", &address, 0, "eth3", &err);
    CHECK(without != NULL && arpflux_policy_proxy_count(without) == 0);
    arpflux_policy_free(without);
    arpflux_policy_free(with);
    CHECK(unchanged(arpflux_host_add_proxies(host, "eth3", NULL, 0, NULL, &err)));
    CHECK(unchanged(arpflux_host_add_proxies(host, "eth3", &address, 0, NULL, &err)));
    CHECK(unchanged(arpflux_host_remove_proxies(host, NULL, NULL, 0, NULL, &err)));
    CHECK(unchanged(arpflux_host_remove_proxies(host, "eth3", &address, 0, NULL, &err)));
}

static void findings_and_macs(void)
{
    arpflux_diagnose_options options;
    arpflux_diagnosis *all, *same;
    arpflux_capture *capture = arpflux_capture_new(&err);

    INIT(options);
    all = arpflux_snapshot_diagnose(snapshot, &options, &err);
    options.ignore = text;
    same = arpflux_snapshot_diagnose(snapshot, &options, &err);
    CHECK(arpflux_diagnosis_count(all) > 0 && arpflux_diagnosis_count(all) == arpflux_diagnosis_count(same));
    arpflux_diagnosis_free(all);
    arpflux_diagnosis_free(same);
    CHECK_OK(arpflux_capture_know_host(capture, NULL, 0, &err), err);
    CHECK_OK(arpflux_capture_know_host(capture, text, 0, &err), err);
    arpflux_capture_free(capture);
}

int main(void)
{
    host = arpflux_host_open_current(&err);
    snapshot = arpflux_host_snapshot(host, &err);
    if (!snapshot) {
        fprintf(stderr, "%s\n", arpflux_error_text(err));
        return 1;
    }
    RUN(a_matrix);
    RUN(claims);
    RUN(several_hosts);
    RUN(who_is_asked);
    RUN(what_is_told);
    RUN(entries);
    RUN(findings_and_macs);
    arpflux_snapshot_free(snapshot);
    arpflux_host_free(host);
    return report();
}
