//! What several MACs for one address mean.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Probed;
use crate::types::Mac;

/// What the answers for one address mean, as far as that can be told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Nobody answered.
    Silent,
    /// One MAC.
    One,
    /// Several MACs that answer for other addresses together as well: one host with several interfaces.
    Flux,
    /// One MAC holds it, others proxy it.
    Proxied,
    /// Several MACs: two hosts with one address, or one host of which no other address was asked for.
    Several,
}

impl Judgement {
    /// Its name, as JSON prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::One => "one",
            Self::Flux => "flux",
            Self::Proxied => "proxied",
            Self::Several => "several",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "nobody answers",
            Self::One => "one MAC answers",
            Self::Flux => "flux: several interfaces of one host answer",
            Self::Proxied => "one host holds it, another one proxies it",
            Self::Several => "several MACs answer: two hosts, or one host with several interfaces",
        })
    }
}

/// Judges every address in the light of all.
#[must_use]
pub fn judge(probed: &[Probed]) -> Vec<Judgement> {
    // How many addresses each pair of MACs answered for together.
    let mut together: HashMap<(Mac, Mac), u32> = HashMap::new();
    let pairs = |one: &Probed| {
        let mut macs: Vec<Mac> = one.replies.iter().map(|reply| reply.mac).collect();
        macs.sort();
        let pairs: Vec<_> = (1..macs.len()).flat_map(|i| (0..i).map(move |j| (j, i))).collect();
        pairs.into_iter().map(move |(j, i)| (macs[j], macs[i]))
    };
    for one in probed {
        for pair in pairs(one) {
            *together.entry(pair).or_default() += 1;
        }
    }
    probed
        .iter()
        .map(|one| match one.replies.len() {
            0 => Judgement::Silent,
            1 => Judgement::One,
            _ if pairs(one).all(|pair| together.get(&pair).is_some_and(|count| *count > 1)) => {
                Judgement::Flux
            }
            _ => {
                let holders = one.replies.iter().filter(|reply| reply.proxied == Some(false)).count();
                let proxies = one.replies.iter().filter(|reply| reply.proxied == Some(true)).count();
                if holders == 1 && proxies > 0 { Judgement::Proxied } else { Judgement::Several }
            }
        })
        .collect()
}
