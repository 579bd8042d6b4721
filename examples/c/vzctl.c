/*
 * What legacy vzctl's C code would call instead of its scripts' ARP part; docs/vzctl-c.md is the design. The functions and types of the
 * first part are stand-ins with the signatures of vzctl's own (src/lib/net.c, include/list.h); the second part is what a patch adds.
 *
 *     cc vzctl.c -o vzctl $(pkg-config --cflags --libs arpflux)
 *     ./vzctl POLICY                 (as root, in a namespace of the page's node: starts and stops two containers)
 */
#define _GNU_SOURCE
#include <arpflux.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Stand-ins: as vzctl has them. ---------------------------------------------------------------------------- */

typedef unsigned int envid_t;
typedef struct list_head {
    struct list_head *prev, *next;
} list_head_t;
typedef struct {
    list_head_t list;
    char *val; /* an address as text, perhaps with a netmask */
} ip_param;
typedef struct {
    list_head_t ip;
    int skip_arpdetect;
} net_param;
typedef struct {
    int vzfd;
} vps_handler;
enum { ADD, DEL };
enum { STATE_STARTING = 1, STATE_RUNNING = 2, STATE_STOPPING = 4 };
enum { VZ_IP_INUSE = 78, VZ_CANT_ADDIP = 34 };

#define list_for_each(entry, head) \
    for (entry = (ip_param *)(void *)(head)->next; &entry->list != (head); entry = (ip_param *)(void *)entry->list.next)

__attribute__((format(printf, 3, 4))) static void logger(int level, int errnum, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vfprintf(level < 0 ? stderr : stdout, format, ap);
    va_end(ap);
    if (errnum)
        fprintf(stderr, ": %s", strerror(errnum));
    fputc('\n', level < 0 ? stderr : stdout);
}

/* The real one maps the address to the container by an ioctl; the route is set by vps-net_add. */
static int vps_ip_ctl(vps_handler *h, envid_t veid, int op, list_head_t *ip_h, int rollback)
{
    ip_param *ip;

    (void)h, (void)veid, (void)rollback;
    list_for_each(ip, ip_h) {
        char command[128];
        snprintf(command, sizeof command, "ip route %s %.*s dev venet0 2>/dev/null", op == ADD ? "replace" : "del",
                 (int)strcspn(ip->val, "/"), ip->val);
        if (system(command) != 0 && op == ADD)
            return VZ_CANT_ADDIP;
    }
    return 0;
}

/* --- What the patch adds. ------------------------------------------------------------------------------------- */

static const char *arp_policy = "/etc/arpflux/policy.toml";

static int arp_failed(arpflux_error *err, const char *what)
{
    int ret = arpflux_error_code(err) == ARPFLUX_CODE_IN_USE ? VZ_IP_INUSE : VZ_CANT_ADDIP;

    logger(-1, 0, "%s: %s", what, arpflux_error_text(err));
    arpflux_error_free(err);
    return ret;
}

/* vzctl's list as addresses, netmasks left out. Returns how many, or -1. */
static int arp_addresses(list_head_t *ip_h, arpflux_ip **addresses, arpflux_error **err)
{
    ip_param *ip;
    int count = 0;

    *addresses = NULL;
    list_for_each(ip, ip_h) {
        char text[ARPFLUX_IP_TEXT_SIZE];
        arpflux_ip *more = (arpflux_ip *)realloc(*addresses, (size_t)(count + 1) * sizeof **addresses);
        size_t length = strcspn(ip->val, "/");

        if (!more)
            return -1;
        *addresses = more;
        if (length >= sizeof text) /* too long for any address: let it be refused as a whole */
            length = sizeof text - 1;
        memcpy(text, ip->val, length);
        text[length] = '\0';
        if (!arpflux_ip_parse(text, &more[count], err))
            return -1;
        count++;
    }
    return count;
}

/* Whether somebody else on the wire holds or proxies one of the addresses, or another container has it; the node's own cards are never
 * blamed. They are the container's from now on, until this process ends or they are published. */
static int arp_detect(const arpflux_host *host, const char *owner, const arpflux_ip *addresses, size_t count,
                      const arpflux_publish_options *options, arpflux_error **err)
{
    arpflux_detection *detection = arpflux_host_book(host, owner, addresses, count, options, err);
    size_t i;
    int ret = detection ? 0 : VZ_CANT_ADDIP;

    for (i = 0; i < arpflux_detection_count(detection); i++)
        if (arpflux_detection_conflict_count(detection, i) > 0) {
            char text[ARPFLUX_IP_TEXT_SIZE];

            arpflux_ip_format(arpflux_detection_address_at(detection, i), text, sizeof text);
            logger(-1, 0, "%s is in use on %s by %s", text, arpflux_detection_interface_at(detection, i),
                   arpflux_detection_conflict_mac(detection, i, 0));
            ret = VZ_IP_INUSE;
        }
    arpflux_detection_free(detection);
    return ret;
}

/*
 * Instead of run_net_script()'s vzarp, vzarpipdetect and vzarpipset: with the same arguments. Publishes the container's addresses on its
 * own interface alone, with the rule that lets its packets leave there, and tells the peers (ADD); or withdraws them (DEL). A container
 * for which nothing says an interface is left alone.
 */
static int run_net_arp(envid_t veid, int op, list_head_t *ip_h, int state, int skip_arpdetect)
{
    ARPFLUX_OPTIONS(arpflux_publish_options, options);
    arpflux_error *err = NULL;
    arpflux_host *host = NULL;
    arpflux_receipt *receipt = NULL;
    arpflux_ip *addresses = NULL;
    char owner[16];
    int count, ret = 0;

    snprintf(owner, sizeof owner, "%u", veid);
    options.policy = arp_policy;
    if (!(host = arpflux_host_open_current(&err)) || (count = arp_addresses(ip_h, &addresses, &err)) < 0) {
        ret = err ? arp_failed(err, "Unable to publish addresses") : VZ_CANT_ADDIP;
        goto out;
    }
    if (count == 0)
        goto out;
    if (op == DEL) {
        receipt = arpflux_host_withdraw(host, owner, addresses, (size_t)count, &options, &err);
    } else if (!skip_arpdetect && state == STATE_STARTING &&
               (ret = arp_detect(host, owner, addresses, (size_t)count, &options, &err)) != 0) {
        if (err)
            ret = arp_failed(err, "Unable to look for duplicates");
        goto out;
    } else {
        receipt = arpflux_host_publish(host, owner, addresses, (size_t)count, &options, &err);
    }
    if (!receipt && arpflux_error_code(err) == ARPFLUX_CODE_NOT_FOUND)
        arpflux_error_free(err); /* nothing says where it belongs */
    else if (!receipt)
        ret = arp_failed(err, op == ADD ? "Unable to publish addresses" : "Unable to withdraw addresses");
    else
        logger(0, 0, "%u: %zu changes", veid, arpflux_receipt_change_count(receipt));

out:
    arpflux_receipt_free(receipt); /* not on trial: this only frees it */
    free(addresses);
    arpflux_host_free(host);
    return ret;
}

/* vps_add_ip() and vps_del_ip() as they are, but for the order: an address is published when its route is there, and withdrawn before
 * the route goes. */
static int vps_add_ip(vps_handler *h, envid_t veid, net_param *net, int state)
{
    int ret;

    if ((ret = vps_ip_ctl(h, veid, ADD, &net->ip, 1)))
        return ret;
    if ((ret = run_net_arp(veid, ADD, &net->ip, state, net->skip_arpdetect)))
        vps_ip_ctl(h, veid, DEL, &net->ip, 0);
    return ret;
}

static int vps_del_ip(vps_handler *h, envid_t veid, net_param *net, int state)
{
    run_net_arp(veid, DEL, &net->ip, state, net->skip_arpdetect);
    return vps_ip_ctl(h, veid, DEL, &net->ip, 1);
}

/* --- Two containers come and go, and whoever answers for them is told. ----------------------------------------- */

static void net_init(net_param *net, ip_param *ip, char *address)
{
    net->skip_arpdetect = 0;
    ip->val = address;
    ip->list.prev = ip->list.next = &net->ip;
    net->ip.prev = net->ip.next = &ip->list;
}

static int print_proxies(const char *when)
{
    arpflux_error *err = NULL;
    arpflux_host *host = arpflux_host_open_current(&err);
    arpflux_snapshot *snapshot = arpflux_host_snapshot(host, &err);
    char text[ARPFLUX_IP_TEXT_SIZE];
    size_t i;

    arpflux_host_free(host);
    if (!snapshot)
        return arp_failed(err, "snapshot");
    printf("%s:", when);
    for (i = 0; i < arpflux_snapshot_proxy_count(snapshot); i++) {
        const arpflux_proxy *proxy = arpflux_snapshot_proxy_at(snapshot, i);
        arpflux_ip_format(arpflux_proxy_address(proxy), text, sizeof text);
        printf(" %s on %s;", text,
               arpflux_interface_name(arpflux_snapshot_interface_by_index(snapshot, arpflux_proxy_interface(proxy))));
    }
    printf("\n");
    arpflux_snapshot_free(snapshot);
    return 0;
}

int main(int argc, char **argv)
{
    char first[] = "192.168.18.101/32", second[] = "192.168.18.102", taken[] = "192.168.18.129";
    vps_handler handler = {-1};
    net_param net101, net102, other;
    ip_param ip101, ip102, ip129;
    int ret;

    if (argc > 1)
        arp_policy = argv[1];
    net_init(&net101, &ip101, first);
    net_init(&net102, &ip102, second);
    net_init(&other, &ip129, taken);
    ret = vps_add_ip(&handler, 101, &net101, STATE_STARTING);
    if (!ret)
        ret = vps_add_ip(&handler, 102, &net102, STATE_STARTING);
    print_proxies("started");
    if (!ret && vps_add_ip(&handler, 102, &other, STATE_STARTING) == VZ_IP_INUSE)
        printf("a duplicate is refused\n");
    if (!ret)
        ret = vps_del_ip(&handler, 101, &net101, STATE_STOPPING);
    print_proxies("101 stopped");
    if (!ret)
        ret = vps_del_ip(&handler, 102, &net102, STATE_STOPPING);
    print_proxies("102 stopped");
    return ret ? 1 : 0;
}
