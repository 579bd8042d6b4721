//! `arpflux proxy list|add|del`.

use std::net::IpAddr;

use arpflux_core::apply::{AddProxies, add_proxies, remove_proxies};
use arpflux_core::outward::{Planned, Proxies, Proxy};
use arpflux_core::types::{IfName, IpNet};
use arpflux_core::words::counted;
use arpflux_core::{Host, Plan, Result, Snapshot};

use super::apply::{certainty, report};
use super::examples;
use super::plan::{harms, last_line};
use crate::exit;
use crate::input::{Live, State, either_address};
use crate::output::Output;
use crate::table::{Cell, Table};

/// List, add and delete proxy entries: addresses that this host answers for though others have them.
///
/// Adding what is there and deleting what is not changes nothing and is no error. Each call is one
/// transaction, also with many addresses.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print the entries.
    #[command(after_help = examples::PROXY_LIST)]
    List(List),
    /// Let an interface answer for addresses.
    #[command(after_help = examples::PROXY_ADD)]
    Add(Add),
    /// Let nobody here answer for addresses any more; their source routing goes with them, if arpflux made it.
    #[command(alias = "rm", after_help = examples::PROXY_DEL)]
    Del(Del),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    live: Live,
    /// Only on this interface (may be repeated); all stands for entries that count on every one.
    #[arg(long, short, value_name = "NAME")]
    interface: Vec<String>,
    /// Only addresses within this one: 192.168.18.0/24.
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<IpNet>,
    /// Only what this one made: arpflux, unknown, or a protocol number.
    #[arg(long, value_name = "MAKER")]
    by: Option<String>,
    /// At most so many. Default: 100; with --json all.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// How many entries are listed where no limit is given.
const LIMIT: usize = 100;

impl List {
    fn wants(&self, entry: &Proxy) -> bool {
        let on = entry.interface.as_deref().unwrap_or("all");
        (self.interface.is_empty() || self.interface.iter().any(|name| name == on))
            && self.prefix.is_none_or(|prefix| prefix.contains(&entry.address))
            && self
                .by
                .as_deref()
                .is_none_or(|by| by == maker(entry.protocol) || by == entry.protocol.to_string())
    }
}

/// Who made an entry, as far as the kernel keeps it.
fn maker(protocol: u8) -> String {
    match protocol {
        arpflux_core::plan::PROTOCOL => "arpflux".to_owned(),
        0 => "unknown".to_owned(),
        other => format!("protocol {other}"),
    }
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    /// The interface that answers.
    #[arg(long, short, value_name = "NAME")]
    interface: IfName,
    /// Delete the entries of these addresses on all other interfaces.
    #[arg(long)]
    only: bool,
    /// Tell everybody on the wire, also of entries that are there already.
    #[arg(long)]
    announce: bool,
    /// Only print what would be changed.
    #[arg(long)]
    plan: bool,
    /// The addresses, IPv4 (ARP) or IPv6 (NDP).
    #[arg(value_name = "ADDRESS", required = true, value_parser = either_address)]
    addresses: Vec<IpAddr>,
}

#[derive(Debug, clap::Args)]
struct Del {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    /// Only the entries on this interface; default: all.
    #[arg(long, short, value_name = "NAME")]
    interface: Option<IfName>,
    /// Only print what would be changed.
    #[arg(long)]
    plan: bool,
    /// The addresses.
    #[arg(value_name = "ADDRESS", required = true, value_parser = either_address)]
    addresses: Vec<IpAddr>,
}

/// Runs the verb.
///
/// # Errors
/// If there is no such interface, or the change could not be made.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let (receipt, live) = match &args.verb {
        Verb::List(list) => return print(list, output),
        Verb::Add(add) => {
            let how = AddProxies { only: add.only, announce: add.announce };
            let host = Host::from(add.live.netns()?);
            let plan = |now: &_| add_proxies(now, &add.interface, &add.addresses, how);
            if add.plan {
                return show(&host.snapshot()?, plan, output);
            }
            (host.apply_with(add.state.changing()?, plan)?, &add.live)
        }
        Verb::Del(del) => {
            let host = Host::from(del.live.netns()?);
            let plan = |now: &_| remove_proxies(now, del.interface.as_ref(), &del.addresses);
            if del.plan {
                return show(&host.snapshot()?, plan, output);
            }
            (host.apply_with(del.state.changing()?, plan)?, &del.live)
        }
    };
    let receipt = receipt.leave();
    report(&receipt, live, output);
    Ok(certainty(&receipt, output))
}

/// Prints a plan; `arpflux apply` takes its JSON.
fn show(now: &Snapshot, plan: impl FnOnce(&Snapshot) -> Result<Plan>, output: &Output) -> Result<u8> {
    let plan = plan(now)?;
    let assessment = plan.assess(now)?;
    if output.json() {
        output.answer(&Planned::new(&plan, None, &assessment))?;
    } else {
        let (harms, open) = (harms(&assessment, output), last_line(&assessment));
        output.text(format!("{harms}{plan}nothing was changed (--plan)\n{open}"))?;
    }
    Ok(assessment.judgement().exit_code())
}

fn print(list: &List, output: &Output) -> Result<u8> {
    let now = Host::from(list.live.netns()?).snapshot()?;
    let mut entries = Proxies::new(&now);
    let all = entries.proxies.len();
    entries.proxies.retain(|entry| list.wants(entry));
    let found = entries.proxies.len();
    let limit = list.limit.unwrap_or(if output.json() { usize::MAX } else { LIMIT });
    entries.proxies.truncate(limit);
    if output.json() {
        output.answer(&entries)?;
        return Ok(exit::GOOD);
    }
    let mut table = Table::new(["address", "interface", "made by"]);
    for entry in &entries.proxies {
        let interface = entry.interface.as_deref().unwrap_or("all");
        table.row([Cell::new(entry.address), Cell::new(interface), Cell::new(maker(entry.protocol))]);
    }
    let mut text = match (found, all) {
        (0, 0) => "no proxy entries\n".into(),
        (0, _) => format!("none of {}\n", counted(all, "proxy entry", "proxy entries")),
        _ => table.render(output),
    };
    if found > limit {
        text += &format!("{} (--limit, -i, --prefix)\n", counted(found - limit, "more", "more"));
    }
    output.text(text)?;
    Ok(exit::GOOD)
}
