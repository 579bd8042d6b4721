"""What frames show: probes, duplicate detection, captures."""

from __future__ import annotations

import dataclasses
import datetime
from dataclasses import dataclass
from typing import Optional, Tuple

from ._base import IpAddress, Value, written
from ._model import Advertised
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
    #: The flags of the neighbour advertisement; None: it was ARP.
    advertised: Optional[Advertised] = None


@dataclass(frozen=True)
class Probed(Value):
    """What came of asking for one address."""

    #: The address.
    target: IpAddress
    #: The interface it was asked for on.
    interface: str
    #: Who asked.
    sender: IpAddress
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
    address: IpAddress
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
    #: Of these, ARP, neighbour discovery and IP frames that could be read.
    sightings: int = dataclasses.field(metadata=written("read"))
    #: Frames cut before their addresses ended.
    cut: int
    #: Packets whose lengths, types or checksums cannot be.
    malformed: int
    #: Frames that could not be read: link types, tunnels, encryption.
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
class CaptureTunnel(Value):
    """A tunnel whose inside was captured: a wire of its own."""

    #: Its protocol: vxlan, geneve, gre, erspan, mpls, pbb.
    kind: str
    #: Its number; 0 if it has none.
    id: int


@dataclass(frozen=True)
class CaptureFrame(Value):
    """A frame of a capture."""

    #: Which file of the report, from 0.
    file: int
    #: Which record of it, from 1.
    frame: int
    #: When, after the capture began; None without a clock.
    at: Optional[datetime.timedelta] = dataclasses.field(metadata=written("at_s"))


@dataclass(frozen=True)
class CaptureEvidence(Value):
    """One piece of evidence."""

    #: What it is about.
    kind: str
    #: It speaks against the verdict, not for it.
    against: bool
    #: In a sentence.
    text: str
    #: How often it was seen.
    count: int
    #: Where: the first time and the last.
    frames: Tuple[CaptureFrame, ...]


@dataclass(frozen=True)
class CaptureMissing(Value):
    """Something that was not looked at or not understood: nothing is known about it, good or bad."""

    #: Why.
    reason: str
    #: How many frames, lines or packets.
    count: int
    #: In a sentence, with what to do.
    text: str


@dataclass(frozen=True)
class CapturedFile(Value):
    """One file that was read."""

    #: Its name as it was given.
    file: str
    #: pcap, pcapng, text or live; None if it could not be opened.
    format: Optional[str]
    #: Whether it was compressed.
    compressed: bool
    #: Records in all.
    records: int
    #: Of these, ARP, neighbour discovery and IP frames that could be read.
    read: int
    #: Frames cut before their addresses ended.
    cut: int
    #: Packets whose lengths, types or checksums cannot be.
    malformed: int
    #: Frames that could not be read: link types, tunnels, encryption.
    unread: int
    #: It ends within a record; what came before was read.
    ends_early: bool
    #: Its times are how long after the line before, and were added up.
    deltas: bool
    #: Why it could not be read, or not to its end.
    error: Optional[str]


@dataclass(frozen=True)
class CaptureMac(Value):
    """A MAC with the addresses that it claimed, on all wires."""

    #: The MAC.
    mac: str
    #: What has such MACs, if it is well known: virtual machines, clouds, clusters.
    vendor: Optional[str]
    #: Where its ARP packets came from by their lengths: host (the one that captured), wire; None if that is not shown.
    side: Optional[str]
    #: The addresses, in order.
    addresses: Tuple[IpAddress, ...]


@dataclass(frozen=True)
class CaptureRouter(Value):
    """A router that said it is master of a group."""

    #: Its own address.
    address: IpAddress
    #: The MAC that its packets came from.
    mac: str
    #: The priority that it gave last.
    priority: int
    #: How often it said so.
    packets: int
    #: The first time, after the capture began; None without a clock.
    first: Optional[datetime.timedelta] = dataclasses.field(metadata=written("first_s"))
    #: The last time, likewise.
    last: Optional[datetime.timedelta] = dataclasses.field(metadata=written("last_s"))
    #: Whether it gave up after that.
    resigned: bool


@dataclass(frozen=True)
class CaptureGroup(Value):
    """A group of routers that share addresses: VRRP, CARP, HSRP, GLBP."""

    #: The protocol with its version.
    protocol: str
    #: The number of the group.
    group: int
    #: Its addresses; none of CARP, whose packets do not name them.
    addresses: Tuple[IpAddress, ...]
    #: Virtual MACs that its packets name (GLBP).
    virtual_macs: Tuple[str, ...]
    #: Routers that said they are master, in the order in which they became it.
    masters: Tuple[CaptureRouter, ...]
    #: How often another became master.
    changes: int
    #: Two routers were master at once: a fault.
    several_at_once: bool


@dataclass(frozen=True)
class CaptureExplained(Value):
    """What the host of a snapshot did, and whether the model of the kernel does it too."""

    #: The MAC that it came from.
    mac: str
    #: The interfaces of the snapshot that have this MAC.
    interfaces: Tuple[str, ...]
    #: The address that was answered for, or that it sent as its own.
    address: IpAddress
    #: Who had asked; None of what nobody asked for.
    asker: Optional[IpAddress]
    #: How often.
    count: int
    #: The frame of its first time, counted from 1 in its file.
    frame: int
    #: Whether the model does the same; None if that cannot be told.
    explained: Optional[bool]
    #: The steps of the model, one sentence each; or what does not fit.
    why: Tuple[str, ...]


@dataclass(frozen=True)
class CapturedAddress(Value):
    """One address of a capture."""

    #: The address.
    address: IpAddress
    #: The interface it was seen on, where the capture has several.
    interface: Optional[int]
    #: The VLAN ids it was seen under, outermost first; usually none.
    vlans: Tuple[int, ...]
    #: The tunnel it was seen in, if any.
    tunnel: Optional[CaptureTunnel]
    #: What it is.
    verdict: AddressClass
    #: How sure that is; None where it says nothing bad or nothing at all.
    certainty: Optional[Certainty]
    #: What it is besides.
    also: Tuple[AddressClass, ...]
    #: What speaks for it, one sentence each.
    because: Tuple[str, ...]
    #: All that speaks for it and against it, with the frames.
    evidence: Tuple[CaptureEvidence, ...]
    #: MACs whose doing it is, as far as that shows.
    suspects: Tuple[str, ...]
    #: MACs that a suspect told unasked, the first few.
    victims: Tuple[str, ...]
    #: What to do next to find the cause or the culprit, a sentence with a command each.
    next: Tuple[str, ...]
    #: Requests of others that more than one MAC answered.
    contested: int
    #: How often it passed from one MAC to another.
    moves: int
    #: Its MACs, in the order of their first claims.
    macs: Tuple[CapturedMac, ...]

    @property
    def is_bad(self) -> bool:
        """Whether something should be done about it. What is undetermined is neither good nor bad."""
        return self.verdict in _BAD


_BAD = (
    AddressClass.FLUX,
    AddressClass.DUPLICATE,
    AddressClass.SPOOF,
    AddressClass.CONFLICT,
    AddressClass.SELF_CONFLICT,
)


@dataclass(frozen=True)
class CaptureReport(Value):
    """What a whole capture shows."""

    #: ARP requests seen.
    requests: int
    #: ARP replies seen.
    replies: int
    #: Solicitations and advertisements of neighbour discovery seen.
    neighbour: int
    #: Packets that contradict themselves.
    odd: int
    #: Claims that found no room in the table: beyond zero, the report is not complete.
    dropped: int
    #: Frames that came too fast for a live capture, and were lost.
    lost: int
    #: Frames that came more than a second before the one that stands ahead of them.
    disordered: int
    #: When the capture began; None without a clock, or without a date.
    start: Optional[datetime.datetime]
    #: How long it is.
    length: datetime.timedelta = dataclasses.field(metadata=written("length_s"))
    #: Whether the frames carried times; without, they count as a millisecond apart.
    clocked: bool
    #: The addresses somebody claimed: the worst first, then by number.
    addresses: Tuple[CapturedAddress, ...]
    #: Groups of routers that share addresses, by their own packets.
    groups: Tuple[CaptureGroup, ...]
    #: Every MAC that claimed an address, with what it claimed.
    macs: Tuple[CaptureMac, ...]
    #: What the host of a given snapshot did, beside the model of the kernel; empty without one.
    explained: Tuple[CaptureExplained, ...]
    #: What was read, in the order of its times.
    files: Tuple[CapturedFile, ...]
    #: What was not looked at or not understood.
    undetermined: Tuple[CaptureMissing, ...]
    #: False if any address is bad; else None if one cannot be judged or something was not understood; else True.
    ok: Optional[bool]

    @property
    def is_bad(self) -> bool:
        """Whether any address is in a state that something should be done about."""
        return any(address.is_bad for address in self.addresses) or any(
            group.several_at_once for group in self.groups
        )


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
