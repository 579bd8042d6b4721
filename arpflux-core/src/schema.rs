//! JSON Schemas of the records: what `cargo xtask gen` writes below `docs/schema`.
//!
//! Types that serde derives have theirs derived as well; the others, which write themselves, are said here.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::json::SCHEMA;
use crate::judgement::{Gap, Judgement};
use crate::outward;
use crate::policy::{HostPolicy, InterfaceSelector, Policy, ProxyPolicy, ServicePolicy, VERSION};
use crate::predict::{
    AddressAnswers, Delay, Explanation, Learned, Malformed, Matrix, Missing, MissingSet, Question, Reached,
    Reason, Step, Verdict, Via,
};
use crate::proof::Claims;
use crate::segment::{SharedWires, Wires};
use crate::snapshot::{AddressFlags, InterfaceFlags, LinkKind, NextHopFlags, RuleFlags, Snapshot};
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName, Mac};

/// The fields of a request, with the interface by number.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Request {
    /// The interface that it arrives on.
    interface: IfIndex,
    /// Who asks.
    sender_ip: Ipv4Addr,
    /// For which address.
    target_ip: Ipv4Addr,
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
    Reason, "Reason", |_generator| names(
        "The rule that decided.",
        Reason::ALL.iter().map(|reason| reason.code()).collect(),
    );
    Missing, "Missing", |_generator| names(
        "What could not be read or decided.",
        Missing::ALL.iter().map(|missing| missing.code()).collect(),
    );
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
fn record<T: JsonSchema>() -> Schema {
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
        ("claims", record::<Claims>()),
        ("error", record::<outward::Failed<'static>>()),
        ("explanation", record::<Explanation>()),
        ("learned", record::<Learned>()),
        ("malformed", input::<Malformed>()),
        ("matrix", record::<Matrix>()),
        ("policy", input::<Policy>()),
        ("question", input::<Question>()),
        ("reached", record::<Reached>()),
        ("shared-wires", record::<SharedWires>()),
        ("snapshot", stored::<Snapshot>()),
        ("wires", stored::<Wires>()),
    ];
    #[cfg(feature = "kernel")]
    all.extend([
        ("announced", record::<crate::wire::announce::Announced>()),
        ("detection", record::<crate::wire::detect::Detection>()),
        ("probes", record::<crate::wire::probe::Probes>()),
        ("proxies", record::<outward::Proxies>()),
        ("segments", record::<crate::wire::segments::Segments>()),
    ]);
    all.sort_by_key(|(name, _)| *name);
    all
}
