"""What is installed: the files of the wheel, the stubs, the documentation."""

import dataclasses
import doctest
import enum
import inspect
import json
import os
import pathlib
import pydoc
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

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
            "arpflux/_container.py",
            "arpflux/_errors.py",
            "arpflux/_model.py",
            "arpflux/_names.py",
            "arpflux/_native.abi3.so",
            "arpflux/_native.pyi",
            "arpflux/_pandas.py",
            "arpflux/_persist.py",
            "arpflux/_policy.py",
            "arpflux/_proof.py",
            "arpflux/_segment.py",
            "arpflux/_snapshot.py",
            "arpflux/_traffic.py",
            "arpflux/_watch.py",
            "arpflux/_wire.py",
            "arpflux/py.typed",
            f"arpflux-{version}.dist-info/METADATA",
            f"arpflux-{version}.dist-info/RECORD",
            f"arpflux-{version}.dist-info/WHEEL",
            f"arpflux-{version}.dist-info/entry_points.txt",
            f"arpflux-{version}.dist-info/licenses/LICENSE-APACHE",
            f"arpflux-{version}.dist-info/licenses/LICENSE-MIT",
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


def test_stubs_have_the_docstrings_of_the_module():
    """Editors read the stubs and nothing else."""
    repository = pathlib.Path(__file__).parents[2]
    stubs = repository / "arpflux-py" / "python" / "arpflux" / "_native.pyi"
    subprocess.run([sys.executable, repository / "tests" / "support" / "stub-docs", "check", stubs], check=True)


def test_mypy_in_strict_mode_has_nothing_to_say():
    tests = pathlib.Path(__file__).parent
    recipes = sorted((tests.parents[1] / "examples" / "python" / "recipes").glob("*.py"))
    for what in (["-p", "arpflux"], [tests / "typed_usage.py", *recipes]):
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "--scripts-are-modules", *what],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tests,
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
            fields = [field.name for field in dataclasses.fields(item)] if dataclasses.is_dataclass(item) else []
            if issubclass(item, enum.Enum):
                fields = list(item.__members__)
            text = " ".join(base.__doc__ or "" for base in item.__mro__)
            missing += [f"{name}.{field}" for field in fields if f"- `{field}`: " not in text]
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
    wrong.write_text("import arpflux\narpflux.Host.current().snapshot().interface(7.5)\n")
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


def test_a_reference_is_built(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pdoc", "arpflux", "-o", tmp_path], stderr=subprocess.PIPE, text=True, check=True
    )
    assert "Error parsing type annotation" not in done.stderr, done.stderr
    text = (tmp_path / "arpflux.html").read_text()
    # A class, a field, an argument of the native half, a name.
    for said in (
        "One MAC that answered for an address",
        "Whether it only proxies the address",
        "requests per second",
        "No such interface, namespace, file or entry",
    ):
        assert said in text, said


def test_help_shows_arguments_and_units():
    text = pydoc.plain(pydoc.render_doc(arpflux.Host))
    assert "probe(self, /, targets, *, interface=None" in text
    assert "requests per second" in text and "Raises NotFound" in text


def interpreters():
    """This one, and every other CPython from 3.9 up that the machine has, by version: the wheel is for all of them."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name, sys.executable)"
    for minor in range(9, 20):
        program = shutil.which(f"python3.{minor}")
        # A version manager has scripts by these names that only say that there is nothing.
        done = program and subprocess.run([program, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done and done.returncode == 0 and f"3.{minor} cpython " in done.stdout:
            found.setdefault(f"3.{minor}", done.stdout.split()[2])
    return found


@pytest.mark.parametrize("interpreter", interpreters().values(), ids=interpreters())
def test_the_wheel_works_alone_in_an_empty_environment(interpreter, tmp_path):
    (wheel,) = pathlib.Path(os.environ["ARPFLUX_WHEEL_FOLDER"]).glob("*.whl")
    subprocess.run([interpreter, "-m", "venv", str(tmp_path / "empty")], check=True)
    there = tmp_path / "empty" / "bin"
    subprocess.run([there / "pip", "install", "--quiet", "--no-index", str(wheel)], check=True)
    listed = subprocess.run([there / "pip", "list", "--format=json"], stdout=subprocess.PIPE, check=True).stdout
    assert {one["name"] for one in json.loads(listed)} <= {"arpflux", "pip", "setuptools"}, "it needs nothing else"
    code = (
        "import arpflux, pickle\n"
        "snapshot = arpflux.Host.current().snapshot()\n"
        "held = snapshot.netns, snapshot.interface('lo'), snapshot.explain('127.0.0.1', interface='lo')\n"
        "assert pickle.loads(pickle.dumps(held)) == held and snapshot.rules[0].action is arpflux.RuleAction.TABLE\n"
        "print(held[1].name)\n"
    )
    done = subprocess.run([there / "python", "-I", "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "lo\n"
    done = subprocess.run([there / "arpflux", "--version"], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == f"arpflux {arpflux.__version__}\n"


def test_the_source_distribution_holds_what_its_build_needs(tmp_path):
    """All sources and licences are in it, and a wheel is built from it in an empty environment, as `pip install` does.

    Build requirements were fetched from PyPI before, as there is no network here. So that it takes a minute, the cheap
    profile is built, and crates of others that this machine has built already are taken over; of our own crates nothing is
    there, so all of them compile from the archive.
    """
    maturin = pathlib.Path(sys.executable).with_name("maturin")
    folder = pathlib.Path(__file__).parents[1]
    repository, target = folder.parent, pathlib.Path(os.environ["ARPFLUX_WHEEL_FOLDER"]).parent
    subprocess.run([maturin, "sdist", "--out", tmp_path], cwd=folder, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    listed = ["git", "ls-files", "Cargo.lock", "arpflux-core/src", "arpflux-cli/src", "arpflux-py/src", "arpflux-py/python"]
    sources = subprocess.run(listed, cwd=repository, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert len(sources) > 300
    # The package's own files are on top.
    wanted = {name.replace("arpflux-py/python", "python", 1) for name in sources}
    wanted |= {"LICENSE-APACHE", "LICENSE-MIT", "README.md", "pyproject.toml", "PKG-INFO"}
    assert not wanted - held

    built = target / "sdist"
    shutil.rmtree(built, ignore_errors=True)
    ours = shutil.ignore_patterns("*arpflux*", "*_native*", "incremental", "examples")
    for part in ("deps", "build", ".fingerprint"):
        shutil.copytree(target / "debug" / part, built / "debug" / part, ignore=ours, copy_function=os.link)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    there = tmp_path / "empty" / "bin"
    try:
        done = subprocess.run(
            [there / "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--find-links", target / "build-requirements",
             "--wheel-dir", tmp_path / "out", archive],
            env={**os.environ, "CARGO_TARGET_DIR": str(built), "CARGO_INCREMENTAL": "0",
                 "MATURIN_PEP517_ARGS": "--profile dev"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
    finally:
        shutil.rmtree(built, ignore_errors=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    (other,) = target.glob("wheels/*.whl")
    assert wheel.name.split("-")[:4] == other.name.split("-")[:4]
    with zipfile.ZipFile(wheel) as from_archive, zipfile.ZipFile(other) as from_sources:
        assert sorted(from_archive.namelist()) == sorted(from_sources.namelist())
        for name in from_archive.namelist():
            if name.endswith((".py", ".pyi", "METADATA")) or "/licenses/" in name:
                assert from_archive.read(name) == from_sources.read(name), name
    subprocess.run([there / "pip", "install", "--quiet", "--no-index", wheel], check=True)
    code = "import arpflux; print(arpflux.Host.current().snapshot().interface('lo').name, len(arpflux.__all__))"
    done = subprocess.run([there / "python", "-I", "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == f"lo {len(arpflux.__all__)}\n"
