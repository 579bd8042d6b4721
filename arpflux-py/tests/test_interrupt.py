"""Ctrl-C: whatever waits for frames ends within a bounded time, and nothing of it is left behind."""

import os
import signal
import subprocess
import sysconfig
import threading
import time

import pytest
from conftest import cure, run

import arpflux


@pytest.fixture
def interrupt():
    """Sends SIGINT to this process after so many seconds, as a terminal does."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def later(seconds: float) -> None:
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        timers.append(timer)
        timer.start()

    yield later
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGINT, former)


def made(namespace: str) -> str:
    """Interfaces and traffic control there: what a helper would be seen in."""
    return run("ip", "-n", namespace, "-br", "link") + run("nsenter", f"--net=/run/netns/{namespace}", "tc", "qdisc")


def neighbours(namespace: str) -> str:
    return run("ip", "-n", namespace, "-4", "-br", "neigh")


def proxy_delay(namespace: str, hundredths: int) -> None:
    """How long proxies wait on eth4 at most, in hundredths of a second."""
    setting = f"net.ipv4.neigh.eth4.proxy_delay={hundredths}"
    run("nsenter", f"--net=/run/netns/{namespace}", "sysctl", "-qw", setting)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_verification_on_the_host_itself_ends_and_takes_everything_away(wire, interrupt):
    host = arpflux.Host.netns(wire.hn)
    policy = cure(host.snapshot(), eth3="192.168.18.101")
    # Only eth3 answers for the proxied address; this is how long the others are waited for: 600 s.
    proxy_delay(wire.hn, 60_000)
    host.verify(policy)
    before = made(wire.hn), neighbours(wire.hn), descriptors()
    for _ in range(2):
        began = time.monotonic()
        interrupt(0.5)
        with pytest.raises(KeyboardInterrupt):
            host.verify(policy, wire="self")
        assert 0.4 < time.monotonic() - began < 60, "it ended by itself, or not for the signal"
        assert (made(wire.hn), neighbours(wire.hn), descriptors()) == before
    # A proxy's answer that is still to come would make the kernel know the asker again.
    time.sleep(1)
    assert neighbours(wire.hn) == before[1]
    # The next one is not in its way.
    proxy_delay(wire.hn, 80)
    assert host.verify(policy, wire="self").checks > 0


def test_every_wait_for_frames_ends(wire, interrupt, tmp_path):
    host, client = arpflux.Host.netns(wire.hn), arpflux.Host.netns(wire.client)
    # Nobody answers for the second, so that it is waited for.
    policy = cure(host.snapshot(), eth3="192.168.18.101", eth4="192.168.18.150")
    proxy_delay(wire.hn, 60_000)
    run("ip", "-n", wire.hn, "link", "set", "ve101", "up")
    watch = host.watch(policy, state_dir=tmp_path)
    watch.wait(0.1)
    before = made(wire.hn), made(wire.client), descriptors()
    waits = {
        "verify": lambda: host.verify(policy, wire="peer", peer=client),
        "probe": lambda: client.probe("192.168.18.77", wait=60),
        "detect": lambda: client.detect("192.168.18.77", wait=60),
        "announce": lambda: client.announce("192.168.18.129", interface="eth0", rounds=100),
        "segments": lambda: host.segments(["eth3", "venet0"], wait=60, rounds=10),
        "watch": lambda: [watch.wait(600) for _ in range(9)],
    }
    for name, wait in waits.items():
        began = time.monotonic()
        interrupt(0.5)
        with pytest.raises(KeyboardInterrupt):
            wait()
        assert 0.4 < time.monotonic() - began < 60, name
        assert (made(wire.hn), made(wire.client), descriptors()) == before, name
    watch.close()


def test_so_does_the_command(wire, tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(cure(None, eth3="192.168.18.101").to_json())
    proxy_delay(wire.hn, 60_000)
    before = made(wire.hn), neighbours(wire.hn)
    command = [os.path.join(sysconfig.get_path("scripts"), "arpflux"), "verify", "--netns", wire.hn, "--wire", "self"]
    running = subprocess.Popen([*command, "--policy", str(policy)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while "arpflux-in" not in made(wire.hn):
        assert time.monotonic() < deadline and running.poll() is None
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 4 and "ended" in said, said
    assert (made(wire.hn), neighbours(wire.hn)) == before
