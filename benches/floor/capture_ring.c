/*
 * The floor for listening: a ring, and a counter.
 *
 *   capture_ring INTERFACE FRAMES      takes so many ARP frames; "result" is their number
 *   capture_ring send INTERFACE FRAMES HOSTS   sends them: requests and replies of HOSTS hosts, by turns
 */
#define _GNU_SOURCE
#include "ring.h"

enum { BATCH = 64, FRAME = 60 };

static uint64_t sum;

static void each(const uint8_t *frame, unsigned length)
{
    sum += frame[28] + length;
}

static int send_frames(const char *interface, long count, unsigned hosts)
{
    static uint8_t frames[BATCH][FRAME];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    int out = socket(AF_PACKET, SOCK_RAW, 0);
    if (out < 0 || hosts == 0)
        return 1;
    bind_to(out, interface, 0);
    for (long sent = 0; sent < count; sent += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            /* Each host answers the request of the one before. */
            static const uint8_t fixed[9] = {8, 6, 0, 1, 8, 0, 6, 4, 0};
            uint8_t *frame = frames[i];
            uint32_t asker = htonl(0x0a000000 + (uint32_t)(sent + i) / 2 % hosts);
            uint32_t asked = htonl(0x0a000000 + ((uint32_t)(sent + i) / 2 + 1) % hosts);
            uint32_t from = i & 1 ? asked : asker, to = i & 1 ? asker : asked;
            memset(frame, 0xff, 6);
            frame[6] = frame[22] = 2;
            memcpy(frame + 8, &from, 4);
            memcpy(frame + 12, fixed, 9);
            frame[21] = i & 1 ? 2 : 1;
            memcpy(frame + 24, &from, 4);
            memcpy(frame + 28, &from, 4);
            memset(frame + 32, 0, 6);
            if (i & 1) {
                frame[32] = 2;
                memcpy(frame + 34, &to, 4);
                memcpy(frame, frame + 32, 6);
            }
            memcpy(frame + 38, &to, 4);
            pieces[i] = (struct iovec){frame, FRAME};
            messages[i].msg_hdr.msg_iov = &pieces[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        if (sendmmsg(out, messages, BATCH, 0) != BATCH)
            fail("sendmmsg");
        /* A pause that lets a listener on the same processor have its turn. */
        if (sent % (BATCH * 256) == 0)
            usleep(2000);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "send"))
        return send_frames(argv[2], atol(argv[3]), (unsigned)atol(argv[4]));
    if (argc != 3)
        return 2;
    long frames = atol(argv[2]), got = 0;
    struct sock_filter arp[] = {{0x28, 0, 0, 12}, {0x15, 0, 1, 0x806}, {0x06, 0, 0, 65535}, {0x06, 0, 0, 0}};
    struct ring ring = ring_open(argv[1], (struct sock_fprog){4, arp});
    long long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC), last = wall;
    while (got < frames && now(CLOCK_MONOTONIC) - last < 5000000000) {
        ring_wait(&ring, 1000);
        long some = ring_read(&ring, each);
        if (some)
            last = now(CLOCK_MONOTONIC);
        got += some;
    }
    print_result(now(CLOCK_PROCESS_CPUTIME_ID) - cpu, last - wall, got);
    return sum == 1;
}
