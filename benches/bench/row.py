"""One piece of work at several sizes, done by all contenders in turn."""

import math
import os
import shutil
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Callable

from .contender import Contender, Taken, Void
from .namespace import in_child

# A contender that takes longer than this is not run more often than it has to be.
PATIENCE_NS = 3_000_000_000


@dataclass(frozen=True)
class Reach:
    """The figure to reach: `times` the median of `of` (a contender's name, or `floor`), or `ns`, or `kib` of
    memory, or a growth of at most the `power` of the size.
    """

    times: float | None = None
    of: str = "floor"
    ns: float | None = None
    kib: float | None = None
    power: float | None = None


@dataclass
class Row:
    """`key` names it on the command line. `measure` is `cpu` or `wall`."""

    key: str
    work: str
    unit: str
    sizes: list[int]
    contenders: list[Contender]
    reach: Reach
    measure: str = "cpu"
    setup: Callable[[int], None] = lambda size: None
    before: Callable[[Contender, int], None] = lambda contender, size: None
    check: Callable[[Contender, int, Taken], None] = lambda contender, size, taken: None
    rounds: int = 7
    reach_size: int | None = None
    note: str = ""
    # Files and folders that are taken away when the row is done.
    leaves: tuple[str, ...] = ()


@dataclass
class Figure:
    """What one contender took for one size."""

    row: str
    size: int
    name: str
    role: str
    ns: list[int] = field(default_factory=list)
    max_rss_kib: int | None = None
    void: str | None = None

    @property
    def median(self) -> float | None:
        """In nanoseconds; none if it is void."""
        return None if self.void or not self.ns else statistics.median(self.ns)

    def as_dict(self) -> dict:
        """For the JSON file."""
        good = not self.void and bool(self.ns)
        return {
            "row": self.row,
            "size": self.size,
            "name": self.name,
            "role": self.role,
            "min_ns": min(self.ns) if good else None,
            "median_ns": self.median,
            "max_ns": max(self.ns) if good else None,
            "runs": len(self.ns),
            "max_rss_kib": self.max_rss_kib,
            "void": self.void,
        }


def run(row: Row) -> list[Figure]:
    """All sizes of a row, each in a network namespace of its own."""
    figures = []
    for size in row.sizes:
        begun = time.monotonic()
        figures += in_child(lambda size=size: _run_size(row, size))
        print(f"  {row.key} {size:,}: {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    for name in row.leaves:
        if os.path.isdir(name):
            shutil.rmtree(name, ignore_errors=True)
        elif os.path.exists(name):
            os.unlink(name)
    return figures


def _run_size(row: Row, size: int) -> list[Figure]:
    figures = {c.name: Figure(row.key, size, c.name, c.role) for c in row.contenders}
    for contender in row.contenders:
        figure = figures[contender.name]
        if contender.needs:
            figure.void = contender.needs
        elif contender.largest is not None and size > contender.largest:
            figure.void = f"not tried beyond {contender.largest:,}"
    row.setup(size)
    for turn in range(row.rounds):
        # Not always the same one first.
        for at in range(len(row.contenders)):
            contender = row.contenders[(at + turn) % len(row.contenders)]
            figure = figures[contender.name]
            enough = contender.rounds is not None and len(figure.ns) >= contender.rounds
            if figure.void or enough or sum(figure.ns) > PATIENCE_NS:
                continue
            try:
                row.before(contender, size)
                taken = contender.run(size)
                row.check(contender, size, taken)
            except Void as why:
                figure.void = str(why)
                continue
            figure.ns.append(taken.cpu_ns if row.measure == "cpu" else taken.wall_ns)
            if taken.max_rss_kib is not None:
                figure.max_rss_kib = max(figure.max_rss_kib or 0, taken.max_rss_kib)
    return list(figures.values())


def growth(figures: list[Figure], name: str) -> float | None:
    """The exponent with which a contender's time grows between its two largest sizes."""
    own = sorted((f.size, f.median) for f in figures if f.name == name and f.median)
    if len(own) < 2:
        return None
    (small, before), (large, after) = own[-2:]
    return math.log(after / before) / math.log(large / small)
