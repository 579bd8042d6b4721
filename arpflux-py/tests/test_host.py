"""Hosts, snapshots and explanations on the real kernel."""

import ipaddress
import os
import pathlib
import pickle
import threading

import pytest

import arpflux


def test_snapshot_holds_what_was_made(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    assert {"eth0", "eth3", "eth4", "venet0", "lo"} <= {interface.name for interface in snapshot.interfaces}
    eth3 = snapshot.interface("eth3")
    assert (eth3.mac, eth3.kind, eth3.mtu, eth3.speaks_arp) == ("00:0c:29:b3:a2:68", "veth", 1500, True)
    assert not snapshot.interface("venet0").speaks_arp
    held = [address.local for address in snapshot.addresses if address.interface == eth3.index]
    assert ipaddress.ip_address("192.168.18.11") in held
    assert [(str(entry.address), entry.interface) for entry in snapshot.proxies] == [("192.168.18.101", eth3.index)]
    assert snapshot.effective("eth4", "arp_ignore").value == 1
    assert snapshot.effective("eth0", "arp_ignore").value == 0
    assert arpflux.Snapshot.from_json(snapshot.to_json()) == snapshot


def test_two_snapshots_of_a_host_at_rest_hold_the_same(node):
    host = arpflux.Host.netns(node)
    assert host.snapshot().interfaces == host.snapshot().interfaces


def test_namespaces_by_name_path_and_process(node):
    for host in (
        arpflux.Host.netns(node),
        arpflux.Host.netns(f"/run/netns/{node}"),
        arpflux.Host.netns(pathlib.Path("/run/netns") / node),
    ):
        assert host.snapshot().interface("eth3").index > 0
        assert node in repr(host)
    mine = arpflux.Host.current().snapshot()
    assert mine.interfaces == arpflux.Host.process(os.getpid()).snapshot().interfaces
    with pytest.raises(arpflux.NotFound):
        mine.interface("eth3")


def test_no_such_namespace_says_so(node):
    for name in ("no-such", "/no/such/file"):
        with pytest.raises(arpflux.NotFound) as caught:
            arpflux.Host.netns(name)
        assert caught.value.errno == 2 and "no" in str(caught.value)
    for name in ("", "..", "/proc/self/ns/pid", "/etc/hostname", b"/etc/hostname"):
        with pytest.raises(arpflux.InvalidInput):
            arpflux.Host.netns(name)
    with pytest.raises(TypeError):
        arpflux.Host.netns(7)
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(arpflux.Host.netns(node))


def test_explain_says_who_answers_and_why(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    client = ipaddress.ip_address("192.168.18.129")
    rows = [
        ("eth0", "192.168.18.10", "00:0c:29:b3:a2:54"),
        ("eth0", "192.168.18.12", "00:0c:29:b3:a2:54"),  # flux: eth4's address, eth0's MAC
        ("eth4", "192.168.18.10", None),  # arp_ignore=1
        ("eth4", "192.168.18.12", "00:0c:29:b3:a2:5e"),
        ("eth3", "192.168.18.101", "00:0c:29:b3:a2:68"),  # the proxy entry
        ("eth0", "192.168.18.101", None),
    ]
    for interface, target, mac in rows:
        explanation = snapshot.explain(target, interface=interface, sender=client)
        assert (explanation.mac, explanation.answers) == (mac, mac is not None), str(explanation)
        assert explanation.reason and explanation.steps and not explanation.missing
        assert explanation.steps[0].text in str(explanation)
        assert explanation.to_dict()["answers"] is (mac is not None)
        again = snapshot.explain(ipaddress.ip_address(target), interface=interface, sender=str(client))
        assert again == explanation and hash(again) == hash(explanation)
    assert snapshot.explain("192.168.18.101", interface="eth3").answers is False, "a probe sees no proxy"


def test_explain_refuses_what_is_no_request(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    with pytest.raises(arpflux.NotFound, match="eth9"):
        snapshot.explain("192.168.18.10", interface="eth9")
    for target in ("", 7, None, "192.168.18.10/24"):
        with pytest.raises((ValueError, TypeError)):
            snapshot.explain(target, interface="eth0")
    with pytest.raises(arpflux.InvalidInput):
        snapshot.explain("192.168.18.10", interface="eth0", sender_mac="zz")


def test_threads_share_a_host(node):
    host = arpflux.Host.netns(node)
    failures = []

    def work():
        try:
            for _ in range(20):
                assert host.snapshot().interface("eth3").mac == "00:0c:29:b3:a2:68"
        except BaseException as failure:  # noqa: BLE001 reported below
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
