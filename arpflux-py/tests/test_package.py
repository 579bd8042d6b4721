"""What is installed: the files of the wheel, the stubs, the documentation."""

import inspect
import os
import pathlib
import subprocess
import sys
import zipfile

import arpflux
from arpflux import _native


def test_wheel_holds_exactly_this():
    (wheel,) = pathlib.Path(os.environ["ARPFLUX_WHEEL_FOLDER"]).glob("*.whl")
    version = arpflux.__version__
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(name for name in archive.namelist() if "/sboms/" not in name)
    assert names == sorted(
        [
            "arpflux/__init__.py",
            "arpflux/_errors.py",
            "arpflux/_native.abi3.so",
            "arpflux/_native.pyi",
            "arpflux/py.typed",
            f"arpflux-{version}.dist-info/METADATA",
            f"arpflux-{version}.dist-info/RECORD",
            f"arpflux-{version}.dist-info/WHEEL",
        ]
    )
    assert "cp39-abi3-manylinux" in wheel.name


def test_stubs_agree_with_the_module():
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "arpflux", "--concise"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_everything_is_documented():
    missing = []
    for name in arpflux.__all__:
        item = getattr(arpflux, name)
        if inspect.isclass(item):
            assert item.__module__ == "arpflux", name
            if not item.__doc__:
                missing.append(name)
            if item.__name__ in dir(_native):
                members = [m for m in vars(item) if not m.startswith("_")]
                missing += [f"{name}.{m}" for m in members if not inspect.getdoc(getattr(item, m))]
    assert not missing


def test_the_whole_native_module_is_public():
    native = {name for name in dir(_native) if not name.startswith("_")}
    assert native <= set(arpflux.__all__)
    assert sorted(arpflux.__all__) == list(arpflux.__all__)
