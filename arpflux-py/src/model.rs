//! What else the model of the kernel tells of a snapshot: claims for all senders, own requests, learning; and what a plan changes.

use arpflux_core::predict::{Learned, Model, Reached, listeners};
use arpflux_core::proof::{Claims, Expectation, Targets};
use arpflux_core::types::{IfIndex, IpNet};
use pyo3::prelude::*;

use crate::argument::{self, invalid};
use crate::error::Result;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// See `Snapshot.prove`.
pub fn prove<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    target: Given<'_, 'py>,
    claims: Given<'_, 'py>,
) -> Result<Bound<'py, PyAny>> {
    let target = target.map(|target| argument::address("target", target)).transpose()?;
    let claims = match claims {
        Some(_) if target.is_some() => {
            return Err(invalid("target", "it chooses among the claims by wire, not among given ones"));
        }
        Some(claims) => {
            let claims = claims.try_iter()?.map(|claim| expectation(snapshot, &claim?));
            Some(claims.collect::<Result<Vec<_>>>()?)
        }
        None => None,
    };
    let decided = py.detach(|| match claims {
        Some(claims) => Claims::decide(&snapshot.0, claims),
        None => {
            Claims::by_wire(&snapshot.0, &listeners(&snapshot.0), target.map_or(Targets::All, Targets::One))
        }
    })?;
    value::typed(py, "Proofs", &decided)
}

/// What an `Expectation` of the package means on this host.
fn expectation(snapshot: &Snapshot, claim: &Bound<'_, PyAny>) -> Result<Expectation> {
    let index = |object: &Bound<'_, PyAny>| -> Result<IfIndex> {
        Ok(snapshot.find(&argument::interface("claims", object)?)?.index)
    };
    let interface = || index(&claim.getattr("interface")?);
    let target = || argument::address("claims", &claim.getattr("target")?);
    let network = || -> Result<IpNet> {
        let target = claim.getattr("target")?;
        if let Ok(address) = argument::address("claims", &target) {
            return Ok(address.into());
        }
        match argument::networks("claims", &target)?.as_slice() {
            [network] => Ok(*network),
            _ => Err(invalid("claims", "target: expected an address or a network")),
        }
    };
    let among = || -> Result<Vec<IfIndex>> {
        claim.getattr("among")?.try_iter()?.map(|name| index(&name?)).collect()
    };
    Ok(match argument::text("claims", &claim.getattr("expect")?)?.as_str() {
        "exactly_one" => Expectation::ExactlyOne { target: target()?, among: among()? },
        "nothing_but" => {
            Expectation::NothingBut { interface: interface()?, target: network()?, among: among()? }
        }
        "answers" => Expectation::Answers { interface: interface()?, target: target()? },
        "never" => Expectation::Never { interface: interface()?, target: network()? },
        "leaves_by" => {
            let source = argument::ipv4("claims", &claim.getattr("source")?)?;
            Expectation::LeavesBy { source, interface: interface()?, among: among()? }
        }
        other => return Err(invalid("claims", format!("there is no claim {other:?}"))),
    })
}

/// See `Snapshot.outgoing`.
pub fn outgoing<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    destination: &Bound<'py, PyAny>,
    source: Given<'_, 'py>,
    interface: Given<'_, 'py>,
) -> Result<Bound<'py, PyAny>> {
    let destination = argument::ipv4("destination", destination)?;
    let source = source.map(|source| argument::ipv4("source", source)).transpose()?;
    let by = interface.map(|name| argument::interface("interface", name)).transpose()?;
    let by = by.map(|name| Ok::<_, arpflux_core::Error>(snapshot.find(&name)?.index)).transpose()?;
    let reached = py.detach(|| -> arpflux_core::Result<_> {
        Ok(Reached::new(&Model::new(&snapshot.0)?, destination, source, by))
    })?;
    value::typed(py, "Reached", &reached)
}

/// See `Snapshot.learns`.
pub fn learns<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    address: &Bound<'py, PyAny>,
    mac: &Bound<'py, PyAny>,
    interfaces: Given<'_, 'py>,
) -> Result<Bound<'py, PyAny>> {
    let (address, mac) = (argument::ipv4("address", address)?, argument::mac("mac", mac)?);
    let interfaces = match interfaces {
        Some(names) => {
            let index = |name| Ok(snapshot.find(name)?.index);
            let names = argument::interfaces("interfaces", names)?;
            names.iter().map(index).collect::<arpflux_core::Result<_>>()?
        }
        None => listeners(&snapshot.0),
    };
    let learned = py.detach(|| -> arpflux_core::Result<_> {
        Ok(Learned::new(&Model::new(&snapshot.0)?, address, mac, &interfaces))
    })?;
    value::typed(py, "Learned", &learned)
}

/// See `Plan.impact`.
pub fn impact<'py>(
    py: Python<'py>,
    plan: &Plan,
    before: &Snapshot,
    policy: &Policy,
) -> Result<Bound<'py, PyAny>> {
    let impact = py.detach(|| plan.0.impact(&before.0, &policy.0))?;
    value::typed(py, "Impact", &impact)
}
