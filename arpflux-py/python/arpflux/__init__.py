"""Which interface of a multi-homed Linux host answers ARP for which address, why, and how to make it exactly one.

The pipeline is the same as in Rust, C and on the command line: a snapshot of a network namespace, what it answers,
what should change, the change as one transaction, the proof. Everything here is a thin layer over the Rust library.
"""

from ._errors import (
    Busy,
    Changed,
    Error,
    Internal,
    Interrupted,
    InvalidData,
    InvalidInput,
    InvalidPolicy,
    Io,
    NotFound,
    PartlyApplied,
    PermissionDenied,
    Raced,
    Refused,
    RolledBack,
    TimedOut,
    Unsupported,
    VerifyFailed,
)
from ._native import Address, Effective, Interface, NeighParams, ProxyEntry, Snapshot, __version__

__all__ = [
    "Address",
    "Busy",
    "Changed",
    "Effective",
    "Error",
    "Interface",
    "Internal",
    "Interrupted",
    "InvalidData",
    "InvalidInput",
    "InvalidPolicy",
    "Io",
    "NeighParams",
    "NotFound",
    "PartlyApplied",
    "PermissionDenied",
    "ProxyEntry",
    "Raced",
    "Refused",
    "RolledBack",
    "Snapshot",
    "TimedOut",
    "Unsupported",
    "VerifyFailed",
    "__version__",
]
