"""The playbook, run by the real ansible-core, with network namespaces as hosts."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from conftest import run
from fleet import BIN, Fleet, of, settings

import arpflux


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path)
    yield made
    made.close()


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


def test_hosts_that_were_not_looked_at_are_named_and_decide(fleet):
    code, results, output = fleet.play("--check", "--limit", fleet.names[0])
    (look,) = of(results, "Who answers", "failed")
    assert code != 0 and look["result"]["left_out"] == fleet.names[1:], output
    assert f"looked at 1 of 3 hosts of segment, not at {fleet.names[1]}, {fleet.names[2]}" in look["result"]["msg"]
    assert not of(results, "Make the policy so")
    code, results, output = fleet.play("--check", "--limit", fleet.names[0], arpflux_require_all=False)
    (look,) = of(results, "Who answers", "ok")
    assert code == 0 and look["result"]["looked"].startswith("looked at 1 of 3"), output
