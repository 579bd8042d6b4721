"""Addresses of containers: published, withdrawn and previewed, on the real kernel."""

import subprocess

import pytest

import arpflux

ADDRESS = "192.168.18.102"


@pytest.fixture
def host(node):
    subprocess.run(["ip", "-n", node, "route", "add", ADDRESS, "dev", "venet0"], check=True)
    return arpflux.Host.netns(node)


@pytest.fixture
def containers(host, tmp_path):
    (tmp_path / "conf").mkdir()
    return host.containers(policy=tmp_path / "none.toml", vz_dir=tmp_path, state_dir=tmp_path / "state")


def on(host, address):
    snapshot = host.snapshot()
    entries = [entry for entry in snapshot.proxies if str(entry.address) == address]
    return [snapshot.interface(entry.interface).name for entry in entries]


def test_a_container_comes_and_goes(host, containers):
    preview = containers.plan_publish("102", ADDRESS, interface="eth4")
    assert preview.changes and on(host, ADDRESS) == [] and containers.published() == ()
    receipt = containers.publish("102", [ADDRESS], interface="eth4")
    assert receipt.outcome is arpflux.Outcome.APPLIED and on(host, ADDRESS) == ["eth4"]
    (published,) = containers.published()
    assert (published.owner, published.interface, str(published.address)) == ("102", "eth4", ADDRESS)
    assert published and published.right and published.state == "published" and published.idle is None
    assert str(published) == f"{ADDRESS} of 102 on eth4: published"
    assert arpflux.Published.from_dict(published.to_dict()) == published
    assert not containers.plan_publish("102", ADDRESS, interface="eth4")
    assert containers.publish("102", ADDRESS, interface="eth4").outcome is arpflux.Outcome.UNCHANGED
    assert containers.sync().outcome is arpflux.Outcome.UNCHANGED

    assert containers.plan_withdraw("102").changes and on(host, ADDRESS) == ["eth4"]
    assert not containers.plan_withdraw("102", [])
    assert containers.withdraw("102").outcome is arpflux.Outcome.APPLIED
    assert on(host, ADDRESS) == [] and containers.published() == ()
    assert containers.withdraw("102", ADDRESS).outcome is arpflux.Outcome.UNCHANGED


def test_what_is_lost_is_told_and_brought_back(node, host, containers):
    containers.publish("102", ADDRESS, interface="eth4")
    subprocess.run(["ip", "-n", node, "neigh", "del", "proxy", ADDRESS, "dev", "eth4"], check=True)
    (lost,) = containers.published()
    assert not lost and not lost.published and lost.state.startswith("missing")
    assert containers.sync().outcome is arpflux.Outcome.APPLIED and on(host, ADDRESS) == ["eth4"]
    # Its route goes, so nobody may answer for it any more.
    subprocess.run(["ip", "-n", node, "route", "del", ADDRESS], check=True)
    (idle,) = containers.published()
    assert not idle and idle.idle is arpflux.Idle.NO_ROUTE
    containers.sync()
    assert on(host, ADDRESS) == []


def test_what_cannot_be_published_changes_nothing(host, containers):
    containers.publish("102", ADDRESS, interface="eth4")
    before = host.snapshot().proxies
    for publish in (containers.publish, containers.plan_publish):
        with pytest.raises(arpflux.InUse, match=r"192\.168\.18\.102 is in use by container 102"):
            publish("103", ADDRESS, interface="eth4")
        with pytest.raises(arpflux.Refused):
            publish("103", "192.168.18.10", interface="eth4")
        with pytest.raises(arpflux.NotFound):
            publish("103", ADDRESS[:-1] + "3", interface="eth9")
        with pytest.raises(arpflux.InvalidInput):
            publish("no name", ADDRESS, interface="eth4")
    assert host.snapshot().proxies == before


def test_a_start_without_an_address(host, containers):
    """Nothing is published, and with `all` what there was goes."""
    containers.publish("102", ADDRESS, interface="eth4")
    assert not containers.plan_publish("102", [])
    assert containers.publish("102", []).outcome is arpflux.Outcome.UNCHANGED
    assert on(host, ADDRESS) == ["eth4"]
    assert containers.plan_publish("102", [], all=True).changes
    assert containers.publish("102", [], all=True).outcome is arpflux.Outcome.APPLIED
    assert on(host, ADDRESS) == [] and containers.published() == ()
