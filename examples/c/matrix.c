/*
 * Who answers for which address on which interface, as the kernel will do it.
 *
 *     cc matrix.c -o matrix $(pkg-config --cflags --libs arpflux)
 *     ./matrix [NAMESPACE]
 *
 * Needs no privileges in the caller's own namespace, and sends nothing. Ends with 1 if several MACs answer for an address.
 */
#include <arpflux.h>
#include <stdio.h>
#include <string.h>

static int fail(arpflux_error *err)
{
    int code = arpflux_error_exit_code(err);
    fprintf(stderr, "%s\n", arpflux_error_text(err));
    arpflux_error_free(err);
    return code ? code : 1;
}

/* One cell: the end of the MAC that answers, "-" for silence, "?" where the snapshot cannot tell. */
static void print_cell(const arpflux_cell *cell)
{
    const char *mac = arpflux_cell_mac(cell);

    switch (arpflux_cell_answer(cell)) {
    case ARPFLUX_ANSWER_ANSWERS: printf(" %10s", mac + (strlen(mac) > 8 ? strlen(mac) - 8 : 0)); break;
    case ARPFLUX_ANSWER_SILENT: printf(" %10s", "-"); break;
    default: printf(" %10s", "?"); break;
    }
}

int main(int argc, char **argv)
{
    arpflux_error *err = NULL;
    arpflux_host *host;
    arpflux_snapshot *snapshot;
    arpflux_matrix *matrix;
    size_t row, column;
    arpflux_judged judged;
    size_t unknown;

    host = argc > 1 ? arpflux_host_open_netns(argv[1], &err) : arpflux_host_open_current(&err);
    if (!host)
        return fail(err);
    snapshot = arpflux_host_snapshot(host, &err);
    arpflux_host_free(host);
    if (!snapshot)
        return fail(err);
    matrix = arpflux_snapshot_matrix(snapshot, NULL, &err);
    arpflux_snapshot_free(snapshot); /* the matrix has all it needs */
    if (!matrix)
        return fail(err);

    printf("%-16s", "");
    for (column = 0; column < arpflux_matrix_interface_count(matrix); column++)
        printf(" %10s", arpflux_matrix_interface_at(matrix, column));
    putchar('\n');
    for (row = 0; row < arpflux_matrix_address_count(matrix); row++) {
        char text[ARPFLUX_IP_TEXT_SIZE];

        arpflux_ip_format(arpflux_matrix_address_at(matrix, row), text, sizeof text);
        printf("%-16s", text);
        for (column = 0; column < arpflux_matrix_interface_count(matrix); column++)
            print_cell(arpflux_matrix_cell(matrix, row, column));
        switch (arpflux_matrix_judged_at(matrix, row)) {
        case ARPFLUX_JUDGED_GOOD: puts(""); break;
        case ARPFLUX_JUDGED_BAD: puts("  flux"); break;
        default: puts("  cannot be told"); break;
        }
    }
    judged = arpflux_matrix_judged(matrix);
    unknown = arpflux_matrix_undetermined_count(matrix);
    arpflux_matrix_free(matrix);
    if (judged == ARPFLUX_JUDGED_UNDETERMINED)
        fprintf(stderr, "%zu cells cannot be told: run it as root\n", unknown);
    /* The exit codes of the command: only good is 0. */
    return judged == ARPFLUX_JUDGED_GOOD ? 0 : judged == ARPFLUX_JUDGED_BAD ? 1 : 6;
}
