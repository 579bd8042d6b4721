"""The command line of the benchmark."""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

from . import build, picture, row, size, table
from .rows import all_rows

BEGIN, END = "<!-- a run -->", "<!-- end of the run -->"


def main() -> int:
    """Builds, runs, prints; exit status 0 if every figure that could be decided was reached."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Runs arpflux, a floor program in C and other tools in turn, in network namespaces "
        "of their own, and prints what each took. Every run's result is checked; a contender that is "
        "not here, or does something else, is void.",
    )
    parser.add_argument("--only", metavar="ROW", help="rows whose name begins so (`--list` names them)")
    parser.add_argument("--list", action="store_true", help="the rows, and nothing else")
    parser.add_argument("--quick", action="store_true", help="three rounds instead of seven")
    parser.add_argument("--out", default=str(build.OUT), metavar="DIR", help="where bench.json, .md and .svg go")
    parser.add_argument("--document", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--no-build", action="store_true", help="what is built is what is measured")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        # The root of a user namespace will do; mounts for `ip netns` in a mount namespace.
        os.execvp("unshare", ["unshare", "-Urnm", sys.executable, *sys.argv])
    reasons = {}
    if not (asked.no_build or asked.list):
        build.ours()
        build.floors()
        build.c_abi()
        reasons = {"python": build.python(), "rtnetlink": build.rtnetlink()}
    rows = [r for r in all_rows(reasons) if r.key.startswith(asked.only or "")]
    sized = size.KEY.startswith(asked.only or "")
    if asked.list or not (rows or sized):
        print("\n".join(f"{key:20} {work}" for key, work in known()))
        return 0 if asked.list else 2
    begun = time.monotonic()
    figures, texts, reached = [], [], []
    for one in rows:
        if asked.quick:
            one.rounds = min(one.rounds, 3)
        own = row.run(one)
        figures += own
        text = table.render(one, own)
        print(text, flush=True)
        texts.append(text)
        reached.append((one.work, *table.verdict(one, own)))
    if sized:
        text, own = size.run()
        print(text, flush=True)
        texts.append(text)
        reached += own
    took = time.monotonic() - begun
    kernel = platform.release().split("-")[0]
    host = f"Linux {kernel}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    rounds = ", three rounds each at most" if asked.quick else ""
    summary = [f"{host}. {len(rows)} rows in {took:.0f} s{rounds}.", "", "| work | to reach | |", "|---|---|---|"]
    word = {True: "reached", False: "**not reached**", None: "not decided"}
    summary += [f"| {work} | {said} | {word[good]} |" for work, said, good in reached]
    print("\n".join(summary))
    os.makedirs(asked.out, exist_ok=True)
    document = {"schema": 1, "host": host, "figures": [f.as_dict() for f in figures]}
    tables, drawing = "\n".join(summary) + "\n\n" + "\n".join(texts), picture.draw(rows, figures)
    for name, text in (
        ("bench.json", json.dumps(document, indent=1) + "\n"),
        ("bench.md", tables),
        ("bench.svg", drawing),
    ):
        Path(asked.out, name).write_text(text, encoding="utf-8")
    if asked.document:
        publish(tables, drawing)
    print(f"\nwritten: {asked.out}/bench.json, bench.md, bench.svg")
    return 1 if any(good is False for _, _, good in reached) else 0


def known() -> list[tuple[str, str]]:
    """All keys and what is measured by them."""
    return [(one.key, one.work) for one in all_rows({})] + [(size.KEY, size.WORK)]


def publish(tables: str, drawing: str) -> None:
    """Puts a run where readers find it: between the marks of docs/performance.md."""
    page = build.ROOT / "docs" / "performance.md"
    before, mark, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise SystemExit(f"make bench: {page} has lost its marks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", encoding="utf-8")
    page.with_suffix(".svg").write_text(drawing, encoding="utf-8")
