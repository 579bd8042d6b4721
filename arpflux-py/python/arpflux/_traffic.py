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
    """A route look-up and what it found.

    - `purpose`: What for.
    - `address`: The address looked up.
    - `source`: The source address of the look-up.
    - `rule`: The priority of the rule that led to the table; None: local and main are one, no rules are used.
    - `table`: The table; None: a rule itself rejects, or nothing was found.
    - `destination`: The route's destination; None: none was found.
    - `kind`: What the route does; None: none was found.
    - `interface`: The interface that it leaves by.
    - `next_hops`: How many next hops the route has.
    """

    purpose: str
    address: IpAddress
    source: IpAddress = dataclasses.field(metadata=written("from"))
    rule: Optional[int]
    table: Optional[int]
    destination: Optional[str]
    kind: Any
    interface: Optional[str]
    next_hops: int


@dataclass(frozen=True)
class Sent(Value):
    """By which interface a packet leaves, and what is asked for that.

    - `outcome`: What the host does.
    - `interface`: The number of the interface that the packet and the request leave by.
    - `target`: The address asked for: the destination or the gateway.
    - `sender`: The sender address in the request; 0.0.0.0 if the interface has none.
    - `mac`: The sender MAC in the request.
    - `packet_source`: The packet's source address.
    - `rule`: Which rule gave the sender address.
    - `missing`: What is missing to tell.
    """

    _optional: ClassVar[Tuple[str, ...]] = ("interface", "target", "sender", "mac", "packet_source", "rule", "missing")

    outcome: Outgoing
    interface: Optional[int] = None
    target: Optional[IPv4Address] = None
    sender: Optional[IPv4Address] = None
    mac: Optional[str] = None
    packet_source: Optional[IPv4Address] = None
    rule: Optional[SourceRule] = None
    missing: Tuple[Missing, ...] = ()


@dataclass(frozen=True)
class PassedOver(Value):
    """A rule on protocols, ports, users or marks that would decide otherwise.

    - `rule`: The rule.
    - `outgoing`: What the host does with packets that it is for.
    """

    rule: str
    outgoing: Sent


@dataclass(frozen=True)
class Reached(Sent):
    """How a host reaches a destination, and what its request for that teaches its peers.

    - `destination`: The destination.
    - `source`: The source that was asked about, if one was.
    - `lookup`: The rule, table and route that say so; None: no route is looked up.
    - `gateway`: The gateway that it is sent to; None: the destination itself.
    - `permanent`: The MAC that a permanent neighbour entry says, for which no request is ever sent.
    - `teaches_wrong_mac`: Whether peers learn an address of another interface with this one's MAC.
    - `passed_over`: Rules that would decide otherwise for packets of their kind.
    """

    _optional = (*Sent._optional, "passed_over")

    destination: Optional[IPv4Address] = None
    source: Optional[IPv4Address] = None
    lookup: Optional[Lookup] = None
    gateway: Optional[IPv4Address] = None
    permanent: Optional[str] = None
    teaches_wrong_mac: bool = False
    passed_over: Tuple[PassedOver, ...] = ()


@dataclass(frozen=True)
class LearnedEntry(Value):
    """What becomes of the host's neighbour entry for an address.

    - `learning`: What the host does.
    - `confirmed`: Of TAKES: whether it counts as confirmed now, as only a unicast reply does; else it is used, but checked
      soon.
    - `missing`: What is missing to tell.
    """

    _optional = ("confirmed", "missing")

    learning: Learning
    confirmed: Optional[bool] = None
    missing: Tuple[Missing, ...] = ()


@dataclass(frozen=True)
class LearnedFrom(Value):
    """What is learnt from one kind of frame.

    - `frame`: The frame, in words.
    - `unknown`: Without an entry for the address.
    - `fresh`: With an entry that was changed just now.
    - `old`: With an entry older than `locktime`.
    """

    frame: str
    unknown: LearnedEntry
    fresh: LearnedEntry
    old: LearnedEntry


@dataclass(frozen=True)
class OwnAnnouncement(Value):
    """A gratuitous request that the kernel sends to all by itself.

    - `interface`: The number of the interface that it leaves by.
    - `address`: Sender and target.
    - `mac`: The sender's MAC.
    """

    interface: int
    address: IPv4Address
    mac: str


@dataclass(frozen=True)
class LearnedOn(Value):
    """What one interface learns.

    - `interface`: Its name.
    - `frames`: From which frame it learns what.
    - `announces_when_up`: What the kernel announces here by itself when the interface is set up.
    """

    interface: str
    frames: Tuple[LearnedFrom, ...]
    announces_when_up: Tuple[OwnAnnouncement, ...]


@dataclass(frozen=True)
class Learned(Value):
    """What a host learns when it is told that an address is at a MAC.

    - `address`: The address.
    - `mac`: The MAC.
    - `interfaces`: By interface.
    """

    address: IPv4Address
    mac: str
    interfaces: Tuple[LearnedOn, ...]


@dataclass(frozen=True)
class Turn(Value):
    """How an answer changes.

    - `change`: What happens to it.
    - `mac`: The MAC that answered and does not any more, or that answers now.
    - `before`: Of MOVES: the MAC before.
    - `after`: Of MOVES: the MAC afterwards.
    """

    _optional = ("mac", "from", "to")

    change: AnswerChange
    mac: Optional[str] = None
    before: Optional[str] = dataclasses.field(default=None, metadata=written("from"))
    after: Optional[str] = dataclasses.field(default=None, metadata=written("to"))


@dataclass(frozen=True)
class Effect(Value):
    """Requests that fare otherwise after a plan.

    - `interface`: The interface that is asked.
    - `turn`: What becomes different.
    - `targets`: The addresses asked for: each an address, a prefix or `first-last`.
    - `named`: Whether the policy names the addresses: its proxied ones, and those of its interfaces.
    - `neighbours`: Whether all neighbours of the interface are among the senders.
    - `probes`: Whether probes (sender 0.0.0.0) are among the senders.
    - `announcements`: Whether announcements (sender and target the same) fare so as well.
    - `senders`: All senders, probes included, as `targets`.
    """

    interface: str
    turn: Turn
    targets: Tuple[str, ...]
    named: bool
    neighbours: bool
    probes: bool
    announcements: bool
    senders: Tuple[str, ...]


@dataclass(frozen=True)
class Impact(Value):
    """Which requests are answered otherwise after a plan: its effects, losses before gains. False if there is none.

    - `effects`: Effects on addresses that the policy does not name come first.
    """

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
