"""Names that Rust, C, JSON and the command share, as enums. Each member is its name as a string, too.

Written by `cargo xtask gen` out of the enums of the core.
"""

from __future__ import annotations

import enum


class Name(str, enum.Enum):
    """A stable name: equal to its text, which is also what `str()` gives.

    >>> import arpflux
    >>> arpflux.Outcome("applied") is arpflux.Outcome.APPLIED, arpflux.Outcome.APPLIED == "applied"
    (True, True)
    """

    def __str__(self) -> str:
        return str(self.value)


class Ordered(Name):
    """Names with an order, from the first to the last: they compare by it, with one another and with their texts.

    >>> import arpflux
    >>> arpflux.Severity.ERROR > arpflux.Severity.WARNING, max(arpflux.Severity), arpflux.Severity.INFO < "error"
    (True, <Severity.ERROR: 'error'>, True)
    """

    def _after(self, other: object) -> int:
        """How many places this one stands behind the other."""
        members = list(type(self))
        try:
            return members.index(self) - members.index(type(self)(other))
        except ValueError:
            # NotImplemented would have the texts compared.
            raise TypeError(f"{other!r} is no {type(self).__name__}") from None

    def __lt__(self, other: object) -> bool:
        return self._after(other) < 0

    def __le__(self, other: object) -> bool:
        return self._after(other) <= 0

    def __gt__(self, other: object) -> bool:
        return self._after(other) > 0

    def __ge__(self, other: object) -> bool:
        return self._after(other) >= 0


class ErrorKind(Name):
    """What class of failure an `Error` is. Numbers are stable; retired ones are never given out again.

    - `INVALID_INPUT`: A value is malformed or out of range: an address, an interface name, an option.
    - `INVALID_POLICY`: A policy file is not valid.
    - `INVALID_DATA`: A stored snapshot, receipt or journal cannot be read, or is of a version this build does not know.
    - `REFUSED`: The policy asks for something that would not work on this host, and says why.
    - `NOT_FOUND`: No such interface, namespace, file or entry.
    - `CHANGED`: The interface, entry or value is no longer what it was when the plan was made.
    - `UNSUPPORTED`: The kernel has no such sysctl, or does not support the operation.
    - `PERMISSION_DENIED`: A capability is missing.
    - `BUSY`: Another writer holds the lock of this namespace.
    - `TIMED_OUT`: Nothing came within the time allowed.
    - `RACED`: The kernel's dumps kept being interrupted by changes.
    - `INTERRUPTED`: Stopped by a signal or by the caller.
    - `IN_USE`: Another owner of this host has the address, or has booked it.
    - `IO`: Any other system call failure.
    - `ROLLED_BACK`: Applying failed; everything already done was undone.
    - `PARTLY_APPLIED`: Applying failed and undoing failed too; the error lists what is left.
    - `VERIFY_FAILED`: Verification found that the host is not as the policy says.
    - `UNDETERMINED`: Nothing is known to be wrong, and something that decides could not be read or understood.
    - `INTERNAL`: A defect of arpflux: please report it.
    """

    INVALID_INPUT = "invalid_input"
    INVALID_POLICY = "invalid_policy"
    INVALID_DATA = "invalid_data"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    CHANGED = "changed"
    UNSUPPORTED = "unsupported"
    PERMISSION_DENIED = "permission_denied"
    BUSY = "busy"
    TIMED_OUT = "timed_out"
    RACED = "raced"
    INTERRUPTED = "interrupted"
    IN_USE = "in_use"
    IO = "io"
    ROLLED_BACK = "rolled_back"
    PARTLY_APPLIED = "partly_applied"
    VERIFY_FAILED = "verify_failed"
    UNDETERMINED = "undetermined"
    INTERNAL = "internal"


class Reason(Name):
    """The rule of the kernel that decided about a request.

    - `LOCAL`: It is an address of this host.
    - `PROXY_ENTRY`: There is a proxy entry for it.
    - `PROXY_ARP`: proxy_arp is on and the route leaves by another interface.
    - `PROXY_ARP_PVLAN`: proxy_arp_pvlan is on and the route leaves by the arrival interface.
    - `ANYCAST`: It is an anycast address of this interface.
    - `NO_INTERFACE`: There is no such interface.
    - `INTERFACE_DOWN`: The interface is down.
    - `NO_CARRIER`: The interface has no carrier: nobody is heard on it.
    - `NOARP`: The interface does no ARP.
    - `LOOPBACK_INTERFACE`: It is the loopback interface.
    - `IPV4_DISABLED`: The interface has no IPv4.
    - `IPV6_DISABLED`: The interface has no IPv6.
    - `BRIDGE_PORT_BLOCKED`: The bridge takes no frames from this port now.
    - `BOND_BACKUP_PORT`: The bond drops what its backup port receives.
    - `FILTER_DROPS_REQUEST`: A packet filter drops the request.
    - `FILTER_DROPS_ANSWER`: A packet filter drops the answer.
    - `FILTER_REWRITES`: A packet filter makes another frame of it.
    - `MULTICAST_TARGET`: The target is a multicast address.
    - `LOOPBACK_TARGET`: The target is a loopback address.
    - `GRATUITOUS_DROPPED`: drop_gratuitous_arp drops announcements.
    - `PROBE_NOT_LOCAL`: A probe is answered only for the host's own addresses.
    - `MARTIAN_SENDER`: The sender is no possible source address.
    - `LOOPBACK_SENDER`: The sender is a loopback address.
    - `MARTIAN_TARGET`: The target is no possible destination.
    - `NO_ROUTE`: No route leads to the target.
    - `ROUTE_REJECTS`: A route or rule rejects the target.
    - `BROADCAST_TARGET`: The target is a broadcast address.
    - `ROUTE_KIND`: The route to the target is not a unicast one.
    - `FORWARDING_OFF`: The interface does not forward, so it does not proxy.
    - `IPV4_DISABLED_BEHIND`: The interface behind the route has no IPv4.
    - `SENDER_LOCAL`: The sender is an address of this host.
    - `SENDER_KIND`: The sender is a broadcast or rejected address.
    - `RP_FILTER_STRICT`: Strict rp_filter: the route to the sender leaves elsewhere.
    - `RP_FILTER_NO_ROUTE`: rp_filter: no route leads to the sender.
    - `ARP_IGNORE`: arp_ignore refuses.
    - `ARP_FILTER`: arp_filter refuses: the answer would leave by another interface.
    - `GROUP_NOT_JOINED`: The interface does not listen to the target's solicited-node group.
    - `UNICAST_PROBE`: A probe that is sent to one host is dropped.
    - `TENTATIVE`: Duplicate address detection has not ended, or has failed.
    - `OTHER_INTERFACE`: It is an address of another interface, which alone answers for it.
    - `NO_SOURCE_ADDRESS`: There is no address here that the answer could be sent from.
    - `FIXED_NEIGHBOUR`: A permanent neighbour entry sends the answer to another MAC.
    - `SAME_INTERFACE`: The route to the target leaves by the arrival interface.
    - `PVLAN_ANNOUNCEMENT`: proxy_arp_pvlan does not answer announcements.
    - `MEDIUM_ID`: medium_id forbids proxy_arp between the two interfaces.
    - `PROXY_NDP_OFF`: There is a proxy entry for it, and proxy_ndp is off.
    - `NOT_PROXIED`: It is neither an address of this host nor proxied here.
    """

    LOCAL = "local"
    PROXY_ENTRY = "proxy_entry"
    PROXY_ARP = "proxy_arp"
    PROXY_ARP_PVLAN = "proxy_arp_pvlan"
    ANYCAST = "anycast"
    NO_INTERFACE = "no_interface"
    INTERFACE_DOWN = "interface_down"
    NO_CARRIER = "no_carrier"
    NOARP = "noarp"
    LOOPBACK_INTERFACE = "loopback_interface"
    IPV4_DISABLED = "ipv4_disabled"
    IPV6_DISABLED = "ipv6_disabled"
    BRIDGE_PORT_BLOCKED = "bridge_port_blocked"
    BOND_BACKUP_PORT = "bond_backup_port"
    FILTER_DROPS_REQUEST = "filter_drops_request"
    FILTER_DROPS_ANSWER = "filter_drops_answer"
    FILTER_REWRITES = "filter_rewrites"
    MULTICAST_TARGET = "multicast_target"
    LOOPBACK_TARGET = "loopback_target"
    GRATUITOUS_DROPPED = "gratuitous_dropped"
    PROBE_NOT_LOCAL = "probe_not_local"
    MARTIAN_SENDER = "martian_sender"
    LOOPBACK_SENDER = "loopback_sender"
    MARTIAN_TARGET = "martian_target"
    NO_ROUTE = "no_route"
    ROUTE_REJECTS = "route_rejects"
    BROADCAST_TARGET = "broadcast_target"
    ROUTE_KIND = "route_kind"
    FORWARDING_OFF = "forwarding_off"
    IPV4_DISABLED_BEHIND = "ipv4_disabled_behind"
    SENDER_LOCAL = "sender_local"
    SENDER_KIND = "sender_kind"
    RP_FILTER_STRICT = "rp_filter_strict"
    RP_FILTER_NO_ROUTE = "rp_filter_no_route"
    ARP_IGNORE = "arp_ignore"
    ARP_FILTER = "arp_filter"
    GROUP_NOT_JOINED = "group_not_joined"
    UNICAST_PROBE = "unicast_probe"
    TENTATIVE = "tentative"
    OTHER_INTERFACE = "other_interface"
    NO_SOURCE_ADDRESS = "no_source_address"
    FIXED_NEIGHBOUR = "fixed_neighbour"
    SAME_INTERFACE = "same_interface"
    PVLAN_ANNOUNCEMENT = "pvlan_announcement"
    MEDIUM_ID = "medium_id"
    PROXY_NDP_OFF = "proxy_ndp_off"
    NOT_PROXIED = "not_proxied"


class Missing(Name):
    """Something that would decide and could not be read or decided.

    - `RULES_CHANGED`: Whether the routing rules were ever changed here: until then the tables local and main are one.
    - `LOCAL_ROUTES_ADDED`: Whether a route of type local was ever added here: from then on senders are checked in full.
    - `REALMS`: Whether routes or rules have realms: with them senders are checked in full.
    - `MULTIPATH`: Which of several next hops the kernel's hash picks.
    - `DEFAULT_ROUTE`: Which of several equal default routes the kernel considers alive.
    - `KEPT_SOURCE`: Which source address the kernel keeps for the nexthop object.
    - `BORROWED_SOURCE`: Which interface came first into the namespace: the kernel borrows its address.
    - `KERNEL_VERSION`: How this kernel behaves here: its version does not tell.
    - `BOND`: Which of the bond's ports is active, or which port's MAC it answers with.
    - `MACVLAN_SOURCE`: Which senders the macvlan in mode source takes.
    - `BRIDGE_PORT`: What an option of the bridge (multicast_snooping) or of its port (locked, neigh_suppress, VLANs …) does with the frames.
    - `LINK_OPTION`: What an option of the link does with ARP frames that is not modelled.
    - `OLD_SNAPSHOT`: Options of the link: the snapshot was taken by a version that did not read them.
    - `NETFILTER`: What nftables, arptables or ebtables do with ARP frames.
    - `TRAFFIC_CONTROL`: What the traffic control filter on the interface does with ARP frames.
    - `XDP`: What the XDP program on the interface does with ARP frames.
    - `LISTENER`: Whether a program that listens for ARP answers.
    - `NEIGHBOUR_TABLE`: Whether the kernel still finds room for the sender in its full neighbour table (gc_thresh3).
    - `UNREADABLE`: State that could not be read.
    - `DISCOVERY`: What decides about neighbour discovery, of which the snapshot has nothing.
    - `KIND`: How an interface of this kind (VRF, ipvlan) treats neighbour solicitations.
    - `IPV6_ROUTE`: Which IPv6 rule or route the kernel takes.
    - `NEIGHBOUR_ENTRY`: Whether the permanent neighbour entry of the sender has its MAC.
    - `WIRE`: Which wire an interface without an address is on.
    - `PEER`: What is answered on a wire that the peer is not on.
    - `BOOT_FILE`: What files that are run at boot set, which were not followed.
    """

    RULES_CHANGED = "rules_changed"
    LOCAL_ROUTES_ADDED = "local_routes_added"
    REALMS = "realms"
    MULTIPATH = "multipath"
    DEFAULT_ROUTE = "default_route"
    KEPT_SOURCE = "kept_source"
    BORROWED_SOURCE = "borrowed_source"
    KERNEL_VERSION = "kernel_version"
    BOND = "bond"
    MACVLAN_SOURCE = "macvlan_source"
    BRIDGE_PORT = "bridge_port"
    LINK_OPTION = "link_option"
    OLD_SNAPSHOT = "old_snapshot"
    NETFILTER = "netfilter"
    TRAFFIC_CONTROL = "traffic_control"
    XDP = "xdp"
    LISTENER = "listener"
    NEIGHBOUR_TABLE = "neighbour_table"
    UNREADABLE = "unreadable"
    DISCOVERY = "discovery"
    KIND = "kind"
    IPV6_ROUTE = "ipv6_route"
    NEIGHBOUR_ENTRY = "neighbour_entry"
    WIRE = "wire"
    PEER = "peer"
    BOOT_FILE = "boot_file"


class Via(Name):
    """Why the kernel answers.

    - `LOCAL`: The target is an address of the host.
    - `PROXY_ENTRY`: A proxy entry (`ip neigh add proxy`).
    - `PROXY_ARP`: `proxy_arp`.
    - `PROXY_PVLAN`: `proxy_arp_pvlan`.
    - `ANYCAST`: An IPv6 anycast address of the interface.
    """

    LOCAL = "local"
    PROXY_ENTRY = "proxy_entry"
    PROXY_ARP = "proxy_arp"
    PROXY_PVLAN = "proxy_pvlan"
    ANYCAST = "anycast"


class ValueSource(Name):
    """Where an effective value comes from.

    - `ALL`: `net.ipv4.conf.all` decided.
    - `INTERFACE`: The interface's own value decided.
    - `BOTH`: Both hold the value.
    - `ABSENT`: The kernel has no such sysctl; the value is what it does without.
    """

    ALL = "all"
    INTERFACE = "interface"
    BOTH = "both"
    ABSENT = "absent"


class ChangeKind(Name):
    """Something in the kernel that has one value at a time.

    - `SYSCTL`: A sysctl below `net.ipv4.conf`.
    - `IPV6_SYSCTL`: A sysctl below `net.ipv6.conf`.
    - `PROXY_DELAY`: `proxy_delay` below `net.ipv4.neigh`.
    - `PROXY`: A proxy entry: of one address there is at most one on an interface, and one without.
    - `RULE`: A policy routing rule.
    - `ROUTE`: A route.
    """

    SYSCTL = "sysctl"
    IPV6_SYSCTL = "ipv6_sysctl"
    PROXY_DELAY = "proxy_delay"
    PROXY = "proxy"
    RULE = "rule"
    ROUTE = "route"


class CheckKind(Name):
    """What was looked at.

    - `POLICY`: Whether the policy can hold on this host at all.
    - `SYSCTL`: A sysctl's value.
    - `PROXY`: A proxy entry.
    - `RULE`: A policy routing rule.
    - `ROUTE`: A route.
    - `MODEL`: What the model says of all requests for an address.
    - `WIRE`: Answers seen on the wire.
    """

    POLICY = "policy"
    SYSCTL = "sysctl"
    PROXY = "proxy"
    RULE = "rule"
    ROUTE = "route"
    MODEL = "model"
    WIRE = "wire"


class WireCertainty(Name):
    """How well it is known which wire an interface is on.

    - `UNKNOWN`: It is up and has carrier, and nothing on this host tells what it is connected to: it may hear any other.
    - `LIKELY`: Its subnets, or routes that lead to neighbours on it, tell.
    - `KNOWN`: Somebody found it out or said it, nothing can be heard there, or it never leaves this host.
    """

    UNKNOWN = "unknown"
    LIKELY = "likely"
    KNOWN = "known"


class SegmentOutcome(Name):
    """What the answers for one address come to.

    - `DUPLICATE`: Several hosts answer, with different MACs: whoever is heard first has the traffic.
    - `FLUX`: One host answers with several MACs.
    - `UNDETERMINED`: No two MACs certainly answer, and of some interfaces it cannot be told.
    - `SINGLE`: One MAC answers.
    - `NOBODY`: Nobody answers.
    """

    DUPLICATE = "duplicate"
    FLUX = "flux"
    UNDETERMINED = "undetermined"
    SINGLE = "single"
    NOBODY = "nobody"


class SegmentCause(Name):
    """How it comes about that several hosts answer for one address.

    - `SERVICE_ADDRESS`: Several hold it, and one of them where no request arrives (`lo`, a dummy): a service address for which only its holder is to answer.
    - `HELD`: Several hold it.
    - `PROXIED`: Several proxy it.
    - `HELD_AND_PROXIED`: One holds it and others proxy it.
    """

    SERVICE_ADDRESS = "service_address"
    HELD = "held"
    PROXIED = "proxied"
    HELD_AND_PROXIED = "held_and_proxied"


class OrderAction(Name):
    """What is done on a host.

    - `WITHDRAW`: Its proxy entries of some addresses go (`arpflux proxy del`), because a host of the next batch takes them.
    - `APPLY`: Its policy is applied.
    """

    WITHDRAW = "withdraw"
    APPLY = "apply"


class DoubtState(Name):
    """Who answers in a time of doubt.

    - `SEVERAL`: Several hosts.
    - `UNDETERMINED`: It cannot be told whether one does.
    - `NOBODY`: Nobody, or nobody before the batch ends: one host has withdrawn it, the other not yet published it.
    """

    SEVERAL = "several"
    UNDETERMINED = "undetermined"
    NOBODY = "nobody"


class Redundancy(Name):
    """Protocols by which several routers share an address and move its MAC along with it.

    - `VRRP`: VRRP (RFC 9568 section 7.3), or CARP, which took the same range: `00:00:5e:00:01:XX`, for IPv6 `00:00:5e:00:02:XX`.
    - `HSRP`: HSRP version 1: `00:00:0c:07:ac:XX`.
    - `HSRP2`: HSRP version 2: `00:00:0c:9f:fX:XX`.
    - `NLB`: Microsoft NLB, whose nodes share one: `02:bf:…`, `03:bf:…`, `01:00:5e:7f:…`.
    - `FGCP`: FortiGate clusters (FGCP): `00:09:0f:09:XX:XX`.
    - `CHECK_POINT`: Check Point clusters with virtual MACs: `00:1c:7f:00:XX:XX`.
    - `ANYCAST`: Gateways that every switch or host of a fabric has with one MAC: Arista's VARP, Cumulus, Cisco ACI, VMware NSX, Calico, Azure.
    - `GLBP`: GLBP, where several MACs answer for one address in turn by design: `00:07:b4:XX:XX:XX`.
    """

    VRRP = "vrrp"
    HSRP = "hsrp"
    HSRP2 = "hsrp2"
    NLB = "nlb"
    FGCP = "fgcp"
    CHECK_POINT = "check_point"
    ANYCAST = "anycast"
    GLBP = "glbp"


class RouteKind(Name):
    """What a route does (`RTN_*`).

    - `UNICAST`: A gateway or a direct route.
    - `LOCAL`: The destination is this host.
    - `BROADCAST`: Received as broadcast, sent as broadcast.
    - `ANYCAST`: Received as broadcast, sent as unicast.
    - `MULTICAST`: Multicast.
    - `BLACKHOLE`: Drop silently.
    - `UNREACHABLE`: Drop, say "host unreachable".
    - `PROHIBIT`: Drop, say "administratively prohibited".
    - `THROW`: Go on with the next rule.
    """

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    ANYCAST = "anycast"
    MULTICAST = "multicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


class RuleAction(Name):
    """What a rule does with what it matches (`FR_ACT_*`).

    - `TABLE`: Look into the rule's table.
    - `GOTO`: Go on at the rule of priority `Rule::goto`.
    - `NOP`: Nothing.
    - `BLACKHOLE`: Drop silently.
    - `UNREACHABLE`: Drop, say "unreachable".
    - `PROHIBIT`: Drop, say "prohibited".
    """

    TABLE = "table"
    GOTO = "goto"
    NOP = "nop"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"


class InterferenceKind(Name):
    """Something that can answer, drop or change ARP frames, or that could not be read: a reason why a prediction may be `Undetermined`.

    - `NETFILTER`: An nftables, arptables or ebtables chain that sees ARP frames.
    - `TRAFFIC_CONTROL`: A program or an action of traffic control on the interface's ingress or egress.
    - `XDP`: An XDP program on the interface.
    - `LISTENER`: A program in user space that listens for ARP frames and may answer them.
    - `FULL_NEIGHBOUR_TABLE`: The machine's table of IPv4 neighbours, one for all namespaces, may be full: the kernel makes no entry for somebody new who asks then, and gives no answer for its own addresses.
    - `UNREADABLE`: Something that could not be read, usually for want of a capability.
    """

    NETFILTER = "netfilter"
    TRAFFIC_CONTROL = "traffic_control"
    XDP = "xdp"
    LISTENER = "listener"
    FULL_NEIGHBOUR_TABLE = "full_neighbour_table"
    UNREADABLE = "unreadable"


class Expect(Name):
    """A claim about a snapshot. `among` restricts it to some interfaces, usually those on one wire; empty means every interface that takes ARP requests. Of IPv6 it is about solicitations to the solicited-node group.

    - `EXACTLY_ONE`: One interface answers for `target`, the same one whoever asks, and it answers every neighbour: all hosts of its subnets around `target`; of any of its subnets if none is around it; anybody at all if it has none. Of IPv6: all hosts of all its subnets (of those of the host around `target` if it has none), and all link-local ones.
    - `NOTHING_BUT`: Whoever asks for an address of `target`, no interface but `interface` answers. It need not answer either.
    - `ANSWERS`: `interface` answers every neighbour that asks for `target`.
    - `NEVER`: Whoever asks `interface` for an address of `target` gets no answer.
    - `LEAVES_BY`: Packets from `source`, an IPv4 address, wherever they go, leave by none of `among` but `interface`: the host's own packets or, if the address is not the host's, those it forwards for the container behind it. Packets to the host itself, to other interfaces (containers) and to nowhere do not count.
    """

    EXACTLY_ONE = "exactly_one"
    NOTHING_BUT = "nothing_but"
    ANSWERS = "answers"
    NEVER = "never"
    LEAVES_BY = "leaves_by"


class ProofOutcome(Name):
    """What became of a claim.

    - `PROVED`: It holds for all senders and all targets it is about.
    - `REFUTED`: It does not hold, and this is a case.
    - `UNDETERMINED`: It cannot be decided: nothing known speaks against it, but some case cannot be told.
    """

    PROVED = "proved"
    REFUTED = "refuted"
    UNDETERMINED = "undetermined"


class Outgoing(Name):
    """What the host does to reach an address.

    - `ASKS`: It asks, unless it knows already. Everyone who hears the request may learn that `sender` is at `mac`; the one asked surely does.
    - `NO_REQUEST`: It sends without asking: to itself, to a broadcast or multicast address, through a gateway with an IPv6 address, or by an interface that does no ARP; or a packet filter, or a bridge without a port for broadcasts, keeps the request from leaving.
    - `UNREACHABLE`: It cannot send.
    - `UNDETERMINED`: That cannot be told from the snapshot.
    """

    ASKS = "asks"
    NO_REQUEST = "no_request"
    UNREACHABLE = "unreachable"
    UNDETERMINED = "undetermined"


class SourceRule(Name):
    """Which rule of `arp_announce` gave the sender address of a request.

    - `PACKET`: The packet's own source address: `arp_announce` is 0, or a value without meaning.
    - `SAME_SUBNET`: The packet's own source address, which `arp_announce=1` allows: it shares a subnet of the interface with the target.
    - `BEST`: The interface's best address for the target (`inet_select_addr()`): `arp_announce` is 2, or 1 and the packet's source was refused, or the packet's source is not local.
    """

    PACKET = "packet"
    SAME_SUBNET = "same_subnet"
    BEST = "best"


class Learning(Name):
    """What becomes of the host's neighbour entry for the sender.

    - `NOTHING`: Nothing: none is made, and one that is there stays as it is.
    - `KEEPS_OTHER`: The entry keeps its MAC if it holds another one: it is too fresh (`locktime`), so the first of several quick answers wins.
    - `TAKES`: The entry is made, or gets the frame's MAC.
    - `UNDETERMINED`: That cannot be told from the snapshot.
    """

    NOTHING = "nothing"
    KEEPS_OTHER = "keeps_other"
    TAKES = "takes"
    UNDETERMINED = "undetermined"


class AnswerChange(Name):
    """How a verdict changes.

    - `LOSES`: There was an answer and there is none any more.
    - `UNCLEAR`: Whether there is an answer cannot be told before or afterwards.
    - `MOVES`: The answer has another MAC.
    - `GAINS`: There was no answer and now there is one.
    """

    LOSES = "loses"
    UNCLEAR = "unclear"
    MOVES = "moves"
    GAINS = "gains"


class Severity(Ordered):
    """How bad a finding is; later ones are worse.

    - `INFO`: Worth knowing; many healthy hosts have it.
    - `WARNING`: It goes wrong under conditions that do occur.
    - `ERROR`: It goes wrong now.
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class FindingId(Name):
    """What can be found. The numbers are stable and never change their meaning.

    - `SEVERAL_ANSWER`: Several interfaces of one wire answer for the same address.
    - `SELF_CONFLICT`: The host answers its own duplicate address probe.
    - `TEACHES_WRONG_MAC`: The host's own requests teach its peers the wrong MAC.
    - `ALL_WEAKENS`: The value of `all` switches an interface's own setting off.
    - `NO_SUCH_MODE`: A sysctl has a value that means nothing to the kernel.
    - `FILTER_WITHOUT_ROUTING`: arp_filter makes another interface answer instead of the owner.
    - `NOBODY_ANSWERS`: No interface may answer for an address of the host.
    - `RP_FILTER_SILENCES`: Strict rp_filter silences the interface that holds the address.
    - `LATER_INTERFACES`: An interface that appears later will not have these settings.
    - `PROXY_FORWARDING_OFF`: A proxy entry cannot answer: its interface does not forward.
    - `PROXY_NO_ROUTE`: A proxy entry cannot answer: no route leads to its address.
    - `PROXY_SAME_INTERFACE`: A proxy entry cannot answer: its address is on the same interface.
    - `PROXY_SEVERAL`: Several interfaces of one wire answer for the same proxied address.
    - `PROXY_MISSING`: Nobody answers for an address that lives behind this host.
    - `PROXY_DELAY`: Answers for proxied addresses come late.
    - `PROXY_QUEUE`: Requests for proxied addresses can be dropped.
    - `PROXY_MANY`: There are so many proxy entries that adding more is slow.
    - `PROXY_ARP_WHOLE_SUBNET`: proxy_arp answers for addresses of other hosts on the wire.
    - `PROXY_ARP_NOTHING_BEHIND`: proxy_arp answers for everything on an interface without an address.
    - `PROXY_ARP_NO_ROUTE`: proxy_arp has no route to the gateway that containers ask for.
    - `EGRESS_SAME_WIRE`: Packets from an address leave by another interface of the same wire.
    - `EGRESS_OTHER_UPLINK`: Packets from one uplink's address leave by another uplink.
    - `SERVICE_ADDRESS_SILENT`: Nobody on the wire gets an answer for an address on a loopback or dummy interface.
    - `SETTING_ON_OWNER`: An address on a loopback or dummy interface is answered for on the wire.
    - `UNNUMBERED_SILENT`: arp_ignore silences an interface without an address.
    - `POINT_TO_POINT_SILENT`: arp_ignore silences a point-to-point address.
    - `OFF_SUBNET_SILENT`: arp_ignore=2 refuses neighbours outside the subnet.
    - `BRIDGE_EXPOSED`: The address of a container bridge or tunnel is answered for outside.
    - `POLICY_NOT_KEPT`: The host is not as its policy says.
    - `NOT_PERSISTED`: Settings are lost at the next boot.
    - `OVERWRITTEN_AT_BOOT`: A file sets another value at the next boot.
    - `CONFLICTING_MANAGERS`: One setting is made in several places that disagree.
    - `MISPLACED`: An address is on another interface than its subnet.
    - `BACKUP_ANSWERED`: An address of an interface without carrier is answered for.
    - `RULES_HIDE_NETWORK`: A rule leads packets for a local network past it.
    - `RP_FILTER_UPLINK`: Strict rp_filter drops what comes in by a second uplink.
    - `NOT_FORWARDED_BACK`: Packets of a host that is answered for are not forwarded.
    - `PROXY_ARP_IDLE`: proxy_arp answers for nothing.
    - `SERVICE_ADDRESS_OPEN`: An address on a loopback or dummy interface is answered for: another host may have it, too.
    - `PERMANENT_NEIGHBOUR`: A permanent neighbour entry keeps the host from asking.
    - `HIDDEN_BY_FILTER`: A packet filter hides an address that arp_ignore would hide without.
    - `CONNECTED_ROUTE_MISSING`: Table main has no route to a subnet that the host is on.
    - `IPV6_PROXY_SEVERAL`: Several interfaces of one wire answer for the same proxied IPv6 address.
    - `IPV6_PROXY_FORWARDING_OFF`: An IPv6 proxy entry has no effect: forwarding is off.
    - `IPV6_PROXY_NDP_OFF`: An IPv6 proxy entry cannot answer: proxy_ndp is off.
    - `IPV6_PROXY_SILENT`: An IPv6 proxy entry cannot answer.
    - `IPV6_PROXY_NO_ROUTE`: An IPv6 proxy entry answers, and no route leads to its address.
    - `IPV6_PROXY_SAME_INTERFACE`: An IPv6 proxy entry answers for an address of the same interface.
    - `DETECTION_FAILED`: An IPv6 address cannot be used: duplicate address detection failed.
    - `IPV6_ANSWERED_NOWHERE`: No interface answers for an IPv6 address of the host.
    - `IPV6_SEVERAL_ANSWER`: Several interfaces of one wire answer for the same IPv6 address of the host.
    """

    SEVERAL_ANSWER = "AF001"
    SELF_CONFLICT = "AF002"
    TEACHES_WRONG_MAC = "AF003"
    ALL_WEAKENS = "AF004"
    NO_SUCH_MODE = "AF005"
    FILTER_WITHOUT_ROUTING = "AF006"
    NOBODY_ANSWERS = "AF007"
    RP_FILTER_SILENCES = "AF008"
    LATER_INTERFACES = "AF009"
    PROXY_FORWARDING_OFF = "AF010"
    PROXY_NO_ROUTE = "AF011"
    PROXY_SAME_INTERFACE = "AF012"
    PROXY_SEVERAL = "AF013"
    PROXY_MISSING = "AF014"
    PROXY_DELAY = "AF015"
    PROXY_QUEUE = "AF016"
    PROXY_MANY = "AF017"
    PROXY_ARP_WHOLE_SUBNET = "AF018"
    PROXY_ARP_NOTHING_BEHIND = "AF019"
    PROXY_ARP_NO_ROUTE = "AF020"
    EGRESS_SAME_WIRE = "AF021"
    EGRESS_OTHER_UPLINK = "AF022"
    SERVICE_ADDRESS_SILENT = "AF023"
    SETTING_ON_OWNER = "AF024"
    UNNUMBERED_SILENT = "AF025"
    POINT_TO_POINT_SILENT = "AF026"
    OFF_SUBNET_SILENT = "AF027"
    BRIDGE_EXPOSED = "AF028"
    POLICY_NOT_KEPT = "AF029"
    NOT_PERSISTED = "AF030"
    OVERWRITTEN_AT_BOOT = "AF031"
    CONFLICTING_MANAGERS = "AF032"
    MISPLACED = "AF033"
    BACKUP_ANSWERED = "AF034"
    RULES_HIDE_NETWORK = "AF035"
    RP_FILTER_UPLINK = "AF036"
    NOT_FORWARDED_BACK = "AF037"
    PROXY_ARP_IDLE = "AF038"
    SERVICE_ADDRESS_OPEN = "AF039"
    PERMANENT_NEIGHBOUR = "AF040"
    HIDDEN_BY_FILTER = "AF041"
    CONNECTED_ROUTE_MISSING = "AF042"
    IPV6_PROXY_SEVERAL = "AF070"
    IPV6_PROXY_FORWARDING_OFF = "AF071"
    IPV6_PROXY_NDP_OFF = "AF072"
    IPV6_PROXY_SILENT = "AF073"
    IPV6_PROXY_NO_ROUTE = "AF074"
    IPV6_PROXY_SAME_INTERFACE = "AF075"
    DETECTION_FAILED = "AF076"
    IPV6_ANSWERED_NOWHERE = "AF077"
    IPV6_SEVERAL_ANSWER = "AF078"


class Outcome(Name):
    """What became of a transaction.

    - `UNCHANGED`: There was nothing to do.
    - `APPLIED`: It stands.
    - `PENDING`: It is in force, and is undone unless it is confirmed in time.
    - `UNDONE`: It was taken back.
    """

    UNCHANGED = "unchanged"
    APPLIED = "applied"
    PENDING = "pending"
    UNDONE = "undone"


class Judgement(Name):
    """What the answers for one address mean, as far as that can be told from outside.

    - `SILENT`: Nobody answered.
    - `ONE`: One MAC.
    - `FLUX`: Several MACs that answer for other addresses together as well: one host with several interfaces.
    - `PROXIED`: One MAC holds it, others proxy it.
    - `SEVERAL`: Several MACs: two hosts with one address, or one host of which no other address was asked for.
    """

    SILENT = "silent"
    ONE = "one"
    FLUX = "flux"
    PROXIED = "proxied"
    SEVERAL = "several"


class Claim(Name):
    """How somebody else came to notice.

    - `PROBING`: It asks for the address as one does before taking it.
    - `PROXIES`: It answers for the address, but not to a probe: a proxy.
    - `HOLDS`: It has the address: it answers probes, or sends with it as its own.
    """

    PROBING = "probing"
    PROXIES = "proxies"
    HOLDS = "holds"


class Cause(Name):
    """What made the watcher look.

    - `START`: The watch began.
    - `SYSCTL`: Somebody wrote a sysctl.
    - `EVENT`: The kernel told of an interface, address, route or rule.
    - `PROXIES`: The list of proxy entries was another one.
    - `POLL`: The regular look at everything.
    - `POLICY`: There is a new policy.
    - `LOST`: The kernel lost events, so everything was looked at.
    - `ASKED`: Somebody asked.
    """

    START = "start"
    SYSCTL = "sysctl"
    EVENT = "event"
    PROXIES = "proxies"
    POLL = "poll"
    POLICY = "policy"
    LOST = "lost"
    ASKED = "asked"


class Idle(Name):
    """Why an address of the registry is not published now.

    - `INTERFACE_GONE`: Its interface is not there.
    - `NO_ROUTE`: No route leads to it behind this host.
    - `HOST_HAS_IT`: The host has the address itself.
    - `NEXT_HOP`: Routes of the host go through the address: it is a router's.
    """

    INTERFACE_GONE = "interface_gone"
    NO_ROUTE = "no_route"
    HOST_HAS_IT = "host_has_it"
    NEXT_HOP = "next_hop"


class DriftOutcome(Name):
    """What became of a drift.

    - `REPORTED`: Only told.
    - `HEALED`: Put right.
    - `FAILED`: It could not be put right.
    - `IMPOSSIBLE`: The policy cannot be kept on the host as it is now: an interface is missing, for one.
    - `POSSIBLE`: The policy can be kept again.
    - `RECOVERED`: What was told before is as the policy says again, by somebody else's hand.
    - `CONTESTED`: Somebody else changes it again and again: it is put right with pauses, and told once a minute.
    - `WAITING`: Somebody else's transaction is in the way: what it changes is put right afterwards, all else meanwhile.
    - `UNRECORDED`: Repairs are made, and cannot be written down in the state folder: nothing can take them back.
    - `MISANSWERED`: Addresses are not answered for as the policy says, and nothing that the policy may change puts that right.
    - `UNDETERMINED`: Whether addresses are answered for as the policy says cannot be told.
    - `ENDED`: The watch ends with this, or could not begin.
    - `ASKED`: What is so now, because it was asked for.
    """

    REPORTED = "reported"
    HEALED = "healed"
    FAILED = "failed"
    IMPOSSIBLE = "impossible"
    POSSIBLE = "possible"
    RECOVERED = "recovered"
    CONTESTED = "contested"
    WAITING = "waiting"
    UNRECORDED = "unrecorded"
    MISANSWERED = "misanswered"
    UNDETERMINED = "undetermined"
    ENDED = "ended"
    ASKED = "asked"


class Manager(Name):
    """A program that configures the network, or starts what does.

    - `SYSTEMD`: Systemd itself: a unit applies the policy at boot and watches it.
    - `NETWORKD`: Systemd-networkd: rules and routes become drop-ins, or it would remove them as foreign.
    - `IFUPDOWN`: Debian's ifupdown and its successors: a script in `if-up.d`.
    - `NETWORK_MANAGER`: NetworkManager: a dispatcher script.
    """

    SYSTEMD = "systemd"
    NETWORKD = "networkd"
    IFUPDOWN = "ifupdown"
    NETWORK_MANAGER = "network-manager"


class FileKind(Name):
    """What is at a path.

    - `ABSENT`: Nothing.
    - `REGULAR`: A file.
    - `LINK`: A symbolic link.
    """

    ABSENT = "absent"
    REGULAR = "regular"
    LINK = "link"


class Protocol(Name):
    """What a frame of a capture carries.

    - `ARP`: An ARP packet about IPv4 addresses.
    - `IPV4`: An IPv4 packet: shows by which MAC an address is really reached.
    - `NDP`: A neighbour solicitation or advertisement.
    - `IPV6`: Any other IPv6 packet.
    """

    ARP = "arp"
    IPV4 = "ipv4"
    NDP = "ndp"
    IPV6 = "ipv6"


class CaptureFormat(Name):
    """What a capture was found to be.

    - `PCAP`: The classic format of libpcap.
    - `PCAPNG`: Pcapng.
    - `TEXT`: Text that tcpdump printed.
    """

    PCAP = "pcap"
    PCAPNG = "pcapng"
    TEXT = "text"


class AddressClass(Name):
    """What an address turned out to be. The rules stand in `super::Table::report`.

    - `FLUX`: Several MACs of one host answer for it: ARP flux.
    - `DUPLICATE`: Two hosts hold it.
    - `SPOOF`: Somebody claims it unasked, to single hosts, while another holds it.
    - `CONFLICT`: Two MACs claim it at once, and the frames do not show whether it is flux or a duplicate: a fault either way.
    - `SELF_CONFLICT`: A host asked for its own address and was answered by another NIC of its own.
    - `UNDETERMINED`: Several MACs claim it, and the frames do not show why.
    - `FAILOVER`: It passed from one MAC to another, which announced itself.
    - `BOND`: One host's MACs answer, each askers of its own, as a bond in mode balance-alb does.
    - `PROXY`: One host answers for it in place of the one that has it.
    - `VIRTUAL`: Routers share it by a virtual MAC.
    - `SINGLE`: One MAC, all the time.
    """

    FLUX = "flux"
    DUPLICATE = "duplicate"
    SPOOF = "spoof"
    CONFLICT = "conflict"
    SELF_CONFLICT = "self_conflict"
    UNDETERMINED = "undetermined"
    FAILOVER = "failover"
    BOND = "bond"
    PROXY = "proxy"
    VIRTUAL = "virtual"
    SINGLE = "single"


class Certainty(Name):
    """How much a class rests on.

    - `PROVED`: The frames, or what the caller told about his hosts, leave no other reading that we know of.
    - `LIKELY`: Another reading is possible, but less likely.
    - `SUSPECTED`: Look at it; harmless set-ups can look the same.
    """

    PROVED = "proved"
    LIKELY = "likely"
    SUSPECTED = "suspected"
