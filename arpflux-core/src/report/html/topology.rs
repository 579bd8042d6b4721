//! The host, its interfaces, the wires they are on and what is answered there, as an SVG drawing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::markup::Markup;
use super::matrix::drawn_rows;
use crate::predict::{Matrix, Standing};
use crate::snapshot::{Interface, RouteKind, Snapshot, WireMap, table};
use crate::types::{IfIndex, IpNet};

/// How many interfaces are drawn before the rest is only counted.
const INTERFACES_MAX: usize = 32;
/// How many lines of one list (addresses, answers) are drawn before the rest is only counted.
const LINES_MAX: usize = 6;

// In the drawing's own units, of which it is 850 wide.
const LINE: usize = 17;
const NIC_LEFT: usize = 40;
const NIC_WIDTH: usize = 300;
const WIRE_AT: usize = 590;
const GAP: usize = 14;
const TOP: usize = 46;
/// How far below the top of its frame the line to an interface's wire is.
const LEAD: usize = 12;
/// How many characters fit beside an interface's frame.
const ANSWER_CHARS: usize = 30;
/// How many characters fit in it.
const NIC_CHARS: usize = 38;
/// How many characters fit beside a wire.
const WIRE_CHARS: usize = 32;

/// One interface of the drawing.
struct Nic<'s> {
    interface: &'s Interface,
    /// The column of the matrix, if it is asked.
    column: Option<usize>,
    /// The wire it is on, if it has one that matters.
    wire: Option<usize>,
    lines: Vec<String>,
    answers: Vec<(Standing, String)>,
}

impl Nic<'_> {
    fn height(&self) -> usize {
        (self.lines.len() + 1).max(self.answers.len() + 2) * LINE + 10
    }
}

/// Draws it; `title` says of which state it is.
pub(super) fn draw(html: &mut Markup, snapshot: &Snapshot, matrix: &Matrix, title: &'static str) {
    let (nics, left_out) = nics(snapshot, matrix);
    let mut top = TOP;
    let mut placed = Vec::new();
    let mut ends: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for nic in &nics {
        placed.push((nic, top));
        if let Some(wire) = nic.wire {
            let end = ends.entry(wire).or_insert((top + LEAD, top + LEAD));
            end.1 = top + LEAD;
        }
        top += nic.height() + GAP;
    }
    let bottom = top + if left_out.is_empty() { 6 } else { 28 };
    html.raw("<div class=\"scroll\"><svg class=\"topology\" role=\"img\" viewBox=\"0 0 850 ")
        .text(bottom + 10);
    html.raw("\" aria-label=\"").text(described(&nics)).raw("\">\n");
    html.raw("<rect class=\"host\" x=\"10\" y=\"10\" rx=\"10\" width=\"345\" height=\"")
        .text(bottom - 10)
        .raw("\"/>\n");
    text(html, "h", 26, 32, if title.is_empty() { "This host" } else { title });
    for (nic, top) in placed {
        one(html, nic, top);
    }
    for (wire, (first, last)) in ends {
        line(html, "wire", (WIRE_AT, first - 14), (WIRE_AT, last + 14));
        let subnets = subnets(snapshot, &nics, wire);
        let middle = (first + last) / 2;
        text(html, "h", WIRE_AT + 14, middle, if subnets.is_empty() { "a wire" } else { "one wire" });
        for (place, subnet) in listed(subnets).into_iter().enumerate() {
            text(html, "m", WIRE_AT + 14, middle + LINE * (place + 1), &cut(&subnet, WIRE_CHARS));
        }
    }
    if !left_out.is_empty() {
        text(html, "q", 26, top + 14, &cut(&format!("not drawn: {left_out}"), 44));
    }
    html.raw("</svg></div>\n");
}

fn one(html: &mut Markup, nic: &Nic<'_>, top: usize) {
    let interface = nic.interface;
    html.raw("<rect class=\"nic\" rx=\"6\" x=\"").text(NIC_LEFT).raw("\" y=\"").text(top);
    html.raw("\" width=\"").text(NIC_WIDTH).raw("\" height=\"").text(nic.height()).raw("\"/>\n");
    text(html, "h", NIC_LEFT + 10, top + LINE + 2, &cut(&interface.name.to_string(), NIC_CHARS));
    for (place, entry) in nic.lines.iter().enumerate() {
        text(html, "m", NIC_LEFT + 10, top + LINE * (place + 2) + 2, &cut(entry, NIC_CHARS));
    }
    let edge = NIC_LEFT + NIC_WIDTH;
    if nic.wire.is_some() {
        let class = if interface.carrier { "lead" } else { "lead off" };
        line(html, class, (edge, top + LEAD), (WIRE_AT, top + LEAD));
    }
    if nic.answers.is_empty() {
        if nic.column.is_some() {
            text(html, "q", edge + 30, top + LEAD + LINE, "answers for nothing");
        }
        return;
    }
    let first = top + LEAD + LINE;
    text(html, "q", edge + 30, first, "answers for");
    for (place, (standing, entry)) in nic.answers.iter().enumerate() {
        let class = match standing {
            Standing::Answers => "m g",
            Standing::AnswersToo => "m b",
            Standing::Unknown => "m d",
            Standing::Silent => "m q",
        };
        text(html, class, edge + 30, first + LINE * (place + 1), &cut(entry, ANSWER_CHARS));
    }
}

/// The interfaces worth drawing, those of one wire together; and the names of the rest.
fn nics<'s>(snapshot: &'s Snapshot, matrix: &Matrix) -> (Vec<Nic<'s>>, String) {
    let wires = WireMap::of(snapshot);
    let columns: HashMap<IfIndex, usize> =
        matrix.interfaces.iter().enumerate().map(|(at, column)| (column.index, at)).collect();
    let mut behind: HashMap<IfIndex, usize> = HashMap::new();
    for route in &snapshot.routes {
        let single = route.destination.prefix_len() == 32 && route.destination.addr().is_ipv4();
        if single && route.table == table::MAIN && route.kind == RouteKind::Unicast {
            for hop in &route.next_hops {
                if let Some(index) = hop.interface {
                    *behind.entry(index).or_default() += 1;
                }
            }
        }
    }
    let mut found: Vec<Nic<'_>> = Vec::new();
    let mut rest: Vec<String> = Vec::new();
    for interface in &snapshot.interfaces {
        let addresses: Vec<String> = snapshot
            .addresses_of(interface.index)
            .filter(|address| address.local.is_ipv4() && !address.local.is_loopback())
            .map(|address| match address.peer {
                Some(peer) => format!("{} peer {peer}/{}", address.local, address.prefix_len),
                None => format!("{}/{}", address.local, address.prefix_len),
            })
            .collect();
        let hosts = behind.get(&interface.index).copied().unwrap_or(0);
        let port = interface.master.is_some() && addresses.is_empty();
        if port || (addresses.is_empty() && hosts == 0 && !interface.speaks_arp()) {
            rest.push(interface.name.to_string());
            continue;
        }
        let kind = interface.kind.as_ref().map_or_else(String::new, |kind| format!(", {kind}"));
        let mut lines = vec![format!("{}{kind}", interface.state())];
        if !interface.mac.as_bytes().is_empty() {
            lines[0] = format!("{}  {}", interface.mac, lines[0]);
        }
        lines.extend(listed(addresses));
        if hosts > 0 {
            lines.push(format!("leads to {hosts} single address{}", if hosts == 1 { "" } else { "es" }));
        }
        let ports: Vec<String> = snapshot
            .interfaces
            .iter()
            .filter(|port| port.master == Some(interface.index))
            .map(|port| port.name.to_string())
            .collect();
        if !ports.is_empty() {
            lines.push(format!("ports {}", ports.join(" ")));
        }
        let column = columns.get(&interface.index).copied();
        found.push(Nic {
            interface,
            column,
            wire: column.and_then(|_| wires.number(interface.index)),
            lines,
            answers: column.map_or_else(Vec::new, |at| answers(matrix, at)),
        });
    }
    // Those of one wire stand together, in the order in which the wires first appear.
    found.sort_by_key(|nic| (nic.wire.is_none(), nic.wire, nic.interface.index));
    rest.extend(found.iter().skip(INTERFACES_MAX).map(|nic| nic.interface.name.to_string()));
    found.truncate(INTERFACES_MAX);
    (found, rest.join(", "))
}

/// For which addresses the interface of a column answers.
fn answers(matrix: &Matrix, at: usize) -> Vec<(Standing, String)> {
    let mut found: Vec<(Standing, String)> = Vec::new();
    let mut more = 0;
    for (_, row) in drawn_rows(matrix) {
        let standing = matrix.standing(row, at, true);
        if standing == Standing::Silent {
            continue;
        }
        if found.len() == LINES_MAX {
            more += 1;
            continue;
        }
        let sort = match standing {
            Standing::AnswersToo => " \u{2717} as well",
            Standing::Unknown => " ? cannot be told",
            _ if row.held_by.is_empty() => " \u{2713} proxied",
            _ => " \u{2713}",
        };
        found.push((standing, format!("{}{sort}", row.target)));
    }
    if more > 0 {
        found.push((Standing::Silent, format!("and {more} more")));
    }
    found
}

/// The subnets of the interfaces on a wire.
fn subnets(snapshot: &Snapshot, nics: &[Nic<'_>], wire: usize) -> Vec<String> {
    let on: BTreeSet<IfIndex> =
        nics.iter().filter(|nic| nic.wire == Some(wire)).map(|nic| nic.interface.index).collect();
    let subnets: BTreeSet<String> = snapshot
        .addresses
        .iter()
        .filter(|address| on.contains(&address.interface))
        .filter_map(|address| match address.subnet() {
            IpNet::V4(subnet) if subnet.prefix_len() < 32 => Some(subnet.to_string()),
            _ => None,
        })
        .collect();
    subnets.into_iter().collect()
}

/// The drawing in words, for those who do not see it.
fn described(nics: &[Nic<'_>]) -> String {
    let each = nics.iter().map(|nic| {
        let answers: Vec<&str> = nic.answers.iter().map(|(_, text)| text.as_str()).collect();
        match answers.as_slice() {
            [] => format!("{} answers for nothing", nic.interface.name),
            some => format!("{} answers for {}", nic.interface.name, some.join(", ")),
        }
    });
    format!("Interfaces and wires of the host: {}.", each.collect::<Vec<_>>().join("; "))
}

/// At most [`LINES_MAX`] lines, the last one counting the rest.
fn listed(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// `text` cut to `most` characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['\u{2026}']).collect()
}

fn text(html: &mut Markup, class: &'static str, x: usize, y: usize, text: &str) {
    html.raw("<text class=\"").raw(class).raw("\" x=\"").text(x).raw("\" y=\"").text(y).raw("\">");
    html.text(text).raw("</text>\n");
}

fn line(html: &mut Markup, class: &'static str, from: (usize, usize), to: (usize, usize)) {
    html.raw("<line class=\"").raw(class).raw("\" x1=\"").text(from.0).raw("\" y1=\"").text(from.1);
    html.raw("\" x2=\"").text(to.0).raw("\" y2=\"").text(to.1).raw("\"/>\n");
}
