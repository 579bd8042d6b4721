#!/usr/bin/env python3
"""How it is usually done: a script that shells out to `ip` and `sysctl`, once for each thing.

    before.py NETNS INTERFACE ADDRESS...

Lets INTERFACE answer for the addresses and no other interface, and sets arp_ignore and arp_announce on all that hold an
address. Nothing is undone if a step fails, and nothing is verified.
"""

import json
import subprocess
import sys


def run(netns, *command):
    done = subprocess.run(["ip", "netns", "exec", netns, *command], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def main(netns, interface, addresses):
    for link in json.loads(run(netns, "ip", "-j", "-4", "address", "show")):
        name = link["ifname"]
        if name == "lo" or not link["addr_info"]:
            continue
        for key, wanted in (("arp_ignore", "1"), ("arp_announce", "2")):
            setting = f"net.ipv4.conf.{name}.{key}"
            if run(netns, "sysctl", "-n", setting).strip() != wanted:
                run(netns, "sysctl", "-qw", f"{setting}={wanted}")
    there = set()
    for entry in json.loads(run(netns, "ip", "-j", "neigh", "show", "proxy") or "[]"):
        if entry["dst"] in addresses:
            if entry["dev"] == interface:
                there.add(entry["dst"])
            else:
                run(netns, "ip", "neigh", "del", "proxy", entry["dst"], "dev", entry["dev"])
    for address in addresses:
        if address not in there:
            run(netns, "ip", "neigh", "add", "proxy", address, "dev", interface)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
