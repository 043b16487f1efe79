//! From bytes to a code's place and back, over every accepted pack; no SQL, shared by everybody, written by nobody.

use super::error::OpenError;
use super::segment::{self, Hasher, Segment, SegmentError};
use crate::line::input::{Mark, Reading};
use crate::line::rows::PackRow;
use crate::vocab::event::Origin;
use crate::vocab::plan::Ignore;
use crate::vocab::report::{Field, Frame};
use crate::vocab::sscc::RangeRule;
use crate::vocab::{CodeRef, KeyRule, OrderNo, PackNo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

/// A code found by a scan. `exact`: the bytes agree after the declared normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    pub code: CodeRef,
    pub exact: bool,
}

enum Source {
    Range(RangeRule, KeyRule),
    Segments(Vec<Segment>),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Codebook {
    dir: PathBuf,
    pub(super) store: [u8; 16],
    pub(super) hasher: Hasher,
    packs: Arc<RwLock<BTreeMap<PackNo, (PackRow, Source)>>>,
    /// The first damage met while reading.
    damage: Arc<OnceLock<String>>,
}

impl Codebook {
    /// Opens the segments of every pack; sweeps files that belong to no accepted pack (an import that did not end).
    pub fn open(dir: &Path, store: [u8; 16], key: [u8; 16], packs: impl Iterator<Item = PackRow>) -> Result<Self, OpenError> {
        let book = Self { dir: dir.into(), store, hasher: Hasher::new(key), packs: Arc::default(), damage: Arc::default() };
        for p in packs {
            book.register(p)?;
        }
        Ok(book)
    }

    /// Removes segment files of no accepted pack: what an import that did not end left. Only the holder of the lock may.
    pub fn sweep(&self) -> std::io::Result<()> {
        let packs = self.packs.read().expect("no panic while held");
        let mut known: Vec<PathBuf> = Vec::new();
        for (_, s) in packs.values() {
            if let Source::Segments(segments) = s {
                known.extend(segments.iter().map(|s| s.path.clone()));
            }
        }
        for e in std::fs::read_dir(self.dir.join("packs"))? {
            let p = e?.path();
            let ours = p.extension().is_some_and(|x| x == "seg" || x == "tmp");
            if ours && !known.contains(&p) {
                std::fs::remove_file(p)?;
            }
        }
        Ok(())
    }

    pub fn register(&self, pack: PackRow) -> Result<(), OpenError> {
        let damaged = |what: String| OpenError::Damaged { dir: self.dir.clone(), what };
        let source = match &pack.origin {
            Origin::Range(rule) => {
                Source::Range(rule.clone(), if matches!(rule, RangeRule::Sscc { .. }) { KeyRule::Sscc } else { KeyRule::Identity })
            }
            Origin::Segments { .. } => {
                let mut segments = Vec::new();
                let mut have = 0;
                while have < pack.count {
                    let s =
                        Segment::open(&segment::path(&self.dir, &pack.id, segments.len() as u32), &self.store).map_err(|e| match e {
                            SegmentError::OtherStore { path } => OpenError::OtherStore { path },
                            e => damaged(e.to_string()),
                        })?;
                    have += s.count;
                    segments.push(s);
                }
                if have != pack.count {
                    return Err(damaged(format!("pack {} has {have} codes on disk, {} in the book", pack.id, pack.count)));
                }
                Source::Segments(segments)
            }
        };
        self.packs.write().expect("no panic while held").insert(pack.no, (pack, source));
        Ok(())
    }

    /// A code's bytes. They are held against the index, so that a flipped byte is never printed: then, as for a code
    /// of no pack, the answer is `None`, and `damage` says what was met.
    pub fn bytes(&self, code: CodeRef) -> Option<Vec<u8>> {
        let packs = self.packs.read().expect("no panic while held");
        match &packs.get(&code.pack)?.1 {
            Source::Range(rule, _) => rule.code(code.ordinal),
            Source::Segments(list) => {
                let (n, o) = (code.ordinal as usize / segment::MAX_CODES, code.ordinal as usize % segment::MAX_CODES);
                let s = list.get(n)?;
                match s.checked(o as u32, &self.hasher) {
                    Ok(bytes) => Some(bytes),
                    Err(e) => {
                        let _ = self.damage.set(e.to_string());
                        None
                    }
                }
            }
        }
    }

    /// Every pack's code that this scan matches.
    pub fn resolve(&self, scanned: &[u8]) -> Vec<Hit> {
        let packs = self.packs.read().expect("no panic while held");
        let mut hits = Vec::new();
        for (no, (_, source)) in packs.iter() {
            match source {
                Source::Range(rule, key) => {
                    if let Some(ordinal) = rule.ordinal(key.strip(scanned)) {
                        hits.push(Hit { code: CodeRef::new(*no, ordinal), exact: true });
                    }
                }
                Source::Segments(list) => {
                    for (n, s) in list.iter().enumerate() {
                        let key = s.rule.strip(scanned);
                        for ordinal in s.find(self.hasher.hash(key)).unwrap_or_default() {
                            let Ok(bytes) = s.code(ordinal) else { continue };
                            if s.rule.strip(&bytes) == key {
                                let code = CodeRef::new(*no, (n * segment::MAX_CODES) as u32 + ordinal);
                                // The match finds, the bytes judge: beyond AIM id and FNC1 nothing may differ.
                                hits.push(Hit {
                                    code,
                                    exact: KeyRule::Identity.strip(&bytes) == KeyRule::Identity.strip(scanned) || s.rule == KeyRule::Sscc,
                                });
                            }
                        }
                    }
                }
            }
        }
        hits
    }

    /// A frame with its codes resolved; what a station ignores is left out.
    pub fn reading(&self, frame: &Frame, ignore: &[Ignore]) -> Reading {
        match frame {
            Frame::NoRead => Reading::NoRead,
            Frame::Fault(word) => Reading::Fault(word.clone()),
            Frame::Data(fields) => {
                let marks = fields.iter().filter_map(|f| match f {
                    Field::NoRead => Some(Mark::NoRead),
                    Field::Code(bytes) if ignore.iter().any(|i| ignored(i, bytes)) => None,
                    Field::Code(bytes) => Some(match self.resolve(bytes).first() {
                        Some(h) => Mark::Code { code: h.code, exact: h.exact },
                        None => Mark::Unknown(bytes.clone()),
                    }),
                });
                Reading::Data(marks.collect())
            }
        }
    }

    /// The first damage met while reading, as a sentence.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// The token of an order: made of the store's own number, the order's and the boot's, so that an older copy put back
    /// never asks under a token that was used since, and nobody else can guess it.
    pub fn order_token(&self, order: OrderNo, boot: &str) -> String {
        use sha2::Digest;
        let mut sha = sha2::Sha256::new();
        sha.update(b"packmark order\0");
        sha.update(self.store);
        sha.update(order.0.to_be_bytes());
        sha.update(boot.as_bytes());
        crate::vocab::code::hex(&sha.finalize()[..16])
    }

    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Every segment of every pack, with the pack's id, for the import's comparison.
    pub(super) fn each_segment<E>(&self, mut f: impl FnMut(&str, &Segment, u32) -> Result<(), E>) -> Result<(), E> {
        let packs = self.packs.read().expect("no panic while held");
        for (pack, source) in packs.values() {
            if let Source::Segments(list) = source {
                for (n, s) in list.iter().enumerate() {
                    f(&pack.id, s, (n * segment::MAX_CODES) as u32)?;
                }
            }
        }
        Ok(())
    }

    /// The range, if any, that already forms this code.
    pub(super) fn in_range(&self, code: &[u8]) -> Option<String> {
        let packs = self.packs.read().expect("no panic while held");
        packs.values().find_map(|(p, s)| match s {
            Source::Range(rule, key) => rule.ordinal(key.strip(code)).map(|_| p.id.clone()),
            Source::Segments(_) => None,
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// `*` stands for any run of characters; a symbology is compared with the AIM identifier the reader sent.
fn ignored(rule: &Ignore, bytes: &[u8]) -> bool {
    match rule {
        Ignore::Symbology(s) => bytes.len() > 3 && bytes[0] == b']' && bytes[1..3].starts_with(s.as_bytes()),
        Ignore::Pattern(p) => {
            let b = KeyRule::Identity.strip(bytes);
            let parts: Vec<&str> = p.split('*').collect();
            let mut at = 0;
            for (i, part) in parts.iter().enumerate() {
                let part = part.as_bytes();
                let rest = &b[at..];
                let found = if i == 0 {
                    rest.starts_with(part).then_some(0)
                } else if i + 1 == parts.len() {
                    rest.len().checked_sub(part.len()).filter(|o| rest[*o..] == *part)
                } else if part.is_empty() {
                    Some(0)
                } else {
                    rest.windows(part.len()).position(|w| w == part)
                };
                match found {
                    Some(o) => at += o + part.len(),
                    None => return false,
                }
            }
            parts.len() > 1 || at == b.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_symbologies() {
        let p = |s: &str| Ignore::Pattern(s.into());
        assert!(ignored(&p("69*"), b"6901234567892") && !ignored(&p("69*"), b"https://t/69"));
        assert!(ignored(&p("*test*"), b"a test b") && ignored(&p("exact"), b"exact") && !ignored(&p("exact"), b"exactly"));
        assert!(ignored(&Ignore::Symbology("E0".into()), b"]E06901234567892") && !ignored(&Ignore::Symbology("E0".into()), b"]d2abc"));
    }
}
