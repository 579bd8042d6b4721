//! `include/arpflux.h` and the list of exported symbols.

use std::path::Path;

use crate::Generated;

/// Writes the header by cbindgen, and the symbols that it declares, one a line.
pub fn generate(root: &Path) -> Result<(Generated, Generated), String> {
    let folder = root.join("arpflux-c");
    let mut config = cbindgen::Config::from_file(folder.join("cbindgen.toml"))?;
    let version = env!("CARGO_PKG_VERSION");
    let mut parts = version.split(['.', '-']);
    let mut part = || parts.next().unwrap_or("0");
    let (major, minor, patch) = (part(), part(), part());
    config.after_includes = config.after_includes.map(|text| {
        text.replace("@VERSION@", version)
            .replace("@MAJOR@", major)
            .replace("@MINOR@", minor)
            .replace("@PATCH@", patch)
    });
    let bindings = cbindgen::Builder::new()
        .with_crate(&folder)
        .with_config(config)
        .generate()
        .map_err(|error| format!("cbindgen: {error}"))?;
    let mut bytes = Vec::new();
    bindings.write(&mut bytes);
    let text = String::from_utf8(bytes).map_err(|error| format!("cbindgen wrote no UTF-8: {error}"))?;
    documented(&text)?;
    let symbols = symbols(&text);
    if symbols.is_empty() {
        return Err("the header declares no function".into());
    }
    Ok((
        Generated { path: "include/arpflux.h".into(), text },
        Generated { path: "arpflux-c/symbols.txt".into(), text: symbols },
    ))
}

/// The names of the functions that the header declares, sorted.
fn symbols(header: &str) -> String {
    let mut names: Vec<&str> = declarations(header)
        .filter_map(|(_, line)| {
            let name = line.split_once('(')?.0.rsplit([' ', '*']).next()?;
            name.starts_with("arpflux_").then_some(name)
        })
        .collect();
    names.sort_unstable();
    names.iter().map(|name| format!("{name}\n")).collect()
}

/// Each line that begins a declaration or a member, with the line before it.
fn declarations(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let code = header.split_once("#include").map_or(header, |(_, rest)| rest);
    code.lines().zip(code.lines().skip(1)).filter(|(_, line)| {
        let member = line.starts_with("    ") && !line.trim_start().starts_with(['*', '/', '#', ')']);
        let item = line.starts_with(|c: char| c.is_ascii_alphabetic()) && !line.starts_with("extern \"C\"");
        item || member || line.starts_with("#define ARPFLUX_")
    })
}

/// Fails on an item or a member without documentation.
fn documented(header: &str) -> Result<(), String> {
    let mut bare = Vec::new();
    let mut parameters = false;
    for (before, line) in declarations(header) {
        // The lines of a long parameter list, and the second half of `enum X : uint32_t`.
        let within = parameters
            || (line.starts_with("    ") && before.trim_end().ends_with([',', '(']) && !before.contains('='));
        if line.contains('(') {
            parameters = !line.contains(')');
        } else if line.contains(')') {
            parameters = false;
        }
        let typedef_of_enum = line.starts_with("typedef enum ") || line.starts_with("typedef uint32_t ");
        if !within && !typedef_of_enum && !before.trim_end().ends_with("*/") {
            bare.push(line.trim());
        }
    }
    if bare.is_empty() { Ok(()) } else { Err(format!("without documentation in the header: {bare:?}")) }
}
