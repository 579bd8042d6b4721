/* Frames on a wire: probe, announce, detect, listen, find wires, verify by frames (tests/c/wire.setup made the wire). */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <signal.h>

#include "arpflux.h"
#include "check.h"

static arpflux_host *node, *client;

struct progress {
    size_t calls, answers, total;
    bool stop;
};

static bool tell(size_t done, size_t total, arpflux_ip address, const char *mac, void *context)
{
    struct progress *progress = context;
    progress->calls++;
    progress->total = total;
    if (mac)
        progress->answers += address.family == 4 && strlen(mac) == 17;
    (void)done;
    return !progress->stop;
}

static void a_probe_counts_the_macs(void)
{
    const char *targets[] = {"192.168.18.10", "192.168.18.101", "192.168.18.129-192.168.18.130"};
    const char *bad[] = {"192.168.18.300"};
    struct progress progress = {0, 0, 0, false};
    arpflux_probe_options options;
    arpflux_error *err = NULL;
    arpflux_probes *probes;
    char *json;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.wait_ms = 2000;
    probes = arpflux_host_probe(client, targets, 3, &options, tell, &progress, &err);
    CHECK_OK(probes != NULL, err);
    CHECK(progress.answers == 6 && progress.total == 4);
    CHECK(arpflux_probes_count(probes) == 4);
    CHECK(memcmp(arpflux_probes_address_at(probes, 0).bytes, ip("192.168.18.10").bytes, 16) == 0);
    CHECK(arpflux_probes_judgement_at(probes, 0) == ARPFLUX_JUDGEMENT_FLUX);
    CHECK(arpflux_probes_reply_count(probes, 0) == 3);
    CHECK(strncmp(arpflux_probes_reply_mac(probes, 0, 0), "00:0c:29", 8) == 0);
    CHECK(arpflux_probes_reply_mac(probes, 1, 2) != NULL && arpflux_probes_reply_mac(probes, 1, 3) == NULL);
    CHECK(arpflux_probes_judgement_at(probes, 3) == ARPFLUX_JUDGEMENT_SILENT);
    CHECK(arpflux_probes_reply_mac(probes, 3, 0) == NULL && arpflux_probes_reply_mac(probes, 9, 0) == NULL);
    CHECK(arpflux_probes_judgement_at(probes, 9) == ARPFLUX_JUDGEMENT_UNKNOWN);
    json = arpflux_probes_to_json(probes, &err);
    CHECK(json && strstr(json, "\"verdict\": \"flux\"") != NULL);
    arpflux_string_free(json);
    arpflux_probes_free(probes);

    progress.stop = true; /* at the first answer */
    options.any_holder = 1;
    options.interface = "eth9";
    options.wait_ms = 60000;
    probes = arpflux_host_probe(client, targets, 3, &options, tell, &progress, &err);
    CHECK_OK(probes != NULL, err);
    arpflux_probes_free(probes);

    CHECK(arpflux_host_probe(client, bad, 1, NULL, NULL, NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    CHECK(arpflux_host_probe(client, targets, 0, NULL, NULL, NULL, NULL) == NULL);
    options.tries = 11;
    CHECK(arpflux_host_probe(client, targets, 1, &options, NULL, NULL, &err) == NULL);
    CHECK(about(err, "options.tries"));
    arpflux_error_free(err);
    options.tries = 0;
    options.interface = "nowhere";
    CHECK(arpflux_host_probe(client, targets, 1, &options, NULL, NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
    arpflux_error_free(err);
}

static void detection_finds_holders_and_proxies(void)
{
    const char *targets[] = {"192.168.18.101", "192.168.18.12", "192.168.18.77"};
    const char *on[] = {"eth9"};
    arpflux_detect_options options;
    arpflux_error *err = NULL;
    arpflux_detection *detection;
    arpflux_stop *stop;
    char *json;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.interfaces = on;
    options.interface_count = 1;
    options.rounds = 1;
    options.wait_ms = 2000;
    detection = arpflux_host_detect(client, targets, 3, &options, &err);
    CHECK_OK(detection != NULL, err);
    CHECK(arpflux_detection_judged(detection) == ARPFLUX_JUDGED_BAD && arpflux_detection_count(detection) == 3);
    CHECK(memcmp(arpflux_detection_address_at(detection, 0).bytes, ip(targets[0]).bytes, 16) == 0);
    CHECK(strcmp(arpflux_detection_interface_at(detection, 0), "eth9") == 0);
    CHECK(arpflux_detection_conflict_count(detection, 0) == 3);
    CHECK(arpflux_detection_conflict_mac(detection, 0, 0) != NULL);
    CHECK(arpflux_detection_conflict_mac(detection, 0, 3) == NULL);
    CHECK(arpflux_detection_conflict_count(detection, 2) == 0);
    json = arpflux_detection_to_json(detection, &err);
    CHECK(json && strstr(json, "\"free\": false") != NULL);
    arpflux_string_free(json);
    arpflux_detection_free(detection);

    options.interface_count = 0; /* a list without a name is not "all" */
    CHECK(arpflux_host_detect(client, targets, 3, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND && about(err, "no interface is named"));
    arpflux_error_free(err);

    /* The node itself is never blamed. */
    options.interfaces = NULL;
    detection = arpflux_host_detect(node, targets, 2, &options, &err);
    CHECK_OK(detection != NULL, err);
    CHECK(arpflux_detection_judged(detection) == ARPFLUX_JUDGED_GOOD && arpflux_detection_count(detection) == 6);
    arpflux_detection_free(detection);

    stop = arpflux_stop_new(&err);
    CHECK(stop != NULL && !arpflux_stop_is_raised(stop));
    arpflux_stop_raise(stop);
    CHECK(arpflux_stop_is_raised(stop));
    options.stop = stop;
    CHECK(arpflux_host_detect(client, targets, 3, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INTERRUPTED);
    arpflux_error_free(err);
    arpflux_stop_free(stop);
    CHECK(arpflux_host_detect(client, targets, 3, &options, &err) == NULL); /* a stale flag */
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
}

static void announcements_are_sent(void)
{
    const char *never[] = {"192.168.18.0/24"};
    arpflux_announce_options options;
    arpflux_error *err = NULL;
    arpflux_ip addresses[2];
    size_t frames = 77;

    addresses[0] = ip("192.168.18.101");
    addresses[1] = ip("192.168.18.11");
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.rounds = 1;
    CHECK_OK(arpflux_host_announce(node, "eth3", addresses, 2, &options, &frames, &err), err);
    CHECK(frames == 4); /* two forms each */
    options.no_reply = 1;
    CHECK_OK(arpflux_host_announce(node, "eth3", addresses, 1, &options, &frames, &err), err);
    CHECK(frames == 1);
    addresses[1] = ip("192.168.18.10"); /* eth0's */
    frames = 77;
    CHECK(!arpflux_host_announce(node, "eth3", addresses, 2, &options, &frames, &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_REFUSED && frames == 77);
    CHECK(about(err, "192.168.18.10"));
    arpflux_error_free(err);
    options.anyway = 1;
    CHECK_OK(arpflux_host_announce(node, "eth3", addresses, 2, &options, &frames, &err), err);
    CHECK(frames == 2);
    options.anyway = 0;
    addresses[1] = ip("192.168.18.11");
    options.never = never;
    options.never_count = 1;
    frames = 77;
    CHECK(!arpflux_host_announce(node, "eth3", addresses, 2, &options, &frames, &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_REFUSED && frames == 77);
    arpflux_error_free(err);
    never[0] = "no prefix";
    CHECK(!arpflux_host_announce(node, "eth3", addresses, 2, &options, NULL, NULL));
    CHECK(!arpflux_host_announce(node, "eth7", addresses, 2, NULL, &frames, &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND && frames == 77);
    arpflux_error_free(err);
}

static bool ask_and_count(uint64_t frames, void *context)
{
    const char *target[] = {"192.168.18.10"};
    arpflux_probe_options options;
    int *rounds = context;

    if (++*rounds == 1) { /* from within: another host may be called */
        memset(&options, 0, sizeof options);
        options.size = sizeof options;
        options.wait_ms = 100;
        options.any_holder = 1;
        arpflux_probes_free(arpflux_host_probe(client, target, 1, &options, NULL, NULL, NULL));
    }
    (void)frames;
    return *rounds < 4;
}

static void a_capture_calls_flux_by_its_name(void)
{
    static const char text[] =
        "02:00:00:00:00:99 > ff:ff:ff:ff:ff:ff, ARP, length 42: arp who-has 10.0.0.1 tell 10.0.0.9\n"
        "00:0c:29:b3:a2:54 > 02:00:00:00:00:99, ARP, length 42: arp reply 10.0.0.1 is-at 00:0c:29:b3:a2:54\n"
        "00:0c:29:b3:a2:5e > 02:00:00:00:00:99, ARP, length 42: arp reply 10.0.0.1 is-at 00:0c:29:b3:a2:5e\n";
    const char *macs[] = {"00:0c:29:b3:a2:54", "00:0c:29:b3:a2:5e"};
    static const uint8_t frame[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
                                      2, 0, 0, 0, 0, 1, 10, 0, 0, 7, 0, 0, 0, 0, 0, 0, 10, 0, 0, 8};
    arpflux_listen_options options;
    arpflux_error *err = NULL;
    arpflux_capture *capture = arpflux_capture_new(&err);
    arpflux_capture_report *report;
    arpflux_snapshot *snapshot;
    char *out;
    FILE *file;
    int rounds = 0;

    file = fopen("/run/capture.txt", "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
    CHECK_OK(arpflux_capture_read_path(capture, "/run/capture.txt", &err), err);
    CHECK(remove("/run/capture.txt") == 0);
    CHECK_OK(arpflux_capture_feed(capture, 1000000000, frame, sizeof frame, &err), err);
    CHECK_OK(arpflux_capture_know_host(capture, macs, 2, &err), err);
    report = arpflux_capture_judge(capture, &err);
    CHECK_OK(report != NULL, err);
    CHECK(arpflux_capture_report_is_bad(report) && arpflux_capture_report_count(report) >= 1);
    out = arpflux_capture_report_to_json(report, &err);
    CHECK(out && strstr(out, "\"verdict\": \"flux\"") != NULL && strstr(out, "\"proved\"") != NULL);
    arpflux_string_free(out);
    arpflux_capture_report_free(report);
    CHECK(!arpflux_capture_read_path(capture, "/proc/self/exe", &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_DATA);
    arpflux_error_free(err);
    CHECK(!arpflux_capture_read_path(capture, "/no/such/file", &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND);
    arpflux_error_free(err);
    arpflux_capture_free(capture);

    /* Live: three cards answer the client. */
    capture = arpflux_capture_new(&err);
    snapshot = arpflux_host_snapshot(node, &err);
    CHECK_OK(arpflux_capture_know_snapshot(capture, snapshot, &err), err);
    arpflux_snapshot_free(snapshot);
    CHECK(!arpflux_capture_know_snapshot(capture, NULL, &err));
    arpflux_error_free(err);
    CHECK_OK(arpflux_host_listen(client, "eth9", capture, NULL, ask_and_count, &rounds, &err), err);
    report = arpflux_capture_judge(capture, &err);
    CHECK(arpflux_capture_report_count(report) >= 1);
    out = arpflux_capture_report_to_json(report, &err);
    CHECK(out && strstr(out, "\"explained\": true") != NULL);
    CHECK(out && strstr(out, "192.168.18.10") && strstr(out, "00:0c:29:b3:a2:68") && strstr(out, "00:0c:29:b3:a2:5e"));
    arpflux_string_free(out);
    arpflux_capture_report_free(report);
    CHECK(!arpflux_host_listen(client, "eth9", capture, NULL, NULL, NULL, &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.duration_ms = 50;
    CHECK_OK(arpflux_host_listen(client, "eth9", capture, &options, NULL, NULL, &err), err);
    arpflux_capture_free(capture);
}

static void wires_are_found_by_frames(void)
{
    const char *names[] = {"eth0", "eth3", "eth4"};
    arpflux_error *err = NULL;

    CHECK(json(arpflux_host_wires_to_json(node, names, 3, NULL, &err), "eth4"));
}

/* Wrong before, right afterwards: by configuration and model, by the host's own frames, and by a peer's. */
static void pinned_and_proved_on_the_wire(void)
{
    arpflux_error *err = NULL;
    arpflux_verify_options options;
    arpflux_policy *policy;
    arpflux_report *report;
    arpflux_receipt *receipt;
    arpflux_ip addresses[1];

    addresses[0] = ip("192.168.18.101");
    policy = arpflux_policy_with_proxy(NULL, "101", addresses, 1, "eth3", &err);
    CHECK_OK(policy != NULL, err);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.wire = ARPFLUX_WIRE_PEER;
    options.peer = client;
    report = arpflux_host_verify(node, policy, &options, &err);
    CHECK_OK(report != NULL, err);
    CHECK(arpflux_report_judged(report) == ARPFLUX_JUDGED_BAD && !arpflux_report_check(report, &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_VERIFY_FAILED);
    arpflux_error_free(err);
    err = NULL;
    arpflux_report_free(report);

    receipt = arpflux_host_apply_policy(node, policy, NULL, &err);
    CHECK_OK(receipt != NULL, err);
    report = arpflux_host_verify(node, policy, &options, &err);
    CHECK_OK(report != NULL, err);
    CHECK_OK(arpflux_report_check(report, &err), err);
    arpflux_report_free(report);
    options.wire = ARPFLUX_WIRE_OWN;
    report = arpflux_host_verify(node, policy, &options, &err);
    CHECK_OK(report != NULL, err);
    CHECK_OK(arpflux_report_check(report, &err), err);
    arpflux_report_free(report);
    report = arpflux_host_verify(node, policy, NULL, &err);
    CHECK_OK(arpflux_report_judged(report) == ARPFLUX_JUDGED_GOOD, err);
    arpflux_report_free(report);

    options.wire = 9;
    CHECK(arpflux_host_verify(node, policy, &options, NULL) == NULL);
    options.wire = ARPFLUX_WIRE_PEER;
    options.peer = NULL;
    CHECK(arpflux_host_verify(node, policy, &options, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    arpflux_receipt_free(receipt);
    arpflux_policy_free(policy);
}

static void proxies_one_by_one(void)
{
    arpflux_proxy_options options;
    arpflux_apply_options trial;
    arpflux_error *err = NULL;
    arpflux_ip addresses[1];
    arpflux_receipt *receipt;
    arpflux_snapshot *snapshot;

    addresses[0] = ip("192.168.18.101");
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.only = 1;
    receipt = arpflux_host_add_proxies(node, "eth3", addresses, 1, &options, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_change_count(receipt) == 2); /* those on eth0 and eth4 go */
    snapshot = arpflux_host_snapshot(node, &err);
    CHECK(arpflux_snapshot_proxy_count(snapshot) == 1);
    arpflux_snapshot_free(snapshot);
    CHECK_OK(arpflux_receipt_undo(receipt, &err), err);
    arpflux_receipt_free(receipt);

    memset(&trial, 0, sizeof trial);
    trial.size = sizeof trial;
    trial.confirm_within_ms = 3600 * 1000;
    receipt = arpflux_host_remove_proxies(node, NULL, addresses, 1, &trial, &err);
    CHECK_OK(receipt != NULL, err);
    CHECK(arpflux_receipt_change_count(receipt) == 3);
    CHECK(arpflux_change_subject(arpflux_receipt_change_at(receipt, 0)) == ARPFLUX_SUBJECT_PROXY);
    snapshot = arpflux_host_snapshot(node, &err);
    CHECK(arpflux_snapshot_proxy_count(snapshot) == 0);
    arpflux_snapshot_free(snapshot);
    arpflux_receipt_free(receipt); /* not confirmed: undone */
    snapshot = arpflux_host_snapshot(node, &err);
    CHECK(arpflux_snapshot_proxy_count(snapshot) == 3);
    arpflux_snapshot_free(snapshot);

    addresses[0] = ip("192.168.18.10");
    CHECK(arpflux_host_add_proxies(node, "eth3", addresses, 1, NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_REFUSED); /* its own address */
    arpflux_error_free(err);
    CHECK(arpflux_host_add_proxies(node, "eth7", addresses, 1, NULL, NULL) == NULL);
}

/* The promise at the top of the header: no thread is left, and no signal's disposition is touched. */
static void nothing_is_left_in_the_process(void)
{
    struct sigaction action;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    int signal, threads = 0;

    while (tasks && (entry = readdir(tasks)))
        threads += entry->d_name[0] != '.';
    closedir(tasks);
    CHECK(threads == 1);
    for (signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP && sigaction(signal, NULL, &action) == 0)
            /* the sanitizers and valgrind have handlers of their own for crashes */
            CHECK(action.sa_handler == SIG_DFL || signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE ||
                  signal == SIGILL || signal == SIGABRT);
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
    RUN(a_probe_counts_the_macs);
    RUN(detection_finds_holders_and_proxies);
    RUN(announcements_are_sent);
    RUN(a_capture_calls_flux_by_its_name);
    RUN(wires_are_found_by_frames);
    RUN(proxies_one_by_one);
    RUN(pinned_and_proved_on_the_wire);
    RUN(nothing_is_left_in_the_process);
    arpflux_host_free(client);
    arpflux_host_free(node);
    return report();
}
