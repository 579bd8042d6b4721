"""Which interface of a multi-homed Linux host answers ARP for which address, why, and how to make it exactly one.

The pipeline is the same as in Rust, C and on the command line: a snapshot of a network namespace, what it answers,
what should change, the change as one transaction, the proof. Everything here is a thin layer over the Rust library.

>>> import arpflux
>>> policy = arpflux.Policy.from_dict({"version": 1, "host": {"interfaces": ["eth0"]}})
>>> policy.to_dict()["host"]["interfaces"]
['eth0']
"""

from ._native import _in_main_interpreter  # pyright: ignore[reportPrivateUsage]

if not _in_main_interpreter():
    raise ImportError("arpflux works in the main interpreter of a process only, not in subinterpreters")

from ._base import Value
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
from ._model import (
    Delay,
    Effective,
    Explanation,
    Failure,
    MatrixCell,
    MatrixInterface,
    MatrixRow,
    Responder,
    Segment,
    SegmentAnswer,
    SegmentPort,
    Step,
    Unclear,
    Verdict,
    VerifiedAddress,
)
from ._names import (
    AddressClass,
    CaptureFormat,
    Cause,
    Certainty,
    ChangeKind,
    CheckKind,
    Claim,
    DriftOutcome,
    FindingId,
    Judgement,
    Missing,
    Outcome,
    Protocol,
    Reason,
    Redundancy,
    SegmentOutcome,
    Severity,
    ValueSource,
    Via,
)
from ._native import (
    Address,
    Capture,
    Change,
    Diagnosis,
    Finding,
    Host,
    Interface,
    Matrix,
    NeighParams,
    Plan,
    Policy,
    ProxyEntry,
    Receipt,
    Report,
    Sighting,
    Snapshot,
    capture,
    segments,
    __version__,
)
from ._pandas import from_pandas, to_pandas
from ._watch import Drift, Watch
from ._wire import (
    CaptureCounts,
    CaptureReport,
    CapturedAddress,
    CapturedMac,
    Conflict,
    Detected,
    Probed,
    Reply,
    VirtualMac,
)

__all__ = [
    "Address",
    "AddressClass",
    "Busy",
    "Capture",
    "CaptureCounts",
    "CaptureFormat",
    "CaptureReport",
    "CapturedAddress",
    "CapturedMac",
    "Cause",
    "Certainty",
    "Change",
    "ChangeKind",
    "Changed",
    "CheckKind",
    "Claim",
    "Conflict",
    "Delay",
    "Detected",
    "Diagnosis",
    "Drift",
    "DriftOutcome",
    "Effective",
    "Error",
    "Explanation",
    "Failure",
    "Finding",
    "FindingId",
    "Host",
    "Interface",
    "Internal",
    "Interrupted",
    "InvalidData",
    "InvalidInput",
    "InvalidPolicy",
    "Io",
    "Judgement",
    "Matrix",
    "MatrixCell",
    "MatrixInterface",
    "MatrixRow",
    "Missing",
    "NeighParams",
    "NotFound",
    "Outcome",
    "PartlyApplied",
    "PermissionDenied",
    "Plan",
    "Policy",
    "Probed",
    "Protocol",
    "ProxyEntry",
    "Raced",
    "Reason",
    "Receipt",
    "Redundancy",
    "Refused",
    "Reply",
    "Report",
    "Responder",
    "RolledBack",
    "Segment",
    "SegmentAnswer",
    "SegmentOutcome",
    "SegmentPort",
    "Severity",
    "Sighting",
    "Snapshot",
    "Step",
    "TimedOut",
    "Unclear",
    "Unsupported",
    "Value",
    "ValueSource",
    "Verdict",
    "VerifiedAddress",
    "VerifyFailed",
    "Via",
    "VirtualMac",
    "Watch",
    "__version__",
    "capture",
    "from_pandas",
    "segments",
    "to_pandas",
]


def _name_home() -> None:
    """Where people find the classes, and what tracebacks show, is the package."""
    for name in __all__:
        item = globals()[name]
        if isinstance(item, type) and item.__module__.startswith("arpflux."):
            item.__module__ = "arpflux"


_name_home()
