//! Findings and answers as metrics, in the text format that node_exporter's textfile collector reads.

use crate::diagnose::{Diagnosis, Finding, FindingId, Severity};
use crate::predict::{Matrix, Row};
use crate::snapshot::Snapshot;
use std::collections::BTreeMap;
use std::fmt::Display;

use super::exposition::Exposition;

/// For how many addresses there are series of their own: each series costs the monitoring memory.
const ADDRESSES_MAX: usize = 1_000;

/// The metrics of a host, in Prometheus' text format (version 0.0.4). `taken` is when the snapshot was taken,
/// in seconds since 1970. Where there are more than 1,000 addresses, those with several MACs have series
/// first, and `arpflux_addresses_without_series` counts the rest.
#[must_use]
pub fn metrics(snapshot: &Snapshot, matrix: &Matrix, diagnosis: &Diagnosis, taken: f64) -> String {
    let mut text = String::new();
    let mut out = Exposition(&mut text);
    out.head("arpflux_build_info", "gauge", "The version of arpflux that looked, as a label; always 1.");
    out.sample("arpflux_build_info", &[("version", &env!("CARGO_PKG_VERSION"))], 1);
    out.head(
        "arpflux_snapshot_timestamp_seconds",
        "gauge",
        "When the host was looked at, in seconds since 1970.",
    );
    out.sample("arpflux_snapshot_timestamp_seconds", &[], taken);

    let judgement = diagnosis.judgement(Some(Severity::Warning));
    out.head(
        "arpflux_judgement",
        "gauge",
        "What arpflux diagnose comes to: 1 for one of good, bad and undetermined.",
    );
    for name in ["good", "bad", "undetermined"] {
        out.sample("arpflux_judgement", &[("judgement", &name)], u8::from(judgement.name() == name));
    }
    let count = |severity, certain| {
        let counts = |finding: &&Finding| finding.severity == severity && finding.is_certain() == certain;
        diagnosis.findings.iter().filter(counts).count()
    };
    out.head("arpflux_findings", "gauge", "Findings of arpflux diagnose that are certain, by severity.");
    for severity in Severity::ALL {
        out.sample("arpflux_findings", &[("severity", &severity)], count(severity, true));
    }
    out.head(
        "arpflux_findings_uncertain",
        "gauge",
        "Findings that hold unless something unknown makes it otherwise.",
    );
    for severity in Severity::ALL {
        out.sample("arpflux_findings_uncertain", &[("severity", &severity)], count(severity, false));
    }
    let mut by_id: BTreeMap<(FindingId, Severity), usize> = BTreeMap::new();
    for finding in &diagnosis.findings {
        *by_id.entry((finding.id, finding.severity)).or_default() += 1;
    }
    out.head("arpflux_findings_by_id", "gauge", "Findings of arpflux diagnose, by id and severity.");
    for ((id, severity), count) in by_id {
        out.sample("arpflux_findings_by_id", &[("id", &id), ("severity", &severity)], count);
    }
    out.head("arpflux_unseen", "gauge", "What could not be told from the host, so is neither good nor bad.");
    out.sample("arpflux_unseen", &[], diagnosis.unseen.len());

    let (flux, undetermined) = matrix.counts();
    for (name, help, value) in [
        ("arpflux_interfaces", "Interfaces that take ARP requests.", matrix.interfaces.len()),
        (
            "arpflux_addresses",
            "Addresses that the host holds or proxies, of both families.",
            matrix.rows.len(),
        ),
        ("arpflux_addresses_with_flux", "Addresses for which several MACs answer on one wire.", flux),
        ("arpflux_addresses_undetermined", "Addresses of which that cannot be told.", undetermined),
        ("arpflux_proxy_entries", "Proxy entries of both families.", snapshot.proxies.len()),
        (
            "arpflux_addresses_without_series",
            "Addresses left out of the series by address, as there are too many.",
            matrix.rows.len().saturating_sub(ADDRESSES_MAX),
        ),
    ] {
        out.head(name, "gauge", help);
        out.sample(name, &[], value);
    }
    let mut rows: Vec<&Row> = matrix.rows.iter().collect();
    if rows.len() > ADDRESSES_MAX {
        rows.sort_by_key(|row| row.flux != Some(true));
        rows.truncate(ADDRESSES_MAX);
    }
    out.head(
        "arpflux_address_answering_interfaces",
        "gauge",
        "Interfaces that answer an ordinary neighbour's request for the address.",
    );
    for row in &rows {
        let labels: [(&str, &dyn Display); 1] = [("address", &row.target)];
        out.sample("arpflux_address_answering_interfaces", &labels, row.answering().count());
    }
    out.head(
        "arpflux_address_flux",
        "gauge",
        "Whether several MACs answer for the address on one wire; NaN: cannot be told.",
    );
    for row in &rows {
        let value = row.flux.map_or("NaN", |flux| if flux { "1" } else { "0" });
        out.sample("arpflux_address_flux", &[("address", &row.target)], value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Options;
    use crate::plan::tests::Host;
    use crate::predict::Model;

    #[test]
    fn the_page_in_numbers() {
        let host = Host::openvz().0;
        let matrix = Matrix::of(&Model::of(&host));
        let diagnosis = host.diagnose(&Options::default()).unwrap();
        let text = metrics(&host, &matrix, &diagnosis, 1_795_400_000.5);
        for line in [
            "arpflux_snapshot_timestamp_seconds 1795400000.5\n",
            "arpflux_addresses 5\n",
            "arpflux_addresses_with_flux 5\n",
            "arpflux_address_answering_interfaces{address=\"192.168.18.101\"} 3\n",
            "arpflux_address_flux{address=\"192.168.18.10\"} 1\n",
            "arpflux_proxy_entries 6\n",
            "# TYPE arpflux_findings gauge\narpflux_findings{severity=\"info\"} ",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        let errors = diagnosis.at_least(Severity::Error).count();
        assert!(
            errors > 0 && text.contains(&format!("arpflux_findings{{severity=\"error\"}} {errors}\n")),
            "{text}"
        );
    }

    #[test]
    fn labels_are_escaped() {
        let mut text = String::new();
        Exposition(&mut text).sample("m", &[("a", &"x\"\\\ny"), ("b", &1)], 2);
        assert_eq!(text, "m{a=\"x\\\"\\\\\\ny\",b=\"1\"} 2\n");
    }
}
