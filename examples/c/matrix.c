/*
 * Who answers for which address on which interface, as the kernel will do it for an ordinary neighbour.
 *
 *     cc matrix.c -o matrix $(pkg-config --cflags --libs arpflux)
 *     ./matrix SENDER [NAMESPACE]
 *
 * Needs no privileges in the caller's own namespace, and sends nothing.
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

/* One cell: the end of the MAC that answers, "-" for silence, "?" where the snapshot cannot tell. */
static int cell(const arpflux_snapshot *snapshot, arpflux_request *request, arpflux_error **err)
{
    arpflux_explanation *explanation = arpflux_snapshot_explain(snapshot, request, err);
    const char *mac;

    if (!explanation)
        return -1;
    mac = arpflux_explanation_mac(explanation);
    switch (arpflux_explanation_answer(explanation)) {
    case ARPFLUX_ANSWER_ANSWERS: printf(" %10s", mac + (strlen(mac) > 8 ? strlen(mac) - 8 : 0)); break;
    case ARPFLUX_ANSWER_SILENT: printf(" %10s", "-"); break;
    default: printf(" %10s", "?"); break;
    }
    arpflux_explanation_free(explanation);
    return 0;
}

static int row(const arpflux_snapshot *snapshot, arpflux_ip target, arpflux_ip sender, arpflux_error **err)
{
    arpflux_request request;
    char text[ARPFLUX_IP_TEXT_SIZE];
    size_t i;

    if (target.family != 4)
        return 0;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.target = target;
    request.sender = sender;
    arpflux_ip_format(target, text, sizeof text);
    printf("%-16s", text);
    for (i = 0; i < arpflux_snapshot_interface_count(snapshot); i++) {
        const arpflux_interface *interface = arpflux_snapshot_interface_at(snapshot, i);
        if (!arpflux_interface_speaks_arp(interface))
            continue;
        request.interface = arpflux_interface_name(interface);
        if (cell(snapshot, &request, err) < 0)
            return -1;
    }
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    arpflux_error *err = NULL;
    arpflux_host *host;
    arpflux_snapshot *snapshot;
    arpflux_ip sender;
    size_t i;

    if (!arpflux_ip_parse(argc > 1 ? argv[1] : "192.168.18.129", &sender, &err))
        return fail(err);
    host = argc > 2 ? arpflux_host_open_netns(argv[2], &err) : arpflux_host_open_current(&err);
    if (!host)
        return fail(err);
    snapshot = arpflux_host_snapshot(host, &err);
    arpflux_host_free(host);
    if (!snapshot)
        return fail(err);

    printf("%-16s", "");
    for (i = 0; i < arpflux_snapshot_interface_count(snapshot); i++) {
        const arpflux_interface *interface = arpflux_snapshot_interface_at(snapshot, i);
        if (arpflux_interface_speaks_arp(interface))
            printf(" %10s", arpflux_interface_name(interface));
    }
    putchar('\n');
    for (i = 0; i < arpflux_snapshot_address_count(snapshot) && !err; i++)
        row(snapshot, arpflux_address_local(arpflux_snapshot_address_at(snapshot, i)), sender, &err);
    for (i = 0; i < arpflux_snapshot_proxy_count(snapshot) && !err; i++)
        row(snapshot, arpflux_proxy_address(arpflux_snapshot_proxy_at(snapshot, i)), sender, &err);
    arpflux_snapshot_free(snapshot);
    return err ? fail(err) : 0;
}
