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
    """One MAC that answered for an address.

    - `mac`: The MAC that the reply says the address is at.
    - `after`: When its first reply came, after the first request for that address.
    - `count`: How many replies said so.
    - `proxied`: Whether it only proxies the address; None: not found out.
    - `advertised`: The flags of the neighbour advertisement; None: it was ARP.
    """

    mac: str
    after: datetime.timedelta = dataclasses.field(metadata=written("after_ms", 1e-3))
    count: int = dataclasses.field(metadata=written("replies"))
    proxied: Optional[bool]
    advertised: Optional[Advertised] = None


@dataclass(frozen=True)
class Probed(Value):
    """What came of asking for one address.

    - `target`: The address.
    - `interface`: The interface it was asked for on.
    - `sender`: Who asked.
    - `requests`: How often it was asked for.
    - `replies`: The MACs that answered, in the order of their first replies.
    - `mac_count`: How many MACs those are.
    - `judgement`: What the answers mean.
    """

    target: IpAddress
    interface: str
    sender: IpAddress
    requests: int
    replies: Tuple[Reply, ...]
    mac_count: int = dataclasses.field(metadata=written("macs"))
    judgement: Judgement = dataclasses.field(metadata=written("verdict"))

    @property
    def macs(self) -> Tuple[str, ...]:
        """The MACs that answered."""
        return tuple(reply.mac for reply in self.replies)


@dataclass(frozen=True)
class Conflict(Value):
    """Somebody else with an address.

    - `mac`: Who.
    - `claim`: How that shows.
    """

    mac: str
    claim: Claim


@dataclass(frozen=True)
class Detected(Value):
    """What was found out about one address on one interface.

    - `address`: The address.
    - `interface`: Where it was asked for.
    - `conflicts`: Others that have it; empty if it is free.
    - `own`: MACs of this host that answered for it.
    - `proxies_seen`: Whether proxies could be seen: not from an interface without an address to ask with.
    """

    address: IpAddress
    interface: str
    conflicts: Tuple[Conflict, ...]
    own: Tuple[str, ...]
    proxies_seen: bool


@dataclass(frozen=True)
class VirtualMac(Value):
    """A MAC that routers share.

    - `protocol`: Whose range it is of.
    - `group`: The number of the group (VRID, CARP vhid, HSRP group).
    """

    protocol: Redundancy
    group: int


@dataclass(frozen=True)
class CaptureCounts(Value):
    """What was read of a capture so far.

    - `records`: Records in all.
    - `sightings`: Of these, ARP, neighbour discovery and IP frames that could be read.
    - `cut`: Frames cut before their addresses ended.
    - `malformed`: Packets whose lengths, types or checksums cannot be.
    - `unread`: Frames that could not be read: link types, tunnels, encryption.
    - `ends_early`: Whether the file ends within a record: its writer was stopped, or still writes.
    """

    records: int
    sightings: int = dataclasses.field(metadata=written("read"))
    cut: int
    malformed: int
    unread: int
    ends_early: bool


@dataclass(frozen=True)
class CapturedMac(Value):
    """One MAC that claimed an address.

    - `mac`: The MAC.
    - `replies`: Replies that said the address is here, announcements apart.
    - `requests`: Requests sent with the address as sender; peers learn from these as well.
    - `announcements`: Gratuitous ARP, of either form.
    - `unasked`: Replies that nobody seen had asked for.
    - `first`: The first claim, after the capture began; None without a clock.
    - `last`: The last claim, likewise.
    - `virtual`: What it is, of a virtual MAC.
    """

    mac: str
    replies: int
    requests: int
    announcements: int
    unasked: int
    first: Optional[datetime.timedelta] = dataclasses.field(metadata=written("first_s"))
    last: Optional[datetime.timedelta] = dataclasses.field(metadata=written("last_s"))
    virtual: Optional[VirtualMac]


@dataclass(frozen=True)
class CaptureTunnel(Value):
    """A tunnel whose inside was captured: a wire of its own.

    - `kind`: Its protocol: vxlan, geneve, gre, erspan, mpls, pbb.
    - `id`: Its number; 0 if it has none.
    """

    kind: str
    id: int


@dataclass(frozen=True)
class CaptureFrame(Value):
    """A frame of a capture.

    - `file`: Which file of the report, from 0.
    - `frame`: Which record of it, from 1.
    - `at`: When, after the capture began; None without a clock.
    """

    file: int
    frame: int
    at: Optional[datetime.timedelta] = dataclasses.field(metadata=written("at_s"))


@dataclass(frozen=True)
class CaptureEvidence(Value):
    """One piece of evidence.

    - `kind`: What it is about.
    - `against`: It speaks against the verdict, not for it.
    - `text`: In a sentence.
    - `count`: How often it was seen.
    - `frames`: Where: the first time and the last.
    """

    kind: str
    against: bool
    text: str
    count: int
    frames: Tuple[CaptureFrame, ...]


@dataclass(frozen=True)
class CaptureMissing(Value):
    """Something that was not looked at or not understood: nothing is known about it, good or bad.

    - `reason`: Why.
    - `count`: How many frames, lines or packets.
    - `text`: In a sentence, with what to do.
    """

    reason: str
    count: int
    text: str


@dataclass(frozen=True)
class CapturedFile(Value):
    """One file that was read.

    - `file`: Its name as it was given.
    - `format`: pcap, pcapng, text or live; None if it could not be opened.
    - `compressed`: Whether it was compressed.
    - `records`: Records in all.
    - `read`: Of these, ARP, neighbour discovery and IP frames that could be read.
    - `cut`: Frames cut before their addresses ended.
    - `malformed`: Packets whose lengths, types or checksums cannot be.
    - `unread`: Frames that could not be read: link types, tunnels, encryption.
    - `ends_early`: It ends within a record; what came before was read.
    - `deltas`: Its times are how long after the line before, and were added up.
    - `error`: Why it could not be read, or not to its end.
    """

    file: str
    format: Optional[str]
    compressed: bool
    records: int
    read: int
    cut: int
    malformed: int
    unread: int
    ends_early: bool
    deltas: bool
    error: Optional[str]


@dataclass(frozen=True)
class CaptureMac(Value):
    """A MAC with the addresses that it claimed, on all wires.

    - `mac`: The MAC.
    - `vendor`: What has such MACs, if it is well known: virtual machines, clouds, clusters.
    - `side`: Where its ARP packets came from by their lengths: host (the one that captured), wire; None if that is not
      shown.
    - `addresses`: The addresses, in order.
    """

    mac: str
    vendor: Optional[str]
    side: Optional[str]
    addresses: Tuple[IpAddress, ...]


@dataclass(frozen=True)
class CaptureRouter(Value):
    """A router that said it is master of a group.

    - `address`: Its own address.
    - `mac`: The MAC that its packets came from.
    - `priority`: The priority that it gave last.
    - `packets`: How often it said so.
    - `first`: The first time, after the capture began; None without a clock.
    - `last`: The last time, likewise.
    - `resigned`: Whether it gave up after that.
    """

    address: IpAddress
    mac: str
    priority: int
    packets: int
    first: Optional[datetime.timedelta] = dataclasses.field(metadata=written("first_s"))
    last: Optional[datetime.timedelta] = dataclasses.field(metadata=written("last_s"))
    resigned: bool


@dataclass(frozen=True)
class CaptureGroup(Value):
    """A group of routers that share addresses: VRRP, CARP, HSRP, GLBP.

    - `protocol`: The protocol with its version.
    - `group`: The number of the group.
    - `addresses`: Its addresses; none of CARP, whose packets do not name them.
    - `virtual_macs`: Virtual MACs that its packets name (GLBP).
    - `masters`: Routers that said they are master, in the order in which they became it.
    - `changes`: How often another became master.
    - `several_at_once`: Two routers were master at once: a fault.
    """

    protocol: str
    group: int
    addresses: Tuple[IpAddress, ...]
    virtual_macs: Tuple[str, ...]
    masters: Tuple[CaptureRouter, ...]
    changes: int
    several_at_once: bool


@dataclass(frozen=True)
class CaptureExplained(Value):
    """What the host of a snapshot did, and whether the model of the kernel does it too.

    - `mac`: The MAC that it came from.
    - `interfaces`: The interfaces of the snapshot that have this MAC.
    - `address`: The address that was answered for, or that it sent as its own.
    - `asker`: Who had asked; None of what nobody asked for.
    - `count`: How often.
    - `frame`: The frame of its first time, counted from 1 in its file.
    - `explained`: Whether the model does the same; None if that cannot be told.
    - `why`: The steps of the model, one sentence each; or what does not fit.
    """

    mac: str
    interfaces: Tuple[str, ...]
    address: IpAddress
    asker: Optional[IpAddress]
    count: int
    frame: int
    explained: Optional[bool]
    why: Tuple[str, ...]


@dataclass(frozen=True)
class CapturedAddress(Value):
    """One address of a capture.

    - `address`: The address.
    - `interface`: The interface it was seen on, where the capture has several.
    - `vlans`: The VLAN ids it was seen under, outermost first; usually none.
    - `tunnel`: The tunnel it was seen in, if any.
    - `verdict`: What it is.
    - `certainty`: How sure that is; None where it says nothing bad or nothing at all.
    - `also`: What it is besides.
    - `because`: What speaks for it, one sentence each.
    - `evidence`: All that speaks for it and against it, with the frames.
    - `suspects`: MACs whose doing it is, as far as that shows.
    - `victims`: MACs that a suspect told unasked, the first few.
    - `next`: What to do next to find the cause or the culprit, a sentence with a command each.
    - `contested`: Requests of others that more than one MAC answered.
    - `moves`: How often it passed from one MAC to another.
    - `macs`: Its MACs, in the order of their first claims.
    """

    address: IpAddress
    interface: Optional[int]
    vlans: Tuple[int, ...]
    tunnel: Optional[CaptureTunnel]
    verdict: AddressClass
    certainty: Optional[Certainty]
    also: Tuple[AddressClass, ...]
    because: Tuple[str, ...]
    evidence: Tuple[CaptureEvidence, ...]
    suspects: Tuple[str, ...]
    victims: Tuple[str, ...]
    next: Tuple[str, ...]
    contested: int
    moves: int
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
    """What a whole capture shows.

    - `requests`: ARP requests seen.
    - `replies`: ARP replies seen.
    - `neighbour`: Solicitations and advertisements of neighbour discovery seen.
    - `odd`: Packets that contradict themselves.
    - `dropped`: Claims that found no room in the table: beyond zero, the report is not complete.
    - `lost`: Frames that came too fast for a live capture, and were lost.
    - `disordered`: Frames that came more than a second before the one that stands ahead of them.
    - `start`: When the capture began; None without a clock, or without a date.
    - `length`: How long it is.
    - `clocked`: Whether the frames carried times; without, they count as a millisecond apart.
    - `addresses`: The addresses somebody claimed: the worst first, then by number.
    - `groups`: Groups of routers that share addresses, by their own packets.
    - `macs`: Every MAC that claimed an address, with what it claimed.
    - `explained`: What the host of a given snapshot did, beside the model of the kernel; empty without one.
    - `files`: What was read, in the order of its times.
    - `undetermined`: What was not looked at or not understood.
    - `ok`: False if any address is bad; else None if one cannot be judged or something was not understood; else True.
    """

    requests: int
    replies: int
    neighbour: int
    odd: int
    dropped: int
    lost: int
    disordered: int
    start: Optional[datetime.datetime]
    length: datetime.timedelta = dataclasses.field(metadata=written("length_s"))
    clocked: bool
    addresses: Tuple[CapturedAddress, ...]
    groups: Tuple[CaptureGroup, ...]
    macs: Tuple[CaptureMac, ...]
    explained: Tuple[CaptureExplained, ...]
    files: Tuple[CapturedFile, ...]
    undetermined: Tuple[CaptureMissing, ...]
    ok: Optional[bool]

    @property
    def is_bad(self) -> bool:
        """Whether any address is in a state that something should be done about."""
        return any(address.is_bad for address in self.addresses) or any(
            group.several_at_once for group in self.groups
        )


@dataclass(frozen=True)
class Heard(Value):
    """One interface's frame, heard on another.

    - `from_`: The interface that sent it.
    - `on`: The interface that heard it.
    """

    from_: str = dataclasses.field(metadata=written("from"))
    on: str


@dataclass(frozen=True)
class Segments(Value):
    """Which interfaces of one host share a wire, found out with frames.

    - `wires`: The wires, each with the names of its interfaces.
    - `heard`: The evidence.
    - `unconnected`: Interfaces without a connection, about which nothing is said.
    """

    wires: Tuple[Tuple[str, ...], ...]
    heard: Tuple[Heard, ...]
    unconnected: Tuple[str, ...]
