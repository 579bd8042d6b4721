/*
 * What a policy would do to a host that is elsewhere: from a snapshot that `arpflux snapshot --json` wrote there. Needs no privileges and
 * sends nothing.
 *
 *     cc offline.c -o offline $(pkg-config --cflags --libs arpflux)
 *     ./offline SNAPSHOT POLICY
 *
 * Ends with 0 if nothing would have to change, with 1 if something would, with 6 if it cannot be told whether the host is as it should be.
 */
#include <arpflux.h>
#include <stdio.h>

static int fail(arpflux_error *err)
{
    int code = arpflux_error_exit_code(err);
    fprintf(stderr, "%s\n", arpflux_error_text(err));
    arpflux_error_free(err);
    return code ? code : 1;
}

/* Who answers for each address today, and on how many cards. */
static void print_matrix(const arpflux_matrix *matrix)
{
    size_t row, column;

    for (row = 0; row < arpflux_matrix_address_count(matrix); row++) {
        char text[ARPFLUX_IP_TEXT_SIZE];

        (void)arpflux_ip_format(arpflux_matrix_address_at(matrix, row), text, sizeof text);
        printf("%s (%s):", text, arpflux_judged_name(arpflux_matrix_judged_at(matrix, row)));
        for (column = 0; column < arpflux_matrix_interface_count(matrix); column++) {
            const arpflux_cell *cell = arpflux_matrix_cell(matrix, row, column);
            if (arpflux_cell_answer(cell) != ARPFLUX_ANSWER_SILENT)
                printf(" %s %s (%s)", arpflux_matrix_interface_at(matrix, column),
                       arpflux_answer_name(arpflux_cell_answer(cell)), arpflux_cell_rule(cell));
        }
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    arpflux_error *err = NULL;
    arpflux_snapshot *snapshot = NULL;
    arpflux_policy *policy = NULL;
    arpflux_matrix *matrix = NULL;
    arpflux_plan *plan = NULL;
    arpflux_impact *impact = NULL;
    arpflux_report *report = NULL;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: offline SNAPSHOT POLICY\n");
        return 2;
    }
    if (!(snapshot = arpflux_snapshot_from_path(argv[1], &err)) || !(policy = arpflux_policy_from_path(argv[2], &err)) ||
        !(matrix = arpflux_snapshot_matrix(snapshot, NULL, &err)) || !(plan = arpflux_policy_plan(policy, snapshot, &err)) ||
        !(impact = arpflux_plan_impact(plan, snapshot, policy, &err)) ||
        !(report = arpflux_policy_verify(policy, snapshot, &err))) {
        status = fail(err);
    } else {
        print_matrix(matrix);
        printf("%zu changes:\n%s", arpflux_plan_change_count(plan), arpflux_plan_text(plan));
        if (arpflux_impact_victim_count(impact) > 0)
            printf("what the policy does not name changes, too:\n%s", arpflux_impact_text(impact));
        status = arpflux_plan_change_count(plan) > 0                      ? 1
                 : arpflux_report_judged(report) == ARPFLUX_JUDGED_GOOD ? 0
                                                                        : 6;
    }
    arpflux_report_free(report);
    arpflux_impact_free(impact);
    arpflux_plan_free(plan);
    arpflux_matrix_free(matrix);
    arpflux_policy_free(policy);
    arpflux_snapshot_free(snapshot);
    return status;
}
