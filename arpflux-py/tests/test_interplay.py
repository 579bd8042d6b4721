"""With pyroute2 and pandas, where they are; without, nothing is missing."""

import builtins
import pathlib
import subprocess
import sys

import pandas
import pyroute2
import pytest
from conftest import run

import arpflux


def test_an_open_pyroute2_socket_stands_for_its_namespace(node):
    with pyroute2.NetNS(node) as there, pyroute2.IPRoute() as here:
        snapshot = arpflux.Host.netns(there).snapshot()
        names = {dict(link["attrs"])["IFLA_IFNAME"] for link in there.get_links()}
        assert {interface.name for interface in snapshot.interfaces} == names
        assert snapshot.interfaces == arpflux.Host.netns(node).snapshot().interfaces
        assert arpflux.Host.netns(here).snapshot().interfaces == arpflux.Host.current().snapshot().interfaces


def test_what_pyroute2_adds_is_seen_and_the_other_way_round(node, tmp_path):
    host = arpflux.Host.netns(node)
    with pyroute2.NetNS(node) as there:
        index = there.link_lookup(ifname="eth4")[0]
        there.neigh("add", dst="192.168.18.150", ifindex=index, flags=8)
        assert any(str(entry.address) == "192.168.18.150" for entry in host.snapshot().proxies)
        receipt = host.add_proxies("192.168.18.151", interface="eth4", state_dir=tmp_path)
        assert receipt.outcome is arpflux.Outcome.APPLIED
        assert "192.168.18.151 dev eth4 proxy" in run("ip", "-n", node, "neigh", "show", "proxy")
        host.remove_proxies(["192.168.18.150", "192.168.18.151"], state_dir=tmp_path)
        assert "192.168.18.15" not in run("ip", "-n", node, "neigh", "show", "proxy")


def test_to_pandas_and_back(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    for values in (snapshot.interfaces, snapshot.addresses, snapshot.proxies, snapshot.matrix().rows):
        frame = arpflux.to_pandas(values)
        assert isinstance(frame, pandas.DataFrame) and len(frame) == len(values)
        assert arpflux.from_pandas(type(values[0]), frame) == list(values)
    frame = arpflux.to_pandas(snapshot.interfaces)
    assert list(frame[frame["kind"] == "veth"]["name"])[:1] and frame["master"].isna().all()
    assert len(arpflux.to_pandas([])) == 0
    with pytest.raises(TypeError, match="frame"):
        arpflux.from_pandas(arpflux.Address, [])
    with pytest.raises(arpflux.InvalidData):
        arpflux.from_pandas(arpflux.Address, pandas.DataFrame([{"x": 1}]))


def test_without_pandas_only_these_two_say_so(monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.split(".")[0] == "pandas":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install pandas"):
        arpflux.to_pandas([])
    done = subprocess.run(
        [sys.executable, "-c", "import arpflux, sys; print([m for m in ('pandas', 'pyroute2', 'asyncio.events') if m in sys.modules])"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "pandas" not in done.stdout and "pyroute2" not in done.stdout


def test_the_example_does_the_work_of_the_script_it_replaces(node, tmp_path):
    examples = pathlib.Path(__file__).parents[2] / "examples" / "python"
    done = subprocess.run(
        [sys.executable, str(examples / "compare.py"), "--entries", "40", "--repeat", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "same state" in done.stdout and "times" in done.stdout
