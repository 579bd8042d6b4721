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
