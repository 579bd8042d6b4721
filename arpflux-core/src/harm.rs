//! What a change silences or cuts off that worked before: the one place that decides it.

mod around;
mod discovery;
mod hosts;
mod packets;
mod requests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

pub use self::around::{Around, ELSEWHERE};
pub(crate) use self::discovery::ipv6_differs;
use self::hosts::Hosts;
use crate::diagnose::{self, Finding, FindingId, Objects, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::judgement::{self, Gap, Judgement};
use crate::plan::Plan;
use crate::predict::{Missing, Model, Outcome, Overview, listeners, targets};
use crate::snapshot::{Interface, ProxyEntry, Snapshot};
use crate::sysctl::Sysctl;
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
        address: IpAddr,
        /// A neighbour that gets no answer.
        asker: IpAddr,
        /// The interface on whose wire it is.
        interface: IfName,
        /// The interface that holds the address where no request arrives: `lo`, a dummy, one without carrier.
        /// Whether this host is to answer for it at all, nothing on the host tells.
        aside: Option<IfName>,
    },
    /// Packets do not get there any more.
    Way {
        /// Their source; `None`: the kernel chooses it.
        from: Option<IpAddr>,
        /// Their destination.
        to: IpAddr,
        /// The interface that they leave by, or arrive at.
        interface: IfName,
        /// The address of this host that they are sent to as a router, where that is how they get here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        router: Option<IpAddr>,
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
            Self::Way { from: Some(from), to, interface, router: Some(router) } => write!(
                f,
                "packets from {from} to {to} by its router {router} would arrive on {interface} and be dropped there"
            ),
            Self::Way { from: Some(from), to, interface, router: None } => {
                write!(f, "packets from {from} would not reach {to} on {interface} any more")
            }
            Self::Way { from: None, to, interface, .. } => {
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
        let found = diagnose::apart_from_missing(after);
        harm.extend(new_findings(&diagnose::apart_from_missing(before), &found, before, after));
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
    harm.extend(hosts.ipv6(&now, &then));
    if is_small(before) {
        harm.extend(hosts.known_by_requests(&now, &then, asked_for));
    }
    harm
}

/// The interfaces on which packets would get lost by strict `rp_filter`, as far as that can be.
pub(crate) fn strict_where_lost<'s>(harm: &[Harm], host: &'s Snapshot) -> Vec<&'s Interface> {
    let lost_there = |interface: &&Interface| {
        let there = |harm: &Harm| matches!(harm, Harm::Way { interface: on, .. } if *on == interface.name);
        harm.iter().any(there) && host.effective(interface, Sysctl::RpFilter).value == 1
    };
    host.interfaces.iter().filter(lost_there).collect()
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

/// Errors and warnings among what is `found` on the host `after` a change about something that they were not about
/// before. `known` is all that was found before, of any severity: what was a remark and weighs more now was there.
pub(crate) fn new_findings(
    known: &[Finding],
    found: &[Finding],
    before: &Snapshot,
    after: &Snapshot,
) -> Vec<Harm> {
    let there = |entry: &&ProxyEntry| {
        before
            .proxies
            .iter()
            .any(|other| (other.address, other.interface) == (entry.address, entry.interface))
    };
    let published: Vec<&ProxyEntry> = after.proxies.iter().filter(|entry| !there(entry)).collect();
    let counts = |finding: &&Finding| {
        let asked_for = finding.id == FindingId::ProxyQueue && !published.is_empty();
        let waits: &[&ProxyEntry] = if comes_with_an_entry(finding.id) { &published } else { &[] };
        finding.severity >= Severity::Warning && !asked_for && is_new(finding, known, waits)
    };
    let harm = |finding: &Finding| Harm::Finding {
        id: finding.id,
        addresses: finding.objects.addresses.clone(),
        what: finding.what.clone(),
    };
    found.iter().filter(counts).map(harm).collect()
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

/// Who answers on a host for its addresses, of IPv6 too if asked for, and for how many it was not asked as there are too many
/// of them.
pub(crate) fn overview(host: &Snapshot, ipv6: bool) -> (Overview, usize) {
    let interfaces: Vec<IfIndex> = listeners(host);
    let mut targets: Vec<IpAddr> = targets(host);
    targets.retain(|target| ipv6 || target.is_ipv4());
    let all = targets.len();
    if all.saturating_mul(interfaces.len()) > PAIRS_MOST {
        // What leaves one address open on an interface mostly does so for all of them.
        targets.truncate(PAIRS_MOST / 10 / interfaces.len() + 1);
    }
    let asked = targets.len();
    (Overview::of(&Model::of(host), &targets, &interfaces, None, |_| {}), all - asked)
}

impl Plan {
    /// Whether something of IPv6 changes.
    pub(crate) fn concerns_ipv6(&self) -> bool {
        self.changes.iter().any(|change| change.object.is_ipv6())
    }

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
        // Who answers for IPv6 addresses is as before where nothing of IPv6 changes.
        let (after, left_out) = overview(&before.with(&self.changes), self.concerns_ipv6());
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
        Harm::Answer { address, .. } => !plan.silence.contains(address),
        Harm::Known { address, .. } => !plan.silence.contains(&IpAddr::V4(*address)),
        Harm::Way { .. } => true,
        Harm::Finding { addresses, .. } => {
            addresses.is_empty() || !addresses.iter().all(|address| plan.silence.contains(address))
        }
    });
    Ok(found)
}

#[cfg(all(test, feature = "kernel"))]
mod tests;
