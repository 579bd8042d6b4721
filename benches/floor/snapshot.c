/* floor: snapshot - every dump and every file that a complete snapshot needs, thrown away unread. */
#include "netlink.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>

/* Every file of one folder, below a descriptor. */
static long read_folder(int conf, const char *name)
{
    long files = 0;
    char text[64];
    int fd = openat(conf, name, O_RDONLY | O_DIRECTORY);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        int file = openat(fd, entry->d_name, O_RDONLY);
        if (file < 0)
            continue;
        if (read(file, text, sizeof text) > 0)
            files++;
        close(file);
    }
    closedir(folder);
    return files;
}

int main(void)
{
    struct {
        struct ifinfomsg info;
        struct rtattr attribute;
        unsigned mask;
    } links = {.attribute = {.rta_len = 8, .rta_type = IFLA_EXT_MASK}, .mask = RTEXT_FILTER_SKIP_STATS};
    struct measure begun = measure_begin();
    int fd = netlink_open();
    long interfaces = netlink_dump(fd, RTM_GETLINK, &links, sizeof links);
    int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        struct ifaddrmsg address = {.ifa_family = families[i]};
        struct fib_rule_hdr rule = {.family = families[i]};
        struct rtmsg route = {.rtm_family = families[i]};
        netlink_dump(fd, RTM_GETADDR, &address, sizeof address);
        netlink_dump(fd, RTM_GETRULE, &rule, sizeof rule);
        netlink_dump(fd, RTM_GETROUTE, &route, sizeof route);
    }
    struct ndmsg neighbours = {.ndm_family = AF_UNSPEC};
    struct ndmsg proxies = {.ndm_family = AF_UNSPEC, .ndm_flags = NTF_PROXY};
    struct ndtmsg tables = {.ndtm_family = AF_INET};
    netlink_dump(fd, RTM_GETNEIGH, &neighbours, sizeof neighbours);
    long entries = netlink_dump(fd, RTM_GETNEIGH, &proxies, sizeof proxies);
    netlink_dump(fd, RTM_GETNEIGHTBL, &tables, sizeof tables);
    int conf = open("/proc/sys/net/ipv4/conf", O_RDONLY | O_DIRECTORY);
    read_folder(conf, "all");
    read_folder(conf, "default");
    measure_end(begun, interfaces + entries);
    return 0;
}
