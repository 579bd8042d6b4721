//! What a change silences or cuts off that worked before: the one place that decides it.

mod around;
mod hosts;
mod requests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

pub use self::around::{Around, ELSEWHERE};
use self::hosts::Hosts;
use crate::diagnose::{self, Finding, FindingId, Objects, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::judgement::{self, Gap, Judgement};
use crate::plan::Plan;
use crate::predict::{Missing, Model, Outcome, Overview, listeners, targets};
use crate::snapshot::{ProxyEntry, Snapshot};
use crate::types::{IfIndex, IfName};
use crate::words::counted;

/// Something that worked and would not any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "harm", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Harm {
    /// Nobody on a wire answers for an address any more.
    Answer {
        /// The address.
        address: Ipv4Addr,
        /// A neighbour that gets no answer.
        asker: Ipv4Addr,
        /// The interface on whose wire it is.
        interface: IfName,
        /// The interface that holds the address where no request arrives: `lo`, a dummy, one without carrier.
        /// Whether this host is to answer for it at all, nothing on the host tells.
        aside: Option<IfName>,
    },
    /// Packets do not get there any more.
    Way {
        /// Their source; `None`: the kernel chooses it.
        from: Option<Ipv4Addr>,
        /// Their destination.
        to: Ipv4Addr,
        /// The interface that they leave by, or arrive at.
        interface: IfName,
    },
    /// Nobody answers for an address, so neighbours know it only by what this host asks them, and that would change:
    /// which of them lose it, nothing on the host tells.
    Known {
        /// The address.
        address: Ipv4Addr,
        /// The interface that holds it.
        interface: IfName,
    },
    /// Something else is wrong then, which was not before: an error or a warning of [`crate::diagnose`].
    Finding {
        /// What it is.
        id: FindingId,
        /// The addresses that it is about.
        addresses: Vec<IpAddr>,
        /// What happens, in one sentence.
        what: String,
    },
}

impl Harm {
    /// Whether it concerns an address of which nothing on the host tells whether it is to be answered for.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        matches!(self, Self::Answer { aside: Some(_), .. })
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { address, asker, interface, aside: None } => {
                write!(f, "{asker} on {interface} would get no answer for {address} any more")
            }
            Self::Answer { address, interface, aside: Some(holder), .. } => write!(
                f,
                "neighbours on {interface} would get no answer for {address} on {holder} any more: right if another \
                 host answers for it (a load balancer, the VRRP master), and wrong if this one does"
            ),
            Self::Way { from: Some(from), to, interface } => {
                write!(f, "packets from {from} would not reach {to} on {interface} any more")
            }
            Self::Way { from: None, to, interface } => {
                write!(f, "{to} on {interface} would not be reached any more")
            }
            Self::Known { address, interface } => write!(
                f,
                "nobody answers for {address}, so neighbours know it only by what this host asks them, which this would \
                 change; first let {interface} answer for it"
            ),
            Self::Finding { id, what, .. } => {
                write!(f, "{id} would be found, which is not now: {}", what.trim_end_matches('.'))
            }
        }
    }
}

/// What the host `after` a change no longer answers, or no longer reaches, of what it did `before`: for ordinary
/// neighbours of each wire, for gateways, and for hosts behind interfaces of their own (containers, tunnels,
/// point-to-point peers); and what [`crate::diagnose`] finds then and not before. The latter is not looked for on
/// hosts so large that it would take long, nor counted where it says that what the change itself publishes gets no answer
/// yet: an entry for a container that is not started takes nothing away. That several MACs answer for it,
/// or that its packets are not passed on, does count. What cannot be told of either (a filter that is not understood, state
/// that cannot be read) is taken to be without effect: [`Assessment::unknown`] counts what that leaves open.
///
/// ```
/// use arpflux_core::harm::harm;
/// use arpflux_core::snapshot::Snapshot;
///
/// let host = Snapshot::default();
/// assert!(harm(&host, &host).is_empty());
/// ```
#[must_use]
pub fn harm(before: &Snapshot, after: &Snapshot) -> Vec<Harm> {
    let published = |address: Ipv4Addr| {
        let of_it = |entry: &&ProxyEntry| entry.address == IpAddr::V4(address);
        after.proxies.iter().any(|entry| of_it(&entry)) && !before.proxies.iter().any(|entry| of_it(&entry))
    };
    let mut harm = losses(before, after, published);
    if is_small(before) {
        harm.extend(new_findings(&diagnose::apart_from_missing(before), before, after));
    }
    harm
}

/// The answers and ways that are lost, and what is known of the host only as long as it goes on as before.
/// For addresses of which somebody `asked_for` an answer, that there is one is no harm.
pub(crate) fn losses(before: &Snapshot, after: &Snapshot, asked_for: impl Fn(Ipv4Addr) -> bool) -> Vec<Harm> {
    let hosts = Hosts::new(before);
    let [now, then] = [before, after].map(|host| Model::of(host).without_interference());
    let mut harm = hosts.answers(&now, &then);
    harm.extend(hosts.ways(&now, &then));
    if is_small(before) {
        harm.extend(hosts.known_by_requests(&now, &then, asked_for));
    }
    harm
}

/// Beyond this many pairs of an interface and a prefix, address, rule or entry, effects are not worked out: it would
/// take seconds.
const EFFECTS_MOST: usize = 20_000;

/// Whether what a change does to the whole host is worked out within seconds.
pub(crate) fn is_small(snapshot: &Snapshot) -> bool {
    let boundaries =
        snapshot.addresses.len() + snapshot.routes.len() + snapshot.rules.len() + snapshot.proxies.len();
    snapshot.interfaces.len().saturating_mul(boundaries) <= EFFECTS_MOST
}

/// Errors and warnings of the host `after` a change about something that they were not about before. `known` is all
/// that was found before, of any severity: what was a remark and weighs more now was there.
pub(crate) fn new_findings(known: &[Finding], before: &Snapshot, after: &Snapshot) -> Vec<Harm> {
    let there = |entry: &&ProxyEntry| {
        before
            .proxies
            .iter()
            .any(|other| (other.address, other.interface) == (entry.address, entry.interface))
    };
    let published: Vec<&ProxyEntry> = after.proxies.iter().filter(|entry| !there(entry)).collect();
    let mut found = diagnose::apart_from_missing(after);
    found.retain(|finding| {
        let asked_for = finding.id == FindingId::ProxyQueue && !published.is_empty();
        let waits: &[&ProxyEntry] = if comes_with_an_entry(finding.id) { &published } else { &[] };
        finding.severity >= Severity::Warning && !asked_for && is_new(finding, known, waits)
    });
    let harm = |finding: Finding| Harm::Finding {
        id: finding.id,
        addresses: finding.objects.addresses,
        what: finding.what,
    };
    found.into_iter().map(harm).collect()
}

/// Whether a finding says no more than that an entry answers nobody yet.
const fn comes_with_an_entry(id: FindingId) -> bool {
    matches!(
        id,
        FindingId::ProxyForwardingOff
            | FindingId::ProxyNoRoute
            | FindingId::ProxySameInterface
            | FindingId::Ipv6ProxyForwardingOff
            | FindingId::Ipv6ProxyNdpOff
            | FindingId::Ipv6ProxySilent
            | FindingId::Ipv6ProxyNoRoute
            | FindingId::Ipv6ProxySameInterface
    )
}

/// Whether a finding is about an address or an interface that none of its kind was about, apart from what has just been
/// published. Which of them stand in one finding together is for the reader, and does not count.
fn is_new(finding: &Finding, known: &[Finding], published: &[&ProxyEntry]) -> bool {
    let Objects { interfaces, addresses } = &finding.objects;
    let of_kind = known.iter().filter(|other| other.id == finding.id || hides(other.id, finding.id));
    let of_kind: Vec<&Objects> = of_kind.map(|other| &other.objects).collect();
    if interfaces.is_empty() && addresses.is_empty() {
        return of_kind.is_empty();
    }
    let address_is_new = |address: &IpAddr| {
        !of_kind.iter().any(|known| known.addresses.contains(address))
            && !published.iter().any(|entry| entry.address == *address)
    };
    let interface_is_new = |name: &IfName| {
        let of_these = |known: &&&Objects| {
            addresses.is_empty() || addresses.iter().any(|address| known.addresses.contains(address))
        };
        !of_kind.iter().filter(of_these).any(|known| known.interfaces.contains(name))
            && !published.iter().any(|entry| addresses.contains(&entry.address))
    };
    addresses.iter().any(address_is_new) || interfaces.iter().any(interface_is_new)
}

/// Whether one finding keeps another from being told of the same address: which address a request carries matters
/// only where an interface does not answer for all of them anyway.
fn hides(one: FindingId, other: FindingId) -> bool {
    (one, other) == (FindingId::SeveralAnswer, FindingId::TeachesWrongMac)
}

/// What a plan harms, and whether that is all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Assessment {
    /// What would be lost: [`of_plan`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub harm: Vec<Harm>,
    /// Addresses of which cannot be told who answers for them afterwards, so that not all harm to them would be seen.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: usize,
    /// What leaves that open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Gap>,
    /// Addresses that have several MACs afterwards; `None`: not all were looked at.
    #[serde(skip)]
    pub(crate) floating: Option<usize>,
}

const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Assessment {
    /// Bad if something would be lost; undetermined if who answers afterwards cannot be told of each address.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        match (self.harm.as_slice(), self.unknown) {
            ([], 0) => Judgement::Good,
            ([], _) => Judgement::Undetermined { missing: self.missing.clone(), apart: Some(true) },
            _ => Judgement::Bad,
        }
    }

    /// The last line where who answers afterwards cannot be told: how much that leaves open, and how to get it told.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let open = format!("Who answers for {}", counted(self.unknown, "address", "addresses"));
        let apart = if self.harm.is_empty() { "no harm is known" } else { "there is the harm above" };
        (self.unknown > 0).then(|| judgement::last_line(&open, &self.missing, apart))
    }

    /// Refuses what does harm.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with what would be lost.
    pub fn refuse(&self) -> Result<()> {
        let Some(first) = self.harm.first() else { return Ok(()) };
        let more = match self.harm.len() {
            1 => String::new(),
            count => format!(", and {} more", count - 1),
        };
        Err(Error::new(ErrorKind::Refused, format!("it would do harm: {first}{more}")).during("apply").hint(
            "`arpflux plan` lists all; --accept-harm does it all the same, a [[service]] asks for silence",
        ))
    }
}

impl fmt::Display for Assessment {
    /// The harm, one a line, then the last line; nothing if there is neither.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.harm.iter().try_for_each(|harm| writeln!(f, "{harm}"))?;
        self.last_line().map_or(Ok(()), |line| writeln!(f, "{line}"))
    }
}

/// So many pairs of an interface and an address are looked at; beyond that it would take long.
pub(crate) const PAIRS_MOST: usize = 20_000;

/// Who answers on a host for its addresses, and for how many it was not asked as there are too many of them.
pub(crate) fn overview(host: &Snapshot) -> (Overview, usize) {
    let interfaces: Vec<IfIndex> = listeners(host);
    let mut targets: Vec<IpAddr> = targets(host).into_iter().map(IpAddr::V4).collect();
    let all = targets.len();
    if all.saturating_mul(interfaces.len()) > PAIRS_MOST {
        // What leaves one address open on an interface mostly does so for all of them.
        targets.truncate(PAIRS_MOST / 10 / interfaces.len() + 1);
    }
    let asked = targets.len();
    (Overview::of(&Model::of(host), &targets, &interfaces, None, |_| {}), all - asked)
}

impl Plan {
    /// What it harms on the host that `before` was taken from, apart from the silence that was asked for
    /// ([`Plan::silence`]), and whether that is all. Of very many addresses, only some are asked for.
    ///
    /// ```
    /// use arpflux_core::Policy;
    /// use arpflux_core::judgement::Judgement;
    /// use arpflux_core::snapshot::Snapshot;
    ///
    /// let host = Snapshot::default();
    /// let plan = Policy::default().plan(&host)?;
    /// assert_eq!(plan.assess(&host)?.judgement(), Judgement::Good);
    /// # Ok::<(), arpflux_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Snapshot::check`].
    pub fn assess(&self, before: &Snapshot) -> Result<Assessment> {
        let harm = of_plan(before, self)?;
        if self.changes.is_empty() {
            return Ok(Assessment::default());
        }
        let (after, left_out) = overview(&before.with(&self.changes));
        let floating = (left_out == 0).then(|| after.count(Outcome::Flux));
        // Which interfaces share a wire leaves open whether an address has several MACs. It hides no loss: each interface of
        // an unknown wire is taken for the only one there.
        if after.missing.iter().all(|gap| gap.missing == Missing::Wire) {
            return Ok(Assessment { harm, floating, ..Assessment::default() });
        }
        Ok(Assessment { harm, unknown: after.count(Outcome::Unknown), floating, missing: after.missing })
    }
}

/// Refuses a plan that does harm.
///
/// # Errors
/// [`ErrorKind::Refused`] with what would be lost; those of [`Snapshot::check`].
pub fn refuse(before: &Snapshot, plan: &Plan) -> Result<()> {
    Assessment { harm: of_plan(before, plan)?, ..Assessment::default() }.refuse()
}

/// What a plan harms, apart from the silence that was asked for ([`Plan::silence`]).
///
/// # Errors
/// Those of [`Snapshot::check`].
pub fn of_plan(before: &Snapshot, plan: &Plan) -> Result<Vec<Harm>> {
    before.check()?;
    if plan.changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = harm(before, &before.with(&plan.changes));
    found.retain(|harm| match harm {
        Harm::Answer { address, .. } | Harm::Known { address, .. } => {
            !plan.silence.contains(&IpAddr::V4(*address))
        }
        Harm::Way { .. } => true,
        Harm::Finding { addresses, .. } => {
            addresses.is_empty() || !addresses.iter().all(|address| plan.silence.contains(address))
        }
    });
    Ok(found)
}

#[cfg(all(test, feature = "kernel"))]
mod tests {
    use super::*;
    use crate::plan::tests::host::Host;
    use crate::snapshot::{LinkKind, MacvlanMode, Rule, RuleAction};
    use crate::sysctl::Sysctl;
    use crate::types::IfIndex;

    fn changed(host: &Host, change: impl FnOnce(Host) -> Host) -> Vec<String> {
        harm(&host.0, &change(host.clone()).0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_last_answer_of_a_wire_is_missed_and_one_of_several_is_not() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        assert_eq!(changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1)), [""; 0]);
        let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 8));
        assert_eq!(
            silent.iter().filter(|one| one.contains("no answer for 10.0.0.")).count(),
            2,
            "{silent:?}"
        );
        assert!(silent.iter().any(|one| one.starts_with("AF007 would be found")), "{silent:?}");
    }

    #[test]
    fn answers_for_one_without_carrier_are_missed_where_single_addresses_alone_are_held() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/32"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let mut host = host;
        host.0.interfaces[2].carrier = false;
        let lost = changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1));
        assert!(lost.iter().any(|one| one.contains("no answer for 10.0.0.3 on eth1")), "{lost:?}");
    }

    #[test]
    fn what_one_on_an_unknown_wire_alone_answers_for_is_missed() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &[]);
        let host = host.address(1, "10.0.0.77/32").one(2, Sysctl::ArpIgnore, 1);
        let lost = changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1));
        assert!(lost.iter().any(|one| one.contains("no answer for 10.0.0.77 on lo")), "{lost:?}");
        // Of what another one answers for, nothing is lost.
        assert!(!lost.iter().any(|one| one.contains("10.0.0.2 ")), "{lost:?}");
    }

    #[test]
    fn what_neighbours_know_by_requests_alone_is_not_moved() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.all(Sysctl::ArpIgnore, 8);
        let policy = crate::plan::tests::policy("[host]\nstrategy = \"unmanaged\"\n");
        let told = |host: &Host| {
            let plan = policy.plan(&host.0).unwrap();
            assert!(!plan.is_empty());
            let harm = plan.assess(&host.0).unwrap().harm;
            harm.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let harm = told(&host);
        assert!(harm.iter().any(|one| one.starts_with("nobody answers for 10.0.0.3, so")), "{harm:?}");
        // What comes to be answered for makes the host ask less, unless that is what was asked for.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(4, "ve0", &[]);
        let host = host.route("10.0.0.77/32", None, 4, 0).one(2, Sysctl::ArpIgnore, 8).proxy("10.0.0.77", 2);
        let more = changed(&host, |host| host.each(Sysctl::Forwarding, 1));
        assert!(more.iter().any(|one| one.starts_with("nobody answers for 10.0.0.2, so")), "{more:?}");
        let mut bare = host.each(Sysctl::Forwarding, 1);
        bare.0.proxies.clear();
        assert_eq!(changed(&bare, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
        let published = bare.clone().proxy("10.0.0.77", 2);
        assert_eq!(losses(&bare.0, &published.0, |_| false).len(), 1, "by a remedy");
        // What is asked on the wire by mistake teaches neighbours there, too.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(4, "ve0", &[]);
        let host = host.route("10.0.0.77/32", None, 4, 0).one(2, Sysctl::ArpIgnore, 8);
        let host = host.source_rule(1000, "10.0.0.2/32", 101).table_route(101, "10.0.0.0/24", 2);
        let right = losses(&host.0, &host.clone().table_route(101, "10.0.0.77/32", 4).0, |_| false);
        assert!(right.iter().any(|one| matches!(one, Harm::Known { .. })), "{right:?}");
        // Where somebody answers, they ask.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let harm = told(&host.all(Sysctl::ArpIgnore, 0));
        assert!(!harm.iter().any(|one| one.starts_with("nobody answers")), "{harm:?}");
    }

    #[test]
    fn what_one_finding_kept_from_being_told_is_not_new() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 3, 1);
        // Half a cure: eth0 asks for neighbours in the name of eth1's address, as it did while it answered for it.
        assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
        // Beside a whole one it is new.
        let cured = |host: Host| {
            [2, 3]
                .into_iter()
                .fold(host, |host, on| host.one(on, Sysctl::ArpIgnore, 1).one(on, Sysctl::ArpAnnounce, 2))
        };
        let worse = changed(&cured(host), |host| host.one(2, Sysctl::ArpAnnounce, 0));
        assert!(worse.iter().any(|one| one.starts_with("AF003 would be found")), "{worse:?}");
    }

    #[test]
    fn a_finding_is_new_only_if_something_is_found_that_was_not() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
        let host = host.one(2, Sysctl::Forwarding, 1).one(3, Sysctl::Forwarding, 1);
        // A first entry, for which no route leads anywhere; one more beside it is what was asked for.
        let host = host.proxy("10.2.0.77", 2);
        assert_eq!(changed(&host, |host| host.proxy("10.2.0.78", 2)), [""; 0]);
        assert_eq!(changed(&host, |host| host.proxy("10.2.0.77", 3)), [""; 0]);
        // Behind the host, and forgotten: a remark while nothing is proxied, and a warning beside an entry, of the same.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).one(2, Sysctl::Forwarding, 1);
        let host = host.route("10.0.0.77/32", None, 3, 0).route("10.0.0.78/32", None, 3, 0);
        let dark = changed(&host, |host| host.proxy("10.0.0.77", 2));
        assert!(matches!(dark.as_slice(), [one] if one.starts_with("AF037 would be found")), "{dark:?}");
        let host = host.one(3, Sysctl::Forwarding, 1);
        assert_eq!(changed(&host, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
        // On a second interface of the wire it has two MACs, which nobody asked for.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.nic(4, "ve0", &[]).route("10.0.0.0/24", None, 2, 0).route("10.0.0.77/32", None, 4, 0);
        let host = host.each(Sysctl::ArpIgnore, 1).each(Sysctl::ArpAnnounce, 2).each(Sysctl::Forwarding, 1);
        assert_eq!(changed(&host, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
        let twice = changed(&host.clone().proxy("10.0.0.77", 2), |host| host.proxy("10.0.0.77", 3));
        assert!(twice.iter().any(|one| one.starts_with("AF013 would be found")), "{twice:?}");
        let at_once = changed(&host, |host| host.proxy("10.0.0.77", 2).proxy("10.0.0.77", 3));
        assert!(at_once.iter().any(|one| one.starts_with("AF013 would be found")), "{at_once:?}");
        // One that had its entry is another matter.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).one(2, Sysctl::Forwarding, 1);
        let host = host.route("10.0.0.77/32", None, 3, 0).route("10.0.0.78/32", None, 3, 0);
        let both = host.proxy("10.0.0.77", 2).proxy("10.0.0.78", 2);
        let lost = changed(&both, |mut host| {
            host.0.proxies.pop();
            host
        });
        assert!(lost.iter().any(|one| one.starts_with("AF014 would be found")), "{lost:?}");
    }

    #[test]
    fn an_address_where_no_request_arrives_is_told_with_both_readings() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "10.0.0.100/32");
        let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
        assert!(matches!(silent.as_slice(), [one] if one.contains("10.0.0.100 on lo")), "{silent:?}");
    }

    #[test]
    fn an_address_without_a_subnet_keeps_an_interface_that_answers() {
        // eth0 drops what has no way back by it (`rp_filter`), so that eth1, of which nothing is known, alone answers.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/32"]).nic(3, "eth1", &[]);
        let host = host.nic(4, "docker0", &["10.9.0.1/24"]);
        let silent =
            changed(&host.clone().one(2, Sysctl::RpFilter, 1), |host| host.one(3, Sysctl::ArpIgnore, 1));
        assert!(matches!(silent.as_slice(), [one] if one.contains("no answer for 10.0.0.2")), "{silent:?}");
        assert_eq!(changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1)), [""; 0]);
    }

    #[test]
    fn an_address_beside_the_wires_is_told_with_both_readings_unless_it_is_of_the_link_alone() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "10.1.0.2/32");
        let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
        assert!(matches!(silent.as_slice(), [one] if one.contains("10.1.0.2 on lo")), "{silent:?}");
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "169.254.20.10/32");
        assert_eq!(changed(&host, |host| host.each(Sysctl::ArpIgnore, 1)), [""; 0]);
    }

    #[test]
    fn a_router_sends_by_whichever_interface_of_the_wire_its_route_says() {
        // Both cards are in the subnet, and by strict `rp_filter` only eth0 takes its packets.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.nic(4, "docker0", &["172.17.0.1/16"]).each(Sysctl::RpFilter, 1);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 3, 1);
        let lost = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
        assert!(!lost.iter().any(|one| one.contains("172.17.0.1")), "{lost:?}");
    }

    /// Sources that the same rules ask for are looked at once.
    #[test]
    fn a_rule_for_one_source_takes_the_way_of_that_source_alone() {
        let host =
            Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24", "10.1.0.3/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
        let reject = |source: &str| Rule {
            action: RuleAction::Unreachable,
            ..Rule::lookup(100, 0).source(source.parse::<crate::types::IpNet>().unwrap())
        };
        let from = |lost: &[String], source: &str| {
            lost.iter().filter(|one| one.starts_with(&format!("packets from {source} "))).count()
        };
        let lost = changed(&host, |host| host.rule(reject("10.1.0.3/32")));
        assert!(from(&lost, "10.1.0.3") > 0 && from(&lost, "10.1.0.2") == 0, "{lost:?}");
        let lost = changed(&host, |host| host.rule(reject("10.1.0.2/31")));
        assert!(from(&lost, "10.1.0.3") > 0 && from(&lost, "10.1.0.2") > 0, "{lost:?}");
        assert_eq!(from(&lost, "10.0.0.2"), 0, "{lost:?}");
    }

    #[test]
    fn siblings_of_a_macvlan_are_heard_by_it_alone() {
        let mut host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "shim", &["10.0.0.193/32"]);
        let shim = &mut host.0.interfaces[2];
        (shim.kind, shim.macvlan_mode) = (Some(LinkKind::Macvlan), Some(MacvlanMode::Bridge));
        shim.link = Some(IfIndex(2));
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.192/27", None, 3, 0);
        let lost = changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1));
        let told = "10.0.0.194 on shim would get no answer for 10.0.0.2 any more";
        assert!(lost.iter().any(|one| one.contains(told)), "{lost:?}");
        assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
    }

    #[test]
    fn a_neighbour_that_is_sent_to_a_gateway_or_nowhere_has_lost_its_way() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
        let lost = changed(&host, |mut host| {
            host.0.routes.retain(|route| route.destination.to_string() != "10.1.0.0/24");
            host.route("0.0.0.0/0", Some("10.0.0.1"), 2, 0)
        });
        let (found, lost): (Vec<&String>, Vec<&String>) =
            lost.iter().partition(|one| one.starts_with("AF042"));
        assert!(lost.iter().all(|one| one.contains("on eth1")) && !lost.is_empty(), "{lost:?}");
        assert_eq!(found.len(), 1, "the missing route is found as well: {found:?}");
    }
}
