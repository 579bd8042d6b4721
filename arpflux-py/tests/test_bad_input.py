"""Whatever is given: an exception of Python that names the argument; never a panic, SystemError or abort."""

import datetime
import itertools
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import run

import arpflux

NOTHING = arpflux.Policy.from_dict({"version": 1, "host": {"strategy": "unmanaged", "egress": "unmanaged"}})
BAD = [
    None, True, -1, 0, 1 << 70, 1.5, float("nan"), float("inf"), "", "\0", "\ud800", "eth\udcff", "x" * 100_000, b"", b"\xff",
    [], [None], [[]], {}, {"a": 1}, (), object(), Ellipsis, datetime.timedelta(days=-1), datetime.timedelta.max,
    range(3), iter(()), "999.1.1.1", "::1", "10.0.0.0/8-", pathlib.Path("/no"), "eth0", int, len,
]  # fmt: skip


def calls(host, snapshot, plan, tmp_path):
    """Each public call with one argument left open."""
    state = {"state_dir": tmp_path, "lock_wait": 0}
    yield "netns", lambda x: arpflux.Host.netns(x)
    yield "process", lambda x: arpflux.Host.process(x)
    yield "explain target", lambda x: snapshot.explain(x, interface="eth0")
    yield "explain interface", lambda x: snapshot.explain("10.0.0.1", interface=x)
    yield "explain sender", lambda x: snapshot.explain("10.0.0.1", interface="eth0", sender=x)
    yield "explain mac", lambda x: snapshot.explain("10.0.0.1", interface="eth0", sender_mac=x)
    yield "explain unicast", lambda x: snapshot.explain("10.0.0.1", interface="eth0", unicast=x)
    for argument in ("targets", "interfaces", "sender"):
        yield f"matrix {argument}", lambda x, a=argument: snapshot.matrix(**{a: x})
    for argument in ("policy", "ignore", "impact"):
        yield f"diagnose {argument}", lambda x, a=argument: snapshot.diagnose(**{a: x})
    yield "effective", lambda x: snapshot.effective("eth0", x)
    yield "effective interface", lambda x: snapshot.effective(x, "arp_ignore")
    yield "interface", lambda x: snapshot.interface(x)
    yield "snapshot from_json", lambda x: arpflux.Snapshot.from_json(x)
    yield "snapshot from_dict", lambda x: arpflux.Snapshot.from_dict(x)
    yield "plan", lambda x: snapshot.plan(x)
    yield "plan from_json", lambda x: arpflux.Plan.from_json(x)
    yield "plan from_dict", lambda x: arpflux.Plan.from_dict(x)
    yield "plan predict", lambda x: plan.predict(x)
    yield "policy load", lambda x: arpflux.Policy.load(x)
    yield "policy from_toml", lambda x: arpflux.Policy.from_toml(x)
    yield "policy from_json", lambda x: arpflux.Policy.from_json(x)
    yield "policy from_dict", lambda x: arpflux.Policy.from_dict(x)
    yield "policy source", lambda x: arpflux.Policy.from_toml("", x)
    yield "apply plan", lambda x: host.apply(x, **state)
    yield "apply confirm", lambda x: host.apply(plan, confirm=x, **state)
    yield "apply lock_wait", lambda x: host.apply(plan, lock_wait=x, state_dir=tmp_path)
    yield "apply state_dir", lambda x: host.apply(plan, state_dir=x)
    yield "rollback", lambda x: host.rollback(x, **state)
    yield "confirm", lambda x: host.confirm(x, **state)
    yield "recover", lambda x: host.recover(discard=x, **state)
    yield "add_proxies", lambda x: host.add_proxies(x, interface="no-such", **state)
    yield "add_proxies interface", lambda x: host.add_proxies("10.0.0.1", interface=x, **state)
    yield "remove_proxies", lambda x: host.remove_proxies(x, **state)
    yield "verify policy", lambda x: host.verify(x)
    yield "verify wire", lambda x: host.verify(NOTHING, wire=x)
    yield "verify peer", lambda x: host.verify(NOTHING, wire="peer", peer=x)
    yield "probe targets", lambda x: host.probe(x, interface="lo", wait=0.001, tries=1)
    for argument in ("interface", "tries", "wait", "rate"):
        yield f"probe {argument}", lambda x, a=argument: host.probe("10.0.0.1", **{"interface": "no-such", a: x})
    yield "announce", lambda x: host.announce(x, interface="no-such")
    for argument in ("interface", "rounds", "spacing", "never"):
        yield f"announce {argument}", lambda x, a=argument: host.announce("10.0.0.1", **{"interface": "no-such", a: x})
    yield "detect", lambda x: host.detect(x, interfaces="no-such")
    for argument in ("interfaces", "rounds", "spacing", "wait"):
        yield f"detect {argument}", lambda x, a=argument: host.detect("10.0.0.1", **{"interfaces": "no-such", a: x})
    yield "watch", lambda x: host.watch(x)
    yield "watch look", lambda x: host.watch(NOTHING, look=x).close()
    yield "capture", lambda x: arpflux.capture(x)
    yield "segments", lambda x: arpflux.segments(x)
    yield "segments key", lambda x: arpflux.segments({x: snapshot})
    yield "from_dict", lambda x: arpflux.Detected.from_dict(x)
    yield "interface from_dict", lambda x: arpflux.Interface.from_dict(x)


def test_wrong_types_and_values_give_exceptions_that_say_which(node, tmp_path):
    host = arpflux.Host.netns(node)
    snapshot = host.snapshot()
    plan = NOTHING.plan(snapshot)
    refused, unnamed = 0, []
    for (name, call), value in itertools.product(list(calls(host, snapshot, plan, tmp_path)), BAD):
        try:
            call(value)
        except (arpflux.Error, TypeError, ValueError, RecursionError) as error:
            refused += 1
            assert not isinstance(error, arpflux.Internal), (name, value)
            # Where PyO3 converts, a note says which argument it was.
            text = " ".join([str(error), *getattr(error, "__notes__", ())])
            assert text and "SystemError" not in text and "panick" not in text, (name, value)
            words = ("argument", "while processing", "keys must be", "serializable", "unhashable")
            if type(error) is TypeError and not any(word in text for word in words):
                unnamed.append((name, text))
        # Anything else (SystemError, PanicException, OverflowError) fails the test.
    assert refused > 1000 and not unnamed, unnamed
    assert host.snapshot().interfaces == snapshot.interfaces


def test_huge_and_deep_dicts(tmp_path):
    huge = {"version": 1, "host": {f"key{i}": i for i in range(200_000)}}
    with pytest.raises(arpflux.InvalidPolicy, match="key0"):
        arpflux.Policy.from_dict(huge)
    deep: dict = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises((RecursionError, arpflux.InvalidPolicy)):
        arpflux.Policy.from_dict(deep)
    endless: dict = {"version": 1}
    endless["host"] = endless
    with pytest.raises(ValueError):
        arpflux.Policy.from_dict(endless)
    with pytest.raises((arpflux.InvalidPolicy, arpflux.InvalidData)):
        arpflux.Policy.from_json("[" * 1_000_000)
    # Taken apart by hand: the interpreter's own way down is too deep for it.
    while deep:
        deep = deep.pop("a")


def test_names_that_are_not_utf8_are_names(tmp_path):
    namespace = f"odd{os.getpid()}"
    run("ip", "netns", "add", namespace)
    try:
        odd = b"e\xff\xc3"
        subprocess.run(
            [b"ip", b"-n", os.fsencode(namespace), b"link", b"add", odd, b"up", b"type", b"veth", b"peer", b"plain"], check=True
        )
        snapshot = arpflux.Host.netns(namespace).snapshot()
        name = os.fsdecode(odd)
        interface = snapshot.interface(name)
        assert interface.name == name and interface.index > 0
        assert snapshot.effective(name, "arp_ignore").value == 0
        assert arpflux.Snapshot.from_json(snapshot.to_json()).interface(name) == interface
        assert snapshot.explain("10.0.0.1", interface=name).answers is not True
        assert snapshot.matrix(targets="10.0.0.1", interfaces=name).rows
    finally:
        run("ip", "netns", "delete", namespace)


def test_a_namespace_that_is_gone_stays_usable_or_says_so(tmp_path):
    namespace = f"gone{os.getpid()}"
    run("ip", "netns", "add", namespace)
    host = arpflux.Host.netns(namespace)
    run("ip", "netns", "delete", namespace)
    assert host.snapshot().interface("lo").index == 1, "the handle keeps it"
    with pytest.raises(arpflux.NotFound):
        arpflux.Host.netns(namespace)
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    with pytest.raises(arpflux.NotFound):
        arpflux.Host.process(child.pid)
