//! JSON Schemas of all records, and the list of them that the command has.

use crate::Generated;

/// The schemas below `docs/schema`, and the command's list.
///
/// # Errors
/// If a schema cannot be written, which would be a defect.
pub fn generate() -> Result<Vec<Generated>, String> {
    let mut files = Vec::new();
    let mut list = String::from(
        "//! The schemas that `arpflux schema` prints. Written by `cargo xtask gen`.\n\n\
         /// Names and texts, by name.\n\
         pub const ALL: &[(&str, &str)] = &[\n",
    );
    let mut all = arpflux_core::schema::all();
    all.extend(arpflux_capture::schema::all());
    all.sort_by_key(|(name, _)| *name);
    for (name, schema) in all {
        let text = serde_json::to_string_pretty(&schema).map_err(|error| format!("{name}: {error}"))?;
        files.push(Generated { path: format!("docs/schema/{name}.json"), text: text + "\n" });
        list.push_str(&format!("    (\"{name}\", include_str!(\"../../../schema/{name}.json\")),\n"));
    }
    files.push(Generated { path: "arpflux-cli/src/verb/schema/list.rs".into(), text: list + "];\n" });
    Ok(files)
}
