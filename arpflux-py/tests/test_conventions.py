"""What authors of Python programs expect without reading: exceptions, order, iteration, truth, input."""

import asyncio
import io
import pathlib
import subprocess
import sys

import arpflux
import pytest
from conftest import Wire

TEXT = b"12:00:00.000001 ARP, Request who-has 192.0.2.1 tell 192.0.2.9, length 28\n"


def test_a_missing_file_is_file_not_found_everywhere(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "none.toml"
    for read in (arpflux.Policy.load, arpflux.Snapshot.load, arpflux.Plan.load, arpflux.capture):
        with pytest.raises(FileNotFoundError) as caught:
            read(path)
        assert caught.value.filename == str(path) and caught.value.errno == 2, read
        assert isinstance(caught.value, arpflux.NotFound) and isinstance(caught.value, arpflux.NoSuchFile)
        assert not caught.value.is_transient


def test_what_is_no_file_is_no_missing_file() -> None:
    with pytest.raises(arpflux.NotFound) as caught:
        arpflux.Host.current().snapshot().interface("no-such")
    assert not isinstance(caught.value, OSError)


def test_severities_compare_by_how_bad_they_are() -> None:
    Severity = arpflux.Severity
    assert Severity.ERROR > Severity.WARNING > Severity.INFO and not Severity.ERROR < "warning"
    assert max([Severity.ERROR, Severity.INFO, Severity.WARNING]) is Severity.ERROR
    assert sorted(Severity) == [Severity.INFO, Severity.WARNING, Severity.ERROR]
    assert Severity.WARNING >= "info" and Severity.INFO <= Severity.INFO
    with pytest.raises(TypeError):
        _ = Severity.INFO < "no severity"  # type: ignore[operator]


def test_what_has_a_length_iterates_and_indexes(node: str) -> None:
    snapshot = arpflux.Host.netns(node).snapshot()
    policy = arpflux.Policy(interfaces=["eth0", "eth3", "eth4"])
    for whole, parts in (
        (snapshot.diagnose(impact=False), lambda d: d.findings),
        (snapshot.matrix(), lambda m: m.rows),
        (snapshot.plan(policy), lambda p: p.changes),
    ):
        assert len(whole) > 1
        assert tuple(whole) == parts(whole) == whole[:]
        assert whole[0] == parts(whole)[0] and whole[-1] == parts(whole)[-1]
        with pytest.raises(IndexError):
            whole[len(whole)]


def test_true_means_good_for_every_report() -> None:
    with Wire() as wire:
        sick = arpflux.Host.netns(wire.hn).snapshot()
    policy = sick.recommend().policy
    well = sick.plan(policy).predict(sick)
    for snapshot, good in ((sick, False), (well, True)):
        assert bool(snapshot.diagnose(impact=False)) is good
        assert bool(snapshot.matrix()) is good
        assert bool(policy.verify(snapshot)) is good


def test_texts_may_be_bytes_and_say_where_they_came_from(tmp_path: pathlib.Path) -> None:
    snapshot = arpflux.Host.current().snapshot()
    text = snapshot.to_json()
    assert arpflux.Snapshot.from_json(text.encode()) == snapshot == arpflux.Snapshot.from_json(bytearray(text.encode()))
    path = tmp_path / "host.json"
    path.write_text(text)
    assert arpflux.Snapshot.load(path) == snapshot
    path.write_text("{")
    for read in (lambda: arpflux.Snapshot.load(path), lambda: arpflux.Snapshot.from_json("{", source=str(path))):
        with pytest.raises(arpflux.InvalidData, match="host.json"):
            read()
    with pytest.raises(arpflux.InvalidInput):
        arpflux.Snapshot.from_json(b"\xff")


def test_captures_come_from_paths_bytes_and_file_objects(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_bytes(TEXT)
    with open(path, "rb") as file:
        seen = [list(arpflux.capture(source)) for source in (path, TEXT, io.BytesIO(TEXT), file)]
    assert len(seen[0]) == 1 and all(frames == seen[0] for frames in seen)


def test_what_a_file_object_raises_comes_through() -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise RuntimeError("no more tape")

    with pytest.raises(RuntimeError, match="no more tape"):
        list(arpflux.capture(Broken()))
    with pytest.raises(TypeError):
        list(arpflux.capture(io.StringIO("text")))  # type: ignore[arg-type]


def test_interfaces_are_found_by_name_and_number() -> None:
    snapshot = arpflux.Host.current().snapshot()
    lo = snapshot.interface("lo")
    assert snapshot.interface(lo.index) == lo
    assert snapshot.interface_name(lo.index) == "lo" and snapshot.interface_name(None) is None
    with pytest.raises(arpflux.NotFound, match="4000000"):
        snapshot.interface(4000000)


def test_a_policy_is_made_of_its_parts() -> None:
    card = arpflux.ProxyPolicy("101", ("192.168.18.101",), "eth3")
    service = arpflux.ServicePolicy(("192.168.18.200",), "never")
    policy = arpflux.Policy(interfaces=["eth0", "enp*"], strategy="strict", proxies=[card], services=[service.to_dict()])
    assert policy == arpflux.Policy.from_dict(policy.to_dict())
    assert policy.interfaces == ("eth0", "enp*") and policy.strategy == "strict" and policy.announce
    assert policy.proxies == (card,) or [p.to_dict() for p in policy.proxies] == [card.to_dict()]
    assert [s.to_dict() for s in policy.services] == [service.to_dict()]
    assert "enp*" in repr(policy) and "101" in repr(policy)
    assert arpflux.Policy().interfaces is None
    with pytest.raises(arpflux.InvalidPolicy, match="did you mean"):
        arpflux.Policy(strategy="strikt")


def test_a_recommended_policy_holds_where_it_was_made_for(node: str) -> None:
    snapshot = arpflux.Host.netns(node).snapshot()
    found = snapshot.recommend()
    assert found and found.ok and len(found.plan) > 0 and found.reasons
    assert found.policy.plan(snapshot) == found.plan
    assert found.policy.verify(found.plan.predict(snapshot))
    assert arpflux.Policy.from_toml(found.to_toml()) == found.policy
    assert found.to_dict()["policy"]["version"] == 1


def test_a_watch_has_one_waiting_task(node: str) -> None:
    policy = arpflux.Policy(interfaces=["eth0"], strategy="unmanaged", egress="unmanaged")

    async def run() -> None:
        with arpflux.Host.netns(node).watch(policy, look=0.2) as watch:
            first = asyncio.ensure_future(watch.__anext__())
            await asyncio.sleep(0.3)
            with pytest.raises(RuntimeError, match="another task"):
                await watch.__anext__()
            watch.close()
            with pytest.raises(StopAsyncIteration):
                while True:
                    await first
                    first = asyncio.ensure_future(watch.__anext__())

    asyncio.run(asyncio.wait_for(run(), 20))


def test_importing_needs_no_asyncio() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, arpflux; print('asyncio' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )
    assert said.stdout.strip() == "False"


def test_errors_tell_whether_trying_again_makes_sense() -> None:
    with pytest.raises(arpflux.InvalidInput) as caught:
        arpflux.Host.netns("a\0b")
    assert caught.value.is_transient is False
