/* A ring to receive from (TPACKET_V3), set up as anybody would: blocks of 256 KiB, handed over when full or
 * 20 ms old. */
#ifndef ARPFLUX_FLOOR_RING_H
#define ARPFLUX_FLOOR_RING_H

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 18, BLOCKS = 128 };

struct ring {
    int fd;
    uint8_t *map;
    unsigned next;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void print_result(long long cpu, long long wall, long long result)
{
    printf("{\"cpu_ns\":%lld,\"wall_ns\":%lld,\"result\":%lld}\n", cpu, wall, result);
}

/* A packet socket bound to an interface; protocol 0 receives nothing. */
static void bind_to(int fd, const char *interface, uint16_t protocol)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(protocol),
                                  .sll_ifindex = (int)if_nametoindex(interface)};
    if (address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail(interface);
}

static struct ring ring_open(const char *interface, struct sock_fprog filter)
{
    struct ring ring = {.fd = socket(AF_PACKET, SOCK_RAW, 0)};
    int version = TPACKET_V3;
    struct tpacket_req3 request = {.tp_block_size = BLOCK,
                                   .tp_block_nr = BLOCKS,
                                   .tp_frame_size = 2048,
                                   .tp_frame_nr = BLOCK / 2048 * BLOCKS,
                                   .tp_retire_blk_tov = 20};
    if (ring.fd < 0 ||
        (filter.len && setsockopt(ring.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0) ||
        setsockopt(ring.fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0 ||
        setsockopt(ring.fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
        fail("ring");
    ring.map = mmap(NULL, (size_t)BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
    if (ring.map == MAP_FAILED)
        fail("mmap");
    bind_to(ring.fd, interface, ETH_P_ALL);
    return ring;
}

/* Calls `each` with what is there; gives the number of frames. */
static inline long ring_read(struct ring *ring, void (*each)(const uint8_t *frame, unsigned length))
{
    long frames = 0;
    for (;;) {
        struct tpacket_block_desc *block = (void *)(ring->map + (size_t)ring->next * BLOCK);
        if (!(__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
            return frames;
        struct tpacket3_hdr *frame = (void *)((uint8_t *)block + block->hdr.bh1.offset_to_first_pkt);
        for (unsigned i = 0; i < block->hdr.bh1.num_pkts; i++) {
            each((uint8_t *)frame + frame->tp_mac, frame->tp_snaplen);
            frame = (void *)((uint8_t *)frame + frame->tp_next_offset);
        }
        frames += block->hdr.bh1.num_pkts;
        __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        ring->next = (ring->next + 1) % BLOCKS;
    }
}

static void ring_wait(const struct ring *ring, int milliseconds)
{
    struct pollfd entry = {.fd = ring->fd, .events = POLLIN};
    poll(&entry, 1, milliseconds);
}

#endif
