//! A delivery as a whole: what somebody says of it, what its manifest says, what the line takes; and the rows.

use super::sealed;
use super::shape::Shape;
use super::table::TableRows;
use super::text::TextRows;
use super::texts::{From, Running, Texts};
use super::{Fault, Rows, short};
use crate::vocab::plan::{Plan, Product};
use crate::vocab::time::{day, day_of, iso_date};
use std::path::{Path, PathBuf};

/// What whoever brings a delivery says of it, in the words of the command line; what is not said may stand in its
/// manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    pub pack: Option<String>,
    pub level: Option<String>,
    /// Product id, or its GTIN.
    pub product: Option<String>,
    pub purpose: Option<String>,
    /// Last day of use, `2027-12-31`.
    pub expiry: Option<String>,
    /// `code=2`, `cap-inside=盖内码`.
    pub columns: Vec<String>,
    /// `case=中标`: columns of the things above, in pre-related rows.
    pub parents: Vec<String>,
    /// `utf-8`, `gbk`, `auto`.
    pub encoding: Option<String>,
    /// `comma`, `semicolon`, `tab`, `auto`.
    pub separator: Option<String>,
    /// The first line of each file is no code.
    pub header: bool,
    /// `gs1`, `url`, `any`.
    pub form: Option<String>,
    /// The line fetched it itself, from a source its configuration names: it need not be sealed.
    pub fetched: bool,
    /// The codes are on the market already; then nobody need say their level and product.
    pub used: bool,
    /// Codes that were here before are left out and counted, instead of the pack refused.
    pub skip_duplicates: bool,
}

/// The level and product of codes used elsewhere, where nobody says them.
const UNSAID: &str = "-";

/// What the line takes.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Without one, levels and products are taken as given and sealed packs cannot be opened.
    pub plan: Option<&'a Plan>,
    /// Wall clock, microseconds since 1970 (UTC).
    pub wall_us: i64,
}

pub struct Delivery {
    pub rows: Box<dyn Rows>,
    /// As said, or as the manifest says; `None`: nobody says.
    pub pack: Option<String>,
    pub level: String,
    /// The product's id where the plan knows it.
    pub product: String,
    pub purpose: Option<String>,
    /// Last day of use.
    pub expiry: Option<String>,
    /// The codes are on the market already.
    pub used: bool,
    /// Codes that were here before are left out and counted.
    pub skip_duplicates: bool,
    /// Whose signature it bears.
    pub signer: Option<String>,
    /// What somebody should look at; nothing is wrong for sure.
    pub notes: Vec<String>,
    /// Files in which the codes stand for anybody to read.
    pub plaintext: Vec<PathBuf>,
}

impl Delivery {
    /// What is left to do when the pack is on disk.
    pub fn aftercare(self, delete: bool) -> Aftercare {
        Aftercare { plaintext: self.plaintext, delete, notes: self.notes }
    }
}

/// What is left to do when the pack is on disk, and not before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aftercare {
    /// Files in which the codes stand for anybody to read.
    pub plaintext: Vec<PathBuf>,
    pub delete: bool,
    pub notes: Vec<String>,
}

impl Aftercare {
    /// Deletes what is to be deleted; the files that still lie there.
    pub fn settle(self) -> Vec<PathBuf> {
        let lies = |path: &PathBuf| !self.delete || std::fs::remove_file(path).is_err();
        self.plaintext.into_iter().filter(lies).collect()
    }
}

/// Opens a delivery: a sealed one is verified first, then decrypted as it is read.
pub fn open(files: &[PathBuf], wish: &Wish, terms: &Terms<'_>) -> Result<Delivery, Fault> {
    // A signature among the files goes with the file it is of.
    let files: Vec<PathBuf> = files.iter().filter(|f| !sealed::is_signature(f) || files.len() == 1).cloned().collect();
    if let Some(alone) = files.iter().find(|f| sealed::is_signature(f)) {
        return Err(Fault::wish(format!("{} is a signature, not a pack", alone.display()), "name the file it is of"));
    }
    files.iter().try_for_each(|f| ordinary(f))?;
    let sealed: Vec<&PathBuf> = files.iter().filter(|f| sealed::is_sealed(f)).collect();
    match (sealed.as_slice(), files.as_slice()) {
        ([], _) => plain(files, wish, terms),
        ([one], [_]) => sealed::open(one, wish, terms),
        _ => Err(Fault::wish("a sealed pack comes alone", "import each by itself")),
    }
}

/// A delivery is looked into more than once, and nobody waits for it: of a pipe the first look would take codes away, and
/// one that nobody writes to would hold every import behind it for ever. What is not there is told by whoever opens it.
pub(super) fn ordinary(path: &Path) -> Result<(), Fault> {
    match std::fs::metadata(path) {
        Ok(m) if m.is_dir() => Err(Fault::Read { path: path.into(), why: "it is a folder".into() }),
        Ok(m) if !m.is_file() => Err(Fault::Read { path: path.into(), why: "it is no ordinary file".into() }),
        _ => Ok(()),
    }
}

fn plain(files: Vec<PathBuf>, wish: &Wish, terms: &Terms<'_>) -> Result<Delivery, Fault> {
    if terms.plan.is_some_and(|p| !p.packs.plain_accepted) && !wish.fetched {
        let what = format!("{} is not sealed, and this line takes sealed packs only", shown(&files));
        return Err(Fault::delivery(what, "have it sealed and signed (packmark pack seal), or set plain = \"accepted\" in [packs]"));
    }
    let said = Said::settle(wish, terms)?;
    let shape = Shape::of(wish)?.at_level(&said.level);
    let notes = note_header(&files, &shape);
    let sha = Running::default();
    let texts = Texts::new(files.clone(), From::Files(sha.clone()), shape.encoding);
    Ok(said.delivery(rows(texts, sha, shape, said.gtin.clone()), notes, files))
}

/// Files of one code a line, as they are, with no more said of them.
pub fn lines(files: Vec<PathBuf>) -> Box<dyn Rows> {
    let sha = Running::default();
    let shape = Shape::default();
    rows(Texts::new(files, From::Files(sha.clone()), shape.encoding), sha, shape, None)
}

/// Rows of a text, by its shape.
pub(super) fn rows(texts: Texts, sha: Running, shape: Shape, gtin: Option<String>) -> Box<dyn Rows> {
    if shape.columns.is_empty() {
        return Box::new(TextRows::new(texts, sha, shape.form, gtin, shape.header));
    }
    Box::new(TableRows::new(texts, sha, shape, gtin))
}

/// What is said of a pack, complete, and held against what the line takes.
pub(super) struct Said {
    pack: Option<String>,
    pub level: String,
    product: String,
    purpose: Option<String>,
    expiry: Option<String>,
    used: bool,
    skip_duplicates: bool,
    pub gtin: Option<String>,
}

impl Said {
    pub fn settle(wish: &Wish, terms: &Terms<'_>) -> Result<Self, Fault> {
        let missing = |what: &str| Fault::wish(format!("nobody says the {what} of this pack"), format!("add --{what}"));
        let unsaid = || wish.used.then(|| UNSAID.to_string());
        let level = wish.level.clone().or_else(unsaid).ok_or_else(|| missing("level"))?;
        let named = wish.product.clone().or_else(unsaid).ok_or_else(|| missing("product"))?;
        let product = terms.plan.and_then(|p| product(p, &named));
        if let Some(expiry) = &wish.expiry {
            let last =
                day(expiry).ok_or_else(|| Fault::wish(format!("the expiry “{}” is no date", short(expiry)), "write it as 2027-12-31"))?;
            if day_of(terms.wall_us) > last {
                let what = format!("the pack expired on {}", iso_date(last));
                return Err(Fault::delivery(what, "ask whoever made the codes for new ones; check the system's date"));
            }
        }
        Ok(Self {
            pack: wish.pack.clone(),
            level,
            product: product.map_or(named, |p| p.id.clone()),
            purpose: wish.purpose.clone(),
            expiry: wish.expiry.clone(),
            used: wish.used,
            skip_duplicates: wish.skip_duplicates,
            gtin: product.and_then(|p| p.gtin.clone()),
        })
    }

    pub fn delivery(&self, rows: Box<dyn Rows>, notes: Vec<String>, plaintext: Vec<PathBuf>) -> Delivery {
        Delivery {
            rows,
            pack: self.pack.clone(),
            level: self.level.clone(),
            product: self.product.clone(),
            purpose: self.purpose.clone(),
            expiry: self.expiry.clone(),
            used: self.used,
            skip_duplicates: self.skip_duplicates,
            signer: None,
            notes,
            plaintext,
        }
    }
}

/// The product of this id, or of this GTIN in any of its lengths.
pub fn product<'a>(plan: &'a Plan, named: &str) -> Option<&'a Product> {
    let by_gtin = |p: &&Product| {
        let number = named.len() >= 8 && named.bytes().all(|b| b.is_ascii_digit());
        number && p.gtin.as_ref().is_some_and(|g| g.trim_start_matches('0') == named.trim_start_matches('0'))
    };
    plan.products.iter().find(|p| p.id == named).or_else(|| plan.products.iter().find(by_gtin))
}

pub(super) fn shown(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A first line that reads like a header is a code all the same (nobody said otherwise), and worth a note.
fn note_header(files: &[PathBuf], shape: &Shape) -> Vec<String> {
    const WORDS: &[&str] = &[
        "code",
        "codes",
        "qrcode",
        "qr_code",
        "barcode",
        "token",
        "url",
        "serial",
        "sn",
        "二维码",
        "条码",
        "码",
        "序列号",
        "瓶码",
        "箱码",
        "防伪码",
        "小标",
        "小码",
    ];
    if shape.header {
        return Vec::new();
    }
    let looks = |path: &Path| -> Option<String> {
        let mut head = [0; 512];
        let n = std::io::Read::read(&mut std::fs::File::open(path).ok()?, &mut head).ok()?;
        let text = head[..n].strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head[..n]);
        let line = super::lines::without_cr(text.split(|b| *b == b'\n').next()?);
        let name = super::encoding::Judge::new(shape.encoding).name(line).into_owned();
        let word = name.split([',', ';', '\t']).map(|w| w.trim().trim_matches('"')).find(|w| WORDS.contains(&w.to_lowercase().as_str()))?;
        Some(format!(
            "{} begins with “{word}”, which reads like a header; it is taken as a row (if it is none, void the pack and import again with --header or --column code=NAME)",
            path.display()
        ))
    };
    files.iter().filter_map(|f| looks(f)).collect()
}
