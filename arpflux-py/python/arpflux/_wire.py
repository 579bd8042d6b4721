"""What frames show: probes, duplicate detection, captures."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Optional, Tuple

from ._base import Value, written
from ._names import AddressClass, Certainty, Claim, Judgement, Redundancy


@dataclass(frozen=True)
class Reply(Value):
    """One MAC that answered for an address."""

    #: The MAC that the reply says the address is at.
    mac: str
    #: When its first reply came, after the first request for that address.
    after: datetime.timedelta = dataclasses.field(metadata=written("after_ms", 1e-3))
    #: How many replies said so.
    count: int = dataclasses.field(metadata=written("replies"))
    #: Whether it only proxies the address; None: not found out.
    proxied: Optional[bool]


@dataclass(frozen=True)
class Probed(Value):
    """What came of asking for one address."""

    #: The address.
    target: IPv4Address
    #: The interface it was asked for on.
    interface: str
    #: Who asked.
    sender: IPv4Address
    #: How often it was asked for.
    requests: int
    #: The MACs that answered, in the order of their first replies.
    replies: Tuple[Reply, ...]
    #: How many MACs those are.
    mac_count: int = dataclasses.field(metadata=written("macs"))
    #: What the answers mean.
    judgement: Judgement = dataclasses.field(metadata=written("verdict"))

    @property
    def macs(self) -> Tuple[str, ...]:
        """The MACs that answered."""
        return tuple(reply.mac for reply in self.replies)


@dataclass(frozen=True)
class Conflict(Value):
    """Somebody else with an address."""

    #: Who.
    mac: str
    #: How that shows.
    claim: Claim


@dataclass(frozen=True)
class Detected(Value):
    """What was found out about one address on one interface."""

    #: The address.
    address: IPv4Address
    #: Where it was asked for.
    interface: str
    #: Others that have it; empty if it is free.
    conflicts: Tuple[Conflict, ...]
    #: MACs of this host that answered for it.
    own: Tuple[str, ...]
    #: Whether proxies could be seen: not from an interface without an address to ask with.
    proxies_seen: bool


@dataclass(frozen=True)
class VirtualMac(Value):
    """A MAC that routers share."""

    #: Whose range it is of.
    protocol: Redundancy
    #: The number of the group (VRID, CARP vhid, HSRP group).
    group: int


@dataclass(frozen=True)
class CaptureCounts(Value):
    """What was read of a capture so far."""

    #: Records in all.
    records: int
    #: Of these, ARP and IPv4 frames that could be read.
    sightings: int = dataclasses.field(metadata=written("read"))
    #: Frames cut before their addresses ended.
    cut: int
    #: Records of a link type that is not read.
    unread: int
    #: Whether the file ends within a record: its writer was stopped, or still writes.
    ends_early: bool


@dataclass(frozen=True)
class CapturedMac(Value):
    """One MAC that claimed an address."""

    #: The MAC.
    mac: str
    #: Replies that said the address is here, announcements apart.
    replies: int
    #: Requests sent with the address as sender; peers learn from these as well.
    requests: int
    #: Gratuitous ARP, of either form.
    announcements: int
    #: Replies that nobody seen had asked for.
    unasked: int
    #: The first claim, after the capture began; None without a clock.
    first: Optional[datetime.timedelta] = dataclasses.field(metadata=written("first_s"))
    #: The last claim, likewise.
    last: Optional[datetime.timedelta] = dataclasses.field(metadata=written("last_s"))
    #: What it is, of a virtual MAC.
    virtual: Optional[VirtualMac]


@dataclass(frozen=True)
class CapturedAddress(Value):
    """One address of a capture."""

    #: The address.
    address: IPv4Address
    #: The VLAN ids it was seen under, outermost first; usually none.
    vlans: Tuple[int, ...]
    #: What it is.
    verdict: AddressClass
    #: How sure that is; None where it says nothing bad or nothing at all.
    certainty: Optional[Certainty]
    #: What it is besides.
    also: Tuple[AddressClass, ...]
    #: The evidence, one sentence each.
    because: Tuple[str, ...]
    #: Requests of others that more than one MAC answered.
    contested: int
    #: How often it passed from one MAC to another.
    moves: int
    #: Its MACs, in the order of their first claims.
    macs: Tuple[CapturedMac, ...]

    @property
    def is_bad(self) -> bool:
        """Whether something should be done about it. What is undetermined is no finding."""
        return self.verdict in _BAD


_BAD = (AddressClass.FLUX, AddressClass.DUPLICATE, AddressClass.SPOOF, AddressClass.SELF_CONFLICT)


@dataclass(frozen=True)
class CaptureReport(Value):
    """What a whole capture shows."""

    #: ARP requests seen.
    requests: int
    #: ARP replies seen.
    replies: int
    #: Packets that contradict themselves.
    odd: int
    #: Claims that found no room in the table: beyond zero, the report is not complete.
    dropped: int
    #: When the capture began; None without a clock, or without a date.
    start: Optional[datetime.datetime]
    #: How long it is.
    length: datetime.timedelta = dataclasses.field(metadata=written("length_s"))
    #: Whether the frames carried times; without, they count as a millisecond apart.
    clocked: bool
    #: The addresses somebody claimed: the worst first, then by number.
    addresses: Tuple[CapturedAddress, ...]

    @property
    def is_bad(self) -> bool:
        """Whether any address is in a state that something should be done about."""
        return any(address.is_bad for address in self.addresses)


@dataclass(frozen=True)
class Heard(Value):
    """One interface's frame, heard on another."""

    #: The interface that sent it.
    from_: str = dataclasses.field(metadata=written("from"))
    #: The interface that heard it.
    on: str


@dataclass(frozen=True)
class Segments(Value):
    """Which interfaces of one host share a wire, found out with frames."""

    #: The wires, each with the names of its interfaces.
    wires: Tuple[Tuple[str, ...], ...]
    #: The evidence.
    heard: Tuple[Heard, ...]
    #: Interfaces without a connection, about which nothing is said.
    unconnected: Tuple[str, ...]
