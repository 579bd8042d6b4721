//! `arpflux vz setup`.

use std::path::PathBuf;

use arpflux_core::outward::vz::Files;
use arpflux_core::persist::FileChange;
use arpflux_core::vz::setup::{Installation, Setup, Way, diff};
use arpflux_core::{Error, Result};

use super::Common;
use crate::exit;
use crate::output::Output;

/// Put the calls to arpflux into the scripts of vzctl or OpenVZ 7.
///
/// No script is replaced: one line at the end of vps-functions (vz-functions) sources a file of ours, and a
/// copy of it is kept. A second run changes nothing; `arpflux vz uninstall` undoes it exactly. Says what
/// would overwrite it, and which containers have no interface yet, or one that is not here.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scripts: Scripts,
    /// Only print what would be changed, as a diff.
    #[arg(long)]
    dry_run: bool,
}

/// Into which scripts, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Scripts {
    /// The folder that holds vps-functions or vz-functions. Default: where packages put it.
    #[arg(long, value_name = "FOLDER")]
    scripts: Option<PathBuf>,
    /// How the calls come in: functions (a line at the end of the functions file), locked (OpenVZ 7: wrappers
    /// in script.d), vz-conf (vzctl: a line in vz.conf; publishes on the right interface, no more).
    #[arg(long, value_name = "WAY")]
    way: Option<Way>,
    /// The command that the scripts shall call. Default: this one.
    #[arg(long, value_name = "FILE")]
    command: Option<PathBuf>,
}

impl Scripts {
    pub(super) fn setup(&self, common: &Common) -> Result<Setup> {
        let installation = match &self.scripts {
            Some(folder) => Installation::at(folder)?,
            None => Installation::find()?,
        };
        let command = match &self.command {
            Some(command) => command.clone(),
            None => std::env::current_exe().map_err(|error| Error::io("find", "this command", &error))?,
        };
        let mut options = Vec::new();
        let mut option = |name: &str, value: String| options.extend([name.to_owned(), value]);
        if common.files.policy.as_os_str() != arpflux_core::persist::POLICY {
            option("--policy", common.files.policy.display().to_string());
        }
        if let Some(folder) = common.state.options().state_dir {
            option("--state-dir", folder.display().to_string());
        }
        let way = self.way.unwrap_or(Way::usual(installation.version));
        let vz_folder = common.files.vz_dir.clone();
        Ok(Setup { installation, way, vz_folder, command, options })
    }
}

/// Runs the verb.
///
/// # Errors
/// If no scripts are found, the way does not fit them, or not everything could be written; what was
/// written is taken back then.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let setup = args.scripts.setup(&args.common)?;
    let changes = setup.changes()?;
    let mut warnings = setup.warnings()?;
    let node = args.common.node()?;
    warnings.extend(node.warnings()?);
    if !args.dry_run && !changes.is_empty() {
        setup.make(node.host(), &args.common.state.changing()?, changes.clone())?;
    }
    if output.json() {
        output.answer(&Files { changed: !args.dry_run && !changes.is_empty(), files: &changes, warnings })?;
        return Ok(exit::GOOD);
    }
    if args.dry_run {
        output.text(diff(&changes))?;
    }
    for warning in &warnings {
        output.note(format!("arpflux: note: {warning}"));
    }
    if !changes.is_empty() && !args.dry_run {
        output.text(written(&changes))?;
    }
    output.text(match (changes.is_empty(), args.dry_run) {
        (true, _) => format!(
            "{} in {} calls arpflux already\n",
            setup.installation.version,
            setup.installation.scripts.display()
        ),
        (false, true) => "nothing was changed (--dry-run)\n".into(),
        (false, false) => format!(
            "{} in {} calls arpflux now (way: {}); `arpflux vz sync` takes over containers that run\n",
            setup.installation.version,
            setup.installation.scripts.display(),
            setup.way,
        ),
    })?;
    Ok(exit::GOOD)
}

/// The files that were written or removed, in one line.
pub(super) fn written(changes: &[FileChange]) -> String {
    let paths: Vec<String> = changes.iter().map(|change| change.path.display().to_string()).collect();
    format!("changed: {} (--dry-run shows a diff beforehand)\n", paths.join(", "))
}
