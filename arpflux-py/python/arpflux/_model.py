"""What the model of the kernel says, and what verification finds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Dict, Optional, Tuple

from ._base import IpAddress, Open, Value, written
from ._names import (
    CheckKind,
    Missing,
    Reason,
    ValueSource,
    Via,
    WireCertainty,
)


@dataclass(frozen=True)
class Effective(Value):
    """A sysctl's value as the kernel uses it on one interface."""

    #: The value after combining `all` and the interface's.
    value: int
    #: Which of the two decided.
    source: ValueSource


@dataclass(frozen=True)
class Delay(Value):
    """How long a proxied answer to a broadcast request waits."""

    #: The answer comes after a random time below this, in ms.
    below_ms: int
    #: How many requests may wait besides the one being queued; more are dropped.
    queue: int


@dataclass(frozen=True)
class Advertised(Value):
    """The flags of a neighbour advertisement (RFC 4861)."""

    #: The sender is a router.
    router: bool
    #: It answers a solicitation, not a probe.
    solicited: bool
    #: Who hears it shall overwrite what it holds.
    override: bool


@dataclass(frozen=True)
class Verdict(Value):
    """What the kernel does with a request."""

    #: True: it answers; False: it does not; None: that cannot be told from the snapshot.
    answers: Optional[bool]
    #: The MAC in the answer.
    mac: Optional[str] = None
    #: The rule that decided; None if it cannot be told.
    reason: Optional[Reason] = None
    #: Why it answers; None if it does not.
    via: Optional[Via] = None
    #: The number of the interface that answers: of a port, that of its bridge or bond.
    interface: Optional[int] = None
    #: How long a proxied answer waits; None: it is sent at once.
    delay: Optional[Delay] = None
    #: The flags of a neighbour advertisement; None in answers to ARP.
    advertised: Optional[Advertised] = None
    #: What is missing to tell; empty unless `answers` is None.
    missing: Tuple[Missing, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json."""
        values = super().to_dict()
        absent: Tuple[str, ...] = ("via", "interface", "delay", "advertised", "missing")
        if self.answers is None:
            absent = ("reason", "via", "interface", "delay", "advertised")
        elif self.answers:
            absent = ("missing",) if self.advertised else ("advertised", "missing")
        return {key: value for key, value in values.items() if key not in absent}


@dataclass(frozen=True)
class Step(Open):
    """A step towards a verdict: one rule of the kernel and what decided it. `str()` gives the sentence."""

    #: Its name.
    step: str
    #: The function of the kernel.
    function: str
    #: One sentence.
    text: str
    #: Everything else about it, as JSON.
    json: str = dataclasses.field(default="{}", repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Explanation(Verdict):
    """What the kernel does with a request, and why. `str()` gives one sentence a line."""

    #: The steps that led to the verdict.
    steps: Tuple[Step, ...] = ()

    def __str__(self) -> str:
        lines = [step.text for step in self.steps]
        if self.answers is None:
            lines.append("So it cannot be told whether there is an answer.")
        return "\n".join(lines)


@dataclass(frozen=True)
class MatrixInterface(Value):
    """An interface that is asked."""

    #: Its number.
    index: int
    #: Its name.
    name: str
    #: Its MAC.
    mac: str
    #: Which wire it is on, counted from 0: interfaces of one wire hear one another.
    wire: int
    #: How well that is known.
    certainty: WireCertainty


@dataclass(frozen=True)
class Gap(Value):
    """Something that could not be read or decided. `str()` gives a sentence."""

    #: What it is.
    missing: Missing
    #: The same as a sentence, with the chain, interface or file at fault.
    what: str
    #: What that leaves open.
    leaves_open: str
    #: How to get it read or decided.
    how: str

    def __str__(self) -> str:
        return f"{self.what}; that leaves open {self.leaves_open}; {self.how}"


@dataclass(frozen=True)
class MatrixCell(Value):
    """What one interface does with requests for one address."""

    #: The ordinary neighbour that stands for all.
    sender: IPv4Address
    #: What becomes of its request, sent to all.
    verdict: Verdict
    #: What becomes of a probe (sender 0.0.0.0).
    probe: Verdict
    #: The value of the sysctl that decided for the neighbour, where one did.
    value: Optional[int]


@dataclass(frozen=True)
class MatrixRow(Value):
    """An address that is asked for."""

    #: The address.
    target: IPv4Address = dataclasses.field(metadata=written("address"))
    #: The interfaces that hold it.
    held_by: Tuple[str, ...]
    #: Whether there is a proxy entry for it.
    proxied: bool
    #: What becomes of requests, by interface.
    cells: Tuple[MatrixCell, ...]
    #: Whether several MACs answer for it on one wire, for one of the two kinds of senders; None: that cannot be told.
    flux: Optional[bool]
    #: The same with all that is missing taken to be without effect; None: that cannot be told either.
    flux_apart_from_missing: Optional[bool]


@dataclass(frozen=True)
class Failure(Value):
    """Something that is not as the policy says. `str()` gives a sentence."""

    #: What was looked at.
    check: CheckKind
    #: The sysctl, entry, rule, route or address.
    object: str
    #: What it should be.
    expected: str
    #: What it is.
    found: str

    def __str__(self) -> str:
        check = "proxy entry" if self.check is CheckKind.PROXY else self.check.value
        return f"{check} {self.object}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class VerifiedAddress(Value):
    """Who should answer for an address, and who does."""

    #: The address.
    address: IpAddress
    #: The interface that should answer.
    expected: str
    #: Those that do, whoever asks.
    answering: Tuple[str, ...]
    #: Those of which that cannot be told.
    undetermined: Tuple[str, ...] = ()
    #: The one that should answer has no carrier: nobody can ask it.
    unheard: bool = False
