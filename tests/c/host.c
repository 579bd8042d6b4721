/* Hosts, snapshots, policies and explanations on the real kernel (tests/c/host.setup made the interfaces). */
#include <stdlib.h>
#include <unistd.h>

#include "arpflux.h"
#include "check.h"

static arpflux_snapshot *here(void)
{
    arpflux_error *err = NULL;
    arpflux_host *host = arpflux_host_open_current(&err);
    arpflux_snapshot *snapshot;

    CHECK_OK(host != NULL, err);
    snapshot = arpflux_host_snapshot(host, &err);
    CHECK_OK(snapshot != NULL, err);
    arpflux_host_free(host);
    return snapshot;
}

static void snapshot_holds_what_was_made(void)
{
    arpflux_snapshot *snapshot = here();
    const arpflux_interface *eth3 = arpflux_snapshot_interface_by_name(snapshot, "eth3");
    char text[ARPFLUX_IP_TEXT_SIZE];
    size_t i, names = 0;

    CHECK(eth3 != NULL);
    CHECK(strcmp(arpflux_interface_mac(eth3), "00:0c:29:b3:a2:68") == 0);
    CHECK(arpflux_interface_speaks_arp(eth3));
    CHECK(arpflux_snapshot_interface_by_index(snapshot, arpflux_interface_index(eth3)) == eth3);
    CHECK(arpflux_snapshot_interface_by_index(snapshot, 0) == NULL && arpflux_snapshot_interface_by_index(snapshot, 9999) == NULL);
    CHECK(!arpflux_interface_speaks_arp(arpflux_snapshot_interface_by_name(snapshot, "venet0")));
    for (i = 0; i < arpflux_snapshot_interface_count(snapshot); i++)
        names += strncmp(arpflux_interface_name(arpflux_snapshot_interface_at(snapshot, i)), "eth", 3) == 0;
    CHECK(names == 3);

    CHECK(arpflux_snapshot_proxy_count(snapshot) == 1);
    if (arpflux_snapshot_proxy_count(snapshot) != 1) { /* what else is there? */
        char *json = arpflux_snapshot_to_json(snapshot, NULL);
        fputs(json, stderr);
        arpflux_string_free(json);
    }
    CHECK(arpflux_proxy_interface(arpflux_snapshot_proxy_at(snapshot, 0)) == arpflux_interface_index(eth3));
    arpflux_ip_format(arpflux_proxy_address(arpflux_snapshot_proxy_at(snapshot, 0)), text, sizeof text);
    CHECK(strcmp(text, "192.168.18.101") == 0);
    arpflux_snapshot_free(snapshot);
}

static void for_strangers(void)
{
    arpflux_snapshot *snapshot = here(), *other;
    arpflux_error *err = NULL;
    char *json;

    other = arpflux_snapshot_anonymised(snapshot, &err);
    CHECK_OK(other != NULL, err);
    CHECK(arpflux_snapshot_interface_count(other) == arpflux_snapshot_interface_count(snapshot));
    CHECK(arpflux_snapshot_interface_by_name(other, "eth3") == NULL);
    json = arpflux_snapshot_to_json(other, &err);
    CHECK(json && !strstr(json, "eth3") && !strstr(json, "192.168.18.101"));
    arpflux_string_free(json);
    arpflux_snapshot_free(other);
    arpflux_snapshot_free(snapshot);
    CHECK(arpflux_snapshot_anonymised(NULL, NULL) == NULL);
}

static void json_round_trip(void)
{
    arpflux_snapshot *snapshot = here(), *again;
    arpflux_error *err = NULL;
    char *json = arpflux_snapshot_to_json(snapshot, &err), *twice;
    FILE *file;

    CHECK_OK(json != NULL, err);
    again = arpflux_snapshot_from_json(json, strlen(json), &err);
    CHECK_OK(again != NULL, err);
    twice = arpflux_snapshot_to_json(again, &err);
    CHECK(twice && strcmp(twice, json) == 0);
    arpflux_snapshot_free(again);
    CHECK(arpflux_snapshot_from_json(json, strlen(json) - 9, NULL) == NULL); /* its length counts */
    file = fopen("/run/snapshot.json", "w");
    CHECK(file && fputs(json, file) >= 0 && fclose(file) == 0);
    again = arpflux_snapshot_from_path("/run/snapshot.json", &err);
    CHECK_OK(again != NULL, err);
    CHECK(arpflux_snapshot_interface_count(again) == arpflux_snapshot_interface_count(snapshot));
    arpflux_snapshot_free(again);
    CHECK(remove("/run/snapshot.json") == 0);
    CHECK(arpflux_snapshot_from_path("/no/such.json", &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND && about(err, "/no/such.json"));
    arpflux_error_free(err);
    err = NULL;
    CHECK(arpflux_snapshot_from_path("/proc/self/cmdline", &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_DATA && about(err, "/proc/self/cmdline"));
    arpflux_error_free(err);
    arpflux_string_free(twice);
    arpflux_string_free(json);
    arpflux_snapshot_free(snapshot);
}

static void other_namespaces_by_name_path_and_process(void)
{
    arpflux_error *err = NULL;
    arpflux_host *host;
    arpflux_snapshot *snapshot;
    const char *bad[] = {"no-such", "", "..", "/proc/self/ns/pid", "/etc/hostname", "/no/such/file"};
    size_t i;

    host = arpflux_host_open_netns("hn2", &err);
    CHECK_OK(host != NULL, err);
    snapshot = arpflux_host_snapshot(host, &err);
    CHECK_OK(snapshot != NULL, err);
    CHECK(arpflux_snapshot_interface_by_name(snapshot, "eth3") == NULL);
    CHECK(arpflux_snapshot_interface_by_name(snapshot, "lo") != NULL);
    arpflux_snapshot_free(snapshot);
    arpflux_host_free(host);

    host = arpflux_host_open_netns("/run/netns/hn2", &err);
    CHECK_OK(host != NULL, err);
    arpflux_host_free(host);
    host = arpflux_host_open_netns("/proc/self/ns/net", &err);
    CHECK_OK(host != NULL, err);
    snapshot = arpflux_host_snapshot(host, &err);
    CHECK_OK(arpflux_snapshot_interface_by_name(snapshot, "eth3") != NULL, err);
    arpflux_snapshot_free(snapshot);
    arpflux_host_free(host);

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(arpflux_host_open_netns(bad[i], &err) == NULL);
        CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND ||
              arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
        arpflux_error_free(err);
    }
    CHECK(arpflux_host_open_netns(NULL, NULL) == NULL);
    CHECK(arpflux_host_snapshot(NULL, NULL) == NULL);
}

static void explain_says_who_answers_and_why(void)
{
    arpflux_snapshot *snapshot = here();
    arpflux_error *err = NULL;
    arpflux_explanation *explanation;
    arpflux_request request;
    struct { const char *on, *target, *mac; } rows[] = {
        {"eth0", "192.168.18.10", "00:0c:29:b3:a2:54"},
        {"eth0", "192.168.18.12", "00:0c:29:b3:a2:54"}, /* flux: eth4's address, eth0's MAC */
        {"eth4", "192.168.18.10", NULL},                /* arp_ignore=1 */
        {"eth4", "192.168.18.12", "00:0c:29:b3:a2:5e"},
        {"eth3", "192.168.18.101", "00:0c:29:b3:a2:68"}, /* the proxy entry */
        {"eth0", "192.168.18.101", NULL},
    };
    size_t i;

    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    CHECK(arpflux_ip_parse("192.168.18.129", &request.sender, NULL));
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        request.interface = rows[i].on;
        CHECK(arpflux_ip_parse(rows[i].target, &request.target, NULL));
        explanation = arpflux_snapshot_explain(snapshot, &request, &err);
        CHECK_OK(explanation != NULL, err);
        if (rows[i].mac) {
            CHECK(arpflux_explanation_answer(explanation) == ARPFLUX_ANSWER_ANSWERS);
            CHECK(strstr(arpflux_explanation_text(explanation), rows[i].mac) != NULL);
        } else {
            CHECK(arpflux_explanation_answer(explanation) == ARPFLUX_ANSWER_SILENT);
        }
        CHECK(json(arpflux_explanation_to_json(explanation, &err), "\"answers\":"));
        arpflux_explanation_free(explanation);
    }

    request.interface = "eth9";
    CHECK(arpflux_snapshot_explain(snapshot, &request, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
    arpflux_error_free(err);
    request.interface = "eth0";
    request.target.family = 6;
    CHECK(arpflux_snapshot_explain(snapshot, &request, NULL) == NULL);
    request.target.family = 4;
    request.size = 3;
    CHECK(arpflux_snapshot_explain(snapshot, &request, &err) == NULL);
    CHECK(about(err, "request.size"));
    arpflux_error_free(err);
    CHECK(arpflux_snapshot_explain(snapshot, NULL, NULL) == NULL);
    arpflux_snapshot_free(snapshot);
}

static void options_of_other_versions(void)
{
    arpflux_snapshot *snapshot = here();
    arpflux_error *err = NULL;
    arpflux_explanation *explanation;
    struct { arpflux_request request; uint64_t later; } newer;
    arpflux_request older;

    memset(&newer, 0, sizeof newer);
    newer.request.size = sizeof newer;
    newer.request.interface = "eth0";
    CHECK(arpflux_ip_parse("192.168.18.129", &newer.request.sender, NULL));
    CHECK(arpflux_ip_parse("192.168.18.10", &newer.request.target, NULL));
    explanation = arpflux_snapshot_explain(snapshot, &newer.request, &err);
    CHECK_OK(explanation != NULL, err);
    arpflux_explanation_free(explanation);
    newer.later = 1;
    CHECK(arpflux_snapshot_explain(snapshot, &newer.request, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);

    /* A version without the MAC and what follows it. */
    memset(&older, 0xff, sizeof older);
    older.size = offsetof(arpflux_request, sender_mac);
    older.interface = newer.request.interface;
    older.target = newer.request.target;
    older.sender = newer.request.sender;
    explanation = arpflux_snapshot_explain(snapshot, &older, &err);
    CHECK_OK(explanation != NULL, err);
    CHECK(arpflux_explanation_answer(explanation) == ARPFLUX_ANSWER_ANSWERS);
    arpflux_explanation_free(explanation);
    arpflux_snapshot_free(snapshot);
}

static void policies_read_and_refuse(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy, *again;
    char *json;

    policy = arpflux_policy_from_toml("version = 1\n[[proxy]]\nowner = \"101\"\n"
                                      "addresses = [\"192.168.18.101\"]\ninterface = \"eth3\"\n",
                                      "policy.toml", &err);
    CHECK_OK(policy != NULL, err);
    json = arpflux_policy_to_json(policy, &err);
    CHECK_OK(json != NULL, err);
    again = arpflux_policy_from_json(json, "policy.json", &err);
    CHECK_OK(again != NULL, err);
    CHECK(arpflux_policy_proxy_count(again) == 1 && strcmp(arpflux_policy_interface_at(again, 0), "eth3") == 0);
    arpflux_string_free(json);
    arpflux_policy_free(again);
    arpflux_policy_free(policy);

    CHECK(arpflux_policy_from_toml("version = 1\n[host]\nstratgey = \"strict\"\n", "policy.toml", &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_POLICY);
    CHECK(about(err, "policy.toml:3:1"));
    arpflux_error_free(err);
    CHECK(arpflux_policy_from_path("/no/such/policy.toml", &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND && arpflux_error_errno(err) == 2);
    arpflux_error_free(err);
    CHECK(arpflux_policy_from_path(NULL, NULL) == NULL);
    CHECK(arpflux_policy_from_toml("version = 1", NULL, NULL) == NULL);
}

int main(void)
{
    RUN(snapshot_holds_what_was_made);
    RUN(for_strangers);
    RUN(json_round_trip);
    RUN(other_namespaces_by_name_path_and_process);
    RUN(explain_says_who_answers_and_why);
    RUN(options_of_other_versions);
    RUN(policies_read_and_refuse);
    return report();
}
