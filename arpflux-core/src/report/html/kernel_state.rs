//! What the kernel holds, as folded tables.

use super::markup::Markup;
use crate::plan::render;
use crate::snapshot::{Snapshot, protocol};
use crate::types::IfIndex;

/// How many lines of one table are drawn before the rest is only counted.
const LINES_MAX: usize = 200;

/// Interfaces with addresses and sysctls; then proxy entries, rules and routes, without those that the
/// kernel itself made.
pub(super) fn draw(html: &mut Markup, snapshot: &Snapshot) {
    html.element(
        "<details><summary>What the kernel holds <span class=\"muted\">",
        &snapshot.kernel.release,
        "</span></summary>\n",
    );
    interfaces(html, snapshot);
    let names = |index: IfIndex| snapshot.name_of(index);
    let own_rules = snapshot.rules.iter().filter(|rule| rule.protocol != protocol::KERNEL);
    let own_routes = snapshot.routes.iter().filter(|route| route.protocol != protocol::KERNEL);
    list(html, "Proxy entries", snapshot.proxies.iter().map(|entry| render::proxy(entry, &names)));
    list(html, "Rules", own_rules.map(render::rule_in_words));
    list(html, "Routes", own_routes.map(|route| render::route_in_words(route, &names)));
    list(
        html,
        "What else may answer, drop or change ARP frames",
        snapshot.interference.iter().map(|meddler| meddler.in_words(snapshot)),
    );
    html.raw("</details>\n");
}

fn interfaces(html: &mut Markup, snapshot: &Snapshot) {
    html.raw("<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Interface</th><th scope=\"col\">MAC</th><th scope=\"col\">State</th><th scope=\"col\">Addresses</th><th scope=\"col\">Sysctls not at default</th></tr></thead>\n<tbody>\n");
    for interface in snapshot.interfaces.iter().take(LINES_MAX) {
        html.element("<tr><th scope=\"row\">", interface.name, "</th><td class=\"mono\">");
        html.text(interface.mac).element("</td><td>", interface.state(), "</td><td class=\"mono\">");
        for address in snapshot.addresses_of(interface.index).take(LINES_MAX) {
            html.text(address.local);
            if let Some(peer) = address.peer {
                html.raw(" peer ").text(peer);
            }
            html.raw("/").text(address.prefix_len).raw("<br>");
        }
        html.element("</td><td class=\"mono\">", interface.sysctls.not_default(), "</td></tr>\n");
    }
    let empty = "</th><td></td><td></td><td></td><td class=\"mono\">";
    for (name, values) in [("all", &snapshot.all), ("default", &snapshot.default)] {
        html.element("<tr><th scope=\"row\">(", name, ")").raw(empty);
        html.text(values.not_default()).raw("</td></tr>\n");
    }
    html.raw("</tbody></table></div>\n");
    if snapshot.interfaces.len() > LINES_MAX {
        html.element("<p class=\"muted\">and ", snapshot.interfaces.len() - LINES_MAX, " more</p>\n");
    }
}

fn list(html: &mut Markup, title: &'static str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    html.raw("<h3>").raw(title).raw("</h3>\n<ul class=\"changes mono\">\n");
    for line in lines.by_ref().take(LINES_MAX) {
        html.element("<li>", line, "</li>\n");
    }
    html.raw("</ul>\n");
    let more = lines.count();
    if more > 0 {
        html.element("<p class=\"muted\">and ", more, " more</p>\n");
    }
}
