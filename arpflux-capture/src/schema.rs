//! JSON Schemas: what `cargo xtask gen` writes.

use schemars::{Schema, json_schema, schema_for};
use serde_json::json;

use crate::{Certainty, Class, Format, Report};

/// The schema of each record of this package, by its name.
#[must_use]
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![("capture", arpflux_core::schema::record::<Report>())]
}

/// The names that all faces share: each enum, as Python calls it, with what its names mean.
#[must_use]
pub fn enums() -> Vec<(&'static str, Schema)> {
    let protocols = [
        ("arp", "An ARP packet about IPv4 addresses."),
        ("ipv4", "An IPv4 packet: shows by which MAC an address is really reached."),
        ("ndp", "A neighbour solicitation or advertisement."),
        ("ipv6", "Any other IPv6 packet."),
    ];
    let protocols = protocols.map(|(name, text)| json!({ "const": name, "description": text }));
    vec![
        (
            "Protocol",
            json_schema!({ "description": "What a frame of a capture carries.", "oneOf": protocols }),
        ),
        ("CaptureFormat", schema_for!(Format)),
        ("AddressClass", schema_for!(Class)),
        ("Certainty", schema_for!(Certainty)),
    ]
}
