/* floor: sysctls PREFIX COUNT VALUE - arp_ignore, arp_announce and rp_filter of PREFIX0 and on: opened
 * below one folder, read, compared, written if they differ. The result is the number of files written. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

int main(int argc, char **argv)
{
    static const char *const names[] = {"arp_ignore", "arp_announce", "rp_filter"};
    if (argc != 4)
        return 2;
    long count = atol(argv[2]), written = 0;
    char path[64], text[16];
    struct measure begun = measure_begin();
    int conf = open("/proc/sys/net/ipv4/conf", O_PATH | O_DIRECTORY);
    for (long i = 0; i < count; i++) {
        for (int n = 0; n < 3; n++) {
            snprintf(path, sizeof path, "%s%ld/%s", argv[1], i, names[n]);
            int file = openat(conf, path, O_RDWR);
            if (file < 0 || read(file, text, sizeof text) < 1)
                measure_fail(path);
            if (text[0] != argv[3][0]) {
                if (pwrite(file, argv[3], 1, 0) != 1)
                    measure_fail(path);
                written++;
            }
            close(file);
        }
    }
    measure_end(begun, written);
    return 0;
}
