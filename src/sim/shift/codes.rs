//! The codes of a shift, made from its seed: files for the ledger, rolls for the world.

use super::ShiftHow;
use super::host::Host;
use super::store::Store;
use crate::intake::{self, Terms};
use crate::ledger::import::{self, ImportHow};
use crate::line::Law;
use crate::sim::example::token;
use crate::sim::related;
use crate::vocab::plan::CodeSource;
use crate::vocab::{PackNo, Plan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) struct Codes {
    bottles: Vec<Vec<u8>>,
    boxes: Vec<Vec<u8>>,
    /// Bottles a box, where each was made for one.
    together: Option<usize>,
}

impl Codes {
    pub(super) fn of(how: &ShiftHow, plan: &Plan) -> Self {
        let n = how.bottles + how.bottles / 10 + 200;
        let tokens = |kind, n: u64| (0..n).map(|i| token(how.seed, kind, i).into_bytes()).collect();
        let holds = plan.level_named("box").map_or(1, |l| l.holds.max(1)) as usize;
        let together = how.related.then_some(holds);
        let n = if how.related { n.next_multiple_of(holds as u64) } else { n };
        Self { bottles: tokens("A", n), boxes: tokens("B", n / together.map_or(2, |h| h as u64)), together }
    }

    /// What pre-printed things carry, level by level.
    pub(super) fn rolls(&self, plan: &Plan) -> BTreeMap<String, Vec<Vec<u8>>> {
        let roll = |name: &str| if name == "bottle" { self.bottles.clone() } else { self.boxes.clone() };
        plan.levels.iter().filter(|l| l.codes == CodeSource::Preprinted).map(|l| (l.name.clone(), roll(&l.name))).collect()
    }

    pub(super) fn made_for(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.rows().map(|(bottle, own)| (bottle.clone(), own.clone())).collect()
    }

    fn rows(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        let together = self.together.unwrap_or(0);
        self.bottles.iter().enumerate().filter(move |_| together > 0).map(move |(n, bottle)| (bottle, &self.boxes[n / together]))
    }

    /// Writes the files into `dir` and imports them, as the daemon does.
    pub(super) fn import<L: Law, S: Store>(&self, dir: &Path, host: &mut Host<L, S>, now_us: u64) -> Result<(), String> {
        let taken = host.line.book().packs.len() as u32;
        if self.together.is_some() {
            return self.import_rows(dir, host, PackNo(taken + 1), now_us);
        }
        for (i, (level, codes)) in [("bottle", &self.bottles), ("box", &self.boxes)].into_iter().enumerate() {
            let file = dir.join(format!("{level}.txt"));
            let mut text = codes.join(&b'\n');
            text.push(b'\n');
            write(&file, &text)?;
            let mut rows = intake::lines(vec![file]);
            let how = how(PackNo(taken + 1 + i as u32), &format!("{level}s"), level);
            let pack = import::prepare(&host.codebook, &mut *rows, &how).map_err(|e| e.to_string())?;
            host.import(pack, now_us);
        }
        Ok(())
    }

    fn import_rows<L: Law, S: Store>(&self, dir: &Path, host: &mut Host<L, S>, no: PackNo, now_us: u64) -> Result<(), String> {
        let file = dir.join("rows.csv");
        let mut text = b"bottle,box\n".to_vec();
        for (bottle, own) in self.rows() {
            text.extend([bottle.as_slice(), b",", own.as_slice(), b"\n"].concat());
        }
        write(&file, &text)?;
        let wish = related::wish(&["bottle".into(), "box".into()]);
        let mut delivery = intake::open(&[file], &wish, &Terms { plan: None, wall_us: 0 }).map_err(|e| e.to_string())?;
        let pack = import::prepare(&host.codebook, &mut *delivery.rows, &how(no, "rows", "bottle")).map_err(|e| e.to_string())?;
        host.import(pack, now_us);
        Ok(())
    }
}

fn how(no: PackNo, id: &str, level: &str) -> ImportHow {
    ImportHow { no, id: id.into(), level: level.into(), product: "P1".into(), ..ImportHow::default() }
}

fn write(file: &PathBuf, text: &[u8]) -> Result<(), String> {
    std::fs::write(file, text).map_err(|e| format!("{} cannot be written: {e}", file.display()))
}
