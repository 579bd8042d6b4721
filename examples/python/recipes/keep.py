#!/usr/bin/env python3
"""A daemon that keeps a policy and says in lines of JSON what drifted; SIGTERM ends it.

keep.py NETNS POLICY STATE-FOLDER
"""

import asyncio
import json
import signal
import sys

import arpflux


async def main(netns: str, policy: str, folder: str) -> None:
    watch = arpflux.Host.netns(netns).watch(arpflux.Policy.load(policy), heal=True, state_dir=folder)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, watch.close)
    print(json.dumps({"watching": netns}), flush=True)
    async for drift in watch:
        print(json.dumps(drift.to_dict()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
