/*
 * Keeps a policy: says what drifts from it, and puts it right.
 *
 *     cc watch.c -o watch $(pkg-config --cflags --libs arpflux)
 *     ./watch POLICY [COUNT]         (as root; ends after COUNT drifts)
 */
#include <arpflux.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    long left;
    bool bad;
};

static bool tell(const arpflux_drift *drift, void *context)
{
    struct state *state = (struct state *)context;
    arpflux_remedy remedy = arpflux_drift_remedy(drift);

    printf("%s\n", arpflux_drift_text(drift));
    fflush(stdout);
    state->bad = remedy != ARPFLUX_REMEDY_HEALED && remedy != ARPFLUX_REMEDY_POSSIBLE &&
                 remedy != ARPFLUX_REMEDY_RECOVERED;
    return --state->left != 0;
}

int main(int argc, char **argv)
{
    struct state state;
    arpflux_watch_options options;
    arpflux_error *err = NULL;
    arpflux_host *host = NULL;
    arpflux_policy *policy = NULL;
    arpflux_watch *watch = NULL;

    if (argc < 2) {
        fprintf(stderr, "usage: watch POLICY [COUNT]\n");
        return 2;
    }
    state.left = argc > 2 ? strtol(argv[2], NULL, 10) : -1;
    state.bad = false;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.heal = 1;
    if ((policy = arpflux_policy_from_path(argv[1], &err)) && (host = arpflux_host_open_current(&err)) &&
        (watch = arpflux_host_watch(host, policy, &options, &err))) {
        while (state.left != 0 && arpflux_watch_wait(watch, -1, NULL, tell, &state, &err))
            ;
    }
    if (err) {
        fprintf(stderr, "%s\n", arpflux_error_text(err));
        state.bad = true;
        arpflux_error_free(err);
    }
    arpflux_watch_free(watch);
    arpflux_host_free(host);
    arpflux_policy_free(policy);
    return state.bad;
}
