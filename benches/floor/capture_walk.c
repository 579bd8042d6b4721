/*
 * The floor for reading a capture: maps a pcap file and counts (address, MAC) pairs of ARP senders.
 *
 *   cc -O2 -o capture_walk capture_walk.c
 *   capture_walk make FILE FRAMES HOSTS   writes a file: HOSTS hosts ask and answer by turns
 *   capture_walk FILE                     walks it; prints its times, pairs ("result") and frames
 *   capture_walk read FILE                the same without a mapping: read(2) into a buffer
 *
 * It does what no reader can do without: it touches every record once and finds the pair's counter. It
 * reads little-endian microsecond files of Ethernet only, trusts what lengths say, and looks at no request,
 * no time, no VLAN tag.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct slot {
    uint64_t station, key, count;
};

static int make(const char *path, long frames, long hosts)
{
    FILE *file = fopen(path, "w");
    if (!file || hosts < 2 || hosts > 1 << 24)
        return 1;
    static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};
    fwrite(head, sizeof head, 1, file);
    uint32_t random = 1, asker = 0, asked = 1;
    for (long i = 0; i < frames; i++) {
        /* Requests are 42 bytes where the asker captured them, replies and every other request 60. */
        int reply = i & 1, length = reply && i % 6 != 5 ? 42 : i % 3 ? 42 : 60;
        uint8_t frame[60] = {0};
        uint64_t time = 1700000000000000ull + i * 10;
        uint32_t record[4] = {(uint32_t)(time / 1000000), (uint32_t)(time % 1000000), (uint32_t)length,
                              (uint32_t)length};
        if (!reply) {
            random = random * 1664525 + 1013904223;
            asker = (random >> 8) % (uint32_t)hosts;
            random = random * 1664525 + 1013904223;
            asked = (random >> 8) % (uint32_t)hosts;
            if (asked == asker)
                asked = (asker + 1) % (uint32_t)hosts;
        }
        uint32_t from = reply ? asked : asker, to = reply ? asker : asked;
        uint8_t mac_from[6] = {2, 0, 0, (uint8_t)(from >> 16), (uint8_t)(from >> 8), (uint8_t)from};
        uint8_t mac_to[6] = {2, 0, 0, (uint8_t)(to >> 16), (uint8_t)(to >> 8), (uint8_t)to};
        static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
        static const uint8_t fixed[9] = {8, 6, 0, 1, 8, 0, 6, 4, 0};
        memcpy(frame, reply ? mac_to : all, 6);
        memcpy(frame + 6, mac_from, 6);
        memcpy(frame + 12, fixed, 9);
        frame[21] = reply ? 2 : 1;
        memcpy(frame + 22, mac_from, 6);
        uint32_t ip_from = __builtin_bswap32(0x0a000000 + from), ip_to = __builtin_bswap32(0x0a000000 + to);
        memcpy(frame + 28, &ip_from, 4);
        if (reply)
            memcpy(frame + 32, mac_to, 6);
        memcpy(frame + 38, &ip_to, 4);
        fwrite(record, sizeof record, 1, file);
        fwrite(frame, (size_t)length, 1, file);
    }
    return fclose(file) != 0;
}

static long long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* What is counted: a hash table of pairs. */
static struct slot *table;
static uint64_t size = 1 << 12, used, frames;

/* Makes the table twice as large. */
static void grow(void)
{
    struct slot *twice = calloc(2 * size, sizeof *twice);
    if (!twice)
        exit(1);
    for (uint64_t i = 0; i < size; i++) {
        if (!table[i].count)
            continue;
        uint64_t to = ((table[i].station ^ table[i].key << 16) * 0x9e3779b97f4a7c15ull >> 32) & (2 * size - 1);
        while (twice[to].count)
            to = (to + 1) & (2 * size - 1);
        twice[to] = table[i];
    }
    free(table);
    table = twice;
    size *= 2;
}

/* Counts the records that lie whole between two places, and says where the next begins. */
static const uint8_t *walk(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 16 + 42) {
        uint32_t length;
        memcpy(&length, at + 8, 4);
        const uint8_t *frame = at + 16;
        if (end - frame < length)
            break;
        at += 16 + length;
        uint64_t fixed, station;
        memcpy(&fixed, frame + 12, 8);
        if (fixed != 0x0406000801000608)
            continue;
        memcpy(&station, frame + 22, 8);
        station = __builtin_bswap64(station) >> 16;
        uint32_t address;
        memcpy(&address, frame + 28, 4);
        frames++;
        uint64_t hash = (station ^ (uint64_t)address << 16) * 0x9e3779b97f4a7c15ull;
        uint64_t place = (hash >> 32) & (size - 1);
        while (table[place].count && (table[place].station != station || table[place].key != address))
            place = (place + 1) & (size - 1);
        if (table[place].count++)
            continue;
        table[place] = (struct slot){station, address, 1};
        if (2 * ++used > size)
            grow();
    }
    return at;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "make"))
        return make(argv[2], atol(argv[3]), atol(argv[4]));
    long long cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    int reads = argc == 3 && !strcmp(argv[1], "read");
    int fd = argc == 2 || reads ? open(argv[argc - 1], O_RDONLY) : -1;
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0) {
        fprintf(stderr, "usage: capture_walk [read] FILE | capture_walk make FILE FRAMES HOSTS\n");
        return 2;
    }
    table = calloc(size, sizeof *table);
    if (!table)
        return 1;
    if (reads) {
        static uint8_t buffer[256 << 10];
        ssize_t got = read(fd, buffer, 24);
        for (size_t kept = 0; (got = read(fd, buffer + kept, sizeof buffer - kept)) > 0;) {
            const uint8_t *end = buffer + kept + got, *rest = walk(buffer, end);
            kept = (size_t)(end - rest);
            memmove(buffer, rest, kept);
        }
    } else {
        const uint8_t *at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (at == MAP_FAILED)
            return 1;
        walk(at + 24, at + stat.st_size);
    }
    printf("{\"cpu_ns\":%lld,\"wall_ns\":%lld,\"result\":%llu,\"frames\":%llu}\n",
           now(CLOCK_PROCESS_CPUTIME_ID) - cpu, now(CLOCK_MONOTONIC) - wall, (unsigned long long)used,
           (unsigned long long)frames);
    return 0;
}
