"""docs/languages.md says what each language has: every name in it is there, and Python lacks nothing."""

import functools
import pathlib
import re
import subprocess
import sys

import arpflux

ROOT = pathlib.Path(__file__).parents[2]


def rows():
    for line in (ROOT / "docs" / "languages.md").read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and cells[0] not in ("what", "---"):
            yield cells


def help_of(verb):
    done = subprocess.run(
        [sys.executable, "-m", "arpflux", verb, "--help"], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def test_every_name_of_the_table_is_there():
    header = (ROOT / "include" / "arpflux.h").read_text()
    sources = "\n".join(
        path.read_text()
        for crate in ("arpflux-core", "arpflux-capture")
        for path in sorted((ROOT / crate / "src").rglob("*.rs"))
    )
    all_rows = list(rows())
    assert len(all_rows) > 25
    for what, rust, in_c, python, command in all_rows:
        name = rust.split("::")[-1]
        declared = re.search(rf"\b(fn|struct|enum|mod) {name}\b", sources)
        assert name == "arpflux_capture" or declared, (what, rust)
        assert in_c == "-" or f"{in_c}(" in header, (what, in_c)
        if python != "-":
            functools.reduce(getattr, python.split("."), arpflux)
        if command != "-":
            verb, *options = command.split()
            text = help_of(verb)
            assert all(option in text for option in options), (what, command)


def test_python_lacks_nothing():
    assert not {what for what, _, _, python, _ in rows() if python == "-"}
