#!/usr/bin/env python3
"""A host as pandas frames: its interfaces by kind, and the addresses that several of them answer for.

frames.py NETNS
"""

import sys

import arpflux

snapshot = arpflux.Host.netns(sys.argv[1]).snapshot()
interfaces = arpflux.to_pandas(snapshot.interfaces)
print(interfaces.groupby("kind", dropna=False)["name"].agg(list).to_string())
rows = arpflux.to_pandas(snapshot.matrix().rows)
print(rows[rows["flux"].eq(True)][["address", "held_by", "proxied"]].to_string(index=False))
