//! The schemas that `arpflux schema` prints. Written by `cargo xtask gen`.

/// Names and texts, by name.
pub const ALL: &[(&str, &str)] = &[
    ("address", include_str!("../../../../docs/schema/address.json")),
    ("announced", include_str!("../../../../docs/schema/announced.json")),
    ("claims", include_str!("../../../../docs/schema/claims.json")),
    ("detection", include_str!("../../../../docs/schema/detection.json")),
    ("error", include_str!("../../../../docs/schema/error.json")),
    ("explanation", include_str!("../../../../docs/schema/explanation.json")),
    ("learned", include_str!("../../../../docs/schema/learned.json")),
    ("malformed", include_str!("../../../../docs/schema/malformed.json")),
    ("matrix", include_str!("../../../../docs/schema/matrix.json")),
    ("policy", include_str!("../../../../docs/schema/policy.json")),
    ("probes", include_str!("../../../../docs/schema/probes.json")),
    ("proxies", include_str!("../../../../docs/schema/proxies.json")),
    ("question", include_str!("../../../../docs/schema/question.json")),
    ("reached", include_str!("../../../../docs/schema/reached.json")),
    ("segments", include_str!("../../../../docs/schema/segments.json")),
    ("shared-wires", include_str!("../../../../docs/schema/shared-wires.json")),
    ("snapshot", include_str!("../../../../docs/schema/snapshot.json")),
    ("wires", include_str!("../../../../docs/schema/wires.json")),
];
