"""What takes the room in the C library, and how large the Python package is."""

import re
import shutil
import subprocess
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from .build import OUT, RELEASE, ROOT, VENV

KEY = "size"
WORK = "Size of what is installed"
# In bytes.
LIBRARY_REACH = 4 * 1024 * 1024
WHEEL_REACH = 3 * 1024 * 1024
# Crates and modules that are written out.
SHOWN = 24
OURS = ("arpflux_core", "arpflux")


def run() -> tuple[str, list[tuple[str, str, bool | None]]]:
    """The text, and what was to be reached: work, how much, whether it was."""
    library = RELEASE / "shared" / "libarpflux.so"
    subprocess.run([str(ROOT / "arpflux-c" / "link-shared"), str(RELEASE)], check=True)
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder, "stripped.so")
        subprocess.run(["strip", "-o", str(stripped), str(library)], check=True)
        size = stripped.stat().st_size
        sections = section_sizes(stripped)
    wheel = wheel_size()
    reached = [
        ("The C library, stripped", mebibytes(LIBRARY_REACH), size <= LIBRARY_REACH),
        ("The Python package, as a wheel", mebibytes(WHEEL_REACH), None if wheel is None else wheel <= WHEEL_REACH),
    ]
    lines = [
        f"### {WORK}",
        "",
        f"`{KEY}`: libarpflux.so, stripped: {mebibytes(size)} ({word(reached[0][2])}: {reached[0][1]}); "
        f"the Python package, zipped as a wheel is, the command in it: {mebibytes(wheel) if wheel else 'not built'} "
        f"({word(reached[1][2])}: {reached[1][1]}).",
        "",
        "Sections: " + ", ".join(f"`{name}` {kibibytes(length)}" for name, length in sections[:8]) + ".",
        "",
        "Code by where its functions were written (generic functions of the standard library and of other crates "
        "count there, whoever uses them):",
        "",
        "| KiB | share | crate or module |",
        "|---:|---:|---|",
    ]
    by = code_by_module(library)
    whole = sum(by.values())
    for name, length in by.most_common(SHOWN):
        lines.append(f"| {length / 1024:.0f} | {length / whole:.1%} | `{name}` |")
    rest = whole - sum(length for _, length in by.most_common(SHOWN))
    lines.append(f"| {rest / 1024:.0f} | {rest / whole:.1%} | {max(len(by) - SHOWN, 0)} others |")
    return "\n".join(lines) + "\n", reached


def section_sizes(library: Path) -> list[tuple[str, int]]:
    """The sections, the largest first."""
    told = subprocess.run(["size", "-A", str(library)], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^(\.\S+)\s+(\d+)", told, re.MULTILINE)
    return sorted(((name, int(length)) for name, length in found), key=lambda pair: -pair[1])


def code_by_module(library: Path) -> Counter:
    """Bytes of code by crate; ours by module as well."""
    told = subprocess.run(["nm", "-C", "-S", str(library)], check=True, capture_output=True, text=True).stdout
    by, seen = Counter(), set()
    for line in told.splitlines():
        fields = line.split(None, 3)
        # Functions that are folded into one have one address.
        if len(fields) == 4 and fields[2] in "tTwW" and fields[0] not in seen:
            seen.add(fields[0])
            by[module(fields[3])] += int(fields[1], 16)
    return by


def module(function: str) -> str:
    """`<arpflux_core::plan::Plan as core::fmt::Display>::fmt` is of `arpflux_core::plan`."""
    words = re.findall(r"[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+", function)
    own = [word for word in words if word.split("::")[0] in OURS]
    if not own:
        # Without a path it is C: our own exported functions, and the C library's.
        return words[0].split("::")[0] if words else ("arpflux (exported)" if "arpflux" in function else "C")
    parts = own[0].split("::")
    return "::".join(parts[:2])


def wheel_size() -> int | None:
    """The size of the installed Python package, zipped as a wheel is; `None` if it is not there."""
    found = sorted(VENV.glob("lib/python*/site-packages/arpflux*"))
    if not found:
        return None
    archive = OUT / "package.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(path for folder in found for path in folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(found[0].parent))
    return archive.stat().st_size


def tools() -> str | None:
    """Why nothing can be measured, if so."""
    missing = [name for name in ("nm", "size", "strip") if not shutil.which(name)]
    return f"not installed: {', '.join(missing)} (Debian: binutils)" if missing else None


def word(good: bool | None) -> str:
    """Whether it was reached."""
    return {True: "reached", False: "**NOT reached**", None: "not decided"}[good]


def mebibytes(length: int) -> str:
    """With two digits behind the point."""
    return f"{length / 1024 / 1024:.2f} MiB"


def kibibytes(length: int) -> str:
    """Rounded."""
    return f"{length / 1024:.0f} KiB"
