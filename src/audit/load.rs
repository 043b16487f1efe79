//! Reading an account from a file or a pipe, line by line; a complaint names its line.

use super::Judge;
use crate::vocab::Promise;
use std::io::BufRead;

/// Which of the three accounts a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    Dump,
    Journal,
    Truth,
}

impl Account {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Journal => "journal",
            Self::Truth => "truth",
        }
    }
}

/// Longest line taken; a longer one is not of these accounts.
const LONGEST: u64 = 1 << 20;

/// An account could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("failed to read the {account} at line {line}: check the disk and try again")]
    Read {
        account: &'static str,
        line: u64,
        #[source]
        source: std::io::Error,
    },
    #[error("failed to read the {account}: line {line} is longer than 1 MiB; give the file that {hint} wrote", hint = .account)]
    TooLong { account: &'static str, line: u64 },
}

impl Judge {
    /// Hears a whole account. Lines that cannot be understood are violations that name their line; a torn last line of
    /// a truth file that is still being written is a warning.
    pub fn read(&mut self, account: Account, mut from: impl BufRead) -> Result<u64, LoadError> {
        let word = account.word();
        if account == Account::Truth {
            self.expect_truth();
        }
        let mut buffer = Vec::new();
        let mut line = 0;
        loop {
            buffer.clear();
            let n = std::io::Read::take(&mut from, LONGEST).read_until(b'\n', &mut buffer).map_err(|source| LoadError::Read {
                account: word,
                line: line + 1,
                source,
            })?;
            if n == 0 {
                return Ok(line);
            }
            line += 1;
            let whole = buffer.last() == Some(&b'\n');
            if !whole && n as u64 == LONGEST {
                return Err(LoadError::TooLong { account: word, line });
            }
            let complaint = match std::str::from_utf8(&buffer) {
                Ok(text) if text.trim().is_empty() => continue,
                Ok(text) => match self.text(account, text.trim()) {
                    Ok(()) => continue,
                    Err(e) => e.to_string(),
                },
                Err(_) => "not UTF-8".into(),
            };
            if !whole && account == Account::Truth {
                self.complaints
                    .warn(format!("the last line ({line}) of the truth is torn: it is still being written, or its writer was cut off"));
            } else {
                let text = format!("line {line} of the {word} cannot be understood: {complaint}");
                self.complaints.blame(Promise::NothingForgotten, None, None, text);
            }
        }
    }
}
