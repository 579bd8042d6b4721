"""The command `arpflux`: the same code as the Rust binary."""

from __future__ import annotations

import signal
import sys

from ._native import _command  # pyright: ignore[reportPrivateUsage]


def main() -> int:
    """Runs the command with the arguments of this process and gives its exit code."""
    # As in the binary: Python's own handlers would only note signals while the command runs.
    for number in (signal.SIGINT, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    return _command(["arpflux", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
