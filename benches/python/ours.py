"""Our Python package: `ours.py snapshot`, or `ours.py proxies add|del INTERFACE COUNT`."""

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
