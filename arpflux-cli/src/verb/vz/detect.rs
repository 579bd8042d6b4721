//! `arpflux vz detect`.

use arpflux_core::Result;
use arpflux_core::outward::vz::ContainerDetection;
use arpflux_core::vz::{Asking, Purpose};
use arpflux_core::wire::detect::Claim;

use super::{Common, Whose};
use crate::exit;
use crate::output::Output;

/// Find out whether somebody else has addresses of a container, before they are published.
///
/// Each is asked for on the interface where it belongs, all at once, in 1.0 s: an IPv4 address as RFC 5227 says,
/// and with a sender of the interface's own, which hosts that proxy the address answer too; an IPv6 address as
/// RFC 4862 says, which they answer as well. This host's own answers
/// are not counted.
///
/// An address that another host has is told on standard error; exit code 1 only with
/// ERROR_ON_ARPFAIL=yes. With SKIP_ARPDETECT=yes nothing is asked. An address of another container of this
/// node always gives exit code 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    whose: Whose,
    /// As ERROR_ON_ARPFAIL=yes.
    #[arg(long)]
    error: bool,
    /// Book the addresses for the container until this process ends, or they are published.
    #[arg(long, value_name = "PID")]
    claim: Option<u32>,
}

/// Runs the verb.
///
/// # Errors
/// If an address is none, it is not clear where it belongs, or frames may not be sent.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let yes = |name: &str| std::env::var_os(name).is_some_and(|value| value == "yes");
    let call = args.whose.call(Purpose::Add)?;
    let asking = Asking { skip_wire: yes("SKIP_ARPDETECT"), claim: args.claim };
    let detection = args.common.node()?.detect(&call, asking)?;
    for unasked in &detection.unasked {
        output.note(format!("arpflux: nobody was asked on {}: {}", unasked.interface, unasked.why));
    }
    for one in &detection.found {
        for conflict in &one.conflicts {
            let how = match conflict.claim {
                Claim::Holds => "has it",
                Claim::Proxies => "answers for it",
                Claim::Probing => "is about to take it",
            };
            output.note(format!(
                "arpflux: {} is in use on {}: {} {how}",
                one.address, one.interface, conflict.mac
            ));
        }
    }
    if let Some(one) = detection.found.iter().find(|one| !one.proxies_seen) {
        output.note(format!(
            "arpflux: {} has no other IPv4 address to ask with: hosts that proxy an address do not show there",
            one.interface
        ));
    }
    if output.json() {
        output.answer(&ContainerDetection::new(&detection))?;
    }
    let fails = detection.is_free() == Some(false) && (args.error || yes("ERROR_ON_ARPFAIL"));
    Ok(if fails { exit::BAD } else { exit::GOOD })
}
