"""Adds up what the test suites printed: one line each, then `N passed, N failed` over all.

Reads LOGS/SUITE.log, LOGS/SUITE.status and LOGS/SUITE.unsteady (failures.py). Fails if a suite failed, counted nothing,
or skipped or ignored anything: a test that did not run is not a test that passed.
"""

import pathlib
import re
import sys

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# `cargo test`, one line for each binary.
RUST = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored; \d+ measured; (\d+) filtered out", re.M)
# tests/support/run-c, one line at the end.
C = re.compile(r"^C tests: (\d+) passed, (\d+) failed$", re.M)
# pytest's last line.
PYTEST = re.compile(r"^=+ (.*\b(?:passed|failed|error|errors|skipped)\b.*) in [\d.]+s.*=+$", re.M)


def count(suite: str, text: str) -> tuple[int, int, int]:
    """Passed, failed and not run, as the suite's own closing lines say."""
    if suite == "rust":
        rows = [tuple(map(int, row)) for row in RUST.findall(text)]
        return sum(r[0] for r in rows), sum(r[1] for r in rows), sum(r[2] + r[3] for r in rows)
    if suite == "c":
        rows = [tuple(map(int, row)) for row in C.findall(text)]
        return sum(r[0] for r in rows), sum(r[1] for r in rows), 0
    passed = failed = skipped = 0
    for line in PYTEST.findall(text):
        numbers = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", line)}
        passed += numbers.get("passed", 0)
        failed += sum(numbers.get(word, 0) for word in ("failed", "error", "errors", "xpassed"))
        skipped += sum(numbers.get(word, 0) for word in ("skipped", "deselected", "xfailed"))
    return passed, failed, skipped


def main() -> int:
    logs, suites = pathlib.Path(sys.argv[1]), sys.argv[2:]
    total_passed = total_failed = 0
    good = True
    for suite in suites:
        text = ANSI.sub("", (logs / f"{suite}.log").read_text(errors="replace"))
        status = int((logs / f"{suite}.status").read_text())
        passed, failed, skipped = count(suite, text)
        complaints = []
        unsteady = (logs / f"{suite}.unsteady").read_text().splitlines()
        if unsteady:
            passed, failed, status = passed + failed, 0, 0
            complaints.append(f"passed only when run once more, alone: {', '.join(unsteady)}")
        if status != 0 and failed == 0:
            # It stopped before it could count: that is a failure too.
            failed = 1
            complaints.append(f"stopped with status {status}")
        if passed == 0:
            failed = max(failed, 1)
            complaints.append("counted no passing test")
        if skipped:
            failed += skipped
            complaints.append(f"{skipped} not run, counted as failed")
        good = good and status == 0 and failed == 0
        note = f" ({'; '.join(complaints)})" if complaints else ""
        print(f"{suite + ':':8} {passed:5} passed, {failed} failed{note}")
        total_passed += passed
        total_failed += failed
    print(f"{total_passed} passed, {total_failed} failed")
    return 0 if good and total_passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
