"""Our Python package: `ours.py snapshot`, or `ours.py proxies add|del INTERFACE COUNT STATE`."""

import ipaddress
import json
import sys
import time

import arpflux


def main() -> None:
    """Does the work and prints what it took."""
    what, *rest = sys.argv[1:]
    if what == "snapshot":
        cpu, wall = time.process_time_ns(), time.monotonic_ns()
        snapshot = arpflux.Host.current().snapshot()
        result = len(snapshot.interfaces) + len(snapshot.proxies)
    elif what == "proxies":
        edit, interface, count, state = rest
        addresses = [str(ipaddress.IPv4Address(0x0A000000 + at)) for at in range(int(count))]
        host = arpflux.Host.current()
        cpu, wall = time.process_time_ns(), time.monotonic_ns()
        if edit == "add":
            receipt = host.add_proxies(addresses, interface=interface, state_dir=state)
        else:
            receipt = host.remove_proxies(addresses, interface=interface, state_dir=state)
        result = receipt.verified
    else:
        raise SystemExit(f"ours.py: {what} {rest}?")
    print(
        json.dumps(
            {
                "cpu_ns": time.process_time_ns() - cpu,
                "wall_ns": time.monotonic_ns() - wall,
                "result": result,
            }
        )
    )


main()
