/* A route netlink socket with large buffers: nothing is parsed but the end of an answer. */
#ifndef ARPFLUX_FLOOR_NETLINK_H
#define ARPFLUX_FLOOR_NETLINK_H

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

static inline int netlink_open(void)
{
    int large = 64 << 20;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        measure_fail("netlink socket");
    /* The plain options are the fallback where the forced ones are not permitted. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    return fd;
}

/* Asks for a dump and reads to its end; the number of messages. */
static inline long netlink_dump(int fd, unsigned short type, const void *body, size_t len)
{
    static char buffer[1 << 18];
    static unsigned sequence;
    struct {
        struct nlmsghdr header;
        char body[64];
    } request = {.header = {.nlmsg_len = NLMSG_LENGTH(len),
                            .nlmsg_type = type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = ++sequence}};
    long messages = 0;
    memcpy(request.body, body, len);
    if (send(fd, &request, request.header.nlmsg_len, 0) < 0)
        measure_fail("send");
    for (;;) {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got < 0)
            measure_fail("recv");
        for (struct nlmsghdr *m = (struct nlmsghdr *)buffer; NLMSG_OK(m, got); m = NLMSG_NEXT(m, got)) {
            if (m->nlmsg_type == NLMSG_DONE)
                return messages;
            if (m->nlmsg_type == NLMSG_ERROR) {
                errno = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
                /* A family that the kernel was built without. */
                if (errno == EAFNOSUPPORT || errno == EOPNOTSUPP)
                    return 0;
                measure_fail("dump");
            }
            messages++;
        }
    }
}

#endif
