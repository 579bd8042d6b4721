"""What the model of the kernel says, and what verification finds."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Type, TypeVar

from ._base import IpAddress, Value, written
from ._names import (
    CheckKind,
    DoubtState,
    Missing,
    OrderAction,
    Reason,
    SegmentCause,
    SegmentOutcome,
    ValueSource,
    Via,
    WireCertainty,
)

S = TypeVar("S", bound="Step")


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
class Step(Value):
    """A step towards a verdict: one rule of the kernel and what decided it. `str()` gives the sentence."""

    #: Its name.
    step: str
    #: The function of the kernel.
    function: str
    #: One sentence.
    text: str
    #: Everything else about it, as JSON.
    json: str = dataclasses.field(default="{}", repr=False)

    @property
    def fields(self) -> Dict[str, Any]:
        """Everything else about it: interface, sysctl, value, route and the like, as a new dict."""
        values: Dict[str, Any] = json.loads(self.json)
        return values

    @classmethod
    def from_dict(cls: Type[S], values: Mapping[str, Any]) -> S:
        """The step that a dict as `to_dict()` gives it stands for."""
        named = {key: values[key] for key in ("step", "function", "text")}
        rest = {key: value for key, value in values.items() if key not in named}
        return cls(json=json.dumps(rest, sort_keys=True), **named)

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json."""
        return {"step": self.step, "function": self.function, "text": self.text, **self.fields}

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


@dataclass(frozen=True)
class SegmentPort(Value):
    """An interface of one of several hosts."""

    #: The host.
    host: str
    #: The interface.
    interface: str


@dataclass(frozen=True)
class Responder(Value):
    """One that answers on a segment."""

    #: The host.
    host: str
    #: The interface.
    interface: str
    #: The MAC in its answer.
    mac: str
    #: Why it answers.
    via: Via


@dataclass(frozen=True)
class Unclear(Value):
    """One of whom it cannot be told whether it answers."""

    #: The host.
    host: str
    #: The interface.
    interface: str
    #: What is missing to tell.
    missing: Tuple[Missing, ...]


@dataclass(frozen=True)
class SegmentAnswer(Value):
    """Who answers for one address on a segment. `str()` gives a sentence."""

    #: The address.
    address: IPv4Address
    #: What it comes to.
    outcome: SegmentOutcome
    #: Of a duplicate: how it comes about.
    cause: Optional[SegmentCause]
    #: Everybody who answers an ordinary neighbour.
    responders: Tuple[Responder, ...]
    #: Those of whom it cannot be told.
    undetermined: Tuple[Unclear, ...]
    #: What it comes to with all that is missing taken to be without effect.
    outcome_apart_from_missing: SegmentOutcome
    #: What is missing, by host.
    missing: Tuple[Gap, ...]

    @property
    def is_bad(self) -> bool:
        """Whether several MACs answer."""
        return self.outcome in (SegmentOutcome.DUPLICATE, SegmentOutcome.FLUX)

    def __str__(self) -> str:
        words = {
            SegmentOutcome.DUPLICATE: "several hosts answer",
            SegmentOutcome.FLUX: "one host answers with several MACs",
            SegmentOutcome.UNDETERMINED: "who answers cannot be told",
            SegmentOutcome.SINGLE: "one MAC answers",
            SegmentOutcome.NOBODY: "nobody answers",
        }
        who = "; ".join(f"{one.host} {one.interface} with {one.mac}" for one in self.responders)
        return f"{self.address}: {words[self.outcome]}" + (f": {who}" if who else "")


@dataclass(frozen=True)
class Segment(Value):
    """Interfaces of several hosts that share a wire, and who answers there."""

    #: The interfaces.
    ports: Tuple[SegmentPort, ...]
    #: How well it is known that these share a wire.
    certainty: WireCertainty
    #: By address, duplicates first, then flux.
    answers: Tuple[SegmentAnswer, ...] = dataclasses.field(metadata=written("addresses"))


@dataclass(frozen=True)
class SeenWire(Value):
    """What an interface of a host tells about its wire."""

    #: The host.
    host: str
    #: The interface.
    interface: str
    #: The MAC of the gateway there.
    gateway_mac: Optional[str]


@dataclass(frozen=True)
class ApartWires(Value):
    """Wires that use one subnet and are different ones all the same: two sites with the same private network, or two
    networks of one host."""

    #: The gateway that has another MAC on each; None: one host has interfaces on several of them.
    gateway: Optional[IPv4Address]
    #: One interface on each wire.
    wires: Tuple[SeenWire, ...]
    #: Interfaces of which nothing tells on which of these wires they are.
    open: Tuple[SegmentPort, ...]


@dataclass(frozen=True)
class SharedWires(Value):
    """The wires that several hosts share: `for segment in shared`. True if one MAC at most answers for each address."""

    #: Whether one MAC at most answers for each address on each wire; None: that cannot be told.
    ok: Optional[bool]
    #: What is missing where it cannot be told.
    missing: Tuple[Gap, ...]
    #: How many hosts were looked at.
    hosts: int
    #: The wires, in the order of the hosts.
    segments: Tuple[Segment, ...]
    #: Subnets that are in use on several wires.
    apart: Tuple[ApartWires, ...]
    #: Where it cannot be told: what it comes to apart from what is missing.
    ok_apart_from_that: Optional[bool] = None

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, place: int) -> Segment:
        return self.segments[place]

    def __bool__(self) -> bool:
        return self.ok is True


@dataclass(frozen=True)
class OrderStep(Value):
    """What is done on one host."""

    #: Steps of one number may be made at once; each number begins when the one before has ended.
    batch: int
    #: The host.
    host: str
    #: What is done there.
    action: OrderAction
    #: The addresses that are withdrawn.
    addresses: Tuple[IpAddress, ...]


@dataclass(frozen=True)
class Doubt(Value):
    """A time in which an address is not answered for by exactly one host."""

    #: The address.
    address: IpAddress
    #: Who answers.
    state: DoubtState
    #: It begins in this batch; 0: it is so already.
    from_batch: int
    #: It ends in this batch; None: it stays so.
    until_batch: Optional[int]
    #: The hosts that answer in that time, or may.
    hosts: Tuple[str, ...]


@dataclass(frozen=True)
class Order(Value):
    """In which order several hosts are changed: `for step in order`. True if at no time two hosts answer for an address that
    one answered for, and no address stays without an answer."""

    #: The same; None: that cannot be told.
    ok: Optional[bool]
    #: What is missing where it cannot be told.
    missing: Tuple[Gap, ...]
    #: How many hosts were looked at.
    hosts: int
    #: What is done, in order. Hosts on which nothing changes are not in it.
    steps: Tuple[OrderStep, ...]
    #: The times of doubt, several hosts first.
    doubts: Tuple[Doubt, ...]
    #: Where it cannot be told: what it comes to apart from what is missing.
    ok_apart_from_that: Optional[bool] = None

    def __iter__(self) -> Iterator[OrderStep]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> OrderStep:
        return self.steps[place]

    def __bool__(self) -> bool:
        return self.ok is True
