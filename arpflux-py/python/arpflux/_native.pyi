"""The native half of the package. Checked against the module by mypy's stubtest, and by pyright."""

import builtins
import datetime
import os
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal, Optional, Protocol, SupportsIndex, Union, final, overload

from ._model import (
    Effective,
    Explanation,
    Failure,
    Gap,
    MatrixInterface,
    MatrixRow,
    VerifiedAddress,
)
from ._container import Published
from ._names import CaptureFormat, ChangeKind, FindingId, Manager, Outcome, RouteKind, RuleAction, Severity
from ._names import Protocol as FrameProtocol
from ._policy import ProxyPolicy, ServicePolicy
from ._proof import Expectation, Proofs
from ._persist import BootEntry, BootNeighbour, BootPolicy, BootValue, FileState, Lint, Unfollowed
from ._segment import Order, SharedWires
from ._snapshot import Discovery, Interference, KernelVersion, NetnsIdentity, RoutingMemory
from ._traffic import Impact, Learned, Reached
from ._watch import Drift, Watch
from ._wire import CaptureCounts, CaptureReport, Detected, Probed, Segments

__version__: str

__all__ = [
    "Address",
    "Assessment",
    "BootReport",
    "Capture",
    "Change",
    "Containers",
    "Diagnosis",
    "FileChange",
    "Finding",
    "Host",
    "Interface",
    "Matrix",
    "NeighParams",
    "Neighbour",
    "NextHop",
    "Persistence",
    "Plan",
    "Policy",
    "ProxyEntry",
    "Receipt",
    "Recommendation",
    "Report",
    "Route",
    "Rule",
    "Sighting",
    "Snapshot",
    "__version__",
    "_Watcher",
    "_command",
    "_in_main_interpreter",
    "capture",
    "order",
    "segments",
]

_Seconds = Union[float, datetime.timedelta]
_Path = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]
_Ipv4 = Union[str, IPv4Address]
_Address = Union[IPv4Address, IPv6Address]
_AddressArgument = Union[str, IPv4Address, IPv6Address]
_IpNetwork = Union[IPv4Network, IPv6Network]
_Target = Union[str, IPv4Address, IPv6Address, IPv4Network, IPv6Network]
_Wires = Union[Segments, Iterable[Iterable[str]]]
_Network = Union[str, IPv4Network, IPv6Network]

class _Descriptor(Protocol):
    def fileno(self) -> int: ...

class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

_Namespace = Union[_Path, _Descriptor]

def capture(source: Union[_Path, bytes, _Readable], *, snapshot: Optional[Snapshot] = None) -> Capture:
    r"""Opens a capture: pcap or pcapng, compressed or not (gzip, zstd, xz, lz4), or what tcpdump printed. Which it is shows in the
    first bytes, not in the name. Frames are read as they are asked for, in memory that does not grow with the file; a pipe
    will do. `source` is a path, the content itself as bytes, or a binary file object: anything with `read(size)`.
    `snapshot`: the state of a host of that wire; the report has under `explained` whether the model of the kernel gives each of
    its answers, and why.

    Raises NoSuchFile if there is no such file, InvalidData if it is no capture.

    >>> import arpflux, pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "trace.txt")
    >>> _ = path.write_text("12:00:00.000001 ARP, Request who-has 192.0.2.1 tell 192.0.2.9, length 28\n")
    >>> with arpflux.capture(path) as frames:
    ...     for frame in frames:
    ...         print(frame.operation, frame.sender, frame.target)
    1 192.0.2.9 192.0.2.1
    >>> folder.cleanup()
    """
def segments(
    snapshots: Mapping[str, Snapshot], *, wires: Optional[Mapping[str, _Wires]] = None
) -> SharedWires:
    """The wires that several hosts share, and who of them answers for which address there: SharedWires, which iterates as
    Segment. `snapshots` maps the names of the hosts to their snapshots; `wires` some of these names to what is known of the
    wires of that host, as `Host.segments()` gives it.

    Interfaces with overlapping subnets are taken to share a wire, unless what the hosts have heard of their gateways tells
    them apart.

    >>> import arpflux
    >>> len(arpflux.segments({}))
    0
    """
def order(
    snapshots: Mapping[str, Snapshot],
    policies: Mapping[str, Policy],
    *,
    at_once: int = 1,
    wires: Optional[Mapping[str, _Wires]] = None,
) -> Order:
    """In which order several hosts are changed so that the policies hold, `at_once` at a time, and no address that goes from one to
    another is answered for by both: Order. `policies` maps some of the names in `snapshots` to their policies; the others
    stay as they are. A step "withdraw" is `Host.remove_proxies`.

    >>> import arpflux
    >>> arpflux.order({}, {}).steps
    ()
    """
def _in_main_interpreter() -> bool: ...
def _command(arguments: Sequence[_Path]) -> int: ...

@final
class NeighParams:
    """What `net.ipv4.neigh.INTERFACE` says about proxied answers and learning."""
    @property
    def proxy_delay(self) -> int:
        """A broadcast request for a proxied address waits a random time below this, in milliseconds."""
    @property
    def proxy_qlen(self) -> int:
        """How many such requests may wait; more are dropped."""
    @property
    def locktime(self) -> int:
        """How long a fresh entry cannot be overwritten by another answer, in milliseconds."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> NeighParams:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> NeighParams: ...

@final
class Interface:
    """One interface."""
    @property
    def index(self) -> int:
        """Its number, from 1 up."""
    @property
    def name(self) -> str:
        """Its name; bytes that are not UTF-8 appear as `os.fsdecode` gives them."""
    @property
    def kind(self) -> Optional[str]:
        """What kind of virtual interface (`"veth"`, `"bridge"`); None for real ones."""
    @property
    def link_type(self) -> int:
        """Hardware type (`ARPHRD_*`): 1 Ethernet, 32 InfiniBand, 772 loopback."""
    @property
    def mac(self) -> str:
        """Its link-layer address as text; empty if it has none."""
    @property
    def mac_bytes(self) -> bytes:
        """The bytes of its link-layer address."""
    @property
    def flags(self) -> int:
        """Flags (`IFF_*`)."""
    @property
    def carrier(self) -> bool:
        """Whether it has carrier."""
    @property
    def master(self) -> Optional[int]:
        """The number of the bridge, bond or VRF that it is a port of."""
    @property
    def link(self) -> Optional[int]:
        """The number of the interface below or beside it: parent of a VLAN or macvlan, peer of a veth."""
    @property
    def link_netnsid(self) -> Optional[int]:
        """The namespace id of `link` if that lies in another namespace."""
    @property
    def mtu(self) -> int:
        """Maximum transmission unit, in bytes."""
    @property
    def vlan_id(self) -> Optional[int]:
        """The VLAN id, of a VLAN interface."""
    @property
    def macvlan_mode(self) -> Optional[int]:
        """The mode, of a macvlan (`MACVLAN_MODE_*`)."""
    @property
    def ipvlan_mode(self) -> Optional[int]:
        """The mode, of an ipvlan (`IPVLAN_MODE_*`): 0 l2, 1 l3, 2 l3s."""
    @property
    def vrf_table(self) -> Optional[int]:
        """The number of the routing table, of a VRF."""
    @property
    def group(self) -> int:
        """The interface's group, which `suppress_group` of rules refers to."""
    @property
    def bond_mode(self) -> Optional[int]:
        """The mode, of a bond (`IFLA_BOND_MODE`): 6 is balance-alb, which rewrites ARP answers."""
    @property
    def bond_port_state(self) -> Optional[int]:
        """The state, of a port of a bond: 0 active, 1 backup, which drops what it receives."""
    @property
    def bridge_port_state(self) -> Optional[int]:
        """The state, of a port of a bridge: 3 forwards; others drop what they receive."""
    @property
    def altnames(self) -> tuple[str, ...]:
        """Its other names (`ip link property add altname`)."""
    @property
    def macvlan_sources(self) -> tuple[str, ...]:
        """Of a macvlan in mode source: the MACs that it takes frames from."""
    @property
    def bridging(self) -> dict[str, Any]:
        """What a bridge or a bridge port does with ARP frames besides forwarding them: options and VLANs, as a new dict."""
    @property
    def speaks_arp(self) -> bool:
        """Whether the kernel handles ARP on it at all."""
    @property
    def sysctls(self) -> dict[str, int]:
        """`net.ipv4.conf.INTERFACE` as a new dict; what the kernel does not have is absent."""
    @property
    def ipv6(self) -> dict[str, int]:
        """`net.ipv6.conf.INTERFACE` as a new dict; what the kernel or the interface does not have is absent."""
    @property
    def neigh(self) -> NeighParams:
        """`net.ipv4.neigh.INTERFACE`."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Interface:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Interface: ...

@final
class Address:
    """An address of an interface."""
    @property
    def interface(self) -> int:
        """The number of the interface that holds it."""
    @property
    def local(self) -> _Address:
        """The host's own address."""
    @property
    def peer(self) -> Optional[_Address]:
        """The other end of a point-to-point address, if it differs."""
    @property
    def prefix_len(self) -> int:
        """Length of the prefix, in bits."""
    @property
    def scope(self) -> int:
        """How far it is valid (`RT_SCOPE_*`)."""
    @property
    def flags(self) -> int:
        """Flags (`IFA_F_*`)."""
    @property
    def broadcast(self) -> Optional[_Address]:
        """The broadcast address, if one is set."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Address:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Address: ...

@final
class ProxyEntry:
    """A proxy entry: the host answers for somebody else's address."""
    @property
    def address(self) -> _Address:
        """The address answered for."""
    @property
    def interface(self) -> Optional[int]:
        """The number of the interface it answers on; None: on all."""
    @property
    def flags(self) -> int:
        """`NTF_*` flags other than `NTF_PROXY`."""
    @property
    def protocol(self) -> int:
        """Who added it (`RTPROT_*`); 0 unknown."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> ProxyEntry:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> ProxyEntry: ...

@final
class Neighbour:
    """An entry of the ARP or NDP table: what the host believes about a neighbour."""
    @property
    def address(self) -> _Address:
        """The neighbour's address."""
    @property
    def interface(self) -> int:
        """The number of the interface it was seen on."""
    @property
    def mac(self) -> Optional[str]:
        """Its MAC as text, if known."""
    @property
    def state(self) -> int:
        """Its state, as the kernel's bit mask (`NUD_*`)."""
    @property
    def flags(self) -> int:
        """Flags (`NTF_*`)."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Neighbour:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Neighbour: ...

@final
class NextHop:
    """Where a route leads."""
    @property
    def interface(self) -> Optional[int]:
        """The number of the interface it leaves by, if known."""
    @property
    def gateway(self) -> Optional[_Address]:
        """The gateway, of either family; None: the destination is on the link."""
    @property
    def weight(self) -> int:
        """Its share among several, 1 to 256."""
    @property
    def flags(self) -> int:
        """Flags (`RTNH_F_*`)."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> NextHop:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> NextHop: ...

@final
class Route:
    """A route of any table."""
    @property
    def table(self) -> int:
        """The number of the table it is in: 254 main, 255 local, 253 default."""
    @property
    def kind(self) -> Union[RouteKind, int]:
        """What it does, as RouteKind; the number (`RTN_*`) where that has no name for it."""
    @property
    def destination(self) -> _IpNetwork:
        """The destinations it is for, as `ipaddress` network; its family is the route's."""
    @property
    def source(self) -> Optional[_IpNetwork]:
        """Only for packets from this network (IPv6 subtrees); None: from everywhere."""
    @property
    def tos(self) -> int:
        """Only for packets with this type of service; 0: all."""
    @property
    def metric(self) -> int:
        """Among equal routes the smallest wins (`RTA_PRIORITY`)."""
    @property
    def scope(self) -> int:
        """How far the destination is (`RT_SCOPE_*`)."""
    @property
    def protocol(self) -> int:
        """Who made it (`RTPROT_*`)."""
    @property
    def preferred_source(self) -> Optional[_Address]:
        """The source address that the host's own packets get."""
    @property
    def next_hops(self) -> tuple[NextHop, ...]:
        """The next hops, a tuple of NextHop: none for routes that reject, several for multipath."""
    @property
    def nexthop_id(self) -> Optional[int]:
        """The number of the nexthop object it refers to, if any."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Route:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Route: ...

@final
class Rule:
    """A policy routing rule (`ip rule`)."""
    @property
    def ipv6(self) -> bool:
        """Whether it is an IPv6 rule."""
    @property
    def priority(self) -> int:
        """Rules are tried in the order of this number; 0 first."""
    @property
    def source(self) -> Optional[_IpNetwork]:
        """The sources it matches, as `ipaddress` network; None: all."""
    @property
    def destination(self) -> Optional[_IpNetwork]:
        """The destinations it matches, as `ipaddress` network; None: all."""
    @property
    def iif(self) -> Optional[str]:
        """The name of the input interface it matches; `lo` matches the host's own packets; None: all."""
    @property
    def oif(self) -> Optional[str]:
        """The name of the output interface it matches, of bound sockets; None: all."""
    @property
    def tos(self) -> int:
        """The type of service it matches; 0: all."""
    @property
    def fwmark(self) -> int:
        """The mark it matches under `fwmask`."""
    @property
    def fwmask(self) -> int:
        """Which bits of the mark count; 0: the mark does not matter."""
    @property
    def action(self) -> Union[RuleAction, int]:
        """What it does, as RuleAction; the number (`FR_ACT_*`) where that has no name for it."""
    @property
    def table(self) -> int:
        """The table to look into, for RuleAction.TABLE."""
    @property
    def goto(self) -> Optional[int]:
        """The priority to go on at, for RuleAction.GOTO."""
    @property
    def suppress_prefix_len(self) -> Optional[int]:
        """Routes of prefixes this long or shorter do not count (`suppress_prefixlength`), in bits."""
    @property
    def suppress_group(self) -> Optional[int]:
        """Routes through interfaces of this group do not count."""
    @property
    def l3mdev(self) -> bool:
        """Whether to look into the table of the VRF that the packet belongs to."""
    @property
    def ip_protocol(self) -> Optional[int]:
        """The IP protocol it matches; None: all."""
    @property
    def source_ports(self) -> Optional[tuple[int, int]]:
        """The source ports it matches, first and last; None: all."""
    @property
    def destination_ports(self) -> Optional[tuple[int, int]]:
        """The destination ports it matches, first and last; None: all."""
    @property
    def uids(self) -> Optional[tuple[int, int]]:
        """The user ids it matches, first and last; None: all."""
    @property
    def tunnel_id(self) -> Optional[int]:
        """The tunnel id it matches; None: all."""
    @property
    def protocol(self) -> int:
        """Who made it (`RTPROT_*`)."""
    @property
    def flags(self) -> int:
        """Flags (`FIB_RULE_*`)."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Rule:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Rule: ...

@final
class Sighting:
    """One frame of a capture, as far as it is about addresses."""
    @property
    def time_ns(self) -> Optional[int]:
        """When, in nanoseconds since 1970 (UTC), or since midnight where the capture shows no date; None without a clock."""
    @property
    def vlans(self) -> tuple[int, ...]:
        """The VLAN ids, outermost first; at most two."""
    @property
    def source(self) -> Optional[str]:
        """The link-layer source as text; None if the capture does not show it."""
    @property
    def destination(self) -> Optional[str]:
        """The link-layer destination as text; None if the capture does not show it."""
    @property
    def protocol(self) -> FrameProtocol:
        """What the frame carries."""
    @property
    def operation(self) -> Optional[int]:
        """Of ARP the operation: 1 request, 2 reply; None for anything else."""
    @property
    def sender(self) -> Union[IPv4Address, IPv6Address]:
        """The sender's address: of ARP the sender protocol address, else the source of the packet."""
    @property
    def sender_mac(self) -> Optional[str]:
        """Of ARP the sender hardware address, of neighbour discovery the link-layer address given; None for anything else."""
    @property
    def target(self) -> Union[IPv4Address, IPv6Address]:
        """The target's address: of ARP the target protocol address, of neighbour discovery the target, else the destination."""
    @property
    def target_mac(self) -> Optional[str]:
        """Of ARP the target hardware address as text; None for anything else."""
    @property
    def ttl(self) -> Optional[int]:
        """Of IP packets the time to live or the hop limit; None where it is not shown, and for ARP and neighbour discovery."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Sighting:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Sighting: ...

@final
class Change:
    """One typed change: an object of the kernel, and what it is before and after. `str()` gives it in one line."""
    @property
    def kind(self) -> ChangeKind:
        """What kind of change it is, as ChangeKind."""
    @property
    def object(self) -> str:
        """What it is about: `net.ipv4.conf.eth0.arp_ignore`, `proxy entry 192.168.18.101 on eth3`."""
    @property
    def before(self) -> Union[int, ProxyEntry, None]:
        """What it is before: the value of a sysctl, a ProxyEntry or whether a rule or route is there; None: no entry."""
    @property
    def after(self) -> Union[int, ProxyEntry, None]:
        """What it is afterwards, as `before`."""
    @property
    def interface(self) -> Optional[int]:
        """The number of the interface that it is about; None: none, or all."""
    @property
    def scope(self) -> Optional[str]:
        """The folder of a sysctl: `all`, `default` or an interface's name."""
    @property
    def sysctl(self) -> Optional[str]:
        """The name of a sysctl, such as `arp_ignore`."""
    @property
    def rule(self) -> Optional[Rule]:
        """The policy routing rule that comes or goes."""
    @property
    def route(self) -> Optional[Route]:
        """The route that comes or goes."""
    def inverse(self, /) -> Change:
        """The change that takes this one back."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Change:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: builtins.object, /) -> bool: ...
    def __ne__(self, other: builtins.object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> Change: ...

@final
class FileChange:
    """A file that becomes another, is made or goes. `str()` gives it in one line."""
    @property
    def path(self) -> str:
        """The path, absolute; bytes that are not UTF-8 appear as `os.fsdecode` gives them."""
    @property
    def before(self) -> FileState:
        """What was there, as FileState."""
    @property
    def after(self) -> FileState:
        """What shall be there, as FileState."""
    def inverse(self, /) -> FileChange:
        """The change that takes this one back."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> FileChange:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> FileChange: ...

@final
class BootReport:
    """What the next boot brings. Made by `Snapshot.at_boot`; it never changes. True if everything will be as in the
    snapshot, and nothing that may set it was left out.
    """
    @property
    def values(self) -> tuple[BootValue, ...]:
        """The sysctls that a file or the policy sets, and those that nothing brings back: a tuple of BootValue."""
    @property
    def policy(self) -> Optional[BootPolicy]:
        """The policy that is applied at boot, as BootPolicy; None: none is."""
    @property
    def entries(self) -> tuple[BootEntry, ...]:
        """Proxy entries of anybody, and rules and routes of ours, that come or go: a tuple of BootEntry."""
    @property
    def neighbours(self) -> tuple[BootNeighbour, ...]:
        """Permanent entries of neighbours that come, go or change: a tuple of BootNeighbour."""
    @property
    def differences(self) -> int:
        """How many values, entries and neighbours are otherwise after a boot."""
    @property
    def undetermined(self) -> int:
        """How many values cannot be told, because something that may set them was not followed."""
    @property
    def unfollowed(self) -> tuple[Unfollowed, ...]:
        """What exists, runs at boot and may set such values, but was not understood: a tuple of Unfollowed."""
    @property
    def lints(self) -> tuple[Lint, ...]:
        """Lines that do not do what they seem to: a tuple of Lint."""
    def __bool__(self, /) -> bool: ...
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> BootReport:
        """The value that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _from_json(text: str) -> BootReport: ...

@final
class Persistence:
    """A policy that shall hold after a reboot too: by which managers of the network, and where their files are.

    `managers`: Manager or their names, one or several; without, those in use below `root`. `root`: the folder that stands for
    / of the host that boots, an image or a container's /proc/PID/root. `command`: how that host calls the command `arpflux`
    at boot; without, on this host where this package has put it, below another root /usr/bin/arpflux.

    >>> import arpflux
    >>> policy = arpflux.Policy.from_dict({"version": 1, "host": {"interfaces": ["eth0"]}})
    >>> arpflux.Persistence(policy, managers="systemd", root="/no-such").managers
    (<Manager.SYSTEMD: 'systemd'>,)
    """
    def __new__(
        cls,
        policy: Policy,
        *,
        managers: Optional[Union[str, Manager, Iterable[Union[str, Manager]]]] = None,
        root: Optional[_Path] = None,
        command: Optional[_Path] = None,
    ) -> Persistence: ...
    @property
    def policy(self) -> Policy:
        """The policy."""
    @property
    def managers(self) -> tuple[Manager, ...]:
        """The managers that bring it back, a tuple of Manager; `sysctl.d` is written in any case."""
    @property
    def root(self) -> str:
        """The folder that stands for / of the host that boots."""
    @property
    def command(self) -> str:
        """How that host calls the command at boot."""
    def plan(self, /, snapshot: Snapshot) -> Plan:
        """What has to change now so that the policy holds: as Policy.plan, but what systemd-networkd made from files of ours
        counts as ours.
        """
    def files(self, /, snapshot: Snapshot) -> tuple[FileChange, ...]:
        """The files to write, a tuple of FileChange; empty if all of them are as they should be.

        Raises InvalidInput if an interface's name or the command cannot be written down for a manager, and what reading the
        files that are there raises.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """The same as a dict of plain values."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _of(policy: Policy, managers: Sequence[Manager], root: str, command: str) -> Persistence: ...

@final
class Capture:
    """A capture that is being read: an iterator over its frames. See `capture`."""
    @property
    def format(self) -> Optional[CaptureFormat]:
        """What the file is; None if it is closed."""
    @property
    def compressed(self) -> bool:
        """Whether it is compressed."""
    @property
    def counts(self) -> CaptureCounts:
        """What was read so far; up to 256 frames are read ahead of the iteration."""
    def report(self, /, hosts: Optional[Iterable[Iterable[str]]] = None) -> CaptureReport:
        """Which addresses have several MACs, and why: a CaptureReport over the whole capture. Reads what was not iterated over
        yet; the iteration is over then. `hosts`: for each host known, the MACs of its interfaces.
        """
    def svg(self, /) -> str:
        """A picture (SVG) of who claimed which address when, over the whole capture: a row for each MAC of each address that has
        several; of all addresses if none has. The first 100, the worst first.
        """
    def close(self, /) -> None:
        """Closes the file. Frames read ahead are dropped."""
    def __iter__(self, /) -> Capture: ...
    def __next__(self, /) -> Sighting: ...
    def __enter__(self, /) -> Capture: ...
    def __exit__(
        self,
        /,
        _kind: Optional[type[BaseException]],
        _value: Optional[BaseException],
        _traceback: Optional[types.TracebackType],
    ) -> None: ...

@final
class Diagnosis:
    """What is wrong with a host: its findings, in order. Made by `Snapshot.diagnose`; it never changes. True if the host is
    well: there is no certain warning or error, and nothing that decides is missing (`ok`).
    """
    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings, the worst first, then in the order of their numbers: a tuple of Finding."""
    @property
    def unseen(self) -> tuple[str, ...]:
        """What could not be seen, one sentence each: neither good nor bad."""
    @property
    def missing(self) -> tuple[Gap, ...]:
        """What is missing that decides about findings, as Gap."""
    @property
    def ok(self) -> Optional[bool]:
        """False if there is a certain warning or error, True if there is none; None if none is certain and something is
        missing.
        """
    @property
    def worst(self) -> Optional[Severity]:
        """The Severity of the worst finding; None without findings."""
    def _repr_html_(self, /) -> str: ...
    def page(self, /, *, policy: Optional[Policy] = None, title: Optional[str] = None) -> str:
        """One HTML page that loads nothing: findings, the topology, who answers and why; with `policy` also what it changes and who
        answers afterwards. `title`: usually the host's name.

        Raises Refused if the policy would not work there.
        """
    def metrics(self, /, *, taken: Optional[float] = None) -> str:
        """Numbers for Prometheus, in its text format: for a file of node_exporter's textfile collector. `taken`: when the
        snapshot was taken, in seconds since 1970; without, now.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    def __len__(self, /) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Finding: ...
    @overload
    def __getitem__(self, index: slice, /) -> tuple[Finding, ...]: ...
    def __iter__(self, /) -> Iterator[Finding]: ...
    def __bool__(self, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _of(snapshot: Snapshot, asked: dict[str, Any]) -> Diagnosis: ...

@final
class Finding:
    """One finding. `str()` gives all of it as text."""
    @property
    def id(self) -> FindingId:
        """Which finding it is, as FindingId; its value is the stable number, `AF001`."""
    @property
    def severity(self) -> Severity:
        """How bad it is here, as Severity."""
    @property
    def title(self) -> str:
        """A few words: the title of its page."""
    @property
    def interfaces(self) -> tuple[str, ...]:
        """The names of the interfaces it is about, those at fault first."""
    @property
    def addresses(self) -> tuple[_Address, ...]:
        """The addresses it is about, as `ipaddress` objects."""
    @property
    def what(self) -> str:
        """What happens, in one sentence."""
    @property
    def why(self) -> str:
        """Why the kernel does that, in one sentence."""
    @property
    def remedy(self) -> str:
        """What to do, in one sentence."""
    @property
    def evidence(self) -> tuple[str, ...]:
        """What decided and where it comes from, one line each; `to_dict()` has the fields."""
    @property
    def plan(self) -> Optional[Plan]:
        """The Plan that does what `remedy` says, ready for `Host.apply`; None where no change of arpflux does it."""
    @property
    def effects(self) -> Optional[tuple[str, ...]]:
        """Which answers that plan changes, here and elsewhere, one line each; None if it was not computed."""
    @property
    def unless(self) -> tuple[str, ...]:
        """What is missing and may make it otherwise, one clause each; empty: it is certain."""
    @property
    def link(self) -> str:
        """The page about it."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _of(diagnosis: Diagnosis, index: int) -> Finding: ...

@final
class Matrix:
    """Who answers for each address on each interface: its rows, in order. Made by `Snapshot.matrix`; it never changes. True if
    no address is in flux, and that can be told of all. `str()` draws it.
    """
    @property
    def interfaces(self) -> tuple[MatrixInterface, ...]:
        """The interfaces asked, as MatrixInterface, in the order of the cells."""
    @property
    def rows(self) -> tuple[MatrixRow, ...]:
        """The addresses asked for, as MatrixRow: the host's own, then those it proxies."""
    @property
    def has_flux(self) -> Optional[bool]:
        """Whether several MACs answer for one address on one wire; None if that cannot be told."""
    def _repr_html_(self, /) -> str: ...
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    def __len__(self, /) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> MatrixRow: ...
    @overload
    def __getitem__(self, index: slice, /) -> tuple[MatrixRow, ...]: ...
    def __iter__(self, /) -> Iterator[MatrixRow]: ...
    def __bool__(self, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...
    @staticmethod
    def _of(snapshot: Snapshot, asked: dict[str, Any]) -> Matrix: ...

@final
class Snapshot:
    """One network namespace at one moment. It never changes.

    >>> import arpflux, pickle
    >>> snapshot = arpflux.Host.current().snapshot()
    >>> snapshot == arpflux.Snapshot.from_json(snapshot.to_json()) == pickle.loads(pickle.dumps(snapshot))
    True
    >>> snapshot.explain("127.0.0.1", interface="lo").answers
    False
    """
    @staticmethod
    def load(path: _Path) -> Snapshot:
        """Reads a file that `arpflux snapshot --json` wrote. Raises NoSuchFile, and InvalidData with the file's name."""
    @staticmethod
    def from_json(text: Union[str, bytes, bytearray], source: Optional[str] = None) -> Snapshot:
        """Reads what `to_json()` or `arpflux snapshot --json` wrote, as str or bytes; `source` stands for the file in messages."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Snapshot:
        """The snapshot that a dict as `to_dict()` gives it stands for. Raises InvalidData."""
    def to_json(self, /) -> str:
        """One JSON object with `"schema": 1`; reading it back gives an equal snapshot."""
    def anonymised(self, /) -> Snapshot:
        """The same host with other names, addresses and MACs, alike wherever they stand and otherwise at each call, for a report
        that a stranger may read: everything says the same of it. The last byte of IPv4 addresses and numbers (tables, VLANs,
        marks, sysctls) stay. Raises Unsupported if a packet filter looks at addresses in a way that cannot be kept.
        """
    def _repr_html_(self, /) -> str: ...
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces, sorted by number."""
    @property
    def addresses(self) -> tuple[Address, ...]:
        """Addresses of both families, in the kernel's order."""
    @property
    def proxies(self) -> tuple[ProxyEntry, ...]:
        """Proxy entries of both families, in the kernel's order."""
    @property
    def routes(self) -> tuple[Route, ...]:
        """Routes of all tables and both families, in the kernel's order: a tuple of Route."""
    @property
    def rules(self) -> tuple[Rule, ...]:
        """Policy routing rules of both families, in the kernel's order: a tuple of Rule."""
    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Neighbour entries of both families: a tuple of Neighbour."""
    @property
    def kernel(self) -> KernelVersion:
        """The kernel it was taken from, as KernelVersion."""
    @property
    def netns(self) -> NetnsIdentity:
        """The namespace it was taken from, as NetnsIdentity."""
    @property
    def reads(self) -> int:
        """How much whoever took it reads: 0 where options of links that decide were left out."""
    @property
    def routing(self) -> RoutingMemory:
        """What the kernel remembers about routing and shows in no dump, as RoutingMemory."""
    @property
    def interference(self) -> tuple[Interference, ...]:
        """What else may meddle with ARP there, or could not be read: a tuple of Interference."""
    @property
    def discovery(self) -> Discovery | None:
        """What decides about neighbour discovery, as Discovery; None: it was not read."""
    @property
    def all(self) -> dict[str, int]:
        """`net.ipv4.conf.all` as a new dict; what the kernel does not have is absent."""
    @property
    def default(self) -> dict[str, int]:
        """`net.ipv4.conf.default` as a new dict: what interfaces made later start with."""
    @property
    def all_ipv6(self) -> dict[str, int]:
        """`net.ipv6.conf.all` as a new dict; empty if the kernel has no IPv6."""
    @property
    def ip_forward(self) -> int:
        """`net.ipv4.ip_forward`."""
    @property
    def ip_nonlocal_bind(self) -> int:
        """`net.ipv4.ip_nonlocal_bind`."""
    @property
    def fib_multipath_hash_policy(self) -> Optional[int]:
        """`net.ipv4.fib_multipath_hash_policy`; None where the kernel has none."""
    def interface(self, /, name: Union[str, int]) -> Interface:
        """The interface of that name or number. Raises NotFound if there is none."""
    def interface_name(self, /, number: Optional[int]) -> Optional[str]:
        """The name of the interface with that number, for records that refer to it; None for None. Raises NotFound.

        >>> import arpflux
        >>> snapshot = arpflux.Host.current().snapshot()
        >>> snapshot.interface_name(snapshot.interface("lo").index)
        'lo'
        """
    def recommend(self, /) -> Recommendation:
        """Which policy fits this host, why, and the proof that it works there: a Recommendation. Raises Refused if no policy
        would work here as it is.
        """
    def effective(self, /, interface: str, sysctl: str) -> Effective:
        """The value of a sysctl below net.ipv4.conf that counts on an interface, and where it comes from: an Effective.

        >>> import arpflux
        >>> arpflux.Host.current().snapshot().effective("lo", "arp_ignore").source in arpflux.ValueSource
        True
        """
    def explain(
        self,
        /,
        target: _AddressArgument,
        *,
        interface: str,
        sender: Optional[_AddressArgument] = None,
        sender_mac: Optional[str] = None,
        unicast: bool = False,
    ) -> Explanation:
        """Who answers a request for `target` that arrives on `interface`, and why, as an Explanation: an ARP request for an
        IPv4 address, a neighbour solicitation for an IPv6 address.

        `sender` is who asks; without, it is a probe (0.0.0.0 or ::). `sender_mac` where it matters. `unicast`:
        the frame was sent to this interface's MAC instead of to all.
        """
    def matrix(
        self,
        /,
        *,
        targets: Optional[Union[_AddressArgument, Iterable[_AddressArgument]]] = None,
        interfaces: Optional[Union[str, Iterable[str]]] = None,
        sender: Optional[_AddressArgument] = None,
    ) -> Matrix:
        """Who answers for each address on each interface: a Matrix. Without `targets`, the host's own addresses and those it
        proxies; without `interfaces` (names), all that take requests for themselves; without `sender`, an ordinary
        neighbour of each interface asks.
        """
    def prove(
        self, /, target: Optional[_AddressArgument] = None, *, claims: Optional[Iterable[Expectation]] = None
    ) -> Proofs:
        """Claims decided for all senders by the model of the kernel: Proofs. Nothing is sent. For IPv6 they are about
        solicitations to the address's group.

        Without `claims`: for each wire and each address that is held or proxied there (or for `target` alone), that exactly
        one interface answers; for link-local IPv6 addresses only as `target`. `claims`: an iterable of Expectation. Raises NotFound if there is no such interface.

        >>> import arpflux
        >>> snapshot = arpflux.Host.current().snapshot()
        >>> snapshot.prove(claims=[arpflux.Expectation.never("lo", "192.0.2.0/24")])[0].outcome
        <ProofOutcome.PROVED: 'proved'>
        """
    def outgoing(
        self, /, destination: _Ipv4, *, source: Optional[_Ipv4] = None, interface: Optional[str] = None
    ) -> Reached:
        """How the host reaches an IPv4 address, and what its request for that teaches its peers: a Reached. `source`: the packet's
        source address if the program chose one; `interface`: the name of the interface if it chose one (`SO_BINDTODEVICE`).
        """
    def learns(
        self, /, address: _Ipv4, mac: str, *, interfaces: Optional[Union[str, Iterable[str]]] = None
    ) -> Learned:
        """What the host learns when it is told that an IPv4 address is at a MAC, by interface and kind of frame: a Learned.
        `interfaces`: names; without, all that take requests for themselves.
        """
    def diagnose(
        self,
        /,
        *,
        policy: Optional[Policy] = None,
        wires: Optional[_Wires] = None,
        boot: Optional[BootReport] = None,
        ignore: Optional[Union[str, FindingId, Iterable[Union[str, FindingId]]]] = None,
        impact: bool = True,
    ) -> Diagnosis:
        """What is wrong, why, and what to do: a Diagnosis. With `policy` also what is not as that says. `wires`: which
        interfaces share a wire, several names for each wire, or what `Host.segments` gives; without, what the subnets tell.
        `boot`: what `at_boot` gives; what the next boot takes away or sets otherwise becomes a finding. `ignore`: findings not
        wanted (`"AF021"` or FindingId), one or several. `impact`: whether to compute what each remedy changes elsewhere.
        """
    def at_boot(self, /, *, root: Optional[_Path] = None) -> BootReport:
        """What the next boot of the host brings, compared with this snapshot: a BootReport. Which file below `root` (the folder
        that stands for / of that host) sets each value, which line wins, and which entries, rules and routes come or go.

        Raises PermissionDenied, Io or InvalidData if a file that is there cannot be read.
        """
    def plan(self, /, policy: Policy) -> Plan:
        """What has to change here so that `policy` holds: the same as `policy.plan(snapshot)`."""
    def verify(self, /, policy: Policy) -> Report:
        """Whether it is as `policy` says: the same as `policy.verify(snapshot)`."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...

@final
class Plan:
    """Ordered changes. It never changes itself; an empty plan is false. `str()` gives all of it for people."""
    @staticmethod
    def load(path: _Path) -> Plan:
        """Reads a file that `arpflux plan --json` wrote. Raises NoSuchFile, and InvalidData with the file's name."""
    @staticmethod
    def from_json(text: Union[str, bytes, bytearray], source: Optional[str] = None) -> Plan:
        """Reads what `to_json()` or `arpflux plan --json` wrote, as str or bytes; `source` stands for the file in messages."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Plan:
        """The plan that a dict as `to_dict()` gives it stands for."""
    def to_json(self, /) -> str:
        """One JSON object with `"schema": 1`; reading it back gives an equal plan."""
    def _repr_html_(self, /) -> str: ...
    def to_dict(self, /) -> dict[str, Any]:
        """The same as a dict."""
    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes, in the order they are made."""
    @property
    def decisions(self) -> tuple[str, ...]:
        """What was chosen where the policy left it open, and why: one sentence each."""
    def inverse(self, /) -> Plan:
        """The plan that restores what was there before, in the opposite order."""
    def impact(self, /, before: Snapshot, policy: Policy) -> Impact:
        """Which requests are answered otherwise after this plan on the host that `before` was taken from, for all senders and
        targets: an Impact. `policy` is the one the plan was made for: effects on what it does not name come first.
        """
    def predict(self, /, snapshot: Snapshot) -> Snapshot:
        """The state after this plan, as the kernel would have it: to see what the plan leads to without a kernel."""
    def assess(self, /, snapshot: Snapshot) -> Assessment:
        """What the plan harms on the host that the snapshot shows, and whether that is all: what `Host.apply` refuses."""
    def __len__(self, /) -> int: ...
    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Change: ...
    @overload
    def __getitem__(self, index: slice, /) -> tuple[Change, ...]: ...
    def __iter__(self, /) -> Iterator[Change]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...

@final
class Assessment:
    """What a plan harms, and what of that cannot be told. It is true if it certainly does no harm; `str()` gives it for people."""
    @property
    def ok(self) -> Optional[bool]:
        """Whether it does no harm; None if that cannot be told."""
    @property
    def harm(self) -> tuple[str, ...]:
        """What would be lost, one sentence each."""
    @property
    def unknown(self) -> int:
        """Of how many addresses cannot be told who answers for them afterwards."""
    @property
    def missing(self) -> tuple[Gap, ...]:
        """What is missing for that, as Gap."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers."""
    def __bool__(self, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...

@final
class Policy:
    r"""The desired state of one host. What it does not name is never touched. It never changes itself.

    >>> import arpflux
    >>> policy = arpflux.Policy.from_toml('version = 1\n[host]\ninterfaces = ["eth0"]\n')
    >>> policy == arpflux.Policy.from_dict(policy.to_dict())
    True
    >>> arpflux.Policy.from_toml("version = 2")
    Traceback (most recent call last):
        ...
    arpflux.InvalidPolicy: ...
    """
    def __new__(
        cls,
        *,
        interfaces: Optional[Union[str, Iterable[str]]] = None,
        strategy: Optional[str] = None,
        egress: Optional[str] = None,
        announce: Optional[bool] = None,
        foreign_proxies: Optional[str] = None,
        proxy_arp: Optional[str] = None,
        proxy_delay: Optional[int] = None,
        proxies: Optional[Iterable[Union[ProxyPolicy, dict[str, Any]]]] = None,
        services: Optional[Iterable[Union[ServicePolicy, dict[str, Any]]]] = None,
    ) -> Policy: ...
    @property
    def interfaces(self) -> Optional[tuple[str, ...]]:
        """The interfaces that it is about: names, patterns and `mac:` as they stand there; None: every one that takes ARP and
        holds an IPv4 address.
        """
    @property
    def strategy(self) -> str:
        """How addresses of the host itself are kept to their interfaces: auto, strict, filter or unmanaged."""
    @property
    def egress(self) -> str:
        """Whether packets leave by the interface that owns their source address: source-routed or unmanaged."""
    @property
    def announce(self) -> bool:
        """Whether owners are announced after a change."""
    @property
    def foreign_proxies(self) -> str:
        """What happens to proxy entries that the policy does not name: keep or remove."""
    @property
    def proxy_arp(self) -> str:
        """What becomes of proxy_arp and proxy_arp_pvlan on the interfaces: keep or off."""
    @property
    def proxy_delay(self) -> Optional[int]:
        """The proxy_delay of interfaces with proxied addresses, in ms; None: it stays as it is."""
    @property
    def proxies(self) -> tuple[ProxyPolicy, ...]:
        """Addresses of containers and guests and where they belong, as ProxyPolicy."""
    @property
    def services(self) -> tuple[ServicePolicy, ...]:
        """Addresses that several hosts hold or take over, as ServicePolicy."""
    @staticmethod
    def load(path: _Path) -> Policy:
        """Reads a file whose name ends in .toml or .json. Raises InvalidPolicy with file, line and column."""
    @staticmethod
    def from_toml(text: str, source: Optional[str] = None) -> Policy:
        """Reads the TOML form; `source` stands for the file in messages."""
    @staticmethod
    def from_json(text: str, source: Optional[str] = None) -> Policy:
        """Reads the JSON form; `source` stands for the file in messages."""
    @staticmethod
    def from_dict(policy: dict[str, Any]) -> Policy:
        """The same structure as a dict. Addresses may be `ipaddress` objects."""
    def plan(self, /, snapshot: Snapshot) -> Plan:
        """What has to change on the host that `snapshot` shows so that this policy holds; empty if it holds already. Nothing
        is changed by this, and the snapshot may be of another machine.

        Raises Refused if the policy would not work there, NotFound if an interface is not there.

        >>> import arpflux
        >>> here = arpflux.Host.current().snapshot()
        >>> nothing = {"version": 1, "host": {"strategy": "unmanaged", "egress": "unmanaged"}}
        >>> len(arpflux.Policy.from_dict(nothing).plan(here))
        0
        """
    def verify(self, /, snapshot: Snapshot) -> Report:
        """Checks a snapshot against this policy: every value, entry, rule and route, and by the model of the kernel that each
        address is answered by its own interface and no other, for all senders and targets. Nothing is sent.
        """
    def to_toml(self, /) -> str:
        """The TOML form."""
    def to_json(self, /) -> str:
        """The JSON form."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same structure as a dict."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...

@final
class Recommendation:
    """A policy that fits a host, why, and the proof that it works there. Made by `Snapshot.recommend`; it never changes. True if
    all of the proof certainly holds. `str()` gives the policy as a file that says why.
    """
    @property
    def policy(self) -> Policy:
        """The policy."""
    @property
    def plan(self) -> Plan:
        """What the policy changes on this host."""
    @property
    def proof(self) -> Report:
        """What was checked and proved of the host as it is after the plan."""
    @property
    def reasons(self) -> dict[str, str]:
        """Why each key of the policy is as it is: the sentence by the key (`host.strategy`)."""
    @property
    def refused(self) -> dict[str, str]:
        """What is not recommended: what it breaks here, or why it does not work, by its name."""
    @property
    def notes(self) -> tuple[str, ...]:
        """What the policy does not settle, one sentence each."""
    @property
    def ok(self) -> Optional[bool]:
        """Whether all of the proof holds; None if that cannot be told."""
    def to_toml(self, /) -> str:
        """The policy as a file that says why."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers: what `arpflux recommend --json` prints."""
    def __bool__(self, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...

@final
class Report:
    """What verification found. True if something was checked and all of it is certainly as the policy says."""
    @staticmethod
    def from_dict(values: dict[str, Any]) -> Report:
        """The report that a dict as `to_dict()` gives it stands for."""
    @property
    def ok(self) -> Optional[bool]:
        """True if something was checked and all of it is as the policy says, False if something is not so; None if nothing failed and
        something cannot be told.
        """
    @property
    def checks(self) -> int:
        """How many things were checked."""
    @property
    def addresses(self) -> tuple[VerifiedAddress, ...]:
        """By address: who should answer and who does, as VerifiedAddress."""
    @property
    def failures(self) -> tuple[Failure, ...]:
        """What is not as the policy says, as Failure; `str()` of each is one sentence."""
    @property
    def undetermined(self) -> tuple[str, ...]:
        """What cannot be told, one sentence each; neither good nor bad."""
    @property
    def missing(self) -> tuple[Gap, ...]:
        """What is missing for that, as Gap."""
    @property
    def ok_apart_from_that(self) -> Optional[bool]:
        """Whether all that cannot be told holds apart from what is missing; None: that cannot be told either, or nothing is missing."""
    def raise_for_failures(self, /) -> None:
        """Raises VerifyFailed, which names the first thing that is not so, and its subclass Undetermined where nothing failed and
        something cannot be told.
        """
    def to_dict(self, /) -> dict[str, Any]:
        """What `arpflux verify --json` prints."""
    def __bool__(self, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __reduce__(self, /) -> Any: ...

@final
class Containers:
    """The containers, and other machines, behind a host: what `arpflux vz` does for the scripts of vzctl, for other programs.
    Made by `Host.containers`. What is published here, every plan, watch and rollback on the host keeps.
    """
    def publish(
        self,
        /,
        owner: str,
        addresses: Union[_AddressArgument, Iterable[_AddressArgument]],
        *,
        interface: Optional[str] = None,
        all: bool = False,
        announce: bool = False,
    ) -> Receipt:
        """Publishes addresses of `owner` (a container's id, or a name of letters, digits, `-`, `_` and `.`), as one transaction: the
        interface where they belong answers for them and no other, and their packets leave by it, whatever `rp_filter` is. A route
        to each must be there already. `interface`: where they belong; by default what the policy says of the owner
        (`[[proxy]]`), or `ARPFLUX_IF` in the container's file. `all`: these are all addresses that the owner has, its former ones
        are withdrawn: with no address all of them; without `all` no address is nothing to do. `announce`: peers are told even if nothing had to change, and once more after 1.1 s.

        Raises InUse if another owner has one of the addresses; Refused if no route leads there, or the host has it itself; NotFound if
        nothing says which interface, or it is not there. Nothing is changed then.
        """
    def plan_publish(
        self,
        /,
        owner: str,
        addresses: Union[_AddressArgument, Iterable[_AddressArgument]],
        *,
        interface: Optional[str] = None,
        all: bool = False,
    ) -> Plan:
        """What `publish` would change now: Plan. Nothing is changed or sent."""
    def withdraw(
        self,
        /,
        owner: str,
        addresses: Optional[Union[_AddressArgument, Iterable[_AddressArgument]]] = None,
    ) -> Receipt:
        """Withdraws addresses of `owner`, or all of them without `addresses`: entries, rules and what only they needed. To be
        called before their routes go. What is not published is no error; what another owner has is left alone, and noted in
        the receipt.
        """
    def plan_withdraw(
        self,
        /,
        owner: str,
        addresses: Optional[Union[_AddressArgument, Iterable[_AddressArgument]]] = None,
    ) -> Plan:
        """What `withdraw` would change now: Plan. Nothing is changed or sent."""
    def sync(self, /) -> Receipt:
        """Publishes again what is missing of what was published (an interface was down, or came late), withdraws what lost its
        route, and takes over what a container's file names and somebody else published.
        """
    def published(self, /) -> tuple[Published, ...]:
        """What is published on the host, here, by `arpflux vz` or by the scripts of vzctl, and how each address stands: a tuple of
        Published.
        """

@final
class Receipt:
    """What a transaction did.

    As a context manager it undoes the change when an exception passes, and, of a change on trial, also when the block ends
    without `confirm()` or `leave()`. A change on trial whose receipt is dropped is undone, too; the copy in a forked process
    undoes nothing.
    """
    @property
    def id(self) -> Optional[int]:
        """The number of the transaction, from 1 up; None if there was nothing to do."""
    @property
    def outcome(self) -> Outcome:
        """What became of it, as Outcome."""
    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes, in the order they were made."""
    @property
    def files(self) -> tuple[FileChange, ...]:
        """The files that were changed with them, a tuple of FileChange; on trial: that will be, once it is confirmed."""
    @property
    def verified(self) -> int:
        """How many changes were read again from the kernel and found as they should be."""
    @property
    def conflicts(self) -> tuple[str, ...]:
        """What was left alone because somebody else had changed it, one sentence each."""
    @property
    def notes(self) -> tuple[str, ...]:
        """Whatever else is worth knowing, one sentence each."""
    @property
    def ok(self) -> Optional[bool]:
        """Whether it was told beforehand that the change does no harm (`Plan.assess`), or harm was accepted; None: that could not
        be told, and it was made.
        """
    @property
    def missing(self) -> tuple[Gap, ...]:
        """What is missing for that, as Gap."""
    def confirm(self, /) -> None:
        """Keeps the change. Raises NotFound if it was undone meanwhile."""
    def undo(self, /) -> None:
        """Takes the change back, on trial or not; what somebody else changed since is left alone."""
    def leave(self, /) -> None:
        """Lets the change wait for a confirmation from elsewhere; if none comes in time, it is undone."""
    def to_json(self, /) -> str:
        """One JSON object with `"schema": 1`."""
    def to_dict(self, /) -> dict[str, Any]:
        """The same as a dict."""
    def __enter__(self, /) -> Receipt: ...
    def __exit__(
        self,
        /,
        kind: Optional[type[BaseException]],
        _value: Optional[BaseException],
        _traceback: Optional[types.TracebackType],
    ) -> Literal[False]: ...

@final
class _Watcher:
    def wait(self, /, timeout: Optional[_Seconds] = None) -> Optional[tuple[Drift, ...]]:
        """Waits for news up to `timeout` (None: without end); a tuple of what drifted, or None if it is closed."""
    def step(self, /) -> Optional[tuple[Drift, ...]]:
        """Does what is to be done now, without waiting."""
    def fileno(self, /) -> Optional[int]:
        """The descriptor that is readable when `step` has something to do; None if it is closed."""
    def set_policy(self, /, policy: Policy) -> None:
        """Watches for another policy from now on."""
    @property
    def policy(self) -> Optional[Policy]:
        """The policy that is watched; None if it is closed."""
    def close(self, /) -> None:
        """Ends the watch and closes its descriptors."""

@final
class Host:
    """One network namespace of this machine, which lives at least as long as this object.

    The calling thread is never moved, and the GIL is released around every system call. A host may be
    used by several threads at once, and on both sides of a fork. What waits (for answers, for a lock, for news) can be
    interrupted by a signal; a change that is not wholly made yet is undone first.

    >>> import arpflux
    >>> host = arpflux.Host.current()
    >>> host.snapshot().interface("lo").speaks_arp
    False
    """
    @staticmethod
    def current() -> Host:
        """The namespace of the calling thread."""
    @staticmethod
    def netns(name: _Namespace) -> Host:
        """A namespace by the name that `ip netns add` gave it; by a path such as /proc/1234/ns/net, if there is a slash in it
        or it is bytes or an os.PathLike; or that of whatever has a `fileno()`: an open namespace file, any socket, a
        pyroute2 IPRoute or NetNS.

        Raises NotFound if there is none, InvalidInput if it is no network namespace, PermissionDenied for a socket
        without CAP_NET_ADMIN.
        """
    @staticmethod
    def process(pid: int) -> Host:
        """The namespace of a process, by its number.

        Raises NotFound if there is no such process, PermissionDenied if it is somebody else's.
        """
    def snapshot(self, /) -> Snapshot:
        """Everything the kernel holds there that decides about ARP, read consistently: a Snapshot.

        Raises PermissionDenied if the namespace may not be entered, Raced if it kept changing.
        """
    def explain(
        self,
        /,
        target: _AddressArgument,
        *,
        interface: str,
        sender: Optional[_AddressArgument] = None,
        sender_mac: Optional[str] = None,
        unicast: bool = False,
    ) -> Explanation:
        """Takes a snapshot and asks it: see Snapshot.explain."""
    def matrix(
        self,
        /,
        *,
        targets: Optional[Union[_AddressArgument, Iterable[_AddressArgument]]] = None,
        interfaces: Optional[Union[str, Iterable[str]]] = None,
        sender: Optional[_AddressArgument] = None,
    ) -> Matrix:
        """Takes a snapshot and asks it for everything: see Snapshot.matrix."""
    def diagnose(
        self,
        /,
        *,
        policy: Optional[Policy] = None,
        wires: Optional[_Wires] = None,
        boot: Optional[BootReport] = None,
        ignore: Optional[Union[str, FindingId, Iterable[Union[str, FindingId]]]] = None,
        impact: bool = True,
    ) -> Diagnosis:
        """Takes a snapshot and says what is wrong: see Snapshot.diagnose."""
    def plan(self, /, policy: Policy) -> Plan:
        """Takes a snapshot and says what has to change so that `policy` holds: see Policy.plan."""
    def verify(
        self,
        /,
        policy: Policy,
        *,
        wire: Optional[Literal["self", "peer"]] = None,
        peer: Optional[Union[Host, _Namespace]] = None,
        interface: Optional[str] = None,
    ) -> Report:
        """Takes a snapshot and checks it: see Policy.verify.

        With `wire="self"` it also asks the host itself, as if from the wire, for each address of the policy; with
        `wire="peer"` the host `peer` asks (a Host, or what `Host.netns` takes), on its interface `interface`, or without on
        the one whose subnet the address is in. Both take a second and more: proxies answer late.
        """
    def probe(
        self,
        /,
        targets: Union[_Target, Iterable[_Target]],
        *,
        interface: Optional[str] = None,
        tries: Optional[int] = None,
        wait: Optional[_Seconds] = None,
        rate: Optional[int] = None,
        tell_proxies: bool = True,
    ) -> tuple[Probed, ...]:
        """Asks who has addresses, as any peer would, and counts the MACs that answer: a tuple of Probed.

        `targets`: one or several addresses, networks (`192.0.2.0/24`) or ranges (`192.0.2.1-192.0.2.9`), 1,048,576 addresses
        at most. `interface`: the one to ask on; without, the one with an address on the first target's subnet. `tries`: how
        often a silent address is asked, 1 to 10, else 2. `wait`: how long it may take to answer, 1 ms to 60 s, else 1 s; below
        0.8 s late proxies are missed. `rate`: requests per second, 1 to 10,000,000, else 10,000. `tell_proxies`: whether to
        find out which MACs only proxy.

        Raises NotFound if there is no such interface, PermissionDenied without CAP_NET_RAW, Raced if replies were lost.
        """
    def announce(
        self,
        /,
        addresses: Union[_AddressArgument, Iterable[_AddressArgument]],
        *,
        interface: str,
        rounds: Optional[int] = None,
        spacing: Optional[_Seconds] = None,
        request: bool = True,
        reply: bool = True,
        never: Optional[Union[_Network, Iterable[_Network]]] = None,
        anyway: bool = False,
    ) -> int:
        """Tells everybody on the wire that addresses are at `interface`: gratuitous ARP in both forms, for IPv6 unsolicited
        neighbour advertisements. Returns the number of frames sent.

        Whoever hears it sends there from then on, so what another interface of the host holds or proxies is refused,
        unless `anyway`. `rounds`: how often, 1 to 100, else 2;
        `spacing`: the time between rounds, else 1.1 s, below 1 s receivers may ignore the second. `request` and `reply`:
        which forms. `never`: networks whose addresses are left out.

        Raises Refused if another interface is the owner or nothing is left to announce, PermissionDenied without CAP_NET_RAW.
        """
    def listen(
        self, /, interface: str, *, duration: Optional[_Seconds] = None, frames: Optional[int] = None
    ) -> CaptureReport:
        """Captures ARP on an interface as it comes, and says what it shows: a CaptureReport. It ends after `duration` or as many
        `frames`, whichever is first; one of them is needed. Nothing is sent.

        Raises NotFound if there is no such interface, PermissionDenied without CAP_NET_RAW.
        """
    def detect(
        self,
        /,
        addresses: Union[_AddressArgument, Iterable[_AddressArgument]],
        *,
        interfaces: Optional[Union[str, Iterable[str]]] = None,
        rounds: Optional[int] = None,
        spacing: Optional[_Seconds] = None,
        wait: Optional[_Seconds] = None,
    ) -> tuple[Detected, ...]:
        """Finds out whether somebody else has addresses already, proxies included: a tuple of Detected, one for each
        address and interface.

        `interfaces`: names; without, each address on all that are up and hold an address of its family. `rounds`: how often to ask, 1 to 10, else 2;
        `spacing`: the time between, else 0.5 s; `wait`: how long to listen after the last, else 1 s.
        """
    def segments(
        self,
        /,
        interfaces: Optional[Union[str, Iterable[str]]] = None,
        *,
        rounds: Optional[int] = None,
        wait: Optional[_Seconds] = None,
    ) -> Segments:
        """Finds out with frames which of the host's interfaces share a wire: Segments, which `diagnose` takes as `wires`.

        Each sends a harmless broadcast frame (EtherType 0x88b5, kept for local experiments) and all listen. `interfaces`:
        names; without, all that take ARP requests. `rounds`: how many frames each sends, 1 to 10, else 1; `wait`: how long to
        listen after each round, 1 ms to 60 s, else 0.3 s.

        Raises NotFound if there is no such interface, PermissionDenied without CAP_NET_RAW.
        """
    def watch(
        self,
        /,
        policy: Policy,
        *,
        heal: bool = False,
        look: Optional[_Seconds] = None,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Watch:
        """Watches for drift from a policy: a Watch, an iterator and asynchronous iterator over Drift.

        With `heal`, what drifts is put right, each time as a transaction. `look`: the longest time between two looks at
        everything, 0.1 s to a day, else 5 s. `lock_wait` and `state_dir` as for `apply`.
        """
    def apply(
        self,
        /,
        plan: Plan,
        *,
        confirm: Optional[_Seconds] = None,
        accept_harm: bool = False,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Receipt:
        """Makes a plan so, as one transaction: all of it, or nothing of it.

        With `confirm` (seconds or timedelta, 1 s to 24 h) the change is on trial: it is undone unless the receipt's
        `confirm()` comes in time, by a process of its own that outlives this one. `lock_wait`: how long to wait for another
        writer, 10 s without. `state_dir`: where receipts and journals lie; all writers of a namespace have to agree.
        `accept_harm`: do it even if an address loses its last answer, or a neighbour or container its way.

        Where it cannot be told whether it does such harm, it is made, and the receipt's `ok` is None.
        Raises Refused if it would do such harm, Changed if the host is no longer what the plan saw, RolledBack if a step failed and all was undone,
        PartlyApplied if not all could be undone, Busy if another writer is in the way.
        """
    def apply_and_persist(
        self,
        /,
        persistence: Persistence,
        *,
        confirm: Optional[_Seconds] = None,
        accept_harm: bool = False,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Receipt:
        """Makes a policy so, now and at every boot, as one transaction: the files of the host's managers belong to it. On trial
        they are written when it is confirmed. The receipt's `files` says which, its `notes` what else is to be done.

        Options and errors are those of `apply`; besides, InvalidInput if files of this machine are to be written for another
        namespace.
        """
    def add_proxies(
        self,
        /,
        addresses: Union[_AddressArgument, Iterable[_AddressArgument]],
        *,
        interface: str,
        only: bool = False,
        announce: bool = False,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Receipt:
        """Lets `interface` answer for addresses, as one transaction: proxy entries, IPv4 (ARP) and IPv6 (NDP). What is there
        already stays. `only`: entries of these addresses on other interfaces go. `announce`: the peers are told.

        Raises NotFound if there is no such interface, Refused if the host itself has one of the addresses.
        """
    def remove_proxies(
        self,
        /,
        addresses: Union[_AddressArgument, Iterable[_AddressArgument]],
        *,
        interface: Optional[str] = None,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Receipt:
        """Deletes the proxy entries of addresses, on `interface` or, without, on all, as one transaction. What is not there is
        no error.
        """
    def containers(
        self,
        /,
        *,
        policy: Optional[_Path] = None,
        vz_dir: Optional[_Path] = None,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Containers:
        """The containers, and other machines, behind this host: Containers. `policy`: the file of the policy, by default
        `/etc/arpflux/policy.toml`; `vz_dir`: the folder with `vz.conf` and `conf/OWNER.conf`, by default `/etc/vz`. Neither
        needs to exist.
        """
    def rollback(
        self,
        /,
        id: Optional[int] = None,
        *,
        force: bool = False,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Receipt:
        """Takes a transaction back: the one of number `id`, or the last that a person made and that stands: what a watch or
        the scripts of containers made is taken back by its number only. What somebody else changed since is left alone
        and listed in the receipt's `conflicts`, unless `force`; what published addresses of containers stand on is left,
        and named in the `notes`. Without `id`, `NotFound` also where the last change on trial had nothing to change.
        """
    def confirm(
        self,
        /,
        id: Optional[int] = None,
        *,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Receipt:
        """Keeps the transaction that waits for confirmation, for those who do not hold its receipt."""
    def pending(self, /, *, state_dir: Optional[_Path] = None) -> Optional[Receipt]:
        """The receipt of the transaction that waits for confirmation, or None. Dropping it decides nothing."""
    def receipts(self, /, *, state_dir: Optional[_Path] = None) -> tuple[Receipt, ...]:
        """The receipts of the transactions that are remembered, the oldest first: a tuple of Receipt."""
    def recover(
        self,
        /,
        *,
        discard: bool = False,
        lock_wait: Optional[_Seconds] = None,
        state_dir: Optional[_Path] = None,
    ) -> Optional[Receipt]:
        """Undoes what a crash left half done; the receipt of what was undone, or None. With `discard`, a journal that cannot
        be carried out is set aside instead.
        """
    def __reduce__(self, /) -> Any: ...
