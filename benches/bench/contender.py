"""Who does the work: a program that tells its own time, or one whose process is timed from outside."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, fields
from typing import Callable


class Void(Exception):
    """The contender is not here, or did not do the work: its row says why and has no figures."""


@dataclass
class Taken:
    """What one run took."""

    cpu_ns: int
    wall_ns: int
    result: int | None = None
    max_rss_kib: int | None = None
    frames: int | None = None


KEYS = [field.name for field in fields(Taken)]


@dataclass
class Contender:
    """One way to do the work. `role` is `ours`, `floor` or `peer`.

    `tells`: the program prints a line of JSON with its own time, without what came before the work.
    Otherwise the whole process counts, from its start to its end.
    """

    name: str
    role: str
    argv: Callable[[int], list[str]]
    tells: bool = True
    stdin: Callable[[int], str] | None = None
    largest: int | None = None
    needs: str | None = None
    rounds: int | None = None
    exits: tuple[int, ...] = (0,)

    def run(self, size: int) -> Taken:
        """Does the work once."""
        argv = self.argv(size)
        if shutil.which(argv[0]) is None:
            raise Void(f"{os.path.basename(argv[0])} is not there")
        if self.tells:
            done = subprocess.run(argv, capture_output=True, text=True)
            if done.returncode:
                raise Void(f"failed: {last_line(done.stderr) or done.returncode}")
            told = json.loads(last_line(done.stdout))
            return Taken(**{key: told[key] for key in KEYS if key in told})
        return timed(argv, self.stdin(size) if self.stdin else None, self.exits)


def timed(argv: list[str], stdin: str | None = None, exits: tuple[int, ...] = (0,)) -> Taken:
    """A whole process, with its children that it waited for."""
    # Through files: a pipe would bring another process's pace into the figure.
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as errors:
        source.write((stdin or "").encode())
        source.seek(0)
        begun = time.monotonic_ns()
        process = subprocess.Popen(argv, stdin=source, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic_ns() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in exits:
            errors.seek(0)
            words = last_line(errors.read().decode(errors="replace"))
            raise Void(f"failed: {words or process.returncode}")
    cpu = int((usage.ru_utime + usage.ru_stime) * 1e9)
    return Taken(cpu_ns=cpu, wall_ns=wall, max_rss_kib=usage.ru_maxrss)


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
