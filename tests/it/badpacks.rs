//! Deliveries that must not come in, through the real program: each has its sentence, and the store is byte for byte
//! what it was. And those that must.

use crate::driven::{Driven, config_text, content, copy_store};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Memory a refusal may ask for, in KiB of address space: far below what a bomb unpacks to.
const MEMORY_KIB: u32 = 1_000_000;

/// A line with a store in which a shift was worked, keys of its own and a supplier it knows.
struct Yard {
    dir: tempfile::TempDir,
    line: age::x25519::Identity,
    supplier: minisign::KeyPair,
    /// A code that became an item's, and one that will never be.
    used: String,
    void: String,
}

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut d = Driven::start(&dir.path().join("made"), None);
        d.shift();
        d.complete();
        let made = d.dir.clone();
        d.core.close().unwrap();
        // A copy: what a test beside this one forks may for a moment hold the lock that was just let go.
        copy_store(&made, &dir.path().join("store"));
        let (line, supplier) = (age::x25519::Identity::generate(), minisign::KeyPair::generate_unencrypted_keypair().unwrap());
        let secret = age::secrecy::ExposeSecret::expose_secret(&line.to_string()).to_string();
        std::fs::write(dir.path().join("line.age"), format!("# made by a test\n{secret}\n")).unwrap();
        let mut yard = Self { dir, line, supplier, used: String::new(), void: String::new() };
        yard.configure("");
        let dump = yard.packmark(&["dump"]);
        let lines: Vec<Value> = String::from_utf8(dump.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let code = |state: &str| {
            let found = lines.iter().find(|l| l["k"] == "code" && l["level"] == "bottle" && l["state"] == state);
            found.unwrap_or_else(|| panic!("the shift left a {state} bottle"))["text"].as_str().unwrap().to_string()
        };
        (yard.used, yard.void) = (code("packed"), code("void"));
        yard
    }

    fn configure(&self, more: &str) {
        let sample = include_str!("../packs/ms.pub").lines().nth(1).unwrap();
        let packs = format!(
            "[[product]]\nid = \"X\"\nname = \"x\"\n[packs]\nsigners = [{{ name = \"supplier-a\", key = \"{}\" }}, {{ name = \"sample\", key = \"{sample}\" }}]\nidentity = \"line.age\"\n{more}\n",
            self.supplier.pk.to_base64()
        );
        std::fs::write(self.path("line.toml"), format!("{}\n{packs}", config_text())).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_string()
    }

    fn packmark(&self, args: &[&str]) -> Output {
        let limit = format!("ulimit -v {MEMORY_KIB}; exec \"$@\"");
        let config = self.path("line.toml");
        Command::new("sh").args(["-c", &limit, "sh", env!("CARGO_BIN_EXE_packmark"), "--config"]).arg(config).args(args).output().unwrap()
    }

    /// Everything the store says, every segment byte for byte, and every other file by name: the ledger's own and its
    /// marks note who opened them, whatever came of it.
    fn book(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = content(&self.path("store/packs"));
        all.iter_mut().filter(|(p, _)| p.extension().is_some_and(|x| x == "mark")).for_each(|(_, bytes)| bytes.clear());
        for said in [&["dump"][..], &["journal"], &["--json", "pack", "list"]] {
            let out = self.packmark(said);
            assert!(out.status.success());
            all.insert(said.join(" ").into(), out.stdout);
        }
        for e in std::fs::read_dir(self.path("store")).unwrap().map(|e| e.unwrap()) {
            let name = e.file_name().to_string_lossy().into_owned();
            if !name.starts_with("ledger.db-") && name != "lock" {
                all.insert(e.path(), Vec::new());
            }
        }
        all
    }

    /// A sealed pack of this compressed text.
    fn sealed(&self, packed: &[u8], comment: &str) -> String {
        self.made(&self.encrypted(packed, &self.line), comment, &self.supplier)
    }

    fn encrypted(&self, packed: &[u8], to: &age::x25519::Identity) -> Vec<u8> {
        let recipient = to.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
        let mut out = Vec::new();
        let mut w = encryptor.wrap_output(&mut out).unwrap();
        w.write_all(packed).unwrap();
        w.finish().unwrap();
        out
    }

    fn made(&self, encrypted: &[u8], comment: &str, by: &minisign::KeyPair) -> String {
        let signature = minisign::sign(None, &by.sk, encrypted, Some(comment), None).unwrap();
        self.file("p.csv.zst.age.minisig", signature.to_string().as_bytes());
        self.file("p.csv.zst.age", encrypted)
    }
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

fn codes(stem: &str, count: u32) -> String {
    (0..count).map(|n| format!("https://bad.example/{stem}{n:06}\n")).collect()
}

const PLAIN: &[&str] = &["--level", "bottle", "--product", "P1"];
const MANIFEST: &str = "pack:S-1 sku:P1 level:bottle";

#[test]
fn each_is_refused_with_its_sentence_and_nothing_is_stored() {
    let yard = Yard::new();
    let good = codes("g", 1_000);
    let (packed, stranger) = (zstd(good.as_bytes()), minisign::KeyPair::generate_unencrypted_keypair().unwrap());
    let hash = packmark::vocab::code::hex(&<sha2::Sha256 as sha2::Digest>::digest(codes("h", 1_000)));
    let used = format!("{}{}\n", codes("u", 9), yard.used);
    let void = format!("{}{}\n", codes("v", 9), yard.void);
    let bomb = zstd(&b"https://bad.example/00000000000\n".repeat(1 << 15)).repeat(4_096);
    // A frame whose header asks for 128 MiB (RFC 8878, 3.1.1.1.2).
    let wide = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00];
    let gs1 = |tail: &str| format!("0106901234567892211\n{tail}\n");
    type Make<'a> = Box<dyn Fn() -> String + 'a>;
    let file = |bytes: &'static [u8]| -> Make<'_> { Box::new(|| yard.file("a.txt", bytes)) };
    let text = |text: String| -> Make<'_> {
        let yard = &yard;
        Box::new(move || yard.file("a.txt", text.as_bytes()))
    };
    let form: &[&str] = &["--level", "bottle", "--product", "P1", "--form", "gs1"];
    let cases: Vec<(&str, Make<'_>, &[&str], &str)> = vec![
        ("a cut stream", Box::new(|| yard.sealed(&packed[..packed.len() - 9], MANIFEST)), &[], "cannot be unpacked: it ends too early"),
        ("not compressed", Box::new(|| yard.sealed(good.as_bytes(), MANIFEST)), &[], "it is no Zstandard stream, or damaged"),
        ("nothing inside", Box::new(|| yard.sealed(b"", MANIFEST)), &[], "cannot be unpacked: it is empty"),
        (
            "for another line's key",
            Box::new(|| yard.made(&yard.encrypted(&packed, &age::x25519::Identity::generate()), MANIFEST, &yard.supplier)),
            &[],
            "is encrypted to somebody else: none of this line's identities opens it",
        ),
        (
            "changed after it was signed",
            Box::new(|| {
                let path = yard.sealed(&packed, MANIFEST);
                let mut bytes = std::fs::read(&path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                yard.file("p.csv.zst.age", &bytes)
            }),
            &[],
            "the signature of",
        ),
        (
            "a manifest changed after it was signed",
            Box::new(|| {
                let path = yard.sealed(&packed, "pack:S-1 sku:P1 level:bottle count:1000");
                let signature = std::fs::read_to_string(format!("{path}.minisig")).unwrap();
                yard.file("p.csv.zst.age.minisig", signature.replace("count:1000", "count:1001").as_bytes());
                path
            }),
            &[],
            "is not good: the file or its manifest was changed after supplier-a signed it",
        ),
        (
            "signed by somebody",
            Box::new(|| yard.made(&yard.encrypted(&packed, &yard.line), MANIFEST, &stranger)),
            &[],
            "is signed by a key that is not known here (known: supplier-a, sample)",
        ),
        (
            "no signature",
            Box::new(|| {
                let path = yard.sealed(&packed, MANIFEST);
                std::fs::remove_file(format!("{path}.minisig")).unwrap();
                path
            }),
            &[],
            "cannot be read (No such file or directory (os error 2)): put p.csv.zst.age.minisig beside it",
        ),
        (
            "fewer than the manifest says",
            Box::new(|| yard.sealed(&packed, &format!("{MANIFEST} count:1001"))),
            &[],
            "the pack holds 1000 rows, its manifest says 1001",
        ),
        (
            "more than the manifest says",
            Box::new(|| yard.sealed(&packed, &format!("{MANIFEST} count:999"))),
            &[],
            "the pack holds more rows than its manifest says (999)",
        ),
        (
            "another text than the manifest says",
            Box::new(|| yard.sealed(&packed, &format!("{MANIFEST} sha256:{hash}"))),
            &[],
            "has another SHA-256 than its manifest says",
        ),
        ("expired", Box::new(|| yard.sealed(&packed, &format!("{MANIFEST} expiry:2024-02-29"))), &[], "the pack expired on 2024-02-29"),
        (
            "a misspelt manifest",
            Box::new(|| yard.sealed(&packed, &format!("{MANIFEST} expriy:2024-02-29"))),
            &[],
            "“expriy” is not known in a manifest",
        ),
        (
            "for another line",
            Box::new(|| yard.sealed(&packed, &format!("{MANIFEST} line:L9"))),
            &[],
            "the pack is for line L9, this is line L1",
        ),
        (
            "for another level",
            Box::new(|| yard.sealed(&packed, MANIFEST)),
            &["--level", "box"],
            "the options say level box, the signed manifest says level bottle",
        ),
        (
            "for another product",
            Box::new(|| yard.sealed(&packed, MANIFEST)),
            &["--product", "X"],
            "the options say product X, the signed manifest says product P1",
        ),
        (
            "for a product nobody knows",
            Box::new(|| yard.sealed(&packed, "sku:Y level:bottle")),
            &[],
            "product Y is not in the configuration",
        ),
        ("for nobody knows what", Box::new(|| yard.sealed(&packed, "count:1000")), &[], "nobody says the level of this pack: add --level"),
        ("a bomb", Box::new(|| yard.sealed(&bomb, MANIFEST)), &[], "unpacks to more than 200 times its size"),
        ("a wide window", Box::new(|| yard.sealed(&wide, MANIFEST)), &[], "needs a window of 128 MiB to unpack, at most 8 are given"),
        ("a code twice", text(format!("{}{}", good, "https://bad.example/g000007\n")), PLAIN, "line 1001 stands at"),
        ("a used code", text(used), PLAIN, "a.txt line 10 is in pack bottles already"),
        ("a void code", text(void), PLAIN, "a.txt line 10 is in pack bottles already"),
        ("neither UTF-8 nor GBK", file(b"ok\nab\xff\n"), PLAIN, "line 2: byte 3 of the line is neither UTF-8 nor GBK"),
        ("a long line", text(format!("ok\n{}\n", "x".repeat(1 << 20))), PLAIN, "line 2: the line has more than 65536 bytes"),
        ("an empty file", file(b""), PLAIN, "the files hold no code"),
        (
            "a pipe",
            Box::new(|| {
                let pipe = yard.path("a.pipe");
                let made = Command::new("mkfifo").arg(&pipe).status();
                assert!(made.is_ok_and(|s| s.success()) || pipe.exists());
                pipe.to_str().unwrap().to_string()
            }),
            PLAIN,
            "cannot be read (it is no ordinary file)",
        ),
        ("a folder", Box::new(|| yard.dir.path().to_str().unwrap().to_string()), PLAIN, "cannot be read (it is a folder)"),
        ("a workbook", file(b"PK\x03\x04xlsx"), PLAIN, "it is a zip or an Excel workbook: save the sheet as CSV"),
        ("a wrong check digit", text(gs1("0106901234567893212")), form, "line 2: its GTIN (AI 01) 06901234567893 has a wrong check digit"),
        ("a serial no GS1 code has", text(gs1("0106901234567892212 3")), form, "line 2: its serial (AI 21) holds byte 20"),
        ("another product's codes", text(gs1("0100614141123452212")), form, "line 2: its GTIN 00614141123452 is not this product's"),
        (
            "expired by what is said",
            text(good.clone()),
            &["--level", "bottle", "--product", "P1", "--expiry", "2024-02-29"],
            "the pack expired on",
        ),
    ];
    let before = yard.book();
    for (name, make, args, sentence) in &cases {
        let path = make();
        let out = yard.packmark(&[&["--lang", "en", "pack", "import", path.as_str()], *args].concat());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{name}: {said}");
        assert!(said.starts_with("packmark: ") && said.contains(sentence) && said.trim_end().lines().count() == 1, "{name}: {said}");
        assert!(said.contains("nothing was imported"), "{name}: {said}");
        assert!(out.stdout.is_empty(), "{name}");
        let out = yard.packmark(&[&["--lang", "zh", "pack", "import", path.as_str()], *args].concat());
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(1) && said.contains("未导入任何码") && said.trim_end().lines().count() == 1, "{name}: {said}");
        assert!(!english(&said), "{name}: {said}");
        let after = yard.book();
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{name}: files");
        for (path, bytes) in &before {
            assert!(after[path] == *bytes, "{name}: {} changed", path.display());
        }
    }
}

/// Three English words in a row.
fn english(said: &str) -> bool {
    let words: Vec<&str> = said.trim_start_matches("packmark: ").split(' ').collect();
    words.windows(3).any(|w| w.iter().all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase())))
}

fn copied(yard: &Yard, name: &str) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs").join(name);
    std::fs::copy(from, yard.path(name)).unwrap();
    yard.path(name).to_str().unwrap().to_string()
}

fn answer(out: &Output) -> Value {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Made with the Debian tools zstd, age and minisign (tests/packs/README.md).
#[test]
fn a_pack_of_other_peoples_tools_comes_in() {
    let yard = Yard::new();
    let (sealed, _) = (copied(&yard, "pack.csv.zst.age"), copied(&yard, "pack.csv.zst.age.minisig"));
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/TEST-ONLY-age-identity.txt"), yard.path("line.age")).unwrap();
    let v = answer(&yard.packmark(&["--json", "pack", "import", &sealed, "--level", "bottle", "--column", "code=token"]));
    assert_eq!((&v["pack"], &v["count"]), (&"DEMO-1".into(), &1000.into()));
    let whole = packmark::vocab::code::hex(&<sha2::Sha256 as sha2::Digest>::digest(std::fs::read(&sealed).unwrap()));
    assert_eq!(v["sha256"], whole, "of the delivered file");
    assert_eq!(v.get("plaintext"), None, "nothing readable lies there");
    let trace = answer(&yard.packmark(&["--json", "trace", "https://q.example/J4DHSRCGAVWY"]));
    assert_eq!(trace["pack"], "DEMO-1", "{trace}");
}

#[test]
fn what_was_sealed_here_opens_here() {
    let yard = Yard::new();
    let secret = yard.supplier.sk.to_box(None).unwrap().to_string();
    let key = yard.file("supplier.key", secret.as_bytes());
    let text = yard.file(
        "codes.csv",
        format!("序号,二维码\n{}", (0..3_000).map(|n| format!("{n},https://ok.example/{n:05}\n")).collect::<String>()).as_bytes(),
    );
    let (to, out) = (yard.line.to_public().to_string(), yard.path("o.csv.zst.age").to_str().unwrap().to_string());
    let other = age::x25519::Identity::generate().to_public().to_string();
    let says = [
        "--pack",
        "S-7",
        "--level",
        "bottle",
        "--product",
        "P1",
        "--column",
        "code=二维码",
        "--purpose",
        "防伪 内",
        "--expiry",
        "2099-12-31",
    ];
    let seal =
        [&["--json", "pack", "seal", &text, "--to", &to, "--to", &other, "--key", &key, "--out", &out, "--line", "L1"], &says[..]].concat();
    let made = answer(&yard.packmark(&seal));
    assert_eq!((&made["pack"], &made["count"]), (&"S-7".into(), &3000.into()));
    let again = yard.packmark(&seal);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert!(!std::fs::read(&out).unwrap().windows(10).any(|w| w == b"ok.example"), "nothing of it can be read");
    let v = answer(&yard.packmark(&["--json", "pack", "import", &out]));
    assert_eq!((&v["pack"], &v["count"], v.get("plaintext")), (&"S-7".into(), &3000.into(), None));
    let list = answer(&yard.packmark(&["--json", "pack", "list"]));
    let pack = list["packs"].as_array().unwrap().iter().find(|p| p["pack"] == "S-7").unwrap();
    assert_eq!((&pack["level"], &pack["product"], &pack["purpose"]), (&"bottle".into(), &"P1".into(), &"防伪 内".into()));
}

#[test]
fn readable_codes_are_deleted_or_named() {
    let yard = Yard::new();
    let file = yard.file("a.txt", codes("a", 3).as_bytes());
    let v = answer(&yard.packmark(&[&["--json", "pack", "import", &file], PLAIN].concat()));
    assert_eq!(v["plaintext"], serde_json::json!([file]));
    assert!(Path::new(&file).exists());
    yard.configure("after_import = \"delete\"");
    let file = yard.file("b.txt", codes("b", 3).as_bytes());
    let refused = yard.packmark(&["pack", "import", &file, "--level", "bottle", "--product", "P9"]);
    assert!(!refused.status.success() && Path::new(&file).exists(), "only when the pack is on disk");
    let v = answer(&yard.packmark(&[&["--json", "pack", "import", &file], PLAIN].concat()));
    assert_eq!((v.get("plaintext"), Path::new(&file).exists()), (None, false));
    yard.configure("plain = \"refused\"");
    let file = yard.file("c.txt", codes("c", 3).as_bytes());
    let refused = yard.packmark(&[&["pack", "import", &file], PLAIN].concat());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not sealed, and this line takes sealed packs only"));
    // A first line that reads like a header is a code all the same, and worth a word.
    yard.configure("");
    let file = yard.file("d.txt", b"code\nhttps://ok.example/d\n");
    let v = answer(&yard.packmark(&[&["--json", "pack", "import", &file], PLAIN].concat()));
    assert_eq!(v["count"], 2);
    assert!(v["notes"][0].as_str().unwrap().contains("begins with “code”, which reads like a header"));
}
