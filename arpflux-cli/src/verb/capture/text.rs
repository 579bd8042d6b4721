//! What a capture shows, for people.

use std::fmt::Write as _;

use arpflux_capture::{
    AddressReport, Certainty, Class, Evidence, Explained, GroupReport, MacReport, Report, Side,
};
use arpflux_core::types::Mac;

use crate::input::time_of_day;
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// Most addresses that are named of a MAC.
const MOST: usize = 5;

fn style(class: Class) -> Style {
    match class {
        class if class.is_bad() => Style::Bad,
        Class::Undetermined | Class::Failover => Style::Caution,
        _ => Style::Good,
    }
}

/// The class with its certainty.
fn verdict(address: &AddressReport) -> String {
    let class = address.class.name().replace('_', "-");
    match address.certainty {
        Some(Certainty::Proved) | None => class,
        Some(Certainty::Likely) => format!("{class}, likely"),
        Some(Certainty::Suspected) => format!("{class}?"),
    }
}

/// A report with what it takes to name moments and MACs.
struct Text<'a> {
    report: &'a Report,
}

pub(super) fn text(report: &Report, all: bool, output: &Output) -> String {
    let shown: Vec<&AddressReport> =
        report.addresses.iter().filter(|address| all || address.class != Class::Single).collect();
    let of = Text { report };
    let mut text = of.begins();
    if !shown.is_empty() {
        text.push_str(&of.table(&shown, output));
        for address in shown.iter().filter(|address| !address.evidence.is_empty()) {
            of.reasons(&mut text, address);
        }
        text.push_str(&of.macs(&shown, output));
        text.push('\n');
    }
    for group in &report.groups {
        of.group(&mut text, group);
    }
    explained(&mut text, &report.explained, all);
    let single = report.addresses.iter().filter(|address| address.class == Class::Single).count();
    if !all && single > 0 {
        let plural = if single == 1 { "address has one MAC" } else { "addresses have one MAC each" };
        let _ = writeln!(text, "{single} {plural}");
    } else if report.addresses.is_empty() {
        text.push_str("nobody claimed any address\n");
    }
    text
}

impl Text<'_> {
    /// When the capture began, and how long it is.
    fn begins(&self) -> String {
        let length = self.report.length as f64 / 1e9;
        match self.report.start {
            Some(start) => {
                let moment = time_of_day(start.parts().0).replace('T', " ").replace('Z', " UTC");
                format!("{moment}, {length:.3} s\n\n")
            }
            None => String::new(),
        }
    }

    /// A moment of the capture: the time of the day, in UTC, where that is known.
    fn moment(&self, at: u64) -> String {
        match self.report.start {
            Some(start) => {
                let time = start.0.saturating_add(at);
                let seconds = time_of_day(time / 1_000_000_000);
                let of_day = seconds.split(['T', 'Z']).nth(1).unwrap_or_default();
                format!("{of_day}.{:03}", time / 1_000_000 % 1000)
            }
            None => format!("{:.3} s", at as f64 / 1e9),
        }
    }

    fn claimed(&self, mac: &MacReport) -> String {
        match (mac.first, mac.last) {
            (Some(first), Some(last)) if first == last => self.moment(first),
            (Some(first), Some(last)) => format!("{} to {}", self.moment(first), self.moment(last)),
            _ => String::new(),
        }
    }

    fn table(&self, shown: &[&AddressReport], output: &Output) -> String {
        let headings =
            ["ADDRESS", "VERDICT", "MAC", "REPLIES", "UNASKED", "REQUESTS", "ANNOUNCED", "CLAIMED"];
        let mut rows = Table::new(headings);
        for address in shown {
            for (row, mac) in address.macs.iter().enumerate() {
                let first = |text: String| if row == 0 { text } else { String::new() };
                rows.row([
                    first(address.name()).into(),
                    Cell::new(first(verdict(address))).style(style(address.class)),
                    mac.mac.into(),
                    mac.replies.into(),
                    mac.unasked.into(),
                    mac.requests.into(),
                    mac.announcements.into(),
                    self.claimed(mac).into(),
                ]);
            }
        }
        rows.render(output)
    }

    fn reasons(&self, text: &mut String, address: &AddressReport) {
        let also: Vec<String> = address.also.iter().map(|class| class.name().replace('_', "-")).collect();
        let also = if also.is_empty() { String::new() } else { format!(" (also {})", also.join(", ")) };
        let _ = writeln!(text, "\n{}: {}{also}", address.name(), verdict(address));
        for piece in &address.evidence {
            let sign = if piece.against { "against: " } else { "" };
            let _ = writeln!(text, "  {sign}{}{}", piece.text, self.frames(piece));
        }
        for mac in &address.suspects {
            let _ = writeln!(text, "  whose doing: {}", self.owner(*mac));
        }
        for mac in &address.victims {
            let _ = writeln!(text, "  told by it: {}", self.owner(*mac));
        }
        for step in &address.next {
            let _ = writeln!(text, "  next: {step}");
        }
    }

    /// Where a piece of evidence was seen.
    fn frames(&self, piece: &Evidence) -> String {
        let several = self.report.files.len() > 1;
        let place = |frame: &arpflux_capture::Frame| {
            let file = self.report.files.get(frame.file as usize).filter(|_| several);
            let file = file.map_or_else(String::new, |file| format!(" of {}", file.file));
            let at = frame.at.map_or_else(String::new, |at| format!(", {}", self.moment(at)));
            format!("{}{file}{at}", frame.frame)
        };
        match piece.frames.as_slice() {
            [] => String::new(),
            [only] => format!(" (frame {})", place(only)),
            [first, .., last] => format!(" (frames {} to {})", place(first), place(last)),
        }
    }

    /// A MAC with what helps to find what it belongs to.
    fn owner(&self, mac: Mac) -> String {
        let Some(known) = self.report.macs.iter().find(|known| known.mac == mac) else {
            return mac.to_string();
        };
        let mut about = Vec::new();
        about.extend(known.vendor.map(String::from));
        about.push(addresses(&known.addresses));
        about.extend(side(known.side).map(String::from));
        format!("{mac} ({})", about.join("; "))
    }

    /// The MACs of the addresses shown, with all that they claimed.
    fn macs(&self, shown: &[&AddressReport], output: &Output) -> String {
        let is_shown =
            |mac: Mac| shown.iter().any(|address| address.macs.iter().any(|claim| claim.mac == mac));
        let mut rows = Table::new(["MAC", "ADDRESSES", "KIND", "SEEN"]);
        for known in self.report.macs.iter().filter(|known| is_shown(known.mac)) {
            rows.row([
                known.mac.into(),
                addresses(&known.addresses).into(),
                known.vendor.unwrap_or_default().into(),
                side(known.side).unwrap_or_default().into(),
            ]);
        }
        format!("\n{}", rows.render(output))
    }

    fn group(&self, text: &mut String, group: &GroupReport) {
        let addresses = match group.addresses.as_slice() {
            [] => String::new(),
            some => format!(" for {}", addresses(some)),
        };
        let both = if group.several_at_once { ": two masters at once" } else { "" };
        let _ = writeln!(text, "{}, group {}{addresses}{both}", group.protocol, group.group);
        for router in &group.masters {
            let times = match (router.first, router.last) {
                (Some(first), Some(last)) => format!(", {} to {}", self.moment(first), self.moment(last)),
                _ => String::new(),
            };
            let gave_up = if router.resigned { ", gave up" } else { "" };
            let _ = writeln!(
                text,
                "  master: {} ({}), priority {}, packets: {}{times}{gave_up}",
                router.address, router.mac, router.priority, router.packets
            );
        }
    }
}

fn addresses(all: &[std::net::IpAddr]) -> String {
    let named: Vec<String> = all.iter().take(MOST).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

const fn side(side: Option<Side>) -> Option<&'static str> {
    match side {
        Some(Side::Host) => Some("on the host that captured, or in a virtual machine"),
        Some(Side::Wire) => Some("on the wire"),
        None => None,
    }
}

/// What the host of the snapshot did: what the model does not explain with all its steps, the rest with the last.
fn explained(text: &mut String, explained: &[Explained], all: bool) {
    for one in explained {
        let interfaces = one.interfaces.join(" or ");
        let what = match one.asker {
            Some(asker) => format!("{} answered {asker} for {}", interfaces, one.address),
            None => format!("{} spoke for {}", interfaces, one.address),
        };
        let how = match one.explained {
            Some(true) => "",
            Some(false) => ": NOT explained by the snapshot",
            None => ": cannot be told",
        };
        let times = if one.count == 1 { String::new() } else { format!(", {} times", one.count) };
        let _ = writeln!(text, "frame {}: {what} with {}{times}{how}", one.frame, one.mac);
        let brief = !all && one.explained == Some(true);
        let skip = if brief { one.why.len().saturating_sub(2) } else { 0 };
        for step in &one.why[skip..] {
            let _ = writeln!(text, "  {}", step.trim());
        }
    }
}
