"""Network namespaces as the hosts of Ansible: what the tests of the playbook and of the collection have in common."""

import json
import os
import pathlib
import subprocess
import sys

from conftest import NUMBERS, run

import arpflux

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "ansible"
BIN = pathlib.Path(sys.executable).parent


class Fleet:
    """Some nodes with three cards each on one switch."""

    def __init__(self, folder: pathlib.Path, size: int = 3) -> None:
        self.folder = folder
        number = next(NUMBERS)
        self.switch = f"switch{number}"
        self.names = [f"n{number}x{i}" for i in range(1, size + 1)]
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "br0", "up", "type", "bridge")
        for place, name in enumerate(self.names, 1):
            run("ip", "netns", "add", name)
            # Duplicate address detection would go on adding routes by itself.
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
            run("ip", "-n", name, "link", "set", "lo", "up")
            for card, nic in enumerate(("eth0", "eth3", "eth4")):
                end = f"{name}-{nic}"[-15:]
                run("ip", "-n", name, "link", "add", nic, "type", "veth", "peer", end, "netns", self.switch)
                run("ip", "-n", self.switch, "link", "set", end, "master", "br0", "up")
                run("ip", "-n", name, "address", "add", f"192.168.18.{place}{card}/24", "dev", nic)
                run("ip", "-n", name, "link", "set", nic, "up")
                run("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv4.conf.{nic}.forwarding=1")
            run("ip", "-n", name, "link", "add", "venet0", "type", "veth", "peer", "ve101")
            run("ip", "-n", name, "link", "set", "venet0", "arp", "off", "up")
            run("ip", "-n", name, "route", "add", f"192.168.18.{100 + place}", "dev", "venet0")
        #: What the policies say besides of each host.
        self.host = {}
        #: What else they publish, by node.
        self.more = {}
        #: Nodes whose connection can be cut.
        self.frail = []
        self.addresses = {name: f"192.168.18.{100 + place}" for place, name in enumerate(self.names, 1)}

    def close(self) -> None:
        for name in (self.switch, *self.names):
            run("ip", "netns", "delete", name)

    def inventory(self, **variables) -> pathlib.Path:
        hosts = {}
        for name in self.names:
            hosts[name] = {
                **({"ansible_connection": "cut"} if name in self.frail else {}),
                "arpflux_netns": name,
                "arpflux_metrics": str(self.folder / f"{name}.prom"),
                "arpflux_policy": {
                    "version": 1,
                    "host": {"interfaces": ["eth0", "eth3", "eth4"], "announce": False, **self.host},
                    "proxy": [{"owner": name, "addresses": [self.addresses[name], *self.more.get(name, ())],
                               "interface": "eth3"}],
                },
            }
        shared = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "arpflux_state_dir": str(self.folder / "state"),
            **variables,
        }
        path = self.folder / "inventory.json"
        path.write_text(json.dumps({"segment": {"hosts": hosts, "vars": shared}}))
        return path

    def settle(self) -> None:
        """Everything is as the policies say, which remove what they do not name."""
        self.host["foreign_proxies"] = "remove"
        hosts = json.loads(self.inventory().read_text())["segment"]["hosts"]
        for name, variables in hosts.items():
            host = arpflux.Host.netns(name)
            plan = host.plan(arpflux.Policy.from_dict(variables["arpflux_policy"]))
            host.apply(plan, accept_harm=True, state_dir=self.folder / "state")

    def play(self, *options: str, playbook: pathlib.Path = EXAMPLE / "segment.yml", path=os.environ["PATH"], **variables):
        record = self.folder / f"record{next(NUMBERS)}"
        record.touch()
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "PATH": path,
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(EXAMPLE / "collections"),
            "ANSIBLE_CALLBACK_PLUGINS": str(pathlib.Path(__file__).with_name("callback")),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_CONNECTION_PLUGINS": str(pathlib.Path(__file__).with_name("connection")),
            "CUT_FILE": str(self.folder / "cut"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_NOCOLOR": "1",
            # One process for each task in place of five.
            "ANSIBLE_PIPELINING": "1",
            "RECORD_FILE": str(record),
        }
        inventory = self.inventory(**variables)
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), "-i", str(inventory), str(playbook), *options,
             "-e", json.dumps({"localhost_python": sys.executable})],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        results = [json.loads(line) for line in record.read_text().splitlines()]
        return done.returncode, results, done.stdout

    def snapshots(self):
        return {name: arpflux.Host.netns(name).snapshot() for name in self.names}


def of(results, task, status=None):
    return [one for one in results if one["task"].startswith(task) and status in (None, one["status"])]


def settings(snapshot):
    """What decides, without counters and what time changes."""
    values = snapshot.to_dict()
    return {key: values[key] for key in ("all", "default", "interfaces", "routes", "rules", "proxies")}
