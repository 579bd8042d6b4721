"""The Ansible collection, run by the real ansible-core, with network namespaces as hosts."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import threading
import time

import pytest
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


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path)
    yield made
    made.close()


def of(results, task, status=None):
    return [one for one in results if one["task"].startswith(task) and status in (None, one["status"])]


def settings(snapshot):
    """What decides, without counters and what time changes."""
    values = snapshot.to_dict()
    return {key: values[key] for key in ("all", "default", "interfaces", "routes", "rules", "proxies")}


def in_any_order(values):
    return sorted(map(json.dumps, values)) if isinstance(values, list) else values


def test_check_mode_predicts_precisely_then_two_runs_the_second_all_ok(fleet):
    before = fleet.snapshots()
    code, checked, output = fleet.play("--check", "--diff")
    assert code == 0, output
    assert not list(fleet.folder.glob("*.prom"))
    assert {name: settings(one) for name, one in fleet.snapshots().items()} == {
        name: settings(one) for name, one in before.items()
    }, "check mode changed something"
    predicted = {one["host"]: one["result"]["changes"] for one in of(checked, "Make", "changed")}
    assert predicted.keys() == set(fleet.names) and "arp_ignore" in output, "the diff shows the changes"
    planned = {one["host"]: one["result"]["ansible_facts"]["arpflux_planned"] for one in of(checked, "Take")}

    code, first, output = fleet.play()
    assert code == 0, output
    made = {one["host"]: one["result"]["changes"] for one in of(first, "Make", "changed")}
    assert made == predicted, "check mode predicted something else"
    after = fleet.snapshots()
    for name, snapshot in after.items():
        expected = settings(arpflux.Snapshot.from_dict(planned[name]))
        assert settings(snapshot)["interfaces"] == expected["interfaces"]
        for key in ("all", "default", "routes", "rules", "proxies"):
            assert in_any_order(settings(snapshot)[key]) == in_any_order(expected[key]), key
        assert len(of([one for one in first if one["host"] == name], "Verify", "ok")) == 1
        # Kept, not only waiting: nothing is on trial any more.
        with pytest.raises(arpflux.NotFound):
            arpflux.Host.netns(name).confirm(state_dir=fleet.folder / "state")
    segments = of(first, "Who answers", "ok")
    assert len(segments) == 1, "the analysis ran once"
    assert len(segments[0]["result"]["segments"][0]["ports"]) == 9 and segments[0]["result"]["bad"] == []

    for name in fleet.names:
        text = (fleet.folder / f"{name}.prom").read_text()
        assert "# TYPE arpflux_" in text and fleet.addresses[name] in text
        (fleet.folder / f"{name}.prom").unlink()

    code, second, output = fleet.play()
    assert code == 0, output
    assert {one["status"] for one in second} == {"ok"}, output
    assert {name: settings(one) for name, one in fleet.snapshots().items()} == {
        name: settings(one) for name, one in after.items()
    }


@contextlib.contextmanager
def on_trial(fleet, name, do):
    """Something happens as soon as the change of a node is made and on trial."""
    stop = threading.Event()

    def sabotage() -> None:
        host = arpflux.Host.netns(name)
        while not stop.wait(0.02):
            if host.pending(state_dir=fleet.folder / "state"):
                do(host)
                return

    saboteur = threading.Thread(target=sabotage)
    saboteur.start()
    try:
        yield
    finally:
        stop.set()
        saboteur.join()


def sabotaged(fleet, name):
    """Another tool that knows better: a value is set back."""
    return on_trial(
        fleet, name, lambda _: run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.conf.eth4.arp_ignore=0")
    )


def test_a_host_that_fails_verification_is_undone_and_stops_the_batches(fleet):
    bad = fleet.names[1]
    before = fleet.snapshots()
    with sabotaged(fleet, bad):
        code, results, output = fleet.play()
    assert code != 0, output
    first, second, third = fleet.names
    by_host = {name: [(one["task"].split()[0], one["status"]) for one in results if one["host"] == name] for name in fleet.names}
    assert ("Make", "changed") in by_host[first] and ("Verify", "ok") in by_host[first]
    made = by_host[second].index(("Make", "changed"))
    assert by_host[second][made + 1] == ("Verify", "failed") and by_host[second][-1] == ("End", "failed"), output
    assert not any(task == "Make" for task, _ in by_host[third]), "the next batch was begun"
    after = fleet.snapshots()
    assert settings(after[second]) == settings(before[second]), "not undone exactly"
    assert settings(after[third]) == settings(before[third])
    assert settings(after[first]) != settings(before[first])
    failed = [one for one in results if one["status"] == "failed"][0]["result"]
    assert "arp_ignore" in failed["msg"] and failed["msg"].endswith("undone"), failed["msg"]
    assert failed["changed"] and failed["undone"]["outcome"] == "undone" and not failed["undone"]["conflicts"]


def test_what_nobody_confirms_in_time_is_undone(fleet):
    # Something that was made and kept before.
    state = fleet.folder / "state"
    arpflux.Host.netns(fleet.names[0]).add_proxies("192.168.18.240", interface="eth4", state_dir=state)
    before = fleet.snapshots()
    tasks = [
        {
            "name": "Make",
            "arpflux.host.policy": {
                "netns": "{{ arpflux_netns }}",
                "policy": "{{ arpflux_policy }}",
                "confirm": 2,
                "state_dir": str(state),
            },
        }
    ]
    book = fleet.folder / "made.yml"
    book.write_text(json.dumps([{"hosts": "segment", "gather_facts": False, "tasks": tasks}]))
    code, results, output = fleet.play(playbook=book)
    assert code == 0, output
    receipts = [one["result"]["receipt"] for one in of(results, "Make", "changed")]
    assert len(receipts) == 3 and {one["outcome"] for one in receipts} == {"pending"}
    assert all(0 < one["remaining_ms"] <= 2000 and one["changes"] for one in receipts)
    # No connection and no process of the play is there any more; the hosts do it by themselves.
    deadline = time.monotonic() + 120
    while {name: settings(one) for name, one in fleet.snapshots().items()} != {
        name: settings(one) for name, one in before.items()
    }:
        assert time.monotonic() < deadline, "not undone"
        time.sleep(0.1)
    for name in fleet.names:
        host = arpflux.Host.netns(name)
        while host.pending(state_dir=state):
            assert time.monotonic() < deadline
        outcomes = [one.outcome for one in host.receipts(state_dir=state)]
        assert outcomes == (["applied", "undone"] if name == fleet.names[0] else ["undone"])
    # Who comes too late is told.
    verify = {**tasks[0]["arpflux.host.policy"], "confirm": True, "undo": True}
    book.write_text(
        json.dumps([{"hosts": "segment", "gather_facts": False, "tasks": [{"name": "Late", "arpflux.host.verify": verify}]}])
    )
    code, results, output = fleet.play(playbook=book)
    assert code != 0 and len(of(results, "Late", "failed")) == 3, output
    assert all("arp_ignore" in one["result"]["msg"] for one in results)
    assert not any(one["result"]["changed"] for one in results)
    assert "192.168.18.240" in run("ip", "-n", fleet.names[0], "neigh", "show", "proxy"), "an older one was taken back"


def test_a_plan_that_would_make_a_duplicate_is_refused_before_anything_changes(fleet):
    before = fleet.snapshots()
    fleet.addresses[fleet.names[2]] = fleet.addresses[fleet.names[0]]
    run("ip", "-n", fleet.names[2], "route", "add", fleet.addresses[fleet.names[0]], "dev", "venet0")
    before[fleet.names[2]] = arpflux.Host.netns(fleet.names[2]).snapshot()
    code, results, output = fleet.play()
    assert code != 0
    assert len(of(results, "Who answers", "failed")) == 1, output
    assert "several hosts answer" in of(results, "Who answers", "failed")[0]["result"]["msg"]
    assert not of(results, "Make")
    assert {name: settings(one) for name, one in fleet.snapshots().items()} == {
        name: settings(one) for name, one in before.items()
    }


def moved(fleet):
    """Everything is applied, then the first host's address goes to the second, and the first gets another one."""
    fleet.settle()
    first, second, _ = fleet.names
    address = fleet.addresses[first]
    run("ip", "-n", first, "route", "delete", address, "dev", "venet0")
    fleet.addresses[first], fleet.more[second] = "192.168.18.140", [address]
    run("ip", "-n", first, "route", "add", fleet.addresses[first], "dev", "venet0")
    run("ip", "-n", second, "route", "add", address, "dev", "venet0")
    return address


def test_an_address_that_moves_is_withdrawn_before_it_is_published(fleet):
    address = moved(fleet)
    first, second, _ = fleet.names
    macs = {name: arpflux.Host.netns(name).snapshot().interface("eth3").mac for name in fleet.names}
    answered, stop = [], threading.Event()

    def ask() -> None:
        # From the third node, all the time: who answers the same request.
        while not stop.is_set():
            (probed,) = arpflux.Host.netns(fleet.names[2]).probe(address, interface="eth0", wait=0.1, tries=1)
            answered.append(set(probed.macs))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        code, results, output = fleet.play()
    finally:
        stop.set()
        asking.join()
    assert code == 0, output
    order = of(results, "Who answers", "ok")[0]["result"]["order"]
    assert order["withdraw"] == {second: [{"host": first, "addresses": [address]}]} and order["plan"]["ok"] is True
    assert order["serial"] == [1, 1, 1] and sorted(order["hosts"]) == sorted(fleet.names)
    made = [(one["task"].split()[0], one["host"]) for one in results if one["status"] == "changed"]
    assert made.index(("Withdraw", second)) < made.index(("Make", second)), made
    assert {macs[first]} in answered and {macs[second]} in answered
    assert all(len(macs) <= 1 for macs in answered), "two hosts answered"


def test_what_was_withdrawn_is_published_again_where_the_new_host_fails(fleet):
    address = moved(fleet)
    first, second, _ = fleet.names
    with sabotaged(fleet, second):
        code, results, output = fleet.play()
    assert code != 0 and of(results, "Publish again", "changed"), output
    assert "not as the policy says" in of(results, "End here", "failed")[0]["result"]["msg"]
    assert address in run("ip", "-n", first, "neigh", "show", "proxy")
    assert address not in run("ip", "-n", second, "neigh", "show", "proxy")


def published(name):
    return run("ip", "-n", name, "neigh", "show", "proxy")


def test_what_was_withdrawn_is_published_again_where_the_new_host_is_lost_on_trial(fleet):
    address = moved(fleet)
    first, second, third = fleet.names
    fleet.frail = [second]
    before = settings(arpflux.Host.netns(second).snapshot())
    with on_trial(fleet, second, lambda _: (fleet.folder / "cut").touch()):
        code, results, output = fleet.play(arpflux_confirm=3)
    assert code != 0 and of(results, "Publish again", "changed"), output
    (end,) = of(results, "End here", "failed")
    assert "unreachable while it was verified" in end["result"]["msg"], end
    assert f"{address} published again on {first}" in end["result"]["msg"]
    # It was undone there by itself before.
    assert address in published(first) and settings(arpflux.Host.netns(second).snapshot()) == before
    assert not [one for one in of(results, "Make") if one["host"] == third], "a further host was changed"


def test_what_a_lost_host_has_kept_is_not_published_twice(fleet):
    address = moved(fleet)
    first, second, _ = fleet.names
    fleet.frail = [second]

    def kept(host) -> None:
        (fleet.folder / "cut").touch()
        host.confirm(state_dir=fleet.folder / "state")

    with on_trial(fleet, second, kept):
        code, results, output = fleet.play(arpflux_confirm=1)
    assert code != 0 and not of(results, "Publish again", "changed"), output
    said = of(results, "End here", "failed")[0]["result"]["msg"]
    assert f"{address} not published again on {first}: left as it is: others answer for {address}" in said
    assert address in published(second) and address not in published(first)


def test_of_hosts_that_are_changed_at_once_each_has_what_it_takes(fleet):
    """Two nodes swap their addresses, at once, and one of them fails: what the other has kept stays as it is."""
    fleet.settle()
    first, second, _ = fleet.names
    one, other = fleet.addresses[first], fleet.addresses[second]
    for node, goes, comes in ((first, one, other), (second, other, one)):
        run("ip", "-n", node, "route", "delete", goes, "dev", "venet0")
        run("ip", "-n", node, "route", "add", comes, "dev", "venet0")
    fleet.addresses[first], fleet.addresses[second] = other, one
    with sabotaged(fleet, second):
        code, results, output = fleet.play(arpflux_batch=2)
    assert code != 0, output
    order = of(results, "Who answers", "ok")[0]["result"]["order"]
    assert order["withdraw"] == {
        first: [{"host": second, "addresses": [other]}], second: [{"host": first, "addresses": [one]}]
    }  # fmt: skip
    # The first has what it took; what the second was to take is back where it was.
    assert other in published(first) and other not in published(second), output
    assert one in published(first) and one not in published(second), output


def test_the_command_alone_is_enough_on_a_host(fleet):
    """The modules run in a Python without the package; the command is on the search path."""
    folder = fleet.folder / "bin"
    folder.mkdir()
    (folder / "arpflux").symlink_to(BIN / "arpflux")
    bare = {"ansible_python_interpreter": getattr(sys, "_base_executable", sys.executable)}
    assert subprocess.run([bare["ansible_python_interpreter"], "-c", "import arpflux"], stderr=subprocess.PIPE).returncode
    code, results, output = fleet.play(path=f"{folder}:{os.environ['PATH']}", **bare)
    assert code == 0 and len(of(results, "Make", "changed")) == 3 and len(of(results, "Verify", "ok")) == 3, output
    assert len(list(fleet.folder.glob("*.prom"))) == 3


def test_modules_add_delete_and_take_back_entries_and_recommend(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    shared = {"addresses": ["192.168.18.101"]}
    add = {**shared, "interface": "eth3"}
    # Said once for all modules, and for those that change something.
    defaults = {
        "group/arpflux.host.all": {"netns": name},
        "group/arpflux.host.changing": {"netns": name, "state_dir": str(tmp_path / "state")},
    }
    tasks = [
        {"name": "Predicted", "arpflux.host.proxy": add, "check_mode": True},
        {"name": "Added", "arpflux.host.proxy": add},
        {"name": "Again", "arpflux.host.proxy": add},
        {"name": "Moved", "arpflux.host.proxy": {**add, "interface": "eth4", "only": True}, "register": "moved"},
        {"name": "Back", "arpflux.host.rollback": {"id": "{{ moved.receipt.id }}"}},
        {"name": "Elsewhere", "arpflux.host.proxy": {**shared, "state": "absent", "interface": "eth4"}},
        {"name": "Deleted", "arpflux.host.proxy": {**shared, "state": "absent"}},
        {"name": "Wrong", "arpflux.host.proxy": {**add, "interface": "eth9"}, "ignore_errors": True},
        {"name": "Recommended", "arpflux.host.recommend": {}},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "module_defaults": defaults, "tasks": tasks}]))
    try:
        code, results, output = fleet.play(playbook=book)
        recommended = arpflux.Host.netns(name).snapshot().recommend()
    finally:
        fleet.close()
    assert code == 0, output
    by_task = {one["task"]: one for one in results}
    statuses = {task: one["status"] for task, one in by_task.items()}
    assert statuses == {
        "Predicted": "changed", "Added": "changed", "Again": "ok", "Moved": "changed", "Back": "changed",
        "Elsewhere": "ok", "Deleted": "changed", "Wrong": "failed", "Recommended": "ok",
    }  # fmt: skip
    assert set(by_task["Moved"]["result"]["changes"]) == {"- proxy 192.168.18.101 on eth3", "+ proxy 192.168.18.101 on eth4"}
    assert by_task["Deleted"]["result"]["changes"] == ["- proxy 192.168.18.101 on eth3"], "taken back, and deleted where it was"
    assert "eth9" in by_task["Wrong"]["result"]["msg"]
    assert arpflux.Policy.from_dict(by_task["Recommended"]["result"]["policy"]) == recommended.policy


def test_a_unit_keeps_a_policy_with_its_metrics(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    root = tmp_path / "root"
    for folder in ("etc/systemd/system", "run/systemd/system"):
        (root / folder).mkdir(parents=True)
    unit = root / "etc/systemd/system/arpflux.service"
    policy = {"version": 1, "host": {"interfaces": ["eth0", "eth3", "eth4"], "announce": False}}
    keep = {"netns": name, "state_dir": str(tmp_path / "state"), "root": str(root), "policy": policy}
    watch = {**keep, "metrics": "/var/lib/prometheus/arpflux.prom"}
    tasks = [
        {"name": "Predicted", "arpflux.host.watch": watch, "check_mode": True},
        {"name": "Made", "arpflux.host.watch": watch},
        {"name": "Again", "arpflux.host.watch": watch},
        {"name": "Without", "arpflux.host.watch": keep},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "tasks": tasks[:3]}]))
    try:
        code, results, output = fleet.play(playbook=book)
        assert code == 0, output
        statuses = {one["task"]: one["status"] for one in results}
        assert statuses == {"Predicted": "changed", "Made": "changed", "Again": "ok"}, output
        predicted, made = of(results, "Predicted")[0]["result"], of(results, "Made")[0]["result"]
        assert predicted["files"] == made["files"] and predicted["changes"] == made["changes"]
        drop_in = unit.parent / "arpflux.service.d" / "metrics.conf"
        assert str(unit) in made["files"] and str(drop_in) in made["files"]
        start = f"ExecStart={BIN / 'arpflux'} watch --policy /etc/arpflux/policy.toml --heal"
        assert start in unit.read_text().splitlines()
        assert drop_in.read_text().splitlines()[1:] == [
            "ExecStart=", f"{start} --metrics /var/lib/prometheus/arpflux.prom", "ReadWritePaths=/var/lib/prometheus"
        ]  # fmt: skip
        assert arpflux.Host.netns(name).verify(arpflux.Policy.load(root / "etc/arpflux/policy.toml"))
        book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "tasks": tasks[3:]}]))
        code, results, output = fleet.play(playbook=book)
        assert code == 0 and of(results, "Without", "changed") and not drop_in.exists(), output
    finally:
        fleet.close()


def test_the_role_brings_the_command(tmp_path):
    """As a wheel and alone; each is run, and found by the modules on the search path."""
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    (wheel,) = pathlib.Path(os.environ["ARPFLUX_WHEEL_FOLDER"]).glob("*.whl")
    command = tmp_path / "brought" / "arpflux"
    command.parent.mkdir()
    command.write_bytes((BIN / "arpflux").read_bytes())
    bare = {"ansible_python_interpreter": getattr(sys, "_base_executable", sys.executable)}
    plays = []
    for kind, file in (("wheel", wheel), ("command", command)):
        folder = tmp_path / kind
        folder.mkdir()
        path = f"{folder}:{os.environ['PATH']}"
        variables = {"install_file": str(file), "install_folder": str(folder / "env" if kind == "wheel" else folder),
                     "install_link": str(folder / "arpflux")}  # fmt: skip
        role = {"name": kind, "ansible.builtin.include_role": {"name": "arpflux.host.install"}, "vars": variables}
        uses = {"name": f"Uses {kind}", "arpflux.host.facts": {"netns": name}, "environment": {"PATH": path}}
        plays.append({"hosts": name, "gather_facts": False, "vars": bare, "tasks": [role, uses]})
    book = tmp_path / "book.yml"
    book.write_text(json.dumps(plays))
    try:
        code, results, output = fleet.play(playbook=book, **bare)
        assert code == 0 and len(of(results, "Uses", "ok")) == 2, output
        versions = [one["result"]["stdout"] for one in results if one["task"].endswith("It runs")]
        assert versions == [f"arpflux {arpflux.__version__}"] * 2, output
        code, results, output = fleet.play(playbook=book, **bare)
        assert code == 0 and not [one for one in results if one["status"] == "changed"], output
    finally:
        fleet.close()


def test_hosts_that_were_not_looked_at_are_named_and_decide(fleet):
    code, results, output = fleet.play("--check", "--limit", fleet.names[0])
    (look,) = of(results, "Who answers", "failed")
    assert code != 0 and look["result"]["left_out"] == fleet.names[1:], output
    assert f"looked at 1 of 3 hosts of segment, not at {fleet.names[1]}, {fleet.names[2]}" in look["result"]["msg"]
    assert not of(results, "Make the policy so")
    code, results, output = fleet.play("--check", "--limit", fleet.names[0], arpflux_require_all=False)
    (look,) = of(results, "Who answers", "ok")
    assert code == 0 and look["result"]["looked"].startswith("looked at 1 of 3"), output


def test_failures_are_clear(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    nothing = {"version": 1, "host": {}}
    wrong = [
        ({"policy": {"version": 1, "host": {"stratgey": "strict"}}}, "strategy"),
        ({"policy": {"version": 1, "host": {"interfaces": ["eth9"]}}}, "eth9"),
        ({"policy": nothing, "netns": "no-such"}, "no-such"),
        ({"policy": nothing, "confirm": 0.1}, "24 h"),
        ({"policy": nothing, "path": "/x"}, "mutually exclusive"),
        ({}, "one of the following is required"),
        ({"path": "/no/such.toml"}, "/no/such.toml"),
    ]
    tasks = []
    for number, (arguments, _) in enumerate(wrong):
        arguments = {"netns": fleet.names[0], "state_dir": str(tmp_path / "state"), **arguments}
        tasks.append({"name": f"Try {number}", "arpflux.host.policy": arguments, "ignore_errors": True})
    # A Python without the package says what is missing.
    bare = {"ansible_python_interpreter": getattr(sys, "_base_executable", sys.executable)}
    tasks.append({"name": "Bare", "arpflux.host.facts": {}, "ignore_errors": True, "vars": bare})
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": fleet.names[0], "gather_facts": False, "tasks": tasks}]))
    try:
        _, results, output = fleet.play(playbook=book)
    finally:
        fleet.close()
    for number, (_, said) in enumerate(wrong):
        (failed,) = of(results, f"Try {number}", "failed")
        assert said in failed["result"]["msg"], (said, failed["result"]["msg"])
    assert "Traceback" not in output
    (failed,) = of(results, "Bare", "failed")
    assert "arpflux" in failed["result"]["msg"]


def test_what_does_harm_fails_in_check_mode_as_well(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    # Answered for by any card, and by none that answers for its own addresses alone.
    run("ip", "-n", name, "address", "add", "192.168.18.99/32", "dev", "lo")
    policy = {"version": 1, "host": {"interfaces": ["eth0", "eth3", "eth4"], "announce": False}}
    arguments = {"netns": name, "state_dir": str(tmp_path / "state"), "policy": policy}
    tasks = [
        {"name": "Check", "arpflux.host.policy": arguments, "check_mode": True, "ignore_errors": True},
        {"name": "Do", "arpflux.host.policy": arguments, "ignore_errors": True},
        {"name": "Accept", "arpflux.host.policy": {**arguments, "accept_harm": True}},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "tasks": tasks}]))
    try:
        code, results, output = fleet.play(playbook=book)
    finally:
        fleet.close()
    assert code == 0, output
    for task in ("Check", "Do"):
        (failed,) = of(results, task, "failed")
        assert "it would do harm" in failed["result"]["msg"] and "192.168.18.99" in failed["result"]["msg"], failed
    (done,) = of(results, "Accept")
    assert done["result"]["assessment"]["harm"] and done["result"]["changed"], done


def test_the_collection_is_built_and_the_playbook_read(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(EXAMPLE / "collections")
    source = EXAMPLE / "collections" / "ansible_collections" / "arpflux" / "host"
    build = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path), str(source)]
    subprocess.run(build, env=environment, check=True, stdout=subprocess.PIPE)
    (archive,) = tmp_path.glob("arpflux-host-*.tar.gz")
    with tarfile.open(archive) as files:
        names = set(files.getnames())
    modules = {f"plugins/modules/{path.name}" for path in source.glob("plugins/modules/*.py")}
    assert modules <= names and "roles/install/tasks/main.yml" in names and "plugins/action/segment.py" in names and not [name for name in names if "pyc" in name]
    read = [str(BIN / "ansible-playbook"), "--syntax-check", "-i", str(EXAMPLE / "inventory.yml"), str(EXAMPLE / "segment.yml")]
    subprocess.run(read, env=environment, check=True, stdout=subprocess.PIPE)


def test_modules_are_documented_with_the_arguments_they_take(tmp_path):
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(EXAMPLE / "collections"),
    }
    taken = {
        "facts": {"netns", "policy", "path", "metrics"},
        "policy": {"netns", "policy", "path", "confirm", "accept_harm", "state_dir", "lock_wait"},
        "verify": {"netns", "policy", "path", "wire", "confirm", "undo", "state_dir", "lock_wait"},
        "proxy": {"netns", "addresses", "interface", "state", "only", "state_dir", "lock_wait"},
        "rollback": {"netns", "id", "force", "unless_answered", "state_dir", "lock_wait"},
        "recommend": {"netns"},
        "segment": {"snapshots", "group", "fact", "require_all", "fail_on", "order_by", "at_once"},
        "watch": {"netns", "policy", "path", "metrics", "accept_harm", "root", "state_dir", "lock_wait"},
    }
    names = [f"arpflux.host.{name}" for name in taken]
    done = subprocess.run(
        [str(BIN / "ansible-doc"), "-j", *names], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    documented = json.loads(done.stdout)
    for name, options in taken.items():
        page = documented[f"arpflux.host.{name}"]
        assert set(page["doc"]["options"]) == options and page["return"] and page["examples"]
