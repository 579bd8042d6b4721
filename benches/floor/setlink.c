/* floor: setlink PREFIX COUNT VALUE - arp_ignore, arp_announce and rp_filter of PREFIX0 and on, set by
 * RTM_SETLINK without being read: a message for each interface, 256 to a system call with one
 * acknowledgement. Cheap for interfaces that are down; of one that is up the kernel sends news each time.
 * The result is the number of values set. */
#include "netlink.h"

#include <net/if.h>
#include <stddef.h>

#define BATCH 256

struct set {
    struct nlmsghdr header;
    struct ifinfomsg link;
    struct rtattr spec, family, conf;
    struct {
        struct rtattr attribute;
        int value;
    } values[3];
};

int main(int argc, char **argv)
{
    /* IPV4_DEVCONF_ARP_IGNORE, _ARP_ANNOUNCE, _RP_FILTER; IFLA_INET_CONF. */
    static const unsigned short numbers[] = {19, 18, 8};
    enum { inet_conf = 1 };
    static struct set sets[BATCH];
    static char answer[1 << 16];
    char name[64];
    if (argc != 4)
        return 2;
    long count = atol(argv[2]), sent = 0;
    int fd = netlink_open();
    struct measure begun = measure_begin();
    for (long i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s%ld", argv[1], i);
        int last = i == count - 1 || sent == BATCH - 1;
        struct set *set = &sets[sent++];
        *set = (struct set){
            .header = {.nlmsg_len = sizeof *set,
                       .nlmsg_type = RTM_SETLINK,
                       .nlmsg_flags = NLM_F_REQUEST | (last ? NLM_F_ACK : 0),
                       .nlmsg_seq = i + 1},
            .link = {.ifi_index = if_nametoindex(name)},
            .spec = {.rta_len = sizeof *set - offsetof(struct set, spec), .rta_type = IFLA_AF_SPEC | NLA_F_NESTED},
            .family = {.rta_len = sizeof *set - offsetof(struct set, family), .rta_type = AF_INET | NLA_F_NESTED},
            .conf = {.rta_len = sizeof *set - offsetof(struct set, conf), .rta_type = inet_conf | NLA_F_NESTED},
        };
        for (int n = 0; n < 3; n++) {
            set->values[n].attribute = (struct rtattr){.rta_len = 8, .rta_type = numbers[n]};
            set->values[n].value = atoi(argv[3]);
        }
        if (!last)
            continue;
        if (send(fd, sets, sent * sizeof *sets, 0) < 0)
            measure_fail("send");
        ssize_t got = recv(fd, answer, sizeof answer, 0);
        if (got < (ssize_t)NLMSG_LENGTH(sizeof(int)))
            measure_fail("recv");
        struct nlmsghdr *first = (struct nlmsghdr *)answer;
        int refused = ((struct nlmsgerr *)NLMSG_DATA(first))->error;
        if (first->nlmsg_type != NLMSG_ERROR || refused) {
            errno = -refused;
            measure_fail("refused");
        }
        sent = 0;
    }
    measure_end(begun, 3 * count);
    return 0;
}
