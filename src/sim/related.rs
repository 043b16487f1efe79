//! Rows of pre-printed things that belong together: a table whose first line names the levels, the innermost first. The
//! same file is imported with `--column code=bottle --parent box=box`.
//!
//! Invariant: it is read as an import reads it.

use crate::intake::{self, Row, Terms, Wish};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// The rolls of the levels, each in the order of the rows, and which code was made for which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    pub rolls: BTreeMap<String, Vec<Vec<u8>>>,
    pub made_for: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// How such a file is imported.
pub fn wish(levels: &[String]) -> Wish {
    let (inner, outer) = levels.split_first().map_or((String::new(), &[][..]), |(i, o)| (i.clone(), o));
    Wish {
        columns: vec![format!("code={inner}")],
        parents: outer.iter().map(|l| format!("{l}={l}")).collect(),
        level: Some(inner),
        product: Some("-".into()),
        ..Wish::default()
    }
}

/// The levels that the first line names.
pub fn levels(path: &Path) -> std::io::Result<Vec<String>> {
    let mut first = String::new();
    std::io::BufReader::new(std::fs::File::open(path)?).read_line(&mut first)?;
    let first = first.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
    Ok(first.split(',').map(|name| name.trim_matches('"').to_string()).collect())
}

/// Reads a file; the refusal says what is wrong with it.
pub fn read(path: &Path) -> Result<Related, String> {
    let levels = levels(path).map_err(|e| format!("{} cannot be read ({e})", path.display()))?;
    let files: [PathBuf; 1] = [path.into()];
    let terms = Terms { plan: None, wall_us: 0 };
    let mut rows = intake::open(&files, &wish(&levels), &terms).map_err(|e| e.to_string())?.rows;
    let (mut related, mut row) = (Related::default(), Row::default());
    while rows.next_row(&mut row).map_err(|e| e.to_string())? {
        for (i, level) in levels.iter().enumerate() {
            let (code, roll) = (row.code(i).to_vec(), related.rolls.entry(level.clone()).or_default());
            if i + 1 < levels.len() {
                related.made_for.insert(code.clone(), row.code(i + 1).to_vec());
            }
            if roll.last() != Some(&code) {
                roll.push(code);
            }
        }
    }
    Ok(related)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_make_a_roll_a_level_and_say_what_goes_where() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rows.csv");
        std::fs::write(&file, "bottle,box\nA1,B1\nA2,B1\n\"A,3\",B2\n").unwrap();
        let r = read(&file).unwrap();
        assert_eq!(r.rolls["bottle"], [&b"A1"[..], b"A2", b"A,3"]);
        assert_eq!(r.rolls["box"], [b"B1", b"B2"]);
        assert_eq!(r.made_for[&b"A,3"[..]], b"B2");
        assert!(read(&dir.path().join("absent.csv")).is_err());
    }
}
