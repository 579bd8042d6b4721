"""Policies that hold after a reboot too, and what the next boot brings: with the files of an image below a folder."""

import os
import pathlib
import pickle
import subprocess
import sys
import sysconfig

import pytest
from conftest import cure

import arpflux

IGNORE = "net/ipv4/conf/eth0/arp_ignore"


@pytest.fixture
def scene(node, tmp_path):
    """A host, a policy with the files that bring it back, a folder for the state."""
    root = tmp_path / "root"
    root.mkdir()
    policy = cure(None, eth3="192.168.18.101")
    managers = ["systemd", arpflux.Manager.IFUPDOWN]
    return arpflux.Host.netns(node), arpflux.Persistence(policy, managers=managers, root=root), tmp_path / "state"


def boot(host, kept):
    """What the next boot brings, and of it what it makes of one value."""
    report = host.snapshot().at_boot(root=kept.root)
    return report, next((value for value in report.values if value.key == IGNORE), None)


def test_kernel_and_files_change_together_and_go_back_together(scene):
    host, kept, state = scene
    before = host.snapshot()
    assert kept.plan(before).changes == kept.policy.plan(before).changes
    files = kept.files(before)
    assert {one.path for one in files} >= {
        f"{kept.root}/etc/arpflux/policy.toml",
        f"{kept.root}/etc/sysctl.d/99-zz-arpflux.conf",
    }
    assert not os.listdir(kept.root), "looking writes nothing"
    receipt = host.apply_and_persist(kept, state_dir=state)
    assert (receipt.outcome, receipt.files) == (arpflux.Outcome.APPLIED, files)
    for one in files:
        there = pathlib.Path(one.path)
        assert one.before.kind is arpflux.FileKind.ABSENT and str(one) in (f"write {there}", f"link {there}")
        if one.after.kind is arpflux.FileKind.LINK:
            assert os.readlink(there) == one.after.target
        else:
            assert there.read_text() == one.after.text and there.stat().st_mode & 0o7777 == one.after.mode
    assert host.verify(kept.policy) and kept.files(host.snapshot()) == ()
    assert host.apply_and_persist(kept, state_dir=state).outcome is arpflux.Outcome.UNCHANGED
    receipt.undo()
    assert not any(os.path.lexists(one.path) for one in files)
    assert host.snapshot().interfaces == before.interfaces


def test_on_trial_the_files_come_with_the_confirmation(scene):
    host, kept, state = scene
    with host.apply_and_persist(kept, confirm=600, state_dir=state) as receipt:
        assert receipt.outcome is arpflux.Outcome.PENDING and receipt.files
        assert not any(os.path.lexists(one.path) for one in receipt.files)
    assert receipt.outcome is arpflux.Outcome.UNDONE
    with host.apply_and_persist(kept, confirm=600, state_dir=state) as receipt:
        receipt.confirm()
    assert all(os.path.lexists(one.path) for one in receipt.files)


def test_what_the_next_boot_brings(scene):
    host, kept, state = scene
    host.apply(kept.policy.plan(host.snapshot()), state_dir=state).leave()
    bare, value = boot(host, kept)
    assert not bare and bare.policy is None and bare.differences == len(bare.entries) + sum(v.differs for v in bare.values)
    assert (value.now, value.at_boot, value.differs, value.set_by) == (1, None, True, None)
    assert any("192.168.18.101" in str(entry) for entry in bare.entries)
    lost = host.diagnose(boot=bare)
    assert arpflux.FindingId.NOT_PERSISTED in [one.id for one in lost.findings]
    assert arpflux.FindingId.NOT_PERSISTED not in [one.id for one in host.diagnose().findings]

    host.apply_and_persist(kept, state_dir=state).leave()
    after, value = boot(host, kept)
    assert after != bare and after.differences < bare.differences
    assert (value.now, value.at_boot, value.differs) == (1, 1, False)
    counts = value.effective
    assert (counts.now, counts.at_boot, counts.source) == (1, 1, arpflux.ValueSource.INTERFACE)
    assert value.by_policy == 1 and counts.set_by is None, "the policy decides"
    assert value.set_by.file == "/etc/sysctl.d/99-zz-arpflux.conf" and value.set_by.value == "1"
    assert f":{value.set_by.line} (" in str(value.set_by)
    assert after.policy.file == "/etc/arpflux/policy.toml" and after.policy.error is None
    assert after.policy.applied_by == (arpflux.Manager.SYSTEMD, arpflux.Manager.IFUPDOWN)
    assert not any("192.168.18.101" in str(entry) for entry in after.entries)

    # Somebody's file beats it.
    other = pathlib.Path(kept.root, "etc/sysctl.d/99-zzz-other.conf")
    other.write_text("net.ipv4.conf.eth0.arp_ignore = 0\n")
    overridden, value = boot(host, kept)
    assert [line.file for line in value.ignored] == ["/etc/sysctl.d/99-zz-arpflux.conf"]
    found = host.diagnose(boot=overridden)
    assert {"AF030", "AF031", "AF032"} & {one.id.value for one in found.findings}
    again = pickle.loads(pickle.dumps(found))
    assert again == found and again.findings == found.findings


def test_values_of_it_are_values(scene):
    host, kept, state = scene
    host.apply_and_persist(kept, state_dir=state).leave()
    report, value = boot(host, kept)
    other = arpflux.Host.netns(pathlib.Path("/proc/self/ns/net")).snapshot().at_boot(root=kept.root)
    files = host.apply_and_persist(
        arpflux.Persistence(kept.policy, managers=[], root=kept.root), state_dir=state
    ).files
    assert files and all("remove" in str(one) for one in files)
    entries = report.entries or other.entries
    for one in (kept, report, value, value.set_by, report.policy, *entries[:1], *files, files[0].before, files[0].after):
        again = pickle.loads(pickle.dumps(one))
        assert again == one and hash(again) == hash(one) and again is not one and one != object()
        assert type(one).__name__ in repr(one)
        if hasattr(type(one), "from_dict"):
            assert type(one).from_dict(one.to_dict()) == one
            with pytest.raises(arpflux.InvalidData):
                type(one).from_dict({**one.to_dict(), "no_such_key": 1})
        with pytest.raises(AttributeError):
            one.path = "x"
    assert files[0].inverse().inverse() == files[0] and files[0].inverse().after == files[0].before
    assert kept.to_dict()["managers"] == ["systemd", "ifupdown"]


def test_bad_arguments_name_themselves(scene):
    host, kept, state = scene
    with pytest.raises(arpflux.InvalidInput, match="'managers'.*upstart"):
        arpflux.Persistence(kept.policy, managers="upstart")
    for wrong in ({"managers": 7}, {"root": 7}, {"command": 7}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            arpflux.Persistence(kept.policy, **wrong)
    with pytest.raises(TypeError):
        arpflux.Persistence("policy")
    odd = arpflux.Persistence(kept.policy, managers="systemd", root=kept.root, command="/opt/a b/arpflux")
    with pytest.raises(arpflux.InvalidInput, match="/opt/a b/arpflux"):
        odd.files(host.snapshot())
    with pytest.raises(arpflux.InvalidInput):
        host.apply_and_persist(odd, state_dir=state)
    assert not os.listdir(kept.root)
    for wrong in (7, "boot", {}):
        with pytest.raises(TypeError):
            host.diagnose(boot=wrong)


def test_the_command_is_the_one_of_the_package(scene):
    _, kept, _ = scene
    assert kept.command == "/usr/bin/arpflux", "below another root"
    scripts = sysconfig.get_path("scripts")
    assert arpflux.Persistence(kept.policy, managers=[]).command == os.path.join(scripts, "arpflux")


def test_files_of_this_machine_are_for_this_namespace_alone(node, tmp_path):
    # With a folder of its own over /etc, in case it does write.
    code = (
        "import arpflux, os\n"
        "policy = arpflux.Policy.from_dict({'version': 1, 'host': {'interfaces': ['eth0', 'eth3', 'eth4']}})\n"
        "kept = arpflux.Persistence(policy, managers='systemd', command='/usr/bin/arpflux')\n"
        "try:\n"
        f"    arpflux.Host.netns({node!r}).apply_and_persist(kept, state_dir={str(tmp_path)!r})\n"
        "except arpflux.InvalidInput as error:\n"
        "    print('refused', 'root' in error.hint, os.listdir('/etc'))\n"
    )
    script = 'mount -t tmpfs none /etc && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, code], stdout=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stdout) == (0, "refused True []\n")
