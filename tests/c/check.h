/* The smallest test harness that counts: TEST functions with CHECKs, one closing line. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int checks_failed, tests_passed, tests_failed;

#define CHECK(condition)                                                                     \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            checks_failed++;                                                                 \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
        }                                                                                    \
    } while (0)

/* A call that is expected to succeed: prints the error if there is one. */
#define CHECK_OK(condition, err)                                                             \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            checks_failed++;                                                                 \
            fprintf(stderr, "%s:%d: failed: %s: %s\n", __FILE__, __LINE__, #condition,       \
                    (err) ? arpflux_error_text(err) : "no error was set");                   \
        }                                                                                    \
    } while (0)

/* A struct that begins with its size, and asks for the defaults. */
#define INIT(options) (memset(&(options), 0, sizeof(options)), (options).size = sizeof(options))

/* Whether an error names this. */
#define about(err, what) (arpflux_error_text(err) != NULL && strstr(arpflux_error_text(err), what) != NULL)

long syscall(long number, ...);

/* Whether there is openat2(2), which is number 437 everywhere: valgrind may not know it. */
static inline bool has_openat2(void)
{
    return syscall(437, -1L, NULL, NULL, 0L) != -1 || errno != ENOSYS;
}

/* The address that a text stands for. */
static inline arpflux_ip ip(const char *text)
{
    arpflux_ip ip;
    CHECK(arpflux_ip_parse(text, &ip, NULL));
    return ip;
}

static inline bool same(arpflux_ip a, const char *b)
{
    char text[ARPFLUX_IP_TEXT_SIZE];
    arpflux_ip_format(a, text, sizeof text);
    return strcmp(text, b) == 0;
}

/* Whether a text is an object of our JSON that holds `needle`; the text is freed. */
static inline bool json(char *text, const char *needle)
{
    bool found = text && strncmp(text, "{", 1) == 0 && strstr(text, "\"schema\": 1") && strstr(text, needle);
    arpflux_string_free(text);
    return found;
}

static void run_test(const char *name, void (*test)(void))
{
    checks_failed = 0;
    test();
    if (checks_failed) tests_failed++; else tests_passed++;
    printf("test %s ... %s\n", name, checks_failed ? "FAILED" : "ok");
}

#define RUN(test) run_test(#test, test)

static int report(void)
{
    printf("test result: %d passed, %d failed\n", tests_passed, tests_failed);
    return tests_failed || !tests_passed;
}

#endif
