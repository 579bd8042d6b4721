use std::collections::BTreeSet;

use super::*;
use crate::plan::tests::Host;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

fn openvz() -> Snapshot {
    Host::openvz().0
}

/// Start and end tags match, in order. Gives the names of the elements and every id.
fn well_formed(html: &str) -> (BTreeSet<String>, Vec<String>) {
    const VOID: [&str; 5] = ["br", "rect", "line", "meta", "!doctype"];
    let (mut open, mut seen, mut ids) = (Vec::new(), BTreeSet::new(), Vec::new());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap_or_else(|| panic!("a tag without end: {rest}"));
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        let name = tag.split([' ', '/', '\n']).find(|part| !part.is_empty()).unwrap().to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "before {rest:.80}");
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if let Some(id) = tag.split(" id=\"").nth(1) {
            ids.push(id.split('"').next().unwrap().to_owned());
        }
        if !VOID.contains(&name.as_str()) {
            open.push(name.clone());
        }
        seen.insert(name.clone());
        if name == "style" || name == "script" {
            let close = format!("</{name}>");
            rest = &rest[rest.find(&close).unwrap()..];
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    (seen, ids)
}

#[test]
fn a_snapshot_is_drawn_with_its_wires_answers_and_steps() {
    let html = snapshot(&openvz()).unwrap();
    let (elements, _) = well_formed(&html);
    for name in ["svg", "table", "details", "style"] {
        assert!(elements.contains(name), "{name} in {elements:?}");
    }
    assert!(!elements.contains("script"));
    for said in [
        ">eth3</text>",
        ">192.168.18.0/24</text>",
        "<td class=\"too\"><span class=\"cell\"><b>answers too</b><small>proxy entry</small></span></td>",
        "There is a proxy entry for 192.168.18.101 on eth3.<code>pneigh_lookup()</code>",
        "<li>192.168.18.101 on eth0</li>",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
}

#[test]
fn a_plan_is_drawn_with_signs_and_reasons() {
    let before = openvz();
    let policy = Policy::from_toml(crate::plan::tests::OPENVZ_POLICY, "policy.toml").unwrap();
    let made = policy.plan(&before).unwrap();
    let html = plan(&made);
    well_formed(&html);
    for said in [
        "<td class=\"mono\">net.ipv4.conf.eth0.arp_ignore</td><td class=\"mono\">0</td><td class=\"mono\"><b>1</b></td>",
        "<li class=\"bad\">\u{2212} 192.168.18.101 on eth0</li>",
        "<li class=\"good\">+ 17500: from 192.168.18.10 lookup main suppress_prefixlength 24</li>",
        "<li>strategy strict: eth0 and eth3 share 192.168.18.0/24",
    ] {
        assert!(html.contains(said), "{said} in {html}");
    }
    assert!(plan_of_nothing().contains("Nothing to change."));
    let after = Matrix::of(&Model::of(&before.with(&made.changes)));
    let html = matrix(&after);
    well_formed(&html);
    assert!(!html.contains("class=\"too\"") && html.contains("<small>arp_ignore=1</small>"), "{html}");
}

fn plan_of_nothing() -> String {
    plan(&crate::Plan::default())
}

#[test]
fn hostile_names_stay_text_and_nothing_is_loaded() {
    let mut before = openvz();
    for (interface, name) in
        before.interfaces.iter_mut().skip(1).zip(["<b>&\"'", "\u{202e}x", "a'onload=x", "<p><!--&amp;"])
    {
        interface.name = name.parse().unwrap();
    }
    before.kernel.release = "<script>alert(1)</script>".into();
    let html = snapshot(&before).unwrap();
    well_formed(&html);
    for evil in ["<script", "<b>&\"", "<p><!--", "\u{202e}", "'onload"] {
        assert!(!html.contains(evil), "{evil}");
    }
    assert!(html.contains("&lt;b&gt;&amp;&quot;&#39;") && html.contains("\\u{202e}x"));
    assert!(!html.contains("://") && !html.contains(" src="));
    assert!(!html.contains("@import") && !html.contains("url("));
}

#[test]
fn a_large_host_gives_a_page_of_bounded_size() {
    let mut host = openvz();
    let entry = host.proxies[0];
    for i in 0..20_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + i).into();
        host.proxies.push(crate::snapshot::ProxyEntry { address, ..entry });
    }
    let html = snapshot(&host).unwrap();
    assert!(html.len() < 6_000_000, "{}", html.len());
    assert!(html.contains("Left out: 19605 more addresses"), "{:?}", html.find("Left out"));
}

fn the_page(host: &Snapshot) -> String {
    let recommended = crate::recommend::recommend(host).unwrap();
    page(&Page {
        title: "hn<1>",
        taken: "today",
        snapshot: host,
        diagnosis: &host.diagnose(&crate::diagnose::Options::default()).unwrap(),
        change: Some((&recommended.policy, &recommended.plan)),
    })
    .unwrap()
}

#[test]
fn each_cell_of_a_page_leads_to_its_own_trace() {
    let host = openvz();
    let html = the_page(&host);
    let (elements, ids) = well_formed(&html);
    assert!(elements.contains("script"));
    for loading in ["<link", "<img", "<iframe", " src=", "@import", "url("] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id twice: {ids:?}");
    let links: Vec<&str> =
        html.split(" href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for link in &links {
        assert!(ids.iter().any(|id| id == link), "{link} leads nowhere");
    }
    // Five addresses on three interfaces, before and after.
    let cells = links.iter().filter(|link| link.starts_with("cell-") || link.starts_with("after-")).count();
    assert_eq!(cells, 30);
    for said in [
        "<title>ARP on hn&lt;1&gt;</title>",
        "5 of 5 addresses have several MACs on one wire. With the plan none has.",
        "AF001",
        "The remedy, ",
        "With the plan: <span class=\"mono\">192.168.18.101</span> on eth3",
    ] {
        assert!(html.contains(said), "{said}");
    }
    // The trace of a cell is about that address and interface.
    let trace = html.split("id=\"cell-4-2\"").nth(1).unwrap().split("</details>").next().unwrap();
    assert!(trace.contains("There is a proxy entry for 192.168.18.101 on eth3."), "{trace}");
    let trace = html.split("id=\"after-1-2\"").nth(1).unwrap().split("</details>").next().unwrap();
    assert!(trace.contains("arp_ignore is 1 on eth3"), "{trace}");
}

#[test]
fn a_healthy_host_has_a_page_too() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).0;
    let html = the_page(&host);
    well_formed(&html);
    assert!(html.contains("Nothing to change.") && html.contains("No address has several MACs on one wire."));
}
