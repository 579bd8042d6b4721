/* A snapshot through the C library. */
#include <arpflux.h>

#include "../floor/measure.h"

int main(void)
{
    arpflux_error *error = NULL;
    struct measure begun = measure_begin();
    arpflux_host *host = arpflux_host_open_current(&error);
    arpflux_snapshot *snapshot = host ? arpflux_host_snapshot(host, &error) : NULL;
    if (!snapshot) {
        fprintf(stderr, "%s\n", arpflux_error_text(error));
        return 1;
    }
    measure_end(begun, arpflux_snapshot_interface_count(snapshot) + arpflux_snapshot_proxy_count(snapshot));
    arpflux_snapshot_free(snapshot);
    arpflux_host_free(host);
    return 0;
}
