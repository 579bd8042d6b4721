"""What failed in the suites' logs, and whether it fails again: `failures.py LOGS SUITE...`.

Shows each failed test with what it printed, as the last thing that a reader of a long log sees. If they are few, each
is run once more, alone: the tests run on the real kernel, and on a machine that others use one may miss a bound of
time. If all of a suite's pass then, LOGS/SUITE.unsteady names them, and so does the summary; what fails twice has
failed. So has a suite in which something failed that is not a test by name: a build, a program that crashed.
"""

import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

from summary import ANSI, count

# More than this is no accident.
FEW = 3
LINES = 60


class Failure(NamedTuple):
    """A failed test, how many failures of the suite's count it is, and what it printed."""

    name: str
    counted: int
    printed: str


def rust(text: str) -> list[Failure]:
    """Failed tests of `cargo test`."""
    failures = []
    for name in re.findall(r"^test (.+?) \.\.\. FAILED$", text, re.M):
        printed = re.search(rf"^---- {re.escape(name)} stdout ----\n(.*?)(?=^---- |^failures:$)", text, re.M | re.S)
        failures.append(Failure(name, 1, printed.group(1) if printed else ""))
    return failures


def c(text: str) -> list[Failure]:
    """Failed programs and checks of tests/support/run-c."""
    failures = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        printed = "\n".join(lines[number:])
        if ran := re.match(r"(\S+) under .*: \d+ passed, (\d+) failed, status (\d+)$", line):
            if ran.group(2) != "0" or ran.group(3) != "0":
                failures.append(Failure(ran.group(1), max(int(ran.group(2)), 1), printed))
        elif failed := re.match(r"(?:test )?(\S+).*(?:: FAILED: | \.\.\. FAILED$)", line):
            failures.append(Failure(failed.group(1), 1, printed))
    return failures


def python(text: str) -> list[Failure]:
    """Failed tests of pytest."""
    return [Failure(name, 1, why) for name, why in re.findall(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - (.*))?$", text, re.M)]


def targets(text: str) -> list[str]:
    """The test programs that cargo says failed."""
    return re.findall(r"^    `(-p .*)`$", text, re.M)


def accounted_for(suite: str, failures: list[Failure], text: str) -> bool:
    """Whether these are all that went wrong."""
    if suite == "rust" and len(re.findall(r"^test result: FAILED", text, re.M)) != len(targets(text)):
        return False
    return sum(failure.counted for failure in failures) == count(suite, text)[1]


def commands(suite: str, names: list[str], text: str) -> list[list[str]]:
    """What runs these tests alone."""
    if suite == "rust":
        # All of the workspace, as before, so that its features are what they were and nothing is built again.
        build = ["cargo", "test", "--workspace", "--exclude", "arpflux-py"]
        return [[*build, *target.split()[2:], "--", "--exact", "--test-threads=1", *names] for target in targets(text)]
    if suite == "c":
        return [["tests/support/run-c", *(pathlib.Path(name).stem for name in names)]]
    return [["tests/support/run-python", *names]]


def passed(suite: str, names: list[str], text: str) -> bool:
    """Whether each of these ran and passed."""
    if count(suite, text)[1]:
        return False
    if suite == "rust":
        return all(f"test {name} ... ok\n" in text for name in names)
    if suite == "c":
        return all(f"\n{name} under " in text for name in names)
    return count(suite, text)[0] >= len(names)


def main() -> None:
    logs, suites = pathlib.Path(sys.argv[1]), sys.argv[2:]
    texts = {suite: ANSI.sub("", (logs / f"{suite}.log").read_text(errors="replace")) for suite in suites}
    failures = {suite: {"rust": rust, "c": c, "python": python}[suite](texts[suite]) for suite in suites}
    for suite in suites:
        (logs / f"{suite}.unsteady").write_text("")
        for failure in failures[suite]:
            print(f"\n--- {suite}: {failure.name} failed:")
            print("\n".join(failure.printed.strip().splitlines()[:LINES]))
    if sum(map(len, failures.values())) > FEW:
        return
    for suite in suites:
        names = [failure.name for failure in failures[suite]]
        if not names or not accounted_for(suite, failures[suite], texts[suite]):
            continue
        again = ""
        for command in commands(suite, names, texts[suite]):
            print(f"\n--- once more, alone: {' '.join(command)}", flush=True)
            ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            again += ANSI.sub("", ran.stdout.decode(errors="replace"))
        print("\n".join(again.splitlines()[-LINES:]))
        if passed(suite, names, again):
            (logs / f"{suite}.unsteady").write_text("".join(name + "\n" for name in names))


if __name__ == "__main__":
    main()
