"""What a host itself asks and learns, and which requests a plan has answered otherwise."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, ClassVar, Iterator, Optional, Tuple

from ._base import IpAddress, Value, written
from ._names import AnswerChange, Learning, Missing, Outgoing, SourceRule


@dataclass(frozen=True)
class Lookup(Value):
    """A route look-up and what it found."""

    #: What for.
    purpose: str
    #: The address looked up.
    address: IpAddress
    #: The source address of the look-up.
    source: IpAddress = dataclasses.field(metadata=written("from"))
    #: The priority of the rule that led to the table; None: local and main are one, no rules are used.
    rule: Optional[int]
    #: The table; None: a rule itself rejects, or nothing was found.
    table: Optional[int]
    #: The route's destination; None: none was found.
    destination: Optional[str]
    #: What the route does; None: none was found.
    kind: Any
    #: The interface that it leaves by.
    interface: Optional[str]
    #: How many next hops the route has.
    next_hops: int


@dataclass(frozen=True)
class Sent(Value):
    """By which interface a packet leaves, and what is asked for that."""

    _optional: ClassVar[Tuple[str, ...]] = ("interface", "target", "sender", "mac", "packet_source", "rule", "missing")

    #: What the host does.
    outcome: Outgoing
    #: The number of the interface that the packet and the request leave by.
    interface: Optional[int] = None
    #: The address asked for: the destination or the gateway.
    target: Optional[IPv4Address] = None
    #: The sender address in the request; 0.0.0.0 if the interface has none.
    sender: Optional[IPv4Address] = None
    #: The sender MAC in the request.
    mac: Optional[str] = None
    #: The packet's source address.
    packet_source: Optional[IPv4Address] = None
    #: Which rule gave the sender address.
    rule: Optional[SourceRule] = None
    #: What is missing to tell.
    missing: Tuple[Missing, ...] = ()


@dataclass(frozen=True)
class PassedOver(Value):
    """A rule on protocols, ports, users or marks that would decide otherwise."""

    #: The rule.
    rule: str
    #: What the host does with packets that it is for.
    outgoing: Sent


@dataclass(frozen=True)
class Reached(Sent):
    """How a host reaches a destination, and what its request for that teaches its peers."""

    _optional = (*Sent._optional, "passed_over")

    #: The destination.
    destination: Optional[IPv4Address] = None
    #: The source that was asked about, if one was.
    source: Optional[IPv4Address] = None
    #: The rule, table and route that say so; None: no route is looked up.
    lookup: Optional[Lookup] = None
    #: The gateway that it is sent to; None: the destination itself.
    gateway: Optional[IPv4Address] = None
    #: The MAC that a permanent neighbour entry says, for which no request is ever sent.
    permanent: Optional[str] = None
    #: Whether peers learn an address of another interface with this one's MAC.
    teaches_wrong_mac: bool = False
    #: Rules that would decide otherwise for packets of their kind.
    passed_over: Tuple[PassedOver, ...] = ()


@dataclass(frozen=True)
class LearnedEntry(Value):
    """What becomes of the host's neighbour entry for an address."""

    _optional = ("confirmed", "missing")

    #: What the host does.
    learning: Learning
    #: Of TAKES: whether it counts as confirmed now, as only a unicast reply does; else it is used, but checked soon.
    confirmed: Optional[bool] = None
    #: What is missing to tell.
    missing: Tuple[Missing, ...] = ()


@dataclass(frozen=True)
class LearnedFrom(Value):
    """What is learnt from one kind of frame."""

    #: The frame, in words.
    frame: str
    #: Without an entry for the address.
    unknown: LearnedEntry
    #: With an entry that was changed just now.
    fresh: LearnedEntry
    #: With an entry older than `locktime`.
    old: LearnedEntry


@dataclass(frozen=True)
class OwnAnnouncement(Value):
    """A gratuitous request that the kernel sends to all by itself."""

    #: The number of the interface that it leaves by.
    interface: int
    #: Sender and target.
    address: IPv4Address
    #: The sender's MAC.
    mac: str


@dataclass(frozen=True)
class LearnedOn(Value):
    """What one interface learns."""

    #: Its name.
    interface: str
    #: From which frame it learns what.
    frames: Tuple[LearnedFrom, ...]
    #: What the kernel announces here by itself when the interface is set up.
    announces_when_up: Tuple[OwnAnnouncement, ...]


@dataclass(frozen=True)
class Learned(Value):
    """What a host learns when it is told that an address is at a MAC."""

    #: The address.
    address: IPv4Address
    #: The MAC.
    mac: str
    #: By interface.
    interfaces: Tuple[LearnedOn, ...]


@dataclass(frozen=True)
class Turn(Value):
    """How an answer changes."""

    _optional = ("mac", "from", "to")

    #: What happens to it.
    change: AnswerChange
    #: The MAC that answered and does not any more, or that answers now.
    mac: Optional[str] = None
    #: Of MOVES: the MAC before.
    before: Optional[str] = dataclasses.field(default=None, metadata=written("from"))
    #: Of MOVES: the MAC afterwards.
    after: Optional[str] = dataclasses.field(default=None, metadata=written("to"))


@dataclass(frozen=True)
class Effect(Value):
    """Requests that fare otherwise after a plan."""

    #: The interface that is asked.
    interface: str
    #: What becomes different.
    turn: Turn
    #: The addresses asked for: each an address, a prefix or `first-last`.
    targets: Tuple[str, ...]
    #: Whether the policy names the addresses: its proxied ones, and those of its interfaces.
    named: bool
    #: Whether all neighbours of the interface are among the senders.
    neighbours: bool
    #: Whether probes (sender 0.0.0.0) are among the senders.
    probes: bool
    #: Whether announcements (sender and target the same) fare so as well.
    announcements: bool
    #: All senders, probes included, as `targets`.
    senders: Tuple[str, ...]


@dataclass(frozen=True)
class Impact(Value):
    """Which requests are answered otherwise after a plan: its effects, losses before gains. False if there is none."""

    #: Effects on addresses that the policy does not name come first.
    effects: Tuple[Effect, ...]

    @property
    def victims(self) -> Tuple[Effect, ...]:
        """Effects on addresses that the policy does not name."""
        return tuple(effect for effect in self.effects if not effect.named)

    def __len__(self) -> int:
        return len(self.effects)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.effects)

    def __getitem__(self, index: int) -> Effect:
        return self.effects[index]
