//! JSON Schemas of the records: what `cargo xtask gen` writes below `docs/schema`.
//!
//! Types that serde derives have theirs derived as well; the others, which write themselves, are said here.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::diagnose::FindingId;
use crate::json::SCHEMA;
use crate::judgement::{Gap, Judgement};
use crate::outward;
use crate::plan::Range;
use crate::policy::{HostPolicy, InterfaceSelector, Policy, ProxyPolicy, ServicePolicy, VERSION};
use crate::predict::{
    AddressAnswers, Advertised, Delay, Explanation, Learned, Malformed, Matrix, Missing, MissingSet,
    Question, Reached, Reason, Step, Verdict, Via,
};
use crate::proof::Claims;
use crate::segment::{Order, SharedWires, Wires};
use crate::snapshot::{AddressFlags, InterfaceFlags, LinkKind, NextHopFlags, RuleFlags, Snapshot};
use crate::state::Change;
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName, Mac};

/// The fields of a request, with the interface by number.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Request {
    /// The interface that it arrives on.
    interface: IfIndex,
    /// Who asks.
    sender_ip: IpAddr,
    /// The asker's MAC, where it matters.
    #[schemars(skip_serializing_if = "Option::is_none")]
    sender_mac: Option<Mac>,
    /// For which address.
    target_ip: IpAddr,
    /// Whether the frame is sent to the interface's MAC alone.
    unicast: bool,
}

/// Schemas of types that write themselves.
macro_rules! written {
    ($($type:ty, $name:literal, |$generator:ident| $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

fn names(description: &str, names: Vec<&'static str>) -> Schema {
    json_schema!({ "description": description, "type": "string", "enum": names })
}

/// Names with what each means.
fn table<'t>(description: &str, names: impl Iterator<Item = (&'t str, &'t str)>) -> Schema {
    let one = |(name, text)| json!({ "const": name, "description": text });
    json_schema!({ "description": description, "type": "string", "oneOf": names.map(one).collect::<Vec<_>>() })
}

written! {
    Mac, "Mac", |_generator| json_schema!({
        "description": "A link-layer address of any length.",
        "type": "string",
        "pattern": "^(none|[0-9a-f]{2}(:[0-9a-f]{2})*)$",
    });
    IfName, "IfName", |_generator| json_schema!({
        "description": "The name of an interface; bytes that are not UTF-8 are escaped.",
        "type": "string",
    });
    InterfaceSelector, "InterfaceSelector", |_generator| json_schema!({
        "description": "Interfaces: a name, a pattern of names such as `enp*`, or `mac:` and a MAC.",
        "type": "string",
    });
    LinkKind, "LinkKind", |_generator| json_schema!({
        "description": "The kind of a link, as `ip -details link` names it.",
        "type": "string",
    });
    AddressFlags, "AddressFlags", |_generator| flags("`IFA_F_*`");
    InterfaceFlags, "InterfaceFlags", |_generator| flags("`IFF_*`");
    NextHopFlags, "NextHopFlags", |_generator| flags("`RTNH_F_*`");
    RuleFlags, "RuleFlags", |_generator| flags("`FIB_RULE_*`");
    Sysctl, "Sysctl", |_generator| names(
        "A sysctl of net.ipv4.conf.",
        Sysctl::ALL.iter().map(|sysctl| sysctl.name()).collect(),
    );
    SysctlValues, "SysctlValues", |_generator| {
        let value = json!({ "type": "integer", "format": "int32" });
        let values: serde_json::Map<String, Value> =
            Sysctl::ALL.iter().map(|sysctl| (sysctl.name().to_owned(), value.clone())).collect();
        json_schema!({
            "description": "The values of one folder of net.ipv4.conf; what the kernel does not have is absent.",
            "type": "object",
            "properties": values,
            "additionalProperties": false,
        })
    };
    Policy, "Policy", |generator| json_schema!({
        "description": "The desired state of one host, as TOML or JSON.",
        "type": "object",
        "properties": {
            "version": { "const": VERSION },
            "host": generator.subschema_for::<HostPolicy>(),
            "proxy": generator.subschema_for::<Vec<ProxyPolicy>>(),
            "service": generator.subschema_for::<Vec<ServicePolicy>>(),
        },
        "required": ["version"],
        "additionalProperties": false,
    });
    Reason, "Reason", |_generator| table(
        "The rule of the kernel that decided about a request.",
        Reason::ALL.iter().map(|reason| (reason.code(), reason.text())),
    );
    Missing, "Missing", |_generator| table(
        "Something that would decide and could not be read or decided.",
        Missing::ALL.iter().map(|missing| (missing.code(), missing.text())),
    );
    FindingId, "FindingId", |_generator| {
        let one = |id: &FindingId| {
            json!({ "const": id.to_string(), "title": format!("{id:?}"), "description": id.title() })
        };
        json_schema!({
            "description": "What can be found. The numbers are stable and never change their meaning.",
            "type": "string",
            "oneOf": FindingId::ALL.iter().map(one).collect::<Vec<_>>(),
        })
    };
    MissingSet, "MissingSet", |generator| generator.subschema_for::<Vec<Missing>>();
    Judgement, "Judgement", |generator| json_schema!({
        "description": "Whether it holds.",
        "type": "object",
        "properties": {
            "ok": { "description": "null: that cannot be told.", "type": ["boolean", "null"] },
            "missing": generator.subschema_for::<Vec<Gap>>(),
            "ok_apart_from_that": {
                "description": "Whether it holds apart from what is missing.",
                "type": ["boolean", "null"],
            },
        },
        "required": ["ok", "missing"],
    });
    Range, "Range", |_generator| json_schema!({
        "description": "Senders, or one: `10.0.0.0-10.0.0.9`.",
        "type": "string",
    });
    Verdict, "Verdict", |generator| verdict(generator, false);
    Explanation, "Explanation", |generator| verdict(generator, true);
}

fn flags(of: &str) -> Schema {
    json_schema!({ "description": of, "type": "integer", "minimum": 0 })
}

/// What the kernel does with a request; with the steps that led there.
fn verdict(generator: &mut SchemaGenerator, steps: bool) -> Schema {
    let mac = generator.subschema_for::<Mac>();
    let mut schema = json_schema!({
        "description": "Whether the kernel answers a request, with which MAC, and which rule decided.",
        "type": "object",
        "properties": {
            "answers": { "description": "null: that cannot be told.", "type": ["boolean", "null"] },
            "mac": { "anyOf": [mac, { "type": "null" }] },
            "reason": generator.subschema_for::<Reason>(),
            "via": generator.subschema_for::<Via>(),
            "interface": generator.subschema_for::<IfIndex>(),
            "delay": generator.subschema_for::<Option<Delay>>(),
            "advertised": generator.subschema_for::<Advertised>(),
            "missing": generator.subschema_for::<MissingSet>(),
        },
        "required": ["answers", "mac"],
    });
    if steps {
        let step = generator.subschema_for::<Step>();
        let text = json!({ "type": "string" });
        let items = json!({
            "allOf": [step, { "properties": { "function": text, "text": text }, "required": ["function", "text"] }],
        });
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("steps".into(), json!({ "type": "array", "items": items }));
        }
    }
    schema
}

/// A record as it leaves, with `schema` as its first key.
#[must_use]
pub fn record<T: JsonSchema>() -> Schema {
    versioned(SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>())
}

/// A record that is read as well: what may be left out then is not required.
fn stored<T: JsonSchema>() -> Schema {
    versioned(input::<T>())
}

/// What is read, and has no `schema`.
fn input<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

fn versioned(mut schema: Schema) -> Schema {
    let object = schema.ensure_object();
    if let Some(properties) = object.entry("properties").or_insert_with(|| json!({})).as_object_mut() {
        properties.insert("schema".into(), json!({ "const": SCHEMA }));
    }
    if let Some(required) = object.entry("required").or_insert_with(|| json!([])).as_array_mut() {
        required.insert(0, "schema".into());
    }
    schema
}

/// Every schema, by the name of what it describes.
#[must_use]
pub fn all() -> Vec<(&'static str, Schema)> {
    let mut all = vec![
        ("address", record::<AddressAnswers>()),
        ("change", input::<Change>()),
        ("claims", record::<Claims>()),
        ("diagnosis", record::<outward::Diagnosed<'static>>()),
        ("error", record::<outward::Failed<'static>>()),
        ("explanation", record::<Explanation>()),
        ("learned", record::<Learned>()),
        ("malformed", input::<Malformed>()),
        ("matrix", record::<Matrix>()),
        ("plan", record::<outward::Planned<'static>>()),
        ("policy", input::<Policy>()),
        ("question", input::<Question>()),
        ("reached", record::<Reached>()),
        ("recommendation", record::<outward::Recommended<'static>>()),
        ("order", record::<Order>()),
        ("rehearsal", record::<outward::Rehearsal>()),
        ("shared-wires", record::<SharedWires>()),
        ("snapshot", stored::<Snapshot>()),
        ("verify", record::<crate::verify::ReportRecord<'static>>()),
        ("wires", stored::<Wires>()),
    ];
    #[cfg(feature = "kernel")]
    all.extend([
        ("boot", record::<outward::Boot<'static>>()),
        ("drift", record::<crate::watch::Drift>()),
        ("receipt", record::<crate::apply::Receipt>()),
        ("announced", record::<crate::wire::announce::Announced>()),
        ("detection", record::<crate::wire::detect::Detection>()),
        ("probes", record::<crate::wire::probe::Probes>()),
        ("proxies", record::<outward::Proxies>()),
        ("segments", record::<crate::wire::segments::Segments>()),
    ]);
    all.sort_by_key(|(name, _)| *name);
    all
}

/// The names that Rust, C, JSON, the command and Python share: each enum, as Python calls it, with what its names
/// mean.
#[must_use]
pub fn enums() -> Vec<(&'static str, Schema)> {
    use crate::error::ErrorKind;
    use crate::{diagnose, plan, predict, proof, segment, snapshot, state, types, verify};
    let pure = [
        ("ErrorKind", input::<ErrorKind>()),
        ("Reason", input::<Reason>()),
        ("Missing", input::<Missing>()),
        ("Via", record::<Via>()),
        ("ValueSource", record::<snapshot::ValueSource>()),
        ("ChangeKind", input::<state::Object>()),
        ("CheckKind", input::<verify::CheckKind>()),
        ("WireCertainty", record::<snapshot::Certainty>()),
        ("SegmentOutcome", record::<segment::Outcome>()),
        ("SegmentCause", record::<segment::Cause>()),
        ("OrderAction", record::<segment::Action>()),
        ("DoubtState", record::<segment::DoubtState>()),
        ("Redundancy", input::<types::Redundancy>()),
        ("RouteKind", input::<snapshot::RouteKind>()),
        ("RuleAction", input::<snapshot::RuleAction>()),
        ("InterferenceKind", input::<snapshot::Interference>()),
        ("Expect", record::<proof::Expectation>()),
        ("ProofOutcome", record::<proof::Proof>()),
        ("Outgoing", record::<predict::Outgoing>()),
        ("SourceRule", record::<predict::SourceRule>()),
        ("Learning", record::<predict::Learning>()),
        ("AnswerChange", record::<plan::Turn>()),
        ("Severity", input::<diagnose::Severity>()),
        ("FindingId", input::<FindingId>()),
    ];
    #[cfg(not(feature = "kernel"))]
    let live = [];
    #[cfg(feature = "kernel")]
    let live = [
        ("Outcome", input::<crate::apply::Outcome>()),
        ("Judgement", input::<crate::wire::probe::Judgement>()),
        ("Claim", record::<crate::wire::detect::Claim>()),
        ("Cause", record::<crate::watch::Cause>()),
        ("Idle", record::<crate::vz::Idle>()),
        ("DriftOutcome", record::<crate::watch::Outcome>()),
        ("Manager", input::<crate::persist::Manager>()),
        ("FileKind", input::<crate::persist::FileState>()),
    ];
    pure.into_iter().chain(live).collect()
}
