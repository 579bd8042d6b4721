//! `arpflux probe`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use arpflux_core::predict::Advertised;
use arpflux_core::types::IfName;
use arpflux_core::wire::probe::{self, Judgement, Options, ProbedReply, Probes, Progress};
use arpflux_core::wire::{Port, stop_on_interrupt};
use arpflux_core::{Error, ErrorKind, Result};

use crate::exit;
use crate::input::{Live, read_text};
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// Ask who has addresses, as any peer would, and count the MACs that answer: by ARP, and by neighbour
/// solicitations for IPv6 addresses.
///
/// Waits for late answers: a host that answers for somebody else's address (a proxy) may take up to
/// 0.8 s. Exit code 1 if several MACs answer for an address.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    /// IPv4 and IPv6 addresses, prefixes (192.168.18.0/24) and ranges (192.168.18.10-192.168.18.20).
    #[arg(value_name = "ADDRESS", required_unless_present = "file")]
    targets: Vec<String>,
    /// Read more of them from a file, one a line; what follows a # is left out. - reads standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The interface to ask on. Default: the one with an address on the first target's subnet.
    #[arg(long, short, value_name = "NAME")]
    interface: Option<IfName>,
    /// How often an address that stays silent is asked.
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().tries, value_parser = clap::value_parser!(u8).range(1..=10))]
    tries: u8,
    /// How long an address may take to answer, in ms. Below 800 late proxies are missed.
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    wait: u64,
    /// Requests per second.
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().rate, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,
}

/// Runs the verb.
///
/// # Errors
/// If an argument is malformed, there is no such interface, or frames may not be sent.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let mut texts = args.targets.clone();
    if let Some(file) = &args.file {
        let text = read_text(file)?;
        texts.extend(
            text.lines()
                .filter_map(|line| line.split('#').next())
                .map(|line| line.trim().to_string())
                .filter(|line| !line.is_empty()),
        );
    }
    let targets = probe::targets(&texts)?;
    let Some(first) = targets.first().copied() else {
        return Err(Error::new(ErrorKind::InvalidInput, "there is no address to ask for").during("probe"));
    };
    let options = Options::default().tries(args.tries).wait(Duration::from_millis(args.wait)).rate(args.rate);
    let stop = stop_on_interrupt()?;
    let (port, probed) = args.live.netns()?.run(|| -> Result<_> {
        let port = match &args.interface {
            Some(name) => Port::named(name)?,
            None => Port::towards(first).map_err(|error| error.hint("give --interface NAME"))?,
        };
        let ipv4 = targets.iter().find(|target| target.is_ipv4());
        if ipv4.is_some_and(|target| port.sender_for(*target).is_unspecified()) {
            output.note(format!(
                "{} has no IPv4 address: asking with sender 0.0.0.0, which proxies do not answer",
                port.name
            ));
        }
        if options.wait < Duration::from_millis(800) {
            output.note("waiting less than 800 ms: late answers for proxied addresses may be missed");
        } else if !output.json() {
            output.note(format!(
                "asking for {} on {}, waiting {} ms for late proxies",
                count(targets.len(), "address", "addresses"),
                port.name,
                options.wait.as_millis()
            ));
        }
        let probed = probe::run(&port, &targets, options, |progress| {
            if let Progress::Asked { done, total } = progress {
                output.progress(format!("{done} of {total} asked"));
            }
            if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        output.progress("");
        Ok((port, probed?))
    })??;
    let probes = Probes::new(&port, &probed);
    if output.json() {
        output.answer(&probes)?;
    } else {
        print(&probes, output)?;
    }
    if stop.is_raised() {
        // What was found is printed; the rest is not known.
        output.error(&Error::new(ErrorKind::Interrupted, "ended before all answers were in").during("probe"));
        return Ok(exit::UNDETERMINED);
    }
    Ok(if probes.is_bad() { exit::BAD } else { exit::GOOD })
}

/// The flags of an advertisement that are set, in the words of RFC 4861.
fn flags(advertised: Advertised) -> String {
    let Advertised { router, solicited, overrides } = advertised;
    let set = [(router, "router"), (solicited, "solicited"), (overrides, "override")];
    set.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Silent addresses of a long list are only counted.
fn print(probes: &Probes, output: &Output) -> Result<()> {
    const FEW: usize = 16;
    let mut table = Table::new(["address", "MAC", "after", "holds it", "flags", "so"]);
    let mut silent = 0;
    for one in &probes.addresses {
        if one.replies.is_empty() && probes.addresses.len() > FEW {
            silent += 1;
            continue;
        }
        let style = match one.verdict {
            Judgement::One => Style::Good,
            Judgement::Silent => Style::Faint,
            _ => Style::Bad,
        };
        let lines = |text: &dyn Fn(&ProbedReply) -> String| {
            one.replies.iter().map(text).collect::<Vec<_>>().join("\n")
        };
        table.row([
            Cell::new(one.target),
            Cell::new(lines(&|reply| reply.mac.to_string())),
            Cell::new(lines(&|reply| format!("{:.2} ms", reply.after_ms))),
            Cell::new(lines(&|reply| {
                match reply.proxied {
                    Some(true) => "no, proxies it",
                    Some(false) => "yes",
                    None => "not asked",
                }
                .to_string()
            })),
            Cell::new(lines(&|reply| reply.advertised.map(flags).unwrap_or_default())),
            Cell::new(one.verdict).style(style),
        ]);
    }
    output.text(table.render(output))?;
    if silent > 0 {
        output.text(format!("{} silent\n", count(silent, "address stays", "addresses stay")))?;
    }
    Ok(())
}
