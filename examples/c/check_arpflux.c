/*
 * A plugin for Nagios, Icinga and the like: does exactly one card answer for each address of this host?
 *
 *     cc check_arpflux.c -o check_arpflux $(pkg-config --cflags --libs arpflux)
 *     ./check_arpflux [POLICY]
 *
 * Ends with 0 (OK), 2 (CRITICAL) or 3 (UNKNOWN: it cannot be told, and not good). As anybody but root nearly all is unknown: packet filters
 * cannot be read then.
 */
#include <arpflux.h>
#include <stdio.h>

enum { OK = 0, CRITICAL = 2, UNKNOWN = 3 };

static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

static int unknown(arpflux_error *err)
{
    printf("ARP UNKNOWN - %s\n", arpflux_error_text(err));
    arpflux_error_free(err);
    return UNKNOWN;
}

static int status_of(arpflux_judged judged)
{
    return judged == ARPFLUX_JUDGED_GOOD ? OK : judged == ARPFLUX_JUDGED_BAD ? CRITICAL : UNKNOWN;
}

/* The worse of two; a fault that is certain counts more than what cannot be told. */
static int worse(int a, int b)
{
    return a == CRITICAL || b == CRITICAL ? CRITICAL : a > b ? a : b;
}

static int check_matrix(const arpflux_matrix *matrix, size_t *wrong)
{
    int status = status_of(arpflux_matrix_judged(matrix));
    size_t i;

    for (i = 0; i < arpflux_matrix_address_count(matrix); i++)
        *wrong += arpflux_matrix_judged_at(matrix, i) == ARPFLUX_JUDGED_BAD;
    return status;
}

int main(int argc, char **argv)
{
    arpflux_error *err = NULL;
    arpflux_host *host = arpflux_host_open_current(&err);
    arpflux_snapshot *snapshot = host ? arpflux_host_snapshot(host, &err) : NULL;
    arpflux_matrix *matrix = snapshot ? arpflux_snapshot_matrix(snapshot, NULL, &err) : NULL;
    arpflux_policy *policy = NULL;
    arpflux_report *report = NULL;
    size_t wrong = 0, i;
    int status;

    arpflux_host_free(host);
    if (matrix && argc > 1 && (policy = arpflux_policy_from_path(argv[1], &err)))
        report = arpflux_policy_verify(policy, snapshot, &err);
    if (err) {
        status = unknown(err);
    } else {
        status = check_matrix(matrix, &wrong);
        if (report)
            status = worse(status, status_of(arpflux_report_judged(report)));
        printf("ARP %s - %zu addresses, %zu of them answered by several MACs; %zu cells cannot be told | flux=%zu\n",
               words[status], arpflux_matrix_address_count(matrix), wrong, arpflux_matrix_undetermined_count(matrix), wrong);
        for (i = 0; i < arpflux_report_failure_count(report); i++)
            printf("%s\n", arpflux_report_failure_at(report, i));
        for (i = 0; i < arpflux_report_undetermined_count(report); i++)
            printf("cannot be told: %s\n", arpflux_report_undetermined_at(report, i));
    }
    arpflux_report_free(report);
    arpflux_policy_free(policy);
    arpflux_matrix_free(matrix);
    arpflux_snapshot_free(snapshot);
    return status;
}
