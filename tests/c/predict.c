/* What is computed from a snapshot: matrix, claims, several hosts, outgoing packets, learning; and the records of a snapshot
 * (tests/c/predict.setup made the interfaces). */
#include "arpflux.h"
#include "check.h"
#include <stdlib.h>

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
    CHECK(arpflux_matrix_address_at(matrix, i).family == 0 && arpflux_matrix_has_flux_at(matrix, i));
    CHECK(arpflux_matrix_judged_at(matrix, i) == ARPFLUX_JUDGED_UNDETERMINED);
    CHECK(arpflux_matrix_judged(NULL) == ARPFLUX_JUDGED_UNDETERMINED);
    CHECK(arpflux_matrix_judged(matrix) == ARPFLUX_JUDGED_BAD && arpflux_matrix_undetermined_count(matrix) == 0);
    CHECK(arpflux_matrix_has_flux(matrix) && arpflux_matrix_has_flux_at(matrix, a12));
    CHECK(!arpflux_matrix_has_flux_at(matrix, a101));

    cell = arpflux_matrix_cell(matrix, a12, eth0);
    CHECK(arpflux_cell_answer(cell) == ARPFLUX_ANSWER_ANSWERS);
    CHECK(strcmp(arpflux_cell_mac(cell), "00:0c:29:b3:a2:54") == 0);
    CHECK(strcmp(arpflux_cell_rule(cell), "own address") == 0 && arpflux_cell_sender(cell).family == 4);
    CHECK(arpflux_cell_probe_answer(cell) == ARPFLUX_ANSWER_ANSWERS && arpflux_cell_probe_mac(cell) != NULL);
    cell = arpflux_matrix_cell(matrix, a101, eth3);
    CHECK(strcmp(arpflux_cell_mac(cell), "00:0c:29:b3:a2:68") == 0);
    CHECK(strcmp(arpflux_cell_rule(cell), "proxy entry") == 0);
    CHECK(arpflux_cell_probe_answer(cell) == ARPFLUX_ANSWER_SILENT && arpflux_cell_probe_mac(cell) == NULL);
    cell = arpflux_matrix_cell(matrix, a12 == 0 ? 1 : 0, eth4);
    CHECK(arpflux_cell_answer(cell) == ARPFLUX_ANSWER_SILENT && arpflux_cell_mac(cell) == NULL);
    CHECK(strcmp(arpflux_cell_rule(cell), "arp_ignore=1") == 0 && arpflux_cell_probe_rule(cell) != NULL);
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
    CHECK(same(arpflux_cell_sender(arpflux_matrix_cell(matrix, 1, 0)), "192.168.18.129"));
    arpflux_matrix_free(matrix);
    options.interfaces = bad;
    CHECK(arpflux_snapshot_matrix(snapshot, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
    arpflux_error_free(err);
    options.interfaces = names;
    targets[1] = ip("fd00::1");
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

    flux.kind = 77;
    CHECK(arpflux_snapshot_prove(snapshot, claims, 1, &err) == NULL);
    CHECK(strcmp(arpflux_error_object(err), "claim.kind") == 0);
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
    arpflux_segments *segments;
    const arpflux_segment_answer *answer;

    snapshots[0] = snapshots[1] = snapshot; /* a clone of a node is the worst of neighbours */
    segments = arpflux_segments_find(names, snapshots, 2, NULL, 0, &err);
    CHECK_OK(segments != NULL, err);
    CHECK(arpflux_segments_count(segments) == 1 && arpflux_segments_port_count(segments, 0) == 6);
    CHECK(strcmp(arpflux_segments_port_host(segments, 0, 0), "node1") == 0);
    CHECK(arpflux_segments_port_interface(segments, 0, 6) == NULL);
    answer = arpflux_segments_answer_at(segments, 0, 0);
    CHECK(arpflux_segment_answer_address(answer).family == 4);
    CHECK(arpflux_segment_answer_responder_count(answer) >= 2);
    CHECK(arpflux_segment_answer_responder_host(answer, 0) != NULL);
    CHECK(strncmp(arpflux_segment_answer_responder_interface(answer, 0), "eth", 3) == 0);
    CHECK(strncmp(arpflux_segment_answer_responder_mac(answer, 0), "00:0c:29", 8) == 0);
    CHECK(arpflux_segment_answer_responder_mac(answer, 99) == NULL);
    CHECK(arpflux_segment_answer_text(answer) != NULL);
    CHECK(arpflux_segment_answer_undetermined_count(answer) == 0);
    CHECK(arpflux_segments_answer_at(segments, 0, arpflux_segments_answer_count(segments, 0)) == NULL);
    CHECK(arpflux_segments_answer_at(segments, 1, 0) == NULL);
    CHECK(json(arpflux_segments_to_json(segments, &err), "\"host\": \"node2\""));
    arpflux_segments_free(segments);

    segments = arpflux_segments_find(names, snapshots, 2, ports, 2, &err);
    CHECK_OK(segments != NULL, err);
    CHECK(arpflux_segments_port_count(segments, 0) == 2);
    answer = arpflux_segments_answer_at(segments, 0, 0);
    CHECK(arpflux_segment_answer_outcome(answer) == ARPFLUX_SEGMENT_OUTCOME_DUPLICATE);
    CHECK(same(arpflux_segment_answer_address(answer), "192.168.18.12"));
    arpflux_segments_free(segments);
    CHECK(arpflux_segments_find(names, snapshots, 2, bad, 2, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    snapshots[1] = NULL;
    CHECK(arpflux_segments_find(names, snapshots, 2, NULL, 0, NULL) == NULL);
}

static void the_hosts_own_requests(void)
{
    arpflux_error *err = NULL;
    arpflux_packet packet;
    arpflux_outgoing *outgoing;

    memset(&packet, 0, sizeof packet);
    packet.size = sizeof packet;
    packet.destination = ip("192.168.18.129");
    packet.source = ip("192.168.18.12");
    packet.interface = "eth0";
    outgoing = arpflux_snapshot_outgoing(snapshot, &packet, &err);
    CHECK_OK(outgoing != NULL, err);
    CHECK(arpflux_outgoing_way(outgoing) == ARPFLUX_WAY_ASKS);
    CHECK(arpflux_outgoing_interface(outgoing) ==
          arpflux_interface_index(arpflux_snapshot_find_interface(snapshot, "eth0")));
    CHECK(same(arpflux_outgoing_packet_source(outgoing), "192.168.18.12"));
    CHECK(same(arpflux_outgoing_target(outgoing), "192.168.18.129"));
    CHECK(same(arpflux_outgoing_sender(outgoing), "192.168.18.12"));
    CHECK(strcmp(arpflux_outgoing_mac(outgoing), "00:0c:29:b3:a2:54") == 0);
    CHECK(arpflux_outgoing_source_rule(outgoing) == ARPFLUX_SOURCE_RULE_PACKET);
    CHECK(arpflux_outgoing_teaches_wrong_mac(outgoing)); /* eth4's address with eth0's MAC */
    CHECK(arpflux_outgoing_missing(outgoing) == NULL);
    CHECK(json(arpflux_outgoing_to_json(outgoing, &err), "\"outcome\": \"asks\""));
    arpflux_outgoing_free(outgoing);

    packet.interface = NULL;
    packet.source.family = 0;
    packet.destination = ip("203.0.113.1");
    outgoing = arpflux_snapshot_outgoing(snapshot, &packet, &err);
    CHECK_OK(outgoing != NULL, err);
    CHECK(arpflux_outgoing_way(outgoing) == ARPFLUX_WAY_UNREACHABLE && arpflux_outgoing_mac(outgoing) == NULL);
    CHECK(arpflux_outgoing_interface(outgoing) == 0 && arpflux_outgoing_sender(outgoing).family == 0);
    CHECK(arpflux_outgoing_source_rule(outgoing) == ARPFLUX_SOURCE_RULE_NONE);
    arpflux_outgoing_free(outgoing);
    packet.destination.family = 0;
    CHECK(arpflux_snapshot_outgoing(snapshot, &packet, NULL) == NULL);
}

static bool collect(arpflux_ip address, void *context)
{
    (void)address;
    return ++*(int *)context < 1;
}

/* What a host with an nftables chain that sees ARP learns cannot be told. */
static void learning_behind_a_firewall_is_undetermined(const arpflux_frame *frame)
{
    const char key[] = "\"interference\": [";
    const char chain[] = "{\"kind\": \"netfilter\", \"chain\": \"arp filter input\", \"interface\": null}";
    arpflux_learning learning = 77;
    arpflux_error *err = NULL;
    char *text = arpflux_snapshot_to_json(snapshot, &err), *at, *changed;
    arpflux_snapshot *filtered;

    CHECK_OK(text != NULL, err);
    at = strstr(text, key);
    CHECK(at != NULL);
    at += sizeof key - 1;
    changed = malloc(strlen(text) + sizeof chain + 1);
    CHECK(changed != NULL);
    sprintf(changed, "%.*s%s%s%s", (int)(at - text), text, chain, *at == ']' ? "" : ",", at);
    filtered = arpflux_snapshot_from_json(changed, &err);
    CHECK_OK(filtered != NULL, err);
    CHECK_OK(arpflux_snapshot_learns(filtered, frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_UNDETERMINED);
    arpflux_snapshot_free(filtered);
    free(changed);
    arpflux_string_free(text);
}

static void what_is_learned_and_announced(void)
{
    const uint8_t mac[] = {0, 0x0c, 0x29, 0xd2, 0xc7, 0xaa};
    arpflux_learning learning = 77;
    arpflux_error *err = NULL;
    arpflux_frame frame;
    int announced = 0;

    memset(&frame, 0, sizeof frame);
    frame.size = sizeof frame;
    frame.interface = "eth0";
    frame.sender = ip("192.168.18.129");
    frame.target = ip("192.168.18.10");
    CHECK(!arpflux_snapshot_learns(snapshot, &frame, &learning, &err)); /* no MAC */
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT && learning == 77);
    arpflux_error_free(err);
    frame.sender_mac = mac;
    frame.sender_mac_length = sizeof mac;
    CHECK_OK(arpflux_snapshot_learns(snapshot, &frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_TAKES); /* who asks and is answered is learned */
    frame.reply = frame.unicast = frame.known = 1;
    frame.known_for_ms = 60000;
    CHECK_OK(arpflux_snapshot_learns(snapshot, &frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_TAKES_CONFIRMED);
    frame.known_for_ms = 0;
    CHECK_OK(arpflux_snapshot_learns(snapshot, &frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_KEEPS_OTHER);
    frame.known = 2; /* it asks */
    CHECK_OK(arpflux_snapshot_learns(snapshot, &frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_TAKES_CONFIRMED);
    learning_behind_a_firewall_is_undetermined(&frame);
    frame.known = 3; /* permanent */
    frame.known_for_ms = 60000;
    CHECK_OK(arpflux_snapshot_learns(snapshot, &frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_NOTHING);
    frame.known = 4;
    CHECK(!arpflux_snapshot_learns(snapshot, &frame, &learning, &err));
    CHECK(strcmp(arpflux_error_object(err), "frame.known") == 0);
    arpflux_error_free(err);
    frame.known = 0;
    CHECK_OK(arpflux_snapshot_learns(snapshot, &frame, &learning, &err), err);
    CHECK(learning == ARPFLUX_LEARNING_NOTHING);

    CHECK_OK(arpflux_snapshot_announces(snapshot, "eth0", ARPFLUX_EVENT_PEERS_NOTIFIED, collect, &announced, &err), err);
    CHECK(announced == 1);
    announced = 0;
    CHECK_OK(arpflux_snapshot_announces(snapshot, "eth0", ARPFLUX_EVENT_UP, collect, &announced, &err), err);
    CHECK(announced == 0); /* arp_notify is off */
    CHECK(!arpflux_snapshot_announces(snapshot, "eth0", 9, collect, NULL, NULL));
    CHECK(!arpflux_snapshot_announces(snapshot, "eth0", ARPFLUX_EVENT_UP, NULL, NULL, &err));
    CHECK(strcmp(arpflux_error_object(err), "each") == 0);
    arpflux_error_free(err);
}

static void records_of_a_snapshot(void)
{
    size_t i, main_table = 0, mine = 0;
    uint8_t length = 77;

    CHECK(arpflux_snapshot_route_count(snapshot) > 4 && arpflux_snapshot_rule_count(snapshot) >= 4);
    for (i = 0; i < arpflux_snapshot_route_count(snapshot); i++) {
        const arpflux_route *route = arpflux_snapshot_route_at(snapshot, i);
        if (arpflux_route_table(route) == 254 && same(arpflux_route_destination(route), "192.168.18.101")) {
            main_table++;
            CHECK(arpflux_route_prefix_len(route) == 32 && arpflux_route_kind(route) == ARPFLUX_RTN_UNICAST);
            CHECK(arpflux_route_hop_count(route) == 1 && arpflux_route_hop_gateway(route, 0).family == 0);
            CHECK(arpflux_route_hop_interface(route, 0) ==
                  arpflux_interface_index(arpflux_snapshot_find_interface(snapshot, "venet0")));
            CHECK(arpflux_route_hop_weight(route, 0) == 1 && arpflux_route_hop_weight(route, 1) == 0);
            CHECK(arpflux_route_metric(route) == 0 && arpflux_route_preferred_source(route).family == 0);
        }
    }
    CHECK(main_table == 1 && arpflux_snapshot_route_at(snapshot, i) == NULL);
    for (i = 0; i < arpflux_snapshot_rule_count(snapshot); i++) {
        const arpflux_rule *rule = arpflux_snapshot_rule_at(snapshot, i);
        if (arpflux_rule_priority(rule) == 700) {
            mine++;
            CHECK(same(arpflux_rule_source(rule, &length), "10.9.0.0") && length == 16);
            length = 77;
            CHECK(arpflux_rule_destination(rule, &length).family == 0 && length == 77);
            CHECK(arpflux_rule_table(rule) == 99 && arpflux_rule_action(rule) == ARPFLUX_FR_ACT_TABLE);
            CHECK(strcmp(arpflux_rule_iif(rule), "eth0") == 0 && arpflux_rule_oif(rule) == NULL);
            CHECK(arpflux_rule_fwmark(rule) == 1 && arpflux_rule_fwmask(rule) == 0xffffffff);
            CHECK(!arpflux_rule_is_ipv6(rule) && !arpflux_rule_is_inverted(rule));
            CHECK(arpflux_rule_suppress_prefix_len(rule) == 0);
        }
    }
    CHECK(mine == 1);
    for (i = 0, mine = 0; i < arpflux_snapshot_neighbour_count(snapshot); i++) {
        const arpflux_neighbour *neighbour = arpflux_snapshot_neighbour_at(snapshot, i);
        size_t bytes = 0;
        if (!same(arpflux_neighbour_address(neighbour), "192.168.18.129"))
            continue;
        mine++;
        CHECK(arpflux_neighbour_mac_bytes(neighbour, &bytes)[5] == 0xaa && bytes == 6);
        CHECK(arpflux_neighbour_state(neighbour) == 0x80);
        CHECK(arpflux_neighbour_interface(neighbour) ==
              arpflux_interface_index(arpflux_snapshot_find_interface(snapshot, "eth0")));
    }
    CHECK(mine == 1);
    CHECK(arpflux_snapshot_kernel(snapshot) != NULL && arpflux_snapshot_netns_inode(snapshot) > 0);
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
    RUN(what_is_learned_and_announced);
    RUN(records_of_a_snapshot);
    arpflux_snapshot_free(snapshot);
    return report();
}
