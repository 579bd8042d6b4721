/* floor: proxies add|del INTERFACE COUNT - proxy entries 10.0.0.0 and on, encoded beforehand, in one
 * system call with one acknowledgement. Deletes newest first, which the kernel's lists make cheap. */
#include "netlink.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <net/if.h>

struct entry {
    struct nlmsghdr header;
    struct ndmsg neighbour;
    struct rtattr attribute;
    struct in_addr address;
};

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int add = strcmp(argv[1], "add") == 0;
    unsigned interface = if_nametoindex(argv[2]);
    long count = atol(argv[3]);
    struct entry *entries = calloc(count, sizeof *entries);
    if (!interface || count < 1 || !entries)
        measure_fail("arguments");
    for (long i = 0; i < count; i++) {
        long at = add ? i : count - 1 - i;
        entries[i] = (struct entry){
            .header = {.nlmsg_len = sizeof *entries,
                       .nlmsg_type = add ? RTM_NEWNEIGH : RTM_DELNEIGH,
                       .nlmsg_flags = NLM_F_REQUEST | (add ? NLM_F_CREATE : 0) |
                                      (i == count - 1 ? NLM_F_ACK : 0),
                       .nlmsg_seq = i + 1},
            .neighbour = {.ndm_family = AF_INET,
                          .ndm_ifindex = interface,
                          .ndm_state = NUD_PERMANENT,
                          .ndm_flags = NTF_PROXY},
            .attribute = {.rta_len = 8, .rta_type = NDA_DST},
            .address.s_addr = htonl(0x0a000000 + at),
        };
    }
    int fd = netlink_open();
    char answer[1 << 16];
    struct measure begun = measure_begin();
    if (send(fd, entries, count * sizeof *entries, 0) < 0)
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
    measure_end(begun, count);
    return 0;
}
