"""What a long-lived tool relies on: nothing leaks, threads, forks and interpreters that end."""

import os
import pathlib
import random
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from conftest import cure

import arpflux


def resident() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_ten_thousand_snapshots_plans_and_failed_calls_leave_nothing(node, tmp_path):
    host = arpflux.Host.netns(node)
    policy = cure(host.snapshot(), eth3="192.168.18.101")

    def work(times: int) -> None:
        for number in range(times):
            snapshot = host.snapshot()
            plan = policy.plan(snapshot)
            assert len(plan.changes) > 3
            for call in (
                lambda snapshot=snapshot: snapshot.interface("eth9"),
                lambda: arpflux.Host.netns("no-such"),
                lambda: arpflux.capture(tmp_path / "none"),
                lambda: arpflux.Policy.from_toml("version = 2"),
                lambda: arpflux.Detected.from_dict({}),
            ):
                try:
                    call()
                except arpflux.Error:
                    continue
                raise AssertionError("nothing was raised")
            if number % 10 == 0:
                snapshot.explain("192.168.18.10", interface="eth0", sender="192.168.18.129")
                assert snapshot.matrix(targets="192.168.18.10").rows

    work(500)
    descriptors, memory = len(os.listdir("/proc/self/fd")), resident()
    work(10_000)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert resident() - memory < 4 << 20, f"{(resident() - memory) >> 10} KiB more"


def test_threads_hammer_one_host_for_thirty_seconds(node, tmp_path):
    host = arpflux.Host.netns(node)
    policy = cure(host.snapshot(), eth3="192.168.18.101")
    end = time.monotonic() + 30
    watch = host.watch(policy, look=1, state_dir=tmp_path)
    counts: dict = {}
    failures = []

    def snapshots() -> None:
        snapshot = host.snapshot()
        assert snapshot.interface("eth3").mac == "00:0c:29:b3:a2:68"
        assert arpflux.Snapshot.from_dict(snapshot.to_dict()) == snapshot

    def changes() -> None:
        address = f"192.168.18.{random.randrange(150, 250)}"
        try:
            with host.add_proxies(address, interface="eth4", state_dir=tmp_path, lock_wait=30) as receipt:
                assert receipt.outcome in (arpflux.Outcome.APPLIED, arpflux.Outcome.UNCHANGED)
            host.remove_proxies(address, state_dir=tmp_path, lock_wait=30)
        except (arpflux.Changed, arpflux.RolledBack, arpflux.Raced):
            pass  # Somebody else changes as well.

    def models() -> None:
        snapshot = host.snapshot()
        snapshot.matrix().rows, snapshot.diagnose(impact=False).findings, policy.verify(snapshot).failures

    def news() -> None:
        watch.wait(0.05)

    def loop(work) -> None:
        try:
            while time.monotonic() < end and not failures:
                work()
                counts[work.__name__] = counts.get(work.__name__, 0) + 1
        except BaseException as failure:  # noqa: BLE001 told below
            failures.append(failure)

    threads = [threading.Thread(target=loop, args=(work,)) for work in (snapshots, changes, changes, models, news, news)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    watch.close()
    assert not failures, failures
    assert all(count > 3 for count in counts.values()) and len(counts) == 4, counts


def test_the_gil_is_free_while_it_waits(wire):
    client = arpflux.Host.netns(wire.client)
    turns, going = 0, True

    def count() -> None:
        nonlocal turns
        while going:
            turns += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    client.probe("192.168.18.77", wait=0.5, tries=1)
    going = False
    thread.join()
    assert turns > 50, turns


def python(code: str, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )


def test_the_interpreter_ends_with_everything_alive(node, tmp_path):
    done = python(
        f"""
        import arpflux, sys, threading
        host = arpflux.Host.netns({node!r})
        snapshot = host.snapshot()
        policy = arpflux.Policy.from_dict({{"version": 1, "host": {{"interfaces": ["eth0"]}}}})
        receipt = host.apply(policy.plan(snapshot), confirm=60, state_dir={str(tmp_path)!r})
        watch = host.watch(policy, state_dir={str(tmp_path)!r})
        threading.Thread(target=lambda: next(watch, None), daemon=True).start()
        threading.Thread(target=lambda: [host.snapshot() for _ in iter(int, 1)], daemon=True).start()
        sys.keep = (host, snapshot, snapshot.matrix(), snapshot.diagnose(), policy, watch, receipt, snapshot.interfaces)
        print(len(sys.keep))
        """,
        "-X",
        "dev",
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "8", "")


def test_a_forked_process_decides_nothing_over_the_parents_trial(node, tmp_path):
    host = arpflux.Host.netns(node)
    receipt = host.apply(cure(host.snapshot()).plan(host.snapshot()), confirm=60, state_dir=tmp_path)
    held = [receipt]
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert host.snapshot().effective("eth0", "arp_ignore").value == 1, "a host works on both sides"
            del receipt
            held.clear()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert host.snapshot().effective("eth0", "arp_ignore").value == 1, "the copy undid the change"
    receipt.confirm()
    assert receipt.outcome is arpflux.Outcome.APPLIED


def test_subinterpreters_are_refused_with_a_sentence():
    done = python(
        """
        import arpflux
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        other = interpreters.create()
        script = "import os\\ntry:\\n    import arpflux\\nexcept ImportError as error:\\n    os.write(1, b'refused: %a\\\\n' % str(error))"
        interpreters.run_string(other, script)
        interpreters.destroy(other)
        print(len(arpflux.Host.current().snapshot().interfaces) > 0)
        """
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-1] == "True", done.stderr
    assert lines[0].startswith("refused:") and "interpreter" in lines[0], done.stdout + done.stderr


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_multiprocessing(node, way):
    done = python(
        f"""
        import multiprocessing, arpflux

        def work(name):
            return arpflux.Host.netns(name).snapshot().interface("eth3")

        if __name__ == "__main__":
            context = multiprocessing.get_context({way!r})
            here = work({node!r})
            if {way!r} == "fork":
                with context.Pool(2) as pool:
                    assert pool.map(work, [{node!r}] * 4) == [here] * 4
            else:
                with context.Pool(1) as pool:
                    assert pool.apply(arpflux.Snapshot.from_json, (arpflux.Host.netns({node!r}).snapshot().to_json(),)).interface("eth3") == here
            print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
