//! ARCHITECTURE.md tells the truth about the modules and packages.
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The names in the first column of the table under a heading.
fn listed(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text.split_once(heading).unwrap_or_else(|| panic!("no heading {heading:?}")).1;
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(String::from).collect()
}

#[test]
fn every_module_of_the_core_has_its_line() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let modules: BTreeSet<String> = fs::read_dir(root().join("arpflux-core/src"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string())
        .filter(|name| name != "lib")
        .collect();
    assert!(modules.len() >= 9, "{modules:?}");
    assert_eq!(
        listed(&text, "\n## Modules of arpflux-core\n"),
        modules,
        "left: ARCHITECTURE.md, right: arpflux-core/src; add or remove the line"
    );
}

#[test]
fn every_package_has_its_line() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|line| line.starts_with("members = ")).unwrap();
    let mut packages: BTreeSet<String> = members.split('"').skip(1).step_by(2).map(String::from).collect();
    assert!(packages.remove("arpflux-core"));
    assert_eq!(listed(&text, "\n## The other packages\n"), packages);
}

#[test]
fn pure_modules_do_not_touch_the_kernel() {
    // What only `kernel` (and what is built on it) may name. The build without the feature `kernel`
    // proves most of this; file access it would not see.
    let forbidden = [
        "std::fs",
        "std::net::UdpSocket",
        "std::process",
        "SystemTime::now",
        "Instant::now",
        "nix::",
        "libc::",
    ];
    let mut seen = 0;
    for module in [
        "diagnose",
        "predict",
        "plan",
        "recommend",
        "report",
        "snapshot",
        "state",
        "sysctl",
        "types",
        "error",
    ] {
        for file in sources(&root().join("arpflux-core/src"), module) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for name in forbidden {
                assert!(!code.contains(name), "{} names {name}", file.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} files found");
}

#[test]
fn front_ends_define_no_json_of_their_own() {
    let mut seen = 0;
    for package in ["arpflux-cli", "arpflux-c", "arpflux-py"] {
        for file in sources(&root().join(package), "src") {
            // These still have some: what a capture counts, its frames, and names that are compared with the core.
            let known =
                ["capture.rs", "sighting.rs", "names.rs"].map(|name| format!("arpflux-py/src/{name}"));
            if known.iter().any(|end| file.ends_with(end)) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("\nmod tests {").next().unwrap();
            for line in code.lines() {
                let derives = line.trim_start().starts_with("#[derive(") && line.contains("Serialize");
                for name in ["json!", "serde_json::to_string", "impl Serialize for", "\\\"schema\\\""] {
                    assert!(!line.contains(name) && !derives, "{}: {line}", file.display());
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "only {seen} files found");
}

/// `MODULE.rs`, and all files below `MODULE/` besides tests.
fn sources(folder: &Path, module: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let single = folder.join(format!("{module}.rs"));
    if single.exists() {
        found.push(single);
    }
    let mut todo = vec![folder.join(module)];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                todo.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    found
}
