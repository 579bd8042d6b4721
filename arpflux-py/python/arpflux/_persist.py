"""What survives a reboot."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ._base import IpAddress, Value, written
from ._names import FileKind, Manager, ValueSource
from ._native import Change


@dataclass(frozen=True)
class FileState(Value):
    """What is at a path.

    - `kind`: What kind of thing.
    - `text`: The text of a file.
    - `mode`: The permission bits of a file, such as 0o644.
    - `target`: Where a symbolic link points, as it is written.
    """

    kind: FileKind = dataclasses.field(metadata=written("is"))
    text: Optional[str] = None
    mode: Optional[int] = None
    target: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json: of each kind what it has."""
        values = super().to_dict()
        keys = {FileKind.ABSENT: (), FileKind.REGULAR: ("text", "mode"), FileKind.LINK: ("target",)}
        return {key: values[key] for key in ("is", *keys[self.kind])}


@dataclass(frozen=True)
class Assignment(Value):
    """One line of a file of `sysctl.d`. `str()` gives file, line and key.

    - `key`: The name or pattern on the left, with slashes.
    - `value`: The value as it is written; None for `-KEY`, which only takes the key out of patterns.
    - `file`: The file, as the host sees it.
    - `line`: The line, from 1.
    """

    key: str
    value: Optional[str]
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.key})"


@dataclass(frozen=True)
class BootEffective(Value):
    """What the kernel makes of the values of `all` and of an interface together.

    - `now`: What counts now.
    - `at_boot`: What counts after a boot; None if that cannot be told.
    - `source`: Which of the two decides after a boot.
    - `set_by`: The line that decides after a boot; None: none does, or the policy.
    """

    now: int
    at_boot: Optional[int]
    source: ValueSource
    set_by: Optional[Assignment]


@dataclass(frozen=True)
class BootValue(Value):
    """One sysctl: what it is now, and what sets it at boot.

    - `key`: Its full name, with slashes.
    - `now`: Its value now.
    - `at_boot`: Its value after a boot; None: nothing sets it, so it is 0.
    - `set_by`: The line that decides, the last one in time.
    - `ignored`: Lines about it that do not count.
    - `by_policy`: What the policy that is applied at boot makes of it afterwards.
    - `undetermined_by`: What may set it too, as FILE:LINE: something that was not followed, or a line that comes before or
      after `set_by` as the interface happens to be there earlier or later; `at_boot` is without it then, and cannot be
      relied on.
    - `effective`: What counts on the interface, `all` combined with it; None for the values of `all` themselves.
    """

    key: str
    now: int
    at_boot: Optional[int]
    set_by: Optional[Assignment]
    ignored: Tuple[Assignment, ...]
    by_policy: Optional[int]
    undetermined_by: Optional[str] = None
    effective: Optional[BootEffective] = None

    @property
    def differs(self) -> bool:
        """Whether a boot certainly changes it."""
        return self.undetermined_by is None and self.now != (self.at_boot or 0)


@dataclass(frozen=True)
class Unfollowed(Value):
    """Something that exists, is run at boot and may set such values, but was not understood.

    - `file`: The file, as the host sees it.
    - `line`: The line, from 1; 0 for the file as a whole.
    - `text`: What stands there, shortened.
    - `why`: Why it was not followed.
    - `sysctls`: The sysctls that it mentions: their values after a boot cannot be told.
    """

    file: str
    line: int
    text: str
    why: str
    sysctls: Tuple[str, ...]


@dataclass(frozen=True)
class Lint(Value):
    """A line of a boot file that has no effect, or another than it seems to.

    - `file`: The file, as the host sees it.
    - `line`: The line, from 1; 0 for the file as a whole.
    - `problem`: What is wrong with it.
    - `remedy`: What to write instead.
    """

    file: str
    line: int
    problem: str
    remedy: str


@dataclass(frozen=True)
class BootPolicy(Value):
    """The policy that is applied at boot.

    - `file`: Where it is.
    - `applied_by`: The managers that apply it.
    - `error`: Why it cannot be kept on this host, or not be seen by this user.
    """

    file: str
    applied_by: Tuple[Manager, ...]
    error: Optional[str]


@dataclass(frozen=True)
class BootEntry(Value):
    """A proxy entry, rule or route that a boot takes away or brings. `str()` gives it in words.

    - `text`: The same in words.
    - `change`: From now to after the boot.
    """

    text: str
    change: Change

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class BootNeighbour(Value):
    """A permanent entry of a neighbour that a boot takes away, brings or changes.

    - `address`: The neighbour's address.
    - `interface`: The interface.
    - `now`: Its MAC now; None: the kernel asks for it.
    - `at_boot`: Its MAC after a boot; None: the kernel asks for it.
    """

    address: IpAddress
    interface: str
    now: Optional[str]
    at_boot: Optional[str]
