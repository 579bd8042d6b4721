"""Builds what is measured: ours, the floor programs, and the peers that can be had."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"
OUT = ROOT / "target" / "bench"
RELEASE = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / "release"
VENV = OUT / "venv"


def quietly(argv: list[str], what: str, required: bool = True) -> str | None:
    """Runs a step of the build; why it failed, if it did and may."""
    print(f"  building {what}", file=sys.stderr, flush=True)
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    words = (done.stderr or done.stdout).strip().splitlines()
    if required:
        raise SystemExit(f"make bench: building {what} failed:\n" + "\n".join(words[-20:]))
    return words[-1] if words else f"status {done.returncode}"


def ours() -> None:
    """The Rust programs and the C library, as they are released."""
    packages = ["arpflux-bench", "arpflux-cli", "arpflux-c"]
    quietly(["cargo", "build", "--release", "--locked", *(f"-p{p}" for p in packages)], "arpflux")


def compile_c(source: Path, extra: tuple[str, ...] = ()) -> Path:
    """A C program into target/bench."""
    OUT.mkdir(parents=True, exist_ok=True)
    program = OUT / f"{source.parent.name}-{source.stem}"
    argv = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source), *extra]
    quietly(argv, str(source.relative_to(ROOT)))
    return program


def floors() -> None:
    """Every program of benches/floor."""
    for source in sorted((BENCHES / "floor").glob("*.c")):
        compile_c(source)


def c_abi() -> None:
    """Our C programs against the shared library, which is looked for by its soname."""
    folder = OUT / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    library = RELEASE / "shared" / "libarpflux.so"
    quietly([str(ROOT / "arpflux-c" / "link-shared"), str(RELEASE)], "the shared library")
    told = subprocess.run(["readelf", "-d", str(library)], check=True, capture_output=True, text=True).stdout
    soname = re.search(r"\(SONAME\).*\[(.+)\]", told)
    for name in ("libarpflux.so", *([soname[1]] if soname else [])):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(library)
    for source in sorted((BENCHES / "c").glob("*.c")):
        flags = (f"-I{ROOT / 'include'}", f"-L{folder}", f"-Wl,-rpath,{folder}", "-larpflux")
        compile_c(source, flags)


def python() -> str | None:
    """A virtual environment with pyroute2 and our package, released; why not, if not."""
    if not (VENV / "bin" / "python").exists():
        why = quietly([sys.executable, "-m", "venv", str(VENV)], "a virtual environment", required=False)
        if why:
            return why
    pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    why = quietly([*pip, "pyroute2"], "pyroute2", required=False)
    return why or quietly([*pip, "--force-reinstall", "./arpflux-py"], "the Python package", required=False)


def rtnetlink() -> str | None:
    """The peer that uses the rtnetlink crate; why not, if not."""
    manifest = str(BENCHES / "peers" / "rtnetlink" / "Cargo.toml")
    argv = ["cargo", "build", "--release", "--manifest-path", manifest, "--target-dir", str(OUT / "rtnetlink")]
    return quietly(argv, "the rtnetlink crate's peer", required=False)


def tool(name: str, package: str | None = None) -> str | None:
    """Why a program of the system cannot be a peer, if it cannot."""
    return None if shutil.which(name) else f"not installed (Debian: {package or name})"
