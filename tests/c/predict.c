/* What is computed from a snapshot: matrix, claims, several hosts, outgoing packets; and the records of a snapshot
 * (tests/c/predict.setup made the interfaces). */
#include "arpflux.h"
#include "check.h"

static arpflux_snapshot *snapshot;

static void a_matrix_shows_flux(void)
{
    arpflux_matrix_options options;
    arpflux_error *err = NULL;
    arpflux_matrix *matrix = arpflux_snapshot_matrix(snapshot, NULL, &err);
    const arpflux_cell *cell;
    const char *names[] = {"eth3"};
    const char *bad[] = {"eth9"};
    arpflux_ip targets[2];
    size_t eth0 = 99, eth3 = 99, eth4 = 99, i, a12 = 99, a101 = 99;

    CHECK_OK(matrix != NULL, err);
    CHECK(arpflux_matrix_interface_count(matrix) >= 3 && arpflux_matrix_address_count(matrix) == 4);
    for (i = 0; i < arpflux_matrix_interface_count(matrix); i++) {
        if (strcmp(arpflux_matrix_interface_at(matrix, i), "eth0") == 0) eth0 = i;
        if (strcmp(arpflux_matrix_interface_at(matrix, i), "eth3") == 0) eth3 = i;
        if (strcmp(arpflux_matrix_interface_at(matrix, i), "eth4") == 0) eth4 = i;
    }
    CHECK(arpflux_matrix_wire_at(matrix, eth0) == arpflux_matrix_wire_at(matrix, eth3));
    CHECK(arpflux_matrix_interface_at(matrix, i) == NULL && arpflux_matrix_wire_at(matrix, i) == (size_t)-1);
    for (i = 0; i < arpflux_matrix_address_count(matrix); i++) {
        if (same(arpflux_matrix_address_at(matrix, i), "192.168.18.12")) a12 = i;
        if (same(arpflux_matrix_address_at(matrix, i), "192.168.18.101")) a101 = i;
    }
    CHECK(arpflux_matrix_address_at(matrix, i).family == 0);
    CHECK(arpflux_matrix_judged_at(matrix, i) == ARPFLUX_JUDGED_UNDETERMINED);
    CHECK(arpflux_matrix_judged(NULL) == ARPFLUX_JUDGED_UNDETERMINED);
    CHECK(arpflux_matrix_judged(matrix) == ARPFLUX_JUDGED_BAD && arpflux_matrix_undetermined_count(matrix) == 0);
    CHECK(arpflux_matrix_judged_at(matrix, a12) == ARPFLUX_JUDGED_BAD);
    CHECK(arpflux_matrix_judged_at(matrix, a101) == ARPFLUX_JUDGED_GOOD);

    cell = arpflux_matrix_cell(matrix, a12, eth0);
    CHECK(arpflux_cell_answer(cell) == ARPFLUX_ANSWER_ANSWERS);
    CHECK(strcmp(arpflux_cell_mac(cell), "00:0c:29:b3:a2:54") == 0);
    CHECK(strcmp(arpflux_cell_rule(cell), "own address") == 0);
    cell = arpflux_matrix_cell(matrix, a101, eth3);
    CHECK(strcmp(arpflux_cell_mac(cell), "00:0c:29:b3:a2:68") == 0);
    CHECK(strcmp(arpflux_cell_rule(cell), "proxy entry") == 0);
    cell = arpflux_matrix_cell(matrix, a12 == 0 ? 1 : 0, eth4);
    CHECK(arpflux_cell_answer(cell) == ARPFLUX_ANSWER_SILENT && arpflux_cell_mac(cell) == NULL);
    CHECK(strcmp(arpflux_cell_rule(cell), "arp_ignore=1") == 0);
    CHECK(arpflux_matrix_cell(matrix, 0, 99) == NULL && arpflux_matrix_cell(matrix, 99, 0) == NULL);
    CHECK(arpflux_matrix_cell(matrix, (size_t)-1, 1) == NULL);
    CHECK(json(arpflux_matrix_to_json(matrix, &err), "\"flux\": true"));
    arpflux_matrix_free(matrix);

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.sender = ip("192.168.18.129");
    options.interfaces = names;
    options.interface_count = 1;
    targets[0] = ip("192.168.18.10");
    targets[1] = ip("192.168.18.101");
    options.targets = targets;
    options.target_count = 2;
    matrix = arpflux_snapshot_matrix(snapshot, &options, &err);
    CHECK_OK(matrix != NULL, err);
    CHECK(arpflux_matrix_interface_count(matrix) == 1 && arpflux_matrix_address_count(matrix) == 2);
    arpflux_matrix_free(matrix);
    options.interfaces = bad;
    CHECK(arpflux_snapshot_matrix(snapshot, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
    arpflux_error_free(err);
    options.interfaces = names;
    targets[1] = ip("fd00::1");
    matrix = arpflux_snapshot_matrix(snapshot, &options, &err);
    CHECK_OK(matrix != NULL, err);
    CHECK(arpflux_matrix_address_count(matrix) == 2 && same(arpflux_matrix_address_at(matrix, 1), "fd00::1"));
    CHECK(arpflux_matrix_judged_at(matrix, 1) == ARPFLUX_JUDGED_GOOD);
    CHECK(arpflux_cell_answer(arpflux_matrix_cell(matrix, 1, 0)) == ARPFLUX_ANSWER_SILENT);
    arpflux_matrix_free(matrix);
    targets[1].family = 99;
    CHECK(arpflux_snapshot_matrix(snapshot, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
}

static void claims_are_proved_or_refuted(void)
{
    const char *wire[] = {"eth0", "eth3", "eth4"};
    arpflux_claim flux, proxied, never, leaves;
    const arpflux_claim *claims[4];
    arpflux_error *err = NULL;
    arpflux_proofs *proofs;
    size_t i, refuted = 0;

    memset(&flux, 0, sizeof flux);
    flux.size = sizeof flux;
    flux.kind = ARPFLUX_CLAIM_KIND_EXACTLY_ONE;
    flux.address = ip("192.168.18.12");
    flux.among = wire;
    flux.among_count = 3;
    proxied = flux;
    proxied.address = ip("192.168.18.101");
    never = flux;
    never.kind = ARPFLUX_CLAIM_KIND_NEVER;
    never.interface = "eth0";
    never.address = ip("192.168.18.96");
    never.prefix_len = 27;
    leaves = flux;
    leaves.kind = ARPFLUX_CLAIM_KIND_LEAVES_BY;
    leaves.interface = "eth4";
    claims[0] = &flux;
    claims[1] = &proxied;
    claims[2] = &never;
    claims[3] = &leaves;
    proofs = arpflux_snapshot_prove(snapshot, claims, 4, &err);
    CHECK_OK(proofs != NULL, err);
    CHECK(arpflux_proofs_count(proofs) == 4 && !arpflux_proofs_all_proved(proofs));
    CHECK(arpflux_proofs_at(proofs, 0) == ARPFLUX_PROOF_REFUTED);
    CHECK(strstr(arpflux_proofs_reason_at(proofs, 0), "two interfaces answer for 192.168.18.12") != NULL);
    CHECK(arpflux_proofs_at(proofs, 1) == ARPFLUX_PROOF_PROVED);
    CHECK(strstr(arpflux_proofs_sentence_at(proofs, 1), "exactly one of eth0, eth3, eth4") != NULL);
    CHECK(arpflux_proofs_at(proofs, 2) == ARPFLUX_PROOF_PROVED); /* eth0 has no proxy entry */
    CHECK(arpflux_proofs_at(proofs, 3) == ARPFLUX_PROOF_REFUTED); /* no source routing */
    CHECK(arpflux_proofs_sentence_at(proofs, 4) == NULL);
    CHECK(json(arpflux_proofs_to_json(proofs, &err), "\"proof\": \"refuted\""));
    arpflux_proofs_free(proofs);

    proofs = arpflux_snapshot_prove(snapshot, claims + 1, 2, &err);
    CHECK(arpflux_proofs_all_proved(proofs));
    arpflux_proofs_free(proofs);
    proofs = arpflux_snapshot_prove(snapshot, NULL, 0, &err);
    CHECK(proofs != NULL && !arpflux_proofs_all_proved(proofs)); /* nothing claimed is nothing proved */
    arpflux_proofs_free(proofs);
    proofs = arpflux_snapshot_prove_wires(snapshot, &err);
    CHECK_OK(proofs != NULL, err);
    for (i = 0; i < arpflux_proofs_count(proofs); i++)
        refuted += arpflux_proofs_at(proofs, i) == ARPFLUX_PROOF_REFUTED;
    CHECK(arpflux_proofs_count(proofs) == 4 && refuted >= 2);
    arpflux_proofs_free(proofs);

    /* Of IPv6 as well; this snapshot does not say what decides there. */
    proxied.address = ip("2001:db8::10");
    never.address = ip("2001:db8::");
    never.prefix_len = 64;
    proofs = arpflux_snapshot_prove(snapshot, claims + 1, 2, &err);
    CHECK_OK(proofs != NULL, err);
    CHECK(strstr(arpflux_proofs_sentence_at(proofs, 1), "eth0 never answers for 2001:db8::/64") != NULL);
    CHECK(arpflux_proofs_not_covered_count(proofs) == 1 && arpflux_proofs_not_covered_at(proofs, 1) == NULL);
    CHECK(strcmp(arpflux_proofs_not_covered_at(proofs, 0), "solicitations by unicast") == 0);
    arpflux_proofs_free(proofs);
    never.prefix_len = 129;
    CHECK(arpflux_snapshot_prove(snapshot, claims + 2, 1, NULL) == NULL);
    leaves.address = ip("2001:db8::10");
    CHECK(arpflux_snapshot_prove(snapshot, claims + 3, 1, &err) == NULL);
    CHECK(about(err, "claim.address"));
    arpflux_error_free(err);
    never.address = ip("192.168.18.96");

    flux.kind = 77;
    CHECK(arpflux_snapshot_prove(snapshot, claims, 1, &err) == NULL);
    CHECK(about(err, "claim.kind"));
    arpflux_error_free(err);
    flux.kind = ARPFLUX_CLAIM_KIND_UNKNOWN;
    CHECK(arpflux_snapshot_prove(snapshot, claims, 1, &err) == NULL);
    CHECK(about(err, "claim.kind"));
    arpflux_error_free(err);
    never.prefix_len = 33;
    CHECK(arpflux_snapshot_prove(snapshot, claims + 2, 1, NULL) == NULL);
    never.interface = NULL;
    CHECK(arpflux_snapshot_prove(snapshot, claims + 2, 1, NULL) == NULL);
    claims[0] = NULL;
    CHECK(arpflux_snapshot_prove(snapshot, claims, 1, NULL) == NULL);
    CHECK(arpflux_snapshot_prove(snapshot, NULL, 1, NULL) == NULL);
}

static void several_hosts_on_one_wire(void)
{
    const char *names[] = {"node1", "node2"};
    const arpflux_snapshot *snapshots[2];
    arpflux_port ports[] = {{0, "eth0"}, {1, "eth4"}};
    arpflux_port bad[] = {{0, "eth0"}, {2, "eth4"}};
    arpflux_error *err = NULL;

    snapshots[0] = snapshots[1] = snapshot; /* a clone of a node is the worst of neighbours */
    CHECK(json(arpflux_segments_to_json(names, snapshots, 2, NULL, 0, &err), "\"host\": \"node2\""));
    CHECK(json(arpflux_segments_to_json(names, snapshots, 2, ports, 2, &err), "\"duplicate\""));
    CHECK(arpflux_segments_to_json(names, snapshots, 2, bad, 2, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    snapshots[1] = NULL;
    CHECK(arpflux_segments_to_json(names, snapshots, 2, NULL, 0, NULL) == NULL);
}

static void the_hosts_own_requests(void)
{
    arpflux_error *err = NULL;
    arpflux_packet packet;

    INIT(packet);
    packet.destination = ip("192.168.18.129");
    packet.source = ip("192.168.18.12");
    packet.interface = "eth0";
    /* A permanent neighbour entry: nobody is asked. */
    CHECK(json(arpflux_snapshot_outgoing_to_json(snapshot, &packet, &err), "\"outcome\": \"no_request\""));
    packet.destination = ip("192.168.18.130");
    CHECK(json(arpflux_snapshot_outgoing_to_json(snapshot, &packet, &err), "\"outcome\": \"asks\""));
    packet.interface = NULL;
    packet.source.family = 0;
    packet.destination = ip("203.0.113.1");
    CHECK(json(arpflux_snapshot_outgoing_to_json(snapshot, &packet, &err), "\"outcome\": \"unreachable\""));
    packet.destination.family = 0;
    CHECK(arpflux_snapshot_outgoing_to_json(snapshot, &packet, NULL) == NULL);
}

static void records_of_a_snapshot(void)
{
    size_t i;

    CHECK(arpflux_snapshot_kernel(snapshot) != NULL);
    CHECK(arpflux_snapshot_ip_forward(snapshot) == 0 || arpflux_snapshot_ip_forward(snapshot) == 1);
    for (i = 0; i < arpflux_snapshot_interference_count(snapshot); i++)
        CHECK(arpflux_snapshot_interference_at(snapshot, i) != NULL);
    CHECK(arpflux_snapshot_interference_at(snapshot, i) == NULL);
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
    RUN(a_matrix_shows_flux);
    RUN(claims_are_proved_or_refuted);
    RUN(several_hosts_on_one_wire);
    RUN(the_hosts_own_requests);
    RUN(records_of_a_snapshot);
    arpflux_snapshot_free(snapshot);
    return report();
}
