"""What is installed: the files of the wheel, the stubs, the documentation."""

import doctest
import inspect
import json
import os
import pathlib
import pydoc
import re
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
            "arpflux/__main__.py",
            "arpflux/_base.py",
            "arpflux/_errors.py",
            "arpflux/_model.py",
            "arpflux/_names.py",
            "arpflux/_native.abi3.so",
            "arpflux/_native.pyi",
            "arpflux/_pandas.py",
            "arpflux/_watch.py",
            "arpflux/_wire.py",
            "arpflux/py.typed",
            f"arpflux-{version}.dist-info/METADATA",
            f"arpflux-{version}.dist-info/RECORD",
            f"arpflux-{version}.dist-info/WHEEL",
            f"arpflux-{version}.dist-info/entry_points.txt",
        ]
    )
    assert "cp39-abi3-manylinux" in wheel.name


def test_stubs_agree_with_the_module(tmp_path):
    allowed = tmp_path / "allowed"
    # An enum has another `__new__` than `str`, which the stubs of the standard library do not say.
    allowed.write_text(r"arpflux\._names\.\w+\.__new__" + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "arpflux", "--concise", "--allowlist", str(allowed)],
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


def test_pyright_in_strict_mode_has_nothing_to_say(tmp_path):
    package = pathlib.Path(arpflux.__file__).parent
    usage = pathlib.Path(__file__).with_name("typed_usage.py")
    (tmp_path / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "include": [os.path.relpath(path, tmp_path) for path in (package, usage)],
                "exclude": [],
                "typeCheckingMode": "strict",
                "pythonVersion": "3.9",
                "venvPath": str(pathlib.Path(sys.prefix).parent),
                "venv": pathlib.Path(sys.prefix).name,
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--project", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    # That it sees anything at all: a file that is wrong is refused.
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import arpflux\narpflux.Host.current().snapshot().interface(7)\n")
    (tmp_path / "pyrightconfig.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(wrong)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 1 and "reportArgumentType" in done.stdout, done.stdout


def test_examples_in_the_documentation_are_true():
    finder, runner, tried = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), 0
    texts = {"arpflux": arpflux.__doc__ or ""}
    for name in arpflux.__all__:
        item = getattr(arpflux, name)
        texts[name] = getattr(item, "__doc__", None) or ""
        if inspect.isclass(item):
            for member in vars(item):
                texts[f"{name}.{member}"] = getattr(getattr(item, member), "__doc__", None) or ""
    for name, text in texts.items():
        examples = finder.get_doctest(text, {}, name, None, None)
        if examples.examples:
            tried += 1
            runner.run(examples)
    assert tried >= 8 and runner.failures == 0, runner.summarize()


def test_help_shows_arguments_and_units():
    text = pydoc.plain(pydoc.render_doc(arpflux.Host))
    assert "probe(self, /, targets, *, interface=None" in text
    assert "requests per second" in text and "Raises NotFound" in text


def test_the_wheel_works_alone_in_an_empty_environment(tmp_path):
    (wheel,) = pathlib.Path(os.environ["ARPFLUX_WHEEL_FOLDER"]).glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "empty")], check=True)
    there = tmp_path / "empty" / "bin"
    subprocess.run([there / "pip", "install", "--quiet", "--no-index", str(wheel)], check=True)
    listed = subprocess.run([there / "pip", "list", "--format=json"], stdout=subprocess.PIPE, check=True).stdout
    assert {one["name"] for one in json.loads(listed)} <= {"arpflux", "pip", "setuptools"}, "it needs nothing else"
    code = "import arpflux; print(arpflux.Host.current().snapshot().interface('lo').name)"
    done = subprocess.run([there / "python", "-I", "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "lo\n"
    done = subprocess.run([there / "arpflux", "--version"], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == f"arpflux {arpflux.__version__}\n"


def test_the_source_distribution_holds_what_its_build_needs(tmp_path):
    maturin = pathlib.Path(sys.executable).with_name("maturin")
    folder = pathlib.Path(__file__).parents[1]
    subprocess.run([maturin, "sdist", "--out", tmp_path], cwd=folder, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path], check=True)
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert "locked" not in (unpacked / "pyproject.toml").read_text().replace("Not locked", "")
    command = ["cargo", "metadata", "--offline", "--format-version", "1"]
    done = subprocess.run(command, cwd=unpacked, stdout=subprocess.PIPE, check=True)
    packages = json.loads(done.stdout)["packages"]
    own = {one["name"]: one for one in packages if one["source"] is None}
    assert own.keys() == {"arpflux-core", "arpflux-cli", "arpflux-py"}
    for package in own.values():
        for target in package["targets"]:
            if target["kind"][0] in ("lib", "cdylib", "bin"):
                assert pathlib.Path(target["src_path"]).is_relative_to(unpacked), target
    # Everything that the sources take in by name is there.
    for source in unpacked.rglob("*.rs"):
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text()):
            assert (source.parent / name).exists(), (source, name)
