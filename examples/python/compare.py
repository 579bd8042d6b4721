#!/usr/bin/env python3
"""Runs before.py and after.py on equal hosts out of namespaces, compares the states they leave, and times both.

    compare.py [--entries N] [--repeat N]

Needs root, or `unshare -rnm` and an empty /run/netns. What is timed is the whole program, the start of Python included.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

import arpflux

HERE = pathlib.Path(__file__).parent


def run(*command):
    subprocess.run(command, check=True)


def make(name):
    """A node with three cards in one subnet, and containers behind venet0."""
    run("ip", "netns", "add", name)
    for number, nic in enumerate(("eth0", "eth3", "eth4")):
        run("ip", "-n", name, "link", "add", nic, "address", f"02:00:00:00:00:0{number}", "up", "type", "veth", "peer", f"p{number}")
        run("ip", "-n", name, "link", "set", f"p{number}", "up")
        run("ip", "-n", name, "address", "add", f"192.168.18.{10 + number}/24", "dev", nic)
        run("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv4.conf.{nic}.forwarding=1")
    run("ip", "-n", name, "link", "add", "venet0", "type", "veth", "peer", "ve0")
    run("ip", "-n", name, "link", "set", "venet0", "arp", "off", "up")
    run("ip", "-n", name, "route", "add", "10.1.0.0/16", "dev", "venet0")


def state(name):
    snapshot = arpflux.Host.netns(name).snapshot()
    names = {interface.index: interface.name for interface in snapshot.interfaces}
    settings = {
        interface.name: {key: interface.sysctls.get(key) for key in ("arp_ignore", "arp_announce", "arp_filter")}
        for interface in snapshot.interfaces
    }
    return settings, sorted((str(entry.address), names[entry.interface]) for entry in snapshot.proxies)


def timed(script, name, addresses):
    began = time.perf_counter()
    run(sys.executable, str(HERE / script), name, "eth3", *addresses)
    return (time.perf_counter() - began) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    addresses = [f"10.1.{i // 250}.{1 + i % 250}" for i in range(options.entries)]
    took = {"before.py": [], "after.py": []}
    for _ in range(options.repeat):
        states = []
        for script in took:
            make("compare")
            try:
                took[script].append(timed(script, "compare", addresses))
                states.append(state("compare"))
            finally:
                run("ip", "netns", "delete", "compare")
        if states[0] != states[1]:
            print("the states differ:", *states, sep="\n")
            return 1
    before, after = (statistics.median(times) for times in took.values())
    print(f"same state; {options.entries} entries: {before:.0f} ms with ip and sysctl, {after:.0f} ms with arpflux,")
    print(f"journal and verification included: {before / after:.1f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
