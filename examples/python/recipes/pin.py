#!/usr/bin/env python3
"""Lets one interface answer for addresses and no other: on trial, verified by frames, kept or undone.

pin.py NETNS INTERFACE ADDRESS...
"""

import sys
from ipaddress import ip_address

import arpflux


def pin(netns: str, interface: str, addresses: list[str]) -> arpflux.Receipt:
    host = arpflux.Host.netns(netns)
    pinned = arpflux.ProxyPolicy("pinned", tuple(map(ip_address, addresses)), interface)
    found = host.snapshot().recommend().policy
    others = [one for one in found.proxies if not set(one.addresses) & set(pinned.addresses)]
    policy = arpflux.Policy(interfaces=found.interfaces, proxies=[*others, pinned])
    plan = host.plan(policy)
    print(plan)
    # An exception undoes it, and so does a connection that is lost: after 30 s.
    with host.apply(plan, confirm=30) as receipt:
        host.verify(policy, wire="self").raise_for_failures()
        receipt.confirm()
    return receipt


if __name__ == "__main__":
    pin(sys.argv[1], sys.argv[2], sys.argv[3:])
