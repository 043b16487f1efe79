//! The README is true: its alarms are the program's, its configuration is one the program takes, its commands exist.

use clap::CommandFactory;
use packmark::config::Config;
use packmark::control::alarms::ALARMS;
use packmark::profile::Profiles;
use std::path::Path;

const README: &str = include_str!("../../README.md");

/// The rows of the table under a heading, without its head.
fn table(heading: &str) -> Vec<&'static str> {
    let section = README.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("the README has a section {heading}"));
    let section = section.split("\n## ").next().unwrap_or(section);
    section.lines().skip_while(|l| !l.starts_with("|---")).skip(1).take_while(|l| l.starts_with('|')).collect()
}

#[test]
fn the_alarms_are_the_programs() {
    let rows: Vec<String> = ALARMS.iter().map(|a| format!("| `{}` | {} | {} | {} | {} |", a.name, a.zh, a.en, a.do_zh, a.do_en)).collect();
    assert_eq!(table("Alarms"), rows, "the README's table should be:\n{}", rows.join("\n"));
}

#[test]
fn the_example_configuration_is_taken() {
    let toml = README.split("```toml\n").nth(1).and_then(|t| t.split("```").next()).expect("the README shows a configuration");
    let profiles = Profiles::load(None).expect("the shipped profiles are sound");
    let bind = |name: &str, settings: &_| profiles.bind(name, settings).map(|b| b.traits());
    let config = Config::parse(Path::new("line.toml"), toml, &bind).expect("no complaints");
    assert_eq!((config.plan.line.as_str(), config.plan.stations.len()), ("L1", 8));
}

/// Every command of the program stands in the table, `pack` and its like with each of their words.
#[test]
fn every_command_is_in_the_table() {
    let rows = table("Commands");
    let mut missing = Vec::new();
    for command in packmark::cli::Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
        let name = command.get_name();
        let words: Vec<String> = match command.has_subcommands() {
            true => command.get_subcommands().map(|s| format!("{name} {}", s.get_name())).collect(),
            false => vec![name.to_string()],
        };
        missing.extend(words.into_iter().filter(|w| !rows.iter().any(|r| r.starts_with(&format!("| `packmark {w}")))));
    }
    assert!(missing.is_empty(), "not in the README's table of commands: {}", missing.join(", "));
}
