"""The manifest for Kubernetes: its container, as a runtime would start it, in a namespace that stands for a node."""

import json
import pathlib
import subprocess
import sys
import time

import pytest
import yaml
from conftest import run

import arpflux

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "kubernetes"


@pytest.fixture
def manifest():
    objects = {one["kind"]: one for one in yaml.safe_load_all((EXAMPLE / "daemonset.yaml").read_text())}
    pod = objects["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["hostNetwork"] is True
    return objects["ConfigMap"]["data"], pod


def start(node, folder, data, container, heal):
    """The container's process, with its folders in `folder`, its capabilities alone, and /proc/sys read-only, unless it is
    privileged."""
    arguments = list(container["args"])
    for mount in container["volumeMounts"]:
        (folder / mount["name"]).mkdir()
        arguments = [one.replace(f"={mount['mountPath']}", f"={folder / mount['name']}") for one in arguments]
    for name, text in data.items():
        (folder / "policy" / name).write_text(text)
    privileges, mounts = [], ""
    if not heal:
        mounts = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys"
        kept = ["-all", *("+" + name.lower() for name in container["securityContext"]["capabilities"]["add"])]
        privileges = ["setpriv", "--bounding-set", ",".join(kept), "--no-new-privs"]
    command = [*privileges, sys.executable, "-m", "arpflux", *arguments, *(["--heal"] if heal else [])]
    enter = f"set -e; mount -t proc proc /proc; {mounts}\nexec \"$@\""
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{node}", "unshare", "--mount", "sh", "-c", enter, "sh", *command],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.mark.parametrize("heal", [False, True])
def test_the_watch_runs_with_what_the_manifest_gives_it(node, tmp_path, manifest, heal):
    data, pod = manifest
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    host = arpflux.Host.netns(node)
    policy = arpflux.Policy.from_toml(data["policy.toml"])
    host.apply(policy.plan(host.snapshot()), state_dir=tmp_path / "before")
    watch = start(node, tmp_path, data, container, heal)
    deadline = time.monotonic() + 60

    def log():
        assert watch.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
        time.sleep(0.05)
        return (tmp_path / "log").read_text()

    metrics = tmp_path / "metrics" / "arpflux.prom"
    try:
        while not metrics.exists():
            log()
        run("ip", "netns", "exec", node, "sysctl", "-qw", "net.ipv4.conf.eth3.arp_ignore=0")
        while '"arp_ignore"' not in log():
            pass
        drift = next(json.loads(line) for line in log().splitlines() if '"arp_ignore"' in line)
        assert drift["changes"][0]["object"]["sysctl"]["scope"]["interface"]["name"] == "eth3"
        assert drift["outcome"] == ("healed" if heal else "reported"), drift
        value = run("ip", "netns", "exec", node, "sysctl", "-n", "net.ipv4.conf.eth3.arp_ignore").strip()
        assert value == ("1" if heal else "0")
        assert "arpflux_" in metrics.read_text()
    finally:
        watch.terminate()
        code = watch.wait(timeout=pod["terminationGracePeriodSeconds"] + 30)
    assert code in (0, 1), (tmp_path / "log").read_text()
