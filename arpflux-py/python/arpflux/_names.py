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
    """What class of failure an `Error` is. Numbers are stable; retired ones are never given out again."""

    #: A value is malformed or out of range: an address, an interface name, an option.
    INVALID_INPUT = "invalid_input"
    #: A policy file is not valid.
    INVALID_POLICY = "invalid_policy"
    #: A stored snapshot, receipt or journal cannot be read, or is of a version this build does not know.
    INVALID_DATA = "invalid_data"
    #: The policy asks for something that would not work on this host, and says why.
    REFUSED = "refused"
    #: No such interface, namespace, file or entry.
    NOT_FOUND = "not_found"
    #: The interface, entry or value is no longer what it was when the plan was made.
    CHANGED = "changed"
    #: The kernel has no such sysctl, or does not support the operation.
    UNSUPPORTED = "unsupported"
    #: A capability is missing.
    PERMISSION_DENIED = "permission_denied"
    #: Another writer holds the lock of this namespace.
    BUSY = "busy"
    #: Nothing came within the time allowed.
    TIMED_OUT = "timed_out"
    #: The kernel's dumps kept being interrupted by changes.
    RACED = "raced"
    #: Stopped by a signal or by the caller.
    INTERRUPTED = "interrupted"
    #: Any other system call failure.
    IO = "io"
    #: Applying failed; everything already done was undone.
    ROLLED_BACK = "rolled_back"
    #: Applying failed and undoing failed too; the error lists what is left.
    PARTLY_APPLIED = "partly_applied"
    #: Verification found that the host is not as the policy says.
    VERIFY_FAILED = "verify_failed"
    #: Nothing is known to be wrong, and something that decides could not be read or understood.
    UNDETERMINED = "undetermined"
    #: A defect of arpflux: please report it.
    INTERNAL = "internal"


class Reason(Name):
    """The rule of the kernel that decided about a request."""

    #: It is an address of this host.
    LOCAL = "local"
    #: There is a proxy entry for it.
    PROXY_ENTRY = "proxy_entry"
    #: proxy_arp is on and the route leaves by another interface.
    PROXY_ARP = "proxy_arp"
    #: proxy_arp_pvlan is on and the route leaves by the arrival interface.
    PROXY_ARP_PVLAN = "proxy_arp_pvlan"
    #: It is an anycast address of this interface.
    ANYCAST = "anycast"
    #: There is no such interface.
    NO_INTERFACE = "no_interface"
    #: The interface is down.
    INTERFACE_DOWN = "interface_down"
    #: The interface has no carrier: nobody is heard on it.
    NO_CARRIER = "no_carrier"
    #: The interface does no ARP.
    NOARP = "noarp"
    #: It is the loopback interface.
    LOOPBACK_INTERFACE = "loopback_interface"
    #: The interface has no IPv4.
    IPV4_DISABLED = "ipv4_disabled"
    #: The interface has no IPv6.
    IPV6_DISABLED = "ipv6_disabled"
    #: The bridge takes no frames from this port now.
    BRIDGE_PORT_BLOCKED = "bridge_port_blocked"
    #: The bond drops what its backup port receives.
    BOND_BACKUP_PORT = "bond_backup_port"
    #: A packet filter drops the request.
    FILTER_DROPS_REQUEST = "filter_drops_request"
    #: A packet filter drops the answer.
    FILTER_DROPS_ANSWER = "filter_drops_answer"
    #: A packet filter makes another frame of it.
    FILTER_REWRITES = "filter_rewrites"
    #: The target is a multicast address.
    MULTICAST_TARGET = "multicast_target"
    #: The target is a loopback address.
    LOOPBACK_TARGET = "loopback_target"
    #: drop_gratuitous_arp drops announcements.
    GRATUITOUS_DROPPED = "gratuitous_dropped"
    #: A probe is answered only for the host's own addresses.
    PROBE_NOT_LOCAL = "probe_not_local"
    #: The sender is no possible source address.
    MARTIAN_SENDER = "martian_sender"
    #: The sender is a loopback address.
    LOOPBACK_SENDER = "loopback_sender"
    #: The target is no possible destination.
    MARTIAN_TARGET = "martian_target"
    #: No route leads to the target.
    NO_ROUTE = "no_route"
    #: A route or rule rejects the target.
    ROUTE_REJECTS = "route_rejects"
    #: The target is a broadcast address.
    BROADCAST_TARGET = "broadcast_target"
    #: The route to the target is not a unicast one.
    ROUTE_KIND = "route_kind"
    #: The interface does not forward, so it does not proxy.
    FORWARDING_OFF = "forwarding_off"
    #: The interface behind the route has no IPv4.
    IPV4_DISABLED_BEHIND = "ipv4_disabled_behind"
    #: The sender is an address of this host.
    SENDER_LOCAL = "sender_local"
    #: The sender is a broadcast or rejected address.
    SENDER_KIND = "sender_kind"
    #: Strict rp_filter: the route to the sender leaves elsewhere.
    RP_FILTER_STRICT = "rp_filter_strict"
    #: rp_filter: no route leads to the sender.
    RP_FILTER_NO_ROUTE = "rp_filter_no_route"
    #: arp_ignore refuses.
    ARP_IGNORE = "arp_ignore"
    #: arp_filter refuses: the answer would leave by another interface.
    ARP_FILTER = "arp_filter"
    #: The interface does not listen to the target's solicited-node group.
    GROUP_NOT_JOINED = "group_not_joined"
    #: A probe that is sent to one host is dropped.
    UNICAST_PROBE = "unicast_probe"
    #: Duplicate address detection has not ended, or has failed.
    TENTATIVE = "tentative"
    #: It is an address of another interface, which alone answers for it.
    OTHER_INTERFACE = "other_interface"
    #: There is no address here that the answer could be sent from.
    NO_SOURCE_ADDRESS = "no_source_address"
    #: A permanent neighbour entry sends the answer to another MAC.
    FIXED_NEIGHBOUR = "fixed_neighbour"
    #: The route to the target leaves by the arrival interface.
    SAME_INTERFACE = "same_interface"
    #: proxy_arp_pvlan does not answer announcements.
    PVLAN_ANNOUNCEMENT = "pvlan_announcement"
    #: medium_id forbids proxy_arp between the two interfaces.
    MEDIUM_ID = "medium_id"
    #: There is a proxy entry for it, and proxy_ndp is off.
    PROXY_NDP_OFF = "proxy_ndp_off"
    #: It is neither an address of this host nor proxied here.
    NOT_PROXIED = "not_proxied"


class Missing(Name):
    """Something that would decide and could not be read or decided."""

    #: Whether the routing rules were ever changed here: until then the tables local and main are one.
    RULES_CHANGED = "rules_changed"
    #: Whether a route of type local was ever added here: from then on senders are checked in full.
    LOCAL_ROUTES_ADDED = "local_routes_added"
    #: Whether routes or rules have realms: with them senders are checked in full.
    REALMS = "realms"
    #: Which of several next hops the kernel's hash picks.
    MULTIPATH = "multipath"
    #: Which of several equal default routes the kernel considers alive.
    DEFAULT_ROUTE = "default_route"
    #: Which source address the kernel keeps for the nexthop object.
    KEPT_SOURCE = "kept_source"
    #: Which interface came first into the namespace: the kernel borrows its address.
    BORROWED_SOURCE = "borrowed_source"
    #: How this kernel behaves here: its version does not tell.
    KERNEL_VERSION = "kernel_version"
    #: Which of the bond's ports is active, or which port's MAC it answers with.
    BOND = "bond"
    #: Which senders the macvlan in mode source takes.
    MACVLAN_SOURCE = "macvlan_source"
    #: What an option of the bridge port (locked, neigh_suppress, VLANs …) does with ARP frames.
    BRIDGE_PORT = "bridge_port"
    #: What an option of the link does with ARP frames that is not modelled.
    LINK_OPTION = "link_option"
    #: Options of the link: the snapshot was taken by a version that did not read them.
    OLD_SNAPSHOT = "old_snapshot"
    #: What nftables, arptables or ebtables do with ARP frames.
    NETFILTER = "netfilter"
    #: What the traffic control filter on the interface does with ARP frames.
    TRAFFIC_CONTROL = "traffic_control"
    #: What the XDP program on the interface does with ARP frames.
    XDP = "xdp"
    #: Whether a program that listens for ARP answers.
    LISTENER = "listener"
    #: Whether the kernel still finds room for the sender in its full neighbour table (gc_thresh3).
    NEIGHBOUR_TABLE = "neighbour_table"
    #: State that could not be read.
    UNREADABLE = "unreadable"
    #: What decides about neighbour discovery, of which the snapshot has nothing.
    DISCOVERY = "discovery"
    #: How an interface of this kind (VRF, ipvlan) treats neighbour solicitations.
    KIND = "kind"
    #: Which IPv6 rule or route the kernel takes.
    IPV6_ROUTE = "ipv6_route"
    #: Whether the permanent neighbour entry of the sender has its MAC.
    NEIGHBOUR_ENTRY = "neighbour_entry"
    #: Which wire an interface without an address is on.
    WIRE = "wire"
    #: What files that are run at boot set, which were not followed.
    BOOT_FILE = "boot_file"


class Via(Name):
    """Why the kernel answers."""

    #: The target is an address of the host.
    LOCAL = "local"
    #: A proxy entry (`ip neigh add proxy`).
    PROXY_ENTRY = "proxy_entry"
    #: `proxy_arp`.
    PROXY_ARP = "proxy_arp"
    #: `proxy_arp_pvlan`.
    PROXY_PVLAN = "proxy_pvlan"
    #: An IPv6 anycast address of the interface.
    ANYCAST = "anycast"


class ValueSource(Name):
    """Where an effective value comes from."""

    #: `net.ipv4.conf.all` decided.
    ALL = "all"
    #: The interface's own value decided.
    INTERFACE = "interface"
    #: Both hold the value.
    BOTH = "both"
    #: The kernel has no such sysctl; the value is what it does without.
    ABSENT = "absent"


class ChangeKind(Name):
    """Something in the kernel that has one value at a time."""

    #: A sysctl below `net.ipv4.conf`.
    SYSCTL = "sysctl"
    #: A sysctl below `net.ipv6.conf`.
    IPV6_SYSCTL = "ipv6_sysctl"
    #: `proxy_delay` below `net.ipv4.neigh`.
    PROXY_DELAY = "proxy_delay"
    #: A proxy entry: of one address there is at most one on an interface, and one without.
    PROXY = "proxy"
    #: A policy routing rule.
    RULE = "rule"
    #: A route.
    ROUTE = "route"


class CheckKind(Name):
    """What was looked at."""

    #: Whether the policy can hold on this host at all.
    POLICY = "policy"
    #: A sysctl's value.
    SYSCTL = "sysctl"
    #: A proxy entry.
    PROXY = "proxy"
    #: A policy routing rule.
    RULE = "rule"
    #: A route.
    ROUTE = "route"
    #: What the model says of all requests for an address.
    MODEL = "model"
    #: Answers seen on the wire.
    WIRE = "wire"


class WireCertainty(Name):
    """How well it is known which wire an interface is on."""

    #: It is up and has carrier, and nothing on this host tells what it is connected to: it may hear any other.
    UNKNOWN = "unknown"
    #: Its subnets, or routes that lead to neighbours on it, tell.
    LIKELY = "likely"
    #: Somebody found it out or said it, nothing can be heard there, or it never leaves this host.
    KNOWN = "known"


class SegmentOutcome(Name):
    """What the answers for one address come to."""

    #: Several hosts answer, with different MACs: whoever is heard first has the traffic.
    DUPLICATE = "duplicate"
    #: One host answers with several MACs.
    FLUX = "flux"
    #: No two MACs certainly answer, and of some interfaces it cannot be told.
    UNDETERMINED = "undetermined"
    #: One MAC answers.
    SINGLE = "single"
    #: Nobody answers.
    NOBODY = "nobody"


class SegmentCause(Name):
    """How it comes about that several hosts answer for one address."""

    #: Several hold it, and one of them where no request arrives (`lo`, a dummy): a service address for which only its holder is to answer.
    SERVICE_ADDRESS = "service_address"
    #: Several hold it.
    HELD = "held"
    #: Several proxy it.
    PROXIED = "proxied"
    #: One holds it and others proxy it.
    HELD_AND_PROXIED = "held_and_proxied"


class OrderAction(Name):
    """What is done on a host."""

    #: Its proxy entries of some addresses go (`arpflux proxy del`), because a host of the next batch takes them.
    WITHDRAW = "withdraw"
    #: Its policy is applied.
    APPLY = "apply"


class DoubtState(Name):
    """Who answers in a time of doubt."""

    #: Several hosts.
    SEVERAL = "several"
    #: It cannot be told whether one does.
    UNDETERMINED = "undetermined"
    #: Nobody, or nobody before the batch ends: one host has withdrawn it, the other not yet published it.
    NOBODY = "nobody"


class Redundancy(Name):
    """Protocols by which several routers share an address and move its MAC along with it."""

    #: VRRP (RFC 9568 section 7.3), or CARP, which took the same range: `00:00:5e:00:01:XX`, for IPv6 `00:00:5e:00:02:XX`.
    VRRP = "vrrp"
    #: HSRP version 1: `00:00:0c:07:ac:XX`.
    HSRP = "hsrp"
    #: HSRP version 2: `00:00:0c:9f:fX:XX`.
    HSRP2 = "hsrp2"
    #: Microsoft NLB, whose nodes share one: `02:bf:…`, `03:bf:…`, `01:00:5e:7f:…`.
    NLB = "nlb"
    #: FortiGate clusters (FGCP): `00:09:0f:09:XX:XX`.
    FGCP = "fgcp"
    #: Check Point clusters with virtual MACs: `00:1c:7f:00:XX:XX`.
    CHECK_POINT = "check_point"
    #: Gateways that every switch or host of a fabric has with one MAC: Arista's VARP, Cumulus, Cisco ACI, VMware NSX, Calico, Azure.
    ANYCAST = "anycast"
    #: GLBP, where several MACs answer for one address in turn by design: `00:07:b4:XX:XX:XX`.
    GLBP = "glbp"


class RouteKind(Name):
    """What a route does (`RTN_*`)."""

    #: A gateway or a direct route.
    UNICAST = "unicast"
    #: The destination is this host.
    LOCAL = "local"
    #: Received as broadcast, sent as broadcast.
    BROADCAST = "broadcast"
    #: Received as broadcast, sent as unicast.
    ANYCAST = "anycast"
    #: Multicast.
    MULTICAST = "multicast"
    #: Drop silently.
    BLACKHOLE = "blackhole"
    #: Drop, say "host unreachable".
    UNREACHABLE = "unreachable"
    #: Drop, say "administratively prohibited".
    PROHIBIT = "prohibit"
    #: Go on with the next rule.
    THROW = "throw"


class RuleAction(Name):
    """What a rule does with what it matches (`FR_ACT_*`)."""

    #: Look into the rule's table.
    TABLE = "table"
    #: Go on at the rule of priority `Rule::goto`.
    GOTO = "goto"
    #: Nothing.
    NOP = "nop"
    #: Drop silently.
    BLACKHOLE = "blackhole"
    #: Drop, say "unreachable".
    UNREACHABLE = "unreachable"
    #: Drop, say "prohibited".
    PROHIBIT = "prohibit"


class InterferenceKind(Name):
    """Something that can answer, drop or change ARP frames, or that could not be read: a reason why a prediction may be `Undetermined`."""

    #: An nftables, arptables or ebtables chain that sees ARP frames.
    NETFILTER = "netfilter"
    #: A program or an action of traffic control on the interface's ingress or egress.
    TRAFFIC_CONTROL = "traffic_control"
    #: An XDP program on the interface.
    XDP = "xdp"
    #: A program in user space that listens for ARP frames and may answer them.
    LISTENER = "listener"
    #: The machine's table of IPv4 neighbours, one for all namespaces, may be full: the kernel makes no entry for somebody new who asks then, and gives no answer for its own addresses.
    FULL_NEIGHBOUR_TABLE = "full_neighbour_table"
    #: Something that could not be read, usually for want of a capability.
    UNREADABLE = "unreadable"


class Expect(Name):
    """A claim about a snapshot. `among` restricts it to some interfaces, usually those on one wire; empty means every interface that takes ARP requests."""

    #: One interface answers for `target`, the same one whoever asks, and it answers every neighbour: all hosts of its subnets around `target`; of any of its subnets if none is around it; anybody at all if it has none.
    EXACTLY_ONE = "exactly_one"
    #: Whoever asks for an address of `target`, no interface but `interface` answers. It need not answer either.
    NOTHING_BUT = "nothing_but"
    #: `interface` answers every neighbour that asks for `target`.
    ANSWERS = "answers"
    #: Whoever asks `interface` for an address of `target` gets no answer.
    NEVER = "never"
    #: Packets from `source`, wherever they go, leave by none of `among` but `interface`: the host's own packets or, if the address is not the host's, those it forwards for the container behind it. Packets to the host itself, to other interfaces (containers) and to nowhere do not count.
    LEAVES_BY = "leaves_by"


class ProofOutcome(Name):
    """What became of a claim."""

    #: It holds for all senders and all targets it is about.
    PROVED = "proved"
    #: It does not hold, and this is a case.
    REFUTED = "refuted"
    #: It cannot be decided: nothing known speaks against it, but some case cannot be told.
    UNDETERMINED = "undetermined"


class Outgoing(Name):
    """What the host does to reach an address."""

    #: It asks, unless it knows already. Everyone who hears the request may learn that `sender` is at `mac`; the one asked surely does.
    ASKS = "asks"
    #: It sends without asking: to itself, to a broadcast or multicast address, through a gateway with an IPv6 address, or by an interface that does no ARP; or a packet filter, or a bridge without a port for broadcasts, keeps the request from leaving.
    NO_REQUEST = "no_request"
    #: It cannot send.
    UNREACHABLE = "unreachable"
    #: That cannot be told from the snapshot.
    UNDETERMINED = "undetermined"


class SourceRule(Name):
    """Which rule of `arp_announce` gave the sender address of a request."""

    #: The packet's own source address: `arp_announce` is 0, or a value without meaning.
    PACKET = "packet"
    #: The packet's own source address, which `arp_announce=1` allows: it shares a subnet of the interface with the target.
    SAME_SUBNET = "same_subnet"
    #: The interface's best address for the target (`inet_select_addr()`): `arp_announce` is 2, or 1 and the packet's source was refused, or the packet's source is not local.
    BEST = "best"


class Learning(Name):
    """What becomes of the host's neighbour entry for the sender."""

    #: Nothing: none is made, and one that is there stays as it is.
    NOTHING = "nothing"
    #: The entry keeps its MAC if it holds another one: it is too fresh (`locktime`), so the first of several quick answers wins.
    KEEPS_OTHER = "keeps_other"
    #: The entry is made, or gets the frame's MAC.
    TAKES = "takes"
    #: That cannot be told from the snapshot.
    UNDETERMINED = "undetermined"


class AnswerChange(Name):
    """How a verdict changes."""

    #: There was an answer and there is none any more.
    LOSES = "loses"
    #: Whether there is an answer cannot be told before or afterwards.
    UNCLEAR = "unclear"
    #: The answer has another MAC.
    MOVES = "moves"
    #: There was no answer and now there is one.
    GAINS = "gains"


class Severity(Ordered):
    """How bad a finding is; later ones are worse."""

    #: Worth knowing; many healthy hosts have it.
    INFO = "info"
    #: It goes wrong under conditions that do occur.
    WARNING = "warning"
    #: It goes wrong now.
    ERROR = "error"


class FindingId(Name):
    """What can be found. The numbers are stable and never change their meaning."""

    #: Several interfaces of one wire answer for the same address.
    SEVERAL_ANSWER = "AF001"
    #: The host answers its own duplicate address probe.
    SELF_CONFLICT = "AF002"
    #: The host's own requests teach its peers the wrong MAC.
    TEACHES_WRONG_MAC = "AF003"
    #: The value of `all` switches an interface's own setting off.
    ALL_WEAKENS = "AF004"
    #: A sysctl has a value that means nothing to the kernel.
    NO_SUCH_MODE = "AF005"
    #: arp_filter makes another interface answer instead of the owner.
    FILTER_WITHOUT_ROUTING = "AF006"
    #: No interface may answer for an address of the host.
    NOBODY_ANSWERS = "AF007"
    #: Strict rp_filter silences the interface that holds the address.
    RP_FILTER_SILENCES = "AF008"
    #: An interface that appears later will not have these settings.
    LATER_INTERFACES = "AF009"
    #: A proxy entry cannot answer: its interface does not forward.
    PROXY_FORWARDING_OFF = "AF010"
    #: A proxy entry cannot answer: no route leads to its address.
    PROXY_NO_ROUTE = "AF011"
    #: A proxy entry cannot answer: its address is on the same interface.
    PROXY_SAME_INTERFACE = "AF012"
    #: Several interfaces of one wire answer for the same proxied address.
    PROXY_SEVERAL = "AF013"
    #: Nobody answers for an address that lives behind this host.
    PROXY_MISSING = "AF014"
    #: Answers for proxied addresses come late.
    PROXY_DELAY = "AF015"
    #: Requests for proxied addresses can be dropped.
    PROXY_QUEUE = "AF016"
    #: There are so many proxy entries that adding more is slow.
    PROXY_MANY = "AF017"
    #: proxy_arp answers for addresses of other hosts on the wire.
    PROXY_ARP_WHOLE_SUBNET = "AF018"
    #: proxy_arp answers for everything on an interface without an address.
    PROXY_ARP_NOTHING_BEHIND = "AF019"
    #: proxy_arp has no route to the gateway that containers ask for.
    PROXY_ARP_NO_ROUTE = "AF020"
    #: Packets from an address leave by another interface of the same wire.
    EGRESS_SAME_WIRE = "AF021"
    #: Packets from one uplink's address leave by another uplink.
    EGRESS_OTHER_UPLINK = "AF022"
    #: Nobody on the wire gets an answer for an address on a loopback or dummy interface.
    SERVICE_ADDRESS_SILENT = "AF023"
    #: An address on a loopback or dummy interface is answered for on the wire.
    SETTING_ON_OWNER = "AF024"
    #: arp_ignore silences an interface without an address.
    UNNUMBERED_SILENT = "AF025"
    #: arp_ignore silences a point-to-point address.
    POINT_TO_POINT_SILENT = "AF026"
    #: arp_ignore=2 refuses neighbours outside the subnet.
    OFF_SUBNET_SILENT = "AF027"
    #: The address of a container bridge or tunnel is answered for outside.
    BRIDGE_EXPOSED = "AF028"
    #: The host is not as its policy says.
    POLICY_NOT_KEPT = "AF029"
    #: Settings are lost at the next boot.
    NOT_PERSISTED = "AF030"
    #: A file sets another value at the next boot.
    OVERWRITTEN_AT_BOOT = "AF031"
    #: One setting is made in several places that disagree.
    CONFLICTING_MANAGERS = "AF032"
    #: An address is on another interface than its subnet.
    MISPLACED = "AF033"
    #: An address of an interface without carrier is answered for.
    BACKUP_ANSWERED = "AF034"
    #: A rule leads packets for a local network past it.
    RULES_HIDE_NETWORK = "AF035"
    #: Strict rp_filter drops what comes in by a second uplink.
    RP_FILTER_UPLINK = "AF036"
    #: Packets of a host that is answered for are not forwarded.
    NOT_FORWARDED_BACK = "AF037"
    #: proxy_arp answers for nothing.
    PROXY_ARP_IDLE = "AF038"
    #: An address on a loopback or dummy interface is answered for: another host may have it, too.
    SERVICE_ADDRESS_OPEN = "AF039"
    #: A permanent neighbour entry keeps the host from asking.
    PERMANENT_NEIGHBOUR = "AF040"
    #: A packet filter hides an address that arp_ignore would hide without.
    HIDDEN_BY_FILTER = "AF041"
    #: Table main has no route to a subnet that the host is on.
    CONNECTED_ROUTE_MISSING = "AF042"
    #: Several interfaces of one wire answer for the same proxied IPv6 address.
    IPV6_PROXY_SEVERAL = "AF070"
    #: An IPv6 proxy entry has no effect: forwarding is off.
    IPV6_PROXY_FORWARDING_OFF = "AF071"
    #: An IPv6 proxy entry cannot answer: proxy_ndp is off.
    IPV6_PROXY_NDP_OFF = "AF072"
    #: An IPv6 proxy entry cannot answer.
    IPV6_PROXY_SILENT = "AF073"
    #: An IPv6 proxy entry answers, and no route leads to its address.
    IPV6_PROXY_NO_ROUTE = "AF074"
    #: An IPv6 proxy entry answers for an address of the same interface.
    IPV6_PROXY_SAME_INTERFACE = "AF075"
    #: An IPv6 address cannot be used: duplicate address detection failed.
    DETECTION_FAILED = "AF076"
    #: No interface answers for an IPv6 address of the host.
    IPV6_ANSWERED_NOWHERE = "AF077"


class Outcome(Name):
    """What became of a transaction."""

    #: There was nothing to do.
    UNCHANGED = "unchanged"
    #: It stands.
    APPLIED = "applied"
    #: It is in force, and is undone unless it is confirmed in time.
    PENDING = "pending"
    #: It was taken back.
    UNDONE = "undone"


class Judgement(Name):
    """What the answers for one address mean, as far as that can be told from outside."""

    #: Nobody answered.
    SILENT = "silent"
    #: One MAC.
    ONE = "one"
    #: Several MACs that answer for other addresses together as well: one host with several interfaces.
    FLUX = "flux"
    #: One MAC holds it, others proxy it.
    PROXIED = "proxied"
    #: Several MACs: two hosts with one address, or one host of which no other address was asked for.
    SEVERAL = "several"


class Claim(Name):
    """How somebody else came to notice."""

    #: It asks for the address as one does before taking it.
    PROBING = "probing"
    #: It answers for the address, but not to a probe: a proxy.
    PROXIES = "proxies"
    #: It has the address: it answers probes, or sends with it as its own.
    HOLDS = "holds"


class Cause(Name):
    """What made the watcher look."""

    #: The watch began.
    START = "start"
    #: Somebody wrote a sysctl.
    SYSCTL = "sysctl"
    #: The kernel told of an interface, address, route or rule.
    EVENT = "event"
    #: The list of proxy entries was another one.
    PROXIES = "proxies"
    #: The regular look at everything.
    POLL = "poll"
    #: There is a new policy.
    POLICY = "policy"
    #: The kernel lost events, so everything was looked at.
    LOST = "lost"
    #: Somebody asked.
    ASKED = "asked"


class Idle(Name):
    """Why an address of the registry is not published now."""

    #: Its interface is not there.
    INTERFACE_GONE = "interface_gone"
    #: No route leads to it behind this host.
    NO_ROUTE = "no_route"
    #: The host has the address itself.
    HOST_HAS_IT = "host_has_it"
    #: Routes of the host go through the address: it is a router's.
    NEXT_HOP = "next_hop"


class DriftOutcome(Name):
    """What became of a drift."""

    #: Only told.
    REPORTED = "reported"
    #: Put right.
    HEALED = "healed"
    #: It could not be put right.
    FAILED = "failed"
    #: The policy cannot be kept on the host as it is now: an interface is missing, for one.
    IMPOSSIBLE = "impossible"
    #: The policy can be kept again.
    POSSIBLE = "possible"
    #: What was told before is as the policy says again, by somebody else's hand.
    RECOVERED = "recovered"
    #: Somebody else changes it again and again: it is put right with pauses, and told once a minute.
    CONTESTED = "contested"
    #: Somebody else's transaction is in the way: what it changes is put right afterwards, all else meanwhile.
    WAITING = "waiting"
    #: Repairs are made, and cannot be written down in the state folder: nothing can take them back.
    UNRECORDED = "unrecorded"
    #: Addresses are not answered for as the policy says, and nothing that the policy may change puts that right.
    MISANSWERED = "misanswered"
    #: Whether addresses are answered for as the policy says cannot be told.
    UNDETERMINED = "undetermined"
    #: The watch ends with this, or could not begin.
    ENDED = "ended"
    #: What is so now, because it was asked for.
    ASKED = "asked"


class Manager(Name):
    """A program that configures the network, or starts what does."""

    #: Systemd itself: a unit applies the policy at boot and watches it.
    SYSTEMD = "systemd"
    #: Systemd-networkd: rules and routes become drop-ins, or it would remove them as foreign.
    NETWORKD = "networkd"
    #: Debian's ifupdown and its successors: a script in `if-up.d`.
    IFUPDOWN = "ifupdown"
    #: NetworkManager: a dispatcher script.
    NETWORK_MANAGER = "network-manager"


class FileKind(Name):
    """What is at a path."""

    #: Nothing.
    ABSENT = "absent"
    #: A file.
    REGULAR = "regular"
    #: A symbolic link.
    LINK = "link"


class Protocol(Name):
    """What a frame of a capture carries."""

    #: An ARP packet about IPv4 addresses.
    ARP = "arp"
    #: An IPv4 packet: shows by which MAC an address is really reached.
    IPV4 = "ipv4"
    #: A neighbour solicitation or advertisement.
    NDP = "ndp"
    #: Any other IPv6 packet.
    IPV6 = "ipv6"


class CaptureFormat(Name):
    """What a capture was found to be."""

    #: The classic format of libpcap.
    PCAP = "pcap"
    #: Pcapng.
    PCAPNG = "pcapng"
    #: Text that tcpdump printed.
    TEXT = "text"


class AddressClass(Name):
    """What an address turned out to be. The rules stand in `super::Table::report`."""

    #: Several MACs of one host answer for it: ARP flux.
    FLUX = "flux"
    #: Two hosts hold it.
    DUPLICATE = "duplicate"
    #: Somebody claims it unasked, to single hosts, while another holds it.
    SPOOF = "spoof"
    #: Two MACs claim it at once, and the frames do not show whether it is flux or a duplicate: a fault either way.
    CONFLICT = "conflict"
    #: A host asked for its own address and was answered by another NIC of its own.
    SELF_CONFLICT = "self_conflict"
    #: Several MACs claim it, and the frames do not show why.
    UNDETERMINED = "undetermined"
    #: It passed from one MAC to another, which announced itself.
    FAILOVER = "failover"
    #: One host's MACs answer, each askers of its own, as a bond in mode balance-alb does.
    BOND = "bond"
    #: One host answers for it in place of the one that has it.
    PROXY = "proxy"
    #: Routers share it by a virtual MAC.
    VIRTUAL = "virtual"
    #: One MAC, all the time.
    SINGLE = "single"


class Certainty(Name):
    """How much a class rests on."""

    #: The frames, or what the caller told about his hosts, leave no other reading that we know of.
    PROVED = "proved"
    #: Another reading is possible, but less likely.
    LIKELY = "likely"
    #: Look at it; harmless set-ups can look the same.
    SUSPECTED = "suspected"
