//! What is so now, for people and for monitoring.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::report::Exposition;

/// What is so now with a watch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Status {
    /// The name of the host.
    pub host: String,
    /// What tells this policy from another.
    pub policy: String,
    /// Whether drift is put right.
    pub heal: bool,
    /// When the watch began, in milliseconds since 1970 (UTC).
    pub since_ms: u64,
    /// Since when all is as the policy says; `None` while something is not, or cannot be told.
    pub ok_since_ms: Option<u64>,
    /// When everything was looked at last; `None` before the first time.
    pub last_look_ms: Option<u64>,
    /// `good`, `bad` or `undetermined`: what the answers come to; `None` before the first judgement.
    pub judgement: Option<String>,
    /// What is not as it should be now, one sentence each.
    pub open: Vec<String>,
    /// How many things somebody else changes again and again.
    pub contested: usize,
    /// How many repairs were made, by kind of the object.
    pub healed: BTreeMap<String, u64>,
    /// How many repairs failed.
    pub failed: u64,
    /// How many repairs had to wait for somebody else's transaction.
    pub waits: u64,
    /// How often everything was looked at.
    pub looks: u64,
}

impl Status {
    /// The same in the text format of OpenMetrics 1.0, which Prometheus and node_exporter's textfile collector read.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let mut out = Exposition(&mut text);
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let judgement = self.judgement.as_deref().unwrap_or("undetermined");
        let help = "What the answers come to: 1 for one of good, bad and undetermined.";
        out.head("arpflux_watch_judgement", "gauge", help);
        for name in ["good", "bad", "undetermined"] {
            out.sample("arpflux_watch_judgement", &[("judgement", &name)], u8::from(name == judgement));
        }
        let help = "Repairs that were made, by kind of the object.";
        out.head("arpflux_watch_healed", "counter", help);
        for (kind, count) in &self.healed {
            out.sample("arpflux_watch_healed_total", &[("kind", kind)], count);
        }
        for (name, help, value) in [
            ("failed", "Repairs that failed.", self.failed),
            ("waits", "Repairs that had to wait for somebody else's transaction.", self.waits),
            ("looks", "How often everything was looked at.", self.looks),
        ] {
            out.head(&format!("arpflux_watch_{name}"), "counter", help);
            out.sample(&format!("arpflux_watch_{name}_total"), &[], value);
        }
        let [ok_since, last_look] = [self.ok_since_ms, self.last_look_ms].map(|ms| ms.map_or(0.0, seconds));
        let help_ok_since = "Since when all is as the policy says, since 1970; 0 while something is not.";
        for (name, help, value) in [
            ("ok", "1 while all is as the policy says.", f64::from(u8::from(self.ok_since_ms.is_some()))),
            ("ok_since_timestamp_seconds", help_ok_since, ok_since),
            ("open", "What is not as it should be now.", self.open.len() as f64),
            ("contested", "What somebody else changes again and again.", self.contested as f64),
            ("last_look_timestamp_seconds", "When everything was looked at last, since 1970.", last_look),
            ("start_timestamp_seconds", "When the watch began, since 1970.", seconds(self.since_ms)),
        ] {
            let name = format!("arpflux_watch_{name}");
            out.head(&name, "gauge", help);
            out.sample(&name, &[], value);
        }
        text + "# EOF\n"
    }
}

impl fmt::Display for Status {
    /// In one line, for `systemctl status`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.ok_since_ms, self.open.first()) {
            (Some(since), _) => {
                write!(f, "as the policy says since {}", crate::words::time_of_day(since / 1000))?;
            }
            (None, Some(first)) => {
                write!(f, "{} open: {first}", self.open.len())?;
            }
            (None, None) => f.write_str("not judged yet")?,
        }
        let healed: u64 = self.healed.values().sum();
        write!(f, "; {healed} put right")?;
        if self.contested > 0 {
            write!(f, "; {} contested", self.contested)?;
        }
        if self.failed > 0 {
            write!(f, "; {} failed", self.failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_open_metrics() {
        let mut status = Status { ok_since_ms: Some(1_000), last_look_ms: Some(1_500), ..Status::default() };
        status.healed.insert("rule".into(), 3);
        status.judgement = Some("good".into());
        let text = status.metrics();
        assert!(text.ends_with("# EOF\n"), "{text}");
        for line in [
            "# TYPE arpflux_watch_healed counter",
            "arpflux_watch_healed_total{kind=\"rule\"} 3",
            "arpflux_watch_ok 1",
            "arpflux_watch_ok_since_timestamp_seconds 1",
            "arpflux_watch_judgement{judgement=\"good\"} 1",
            "arpflux_watch_last_look_timestamp_seconds 1.5",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}: {text}");
        }
        assert_eq!(status.to_string(), "as the policy says since 1970-01-01T00:00:01Z; 3 put right");
    }
}
