//! The schemas that `arpflux schema` prints. Written by `cargo xtask gen`.

/// Names and texts, by name.
pub const ALL: &[(&str, &str)] = &[
    ("address", include_str!("../../../schema/address.json")),
    ("announced", include_str!("../../../schema/announced.json")),
    ("claims", include_str!("../../../schema/claims.json")),
    ("detection", include_str!("../../../schema/detection.json")),
    ("error", include_str!("../../../schema/error.json")),
    ("explanation", include_str!("../../../schema/explanation.json")),
    ("learned", include_str!("../../../schema/learned.json")),
    ("malformed", include_str!("../../../schema/malformed.json")),
    ("matrix", include_str!("../../../schema/matrix.json")),
    ("policy", include_str!("../../../schema/policy.json")),
    ("probes", include_str!("../../../schema/probes.json")),
    ("proxies", include_str!("../../../schema/proxies.json")),
    ("question", include_str!("../../../schema/question.json")),
    ("reached", include_str!("../../../schema/reached.json")),
    ("segments", include_str!("../../../schema/segments.json")),
    ("shared-wires", include_str!("../../../schema/shared-wires.json")),
    ("snapshot", include_str!("../../../schema/snapshot.json")),
    ("wires", include_str!("../../../schema/wires.json")),
];
