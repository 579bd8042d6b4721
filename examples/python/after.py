#!/usr/bin/env python3
"""The same with arpflux: one transaction, undone if anything fails, verified for all senders.

    after.py NETNS INTERFACE ADDRESS...
"""

import sys

import arpflux


def main(netns, interface, addresses):
    host = arpflux.Host.netns(netns)
    snapshot = host.snapshot()
    holders = {address.interface for address in snapshot.addresses if address.local.version == 4}
    names = [one.name for one in snapshot.interfaces if one.index in holders and one.speaks_arp]
    policy = arpflux.Policy.from_dict(
        {
            "version": 1,
            "host": {"interfaces": names, "strategy": "strict", "egress": "unmanaged", "announce": False},
            "proxy": [{"owner": "script", "addresses": addresses, "interface": interface}],
        }
    )
    with host.apply(policy.plan(snapshot)):
        policy.verify(host.snapshot()).raise_for_failures()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
