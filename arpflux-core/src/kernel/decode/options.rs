//! Options of links: which of them are read, which have no influence on ARP, and which leave open what becomes of it.
//! docs/kernels.md has the same table for readers; a test compares them.

use crate::kernel::netlink::Attribute;

/// What an option is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is read, and the model goes by it.
    Modelled,
    /// ARP fares the same whatever it says.
    None,
    /// Any of these bits leaves open what becomes of ARP.
    Open(u32),
}

use Weight::{Modelled, None as No, Open};

/// Any value but zero.
const ANY: Weight = Open(u32::MAX);

/// The options of a kind of link, or of ports of that kind, by number from 1 on: each with its name.
#[derive(Debug)]
pub(super) struct Options {
    /// The kind, as its driver names it.
    pub(super) kind: &'static str,
    /// Whether they are those of its ports.
    pub(super) of_ports: bool,
    /// How their names in `linux/if_link.h` begin.
    pub(super) prefix: &'static str,
    /// Their names behind that, by number from 1 on.
    pub(super) known: &'static [(&'static str, Weight)],
}

/// `BR_BOOLOPT_MST_ENABLE`, and what came after `BR_BOOLOPT_FDB_LOCAL_VLAN_0`.
const BRIDGE_SWITCHES: Weight = Open(!0b1_1011);

/// `MACVLAN_FLAG_NODST` and what came later, but not `MACVLAN_FLAG_NOPROMISC`.
const MACVLAN_FLAGS: Weight = Open(!1);

pub(super) const TABLE: &[Options] = &[
    Options {
        kind: "bridge",
        of_ports: false,
        prefix: "IFLA_BR_",
        known: &[
            ("FORWARD_DELAY", No),
            ("HELLO_TIME", No),
            ("MAX_AGE", No),
            ("AGEING_TIME", No),
            ("STP_STATE", No),
            ("PRIORITY", No),
            ("VLAN_FILTERING", Modelled),
            ("VLAN_PROTOCOL", No),
            ("GROUP_FWD_MASK", No),
            ("ROOT_ID", No),
            ("BRIDGE_ID", No),
            ("ROOT_PORT", No),
            ("ROOT_PATH_COST", No),
            ("TOPOLOGY_CHANGE", No),
            ("TOPOLOGY_CHANGE_DETECTED", No),
            ("HELLO_TIMER", No),
            ("TCN_TIMER", No),
            ("TOPOLOGY_CHANGE_TIMER", No),
            ("GC_TIMER", No),
            ("GROUP_ADDR", No),
            ("FDB_FLUSH", No),
            ("MCAST_ROUTER", No),
            ("MCAST_SNOOPING", No),
            ("MCAST_QUERY_USE_IFADDR", No),
            ("MCAST_QUERIER", No),
            ("MCAST_HASH_ELASTICITY", No),
            ("MCAST_HASH_MAX", No),
            ("MCAST_LAST_MEMBER_CNT", No),
            ("MCAST_STARTUP_QUERY_CNT", No),
            ("MCAST_LAST_MEMBER_INTVL", No),
            ("MCAST_MEMBERSHIP_INTVL", No),
            ("MCAST_QUERIER_INTVL", No),
            ("MCAST_QUERY_INTVL", No),
            ("MCAST_QUERY_RESPONSE_INTVL", No),
            ("MCAST_STARTUP_QUERY_INTVL", No),
            ("NF_CALL_IPTABLES", No),
            ("NF_CALL_IP6TABLES", No),
            ("NF_CALL_ARPTABLES", No),
            ("VLAN_DEFAULT_PVID", No),
            ("PAD", No),
            ("VLAN_STATS_ENABLED", No),
            ("MCAST_STATS_ENABLED", No),
            ("MCAST_IGMP_VERSION", No),
            ("MCAST_MLD_VERSION", No),
            ("VLAN_STATS_PER_PORT", No),
            ("MULTI_BOOLOPT", BRIDGE_SWITCHES),
            ("MCAST_QUERIER_STATE", No),
            ("FDB_N_LEARNED", No),
            ("FDB_MAX_LEARNED", ANY),
        ],
    },
    Options {
        kind: "bridge",
        of_ports: true,
        prefix: "IFLA_BRPORT_",
        known: &[
            ("STATE", Modelled),
            ("PRIORITY", No),
            ("COST", No),
            ("MODE", No),
            ("GUARD", No),
            ("PROTECT", No),
            ("FAST_LEAVE", No),
            ("LEARNING", Modelled),
            ("UNICAST_FLOOD", Modelled),
            ("PROXYARP", Modelled),
            ("LEARNING_SYNC", No),
            ("PROXYARP_WIFI", Modelled),
            ("ROOT_ID", No),
            ("BRIDGE_ID", No),
            ("DESIGNATED_PORT", No),
            ("DESIGNATED_COST", No),
            ("ID", No),
            ("NO", No),
            ("TOPOLOGY_CHANGE_ACK", No),
            ("CONFIG_PENDING", No),
            ("MESSAGE_AGE_TIMER", No),
            ("FORWARD_DELAY_TIMER", No),
            ("HOLD_TIMER", No),
            ("FLUSH", No),
            ("MULTICAST_ROUTER", No),
            ("PAD", No),
            ("MCAST_FLOOD", No),
            ("MCAST_TO_UCAST", No),
            ("VLAN_TUNNEL", ANY),
            ("BCAST_FLOOD", Modelled),
            ("GROUP_FWD_MASK", No),
            ("NEIGH_SUPPRESS", Modelled),
            ("ISOLATED", Modelled),
            ("BACKUP_PORT", No),
            ("MRP_RING_OPEN", No),
            ("MRP_IN_OPEN", No),
            ("MCAST_EHT_HOSTS_LIMIT", No),
            ("MCAST_EHT_HOSTS_CNT", No),
            ("LOCKED", Modelled),
            ("MAB", No),
            ("MCAST_N_GROUPS", No),
            ("MCAST_MAX_GROUPS", No),
            ("NEIGH_VLAN_SUPPRESS", Modelled),
            ("BACKUP_NHID", No),
        ],
    },
    Options {
        kind: "bond",
        of_ports: false,
        prefix: "IFLA_BOND_",
        known: &[
            ("MODE", Modelled),
            ("ACTIVE_SLAVE", Modelled),
            ("MIIMON", No),
            ("UPDELAY", No),
            ("DOWNDELAY", No),
            ("USE_CARRIER", No),
            ("ARP_INTERVAL", No),
            ("ARP_IP_TARGET", No),
            ("ARP_VALIDATE", No),
            ("ARP_ALL_TARGETS", No),
            ("PRIMARY", No),
            ("PRIMARY_RESELECT", No),
            ("FAIL_OVER_MAC", No),
            ("XMIT_HASH_POLICY", No),
            ("RESEND_IGMP", No),
            ("NUM_PEER_NOTIF", No),
            ("ALL_SLAVES_ACTIVE", Modelled),
            ("MIN_LINKS", No),
            ("LP_INTERVAL", No),
            ("PACKETS_PER_SLAVE", No),
            ("AD_LACP_RATE", No),
            ("AD_SELECT", No),
            ("AD_INFO", No),
            ("AD_ACTOR_SYS_PRIO", No),
            ("AD_USER_PORT_KEY", No),
            ("AD_ACTOR_SYSTEM", No),
            ("TLB_DYNAMIC_LB", No),
            ("PEER_NOTIF_DELAY", No),
            ("AD_LACP_ACTIVE", No),
            ("MISSED_MAX", No),
            ("NS_IP6_TARGET", No),
            ("COUPLED_CONTROL", No),
            ("BROADCAST_NEIGH", No),
        ],
    },
    Options {
        kind: "bond",
        of_ports: true,
        prefix: "IFLA_BOND_SLAVE_",
        known: &[
            ("STATE", Modelled),
            ("MII_STATUS", No),
            ("LINK_FAILURE_COUNT", No),
            ("PERM_HWADDR", No),
            ("QUEUE_ID", No),
            ("AD_AGGREGATOR_ID", No),
            ("AD_ACTOR_OPER_PORT_STATE", No),
            ("AD_PARTNER_OPER_PORT_STATE", No),
            ("PRIO", No),
            ("ACTOR_PORT_PRIO", No),
            ("AD_CHURN_ACTOR_STATE", No),
            ("AD_CHURN_PARTNER_STATE", No),
        ],
    },
    Options {
        kind: "macvlan",
        of_ports: false,
        prefix: "IFLA_MACVLAN_",
        known: &[
            ("MODE", Modelled),
            ("FLAGS", MACVLAN_FLAGS),
            ("MACADDR_MODE", No),
            ("MACADDR", No),
            ("MACADDR_DATA", Modelled),
            ("MACADDR_COUNT", No),
            ("BC_QUEUE_LEN", No),
            ("BC_QUEUE_LEN_USED", No),
            ("BC_CUTOFF", No),
        ],
    },
    Options {
        kind: "ipvlan",
        of_ports: false,
        prefix: "IFLA_IPVLAN_",
        known: &[("MODE", Modelled), ("FLAGS", No)],
    },
    Options {
        kind: "vlan",
        of_ports: false,
        prefix: "IFLA_VLAN_",
        known: &[("ID", Modelled), ("FLAGS", No), ("EGRESS_QOS", No), ("INGRESS_QOS", No), ("PROTOCOL", No)],
    },
    Options { kind: "vrf", of_ports: false, prefix: "IFLA_VRF_", known: &[("TABLE", Modelled)] },
    Options { kind: "vrf", of_ports: true, prefix: "IFLA_VRF_PORT_", known: &[("TABLE", No)] },
    Options {
        kind: "vxlan",
        of_ports: false,
        prefix: "IFLA_VXLAN_",
        known: &[
            ("ID", No),
            ("GROUP", No),
            ("LINK", No),
            ("LOCAL", No),
            ("TTL", No),
            ("TOS", No),
            ("LEARNING", No),
            ("AGEING", No),
            ("LIMIT", No),
            ("PORT_RANGE", No),
            ("PROXY", Modelled),
            ("RSC", No),
            ("L2MISS", No),
            ("L3MISS", No),
            ("PORT", No),
            ("GROUP6", No),
            ("LOCAL6", No),
            ("UDP_CSUM", No),
            ("UDP_ZERO_CSUM6_TX", No),
            ("UDP_ZERO_CSUM6_RX", No),
            ("REMCSUM_TX", No),
            ("REMCSUM_RX", No),
            ("GBP", No),
            ("REMCSUM_NOPARTIAL", No),
            ("COLLECT_METADATA", ANY),
            ("LABEL", No),
            ("GPE", No),
            ("TTL_INHERIT", No),
            ("DF", No),
            ("VNIFILTER", ANY),
            ("LOCALBYPASS", No),
            ("LABEL_POLICY", No),
            ("RESERVED_BITS", No),
            ("MC_ROUTE", No),
        ],
    },
];

/// An option of a link, or of its port, that leaves open what becomes of ARP: what it is called. One that this build
/// does not know counts where it is not zero, as what came later begins with nothing.
pub(super) fn open(kind: &[u8], of_ports: bool, attribute: &Attribute<'_>) -> Option<String> {
    let kind: &[u8] = match kind {
        b"macvtap" => b"macvlan",
        b"ipvtap" => b"ipvlan",
        kind => kind,
    };
    let options =
        TABLE.iter().find(|options| options.kind.as_bytes() == kind && options.of_ports == of_ports)?;
    let known = usize::from(attribute.kind).checked_sub(1).and_then(|at| options.known.get(at));
    let number = match attribute.value {
        [one] => u32::from(*one),
        [one, two] => u32::from(u16::from_ne_bytes([*one, *two])),
        _ => attribute.u32().unwrap_or(0),
    };
    match known {
        Some((_, Modelled | No)) => None,
        Some((name, Open(bits))) => (number & bits != 0).then(|| format!("{}{name}", options.prefix)),
        None => {
            let set = attribute.value.iter().any(|byte| *byte != 0);
            set.then(|| format!("{} {}", options.prefix.trim_end_matches('_'), attribute.kind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in docs/kernels.md: attribute, and what it is to the model.
    fn documented() -> Vec<(String, String)> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/kernels.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| `IFLA_"));
        rows.map(|row| {
            let mut cells = row.split('|').map(str::trim).skip(1);
            let name = cells.next().unwrap().trim_matches('`').to_owned();
            (name, cells.next().unwrap().to_owned())
        })
        .collect()
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let here: Vec<(String, String)> = TABLE
            .iter()
            .flat_map(|options| {
                options.known.iter().filter(|(name, _)| *name != "PAD").map(|(name, weight)| {
                    let words = match weight {
                        Modelled => "modelled",
                        No => "no influence",
                        Open(_) => "undetermined if set",
                    };
                    (format!("{}{name}", options.prefix), words.to_owned())
                })
            })
            .collect();
        assert_eq!(documented(), here);
    }

    #[test]
    fn what_leaves_open_and_what_is_new_is_named() {
        let told = |kind: &[u8], of_ports, number, value: &[u8]| {
            open(kind, of_ports, &Attribute { kind: number, value })
        };
        assert_eq!(told(b"bridge", false, 7, &[1]), None, "modelled");
        assert_eq!(told(b"bridge", false, 46, &[0b1011, 0, 0, 0, 7, 0, 0, 0]), None);
        let mst = told(b"bridge", false, 46, &[0b100, 0, 0, 0, 7, 0, 0, 0]);
        assert_eq!(mst.as_deref(), Some("IFLA_BR_MULTI_BOOLOPT"));
        assert_eq!(told(b"macvtap", false, 2, &[1, 0]), None);
        assert_eq!(told(b"macvtap", false, 2, &[2, 0]).as_deref(), Some("IFLA_MACVLAN_FLAGS"));
        assert_eq!(told(b"bridge", true, 99, &[0]), None);
        assert_eq!(told(b"bridge", true, 99, &[1]).as_deref(), Some("IFLA_BRPORT 99"));
        assert_eq!(told(b"team", false, 99, &[1]), None, "kinds without a table are told by their kind");
    }
}
