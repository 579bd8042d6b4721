/* NULL, stale and mistaken handles, bad input: each an error, nothing written, nothing leaked. */
#include "arpflux.h"
#include "check.h"

static void version_is_that_of_the_header(void)
{
    CHECK(strcmp(arpflux_version(), ARPFLUX_VERSION) == 0);
}

static void addresses_read_and_print(void)
{
    const char *good[] = {"0.0.0.0", "192.168.18.101", "255.255.255.255", "::", "fd00::1"};
    const char *bad[] = {"", "eth0", "192.168.18.256", "192.168.18.1/24", "1.2.3", "fd00:::1"};
    char text[ARPFLUX_IP_TEXT_SIZE];
    arpflux_ip ip;
    arpflux_error *err = NULL;
    size_t i;

    for (i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(arpflux_ip_parse(good[i], &ip, &err), err);
        CHECK(arpflux_ip_format(ip, text, sizeof text) == strlen(good[i]));
        CHECK(strcmp(text, good[i]) == 0);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&ip, 0xaa, sizeof ip);
        CHECK(!arpflux_ip_parse(bad[i], &ip, &err));
        CHECK(ip.family == 0xaa); /* outputs are written on success only */
        CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
        CHECK(strstr(arpflux_error_text(err), bad[i]) != NULL);
        CHECK(arpflux_error_hint(err) != NULL);
        arpflux_error_free(err);
        err = NULL;
    }
    { /* What is far too long is not repeated as a whole. */
        static char huge[1 << 20];

        memset(huge, 'x', sizeof huge - 1);
        CHECK(!arpflux_ip_parse(huge, &ip, &err));
        CHECK(strlen(arpflux_error_text(err)) < 5000 && arpflux_error_hint(err) != NULL);
        arpflux_error_free(err);
        err = NULL;
    }
    /* Too small a buffer: an empty text, nothing beyond it. */
    CHECK(arpflux_ip_parse("192.168.18.101", &ip, NULL));
    memset(text, 'x', sizeof text);
    CHECK(arpflux_ip_format(ip, text, 14) == 0 && text[0] == '\0' && text[1] == 'x');
    CHECK(arpflux_ip_format(ip, NULL, 14) == 0);
    CHECK(arpflux_ip_format(ip, text, 0) == 0);
    ip.family = 5;
    CHECK(arpflux_ip_format(ip, text, sizeof text) == 0);
}

static void null_is_an_error(void)
{
    arpflux_error *err = NULL;

    CHECK(arpflux_snapshot_from_json(NULL, 1, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    CHECK(about(err, "text"));
    arpflux_error_free(err);
    err = NULL;
    CHECK(arpflux_snapshot_to_json(NULL, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);
    err = NULL;
    CHECK(!arpflux_ip_parse("1.2.3.4", NULL, &err));
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(err);

    /* Getters have values for it. */
    CHECK(arpflux_snapshot_interface_count(NULL) == 0);
    CHECK(arpflux_snapshot_interface_at(NULL, 0) == NULL);
    CHECK(arpflux_snapshot_interface_by_name(NULL, "lo") == NULL);
    CHECK(arpflux_interface_name(NULL) == NULL && arpflux_interface_index(NULL) == 0);
    CHECK(arpflux_error_code(NULL) == ARPFLUX_CODE_OK && arpflux_error_text(NULL) == NULL);

    /* And freeing it does nothing. */
    arpflux_error_free(NULL);
    arpflux_snapshot_free(NULL);
    arpflux_string_free(NULL);
}

static void stale_handles_are_errors(void)
{
    arpflux_error *err = NULL, *other = NULL;

    CHECK(arpflux_snapshot_from_json("{", 1, &err) == NULL);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_DATA);
    /* An error where a snapshot is wanted. */
    CHECK(arpflux_snapshot_to_json((const arpflux_snapshot *)err, &other) == NULL);
    CHECK(arpflux_error_code(other) == ARPFLUX_CODE_INVALID_INPUT);
    arpflux_error_free(other);
    arpflux_snapshot_free((arpflux_snapshot *)err);
    arpflux_string_free((char *)err);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_INVALID_DATA);
    arpflux_error_free(err);
    CHECK(arpflux_error_code(err) == ARPFLUX_CODE_OK);
    arpflux_error_free(err);
}

static void errors_may_be_ignored(void)
{
    CHECK(arpflux_snapshot_from_json("nonsense", 8, NULL) == NULL);
    CHECK(arpflux_snapshot_from_json("\xff\xfe", 2, NULL) == NULL);
}

int main(void)
{
    RUN(version_is_that_of_the_header);
    RUN(addresses_read_and_print);
    RUN(null_is_an_error);
    RUN(stale_handles_are_errors);
    RUN(errors_may_be_ignored);
    return report();
}
