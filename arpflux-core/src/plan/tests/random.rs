//! Random hosts and policies: whatever they are, a plan is idempotent and its inverse exact, and on the
//! way no address loses its answer.

use super::host::{Host, net, rule};
use super::{checked, policy};
use crate::error::ErrorKind;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// A small generator (xorshift64*), so that a seed gives the same host everywhere.
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % u64::from(sides)) as u32
    }

    pub(super) fn one_in(&mut self, sides: u32) -> bool {
        self.roll(sides) == 0
    }

    pub(super) fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.roll(list.len() as u32) as usize]
    }
}

fn random_host(dice: &mut Dice) -> Host {
    let mut host = Host::new();
    let nics = 1 + dice.roll(5);
    for nic in 2..2 + nics {
        host = host.nic(nic, &format!("eth{nic}"), &[]);
        for _ in 0..dice.roll(3) {
            let subnet = dice.roll(3);
            let length = dice.of(&["24", "24", "24", "16", "32"]);
            let address = format!("10.0.{subnet}.{}/{length}", 1 + nic + 8 * dice.roll(8));
            if !host.0.addresses_of(IfIndex(nic)).any(|held| held.local == net(&address).addr()) {
                host = host.address(nic, &address);
            }
        }
        if dice.one_in(3) {
            host = host.address(nic, &format!("2001:db8:{}::{nic}/64", dice.roll(2)));
        }
        if dice.one_in(3) {
            host = host.route("0.0.0.0/0", Some("10.0.0.254"), nic, nic);
        }
        for sysctl in
            [Sysctl::ArpIgnore, Sysctl::ArpAnnounce, Sysctl::RpFilter, Sysctl::ArpFilter, Sysctl::Forwarding]
        {
            if dice.one_in(3) {
                host = host.one(nic, sysctl, dice.roll(4) as i32);
            }
        }
    }
    host = host.venet(9, "venet0");
    for container in 100..104 {
        if dice.one_in(2) {
            host = host.route(&format!("10.0.0.{container}/32"), None, 9, 0);
        }
        for nic in 0..2 + nics {
            if nic != 1 && dice.one_in(3) {
                host = host.proxy(&format!("10.0.0.{container}"), nic);
            }
        }
    }
    for sysctl in [Sysctl::ArpIgnore, Sysctl::ArpAnnounce, Sysctl::RpFilter, Sysctl::ArpFilter] {
        if dice.one_in(6) {
            host = host.all(sysctl, dice.roll(10) as i32);
        }
    }
    if dice.one_in(4) {
        let number = 70 + dice.roll(2);
        host = host
            .rule(rule(
                false,
                100 + dice.roll(40_000),
                Some(format!("10.0.0.{}/32", 1 + dice.roll(30)).parse().unwrap()),
                number,
            ))
            .table_route(number, "10.0.0.0/24", 2 + dice.roll(nics));
    }
    host
}

pub(super) fn random_policy(dice: &mut Dice, nics: u32) -> Policy {
    let mut text = "version = 1\n[host]\n".to_owned();
    if dice.one_in(2) {
        let names: Vec<String> =
            (2..2 + nics).filter(|_| !dice.one_in(4)).map(|nic| format!("\"eth{nic}\"")).collect();
        if !names.is_empty() {
            text += &format!("interfaces = [{}]\n", names.join(", "));
        }
    }
    text += &format!("strategy = \"{}\"\n", dice.of(&["auto", "auto", "strict", "filter", "unmanaged"]));
    text += &format!("egress = \"{}\"\n", dice.of(&["source-routed", "source-routed", "unmanaged"]));
    text += &format!("foreign_proxies = \"{}\"\n", dice.of(&["keep", "remove"]));
    if dice.one_in(3) {
        text += "proxy_delay = 0\n";
    }
    for container in 100..104 {
        if dice.one_in(2) {
            let v6 = if dice.one_in(4) { format!(", \"2001:db8::{container}\"") } else { String::new() };
            text += &format!(
                "[[proxy]]\nowner = \"{container}\"\naddresses = [\"10.0.0.{container}\"{v6}]\ninterface = \"eth{}\"\n",
                2 + dice.roll(nics)
            );
        }
    }
    policy(&text)
}

/// A host of which an earlier policy was applied, in part: what a changed policy meets.
pub(super) fn used_host(dice: &mut Dice) -> (Snapshot, u32) {
    let host = random_host(dice).0;
    let nics = host.interfaces.iter().filter(|interface| interface.speaks_arp()).count() as u32;
    match random_policy(dice, nics).plan(&host) {
        Ok(plan) if dice.one_in(2) => {
            let made = dice.roll(plan.changes.len() as u32 + 1) as usize;
            (host.with(&plan.changes[..made]), nics)
        }
        _ => (host, nics),
    }
}

#[test]
fn every_plan_is_idempotent_and_its_inverse_exact() {
    let (mut planned, mut refused, mut changes) = (0, 0, 0);
    for seed in 1..=4_000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (host, nics) = used_host(&mut dice);
        let policy = random_policy(&mut dice, nics);
        match policy.plan(&host) {
            Ok(_) => {
                planned += 1;
                changes += checked(&host, &policy).changes.len();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Refused, "seed {seed}: {error}");
                assert!(error.remedy().is_some(), "seed {seed}: {error}");
                refused += 1;
            }
        }
    }
    assert!(planned > 2_000 && refused > 100 && changes > 20_000, "{planned} {refused} {changes}");
}
