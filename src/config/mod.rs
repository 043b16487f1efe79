//! The line's configuration: TOML → [`crate::vocab::Plan`] and paths, every complaint at once with file and line.
//!
//! Must never know: devices' protocols (a closure answers what a profile says), SQL, the line's state.

mod check;
mod codes;
mod node;
mod packs;
mod peers;
mod points;
mod read;
mod supply;
mod words;

pub use node::Complaint;
pub use words::address;

use crate::vocab::Plan;
use crate::vocab::plan::{Setting, Traits};
use node::{Report, Table};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// A checked configuration. The numbers in `plan` are provisional: positions in the file.
#[derive(Clone, Debug)]
pub struct Config {
    pub plan: Plan,
    /// The folder of the file: relative paths are relative to it.
    pub base: PathBuf,
    pub store: PathBuf,
    pub socket: PathBuf,
    pub status_tcp: SocketAddr,
}

/// What a profile makes of a device's settings, or sentences saying what is wrong with them.
pub type Profiles<'a> = &'a dyn Fn(&str, &BTreeMap<String, Setting>) -> Result<Traits, Vec<String>>;

impl Config {
    /// Reads and checks a file. Complaints come in the order of their lines.
    pub fn load(path: &Path, profiles: Profiles<'_>) -> Result<Self, Vec<Complaint>> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            vec![Complaint {
                file: path.to_path_buf(),
                line: 0,
                what: format!("cannot be read: {e}"),
                right: "give a readable file".into(),
            }]
        })?;
        Self::parse(path, &text, profiles)
    }

    pub fn parse(path: &Path, text: &str, profiles: Profiles<'_>) -> Result<Self, Vec<Complaint>> {
        let report = Report::new(path, text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for e in &errors {
            report.complain(e.span().map_or(0, |s| s.start), format!("not TOML: {}", e.message()), "see toml.io for the form");
        }
        if !errors.is_empty() {
            return Err(report.into_complaints());
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = std::path::absolute(parent).unwrap_or_else(|_| parent.to_path_buf());
        let config = read::config(&Table::root(&report, root.get_ref()), &base, profiles);
        match config {
            Some(c) => {
                check::check(&c.config, &c.places, &report);
                report.finish(c.config)
            }
            None => Err(report.into_complaints()),
        }
    }
}

#[cfg(test)]
mod tests;
