//! Pre-related rows: each names the code of an item and those of what it was made to be packed in. One pack a level comes of
//! them, and the relation from each level to the next.

use super::super::relation::RelationWriter;
use super::batch::Taken;
use super::build::{Build, Shop};
use super::{ImportError, ImportHow};
use crate::intake::{Column, Fault};
use crate::vocab::PackNo;
use std::path::PathBuf;
use std::sync::Arc;

/// One pack of the family, innermost first.
struct Member {
    column: usize,
    level: String,
    build: Build,
    /// The code of the row before.
    last: Vec<u8>,
    /// From this level to the next outer one.
    relation: Option<RelationWriter>,
}

pub struct Family {
    members: Vec<Member>,
}

/// A finished pack of a family.
pub struct Made {
    pub no: PackNo,
    pub id: Arc<str>,
    pub level: String,
    pub rows: u32,
}

impl Family {
    /// Do these columns name several levels?
    pub fn is_meant(columns: &[Column]) -> bool {
        columns.iter().any(|c| c.level.is_some())
    }

    /// The level of the import is the innermost and stands at one end of the row.
    pub fn new(shop: &Shop<'_>, columns: &[Column], how: &ImportHow) -> Result<Self, ImportError> {
        let shape = |what: String| Err(ImportError::Shape(what));
        let Some(levels) = columns.iter().map(|c| c.level.clone()).collect::<Option<Vec<String>>>() else {
            return shape("a row that names levels names one for each of its columns".into());
        };
        let mut order: Vec<usize> = (0..levels.len()).collect();
        if levels.last() == Some(&how.level) {
            order.reverse();
        } else if levels.first() != Some(&how.level) {
            let list = levels.join(", ");
            return shape(format!("the rows name the levels {list}: the level of the pack, {}, must be the first or the last", how.level));
        }
        if (1..levels.len()).any(|i| levels[..i].contains(&levels[i])) {
            return shape("a row names each level once".into());
        }
        if how.skip_duplicates {
            return shape("codes of rows that belong together cannot be left out one by one: have the delivery mended".into());
        }
        let mut members = Vec::new();
        for (depth, column) in order.into_iter().enumerate() {
            let level = levels[column].clone();
            let id = if depth == 0 { how.id.clone() } else { member_id(&how.id, &level, depth) };
            if id.len() > 64 {
                return Err(ImportError::BadId(id));
            }
            if depth > 0 && shop.book.knows(&id) {
                return Err(ImportError::IdInUse(id));
            }
            let no = PackNo(how.no.0 + depth as u32);
            let build = Build::new(shop, no, &id, &id, vec![columns[column].purpose.clone()]);
            let relation = if depth + 1 < levels.len() {
                Some(RelationWriter::create(shop.book.dir(), &id, shop.book.store).map_err(ImportError::Write)?)
            } else {
                None
            };
            members.push(Member { column, level, build, last: Vec::new(), relation });
        }
        Ok(Self { members })
    }

    pub fn push(&mut self, shop: &mut Shop<'_>, row: &Taken<'_>) -> Result<(), ImportError> {
        // The outermost level at which this row begins something new; inside it everything must be new.
        let same = |m: &Member| m.last == row.code(m.column) && m.build.rows > 0;
        let outermost = self.members.iter().rposition(|m| !same(m)).unwrap_or(0);
        if let Some(m) = self.members[1..=outermost.max(1).min(self.members.len() - 1)].iter().take(outermost).find(|m| same(m)) {
            let outer = &self.members[outermost].level;
            return Err(ImportError::Delivery(Fault::Line {
                path: shop.files[row.file as usize].clone(),
                line: row.line,
                what: format!("the code of its {} is that of the line before, but it stands in another {outer}", m.level),
            }));
        }
        for depth in (0..=outermost).rev() {
            if depth > 0 {
                let first_child = self.members[depth - 1].build.rows;
                let relation = self.members[depth - 1].relation.as_mut().expect("all but the outermost have one");
                relation.parent(first_child, &mut shop.pace).map_err(ImportError::Write)?;
            }
            let m = &mut self.members[depth];
            m.last.clear();
            m.last.extend_from_slice(row.code(m.column));
            m.build.push(shop, &row.only(m.column))?;
        }
        Ok(())
    }

    /// The packs, innermost first, and their relations' files.
    pub fn finish(mut self, shop: &mut Shop<'_>) -> Result<(Vec<Made>, Vec<PathBuf>), ImportError> {
        let (mut made, mut relations) = (Vec::new(), Vec::new());
        for m in &mut self.members {
            m.build.finish(shop)?;
            if let Some(r) = m.relation.take() {
                relations.push(r.finish(m.build.rows, &mut shop.pace).map_err(ImportError::Write)?);
            }
            made.push(Made { no: m.build.no, id: m.build.id.clone(), level: m.level.clone(), rows: m.build.rows });
        }
        Ok((made, relations))
    }
}

/// `<id>-<level>`; a level whose name no id can hold is called by its place.
fn member_id(id: &str, level: &str, depth: usize) -> String {
    match !level.is_empty() && level.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        true => format!("{id}-{level}"),
        false => format!("{id}-l{}", depth + 1),
    }
}
