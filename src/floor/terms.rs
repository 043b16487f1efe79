//! What every command is given and how it may end: the words that the command line shares with what carries a command
//! out. Must never know: any one command.

use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Refused = 1,
    Usage = 2,
    Unreachable = 3,
    Violation = 4,
}

#[derive(Args, Debug, Clone, Default)]
pub struct Globals {
    /// The line's configuration (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The ledger's folder; beats the one in the configuration
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Folder of firmware profiles (default: profiles/ beside the configuration)
    #[arg(long, global = true, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
    /// Results as JSON alone on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of sentences
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
pub enum Lang {
    Zh,
    En,
}

impl Globals {
    /// The language of sentences: the flag, else the environment's (`LC_ALL`, `LANG`), else English. The
    /// configuration's is the console's.
    pub fn english(&self) -> bool {
        let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        match self.lang {
            Some(lang) => lang == Lang::En,
            None => !set("LC_ALL").or_else(|| set("LANG")).is_some_and(|v| v.starts_with("zh")),
        }
    }

    /// One of two sentences.
    pub fn either<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        if self.english() { en } else { zh }
    }

    pub fn profiles_dir(&self) -> Option<PathBuf> {
        self.profiles.clone().or_else(|| {
            let beside = self.config.as_deref()?.parent().unwrap_or(Path::new(".")).join("profiles");
            beside.is_dir().then_some(beside)
        })
    }
}

/// One sentence to stderr.
pub fn say(sentence: impl std::fmt::Display) {
    eprintln!("packmark: {sentence}");
}
