"""pyroute2 at the same work: `snapshot`, `proxies add|del INTERFACE COUNT`."""

import json
import socket
import sys
import time

from pyroute2 import IPRoute

NTF_PROXY = 0x08


def snapshot(ip: IPRoute) -> int:
    """Everything that a snapshot holds, except what pyroute2 has no call for (`all`, `default`)."""
    links = list(ip.get_links())
    for family in (socket.AF_INET, socket.AF_INET6):
        list(ip.get_addr(family=family))
        list(ip.get_rules(family=family))
        list(ip.get_routes(family=family))
    list(ip.get_neighbours())
    # `get_neighbours` would filter by the flag what came, and proxies only come to who sends it.
    proxies = list(ip.neigh("dump", dump_filter={}, flags=NTF_PROXY))
    list(ip.get_ntables())
    return len(links) + len(proxies)


def proxies(ip: IPRoute, edit: str, interface: str, count: int) -> int:
    """Addresses 10.0.0.0 and on; deletes the newest first."""
    index = ip.link_lookup(ifname=interface)[0]
    order = range(count) if edit == "add" else range(count - 1, -1, -1)
    for at in order:
        address = socket.inet_ntoa((0x0A000000 + at).to_bytes(4, "big"))
        ip.neigh(edit, dst=address, ifindex=index, family=socket.AF_INET, flags=NTF_PROXY)
    return count


def main() -> None:
    """Does the work and prints what it took."""
    what, *rest = sys.argv[1:]
    with IPRoute() as ip:
        cpu, wall = time.process_time_ns(), time.monotonic_ns()
        result = snapshot(ip) if what == "snapshot" else proxies(ip, rest[0], rest[1], int(rest[2]))
        taken = {
            "cpu_ns": time.process_time_ns() - cpu,
            "wall_ns": time.monotonic_ns() - wall,
            "result": result,
        }
    print(json.dumps(taken))


main()
