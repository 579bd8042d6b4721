"""Probes, announcements, duplicate detection and verification by frames, between real hosts on one switch."""

import datetime
import ipaddress
import json
import pickle
import socket
import subprocess
import time

import pytest
from conftest import cure, run

import arpflux

MACS = {"eth0": "00:0c:29:b3:a2:54", "eth3": "00:0c:29:b3:a2:68", "eth4": "00:0c:29:b3:a2:5e"}


def test_probe_counts_the_macs_of_flux_and_tells_the_proxy(wire):
    client = arpflux.Host.netns(wire.client)
    own, proxied, silent = client.probe(
        ["192.168.18.10", ipaddress.ip_address("192.168.18.101"), "192.168.18.77"],
        wait=datetime.timedelta(seconds=1),
    )
    assert own.target == ipaddress.IPv4Address("192.168.18.10") and own.interface == "eth0"
    assert sorted(own.macs) == sorted(MACS.values()), "flux: all three cards answer"
    assert own.sender == ipaddress.IPv4Address("192.168.18.129")
    assert all(reply.proxied is False and reply.after < datetime.timedelta(seconds=1) for reply in own.replies)
    assert (proxied.macs, proxied.judgement) == ((MACS["eth3"],), arpflux.Judgement.ONE)
    assert [reply.proxied for reply in proxied.replies] == [True]
    assert (silent.macs, silent.judgement, silent.requests) == ((), "silent", 2)
    for one in (own, proxied, silent):
        again = pickle.loads(pickle.dumps(one))
        assert again == one and hash(again) == hash(one)
        assert arpflux.Probed.from_dict(one.to_dict()) == one
        assert json.loads(json.dumps(one.to_dict())) == one.to_dict()


def test_probe_takes_networks_and_ranges(wire):
    client = arpflux.Host.netns(wire.client)
    found = client.probe(ipaddress.ip_network("192.168.18.8/29"), wait=0.05, tries=1, tell_proxies=False)
    assert [str(one.target) for one in found] == [f"192.168.18.{i}" for i in range(8, 16)]
    assert {str(one.target) for one in found if one.macs} == {f"192.168.18.{i}" for i in (10, 11, 12)}
    assert all(one.judgement == arpflux.Judgement.FLUX for one in found if one.macs)
    few = client.probe("192.168.18.10-192.168.18.12", interface="eth0", wait=0.05, tries=1, rate=1000)
    assert len(few) == 3
    assert not arpflux.Host.netns(wire.hn).probe("192.168.18.77", interface="eth4", wait=0.01, tries=1)[0].replies


def test_announce_changes_what_the_peer_knows(wire):
    run("ip", "-n", wire.client, "neigh", "replace", "192.168.18.101", "lladdr", MACS["eth0"], "dev", "eth0", "nud", "stale")
    sent = arpflux.Host.netns(wire.hn).announce(
        "192.168.18.101", interface="eth3", rounds=1, spacing=datetime.timedelta(0)
    )
    assert sent == 2, "a request and a reply"
    deadline = time.monotonic() + 10
    while MACS["eth3"] not in run("ip", "-n", wire.client, "neigh", "show", "192.168.18.101"):
        assert time.monotonic() < deadline
    with pytest.raises(arpflux.Refused):
        arpflux.Host.netns(wire.hn).announce("192.168.18.101", interface="eth3", never="192.168.18.0/24")


def test_announce_is_for_the_owner(wire):
    host = arpflux.Host.netns(wire.hn)
    with pytest.raises(arpflux.Refused) as refused:
        host.announce("192.168.18.10", interface="eth3")
    assert refused.value.object == "192.168.18.10" and "eth0" in refused.value.hint
    assert host.announce("192.168.18.10", interface="eth3", rounds=1, anyway=True) == 2
    assert host.announce("192.168.18.10", interface="eth0", rounds=1) == 2  # peers know it again


def test_detect_finds_who_holds_and_who_proxies(wire):
    found = arpflux.Host.netns(wire.client).detect(
        ["192.168.18.11", "192.168.18.101", "192.168.18.77"], interfaces="eth0"
    )
    held, proxied, free = found
    assert {(one.mac, one.claim) for one in held.conflicts} >= {(MACS["eth3"], arpflux.Claim.HOLDS)}
    assert [(one.mac, one.claim) for one in proxied.conflicts] == [(MACS["eth3"], arpflux.Claim.PROXIES)]
    assert free.conflicts == () and free.proxies_seen and free.interface == "eth0"
    own = arpflux.Host.netns(wire.hn).detect("192.168.18.12", interfaces=["eth0"])[0]
    assert own.conflicts == () and set(own.own) >= {MACS["eth4"]}, "the host's own cards are not blamed"
    for one in found:
        assert arpflux.Detected.from_dict(one.to_dict()) == pickle.loads(pickle.dumps(one)) == one


def test_verify_by_frames_from_here_and_from_a_peer(wire, tmp_path):
    hn, client = arpflux.Host.netns(wire.hn), arpflux.Host.netns(wire.client)
    policy = cure(hn.snapshot(), eth3="192.168.18.101")
    before = hn.verify(policy, wire="peer", peer=client, interface="eth0")
    assert any(failure.check is arpflux.CheckKind.WIRE for failure in before.failures)
    address = next(one for one in before.addresses if str(one.address) == "192.168.18.10")
    assert address.expected == "eth0" and set(address.answering) == {"eth0", "eth3", "eth4"}
    receipt = hn.apply(policy.plan(hn.snapshot()), state_dir=tmp_path)
    for report in (
        hn.verify(policy),
        hn.verify(policy, wire="self"),
        hn.verify(policy, wire="peer", peer=wire.client),
    ):
        report.raise_for_failures()
        assert all(one.answering == (one.expected,) for one in report.addresses)
        assert arpflux.Report.from_dict(report.to_dict()) == pickle.loads(pickle.dumps(report)) == report
    receipt.undo()
    for failure in before.failures:
        assert arpflux.Failure.from_dict(failure.to_dict()) == failure
        assert failure.object in str(failure)


def test_who_shares_a_wire_is_found_out_and_decides_what_is_wrong(wire):
    host = arpflux.Host.netns(wire.hn)
    found = host.segments()
    assert found.wires == (("eth0", "eth3", "eth4"),) and found.unconnected == ()
    assert found.heard and {one.on for one in found.heard} | {one.from_ for one in found.heard} == set(MACS)
    assert arpflux.Segments.from_dict(found.to_dict()) == pickle.loads(pickle.dumps(found)) == found
    assert found.to_dict()["heard"][0].keys() == {"from", "on"}
    alone = host.segments("eth3", rounds=1, wait=datetime.timedelta(milliseconds=10))
    assert alone.wires == (("eth3",),) and alone.heard == ()

    floats = arpflux.FindingId.SEVERAL_ANSWER
    apart = [["eth0"], ["eth3"], ["eth4"]]
    assert floats in [one.id for one in host.diagnose(wires=found).findings]
    assert floats not in [one.id for one in host.diagnose(wires=apart).findings], "what is told counts"
    snapshot = host.snapshot()
    told = snapshot.diagnose(wires=[("eth0", "eth3"), ["eth4"]])
    several = next(one for one in told.findings if one.id is floats)
    assert set(several.interfaces) == {"eth0", "eth3"}
    assert pickle.loads(pickle.dumps(told)) == told != snapshot.diagnose(wires=apart)
    with pytest.raises(arpflux.InvalidInput, match="'wires': eth0.*twice"):
        snapshot.diagnose(wires=[["eth0"], ["eth0"]])
    for wrong in ("eth0", 7, {"wires": [["eth0"]]}):
        with pytest.raises(TypeError, match="'wires'"):
            snapshot.diagnose(wires=wrong)
    with pytest.raises(arpflux.NotFound, match="eth9"):
        host.segments("eth9")
    for wrong in ({"rounds": 0}, {"rounds": 11}, {"wait": 0}, {"wait": 61}):
        with pytest.raises(arpflux.InvalidInput, match=next(iter(wrong))):
            host.segments(**wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        {"wire": "somehow"},
        {"wire": "peer"},
        {"peer": "client"},
        {"wire": "self", "peer": "client"},
        {"wire": "self", "interface": "eth0"},
    ],
)
def test_verify_refuses_what_does_not_go_together(wire, arguments):
    run("ip", "netns", "add", "client")
    try:
        host = arpflux.Host.netns(wire.hn)
        with pytest.raises(arpflux.InvalidInput):
            host.verify(cure(host.snapshot()), **arguments)
    finally:
        run("ip", "netns", "delete", "client")


def test_a_socket_stands_for_its_namespace(wire):
    with open(f"/run/netns/{wire.hn}") as namespace:
        assert arpflux.Host.netns(namespace).snapshot().interface("eth3").mac == MACS["eth3"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        interfaces = arpflux.Host.netns(here).snapshot().interfaces
    assert interfaces == arpflux.Host.current().snapshot().interfaces
    with open("/dev/null") as other, pytest.raises(arpflux.InvalidInput):
        arpflux.Host.netns(other)


def test_without_privileges_it_says_which_are_missing(wire):
    code = (
        "import arpflux, os\n"
        f"host = arpflux.Host.netns({wire.client!r})\n"
        "import ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        "header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "assert libc.capset(header, data) == 0\n"
        "for call in (lambda: host.probe('192.168.18.10', interface='eth0'), lambda: host.snapshot()):\n"
        "    try:\n"
        "        call()\n"
        "    except PermissionError as error:\n"
        "        assert isinstance(error, arpflux.PermissionDenied) and error.hint, error\n"
        "        assert error.errno in (1, 13), error\n"
        "        print('refused')\n"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "refused\nrefused\n")
