//! What the command prints fits the schemas that it prints.
#![allow(missing_docs, reason = "a test")]

use std::process::Command;

use serde_json::Value;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

fn arpflux(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_arpflux")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn schema(name: &str) -> Value {
    let text = arpflux(&["schema", name]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
}

/// What of `value` does not fit `schema`, with its place; for the keywords that our schemas use.
fn faults(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some(keys) = schema.as_object() else {
        return if schema == &Value::Bool(false) { vec![format!("{place}: not allowed")] } else { found };
    };
    let among = |list: &Value| {
        let count = |one: &&Value| faults(root, one, value, place).is_empty();
        list.as_array().unwrap().iter().filter(count).count()
    };
    for (key, rule) in keys {
        let holds = match key.as_str() {
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                found.extend(faults(root, target, value, place));
                true
            }
            "type" => match rule {
                Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap(), value)),
                name => is(name.as_str().unwrap(), value),
            },
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap()),
            "prefixItems" => {
                let rules = rule.as_array().unwrap().iter();
                for (at, (inner, rule)) in value.as_array().into_iter().flatten().zip(rules).enumerate() {
                    found.extend(faults(root, rule, inner, &format!("{place}/{at}")));
                }
                true
            }
            "anyOf" => among(rule) > 0,
            "oneOf" => among(rule) == 1,
            "allOf" => among(rule) == rule.as_array().unwrap().len(),
            "required" => value.as_object().is_none_or(|object| {
                rule.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(name) {
                        found.extend(faults(root, rule, inner, &format!("{place}/{name}")));
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |name: &String| keys.get("properties").is_some_and(|all| all.get(name).is_some());
                for (name, inner) in value.as_object().into_iter().flatten().filter(|(name, _)| !known(name))
                {
                    found.extend(faults(root, rule, inner, &format!("{place}/{name}")));
                }
                true
            }
            "items" => {
                for (at, inner) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(root, rule, inner, &format!("{place}/{at}")));
                }
                true
            }
            "$schema" | "$defs" | "title" | "description" | "format" | "default" | "pattern" => true,
            other => panic!("this test does not know the keyword {other:?}"),
        };
        if !holds {
            found.push(format!("{place}: {key} {rule}"));
        }
    }
    found
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other:?}"),
    }
}

fn fits(name: &str, value: &Value) {
    let schema = schema(name);
    let found = faults(&schema, &schema, value, "");
    assert!(found.is_empty(), "{name}: {found:#?}");
}

fn is_valid(name: &str, value: &Value) -> bool {
    let schema = schema(name);
    faults(&schema, &schema, value, "").is_empty()
}

#[test]
fn what_is_printed_of_a_stored_snapshot() {
    for (name, arguments) in [
        ("matrix", &["explain"][..]),
        ("address", &["explain", "192.168.18.10"]),
        ("address", &["explain", "192.168.18.77", "--from", "192.168.18.129"]),
        ("claims", &["explain", "--prove"]),
        ("shared-wires", &["explain", "--also", SNAPSHOT]),
        ("reached", &["explain", "192.168.18.129", "--outgoing"]),
        ("reached", &["explain", "10.99.0.1", "--outgoing"]),
        ("learned", &["explain", "192.168.18.129", "--learn", "00:0c:29:d2:c7:aa"]),
        ("error", &["explain", "--on", "eth9"]),
    ] {
        let text = arpflux(&[arguments, &["--json", "--snapshot", SNAPSHOT]].concat());
        fits(name, &serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")));
    }
    let text = arpflux(&["segments", "--hosts", SNAPSHOT, "--json"]);
    fits("shared-wires", &serde_json::from_str(&text).unwrap());
    let here = std::env::temp_dir();
    let text = arpflux(&["segments", "--hosts", SNAPSHOT, "--policies", here.to_str().unwrap(), "--json"]);
    fits("order", &serde_json::from_str(&text).unwrap());
    fits("snapshot", &serde_json::from_str(&std::fs::read_to_string(SNAPSHOT).unwrap()).unwrap());
}

#[test]
fn policies() {
    let recommended = arpflux(&["recommend", "--json", "--snapshot", SNAPSHOT]);
    let recommended: Value = serde_json::from_str(&recommended).unwrap();
    fits("policy", &recommended["policy"]);
    for good in [r#"{"version":1}"#, r#"{"version":1,"host":{"strategy":"strict"}}"#] {
        assert!(is_valid("policy", &serde_json::from_str(good).unwrap()), "{good}");
    }
    for bad in [
        "{}",
        r#"{"version":2}"#,
        r#"{"version":1,"hots":{}}"#,
        r#"{"version":1,"host":{"strategy":"stricter"}}"#,
        r#"{"version":1,"host":{"interface":["eth0"]}}"#,
        r#"{"version":1,"proxy":[{"owner":"101","interface":"eth3"}]}"#,
    ] {
        assert!(!is_valid("policy", &serde_json::from_str(bad).unwrap()), "{bad}");
    }
}

#[test]
fn what_lacks_a_key_does_not_fit() {
    let text = arpflux(&["explain", "--json", "--snapshot", SNAPSHOT]);
    let matrix: Value = serde_json::from_str(&text).unwrap();
    for key in ["schema", "addresses", "interfaces"] {
        let mut less = matrix.clone();
        less.as_object_mut().unwrap().remove(key);
        assert!(!is_valid("matrix", &less), "without {key}");
    }
}
