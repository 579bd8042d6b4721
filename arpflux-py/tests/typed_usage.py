"""How the package is used, for type checkers: never run, only read by pyright in strict mode."""

import asyncio
import datetime
import ipaddress
import pathlib
import socket
from typing import Optional, Tuple, Union

from typing_extensions import assert_type

import arpflux


def whole_pipeline(path: pathlib.Path) -> None:
    host = arpflux.Host.netns("hn")
    snapshot = host.snapshot()
    policy = arpflux.Policy.load(path)
    plan = policy.plan(snapshot)
    assert_type(plan.predict(snapshot), arpflux.Snapshot)
    with host.apply(plan, confirm=datetime.timedelta(seconds=30)) as receipt:
        assert_type(receipt.outcome, arpflux.Outcome)
        host.verify(policy, wire="self").raise_for_failures()
        receipt.confirm()
    explanation = snapshot.explain(ipaddress.IPv4Address("192.0.2.1"), interface="eth0", sender="192.0.2.9")
    assert_type(explanation.reason, Optional[arpflux.Reason])
    assert_type(snapshot.matrix().interfaces[0].certainty, arpflux.WireCertainty)
    assert_type(snapshot.matrix().rows[0].cells[0].verdict, arpflux.Verdict)


def frames(host: arpflux.Host, sock: socket.socket) -> None:
    assert_type(arpflux.Host.netns(sock), arpflux.Host)
    for probed in host.probe(["192.0.2.0/24", ipaddress.IPv4Address("192.0.2.1")], wait=0.5):
        assert_type(probed.replies[0].after, datetime.timedelta)
    assert_type(host.detect("192.0.2.1")[0].conflicts[0].claim, arpflux.Claim)
    with arpflux.capture("trace.pcap") as capture:
        for sighting in capture:
            assert_type(sighting.sender, Union[ipaddress.IPv4Address, ipaddress.IPv6Address])
        assert_type(capture.report([["02:00:00:00:00:01"]]), arpflux.CaptureReport)


def state(snapshot: arpflux.Snapshot) -> None:
    for route in snapshot.routes:
        assert_type(route.kind, Union[arpflux.RouteKind, int])
        assert_type(route.destination, Union[ipaddress.IPv4Network, ipaddress.IPv6Network])
        assert_type(route.next_hops, Tuple[arpflux.NextHop, ...])
    assert_type(snapshot.rules[0].source_ports, Optional[Tuple[int, int]])
    assert_type(snapshot.neighbours[0].mac, Optional[str])
    assert_type(snapshot.interference[0].kind, arpflux.InterferenceKind)


def after_a_reboot(host: arpflux.Host, policy: arpflux.Policy, root: pathlib.Path) -> None:
    kept = arpflux.Persistence(policy, managers=[arpflux.Manager.SYSTEMD, "ifupdown"], root=root)
    with host.apply_and_persist(kept, confirm=30) as receipt:
        assert_type(receipt.files[0].after.kind, arpflux.FileKind)
        receipt.confirm()
    boot = host.snapshot().at_boot(root=root)
    assert_type(boot.values[0].set_by, Optional[arpflux.Assignment])
    host.diagnose(boot=boot, wires=host.segments())
    host.diagnose(wires=[["eth0", "eth3"], ["eth4"]])


async def drifts(host: arpflux.Host, policy: arpflux.Policy) -> None:
    with host.watch(policy, heal=True) as watch:
        async for drift in watch:
            assert_type(drift.changes[0].kind, arpflux.ChangeKind)
        await asyncio.sleep(0)


def errors() -> None:
    try:
        arpflux.Host.current().snapshot()
    except arpflux.PermissionDenied as error:
        assert_type(error.hint, Optional[str])
        raise
