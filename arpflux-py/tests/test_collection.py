"""The modules and the role of the Ansible collection, run by the real ansible-core, and what is published of it."""

import json
import os
import pathlib
import subprocess
import sys
import tarfile

from conftest import run
from fleet import BIN, EXAMPLE, Fleet, of

import arpflux


def test_modules_add_delete_and_take_back_entries_and_recommend(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    shared = {"addresses": ["192.168.18.101"]}
    add = {**shared, "interface": "eth3"}
    # Said once for all modules, and for those that change something.
    defaults = {
        "group/arpflux.host.all": {"netns": name},
        "group/arpflux.host.changing": {"netns": name, "state_dir": str(tmp_path / "state")},
    }
    tasks = [
        {"name": "Predicted", "arpflux.host.proxy": add, "check_mode": True},
        {"name": "Added", "arpflux.host.proxy": add},
        {"name": "Again", "arpflux.host.proxy": add},
        {"name": "Moved", "arpflux.host.proxy": {**add, "interface": "eth4", "only": True}, "register": "moved"},
        {"name": "Back", "arpflux.host.rollback": {"id": "{{ moved.receipt.id }}"}},
        {"name": "Elsewhere", "arpflux.host.proxy": {**shared, "state": "absent", "interface": "eth4"}},
        {"name": "Deleted", "arpflux.host.proxy": {**shared, "state": "absent"}},
        {"name": "Wrong", "arpflux.host.proxy": {**add, "interface": "eth9"}, "ignore_errors": True},
        {"name": "Recommended", "arpflux.host.recommend": {}},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "module_defaults": defaults, "tasks": tasks}]))
    try:
        code, results, output = fleet.play(playbook=book)
        recommended = arpflux.Host.netns(name).snapshot().recommend()
    finally:
        fleet.close()
    assert code == 0, output
    by_task = {one["task"]: one for one in results}
    statuses = {task: one["status"] for task, one in by_task.items()}
    assert statuses == {
        "Predicted": "changed", "Added": "changed", "Again": "ok", "Moved": "changed", "Back": "changed",
        "Elsewhere": "ok", "Deleted": "changed", "Wrong": "failed", "Recommended": "ok",
    }  # fmt: skip
    assert set(by_task["Moved"]["result"]["changes"]) == {"- proxy 192.168.18.101 on eth3", "+ proxy 192.168.18.101 on eth4"}
    assert by_task["Deleted"]["result"]["changes"] == ["- proxy 192.168.18.101 on eth3"], "taken back, and deleted where it was"
    assert "eth9" in by_task["Wrong"]["result"]["msg"]
    assert arpflux.Policy.from_dict(by_task["Recommended"]["result"]["policy"]) == recommended.policy


def test_a_unit_keeps_a_policy_with_its_metrics(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    root = tmp_path / "root"
    for folder in ("etc/systemd/system", "run/systemd/system"):
        (root / folder).mkdir(parents=True)
    unit = root / "etc/systemd/system/arpflux.service"
    policy = {"version": 1, "host": {"interfaces": ["eth0", "eth3", "eth4"], "announce": False}}
    keep = {"netns": name, "state_dir": str(tmp_path / "state"), "root": str(root), "policy": policy}
    watch = {**keep, "metrics": "/var/lib/prometheus/arpflux.prom"}
    # A unit sees neither /root nor /home nor /tmp, where these tests may be; /run is the tests' own.
    folder = pathlib.Path("/run/arpflux-command")
    folder.mkdir()
    command = folder / "arpflux"
    command.symlink_to(BIN / "arpflux")
    where = {
        "path": f"{folder}:{os.environ['PATH']}",
        "ansible_python_interpreter": getattr(sys, "_base_executable", sys.executable),
    }
    tasks = [
        {"name": "Predicted", "arpflux.host.watch": watch, "check_mode": True},
        {"name": "Made", "arpflux.host.watch": watch},
        {"name": "Again", "arpflux.host.watch": watch},
        {"name": "Without", "arpflux.host.watch": keep},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "tasks": tasks[:3]}]))
    try:
        code, results, output = fleet.play(playbook=book, **where)
        assert code == 0, output
        statuses = {one["task"]: one["status"] for one in results}
        assert statuses == {"Predicted": "changed", "Made": "changed", "Again": "ok"}, output
        predicted, made = of(results, "Predicted")[0]["result"], of(results, "Made")[0]["result"]
        assert predicted["files"] == made["files"] and predicted["changes"] == made["changes"]
        drop_in = unit.parent / "arpflux.service.d" / "metrics.conf"
        assert str(unit) in made["files"] and str(drop_in) in made["files"]
        start = f"ExecStart={command} watch --policy /etc/arpflux/policy.toml --heal"
        assert start in unit.read_text().splitlines()
        assert drop_in.read_text().splitlines()[1:] == [
            "ExecStart=", f"{start} --metrics /var/lib/prometheus/arpflux.prom", "ReadWritePaths=/var/lib/prometheus"
        ]  # fmt: skip
        assert arpflux.Host.netns(name).verify(arpflux.Policy.load(root / "etc/arpflux/policy.toml"))
        book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "tasks": tasks[3:]}]))
        code, results, output = fleet.play(playbook=book, **where)
        assert code == 0 and of(results, "Without", "changed") and not drop_in.exists(), output
    finally:
        fleet.close()


def test_the_role_brings_the_command(tmp_path):
    """As a wheel and alone; each is run, and found by the modules on the search path."""
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    (wheel,) = pathlib.Path(os.environ["ARPFLUX_WHEEL_FOLDER"]).glob("*.whl")
    command = tmp_path / "brought" / "arpflux"
    command.parent.mkdir()
    command.write_bytes((BIN / "arpflux").read_bytes())
    bare = {"ansible_python_interpreter": getattr(sys, "_base_executable", sys.executable)}
    plays = []
    for kind, file in (("wheel", wheel), ("command", command)):
        folder = tmp_path / kind
        folder.mkdir()
        path = f"{folder}:{os.environ['PATH']}"
        variables = {"install_file": str(file), "install_folder": str(folder / "env" if kind == "wheel" else folder),
                     "install_link": str(folder / "arpflux")}  # fmt: skip
        role = {"name": kind, "ansible.builtin.include_role": {"name": "arpflux.host.install"}, "vars": variables}
        uses = {"name": f"Uses {kind}", "arpflux.host.facts": {"netns": name}, "environment": {"PATH": path}}
        plays.append({"hosts": name, "gather_facts": False, "vars": bare, "tasks": [role, uses]})
    book = tmp_path / "book.yml"
    book.write_text(json.dumps(plays))
    try:
        code, results, output = fleet.play(playbook=book, **bare)
        assert code == 0 and len(of(results, "Uses", "ok")) == 2, output
        versions = [one["result"]["stdout"] for one in results if one["task"].endswith("It runs")]
        assert versions == [f"arpflux {arpflux.__version__}"] * 2, output
        code, results, output = fleet.play(playbook=book, **bare)
        assert code == 0 and not [one for one in results if one["status"] == "changed"], output
    finally:
        fleet.close()


def test_failures_are_clear(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    nothing = {"version": 1, "host": {}}
    wrong = [
        ({"policy": {"version": 1, "host": {"stratgey": "strict"}}}, "strategy"),
        ({"policy": {"version": 1, "host": {"interfaces": ["eth9"]}}}, "eth9"),
        ({"policy": nothing, "netns": "no-such"}, "no-such"),
        ({"policy": nothing, "confirm": 0.1}, "24 h"),
        ({"policy": nothing, "path": "/x"}, "mutually exclusive"),
        ({}, "one of the following is required"),
        ({"path": "/no/such.toml"}, "/no/such.toml"),
    ]
    tasks = []
    for number, (arguments, _) in enumerate(wrong):
        arguments = {"netns": fleet.names[0], "state_dir": str(tmp_path / "state"), **arguments}
        tasks.append({"name": f"Try {number}", "arpflux.host.policy": arguments, "ignore_errors": True})
    # A Python without the package says what is missing.
    bare = {"ansible_python_interpreter": getattr(sys, "_base_executable", sys.executable)}
    tasks.append({"name": "Bare", "arpflux.host.facts": {}, "ignore_errors": True, "vars": bare})
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": fleet.names[0], "gather_facts": False, "tasks": tasks}]))
    try:
        _, results, output = fleet.play(playbook=book)
    finally:
        fleet.close()
    for number, (_, said) in enumerate(wrong):
        (failed,) = of(results, f"Try {number}", "failed")
        assert said in failed["result"]["msg"], (said, failed["result"]["msg"])
    assert "Traceback" not in output
    (failed,) = of(results, "Bare", "failed")
    assert "arpflux" in failed["result"]["msg"]


def test_what_does_harm_fails_in_check_mode_as_well(tmp_path):
    fleet = Fleet(tmp_path, size=1)
    (name,) = fleet.names
    # Answered for by any card, and by none that answers for its own addresses alone.
    run("ip", "-n", name, "address", "add", "192.168.18.99/32", "dev", "lo")
    policy = {"version": 1, "host": {"interfaces": ["eth0", "eth3", "eth4"], "announce": False}}
    arguments = {"netns": name, "state_dir": str(tmp_path / "state"), "policy": policy}
    tasks = [
        {"name": "Check", "arpflux.host.policy": arguments, "check_mode": True, "ignore_errors": True},
        {"name": "Do", "arpflux.host.policy": arguments, "ignore_errors": True},
        {"name": "Accept", "arpflux.host.policy": {**arguments, "accept_harm": True}},
    ]
    book = tmp_path / "book.yml"
    book.write_text(json.dumps([{"hosts": name, "gather_facts": False, "tasks": tasks}]))
    try:
        code, results, output = fleet.play(playbook=book)
    finally:
        fleet.close()
    assert code == 0, output
    for task in ("Check", "Do"):
        (failed,) = of(results, task, "failed")
        assert "it would do harm" in failed["result"]["msg"] and "192.168.18.99" in failed["result"]["msg"], failed
    (done,) = of(results, "Accept")
    assert done["result"]["assessment"]["harm"] and done["result"]["changed"], done


def test_the_collection_is_built_and_the_playbook_read(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(EXAMPLE / "collections")
    source = EXAMPLE / "collections" / "ansible_collections" / "arpflux" / "host"
    build = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path), str(source)]
    subprocess.run(build, env=environment, check=True, stdout=subprocess.PIPE)
    (archive,) = tmp_path.glob("arpflux-host-*.tar.gz")
    with tarfile.open(archive) as files:
        names = set(files.getnames())
    modules = {f"plugins/modules/{path.name}" for path in source.glob("plugins/modules/*.py")}
    assert modules <= names and "roles/install/tasks/main.yml" in names and "plugins/action/segment.py" in names and not [name for name in names if "pyc" in name]
    read = [str(BIN / "ansible-playbook"), "--syntax-check", "-i", str(EXAMPLE / "inventory.yml"), str(EXAMPLE / "segment.yml")]
    subprocess.run(read, env=environment, check=True, stdout=subprocess.PIPE)


def test_modules_are_documented_with_the_arguments_they_take(tmp_path):
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(EXAMPLE / "collections"),
    }
    taken = {
        "facts": {"netns", "policy", "path", "metrics"},
        "policy": {"netns", "policy", "path", "confirm", "accept_harm", "state_dir", "lock_wait"},
        "verify": {"netns", "policy", "path", "wire", "confirm", "undo", "state_dir", "lock_wait"},
        "proxy": {"netns", "addresses", "interface", "state", "only", "state_dir", "lock_wait"},
        "rollback": {"netns", "id", "force", "unless_answered", "state_dir", "lock_wait"},
        "recommend": {"netns"},
        "segment": {"snapshots", "group", "fact", "require_all", "fail_on", "order_by", "at_once"},
        "watch": {"netns", "policy", "path", "metrics", "accept_harm", "root", "state_dir", "lock_wait"},
    }
    names = [f"arpflux.host.{name}" for name in taken]
    done = subprocess.run(
        [str(BIN / "ansible-doc"), "-j", *names], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    documented = json.loads(done.stdout)
    for name, options in taken.items():
        page = documented[f"arpflux.host.{name}"]
        assert set(page["doc"]["options"]) == options and page["return"] and page["examples"]
