"""Watching for drift: blocking, in an event loop, closed from elsewhere, interrupted."""

import asyncio
import datetime
import os
import pickle
import select
import signal
import threading
import time

import pytest
from conftest import cure, run

import arpflux


@pytest.fixture
def kept(wire, tmp_path):
    """A host on which a policy holds, with the policy."""
    host = arpflux.Host.netns(wire.hn)
    policy = cure(host.snapshot(), eth3="192.168.18.101")
    host.apply(policy.plan(host.snapshot()), state_dir=tmp_path)
    return host, policy, wire.hn, tmp_path


def spoil(namespace: str) -> None:
    run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.conf.eth4.arp_ignore=0")


def test_drift_is_told_and_healed(kept):
    host, policy, namespace, state = kept
    with host.watch(policy, heal=True, look=datetime.timedelta(seconds=1), state_dir=state) as watch:
        assert watch.wait(0.1) == (), "all is well"
        spoil(namespace)
        drift = next(watch)
        assert (drift.cause, drift.outcome, drift.error) == (arpflux.Cause.SYSCTL, arpflux.DriftOutcome.HEALED, None)
        assert [change.kind for change in drift.changes] == [arpflux.ChangeKind.SYSCTL]
        assert abs(drift.at - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=1)
        assert host.snapshot().effective("eth4", "arp_ignore").value == 1
        assert pickle.loads(pickle.dumps(drift)) == drift == arpflux.Drift.from_dict(drift.to_dict())
        assert watch.policy == policy and not watch.closed
    assert watch.closed and watch.wait() == () and list(watch) == []
    watch.close()
    with pytest.raises(ValueError):
        watch.fileno()


def test_another_policy_and_a_descriptor_for_any_event_loop(kept):
    host, policy, _, state = kept
    with host.watch(policy, state_dir=state) as watch:
        watch.wait(0.1)
        watch.set_policy(arpflux.Policy.from_dict({"version": 1, "host": {"interfaces": ["eth9"]}}))
        found = ()
        while not found:
            readable, _, _ = select.select([watch], [], [], 30)
            assert readable
            found = watch.step()
        assert (found[0].cause, found[0].outcome) == ("policy", "impossible")
        assert "eth9" in found[0].error
    with pytest.raises(arpflux.InvalidInput, match="look"):
        host.watch(policy, look=0.01)


def test_in_an_event_loop_others_go_on_meanwhile(kept):
    host, policy, namespace, state = kept

    async def work() -> None:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        ticking = asyncio.ensure_future(tick())
        with host.watch(policy, heal=True, state_dir=state) as watch:
            asyncio.get_running_loop().call_later(0.3, spoil, namespace)
            async for drift in watch:
                assert drift.outcome is arpflux.DriftOutcome.HEALED
                break
            # One that waits is ended by closing, and by cancelling.
            waiting = asyncio.ensure_future(watch.__anext__())
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            asyncio.get_running_loop().call_later(0.05, watch.close)
            assert [drift async for drift in watch] == []
        ticking.cancel()
        assert turns > 5

    asyncio.run(asyncio.wait_for(work(), 60))


def test_closing_from_another_thread_ends_the_loop(kept):
    host, policy, _, state = kept
    watch = host.watch(policy, state_dir=state)
    threading.Timer(0.2, watch.close).start()
    assert list(watch) == []


def test_after_a_fork_it_belongs_to_the_parent(kept):
    host, policy, _, state = kept
    with host.watch(policy, state_dir=state) as watch:
        watch.wait(0.1)
        child = os.fork()
        if child == 0:
            try:
                watch.wait(0)
            except arpflux.InvalidInput as error:
                os._exit(0 if "forked" in str(error) else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Alarm(Exception):
    """What the handler raises."""


@pytest.fixture
def alarm():
    def handler(*_: object) -> None:
        raise Alarm

    former = signal.signal(signal.SIGALRM, handler)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.2)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


def test_signals_interrupt_every_wait(kept, wire, alarm, tmp_path):
    host, policy, _, state = kept
    client = arpflux.Host.netns(wire.client)
    watch = host.watch(policy, state_dir=state)
    assert watch.wait(0.1) == ()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    waits = {
        "watch": lambda: next(watch),
        "wait": lambda: watch.wait(60),
        "probe": lambda: client.probe("192.168.18.77", wait=60),
        "announce": lambda: client.announce("192.168.18.129", interface="eth0", spacing=60),
        "detect": lambda: client.detect("192.168.18.77", wait=60),
        "a pipe without a writer": lambda: arpflux.capture(fifo),
    }
    for name, wait in waits.items():
        began = time.monotonic()
        alarm()
        with pytest.raises(Alarm):
            wait()
        assert time.monotonic() - began < 30, name
    watch.close()


def test_a_signal_interrupts_the_waiting_for_a_lock(kept, alarm):
    import fcntl
    import pathlib

    host, policy, namespace, state = kept
    (lock,) = pathlib.Path(state).glob("*/lock")
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        spoil(namespace)
        plan = policy.plan(host.snapshot())
        for wait in (
            lambda: host.apply(plan, state_dir=state, lock_wait=60),
            lambda: host.rollback(state_dir=state, lock_wait=60),
            lambda: host.recover(state_dir=state, lock_wait=60),
        ):
            began = time.monotonic()
            alarm()
            with pytest.raises(Alarm):
                wait()
            assert time.monotonic() - began < 30
        with pytest.raises(arpflux.Busy) as busy:
            host.apply(plan, state_dir=state, lock_wait=0)
        assert isinstance(busy.value, BlockingIOError)
    assert host.snapshot().effective("eth4", "arp_ignore").value == 0, "nothing was changed"
