//! What to do, as changes, and what they change elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::context::{Context, listed};
use super::{FindingId, Objects};
use crate::error::Error;
use crate::harm::{is_small, losses, new_findings, strict_where_lost};
use crate::plan::{Announcement, Change, Impact, InterfaceIdentity, Plan, SysctlScope};
use crate::policy::{HostPolicy, Policy, Strategy};
use crate::predict::Model;
use crate::snapshot::Interface;
use crate::state::Object;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// The plan of a remedy and what it does, or why there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Remedy {
    pub plan: Option<Plan>,
    pub changes: Option<Impact>,
    /// Why no plan can be made; a clause.
    pub refused: Option<String>,
    /// What is found on the host as it is after the plan.
    pub left: Vec<(FindingId, Objects)>,
}

impl Remedy {
    /// The same for one finding: a plan that leaves all of it is none, one that leaves a part of it says so.
    pub(super) fn of(mut self, id: FindingId, objects: &Objects) -> Self {
        let of_it = self.left.iter().filter(|(left, _)| *left == id).map(|(_, left)| left);
        let mut stays: Vec<IpAddr> = of_it
            .flat_map(|left| &left.addresses)
            .filter(|address| objects.addresses.contains(address))
            .copied()
            .collect();
        stays.sort();
        stays.dedup();
        if !stays.is_empty() && self.plan.is_some() {
            let all = objects.addresses.iter().all(|address| stays.contains(address));
            self.refused = Some(format!("{id} would stay for {}", listed(&stays)));
            if all {
                (self.plan, self.changes) = (None, None);
            }
        }
        self
    }
}

impl Context<'_> {
    /// The remedy for a wire: one interface for each address, in and out. Worked out once for each wire.
    pub(super) fn cure_of_wire(&self, wire: usize) -> Remedy {
        if !self.remedies {
            return Remedy::default();
        }
        if let Some(cure) = self.cures.borrow().get(&wire) {
            return cure.clone();
        }
        let names = self.wires[wire].iter().map(|interface| interface.name.into()).collect();
        // Not `auto`: where `all` defeats strict, it would take arp_filter, which probes do not heed.
        let host =
            HostPolicy { interfaces: Some(names), strategy: Strategy::Strict, ..HostPolicy::default() };
        let policy = Policy { host, ..Policy::default() };
        let mut cure = self.cure_by_policy(&policy);
        if cure.refused.is_some() {
            let first = self.loosen(wire, &policy);
            if let Some(loose) = self.cure_after(first, &policy).filter(|loose| loose.plan.is_some()) {
                cure = loose;
            }
        } else if cure.plan.is_none() {
            cure.refused = Some("all of it that a policy can say is so already".into());
        }
        self.cures.borrow_mut().insert(wire, cure.clone());
        cure
    }

    /// What has to change so that a policy holds. Where a value of `all` stands against it, that one goes
    /// first.
    pub(super) fn cure_by_policy(&self, policy: &Policy) -> Remedy {
        if !self.remedies {
            return Remedy::default();
        }
        match policy.plan(self.snapshot) {
            Ok(plan) => self.remedy(plan),
            Err(error) => self
                .cure_after(self.relax_all(), policy)
                .unwrap_or_else(|| Remedy { refused: Some(clause(&error)), ..Remedy::default() }),
        }
    }

    /// These changes, then what has to change so that a policy holds; `None` if there are none, or no plan.
    fn cure_after(&self, first: Vec<Change>, policy: &Policy) -> Option<Remedy> {
        if first.is_empty() {
            return None;
        }
        let mut plan = policy.plan(&self.snapshot.with(&first)).ok()?;
        plan.changes.splice(0..0, first);
        Some(self.remedy(plan))
    }

    /// Loose `rp_filter` where the strict one would keep interfaces of a wire silent for their own addresses under a
    /// policy (it may not route their packets, as an address without a subnet tells of no neighbours), and where it would
    /// drop what comes for others.
    fn loosen(&self, wire: usize, policy: &Policy) -> Vec<Change> {
        let Ok(plan) = policy.plan(self.snapshot) else { return Vec::new() };
        let after = self.snapshot.with(&plan.changes);
        let model = Model::of(&after).without_interference();
        let silenced = |interface: &Interface| {
            self.public(interface.index).any(|(local, _)| {
                model.strict_silences(interface.index, self.sender(interface.index, local), local)
            })
        };
        let mut strict: Vec<&Interface> =
            self.wires[wire].iter().copied().filter(|one| silenced(one)).collect();
        if is_small(self.snapshot) {
            strict.extend(strict_where_lost(&losses(self.snapshot, &after, |_| false), self.snapshot));
            strict.sort_by_key(|interface| interface.index);
            strict.dedup_by_key(|interface| interface.index);
        }
        strict.into_iter().filter_map(|interface| self.set(interface, Sysctl::RpFilter, 2)).collect()
    }

    /// Sets what outweighs every interface's own value in a useless way to 0.
    pub(super) fn relax_all(&self) -> Vec<Change> {
        let useless = [(Sysctl::ArpIgnore, 2), (Sysctl::ArpAnnounce, 2)];
        useless
            .into_iter()
            .filter_map(|(sysctl, good)| {
                let before = self.snapshot.all.get(sysctl).filter(|value| *value > good)?;
                Some(Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl }, before, 0))
            })
            .collect()
    }

    /// A remedy of these changes alone.
    pub(super) fn cure_by_changes(&self, changes: Vec<Change>) -> Remedy {
        let mut touched: Vec<IfIndex> = changes.iter().filter_map(Change::interface).collect();
        let announcements = self.moved(&changes);
        touched.extend(announcements.iter().map(|announcement| announcement.interface));
        touched.sort();
        touched.dedup();
        let identity = |index: IfIndex| {
            let Interface { index, name, mac, .. } = self.snapshot.interface(index)?;
            Some(InterfaceIdentity { index: *index, name: *name, mac: *mac })
        };
        self.remedy(
            Plan::default()
                .netns(self.snapshot.netns.clone())
                .interfaces(touched.into_iter().filter_map(identity).collect::<Vec<_>>())
                .changes(changes)
                .announcements(announcements),
        )
    }

    /// The own addresses that another interface of a wire answers for after `changes`, and that one: neighbours keep the
    /// MAC of before unless they are told.
    fn moved(&self, changes: &[Change]) -> Vec<Announcement> {
        if !self.remedies || changes.is_empty() || !is_small(self.snapshot) {
            return Vec::new();
        }
        let after = self.snapshot.with(changes);
        let then = Context::new(&after, self.options, Model::of(&after));
        let now = self.answers();
        let mut moved = Vec::new();
        for (key, answering) in then.answers() {
            let macs: BTreeSet<&Mac> = answering.iter().map(|(_, mac)| mac).collect();
            let before = now.get(&key);
            let kept = |before: &Vec<(IfIndex, Mac)>| before.iter().all(|(_, mac)| macs.contains(mac));
            if let (1, Some((interface, _))) = (macs.len(), answering.first())
                && before.is_some_and(|before| !kept(before))
            {
                moved.push(Announcement { interface: *interface, address: IpAddr::V4(key.1) });
            }
        }
        moved
    }

    /// Who answers with which MAC, by wire and address.
    fn answers(&self) -> BTreeMap<(usize, Ipv4Addr), Vec<(IfIndex, Mac)>> {
        let mut answering: BTreeMap<(usize, Ipv4Addr), Vec<(IfIndex, Mac)>> = BTreeMap::new();
        for answers in (0..self.wires.len()).flat_map(|wire| self.answers_on(wire)) {
            for asked in &answers.asked {
                let number = self.map.number(asked.interface.index);
                if let (Some(number), Some(mac)) = (number, asked.verdict.mac()) {
                    let of_wire = answering.entry((number, answers.target)).or_default();
                    of_wire.push((asked.interface.index, *mac));
                }
            }
        }
        answering
    }

    fn remedy(&self, plan: Plan) -> Remedy {
        if plan.is_empty() || !self.remedies {
            return Remedy::default();
        }
        let mut left = Vec::new();
        if is_small(self.snapshot) {
            let after = self.snapshot.with(&plan.changes);
            let mut harm = losses(self.snapshot, &after, |_| false);
            if harm.is_empty() {
                let known = self.known.get_or_init(|| super::apart_from_missing(self.snapshot));
                let found = super::apart_from_missing(&after);
                harm = new_findings(known, &found, self.snapshot, &after);
                left = found.into_iter().map(|finding| (finding.id, finding.objects)).collect();
            }
            if let Some(harm) = harm.first() {
                return Remedy { refused: Some(format!("it would do harm: {harm}")), ..Remedy::default() };
            }
        }
        let changes = (self.options.impact && is_small(self.snapshot)).then(|| {
            let after = self.snapshot.with(&plan.changes);
            let touched: HashSet<IfIndex> = plan.interfaces.iter().map(|identity| identity.index).collect();
            let meant = self.snapshot.addresses.iter().filter(|held| touched.contains(&held.interface));
            Impact::of(self.snapshot, &after, &meant.map(|held| held.local).collect())
        });
        Remedy { plan: Some(plan), changes, refused: None, left }
    }

    /// Changes that give a sysctl the value `good` on some interfaces and leave it as it is on all others, also
    /// where the value of `all` is the larger one: that one is lowered then, and the others get it as their own.
    pub(super) fn lower(
        &self,
        sysctl: Sysctl,
        interfaces: &[&Interface],
        good: impl Fn(&Interface) -> i32,
    ) -> Vec<Change> {
        let all = self.snapshot.all.get(sysctl).unwrap_or(0);
        let lowest = interfaces.iter().map(|interface| good(interface)).min().unwrap_or(all);
        let mut changes = Vec::new();
        if all > lowest {
            let among = |other: &Interface| interfaces.iter().any(|interface| interface.index == other.index);
            let others = self.snapshot.interfaces.iter().filter(|other| !among(other));
            let weaker = others.filter(|other| other.sysctls.get(sysctl).is_some_and(|own| own < all));
            changes.extend(weaker.filter_map(|other| self.set(other, sysctl, all)));
            changes.push(Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl }, all, lowest));
        }
        changes
            .extend(interfaces.iter().filter_map(|interface| self.set(interface, sysctl, good(interface))));
        changes
    }

    /// A change of an interface's own sysctl.
    pub(super) fn set(&self, interface: &Interface, sysctl: Sysctl, after: i32) -> Option<Change> {
        let before = interface.sysctls.get(sysctl).filter(|before| *before != after)?;
        let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
        Some(Change::set(Object::Sysctl { scope, sysctl }, before, after))
    }
}

fn clause(error: &Error) -> String {
    let object = match error.object() {
        "" => String::new(),
        object => format!("{object}: "),
    };
    match error.remedy() {
        Some(hint) => format!("{object}{}; {hint}", error.message()),
        None => format!("{object}{}", error.message()),
    }
}
