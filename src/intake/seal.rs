//! Making a sealed pack: a text of codes, checked, compressed, encrypted, signed.
//!
//! Invariants: nothing is written that this program would not take back (every row is read and checked first, every
//! compressed frame is unpacked again before it is encrypted); an existing file is never overwritten; a seal that fails
//! leaves nothing behind.

use super::delivery::{self, Said, Terms};
use super::manifest::Manifest;
use super::sealed::signature_of;
use super::shape::Shape;
use super::texts::{From, Running, Texts, fault};
use super::{Fault, Row, Wish};
use ct_codecs::{Base64, Decoder};
use minisign::{PublicKey, SecretKey, SecretKeyBox};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Text in one frame of the compressed stream.
const FRAME: usize = 1 << 20;

/// What a seal needs beside the text.
#[derive(Clone, Debug)]
pub struct Seal<'a> {
    /// age recipients, `age1…`; one of them the line's.
    pub to: &'a [String],
    /// minisign's secret key file.
    pub key: &'a Path,
    /// Of the key; `None` for one made with `minisign -G -W`.
    pub password: Option<String>,
    /// `X.csv.zst.age`.
    pub out: &'a Path,
    /// The only line that may take it.
    pub line: Option<String>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub manifest: Manifest,
    pub file: PathBuf,
    pub signature: PathBuf,
}

pub fn seal(text: &Path, wish: &Wish, terms: &Terms<'_>, seal: &Seal<'_>) -> Result<Made, Fault> {
    if wish.pack.is_none() {
        return Err(Fault::wish("nobody says the pack's name", "add --pack"));
    }
    let signature = signature_of(seal.out);
    if let Some(there) = [seal.out, &signature].into_iter().find(|p| p.exists()) {
        return Err(Fault::delivery(format!("{} is there already", there.display()), "give another --out, or take it away"));
    }
    delivery::ordinary(text)?;
    let key = key(seal)?;
    let recipients = recipients(seal.to)?;
    let (count, sha256) = checked(text, wish, terms)?;
    let says = Wish { encoding: wish.encoding.clone().filter(|e| e != "auto"), ..wish.clone() };
    let manifest = Manifest { says, count: Some(count), sha256: Some(sha256), line: seal.line.clone() };
    let comment = manifest.comment();
    // What is signed is what will be read.
    let again = Manifest::parse(&comment).map_err(|what| Fault::wish(what, "say it in other words"))?;
    if again != manifest {
        return Err(Fault::wish("the manifest cannot hold what was said", "say it in other words"));
    }
    let aside = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        PathBuf::from(name)
    };
    let (sealed, signed) = (aside(seal.out), aside(&signature));
    let made = encrypt(text, &sealed, &recipients, sha256).and_then(|()| sign(&sealed, &signed, &key, &comment)).and_then(|()| {
        std::fs::rename(&sealed, seal.out).map_err(|e| fault(seal.out, e))?;
        std::fs::rename(&signed, &signature).map_err(|e| fault(&signature, e))
    });
    if made.is_err() {
        [&sealed, &signed].into_iter().for_each(|p| drop(std::fs::remove_file(p)));
    }
    made.map(|()| Made { manifest, file: seal.out.into(), signature })
}

fn key(seal: &Seal<'_>) -> Result<SecretKey, Fault> {
    let shown = seal.key.display();
    let text = std::fs::read_to_string(seal.key).map_err(|e| fault(seal.key, e))?;
    let none = || Fault::wish(format!("{shown} is no secret key of minisign"), "it is the file that minisign -G wrote");
    let bytes = text.lines().nth(1).and_then(|l| Base64::decode_to_vec(l.trim(), None).ok()).ok_or_else(none)?;
    let stored = SecretKey::from_bytes(&bytes).map_err(|_| none())?;
    if !stored.is_encrypted() {
        // minisign 0.11 leaves the checksum of an unencrypted key empty; a signature that the key's own public half does
        // not confirm is caught when it is made.
        return Ok(stored);
    }
    let Some(password) = &seal.password else {
        return Err(Fault::wish(format!("{shown} has a password"), "give --password-file, or set PACKMARK_KEY_PASSWORD"));
    };
    let opened = SecretKeyBox::from_string(&text).and_then(|b| b.into_secret_key(Some(password.clone())));
    opened.map_err(|_| Fault::wish(format!("{shown} cannot be opened with this password"), "check the password"))
}

fn recipients(to: &[String]) -> Result<Vec<age::x25519::Recipient>, Fault> {
    if to.is_empty() {
        return Err(Fault::wish("nobody could open the pack", "add --to with the line's age recipient (age-keygen -y)"));
    }
    let parsed = to
        .iter()
        .map(|t| t.parse().map_err(|_| Fault::wish(format!("“{t}” is no age recipient"), "it begins with age1; see age-keygen -y")));
    parsed.collect()
}

/// Reads every row; how many there are, and the text's hash.
fn checked(text: &Path, wish: &Wish, terms: &Terms<'_>) -> Result<(u64, [u8; 32]), Fault> {
    let said = Said::settle(wish, terms)?;
    let shape = Shape::of(wish)?;
    let sha = Running::default();
    let texts = Texts::new(vec![text.into()], From::Files(sha.clone()), shape.encoding);
    let mut rows = delivery::rows(texts, sha, shape, said.gtin);
    let (mut row, mut count) = (Row::default(), 0);
    while rows.next_row(&mut row)? {
        count += 1;
    }
    match count {
        0 => Err(Fault::delivery(format!("{} holds no code", text.display()), "is it the right file?")),
        _ => Ok((count, rows.sha256())),
    }
}

fn encrypt(text: &Path, out: &Path, recipients: &[age::x25519::Recipient], sha256: [u8; 32]) -> Result<(), Fault> {
    let wrong = |e: std::io::Error| fault(out, e);
    let file = File::create(out).map_err(wrong)?;
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
        .map_err(|_| Fault::wish("these recipients cannot be used together", "name recipients that begin with age1"))?;
    let mut to = encryptor.wrap_output(BufWriter::with_capacity(FRAME, file)).map_err(wrong)?;
    let mut from = File::open(text).map_err(|e| fault(text, e))?;
    let (mut sha, mut chunk) = (Sha256::new(), Vec::with_capacity(FRAME));
    loop {
        chunk.clear();
        Read::by_ref(&mut from).take(FRAME as u64).read_to_end(&mut chunk).map_err(|e| fault(text, e))?;
        if chunk.is_empty() {
            break;
        }
        sha.update(&chunk);
        to.write_all(&frame(&chunk)?).map_err(wrong)?;
    }
    let now: [u8; 32] = sha.finalize().into();
    if now != sha256 {
        return Err(Fault::delivery(
            format!("{} was changed while it was sealed", text.display()),
            "let nobody write to it, then seal it again",
        ));
    }
    let file = to.finish().and_then(|w| w.into_inner().map_err(std::io::IntoInnerError::into_error)).map_err(wrong)?;
    file.sync_all().map_err(wrong)
}

/// One compressed frame, unpacked again and compared: a pack that cannot be opened is found here, not on the line.
fn frame(chunk: &[u8]) -> Result<Vec<u8>, Fault> {
    let packed = compress_to_vec(chunk, CompressionLevel::Fastest);
    let mut back = Vec::with_capacity(chunk.len());
    let read = super::unpack::Unpack::new(packed.as_slice()).read_to_end(&mut back);
    if read.is_err() || back != chunk {
        return Err(Fault::delivery(
            "the text does not come back from compression as it went in",
            "report this; use zstd, age and minisign (docs/packs.md)",
        ));
    }
    Ok(packed)
}

fn sign(file: &Path, out: &Path, key: &SecretKey, comment: &str) -> Result<(), Fault> {
    let data = BufReader::new(File::open(file).map_err(|e| fault(file, e))?);
    let public = PublicKey::from_secret_key(key).map_err(|_| Fault::wish("the signing key is damaged", "use another copy of it"))?;
    let made = minisign::sign(Some(&public), key, data, Some(comment), None)
        .map_err(|e| Fault::delivery(format!("{} cannot be signed ({e})", file.display()), "check the key"))?;
    let mut to = File::create(out).map_err(|e| fault(out, e))?;
    to.write_all(made.to_string().as_bytes()).and_then(|()| to.sync_all()).map_err(|e| fault(out, e))
}
