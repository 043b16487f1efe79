//! From which line of which delivered file the rows came: runs, for lines follow each other but for the odd empty one.

/// Most runs that are kept with a segment; a delivery with more has its later places left out.
pub const MAX_RUNS: usize = 4_096;

/// Rows from `first` on stand on `line` of `file` and the lines after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub first: u32,
    pub file: u32,
    /// From 1.
    pub line: u64,
}

impl Run {
    pub const BYTES: usize = 16;

    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut b = [0; Self::BYTES];
        b[..4].copy_from_slice(&self.first.to_le_bytes());
        b[4..8].copy_from_slice(&self.file.to_le_bytes());
        b[8..].copy_from_slice(&self.line.to_le_bytes());
        b
    }

    /// Of exactly [`Run::BYTES`] bytes.
    pub fn decode(b: &[u8]) -> Self {
        let n = |at: usize| u32::from_le_bytes(b[at..at + 4].try_into().expect("four bytes"));
        Self { first: n(0), file: n(4), line: u64::from(n(8)) | u64::from(n(12)) << 32 }
    }

    /// The line of a row of this run.
    pub fn line_of(&self, row: u32) -> u64 {
        self.line + u64::from(row - self.first)
    }

    pub fn goes_on(&self, row: u32, file: u32, line: u64) -> bool {
        self.file == file && self.line_of(row) == line
    }
}

/// The places of a segment's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Names without their folders.
    pub files: Vec<String>,
    pub runs: Vec<Run>,
}

impl Places {
    /// `file line n`, if it is known.
    pub fn of(&self, row: u32) -> Option<(&str, u64)> {
        let run = self.runs[..self.runs.partition_point(|r| r.first <= row)].last()?;
        // Behind the last run that is kept nothing is known but the first row of it on.
        if self.runs.len() == MAX_RUNS && run == self.runs.last()? && row != run.first {
            return None;
        }
        Some((self.files.get(run.file as usize)?, run.line_of(row)))
    }
}
