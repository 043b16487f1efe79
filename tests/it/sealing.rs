//! Sealed deliveries to an order, over a folder and through the inbox, by the real program from end to end.

use crate::daemon::{Daemon, Place};
use crate::supply::{line, names, packmark, pool_is, until};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A line with keys of its own and a supplier it knows, which orders over a folder.
struct Sealing {
    place: Place,
    line: age::x25519::Identity,
}

impl Sealing {
    fn new(more: &str) -> Self {
        let place = line("kind = \"folder\"\noutbox = \"orders\"\ninbox = \"deliveries\"\nevery_s = 1");
        ["orders", "deliveries", "inbox"].iter().for_each(|f| std::fs::create_dir(place.path(f)).unwrap());
        let (line, supplier) = (age::x25519::Identity::generate(), minisign::KeyPair::generate_unencrypted_keypair().unwrap());
        let secret = age::secrecy::ExposeSecret::expose_secret(&line.to_string()).to_string();
        place.write("line.age", &format!("{secret}\n"));
        std::fs::set_permissions(place.path("line.age"), PermissionsExt::from_mode(0o600)).unwrap();
        place.write("supplier.key", &supplier.sk.to_box(None).unwrap().to_string());
        let text = std::fs::read_to_string(place.path("line.toml")).unwrap();
        let key = supplier.pk.to_base64();
        let packs = format!("[packs]\nsigners = [{{ name = \"a\", key = \"{key}\" }}]\nidentity = \"line.age\"\n{more}");
        place.write("line.toml", &format!("{text}\n{packs}\n"));
        Self { place, line }
    }

    /// Sealed by the real program, as a supplier would.
    fn seal(&self, codes: &str, out: &str) -> PathBuf {
        let (text, out) = (self.place.write("text.txt", codes), self.place.path(out));
        let to = self.line.to_public().to_string();
        let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
        c.args(["pack", "seal"]).arg(text).args(["--to", &to, "--key"]).arg(self.place.path("supplier.key")).arg("--out").arg(&out);
        let out_of = c.args(["--pack", "S-1", "--level", "bottle", "--product", "P1"]).output().unwrap();
        assert!(out_of.status.success(), "{}", String::from_utf8_lossy(&out_of.stderr));
        out
    }

    fn token(&self, d: &Daemon) -> String {
        let lying = || names(&self.place.path("orders")).into_iter().find_map(|n| n.strip_suffix(".json").map(String::from));
        until(d, "the order lies there", |_| lying().is_some());
        lying().unwrap()
    }
}

#[test]
fn a_sealed_delivery_waits_for_its_signature_and_goes_with_it() {
    let s = Sealing::new("plain = \"refused\"");
    let d = s.place.start();
    let token = s.token(&d);
    let made = s.seal(&(0..20).map(|i| format!("https://t.example/s{i:04}\n")).collect::<String>(), "made.csv.zst.age");
    let there = |ending: &str| s.place.path(&format!("deliveries/{token}.csv.zst.age{ending}"));
    std::fs::rename(&made, there("")).unwrap();
    // Three looks without a signature: it is not there yet, and nothing is refused.
    let looks = Instant::now() + Duration::from_secs(3);
    until(&d, "it is waited for", |v| {
        assert_ne!(v["supply"][0]["state"], "blocked", "{v}");
        assert_eq!(v["pool"][0]["codes"], 0, "{v}");
        Instant::now() > looks
    });
    std::fs::rename(made.with_added_extension("minisig"), there(".minisig")).unwrap();
    until(&d, "the delivery is in the pool", pool_is(20));
    until(&d, "both files are cleared away", |_| names(&s.place.path("deliveries")).is_empty());
    let (_, list) = packmark(&s.place, &["supply", "list"]);
    assert_eq!(list["orders"][0]["outcome"], "delivered", "{list}");
    assert!(list["orders"][0]["pack"].as_str().unwrap().starts_with("order-1-"), "the order names its pack: {list}");
    assert_eq!(d.stop().0, Some(0));
}

/// What is named by an order's token closes the order, sealed or readable, wherever it comes in.
#[test]
fn the_inbox_honours_the_token_of_an_order() {
    let s = Sealing::new("inbox = \"inbox\"");
    std::fs::create_dir_all(s.place.path("inbox/bottle/P1")).unwrap();
    let d = s.place.start();
    let first = s.token(&d);
    let codes = |stem: &str| (0..20).map(|i| format!("https://t.example/{stem}{i:04}\n")).collect::<String>();
    let part = s.place.write("x.part", &codes("i"));
    std::fs::rename(part, s.place.path(&format!("inbox/bottle/P1/{first}.txt"))).unwrap();
    until(&d, "it came in", pool_is(20));
    until(&d, "the order is over", |v| v["supply"][0]["state"] == "idle");
    until(&d, "its order is taken away", |_| names(&s.place.path("orders")).is_empty());
    packmark(&s.place, &["supply", "try", "--level", "bottle", "--product", "P1"]);
    let second = s.token(&d);
    assert_ne!(first, second);
    let made = s.seal(&codes("j"), "made.age");
    std::fs::rename(made.with_added_extension("minisig"), s.place.path(&format!("inbox/{second}.age.minisig"))).unwrap();
    std::fs::rename(&made, s.place.path(&format!("inbox/{second}.age"))).unwrap();
    until(&d, "it came in too", pool_is(40));
    until(&d, "the second order is over", |v| v["supply"][0]["state"] == "idle");
    let (_, list) = packmark(&s.place, &["supply", "list"]);
    assert!(list["orders"].as_array().unwrap().iter().all(|o| o["outcome"] == "delivered" && o["lost"] == 0), "{list}");
    assert_eq!(d.stop().0, Some(0));
}
