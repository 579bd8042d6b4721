"""What a snapshot holds besides its lists."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ._base import Value
from ._names import InterferenceKind


@dataclass(frozen=True)
class KernelVersion(Value):
    """Which kernel a snapshot was taken from: kernels answer differently in places.

    - `release`: `uname -r`, for example `6.18.44-fc`.
    - `version`: `uname -v`; Debian's names the stable release here.
    """

    release: str
    version: str


@dataclass(frozen=True)
class NetnsIdentity(Value):
    """Which network namespace a snapshot was taken from.

    - `boot_id`: The boot that it lives in (`/proc/sys/kernel/random/boot_id`).
    - `device`: Device number of its nsfs file.
    - `inode`: Inode number of its nsfs file.
    - `cookie`: The namespace's cookie (`SO_NETNS_COOKIE`), never given out again within a boot; 0 where the kernel has
      none.
    """

    boot_id: str
    device: int
    inode: int
    cookie: int


@dataclass(frozen=True)
class RoutingMemory(Value):
    """What the kernel remembers about routing and shows in no dump. None: not known.

    - `rules_changed`: Whether the policy routing rules were ever changed: until then the tables local and main are searched
      as one.
    - `local_routes_added`: Whether somebody ever added a route of type local: from then on senders are checked in full, for
      good.
    - `realms`: Whether a route or rule has a realm, which also makes the kernel check senders in full.
    - `multipath_by_neighbour`: Whether next hops whose gateway does not answer are passed over (`fib_multipath_use_neigh`).
    """

    rules_changed: Optional[bool] = None
    local_routes_added: Optional[bool] = None
    realms: Optional[bool] = None
    multipath_by_neighbour: Optional[bool] = None


@dataclass(frozen=True)
class Interference(Value):
    """Something that can answer, drop or change ARP frames, or that could not be read.

    >>> import arpflux
    >>> arpflux.Interference(arpflux.InterferenceKind.XDP, interface=3).to_dict()
    {'kind': 'xdp', 'interface': 3}

    - `kind`: What it is.
    - `interface`: The number of the interface it is tied to; None: all, or none in particular.
    - `chain`: The table or chain of a packet filter, as its tool names it.
    - `entries`: How many entries the full neighbour table has.
    - `limit`: How many there may be (`net.ipv4.neigh.default.gc_thresh3`).
    - `what`: What could not be read, in words.
    - `needs`: The capability that reading it takes, where that was missing: `CAP_NET_ADMIN`.
    - `program`: The name of the program that traffic control or XDP runs there, where it has one.
    """

    kind: InterferenceKind
    interface: Optional[int] = None
    chain: Optional[str] = None
    entries: Optional[int] = None
    limit: Optional[int] = None
    what: Optional[str] = None
    needs: Optional[str] = None
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
    """What decides about neighbour discovery on one interface, besides what plans set.

    - `interface`: The number of the interface.
    - `proxy_delay`: How long below a multicast solicitation for a proxied or anycast address waits, in ms.
    - `proxy_qlen`: How many such solicitations may wait; more are dropped.
    - `groups`: The multicast groups that it takes for itself.
    - `anycast`: The anycast addresses that it has.
    - `disable_ipv6`: The sysctl `disable_ipv6`.
    - `force_forwarding`: It forwards even while `all` does not (6.17 and later).
    - `use_oif_addrs_only`: An answer for somebody else's address needs an address of this interface as its source.
    - `ignore_routes_with_linkdown`: The sysctl `ignore_routes_with_linkdown`.
    - `snoops`: Of a bridge: it looks into MLD reports and a querier may be there, so that groups go to some ports only.
    """

    interface: int
    proxy_delay: int
    proxy_qlen: int
    groups: Tuple[ipaddress.IPv6Address, ...]
    anycast: Tuple[ipaddress.IPv6Address, ...]
    disable_ipv6: bool = False
    force_forwarding: bool = False
    use_oif_addrs_only: bool = False
    ignore_routes_with_linkdown: bool = False
    snoops: bool = False


@dataclass(frozen=True)
class Discovery(Value):
    """What decides about neighbour discovery (IPv6) and nothing else.

    - `interfaces`: The interfaces that have IPv6.
    - `interference`: What may meddle with solicitations and advertisements, or could not be read.
    """

    interfaces: Tuple[DiscoveryOn, ...]
    interference: Tuple[Interference, ...] = ()
