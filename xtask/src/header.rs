//! `include/arpflux.h` and the list of exported symbols.

use std::fmt::Write as _;
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
    let text = must_use(&short_docs(&plain_enums(&text)?));
    documented(&text)?;
    let lines = text.lines().count();
    if lines >= 2000 {
        return Err(format!("the header has {lines} lines: a person reads it, and it stays below 2,000"));
    }
    let symbols = symbols(&text);
    if symbols.is_empty() {
        return Err("the header declares no function".into());
    }
    Ok((
        Generated { path: "include/arpflux.h".into(), text },
        Generated { path: "arpflux-c/symbols.txt".into(), text: symbols },
    ))
}

/// Enums as a number's type and a list of constants: the same in every standard of C and C++, and an enum that grows stays a number.
fn plain_enums(header: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, enumeration)) = rest.split_once("\nenum ") {
        let wrong = || "cbindgen writes enums in another way".to_string();
        let (name, body) = enumeration.split_once('\n').ok_or_else(wrong)?;
        let (members, after) =
            body.split_once("\n {\n").and_then(|(_, body)| body.split_once("\n};\n")).ok_or_else(wrong)?;
        let (_, after) = after.split_once("#endif // __cplusplus\n").ok_or_else(wrong)?;
        let _ = write!(text, "{before}\ntypedef uint32_t {name};\nenum {{\n{members}\n}};\n");
        rest = after;
    }
    Ok(text + rest)
}

/// Documentation of one line stands on one line.
fn short_docs(header: &str) -> String {
    let lines: Vec<&str> = header.lines().collect();
    let mut text = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let indent = line.trim_end_matches("/**");
        let words = lines.get(at + 1).and_then(|words| words.trim_start().strip_prefix("* "));
        match (words, lines.get(at + 2)) {
            (Some(words), Some(end))
                if line.trim() == "/**" && end.trim() == "*/" && indent.len() + words.len() < 130 =>
            {
                let _ = writeln!(text, "{indent}/** {words} */");
                at += 3;
            }
            _ => {
                let _ = writeln!(text, "{line}");
                at += 1;
            }
        }
    }
    text
}

/// What gives an object to the caller is marked, so that compilers tell who forgets it.
fn must_use(header: &str) -> String {
    let owned = |line: &str| {
        let gives = line.split_once('(').map_or("", |(head, _)| head);
        gives.contains(" *arpflux_") && !gives.starts_with("const ") && !line.starts_with([' ', '#'])
    };
    let marked = |line: &str| match owned(line) {
        true => format!("ARPFLUX_MUST_USE {line}\n"),
        false => format!("{line}\n"),
    };
    header.lines().map(marked).collect()
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
        // The lines of a long parameter list.
        let within = parameters
            || (line.starts_with("    ") && before.trim_end().ends_with([',', '(']) && !before.contains('='));
        if line.contains('(') {
            parameters = !line.contains(')');
        } else if line.contains(')') {
            parameters = false;
        }
        // The type before it has the documentation.
        let constants = line == "enum {";
        if !within && !constants && !before.trim_end().ends_with("*/") {
            bare.push(line.trim());
        }
    }
    if bare.is_empty() { Ok(()) } else { Err(format!("without documentation in the header: {bare:?}")) }
}
