/*
 * The floor for asking many addresses: requests encoded beforehand, sent 64 to a system call; replies taken
 * from a ring and counted by address.
 *
 *   probe_loop INTERFACE SENDER FIRST COUNT
 *
 * Asks for COUNT addresses from FIRST on. It asks once, waits 100 ms after the last reply, and tells
 * neither MACs nor proxies apart. "result" is the number of addresses that answered.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>

#include "ring.h"

enum { BATCH = 64, FRAME = 60 };

static uint32_t first, count;
static uint8_t *seen;
static long answered;

static void each(const uint8_t *frame, unsigned length)
{
    uint32_t address;
    if (length < 42)
        return;
    memcpy(&address, frame + 28, 4);
    address = ntohl(address) - first;
    if (address < count && !seen[address]) {
        seen[address] = 1;
        answered++;
    }
}

int main(int argc, char **argv)
{
    struct in_addr sender, from;
    if (argc != 5 || !inet_aton(argv[2], &sender) || !inet_aton(argv[3], &from))
        return 2;
    first = ntohl(from.s_addr);
    count = (uint32_t)atol(argv[4]);
    struct ifreq request = {0};
    strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
    int out = socket(AF_PACKET, SOCK_RAW, 0);
    if (out < 0 || ioctl(out, SIOCGIFHWADDR, &request) < 0)
        fail(argv[1]);
    const uint8_t *mac = (uint8_t *)request.ifr_hwaddr.sa_data;
    bind_to(out, argv[1], 0);
    uint8_t(*frames)[FRAME] = calloc(count, FRAME);
    struct iovec *pieces = calloc(count, sizeof *pieces);
    struct mmsghdr *messages = calloc(count, sizeof *messages);
    seen = calloc(count, 1);
    if (!frames || !pieces || !messages || !seen)
        return 1;
    for (uint32_t i = 0; i < count; i++) {
        static const uint8_t fixed[10] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
        uint32_t target = htonl(first + i);
        memset(frames[i], 0xff, 6);
        memcpy(frames[i] + 6, mac, 6);
        memcpy(frames[i] + 12, fixed, 10);
        memcpy(frames[i] + 22, mac, 6);
        memcpy(frames[i] + 28, &sender, 4);
        memcpy(frames[i] + 38, &target, 4);
        pieces[i] = (struct iovec){frames[i], FRAME};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    /* ARP replies only. */
    struct sock_filter replies[] = {{0x28, 0, 0, 12}, {0x15, 0, 3, 0x806}, {0x28, 0, 0, 20},
                                    {0x15, 0, 1, 2},  {0x06, 0, 0, 65535}, {0x06, 0, 0, 0}};
    struct ring ring = ring_open(argv[1], (struct sock_fprog){6, replies});
    long long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC), last = wall;
    for (uint32_t sent = 0; sent < count;) {
        unsigned batch = count - sent < BATCH ? count - sent : BATCH;
        int done = sendmmsg(out, messages + sent, batch, 0);
        if (done < 0)
            fail("sendmmsg");
        sent += (unsigned)done;
        ring_read(&ring, each);
    }
    last = now(CLOCK_MONOTONIC);
    while (now(CLOCK_MONOTONIC) - last < 100000000 && answered < count) {
        ring_wait(&ring, 100);
        if (ring_read(&ring, each))
            last = now(CLOCK_MONOTONIC);
    }
    print_result(now(CLOCK_PROCESS_CPUTIME_ID) - cpu, last - wall, answered);
    return 0;
}
