//! Writes the generated files of this repository and checks that they are fresh.
//!
//! `cargo xtask gen` writes them, `cargo xtask gen --check` fails if one is stale.

mod api;
mod code;
mod findings;
mod header;
mod names;
mod schemas;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A file that is made from the sources: its path from the root of the repository, and its text.
struct Generated {
    path: String,
    text: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["gen"] => false,
        ["gen", "--check"] => true,
        _ => {
            eprintln!("usage: cargo xtask gen [--check]");
            return ExitCode::from(2);
        }
    };
    match generate(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

fn generate(check: bool) -> Result<(), String> {
    for file in schemas::generate()? {
        put(&file, check)?;
    }
    for library in ["arpflux-core", "arpflux-capture"] {
        put(&api::generate(&root(), library)?, check)?;
    }
    put(&names::generate()?, check)?;
    // The codes first: the header is read from them.
    put(&code::generate(&root())?, check)?;
    put(&findings::generate(&root())?, check)?;
    put(&findings::contents(&root())?, check)?;
    let (header, symbols) = header::generate(&root())?;
    put(&header, check)?;
    put(&symbols, check)?;
    put(&versions::generate(&root(), &symbols.text), check)
}

fn put(file: &Generated, check: bool) -> Result<(), String> {
    let path = root().join(&file.path);
    let before = fs::read_to_string(&path).unwrap_or_default();
    if before == file.text {
        println!("{}: fresh", file.path);
        return Ok(());
    }
    if check {
        return Err(format!("{} is stale: run `cargo xtask gen` and commit the result", file.path));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(&path, &file.text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}: written", file.path);
    Ok(())
}
