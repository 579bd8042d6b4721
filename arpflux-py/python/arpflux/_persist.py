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
    """What is at a path."""

    #: What kind of thing.
    kind: FileKind = dataclasses.field(metadata=written("is"))
    #: The text of a file.
    text: Optional[str] = None
    #: The permission bits of a file, such as 0o644.
    mode: Optional[int] = None
    #: Where a symbolic link points, as it is written.
    target: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json: of each kind what it has."""
        values = super().to_dict()
        keys = {FileKind.ABSENT: (), FileKind.REGULAR: ("text", "mode"), FileKind.LINK: ("target",)}
        return {key: values[key] for key in ("is", *keys[self.kind])}


@dataclass(frozen=True)
class Assignment(Value):
    """One line of a file of `sysctl.d`. `str()` gives file, line and key."""

    #: The name or pattern on the left, with slashes.
    key: str
    #: The value as it is written; None for `-KEY`, which only takes the key out of patterns.
    value: Optional[str]
    #: The file, as the host sees it.
    file: str
    #: The line, from 1.
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.key})"


@dataclass(frozen=True)
class BootEffective(Value):
    """What the kernel makes of the values of `all` and of an interface together."""

    #: What counts now.
    now: int
    #: What counts after a boot; None if that cannot be told.
    at_boot: Optional[int]
    #: Which of the two decides after a boot.
    source: ValueSource
    #: The line that decides after a boot; None: none does, or the policy.
    set_by: Optional[Assignment]


@dataclass(frozen=True)
class BootValue(Value):
    """One sysctl: what it is now, and what sets it at boot."""

    #: Its full name, with slashes.
    key: str
    #: Its value now.
    now: int
    #: Its value after a boot; None: nothing sets it, so it is 0.
    at_boot: Optional[int]
    #: The line that decides, the last one in time.
    set_by: Optional[Assignment]
    #: Lines about it that do not count.
    ignored: Tuple[Assignment, ...]
    #: What the policy that is applied at boot makes of it afterwards.
    by_policy: Optional[int]
    #: What may set it too, as FILE:LINE: something that was not followed, or a line that comes before or after `set_by` as the
    #: interface happens to be there earlier or later; `at_boot` is without it then, and cannot be relied on.
    undetermined_by: Optional[str] = None
    #: What counts on the interface, `all` combined with it; None for the values of `all` themselves.
    effective: Optional[BootEffective] = None

    @property
    def differs(self) -> bool:
        """Whether a boot certainly changes it."""
        return self.undetermined_by is None and self.now != (self.at_boot or 0)


@dataclass(frozen=True)
class Unfollowed(Value):
    """Something that exists, is run at boot and may set such values, but was not understood."""

    #: The file, as the host sees it.
    file: str
    #: The line, from 1; 0 for the file as a whole.
    line: int
    #: What stands there, shortened.
    text: str
    #: Why it was not followed.
    why: str
    #: The sysctls that it mentions: their values after a boot cannot be told.
    sysctls: Tuple[str, ...]


@dataclass(frozen=True)
class Lint(Value):
    """A line of a boot file that has no effect, or another than it seems to."""

    #: The file, as the host sees it.
    file: str
    #: The line, from 1; 0 for the file as a whole.
    line: int
    #: What is wrong with it.
    problem: str
    #: What to write instead.
    remedy: str


@dataclass(frozen=True)
class BootPolicy(Value):
    """The policy that is applied at boot."""

    #: Where it is.
    file: str
    #: The managers that apply it.
    applied_by: Tuple[Manager, ...]
    #: Why it cannot be kept on this host, or not be seen by this user.
    error: Optional[str]


@dataclass(frozen=True)
class BootEntry(Value):
    """A proxy entry, rule or route that a boot takes away or brings. `str()` gives it in words."""

    #: The same in words.
    text: str
    #: From now to after the boot.
    change: Change

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class BootNeighbour(Value):
    """A permanent entry of a neighbour that a boot takes away, brings or changes."""

    #: The neighbour's address.
    address: IpAddress
    #: The interface.
    interface: str
    #: Its MAC now; None: the kernel asks for it.
    now: Optional[str]
    #: Its MAC after a boot; None: the kernel asks for it.
    at_boot: Optional[str]
