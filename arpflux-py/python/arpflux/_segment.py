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
    """An interface of one of several hosts.

    - `host`: The host.
    - `interface`: The interface.
    """

    host: str
    interface: str


@dataclass(frozen=True)
class Responder(Value):
    """One that answers on a segment.

    - `host`: The host.
    - `interface`: The interface.
    - `mac`: The MAC in its answer.
    - `via`: Why it answers.
    """

    host: str
    interface: str
    mac: str
    via: Via


@dataclass(frozen=True)
class Unclear(Value):
    """One of whom it cannot be told whether it answers.

    - `host`: The host.
    - `interface`: The interface.
    - `missing`: What is missing to tell.
    """

    host: str
    interface: str
    missing: Tuple[Missing, ...]


@dataclass(frozen=True)
class SegmentAnswer(Value):
    """Who answers for one address on a segment. `str()` gives a sentence.

    - `address`: The address.
    - `outcome`: What it comes to.
    - `cause`: Of a duplicate: how it comes about.
    - `responders`: Everybody who answers an ordinary neighbour.
    - `undetermined`: Those of whom it cannot be told.
    - `outcome_apart_from_missing`: What it comes to with all that is missing taken to be without effect.
    - `missing`: What is missing, by host.
    """

    address: IPv4Address
    outcome: SegmentOutcome
    cause: Optional[SegmentCause]
    responders: Tuple[Responder, ...]
    undetermined: Tuple[Unclear, ...]
    outcome_apart_from_missing: SegmentOutcome
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
    """Interfaces of several hosts that share a wire, and who answers there.

    - `ports`: The interfaces.
    - `certainty`: How well it is known that these share a wire.
    - `answers`: By address, duplicates first, then flux.
    """

    ports: Tuple[SegmentPort, ...]
    certainty: WireCertainty
    answers: Tuple[SegmentAnswer, ...] = dataclasses.field(metadata=written("addresses"))


@dataclass(frozen=True)
class SeenWire(Value):
    """What an interface of a host tells about its wire.

    - `host`: The host.
    - `interface`: The interface.
    - `gateway_mac`: The MAC of the gateway there.
    """

    host: str
    interface: str
    gateway_mac: Optional[str]


@dataclass(frozen=True)
class ApartWires(Value):
    """Wires that use one subnet and are different ones all the same: two sites with the same private network, or two
    networks of one host.

    - `gateway`: The gateway that has another MAC on each; None: one host has interfaces on several of them.
    - `wires`: One interface on each wire.
    - `open`: Interfaces of which nothing tells on which of these wires they are.
    """

    gateway: Optional[IPv4Address]
    wires: Tuple[SeenWire, ...]
    open: Tuple[SegmentPort, ...]


@dataclass(frozen=True)
class SharedWires(Judged):
    """The wires that several hosts share: `for segment in shared`. True if one MAC at most answers for each address.

    - `ok`: Whether one MAC at most answers for each address on each wire; None: that cannot be told.
    - `missing`: What is missing where it cannot be told.
    - `hosts`: How many hosts were looked at.
    - `segments`: The wires, in the order of the hosts.
    - `apart`: Subnets that are in use on several wires.
    - `not_covered`: What was not looked at, each in a few words.
    - `ok_apart_from_that`: Where it cannot be told: what it comes to apart from what is missing.
    """

    ok: Optional[bool]
    missing: Tuple[Gap, ...]
    hosts: int
    segments: Tuple[Segment, ...]
    apart: Tuple[ApartWires, ...]
    not_covered: Tuple[str, ...] = ()
    ok_apart_from_that: Optional[bool] = None

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, place: int) -> Segment:
        return self.segments[place]


@dataclass(frozen=True)
class OrderStep(Value):
    """What is done on one host.

    - `batch`: Steps of one number may be made at once; each number begins when the one before has ended.
    - `host`: The host.
    - `action`: What is done there.
    - `addresses`: The addresses that are withdrawn.
    """

    batch: int
    host: str
    action: OrderAction
    addresses: Tuple[IpAddress, ...]


@dataclass(frozen=True)
class Withdrawal(Value):
    """Addresses whose proxy entries go from a host.

    - `host`: The host.
    - `addresses`: The addresses.
    """

    host: str
    addresses: Tuple[IpAddress, ...]


@dataclass(frozen=True)
class OrderTurn(Value):
    """A host whose policy is applied, and what has to go elsewhere before.

    - `host`: The host.
    - `withdraw`: What it takes from others: withdrawn there immediately before, and published there again should the change
      fail here.
    """

    host: str
    withdraw: Tuple[Withdrawal, ...]


@dataclass(frozen=True)
class Doubt(Value):
    """A time in which an address is not answered for by exactly one host. `str()` gives the sentence.

    - `address`: The address.
    - `state`: Who answers.
    - `from_batch`: It begins in this batch; 0: it is so already.
    - `until_batch`: It ends in this batch; None: it stays so.
    - `hosts`: The hosts that answer in that time, or may.
    - `ok`: Whether that is as it has to be: an address that moves has no answer while it does, and what was wrong before
      ends; None: that cannot be told.
    - `text`: All of it as one sentence.
    """

    address: IpAddress
    state: DoubtState
    from_batch: int
    until_batch: Optional[int]
    hosts: Tuple[str, ...]
    ok: Optional[bool]
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Order(Judged):
    """In which order several hosts are changed: `for step in order`. True if at no time two hosts answer for an address that
    one answered for, and no address stays without an answer.

    - `ok`: The same; None: that cannot be told.
    - `missing`: What is missing where it cannot be told.
    - `hosts`: How many hosts were looked at.
    - `steps`: What is done, in order. Hosts on which nothing changes are not in it.
    - `batches`: The same by the hosts that are changed: those of one element may be changed at once.
    - `unchanged`: The hosts on which nothing changes.
    - `doubts`: The times of doubt, several hosts first.
    - `ok_apart_from_that`: Where it cannot be told: what it comes to apart from what is missing.
    """

    ok: Optional[bool]
    missing: Tuple[Gap, ...]
    hosts: int
    steps: Tuple[OrderStep, ...]
    batches: Tuple[Tuple[OrderTurn, ...], ...]
    unchanged: Tuple[str, ...]
    doubts: Tuple[Doubt, ...]
    ok_apart_from_that: Optional[bool] = None

    def __iter__(self) -> Iterator[OrderStep]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> OrderStep:
        return self.steps[place]
