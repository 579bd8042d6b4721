/* Addresses of containers: booked, published with all they need, kept, withdrawn (tests/c/container.setup made the node). */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>

#include "arpflux.h"
#include "check.h"

static arpflux_host *node, *client;
static arpflux_publish_options options;

static size_t entries(void)
{
    arpflux_snapshot *snapshot = arpflux_host_snapshot(node, NULL);
    size_t count = arpflux_snapshot_proxy_count(snapshot);
    arpflux_snapshot_free(snapshot);
    return count;
}

/* How many MACs answer the client. */
static size_t answers(const char *address)
{
    arpflux_probe_options asking;
    arpflux_error *err = NULL;
    arpflux_probes *probes;
    size_t count;

    INIT(asking);
    asking.wait_ms = 1000;
    probes = arpflux_host_probe(client, &address, 1, &asking, NULL, NULL, &err);
    CHECK_OK(probes != NULL, err);
    count = arpflux_probes_reply_count(probes, 0);
    arpflux_probes_free(probes);
    return count;
}

static arpflux_judged standing(size_t count)
{
    arpflux_error *err = NULL;
    arpflux_published *published = arpflux_host_published(node, &options, &err);
    arpflux_judged judged = arpflux_published_judged(published);

    CHECK_OK(published != NULL, err);
    CHECK(arpflux_published_count(published) == count);
    CHECK(arpflux_published_owner_at(published, count) == NULL && arpflux_published_address_at(published, count).family == 0);
    arpflux_published_free(published);
    return judged;
}

static void published_alone_and_with_its_rule(void)
{
    arpflux_ip address = ip("192.168.18.101");
    arpflux_error *err = NULL;
    arpflux_plan *plan = arpflux_host_plan_publish(node, "101", &address, 1, &options, &err);
    arpflux_receipt *receipt;
    arpflux_published *published;
    size_t i, rules = 0, routes = 0, sysctls = 0;

    CHECK_OK(plan != NULL, err);
    for (i = 0; i < arpflux_plan_change_count(plan); i++) {
        rules += arpflux_change_subject(arpflux_plan_change_at(plan, i)) == ARPFLUX_SUBJECT_RULE;
        routes += arpflux_change_subject(arpflux_plan_change_at(plan, i)) == ARPFLUX_SUBJECT_ROUTE;
        sysctls += arpflux_change_subject(arpflux_plan_change_at(plan, i)) == ARPFLUX_SUBJECT_SYSCTL;
    }
    CHECK(rules > 0 && routes > 0 && sysctls == 0); /* nothing of the host itself */
    CHECK(entries() == 0 && standing(0) == ARPFLUX_JUDGED_UNDETERMINED);
    receipt = arpflux_host_publish(node, "101", &address, 1, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_change_count(receipt) == arpflux_plan_change_count(plan));
    CHECK(arpflux_receipt_by(receipt) == ARPFLUX_MAKER_CONTAINERS && arpflux_receipt_by(NULL) == ARPFLUX_MAKER_UNKNOWN);
    CHECK(strcmp(arpflux_maker_name(arpflux_receipt_by(receipt)), "vz") == 0);
    arpflux_receipt_free(receipt);
    arpflux_plan_free(plan);
    CHECK(entries() == 1 && answers("192.168.18.101") == 1 && standing(1) == ARPFLUX_JUDGED_GOOD);
    published = arpflux_host_published(node, &options, &err);
    CHECK(strcmp(arpflux_published_owner_at(published, 0), "101") == 0);
    CHECK(strcmp(arpflux_published_interface_at(published, 0), "eth3") == 0);
    CHECK(strcmp(arpflux_published_text_at(published, 0), "published") == 0);
    CHECK(same(arpflux_published_address_at(published, 0), "192.168.18.101"));
    CHECK(json(arpflux_published_to_json(published, &err), "\"right\": true"));
    arpflux_published_free(published);

    options.announce = 1; /* and once more, changed or not */
    receipt = arpflux_host_publish(node, "101", &address, 1, &options, &err);
    options.announce = 0;
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_UNCHANGED);
    arpflux_receipt_free(receipt);
}

static void nobody_else_gets_it(void)
{
    arpflux_ip first = ip("192.168.18.101"), second = ip("192.168.18.102"), taken = ip("192.168.18.129");
    arpflux_error *err = NULL;
    arpflux_detection *detection;
    arpflux_receipt *receipt;

    CHECK(arpflux_host_publish(node, "102", &first, 1, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_IN_USE && about(err, "192.168.18.101") && about(err, "container 101"));
    arpflux_error_free(err);
    CHECK(arpflux_host_book(node, "102", &first, 1, &options, NULL) == NULL);
    detection = arpflux_host_book(node, "102", &second, 1, &options, &err);
    CHECK_OK(detection != NULL, err);
    CHECK(arpflux_detection_judged(detection) == ARPFLUX_JUDGED_GOOD && same(arpflux_detection_address_at(detection, 0), "192.168.18.102"));
    arpflux_detection_free(detection);
    CHECK(arpflux_host_publish(node, "103", &second, 1, &options, &err) == NULL); /* booked */
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_IN_USE);
    arpflux_error_free(err);
    CHECK(arpflux_host_plan_publish(node, "103", &second, 1, &options, NULL) == NULL);
    receipt = arpflux_host_publish(node, "102", &second, 1, &options, &err);
    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    detection = arpflux_host_book(node, "104", &taken, 1, &options, &err); /* the client has it */
    CHECK_OK(detection != NULL, err);
    CHECK(arpflux_detection_judged(detection) == ARPFLUX_JUDGED_BAD && arpflux_detection_conflict_count(detection, 0) == 1);
    arpflux_detection_free(detection);
    CHECK(arpflux_host_publish(node, NULL, &second, 1, &options, &err) == NULL);
    CHECK(about(err, "owner"));
    arpflux_error_free(err);
    CHECK(arpflux_host_publish(node, "../105", &second, 1, &options, NULL) == NULL);
    CHECK(standing(2) == ARPFLUX_JUDGED_GOOD);
}

static void kept_by_whoever_plans(void)
{
    arpflux_error *err = NULL;
    arpflux_policy *policy = arpflux_policy_from_toml("version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n",
                                                      "host.toml", &err);
    arpflux_receipt *receipt = arpflux_host_apply_policy(node, policy, NULL, &err);

    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_by(receipt) == ARPFLUX_MAKER_PERSON);
    CHECK(standing(2) == ARPFLUX_JUDGED_GOOD && answers("192.168.18.101") == 1 && answers("192.168.18.102") == 1);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    CHECK(standing(2) == ARPFLUX_JUDGED_GOOD && answers("192.168.18.101") == 1);
    arpflux_receipt_free(receipt);
    arpflux_policy_free(policy);

    CHECK(system("ip rule del from 192.168.18.101") == 0); /* somebody's hand */
    CHECK(standing(2) == ARPFLUX_JUDGED_BAD);
    receipt = arpflux_host_sync(node, &options, &err);
    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    CHECK(standing(2) == ARPFLUX_JUDGED_GOOD);
}

static void withdrawn_with_its_rule(void)
{
    arpflux_ip none = ip("192.168.18.101");
    arpflux_error *err = NULL;
    arpflux_plan *plan = arpflux_host_plan_withdraw(node, "101", NULL, 0, &options, &err);
    arpflux_receipt *receipt;

    CHECK_OK(plan != NULL && arpflux_plan_change_count(plan) > 1, err);
    receipt = arpflux_host_withdraw(node, "101", &none, 0, &options, &err); /* an empty list is none, NULL is all */
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_UNCHANGED && standing(2) == ARPFLUX_JUDGED_GOOD);
    arpflux_receipt_free(receipt);
    receipt = arpflux_host_withdraw(node, "101", NULL, 0, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_change_count(receipt) == arpflux_plan_change_count(plan));
    arpflux_receipt_free(receipt);
    arpflux_plan_free(plan);
    CHECK(answers("192.168.18.101") == 0 && answers("192.168.18.102") == 1 && standing(1) == ARPFLUX_JUDGED_GOOD);
    CHECK(system("ip rule | grep -q 192.168.18.101") != 0 && system("ip rule | grep -q 192.168.18.102") == 0);
    receipt = arpflux_host_withdraw(node, "102", NULL, 0, &options, &err);
    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    CHECK(entries() == 0 && system("ip rule | grep -q 192.168.18") != 0);
}

/* A list without an address is nothing to publish and nothing to ask for; with `all` the owner has none any more. */
static void without_an_address(void)
{
    arpflux_ip address = ip("192.168.18.101");
    arpflux_error *err = NULL;
    arpflux_receipt *receipt = arpflux_host_publish(node, "101", &address, 1, &options, &err);
    arpflux_detection *detection;
    arpflux_plan *plan;

    CHECK_OK(receipt != NULL, err);
    arpflux_receipt_free(receipt);
    receipt = arpflux_host_publish(node, "101", NULL, 0, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_outcome(receipt) == ARPFLUX_OUTCOME_UNCHANGED && standing(1) == ARPFLUX_JUDGED_GOOD);
    arpflux_receipt_free(receipt);
    plan = arpflux_host_plan_publish(node, "101", NULL, 0, &options, &err);
    CHECK_OK(plan != NULL && arpflux_plan_change_count(plan) == 0, err);
    arpflux_plan_free(plan);
    detection = arpflux_host_book(node, "101", &address, 0, &options, &err);
    CHECK_OK(detection != NULL && arpflux_detection_count(detection) == 0, err);
    CHECK(arpflux_detection_judged(detection) == ARPFLUX_JUDGED_UNDETERMINED);
    CHECK(json(arpflux_detection_to_json(detection, &err), "\"free\": null"));
    arpflux_detection_free(detection);
    options.all = 1;
    plan = arpflux_host_plan_publish(node, "101", NULL, 0, &options, &err);
    receipt = arpflux_host_publish(node, "101", NULL, 0, &options, &err);
    options.all = 0;
    CHECK_OK(plan != NULL && receipt != NULL, err);
    CHECK(arpflux_receipt_change_count(receipt) == arpflux_plan_change_count(plan) && entries() == 0);
    CHECK(standing(0) == ARPFLUX_JUDGED_UNDETERMINED && system("ip rule | grep -q 192.168.18.101") != 0);
    arpflux_plan_free(plan);
    arpflux_receipt_free(receipt);
}

int main(void)
{
    arpflux_error *err = NULL;
    node = arpflux_host_open_current(&err);
    client = arpflux_host_open_netns("client", &err);
    if (!node || !client) {
        fprintf(stderr, "%s\n", arpflux_error_text(err));
        return 1;
    }
    INIT(options);
    options.interface = "eth3";
    options.vz_dir = "/no/such/folder";
    RUN(published_alone_and_with_its_rule);
    RUN(nobody_else_gets_it);
    RUN(kept_by_whoever_plans);
    RUN(withdrawn_with_its_rule);
    RUN(without_an_address);
    arpflux_host_free(client);
    arpflux_host_free(node);
    return report();
}
