//! Numbers of the kernel's interface (`include/uapi/linux`), by the kernel's names: libc's where it has them.

use nix::libc;

/// Those that libc has, as the type that messages carry them in.
macro_rules! of_libc {
    ($kind:ty: $($name:ident),+ $(,)?) => { $(pub(crate) const $name: $kind = libc::$name as $kind;)+ };
}

/// Those that it has not, or not for every C library.
macro_rules! own {
    ($kind:ty: $($name:ident = $value:expr),+ $(,)?) => { $(pub(crate) const $name: $kind = $value;)+ };
}

// Messages of routing netlink. `RTM_F_CLONED` marks a cached copy of a route; with `RTM_F_FIB_MATCH` the answer is the
// matching entry of the table, not the route made from it.
of_libc!(u32: RTM_F_CLONED);
own!(u32: RTM_F_LOOKUP_TABLE = 0x1000, RTM_F_FIB_MATCH = 0x2000);
of_libc!(u16:
    RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK, RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEIGH, RTM_DELNEIGH, RTM_NEWRULE, RTM_DELRULE,
    RTM_SETNEIGHTBL, RTM_GETQDISC, RTM_GETTFILTER, RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH,
    RTM_GETRULE, RTM_GETNEIGHTBL, RTM_GETNETCONF, RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTFILTER,
    RTM_DELTFILTER,
);
own!(u16: RTM_GETMULTICAST = 58, RTM_GETANYCAST = 62, RTM_GETNEXTHOP = 106);

// Headers and flags: below `NLMSG_MIN_TYPE` are no messages but netlink's own. `NLM_F_DUMP_INTR`: what is listed changed
// meanwhile; in errors, `NLM_F_CAPPED`: the request's payload is left out, `NLM_F_ACK_TLVS`: attributes follow.
of_libc!(u16:
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_ERROR, NLMSG_DONE, NLMSG_MIN_TYPE, NLM_F_ACK,
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_CAPPED, NLM_F_ACK_TLVS,
);
own!(u16: NLMSGERR_ATTR_MSG = 1);

// Attributes of interfaces, and of their kinds.
of_libc!(u16:
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_AF_SPEC, IFLA_GROUP,
    IFLA_CARRIER, IFLA_LINK_NETNSID, IFLA_XDP, IFLA_PROP_LIST, IFLA_ALT_IFNAME, IFLA_INFO_KIND,
    IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, IFLA_EXT_MASK,
);
own!(u16:
    IFLA_XDP_ATTACHED = 2, IFLA_XDP_PROG_ID = 4, IFLA_BOND_ACTIVE_SLAVE = 2, IFLA_BOND_ALL_SLAVES_ACTIVE = 17,
    IFLA_VXLAN_PROXY = 11, IFLA_BRPORT_BCAST_FLOOD = 30, IFLA_BRPORT_ISOLATED = 33, IFLA_VLAN_ID = 1, IFLA_MACVLAN_MODE = 1, IFLA_MACVLAN_MACADDR = 4,
    IFLA_MACVLAN_MACADDR_DATA = 5, IFLA_IPVLAN_MODE = 1, IFLA_VRF_TABLE = 1, IFLA_BOND_MODE = 1,
    IFLA_BOND_SLAVE_STATE = 1, IFLA_BR_VLAN_FILTERING = 7, IFLA_BR_MCAST_SNOOPING = 23,
    IFLA_BR_MCAST_QUERIER = 25, IFLA_BR_MCAST_QUERIER_STATE = 47, BRIDGE_QUERIER_IPV6_ADDRESS = 5, IFLA_BRPORT_STATE = 1, IFLA_BRPORT_LEARNING =
    8, IFLA_BRPORT_UNICAST_FLOOD = 9, IFLA_BRPORT_PROXYARP = 10, IFLA_BRPORT_PROXYARP_WIFI = 12,
    IFLA_BRPORT_NEIGH_SUPPRESS = 32, IFLA_BRPORT_LOCKED = 39, IFLA_BRPORT_NEIGH_VLAN_SUPPRESS = 43,
    IFLA_BRIDGE_VLAN_INFO = 2, IFLA_INET_CONF = 1, IFLA_INET6_CONF = 2, IFLA_INET6_ADDR_GEN_MODE = 8,
);

// Attributes of addresses.
of_libc!(u16: IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST);
own!(u16: IFA_ANYCAST = 5, IFA_MULTICAST = 7, IFA_FLAGS = 8);

// Attributes of routes.
of_libc!(u16:
    RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_MULTIPATH, RTA_FLOW, RTA_TABLE,
    RTA_IIF,
);
own!(u16: RTA_VIA = 18, RTA_NH_ID = 30);

// What is left out of a dump of interfaces, or added.
of_libc!(u32: RTEXT_FILTER_BRVLAN_COMPRESSED, RTEXT_FILTER_SKIP_STATS);

// Attributes of nexthop objects (`linux/nexthop.h`).
own!(u16: NHA_ID = 1, NHA_GROUP = 2, NHA_OIF = 5, NHA_GATEWAY = 6);

// Attributes of rules (`linux/fib_rules.h`).
own!(u16:
    FRA_DST = 1, FRA_SRC = 2, FRA_IIFNAME = 3, FRA_GOTO = 4, FRA_PRIORITY = 6, FRA_FWMARK = 10,
    FRA_FLOW = 11, FRA_TUN_ID = 12, FRA_SUPPRESS_IFGROUP = 13, FRA_SUPPRESS_PREFIXLEN = 14, FRA_TABLE = 15,
    FRA_FWMASK = 16, FRA_OIFNAME = 17, FRA_L3MDEV = 19, FRA_UID_RANGE = 20, FRA_PROTOCOL = 21,
    FRA_IP_PROTO = 22, FRA_SPORT_RANGE = 23, FRA_DPORT_RANGE = 24, FRA_DSCP = 25,
);

// Neighbours and proxy entries.
of_libc!(u16: NDA_DST, NDA_LLADDR, NUD_PERMANENT);
of_libc!(u8: NTF_PROXY);
own!(u16: NDA_PROTOCOL = 12);

// Parameters of neighbour tables.
own!(u16:
    NDTA_THRESH3 = 4, NDTA_CONFIG = 5, NDTA_PARMS = 6, NDTA_STATS = 7, NDTPA_IFINDEX = 1,
    NDTPA_PROXY_DELAY = 13, NDTPA_PROXY_QLEN = 14, NDTPA_LOCKTIME = 15, NDTA_NAME = 1,
);

// Traffic control.
of_libc!(u16: TCA_KIND, TCA_OPTIONS);
own!(u16: TCA_CHAIN = 11);
own!(u16: TCA_U32_SEL = 5, TCA_U32_ACT = 7, TCA_ACT_KIND = 1, TCA_ACT_OPTIONS = 2, TCA_MIRRED_PARMS = 2);
