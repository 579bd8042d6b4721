//! `arpflux-c/arpflux.map`: the functions of the shared library, each with the version that it came with.

use std::fmt::Write as _;
use std::path::Path;

use crate::Generated;

/// Keeps the versions that functions have, and gives new ones the present. With another soname all begin anew.
pub fn generate(root: &Path, symbols: &str) -> Generated {
    let path = "arpflux-c/arpflux.map";
    let former = std::fs::read_to_string(root.join(path)).unwrap_or_default();
    Generated { path: path.into(), text: text(&former, symbols, env!("CARGO_PKG_VERSION")) }
}

/// The part of a version that the soname has: before 1.0 the minor number belongs to it.
fn abi(version: &str) -> &str {
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    version.match_indices('.').nth(parts - 1).map_or(version, |(end, _)| &version[..end])
}

fn text(former: &str, symbols: &str, version: &str) -> String {
    let mut nodes: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in former.lines() {
        if let Some(node) = line.strip_prefix("LIBARPFLUX_").and_then(|line| line.strip_suffix(" {")) {
            nodes.push((node, Vec::new()));
        } else if let (Some((_, names)), Some(name)) = (nodes.last_mut(), line.trim().strip_suffix(';')) {
            names.extend(symbols.lines().find(|symbol| *symbol == name));
        }
    }
    nodes.retain(|(node, _)| abi(node) == abi(version));
    let known: Vec<&str> = nodes.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let new = symbols.lines().filter(|symbol| !known.contains(symbol));
    match nodes.iter_mut().find(|(node, _)| *node == version) {
        Some((_, names)) => names.extend(new),
        None => nodes.push((version, new.collect())),
    }
    nodes.retain(|(_, names)| !names.is_empty());
    let mut text = String::new();
    let mut before: Option<&str> = None;
    for (node, mut names) in nodes {
        names.sort_unstable();
        let _ = writeln!(text, "LIBARPFLUX_{node} {{\n    global:");
        for name in names {
            let _ = writeln!(text, "        {name};");
        }
        let _ = match before {
            None => writeln!(text, "    local:\n        *;\n}};"),
            Some(before) => writeln!(text, "}} LIBARPFLUX_{before};"),
        };
        before = Some(node);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn functions_keep_their_version_while_the_soname_stays() {
        let first = text("", "a\nc\n", "0.1.0");
        assert_eq!(
            first,
            "LIBARPFLUX_0.1.0 {\n    global:\n        a;\n        c;\n    local:\n        *;\n};\n"
        );
        assert_eq!(text(&first, "a\nc\n", "0.1.1"), first);
        let second = text(&first, "a\nb\nc\n", "0.1.1");
        assert_eq!(second, first + "LIBARPFLUX_0.1.1 {\n    global:\n        b;\n} LIBARPFLUX_0.1.0;\n");
        assert_eq!(text(&second, "a\nb\nc\n", "0.1.2"), second);
        assert!(
            text(&second, "a\nb\nc\n", "0.2.0")
                .starts_with("LIBARPFLUX_0.2.0 {\n    global:\n        a;\n        b;")
        );
        assert_eq!(text(&text("", "a\n", "1.2.3"), "a\nb\n", "1.3.0").matches("LIBARPFLUX").count(), 3);
    }
}
