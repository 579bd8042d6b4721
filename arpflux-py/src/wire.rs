//! Frames: who has an address, telling where one is, looking for duplicates.

use std::ops::ControlFlow;
use std::time::Duration;

use arpflux_core::wire::announce;
use arpflux_core::wire::probe::{self, Probes};
use arpflux_core::wire::{Port, detect, segments};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::argument::{self, invalid};
use crate::error::Result;
use crate::host::Host;
use crate::interrupt::interruptible;
use crate::value;

/// An argument that may be left out.
pub type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// See `Host.probe`.
#[expect(clippy::too_many_arguments, reason = "the options that Python has")]
pub fn probe<'py>(
    py: Python<'py>,
    host: &Host,
    targets: &Bound<'py, PyAny>,
    interface: Given<'_, 'py>,
    tries: Given<'_, 'py>,
    wait: Given<'_, 'py>,
    rate: Given<'_, 'py>,
    tell_proxies: bool,
) -> Result<Bound<'py, PyTuple>> {
    let targets = probe::targets(&argument::targets("targets", targets)?)?;
    let Some(first) = targets.first().copied() else {
        return Err(invalid("targets", "there is no address to ask for"));
    };
    let interface = interface.map(|name| argument::interface("interface", name)).transpose()?;
    let mut options = probe::Options::default().tell_proxies(tell_proxies);
    if let Some(tries) = tries {
        options.tries = argument::number("tries", tries, 1..=10)?;
    }
    if let Some(wait) = wait {
        options.wait =
            argument::seconds_within("wait", wait, Duration::from_millis(1)..=Duration::from_secs(60))?;
    }
    if let Some(rate) = rate {
        options.rate = argument::number("rate", rate, 1..=10_000_000)?;
    }
    let (port, probed) = interruptible(py, |stop| {
        host.0.namespace().run(|| {
            let port = match &interface {
                Some(name) => Port::named(name)?,
                None => Port::towards(first)?,
            };
            let go_on = |_| if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let probed = probe::run(&port, &targets, options, go_on)?;
            Ok((port, probed))
        })?
    })?;
    value::typed_all(py, "Probed", &Probes::new(&port, &probed).addresses)
}

/// See `Host.announce`.
#[expect(clippy::too_many_arguments, reason = "the options that Python has")]
pub fn announce<'py>(
    py: Python<'py>,
    host: &Host,
    addresses: &Bound<'py, PyAny>,
    interface: &Bound<'py, PyAny>,
    rounds: Given<'_, 'py>,
    spacing: Given<'_, 'py>,
    request: bool,
    reply: bool,
    never: Given<'_, 'py>,
    anyway: bool,
) -> Result<usize> {
    let addresses = argument::addresses("addresses", addresses)?;
    let interface = argument::interface("interface", interface)?;
    let mut options = announce::Options::default().request(request).reply(reply).anyway(anyway);
    if let Some(rounds) = rounds {
        options.rounds = argument::number("rounds", rounds, 1..=100)?;
    }
    if let Some(spacing) = spacing {
        options.spacing =
            argument::seconds_within("spacing", spacing, Duration::ZERO..=Duration::from_secs(600))?;
    }
    if let Some(never) = never {
        options.never = argument::networks("never", never)?;
    }
    let told = interruptible(py, |stop| host.0.announce(&interface, &addresses, &options, stop))?;
    Ok(told.frames)
}

/// See `Host.detect`.
pub fn detect<'py>(
    py: Python<'py>,
    host: &Host,
    addresses: &Bound<'py, PyAny>,
    interfaces: Given<'_, 'py>,
    rounds: Given<'_, 'py>,
    spacing: Given<'_, 'py>,
    wait: Given<'_, 'py>,
) -> Result<Bound<'py, PyTuple>> {
    let addresses = argument::addresses("addresses", addresses)?;
    let interfaces = interfaces.map(|names| argument::interfaces("interfaces", names)).transpose()?;
    let mut options = detect::Options::default();
    let minute = Duration::ZERO..=Duration::from_secs(60);
    if let Some(rounds) = rounds {
        options.rounds = argument::number("rounds", rounds, 1..=10)?;
    }
    if let Some(spacing) = spacing {
        options.spacing = argument::seconds_within("spacing", spacing, minute.clone())?;
    }
    if let Some(wait) = wait {
        options.wait = argument::seconds_within("wait", wait, minute)?;
    }
    let found = interruptible(py, |stop| {
        host.0
            .namespace()
            .run(|| detect::run_on(&detect::places(interfaces.as_deref(), &addresses)?, options, stop))?
    })?;
    value::typed_all(py, "Detected", &found)
}

/// See `Host.segments`.
pub fn segments<'py>(
    py: Python<'py>,
    host: &Host,
    interfaces: Given<'_, 'py>,
    rounds: Given<'_, 'py>,
    wait: Given<'_, 'py>,
) -> Result<Bound<'py, PyAny>> {
    let interfaces = interfaces.map(|names| argument::interfaces("interfaces", names)).transpose()?;
    let mut options = segments::Options::default();
    if let Some(rounds) = rounds {
        options.rounds = argument::number("rounds", rounds, 1..=10)?;
    }
    if let Some(wait) = wait {
        options.wait =
            argument::seconds_within("wait", wait, Duration::from_millis(1)..=Duration::from_secs(60))?;
    }
    let found = interruptible(py, |stop| {
        segments::find_until(&host.0, interfaces.as_deref().unwrap_or_default(), options, stop)
    })?;
    value::typed(py, "Segments", &found)
}
