//! Findings in words.

use std::fmt;

use super::context::by_number;
use super::{Diagnosis, Finding, Severity};

impl fmt::Display for Finding {
    /// Several lines, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}: {}", self.id, self.severity, self.id.title())?;
        writeln!(f, "    {}", self.what)?;
        if let Some(remark) = self.remark() {
            writeln!(f, "    {remark}")?;
        }
        writeln!(f, "    why: {}", self.why)?;
        writeln!(f, "    do:  {}", self.remedy)?;
        for evidence in &self.evidence {
            writeln!(f, "    seen: {evidence}")?;
        }
        if let Some(plan) = &self.plan {
            let count = plan.changes.len();
            writeln!(f, "    the remedy as {count} {}:", by_number(count, "change", "changes"))?;
            for line in plan.to_string().lines() {
                writeln!(f, "        {line}")?;
            }
        }
        match &self.remedy_changes {
            Some(impact) if impact.effects.is_empty() => {
                writeln!(f, "    It changes no answer to any ARP request.")?;
            }
            Some(impact) => {
                writeln!(f, "    With it,")?;
                for effect in &impact.effects {
                    writeln!(f, "        {effect}")?;
                }
            }
            None => {}
        }
        writeln!(f, "    see {}", self.link)
    }
}

impl fmt::Display for Diagnosis {
    /// All findings with an empty line between, then what could not be seen, and in the last line what that
    /// leaves open.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            f.write_str(match self.missing.as_slice() {
                [] => "Nothing found.\n",
                _ => "Nothing found in what could be seen.\n",
            })?;
        }
        for (i, finding) in self.findings.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            finding.fmt(f)?;
        }
        if !self.findings.is_empty() {
            let count =
                |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
            let counted = |severity, one, several| {
                let count = count(severity);
                format!("{count} {}", by_number(count, one, several))
            };
            writeln!(
                f,
                "\n{}, {}, {}",
                counted(Severity::Error, "error", "errors"),
                counted(Severity::Warning, "warning", "warnings"),
                counted(Severity::Info, "remark", "remarks"),
            )?;
        }
        if !self.unseen.is_empty() {
            writeln!(f, "\nNot seen, so neither good nor bad:")?;
            for sentence in &self.unseen {
                writeln!(f, "    {sentence}")?;
            }
        }
        match self.last_line() {
            Some(line) => writeln!(f, "\n{line}"),
            None => Ok(()),
        }
    }
}
