//! `[packs]`: how codes come in, and whose signature is believed.

use super::node::{At, Table};
use super::read::named;
use super::words::is_id;
use crate::vocab::plan::{PacksPlan, Signer};
use std::path::Path;

pub(super) fn packs(root: &Table<'_>, base: &Path) -> PacksPlan {
    let Some(t) = root.table("packs").map(|t| named(t, "[packs]")) else { return PacksPlan::default() };
    let plan = PacksPlan {
        signers: signers(&t),
        identity: t.text("identity").map(|i| base.join(i.value)),
        inbox: t.text("inbox").map(|i| base.join(i.value)),
        delete_plaintext: t.word("after_import", &[("delete", true), ("keep", false)]).unwrap_or(false),
        plain_accepted: t.word("plain", &[("accepted", true), ("refused", false)]).unwrap_or(true),
    };
    if !plan.signers.is_empty() && t.place("identity") == t.at {
        t.complain(t.at, "there are signers and no identity", "add identity = \"keys/line.age\", a file that age-keygen wrote");
    }
    if plan.signers.is_empty() && t.place("signers") == t.at && t.place("identity") != t.at {
        t.complain(t.place("identity"), "there is an identity and no signer", "add signers = [{ name = \"…\", key = \"RW…\" }]");
    }
    if !plan.plain_accepted && plan.signers.is_empty() && t.place("signers") == t.at {
        t.complain(t.place("plain"), "plain packs are refused and sealed ones cannot be opened", "add signers and identity");
    }
    t.done();
    plan
}

fn signers(t: &Table<'_>) -> Vec<Signer> {
    let mut out: Vec<Signer> = Vec::new();
    for s in t.tables("signers") {
        let s = named(s, "[packs] signers");
        let name = s.needed_text("name", "\"supplier-a\"").map_or(String::new(), |n| n.value.to_string());
        if !is_id(&name) {
            s.complain(s.place("name"), format_args!("name \"{name}\" is not an id"), "use 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        if out.iter().any(|o| o.name == name) {
            s.complain(s.place("name"), format_args!("signer \"{name}\" stands twice"), "give each its own name");
        }
        if let Some(At { at, value }) = s.needed_text("key", "\"RW…\"") {
            match minisign_verify::PublicKey::from_base64(value) {
                Ok(_) if out.iter().any(|o| o.key == value) => s.complain(at, "this key stands twice", "one name a key"),
                Ok(_) => out.push(Signer { name, key: value.to_string() }),
                Err(_) => s.complain(
                    at,
                    "key is no minisign public key",
                    "write the second line of the supplier's minisign.pub, 56 characters from RW",
                ),
            }
        }
        s.done();
    }
    out
}
