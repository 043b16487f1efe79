//! Sealed packs: a text of codes, compressed (zstd), encrypted to the line (age v1, X25519), signed (minisign,
//! prehashed). `X.csv.zst.age` and `X.csv.zst.age.minisig`; the manifest is the signature's trusted comment.
//!
//! Invariants: nothing is decrypted before a pinned signer's signature over the whole file was found good; what is
//! decrypted is the file that was verified (it is hashed both times); the last row is told only when count and hash of
//! the manifest were held against what came.

use super::delivery::{self, Delivery, Said, Terms, Wish};
use super::manifest::Manifest;
use super::shape::Shape;
use super::texts::{From, Hashed, Running, Texts, fault};
use super::unpack::Unpack;
use super::{Column, Fault, Plain, Row, Rows};
use crate::vocab::plan::{PacksPlan, Signer};
use minisign_verify::{PublicKey, Signature};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A signature file is some hundred bytes; its comment at most 8 KiB.
const MAX_SIGNATURE: u64 = 16 << 10;
const MAX_IDENTITY: u64 = 64 << 10;
/// An age header for a hundred recipients.
const MAX_HEADER: usize = 16 << 10;
const CHUNK: usize = 64 << 10;

pub fn is_sealed(path: &Path) -> bool {
    path.extension().is_some_and(|x| x == "age")
        || path.is_file() && {
            let mut head = [0; 21];
            File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && &head == b"age-encryption.org/v1"
        }
}

pub fn is_signature(path: &Path) -> bool {
    path.extension().is_some_and(|x| x == "minisig")
}

/// `X.csv.zst.age` → `X.csv.zst.age.minisig`.
pub fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

/// Verifies, then opens.
pub fn open(path: &Path, wish: &Wish, terms: &Terms<'_>) -> Result<Delivery, Fault> {
    let Some(plan) = terms.plan else {
        return Err(Fault::wish(
            format!("{} is sealed, and without a configuration there are no keys to open it", path.display()),
            "give --config FILE with [packs] signers and identity",
        ));
    };
    let mut file = File::open(path).map_err(|e| fault(path, e))?;
    let Verified { manifest, signer, sha256 } = verify(path, &mut file, &plan.packs)?;
    let wish = manifest.joined(wish, plan)?;
    let said = Said::settle(&wish, terms)?;
    let shape = Shape::of(&wish)?.at_level(&said.level);
    let (identities, note) = identities(&plan.packs)?;
    file.rewind().map_err(|e| fault(path, e))?;
    let (again, inside) = (Running::default(), Running::default());
    let decrypted = decrypt(path, Hashed::new(file, &again), &identities)?;
    let text = Hashed::new(Unpack::new(BufReader::with_capacity(CHUNK, decrypted)), &inside);
    let texts = Texts::new(vec![path.into()], From::Opened(Box::new(text)), shape.encoding);
    let rows = delivery::rows(texts, again.clone(), shape, said.gtin.clone());
    let held = SealedRows { rows, manifest, sha256, again, inside, count: 0 };
    Ok(Delivery { signer: Some(signer), ..said.delivery(Box::new(held), note.into_iter().collect(), Vec::new()) })
}

struct Verified {
    manifest: Manifest,
    /// The signer's name.
    signer: String,
    /// Of the whole file.
    sha256: [u8; 32],
}

/// Holds the file against its signature and the pinned keys.
fn verify(path: &Path, file: &mut File, packs: &PacksPlan) -> Result<Verified, Fault> {
    let shown = path.display();
    let beside = signature_of(path);
    let mut text = String::new();
    delivery::ordinary(&beside)?;
    let read = File::open(&beside).and_then(|f| f.take(MAX_SIGNATURE).read_to_string(&mut text));
    if let Err(e) = read {
        let what = format!("the signature of {shown} cannot be read ({e})");
        return Err(Fault::delivery(what, format!("put {} beside it", beside.file_name().unwrap_or_default().to_string_lossy())));
    }
    let unreadable =
        || Fault::delivery(format!("{} is no minisign signature", beside.display()), "sign the pack again with minisign 0.10 or newer");
    let signature = Signature::decode(&text).map_err(|_| unreadable())?;
    let pinned: Vec<(&Signer, PublicKey)> = packs.signers.iter().filter_map(|s| Some((s, PublicKey::from_base64(&s.key).ok()?))).collect();
    if pinned.is_empty() {
        return Err(Fault::delivery(
            format!("{shown} is signed, but no signer is known here"),
            "add the supplier's key to [packs] signers",
        ));
    }
    let mut verifiers = Vec::new();
    for (signer, key) in &pinned {
        match key.verify_stream(&signature) {
            Ok(v) => verifiers.push((*signer, v)),
            Err(minisign_verify::Error::UnexpectedKeyId) => {}
            Err(_) => {
                return Err(Fault::delivery(
                    format!("{shown} is signed in minisign's old way"),
                    "sign it again with minisign 0.10 or newer",
                ));
            }
        }
    }
    if verifiers.is_empty() {
        let names: Vec<&str> = pinned.iter().map(|p| p.0.name.as_str()).collect();
        let what = format!("{shown} is signed by a key that is not known here (known: {})", names.join(", "));
        return Err(Fault::delivery(what, "ask the supplier which key it is; add it to [packs] signers only if the supplier confirms it"));
    }
    let (mut sha, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        let n = file.read(&mut chunk).map_err(|e| fault(path, e))?;
        if n == 0 {
            break;
        }
        sha.update(&chunk[..n]);
        verifiers.iter_mut().for_each(|(_, v)| v.update(&chunk[..n]));
    }
    let good = verifiers.iter_mut().find_map(|(signer, v)| v.finalize().is_ok().then(|| signer.name.clone()));
    let Some(signer) = good else {
        let names: Vec<&str> = verifiers.iter().map(|v| v.0.name.as_str()).collect();
        let what =
            format!("the signature of {shown} is not good: the file or its manifest was changed after {} signed it", names.join(", "));
        return Err(Fault::delivery(what, "ask for the pack again, and how it came here"));
    };
    let manifest = Manifest::parse(signature.trusted_comment()).map_err(|what| {
        Fault::delivery(
            format!("the manifest of {shown} is not understood: {what}"),
            "see docs/packs.md for its words; have it signed again",
        )
    })?;
    Ok(Verified { manifest, signer, sha256: sha.finalize().into() })
}

/// The line's keys, and a note when others can read them too.
fn identities(packs: &PacksPlan) -> Result<(Vec<age::x25519::Identity>, Option<String>), Fault> {
    let Some(path) = &packs.identity else {
        return Err(Fault::delivery(
            "this line has no age identity to open sealed packs with",
            "make one with age-keygen and name it in [packs] identity",
        ));
    };
    let mut text = String::new();
    let file = File::open(path).map_err(|e| fault(path, e))?;
    let open = file.metadata().is_ok_and(|m| m.mode() & 0o077 != 0);
    file.take(MAX_IDENTITY).read_to_string(&mut text).map_err(|e| fault(path, e))?;
    let note = open.then(|| format!("{} can be read by others than its owner: chmod 600", path.display()));
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let parsed: Result<Vec<age::x25519::Identity>, _> = lines.map(str::parse).collect();
    match parsed {
        Ok(all) if !all.is_empty() => Ok((all, note)),
        // Never with a line of the file: it may be a key.
        _ => Err(Fault::delivery(
            format!("{} holds no age identity", path.display()),
            "it is the file that age-keygen wrote, with a line AGE-SECRET-KEY-1…",
        )),
    }
}

/// The stream inside an age file. Its header is looked at first, so that no header can be longer than memory likes.
pub(super) fn decrypt<R: Read + 'static>(path: &Path, from: R, identities: &[age::x25519::Identity]) -> Result<Box<dyn Read>, Fault> {
    let shown = path.display();
    let damaged = || Fault::delivery(format!("{shown} is no age file, or damaged"), "ask whoever made the pack to make it again");
    let mut from = from;
    let mut head = Vec::with_capacity(MAX_HEADER);
    from.by_ref().take(MAX_HEADER as u64).read_to_end(&mut head).map_err(|e| fault(path, e))?;
    if !head.starts_with(b"age-encryption.org/v1\n") || memchr::memmem::find(&head, b"\n--- ").is_none() {
        return Err(damaged());
    }
    let whole = BufReader::with_capacity(CHUNK, std::io::Cursor::new(head).chain(from));
    let opened = age::Decryptor::new_buffered(whole).and_then(|d| d.decrypt(identities.iter().map(|i| i as &dyn age::Identity)));
    match opened {
        Ok(stream) => Ok(Box::new(Decrypted(stream))),
        Err(age::DecryptError::NoMatchingKeys) => Err(Fault::delivery(
            format!("{shown} is encrypted to somebody else: none of this line's identities opens it"),
            "give the supplier this line's recipient (age-keygen -y), and ask for the pack again",
        )),
        Err(_) => Err(damaged()),
    }
}

/// What age says of a cut or damaged stream, as a sentence.
struct Decrypted<R>(R);

impl<R: Read> Read for Decrypted<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(out).map_err(|e| match e.kind() {
            std::io::ErrorKind::Interrupted => e,
            _ => std::io::Error::other(Fault::delivery(
                "the pack cannot be decrypted to its end: it is cut or damaged",
                "ask whoever made the pack to make it again",
            )),
        })
    }
}

/// More rows than come at once.
const MANY: u64 = super::lines::MAX_LINE as u64;

/// Rows that are held against the manifest.
struct SealedRows {
    rows: Box<dyn Rows>,
    manifest: Manifest,
    /// Of the file as verified, and as decrypted.
    sha256: [u8; 32],
    again: Running,
    /// Of the text inside.
    inside: Running,
    count: u64,
}

impl SealedRows {
    fn ended(&self) -> Result<(), Fault> {
        let again = "ask whoever made the pack to make it again";
        if let Some(said) = self.manifest.count.filter(|n| *n != self.count) {
            return Err(Fault::delivery(format!("the pack holds {} rows, its manifest says {said}", self.count), again));
        }
        let inside: [u8; 32] = self.inside.borrow().clone().finalize().into();
        if self.manifest.sha256.is_some_and(|said| said != inside) {
            return Err(Fault::delivery("the text inside the pack has another SHA-256 than its manifest says", again));
        }
        let file: [u8; 32] = self.again.borrow().clone().finalize().into();
        if file != self.sha256 {
            return Err(Fault::delivery("the file was changed while it was read", "let nobody write to it, then import it again"));
        }
        Ok(())
    }
}

impl Rows for SealedRows {
    fn columns(&self) -> &[Column] {
        self.rows.columns()
    }

    fn files(&self) -> &[PathBuf] {
        self.rows.files()
    }

    fn next_row(&mut self, row: &mut Row) -> Result<bool, Fault> {
        if !self.rows.next_row(row)? {
            return self.ended().map(|()| false);
        }
        self.count += 1;
        match self.manifest.count {
            Some(said) if self.count > said => Err(Fault::delivery(
                format!("the pack holds more rows than its manifest says ({said})"),
                "ask whoever made the pack to make it again",
            )),
            _ => Ok(true),
        }
    }

    fn plain(&mut self) -> Result<Option<Plain<'_>>, Fault> {
        // The last rows one by one, so that the first one too many is named.
        if self.manifest.count.is_some_and(|said| said < self.count + MANY) {
            return Ok(None);
        }
        let plain = self.rows.plain()?;
        self.count += plain.as_ref().map_or(0, |p| p.spans.len() as u64);
        Ok(plain)
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}
