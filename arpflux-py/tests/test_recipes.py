"""The recipes of examples/python/recipes, run as people run them."""

import json
import pathlib
import signal
import subprocess
import sys
from ipaddress import ip_address

import pytest
from conftest import run

import arpflux

RECIPES = pathlib.Path(__file__).parents[2] / "examples" / "python" / "recipes"
POLICY = 'version = 1\n[host]\ninterfaces = ["eth0", "eth3", "eth4"]\nannounce = false\n'


def recipe(name, *arguments, **options):
    return subprocess.run(
        [sys.executable, str(RECIPES / name), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def test_each_recipe_is_tried_here():
    here = pathlib.Path(__file__).read_text()
    assert len(list(RECIPES.glob("*.py"))) >= 8
    assert not [path.name for path in RECIPES.glob("*.py") if f'"{path.name}"' not in here]


def test_flux_then_pinned(wire, tmp_path, monkeypatch):
    monkeypatch.setenv("ARPFLUX_STATE_DIR", str(tmp_path))
    found = recipe("flux.py", wire.hn)
    assert found.returncode == 1 and "192.168.18.10" in found.stdout, found.stdout
    done = recipe("pin.py", wire.hn, "eth3", "192.168.18.101")
    assert done.returncode == 0 and "arp_ignore" in done.stdout, done.stdout
    assert recipe("flux.py", wire.hn).returncode == 0
    assert arpflux.Host.netns(wire.hn).pending() is None
    # It cannot be pinned to an interface that is not there, and nothing is left of the try.
    assert "eth9" in recipe("pin.py", wire.hn, "eth9", "192.168.18.101").stdout


def test_a_fleet_in_a_folder(wire, tmp_path):
    first = arpflux.Host.netns(wire.hn).snapshot().to_json()
    (tmp_path / "hn1.json").write_text(first)
    found = recipe("fleet.py", tmp_path)
    assert "looked at 1 hosts" in found.stdout, found.stdout
    (tmp_path / "hn2.json").write_text(first.replace("00:0c:29:b3", "00:0c:29:b4"))
    found = recipe("fleet.py", tmp_path)
    assert found.returncode == 1 and "192.168.18.101: several hosts answer" in found.stdout, found.stdout
    (tmp_path / "hn3.json").write_text("{")
    assert str(tmp_path / "hn3.json") in recipe("fleet.py", tmp_path).stdout


def test_checks_for_pytest(wire, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY + '[[proxy]]\nowner = "101"\naddresses = ["192.168.18.101"]\ninterface = "eth3"\n')
    environment = {"NETNS": wire.hn, "POLICY": str(policy), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    checks = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", "/dev/null"]
    checks.append(str(RECIPES / "checks.py"))
    failed = subprocess.run(checks, env=environment, stdout=subprocess.PIPE, text=True)
    assert failed.returncode == 1 and "2 failed" in failed.stdout and "arp_ignore" in failed.stdout, failed.stdout
    host, wanted = arpflux.Host.netns(wire.hn), arpflux.Policy.load(policy)
    host.apply(host.plan(wanted), state_dir=tmp_path / "state")
    passed = subprocess.run(checks, env=environment, stdout=subprocess.PIPE, text=True)
    assert passed.returncode == 0 and "3 passed" in passed.stdout, passed.stdout


def test_frames_and_drawings(wire, tmp_path):
    frames = recipe("frames.py", wire.hn)
    assert frames.returncode == 0 and "veth" in frames.stdout and "192.168.18.10 " in frames.stdout, frames.stdout
    page = tmp_path / "page.html"
    drawn = recipe("drawing.py", wire.hn, page)
    assert drawn.returncode == 0, drawn.stdout
    text = page.read_text()
    assert text.count("<section>") == 4 and "eth3" in text and "AF001" in text and "<script" not in text


def test_a_daemon_keeps_a_policy(node, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    watching = [sys.executable, str(RECIPES / "keep.py"), node, str(policy), str(tmp_path / "state")]
    with subprocess.Popen(watching, stdout=subprocess.PIPE, text=True) as daemon:
        lines = iter(daemon.stdout.readline, "")
        assert json.loads(next(lines)) == {"watching": node}
        made = json.loads(next(lines))
        assert made["outcome"] == "healed", made
        run("ip", "netns", "exec", node, "sysctl", "-qw", "net.ipv4.conf.eth3.arp_ignore=0")
        healed = next(one for one in map(json.loads, lines) if "arp_ignore" in json.dumps(one["changes"]) and one["count"] == 1)
        assert healed["outcome"] == "healed", healed
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    assert run("ip", "netns", "exec", node, "sysctl", "-n", "net.ipv4.conf.eth3.arp_ignore").strip() == "1"


@pytest.mark.parametrize("piped", [False, True])
def test_a_capture(piped):
    file = pathlib.Path(__file__).parents[2] / "arpflux-cli" / "tests" / "captures" / "example-one.txt"
    with file.open("rb") as stream:
        found = recipe("capture.py", *([] if piped else [file]), stdin=stream)
    assert found.returncode == 1 and ": flux: " in found.stdout, found.stdout


def test_a_policy_of_what_runs_behind_a_host(wire):
    made = recipe("publish.py", wire.hn, "venet0", "eth3")
    assert made.returncode == 0, made.stdout
    policy = arpflux.Policy.from_toml(made.stdout)
    assert [(one.addresses, one.interface) for one in policy.proxies] == [((ip_address("192.168.18.101"),), "eth3")]
