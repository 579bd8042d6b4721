#!/usr/bin/env python3
"""Writes a policy that publishes what runs behind a host, by its routes: `publish.py NETNS DEVICE INTERFACE > policy.toml`."""

import sys

import arpflux


def behind(snapshot: arpflux.Snapshot, device: str, interface: str) -> arpflux.Policy:
    number = snapshot.interface(device).index
    hosts = [
        route.destination.network_address
        for route in snapshot.routes
        if route.table == 254
        and route.destination.prefixlen == route.destination.max_prefixlen
        and any(hop.interface == number for hop in route.next_hops)
    ]
    found = snapshot.recommend().policy
    proxies = [arpflux.ProxyPolicy(str(address), (address,), interface) for address in hosts]
    return arpflux.Policy(interfaces=found.interfaces, proxies=proxies)


if __name__ == "__main__":
    print(behind(arpflux.Host.netns(sys.argv[1]).snapshot(), *sys.argv[2:4]).to_toml(), end="")
