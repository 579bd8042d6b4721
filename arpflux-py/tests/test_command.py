"""The command that the wheel brings: the same code as the binary, with its signals and exit codes."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from conftest import run

import arpflux

COMMAND = str(pathlib.Path(sys.executable).with_name("arpflux"))


def command(*arguments, **options):
    return subprocess.run(
        [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_version_help_and_usage():
    assert command("--version").stdout == f"arpflux {arpflux.__version__}\n"
    assert "Usage: arpflux" in command("--help").stdout
    wrong = command("--no-such")
    assert wrong.returncode == 2 and "Usage: arpflux" in wrong.stderr
    module = subprocess.run([sys.executable, "-m", "arpflux", "--version"], stdout=subprocess.PIPE, text=True)
    assert (module.returncode, module.stdout) == (0, f"arpflux {arpflux.__version__}\n")


def test_snapshots_of_command_and_package_are_the_same(node):
    taken = command("snapshot", "--json", "--netns", node)
    assert taken.returncode == 0, taken.stderr
    assert arpflux.Snapshot.from_json(taken.stdout).interfaces == arpflux.Host.netns(node).snapshot().interfaces


def test_exit_codes(node, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\n[host]\ninterfaces = ["eth0", "eth3", "eth4"]\n')
    assert command("verify", "--netns", node, "--policy", policy).returncode == 1
    applied = command("apply", "--netns", node, "--policy", policy, "--state-dir", tmp_path / "state")
    assert applied.returncode == 0, applied.stderr
    assert command("verify", "--netns", node, "--policy", policy).returncode == 0
    assert command("snapshot", "--netns", "no-such").returncode == 2
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", COMMAND]
    refused = subprocess.run([*bare, "snapshot", "--netns", node], stderr=subprocess.PIPE, text=True)
    assert refused.returncode == 3, refused.stderr


def test_an_argument_may_be_any_bytes(tmp_path):
    done = subprocess.run([COMMAND, "capture", b"/no/\xff"], stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"Traceback" not in done.stderr


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("json_wanted", [False, True])
def test_ctrl_c_ends_a_watch_as_in_the_binary(node, tmp_path, json_wanted, kept):
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\n[host]\ninterfaces = ["eth0", "eth3", "eth4"]\n')
    if kept:
        applied = command("apply", "--netns", node, "--policy", policy, "--state-dir", tmp_path / "state")
        assert applied.returncode == 0, applied.stderr
    arguments = ["watch", "--netns", node, "--policy", str(policy)] + (["--json"] if json_wanted else [])
    notify = tmp_path / "notify"
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(60)
        running = subprocess.Popen([COMMAND, *arguments], env={**os.environ, "NOTIFY_SOCKET": str(notify)})
        while b"READY=1" not in manager.recv(4096):
            pass
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == (0 if kept else 1), "1: the policy is not kept"


def test_ctrl_c_elsewhere_kills_by_the_signal(tmp_path):
    # Reading a pipe that nobody writes to: nothing catches the signal there.
    running = subprocess.Popen(
        [COMMAND, "explain", "--stdin", "--snapshot", "/dev/stdin"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    running_elsewhere = subprocess.Popen([COMMAND, "capture", "-"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    import time

    for process in (running, running_elsewhere):
        deadline = time.monotonic() + 60
        while "pipe_read" not in pathlib.Path(f"/proc/{process.pid}/wchan").read_text() and time.monotonic() < deadline:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        process.stdin.close()
        assert code in (-signal.SIGINT, 2), code
    assert running_elsewhere.returncode == -signal.SIGINT


def test_a_reader_that_goes_away_is_no_failure(node):
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" snapshot --json --netns "$1" | head -c 1 >/dev/null', COMMAND, node],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "Traceback" not in done.stderr and "Broken" not in done.stderr


def test_the_demo_runs_from_the_wheel(tmp_path):
    done = command("demo", "--json", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_it_is_in_the_namespace_it_is_started_in():
    assert "lo" in run(COMMAND, "snapshot")
