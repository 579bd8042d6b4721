//! A policy with the files that bring it back at boot.

use super::networkd::Made;
use super::{Desired, FileChange, Layout, Manager, files_of};
use crate::error::Result;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// A policy that shall hold after a reboot too: by which managers, and where their files are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Persistence {
    /// The policy.
    pub policy: Policy,
    /// The managers that bring it back; `sysctl.d` is written in any case.
    pub managers: Vec<Manager>,
    /// Where the files are.
    pub layout: Layout,
    /// The policy as its author wrote it, with comments: kept so where it says the same ([`Persistence::with_text`]).
    pub text: Option<String>,
}

impl Persistence {
    /// By these managers.
    #[must_use]
    pub const fn new(policy: Policy, managers: Vec<Manager>, layout: Layout) -> Self {
        Self { policy, managers, layout, text: None }
    }

    /// By the managers that are in use below the layout's root.
    #[must_use]
    pub fn detect(policy: Policy, layout: Layout) -> Self {
        Self { managers: Manager::detect(&layout), policy, layout, text: None }
    }

    /// With the TOML that the policy was read from, so that its comments and reasons are kept too. A text that says
    /// something else is left out.
    #[must_use]
    pub fn with_text(mut self, text: String) -> Self {
        let says_the_same = Policy::from_toml(&text, "policy").is_ok_and(|policy| policy == self.policy);
        self.text = says_the_same.then_some(text);
        self
    }

    /// What has to change now so that the policy holds.
    ///
    /// As [`Policy::plan`], but rules and routes that systemd-networkd made from drop-ins of ours count as
    /// ours: they go when the policy no longer wants them, and stand in no other rule's way.
    ///
    /// # Errors
    /// As [`Policy::plan`], and any failure to read the drop-ins.
    pub fn plan(&self, snapshot: &Snapshot) -> Result<Plan> {
        let Some(made) = Made::find(snapshot, &self.layout)? else {
            return self.policy.plan(snapshot);
        };
        let plan = self.policy.plan(&made.as_ours(snapshot))?;
        if !plan.changes.iter().any(|change| change.object.is_routing()) {
            return Ok(plan);
        }
        // Some of them ours and some of networkd's would be two halves of nothing: all of them become ours.
        let mut plan = self.policy.plan(&made.taken_out(snapshot))?;
        plan.changes = made.replace(plan.changes);
        Ok(plan)
    }

    /// The files to write; empty if all of them are as they should be.
    ///
    /// # Errors
    /// As [`Policy::plan`] and [`files`](super::files).
    pub fn files(&self, snapshot: &Snapshot) -> Result<Vec<FileChange>> {
        let made = Made::find(snapshot, &self.layout)?.map(|made| made.as_ours(snapshot));
        let desired = Desired::of(&self.policy, made.as_ref().unwrap_or(snapshot))?;
        files_of(&self.policy, self.text.as_deref(), &desired, &self.managers, &self.layout)
    }

    /// What somebody who wrote `files` should know or do, one sentence each.
    #[must_use]
    pub fn notes(&self, files: &[FileChange]) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.managers.iter().any(|manager| manager.applies()) {
            notes.push(format!(
                "no manager brings entries, rules and routes back at boot: let one run `{} apply --policy {}`",
                self.layout.command.display(),
                super::POLICY
            ));
        }
        if files.is_empty() || self.layout != Layout::of_host(&self.layout.command) {
            return notes;
        }
        for manager in &self.managers {
            let now = match manager {
                Manager::Systemd => "systemctl daemon-reload && systemctl restart arpflux.service",
                Manager::Networkd => "networkctl reload",
                Manager::Ifupdown | Manager::NetworkManager => continue,
            };
            notes.push(format!("{manager} reads its files at the next boot; for it to read them now: {now}"));
        }
        notes
    }
}
