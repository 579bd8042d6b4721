//! The policy as a file that says why.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::Recommendation;
use crate::error::{Error, ErrorKind};
use crate::policy::{Policy, ProxyArp, VERSION};

/// The columns that comments are broken at.
const WIDTH: usize = 100;
/// How many addresses stand on one line.
const ADDRESSES_IN_LINE: usize = 6;

/// The key `addresses` with its value.
fn addresses(text: &mut String, addresses: &[IpAddr]) {
    text.push_str("addresses = [");
    for line in addresses.chunks(ADDRESSES_IN_LINE) {
        let line: Vec<String> = line.iter().map(|address| format!("\"{address}\"")).collect();
        let _ = match addresses.len() > ADDRESSES_IN_LINE {
            false => write!(text, "{}", line.join(", ")),
            true => write!(text, "\n    {},", line.join(", ")),
        };
    }
    text.push_str(if addresses.len() > ADDRESSES_IN_LINE { "\n]\n" } else { "]\n" });
}

impl Recommendation {
    /// The policy file: each key with the reason above it, before all what was seen, what was proved and what
    /// is not recommended. Reading it with [`Policy::from_toml`] gives [`Recommendation::policy`].
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if it cannot be read back, which would be a defect.
    pub fn to_toml(&self) -> Result<String, Error> {
        let mut text = String::new();
        self.preamble(&mut text);
        // Writing to a String does not fail.
        let _ = writeln!(text, "version = {VERSION}\n\n[host]");
        let host = &self.policy.host;
        self.reason(&mut text, "host.interfaces");
        if let Some(names) = &host.interfaces {
            let names: Vec<String> = names.iter().map(|name| quoted(&name.to_string())).collect();
            let _ = writeln!(text, "interfaces = [{}]", names.join(", "));
        }
        for (key, value) in [("strategy", word(&host.strategy)?), ("egress", word(&host.egress)?)] {
            self.reason(&mut text, &format!("host.{key}"));
            let _ = writeln!(text, "{key} = {value}");
        }
        self.reason(&mut text, "host.announce");
        let _ = writeln!(text, "announce = {}", host.announce);
        if host.proxy_arp == ProxyArp::Off {
            self.reason(&mut text, "host.proxy_arp");
            let _ = writeln!(text, "proxy_arp = {}", word(&host.proxy_arp)?);
        }
        if let Some(delay) = host.proxy_delay {
            self.reason(&mut text, "host.proxy_delay");
            let _ = writeln!(text, "proxy_delay = {delay}");
        }
        for (number, proxy) in self.policy.proxies.iter().enumerate() {
            let _ = writeln!(text, "\n[[proxy]]\nowner = {}", quoted(&proxy.owner));
            self.reason(&mut text, &format!("proxy[{number}].addresses"));
            addresses(&mut text, &proxy.addresses);
            self.reason(&mut text, &format!("proxy[{number}].interface"));
            let _ = writeln!(text, "interface = {}", quoted(&proxy.interface.to_string()));
        }
        for (number, service) in self.policy.services.iter().enumerate() {
            text.push_str("\n[[service]]\n");
            self.reason(&mut text, &format!("service[{number}].addresses"));
            addresses(&mut text, &service.addresses);
            self.reason(&mut text, &format!("service[{number}].answer"));
            let _ = writeln!(text, "answer = {}", word(&service.answer)?);
        }
        match Policy::from_toml(&text, "policy.toml") {
            Ok(policy) if policy == self.policy => Ok(text),
            Ok(_) => Err(defect("it reads back as another policy".into())),
            Err(error) => Err(defect(error.to_string())),
        }
    }

    fn preamble(&self, text: &mut String) {
        comment(
            text,
            "",
            "A policy for arpflux, recommended for this host. `arpflux plan --policy FILE` shows what it changes.",
        );
        text.push_str("#\n# Seen:\n");
        for seen in &self.seen {
            comment(text, "- ", &seen.text);
        }
        text.push_str("#\n# Proof, on a copy of this host with the plan made:\n");
        for line in self.proved() {
            comment(text, "- ", &line);
        }
        for (title, lines) in [
            ("Not settled by it", self.notes.clone()),
            ("Still found with it (`arpflux diagnose`)", self.left.iter().map(ToString::to_string).collect()),
            (
                "Not recommended here",
                self.refused.iter().map(|refused| format!("{}: {}", refused.recipe, refused.why)).collect(),
            ),
        ] {
            if !lines.is_empty() {
                let _ = writeln!(text, "#\n# {title}:");
            }
            for line in lines {
                comment(text, "- ", &line);
            }
        }
        text.push('\n');
    }

    /// What was proved, one sentence each.
    #[must_use]
    pub fn proved(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let certain = self.proof.checks - self.proof.undetermined.len();
        lines.push(match (certain, self.proof.addresses.len()) {
            (0, _) if self.proof.checks > 0 => "nothing certainly holds".to_owned(),
            (0, _) => "there is nothing to prove: the policy changes nothing".to_owned(),
            (checks, 0) => format!("{checks} claims hold: packets leave by the interface of their source"),
            (_, addresses) => format!(
                "{certain} claims hold for all senders and targets: each of {addresses} addresses is answered by its own \
                 interface and by no other{}",
                if certain < self.proof.checks { ", as far as that can be told" } else { "" }
            ),
        });
        lines.push(match self.plan.changes.len() {
            0 => "the host is so already: nothing changes".to_owned(),
            1 => "1 change brings it about".to_owned(),
            many => format!("{many} changes bring it about"),
        });
        match self.rp_filter.as_slice() {
            [] => {}
            [0, 1, 2] => {
                lines.push("it holds with rp_filter 0, 1 and 2 alike, so rp_filter is left as it is".into());
            }
            some => {
                let values: Vec<String> = some.iter().map(ToString::to_string).collect();
                lines.push(format!(
                    "it holds with rp_filter {} only: do not set it otherwise",
                    values.join(" and ")
                ));
            }
        }
        lines.extend(self.proof.undetermined.iter().take(4).map(|open| format!("not decided: {open}")));
        if self.proof.undetermined.len() > 4 {
            lines.push(format!("not decided: {} more", self.proof.undetermined.len() - 4));
        }
        lines
    }

    fn reason(&self, text: &mut String, key: &str) {
        for reason in self.reasons.iter().filter(|reason| reason.key == key) {
            comment(text, "", &reason.text);
        }
    }
}

/// A sentence as comment lines, broken at words. Control characters, which TOML forbids, are left out.
fn comment(text: &mut String, mark: &str, sentence: &str) {
    let mut line = format!("# {mark}");
    let indent = format!("# {}", " ".repeat(mark.len()));
    let mut empty = true;
    for word in sentence.split_whitespace() {
        let word: String = word.chars().filter(|character| !character.is_control()).collect();
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The JSON form of a policy, with its version, so that it can be read back.
pub(super) fn versioned<S: serde::Serializer>(policy: &Policy, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::Serialize as _;
    use serde::ser::Error as _;

    let text = policy.to_json().map_err(S::Error::custom)?;
    serde_json::from_str::<serde_json::Value>(&text).map_err(S::Error::custom)?.serialize(serializer)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A choice as the file writes it.
fn word(value: &impl serde::Serialize) -> Result<String, Error> {
    match toml::Value::try_from(value) {
        Ok(value) => Ok(value.to_string()),
        Err(error) => Err(defect(error.to_string())),
    }
}

fn defect(message: String) -> Error {
    Error::new(ErrorKind::Internal, message).during("write policy")
}
