"""What several tests need."""

import copy
import itertools
import json
import pathlib
import subprocess

import pytest

import arpflux

NUMBERS = itertools.count()

ETH3 = {
    "index": 3, "name": "eth3", "kind": None, "link_type": 1, "mac": "00:0c:29:b3:a2:68", "flags": 3,
    "carrier": True, "master": None, "link": None, "link_netnsid": None, "mtu": 1500, "vlan_id": None,
    "macvlan_mode": None, "vrf_table": None, "sysctls": {"arp_ignore": 0, "arp_announce": 2},
    "neigh": {"proxy_delay": 800, "proxy_qlen": 64, "locktime": 1000},
}  # fmt: skip
ROUTE = {
    "table": 254, "kind": "unicast", "destination": "10.0.0.0/8", "source": None, "tos": 0, "metric": 100, "scope": 0,
    "protocol": 3, "preferred_source": "192.168.18.11", "nexthop_id": None,
    "next_hops": [{"interface": 3, "gateway": "192.168.18.1", "weight": 1, "flags": 4},
                  {"interface": None, "gateway": "fe80::1", "weight": 2, "flags": 0}],
}  # fmt: skip
RULE = {
    "ipv6": False, "priority": 1000, "source": "192.168.18.10/24", "destination": None, "iif": "lo", "oif": None,
    "tos": 0, "fwmark": 5, "fwmask": 255, "action": "table", "table": 254, "goto": None, "suppress_prefix_len": 31,
    "suppress_group": None, "l3mdev": False, "ip_protocol": 6, "source_ports": [1, 1023], "destination_ports": None,
    "uids": [0, 4294967295], "tunnel_id": None, "protocol": 175, "flags": 0,
}  # fmt: skip
EMPTY = {
    "schema": 1, "kernel": {}, "netns": {"boot_id": "", "device": 0, "inode": 0, "cookie": 0},
    "all": {"arp_ignore": 1, "arp_announce": 0}, "default": {}, "ip_forward": 1, "ip_nonlocal_bind": 0,
    "fib_multipath_hash_policy": None, "interfaces": [], "addresses": [], "routes": [], "rules": [],
    "proxies": [], "neighbours": [], "interference": [],
}  # fmt: skip


@pytest.fixture
def stored() -> arpflux.Snapshot:
    """A stored snapshot with one interface, one address and one proxy entry."""
    snapshot = copy.deepcopy(EMPTY)
    snapshot["kernel"] = {"release": "6.1.0-50-amd64", "version": "#1 SMP Debian 6.1"}
    snapshot["interfaces"] = [ETH3]
    snapshot["addresses"] = [
        {"interface": 3, "local": "192.168.18.11", "peer": None, "prefix_len": 24, "scope": 0, "flags": 128,
         "broadcast": None}
    ]  # fmt: skip
    snapshot["proxies"] = [{"address": "192.168.18.101", "interface": 3, "flags": 0, "protocol": 175}]
    snapshot["routes"] = [ROUTE, {**ROUTE, "kind": {"other": 77}, "next_hops": []}]
    snapshot["rules"] = [RULE, {**RULE, "action": {"other": 9}, "source": "fd00::/8", "ipv6": True, "iif": None}]
    snapshot["neighbours"] = [
        {"address": "192.168.18.129", "interface": 3, "mac": "00:0c:29:d2:c7:aa", "state": 4, "flags": 0},
        {"address": "fd00::1", "interface": 3, "mac": None, "state": 32, "flags": 1},
    ]
    snapshot["interference"] = [
        {"kind": "netfilter", "chain": "arp filter", "interface": None},
        {"kind": "traffic_control", "interface": 3},
        {"kind": "xdp", "interface": 3},
        {"kind": "listener", "interface": None},
        {"kind": "full_neighbour_table", "entries": 1030, "limit": 1024},
        {"kind": "unreadable", "what": "nftables"},
    ]
    return arpflux.Snapshot.from_json(json.dumps(snapshot))


def run(*command: str) -> str:
    """A command that has to succeed; what it prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def node():
    """The page's node in a namespace of its own: its name."""
    name = f"node{next(NUMBERS)}"
    run("ip", "netns", "add", name)
    setup = pathlib.Path(__file__).parents[2] / "tests" / "c" / "host.setup"
    run("nsenter", f"--net=/run/netns/{name}", "sh", str(setup))
    yield name
    run("ip", "netns", "delete", name)


def cure(snapshot: arpflux.Snapshot, **proxies: str) -> arpflux.Policy:
    """A policy of eth0, eth3 and eth4, with what else is proxied: address by interface."""
    del snapshot
    entries = [
        {"owner": interface, "addresses": [address], "interface": interface} for interface, address in proxies.items()
    ]
    host = {"interfaces": ["eth0", "eth3", "eth4"]}
    return arpflux.Policy.from_dict({"version": 1, "host": host, "proxy": entries})


class Wire:
    """The page's scene: a node with three cards on one switch, a client there, a container behind the node."""

    def __init__(self) -> None:
        number = next(NUMBERS)
        self.names = [f"{role}-{number}" for role in ("hn", "client", "switch")]
        self.hn, self.client, self.switch = self.names

    def __enter__(self) -> "Wire":
        for name in self.names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.switch, "link", "add", "br0", "up", "type", "bridge")
        for host, nic, mac, address in (
            (self.hn, "eth0", "00:0c:29:b3:a2:54", "192.168.18.10"),
            (self.hn, "eth3", "00:0c:29:b3:a2:68", "192.168.18.11"),
            (self.hn, "eth4", "00:0c:29:b3:a2:5e", "192.168.18.12"),
            (self.client, "eth0", "00:0c:29:d2:c7:aa", "192.168.18.129"),
        ):
            end = f"{host}-{nic}"[-15:]
            run("ip", "-n", host, "link", "add", nic, "address", mac, "type", "veth", "peer", end, "netns", self.switch)
            run("ip", "-n", self.switch, "link", "set", end, "master", "br0", "up")
            run("ip", "-n", host, "address", "add", f"{address}/24", "dev", nic)
            run("ip", "-n", host, "link", "set", nic, "up")
            if host == self.hn:
                run("ip", "netns", "exec", host, "sysctl", "-qw", f"net.ipv4.conf.{nic}.forwarding=1")
        run("ip", "-n", self.hn, "link", "add", "venet0", "type", "veth", "peer", "ve101")
        run("ip", "-n", self.hn, "link", "set", "venet0", "arp", "off", "up")
        run("ip", "-n", self.hn, "route", "add", "192.168.18.101", "dev", "venet0")
        run("ip", "-n", self.hn, "neigh", "add", "proxy", "192.168.18.101", "dev", "eth3")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.names:
            run("ip", "netns", "delete", name)


@pytest.fixture
def wire():
    with Wire() as made:
        yield made
