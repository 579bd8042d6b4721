"""One exception class for each class of failure, below `Error` and below the class of the standard library that fits."""

from __future__ import annotations

import os
from typing import Any, Optional


class Error(Exception):
    """Anything that arpflux reports. `str()` gives all of it in one line.

    >>> import arpflux
    >>> try:
    ...     arpflux.Host.netns("no-such")
    ... except LookupError as error:
    ...     error.code, error.kind, error.object, error.hint
    (20, 'not_found', '/run/netns/no-such', '`ip netns list` shows the names')
    """

    #: Stable number of the class of failure; the same as in C.
    code: int = 0
    #: Stable name of the class of failure.
    kind: str = ""
    #: What was attempted.
    operation: str = ""
    #: The object at fault: an interface, an address, a file.
    object: str = ""
    #: What went wrong, without the rest.
    message: str = ""
    #: What to do about it, where that is known.
    hint: Optional[str] = None
    #: Whether the same call may succeed if it is made again: for loops that retry.
    is_transient: bool = False

    def __str__(self) -> str:
        # OSError would tell its number and file instead.
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> Any:
        return make, (
            self.kind,
            self.code,
            self.operation,
            self.object,
            self.message,
            self.hint,
            getattr(self, "errno", None),
            str(self),
            getattr(self, "filename", None),
            self.is_transient,
        )


class InvalidInput(Error, ValueError):
    """A value is malformed or out of range."""


class InvalidPolicy(Error, ValueError):
    """A policy is not valid."""


class InvalidData(Error, ValueError):
    """A stored snapshot, receipt or journal cannot be read."""


class Refused(Error, ValueError):
    """The policy asks for something that would not work on this host."""


class InUse(Refused):
    """Another owner of this host has the address, or has booked it."""


class NotFound(Error, LookupError):
    """No such interface, namespace, file or entry."""


class NoSuchFile(NotFound, FileNotFoundError):
    """There is no such file or folder; `filename` is its path."""


class Changed(Error, RuntimeError):
    """The interface, entry or value is no longer what it was when the plan was made."""


class Unsupported(Error, NotImplementedError):
    """The kernel has no such sysctl, or does not support the operation."""


class PermissionDenied(Error, PermissionError):
    """A capability is missing."""


class Busy(Error, BlockingIOError):
    """Another writer holds the lock of this namespace."""


class TimedOut(Error, TimeoutError):
    """Nothing came within the time allowed."""


class Raced(Error, RuntimeError):
    """The kernel's dumps kept being interrupted by changes."""


class Interrupted(Error, InterruptedError):
    """Stopped by a signal or by the caller."""


class Io(Error, OSError):
    """Any other system call failure."""


class RolledBack(Error, RuntimeError):
    """Applying failed; everything already done was undone."""


class PartlyApplied(Error, RuntimeError):
    """Applying failed and undoing failed too; the message lists what is left."""


class VerifyFailed(Error, AssertionError):
    """The host is not as the policy says."""


class Undetermined(VerifyFailed):
    """Nothing is known to be wrong, and something that decides could not be read or understood."""


class Internal(Error, RuntimeError):
    """A defect of arpflux: please report it."""


_CLASSES = {
    "invalid_input": InvalidInput,
    "invalid_policy": InvalidPolicy,
    "invalid_data": InvalidData,
    "refused": Refused,
    "not_found": NotFound,
    "changed": Changed,
    "unsupported": Unsupported,
    "permission_denied": PermissionDenied,
    "busy": Busy,
    "timed_out": TimedOut,
    "raced": Raced,
    "interrupted": Interrupted,
    "in_use": InUse,
    "io": Io,
    "rolled_back": RolledBack,
    "partly_applied": PartlyApplied,
    "verify_failed": VerifyFailed,
    "undetermined": Undetermined,
    "internal": Internal,
}


def make(
    kind: str,
    code: int,
    operation: str,
    object: str,
    message: str,
    hint: Optional[str],
    errno: Optional[int],
    text: str,
    path: Optional[os.PathLike[str]] = None,
    transient: bool = False,
) -> Error:
    """What the native half calls to make an exception."""
    missing = path is not None and kind == "not_found"
    error = NoSuchFile(text) if missing else _CLASSES.get(kind, Error)(text)
    if path is not None:
        # OSError has the attribute already; the others get it.
        error.filename = os.fspath(path)  # type: ignore[attr-defined]
    error.is_transient = transient
    error.code = code
    error.kind = kind
    error.operation = operation
    error.object = object
    error.message = message
    error.hint = hint
    # OSError has the attribute already; the others get it.
    error.errno = errno  # type: ignore[attr-defined]
    return error

