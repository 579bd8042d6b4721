"""What a snapshot holds besides its lists."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ._base import Value
from ._names import InterferenceKind


@dataclass(frozen=True)
class KernelVersion(Value):
    """Which kernel a snapshot was taken from: kernels answer differently in places."""

    #: `uname -r`, for example `6.18.44-fc`.
    release: str
    #: `uname -v`; Debian's names the stable release here.
    version: str


@dataclass(frozen=True)
class NetnsIdentity(Value):
    """Which network namespace a snapshot was taken from."""

    #: The boot that it lives in (`/proc/sys/kernel/random/boot_id`).
    boot_id: str
    #: Device number of its nsfs file.
    device: int
    #: Inode number of its nsfs file.
    inode: int
    #: The namespace's cookie (`SO_NETNS_COOKIE`), never given out again within a boot; 0 where the kernel has none.
    cookie: int


@dataclass(frozen=True)
class RoutingMemory(Value):
    """What the kernel remembers about routing and shows in no dump. None: not known."""

    #: Whether the policy routing rules were ever changed: until then the tables local and main are searched as one.
    rules_changed: Optional[bool] = None
    #: Whether somebody ever added a route of type local: from then on senders are checked in full, for good.
    local_routes_added: Optional[bool] = None
    #: Whether a route or rule has a realm, which also makes the kernel check senders in full.
    realms: Optional[bool] = None
    #: Whether next hops whose gateway does not answer are passed over (`fib_multipath_use_neigh`).
    multipath_by_neighbour: Optional[bool] = None


@dataclass(frozen=True)
class Interference(Value):
    """Something that can answer, drop or change ARP frames, or that could not be read.

    >>> import arpflux
    >>> arpflux.Interference(arpflux.InterferenceKind.XDP, interface=3).to_dict()
    {'kind': 'xdp', 'interface': 3}
    """

    #: What it is.
    kind: InterferenceKind
    #: The number of the interface it is tied to; None: all, or none in particular.
    interface: Optional[int] = None
    #: The table or chain of a packet filter, as its tool names it.
    chain: Optional[str] = None
    #: How many entries the full neighbour table has.
    entries: Optional[int] = None
    #: How many there may be (`net.ipv4.neigh.default.gc_thresh3`).
    limit: Optional[int] = None
    #: What could not be read, in words.
    what: Optional[str] = None
    #: The capability that reading it takes, where that was missing: `CAP_NET_ADMIN`.
    needs: Optional[str] = None
    #: The name of the program that traffic control or XDP runs there, where it has one.
    program: Optional[str] = None

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json: of each kind what it has."""
        values = super().to_dict()
        more = (key for key in ("needs", "program") if values[key] is not None)
        return {key: values[key] for key in ("kind", *_KEYS[self.kind], *more)}


_KEYS = {
    InterferenceKind.NETFILTER: ("chain", "interface"),
    InterferenceKind.TRAFFIC_CONTROL: ("interface",),
    InterferenceKind.XDP: ("interface",),
    InterferenceKind.LISTENER: ("interface",),
    InterferenceKind.FULL_NEIGHBOUR_TABLE: ("entries", "limit"),
    InterferenceKind.UNREADABLE: ("what",),
}


@dataclass(frozen=True)
class DiscoveryOn(Value):
    """What decides about neighbour discovery on one interface, besides what plans set."""

    #: The number of the interface.
    interface: int
    #: How long below a multicast solicitation for a proxied or anycast address waits, in ms.
    proxy_delay: int
    #: How many such solicitations may wait; more are dropped.
    proxy_qlen: int
    #: The multicast groups that it takes for itself.
    groups: Tuple[ipaddress.IPv6Address, ...]
    #: The anycast addresses that it has.
    anycast: Tuple[ipaddress.IPv6Address, ...]
    #: The sysctl `disable_ipv6`.
    disable_ipv6: bool = False
    #: It forwards even while `all` does not (6.17 and later).
    force_forwarding: bool = False
    #: An answer for somebody else's address needs an address of this interface as its source.
    use_oif_addrs_only: bool = False
    #: The sysctl `ignore_routes_with_linkdown`.
    ignore_routes_with_linkdown: bool = False
    #: Of a bridge: it looks into MLD reports and a querier may be there, so that groups go to some ports only.
    snoops: bool = False


@dataclass(frozen=True)
class Discovery(Value):
    """What decides about neighbour discovery (IPv6) and nothing else."""

    #: The interfaces that have IPv6.
    interfaces: Tuple[DiscoveryOn, ...]
    #: What may meddle with solicitations and advertisements, or could not be read.
    interference: Tuple[Interference, ...] = ()
