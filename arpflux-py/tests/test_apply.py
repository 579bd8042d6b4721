"""Plans and transactions on the real kernel."""

import datetime
import os
import pathlib
import pickle
import re
import signal
import subprocess
import sys

import pytest

import arpflux

POLICY = """\
version = 1

[host]
interfaces = ["eth0", "eth3", "eth4"]

[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"
"""


@pytest.fixture
def host(node):
    return arpflux.Host.netns(node)


@pytest.fixture
def plan(host):
    return arpflux.Policy.from_toml(POLICY).plan(host.snapshot())


def arp_ignore(host) -> int:
    return host.snapshot().effective("eth0", "arp_ignore").value


def test_plan_is_typed_and_round_trips(host, plan):
    assert plan and len(plan) == len(plan.changes) > 3
    assert sum("arp_ignore" in str(change) for change in plan.changes) == 2  # eth4 has it already
    assert all(change.to_dict().keys() == {"object", "before", "after"} for change in plan.changes)
    # An interface is called by its name, in whatever the change is about.
    assert not any(re.search(r"\bif\d", str(change)) for change in (*plan.changes, *plan.inverse().changes))
    ignore = next(change for change in plan.changes if change.sysctl == "arp_ignore")
    assert ignore.object == f"net.ipv4.conf.{ignore.scope}.arp_ignore" and (ignore.before, ignore.after) == (0, 1)
    route = next(change for change in plan.changes if change.route)
    assert re.search(r" dev eth\d", route.object) and str(route) == f"add {route.object}"
    there = {"flags": 0, "protocol": 175}
    proxy = {"proxy": {"address": "192.168.18.101", "interface": 3}}
    entry = arpflux.Change.from_dict({"object": proxy, "before": "absent", "after": there})
    assert entry.kind is arpflux.ChangeKind.PROXY and (entry.before, entry.after.interface) == (None, 3)
    rule = next(change for change in plan.changes if change.rule)
    assert (rule.before, rule.after, rule.route, rule.inverse().after) == (False, True, None, False)
    assert plan.decisions and all(isinstance(decision, str) for decision in plan.decisions)
    for again in (arpflux.Plan.from_json(plan.to_json()), pickle.loads(pickle.dumps(plan))):
        assert again == plan and hash(again) == hash(plan)
    assert plan.inverse().inverse().changes == plan.changes != plan.inverse().changes
    assert "arp_announce" in str(plan) and "changes" in repr(plan)
    with pytest.raises(arpflux.InvalidData):
        arpflux.Plan.from_json("{}")


def test_planning_needs_no_host(host, plan):
    stored = arpflux.Snapshot.from_json(host.snapshot().to_json())
    assert arpflux.Policy.from_toml(POLICY).plan(stored).changes == plan.changes
    # An interface that is not there is reported, and the rest is planned; but it is never called good.
    absent = arpflux.Policy.from_toml(POLICY.replace('"eth4"', '"eth9"'))
    rest = absent.plan(stored)
    assert rest and any("not kept" in decision and "eth9" in decision for decision in rest.decisions)
    report = absent.verify(rest.predict(stored))
    assert not report and any("eth9" in str(failure) for failure in report.failures), (report.failures, report.missing)


def test_applied_twice_changes_once_and_rolls_back(host, plan):
    receipt = host.apply(plan)
    assert (receipt.outcome, receipt.changes) == ("applied", plan.changes)
    assert receipt.verified > 0 and receipt.to_dict()["id"] == receipt.id
    assert arp_ignore(host) == 1
    with pytest.raises(arpflux.Changed):
        host.apply(plan)
    empty = arpflux.Policy.from_toml(POLICY).plan(host.snapshot())
    assert not empty and host.apply(empty).outcome == "unchanged"
    back = host.rollback(receipt.id)
    assert back.conflicts == () and arp_ignore(host) == 0
    assert arpflux.Policy.from_toml(POLICY).plan(host.snapshot()).changes == plan.changes
    with pytest.raises(arpflux.NotFound):
        host.rollback(999)
    assert host.recover() is None


def test_verify_sees_the_difference(host, plan):
    policy = arpflux.Policy.from_toml(POLICY)
    before = host.verify(policy)
    assert not before and not before.ok and before.checks > 0 and before.failures
    assert any("arp_ignore" in str(failure) for failure in before.failures)
    with pytest.raises(arpflux.VerifyFailed) as caught:
        before.raise_for_failures()
    assert isinstance(caught.value, AssertionError) and caught.value.object
    host.apply(plan)
    after = host.verify(policy)
    assert after and after.checks > 0, after.failures
    after.raise_for_failures()
    assert after.to_dict()["ok"] is True and after.to_dict()["schema"] == 1
    assert policy.verify(host.snapshot()) == after and after != before


@pytest.mark.parametrize("confirm", [None, 3600, datetime.timedelta(hours=1)])
def test_an_exception_undoes_it(host, plan, confirm):
    with pytest.raises(ZeroDivisionError):
        with host.apply(plan, confirm=confirm):
            assert arp_ignore(host) == 1
            raise ZeroDivisionError
    assert arp_ignore(host) == 0


def test_on_trial_it_is_kept_only_if_confirmed(host, plan):
    with host.apply(plan, confirm=3600) as receipt:
        assert receipt.outcome == "pending"
        # Not always 1: the number of a namespace that is gone may be taken again, and its receipts are still there.
        first = receipt.id
    assert (arp_ignore(host), receipt.outcome) == (0, "undone")
    with host.apply(plan, confirm=3600) as receipt:
        receipt.confirm()
    assert (arp_ignore(host), receipt.outcome) == (1, "applied")
    with pytest.raises(arpflux.InvalidInput):
        receipt.confirm()
    host.rollback()
    with host.apply(plan) as receipt:
        pass
    assert (arp_ignore(host), receipt.outcome) == (1, "applied"), "not on trial: kept"
    host.rollback()
    del receipt
    dropped = host.apply(plan, confirm=3600)
    assert arp_ignore(host) == 1
    del dropped
    assert arp_ignore(host) == 0
    assert host.pending() is None
    left = host.apply(plan, confirm=3600)
    left.leave()
    assert arp_ignore(host) == 1
    assert host.pending().id == left.id and host.pending().outcome is arpflux.Outcome.PENDING
    assert left.id == first + 6 and [one.id for one in host.receipts()] == list(range(first, first + 7))
    assert arp_ignore(host) == 1, "receipts that were only looked at decide nothing"
    assert host.confirm().outcome == "applied"
    with pytest.raises(arpflux.NotFound):
        host.confirm()


def test_nobody_confirms_not_even_the_process_lives(node, host, plan):
    code = (
        "import arpflux, os, sys, signal\n"
        f"host = arpflux.Host.netns({node!r})\n"
        "host.apply(arpflux.Plan.from_json(sys.stdin.read()), confirm=1.5).leave()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=plan.to_json(), text=True)
    assert done.returncode == -signal.SIGKILL
    assert arp_ignore(host) == 1
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=20)
    while arp_ignore(host) == 1 and datetime.datetime.now() < deadline:
        os.sched_yield()
    assert arp_ignore(host) == 0


def test_bad_options_name_themselves(host, plan, tmp_path):
    with pytest.raises(arpflux.InvalidInput, match="24 h"):
        host.apply(plan, confirm=0.001)
    with pytest.raises(ValueError):
        host.apply(plan, confirm=-1)
    with pytest.raises(ValueError):
        host.apply(plan, confirm=float("nan"))
    with pytest.raises(TypeError):
        host.apply("plan")
    with pytest.raises(TypeError):
        host.apply(plan, confirm="30s")
    with pytest.raises(arpflux.Error):
        host.apply(plan, state_dir="relative")
    assert arp_ignore(host) == 0
    receipt = host.apply(plan, state_dir=pathlib.Path(tmp_path), lock_wait=datetime.timedelta(seconds=1))
    assert any(tmp_path.iterdir())
    receipt.undo()
    assert arp_ignore(host) == 0
