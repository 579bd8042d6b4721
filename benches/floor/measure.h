/* What every floor program shares: the clock, the CPU time, and the one line that it prints. */
#ifndef ARPFLUX_FLOOR_MEASURE_H
#define ARPFLUX_FLOOR_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct measure {
    long long cpu_ns;
    long long wall_ns;
};

static inline long long measure_cpu(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline long long measure_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline struct measure measure_begin(void)
{
    struct measure m = {measure_cpu(), measure_wall()};
    return m;
}

/* `result` is what the work came to, for the runner to compare with the other contenders'. */
static inline void measure_end(struct measure begun, long long result)
{
    long long cpu = measure_cpu() - begun.cpu_ns;
    long long wall = measure_wall() - begun.wall_ns;
    printf("{\"cpu_ns\":%lld,\"wall_ns\":%lld,\"result\":%lld}\n", cpu, wall, result);
}

static inline void measure_fail(const char *what)
{
    perror(what);
    exit(1);
}

#endif
