//! What arpflux costs: one piece of work a run, which prints its own CPU time as one line of JSON.
//!
//! `make bench` runs it in turn with the floor programs and with other tools; see `benches/README.md`.

mod measure;
mod node;
mod work;

use std::process::ExitCode;

use arpflux_core::Result;
use arpflux_core::error::{Error, ErrorKind};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arpflux-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["proxies", edit, interface, count] => work::proxies::run(edit, interface, number(count)?),
        ["proxies-journalled", edit, interface, count, state] => {
            work::proxies::journalled(edit, interface, number(count)?, state)
        }
        ["snapshot"] => work::snapshot::run(),
        ["sysctls", prefix, count, value] => work::sysctls::run(prefix, number(count)?, number(value)?),
        ["plan", interfaces, proxies] => work::plan::run(number(interfaces)?, number(proxies)?),
        ["predict", routes, proxies] => work::predict::run(number(routes)?, number(proxies)?),
        ["proof", prefixes, proxies] => work::proof::run(number(prefixes)?, number(proxies)?),
        ["capture", file] => work::capture::run(file),
        ["live", interface, frames] => work::capture::live(interface, number(frames)?),
        ["probe", interface, first, count] => work::probe::run(interface, first, number(count)?),
        ["heal", what, interface, rounds] => work::heal::run(what, interface, number(rounds)?),
        ["scale", what, interfaces] => work::scale::run(what, number(interfaces)?),
        ["host", what, interfaces, folder] => work::verbs::host(what, number(interfaces)?, folder),
        ["count", what] => work::count::run(what),
        _ => Err(Error::new(ErrorKind::InvalidInput, "unknown work; see benches/README.md")),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| Error::new(ErrorKind::InvalidInput, format!("{text} is not a number of that kind")))
}
