//! What the stages tell whoever listens (feature `tracing`).
#![allow(missing_docs, reason = "a test")]

use std::fmt::Write as _;
use std::sync::Mutex;

use arpflux_core::apply::Options;
use arpflux_core::{Host, Policy, verify};
use arpflux_lab::Lab;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// All events, each as a line.
static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Listener;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("arpflux_core")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut line);
        EVENTS.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

const POLICY: &str = "
version = 1
[host]
interfaces = [\"eth0\", \"eth1\"]
strategy = \"strict\"
announce = false
";

#[test]
fn each_stage_tells_what_it_did() {
    tracing::subscriber::set_global_default(Listener).unwrap();
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let host = lab.host("hn").unwrap();
    for (interface, last) in [("eth0", 10), ("eth1", 11)] {
        host.plug(&lan, interface, format!("02:00:00:00:00:{last}").parse().unwrap()).unwrap();
        host.address(interface, &format!("192.168.18.{last}/24")).unwrap();
    }
    let state = std::env::temp_dir().join(format!("arpflux-tracing-{}", std::process::id()));
    std::fs::create_dir(&state).unwrap();
    let applied = host
        .run(|| -> arpflux_core::Result<usize> {
            let (host, policy) = (Host::current()?, Policy::from_toml(POLICY, "policy.toml")?);
            let options = Options::default().state_dir(&state);
            let applied = host.apply_with(&options, |snapshot| policy.plan(snapshot))?;
            verify::check(&policy, &host.snapshot()?)?;
            host.rollback(None, false, &options)?;
            Ok(applied.changes.len())
        })
        .unwrap()
        .unwrap();
    std::fs::remove_dir_all(state).unwrap();
    let events = EVENTS.lock().unwrap();
    let told =
        |start: &str, words: &str| events.iter().any(|line| line.starts_with(start) && line.contains(words));
    assert!(told("DEBUG arpflux_core::kernel", "snapshot taken interfaces=3 addresses="), "{events:#?}");
    assert!(told("DEBUG arpflux_core::plan", &format!("planned changes={applied} ")), "{events:#?}");
    assert!(told("INFO arpflux_core::apply", &format!("applied id=1 changes={applied} ")), "{events:#?}");
    assert!(told("DEBUG arpflux_core::verify", "verified checks="), "{events:#?}");
    assert!(told("INFO arpflux_core::apply", "takes_back=1"), "{events:#?}");
}
