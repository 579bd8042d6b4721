"""Who answers on the wires that several hosts share, and in which order the hosts are changed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Iterator, Optional, Tuple

from ._base import IpAddress, Judged, Value, written
from ._model import Gap
from ._names import (
    DoubtState,
    Missing,
    OrderAction,
    SegmentCause,
    SegmentOutcome,
    Via,
    WireCertainty,
)


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
class SharedWires(Judged):
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
class Withdrawal(Value):
    """Addresses whose proxy entries go from a host."""

    #: The host.
    host: str
    #: The addresses.
    addresses: Tuple[IpAddress, ...]


@dataclass(frozen=True)
class OrderTurn(Value):
    """A host whose policy is applied, and what has to go elsewhere before."""

    #: The host.
    host: str
    #: What it takes from others: withdrawn there immediately before, and published there again should the change fail here.
    withdraw: Tuple[Withdrawal, ...]


@dataclass(frozen=True)
class Doubt(Value):
    """A time in which an address is not answered for by exactly one host. `str()` gives the sentence."""

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
    #: Whether that is as it has to be: an address that moves has no answer while it does, and what was wrong before ends;
    #: None: that cannot be told.
    ok: Optional[bool]
    #: All of it as one sentence.
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Order(Judged):
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
    #: The same by the hosts that are changed: those of one element may be changed at once.
    batches: Tuple[Tuple[OrderTurn, ...], ...]
    #: The hosts on which nothing changes.
    unchanged: Tuple[str, ...]
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
