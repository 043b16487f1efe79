//! The shipped profiles, their settings, and the refusals of a folder of one's own.

use super::shipped::SHIPPED;
use super::*;
use crate::vocab::plan::{Setting, Traits};
use std::collections::BTreeMap;

fn shipped(name: &str) -> &'static str {
    SHIPPED.iter().find(|s| s.0 == name).unwrap().1
}

#[test]
fn every_shipped_profile_loads_with_its_defaults() {
    let all = Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(all.names().count(), SHIPPED.len());
    for n in all.names() {
        all.bind(n, &BTreeMap::new()).unwrap_or_else(|e| panic!("{n}: {e:?}"));
    }
    let Traits::Printer(t) = all.bind("domino-codenet", &BTreeMap::new()).unwrap().traits() else { panic!("a printer") };
    assert_eq!((t.depth, t.clear_on_adopt), (1, true));
}

#[test]
fn wrong_settings_are_all_named() {
    let all = Profiles::load(None).unwrap();
    let given = [("depth", Setting::Number(0)), ("ack_char", Setting::Text("1".into())), ("colour", Setting::Flag(true))];
    let e = all.bind("domino-codenet", &given.map(|(k, v)| (k.to_string(), v)).into()).unwrap_err();
    assert_eq!(e.len(), 3, "{e:?}");
    // A print byte of what nobody cleared would be credited to what came after.
    let given = [("ack_char", Setting::Text("A".into())), ("clear_on_adopt", Setting::Flag(false))];
    let e = all.bind("domino-codenet", &given.map(|(k, v)| (k.to_string(), v)).into()).unwrap_err();
    assert!(e.len() == 1 && e[0].contains("clear_on_adopt"), "{e:?}");
}

#[test]
fn a_folders_file_replaces_a_shipped_one_and_its_mistakes_have_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = shipped("modbus-io").replace("default = 1\n", "default = 7\n");
    std::fs::write(dir.path().join("modbus-io.toml"), &text).unwrap();
    let all = Profiles::load(Some(dir.path())).unwrap();
    assert_eq!(all.bind("modbus-io", &BTreeMap::new()).unwrap().number("unit"), 7);
    std::fs::write(dir.path().join("modbus-io.toml"), text.replace("kind = \"io\"", "kind = \"oi\"")).unwrap();
    let e = Profiles::load(Some(dir.path())).unwrap_err();
    assert!(e[0].line > 1 && e[0].what.contains("oi"), "{e:?}");
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_each_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = shipped("domino-codenet")
        .replace("dialect = \"codenet\"", "dialect = \"codanet\"")
        .replace("connections = 1\n", "connections = \"one\"\ncolour = 3\n")
        .replace("clear_is_safe = true\n", "")
        .replace("type = \"flag\"", "type = \"bit\"");
    std::fs::write(dir.path().join("domino-codenet.toml"), &text).unwrap();
    let e = Profiles::load(Some(dir.path())).unwrap_err();
    let line = |what: &str| text[..text.find(what).unwrap()].matches('\n').count() + 1;
    let want = ["dialect =", "connections = \"one\"", "colour", "[buffer]", "[settings.clear_on_adopt]"].map(line);
    assert_eq!(e.iter().map(|c| c.line).collect::<Vec<_>>(), want, "{e:?}");

    let text = shipped("domino-codenet")
        .replace("reply_timeout_ms = 1000", "reply_timeout_ms = 0")
        .replace("least = 1\n", "least = 2\n")
        .replace("[settings.response_length]", "[settings.length]");
    std::fs::write(dir.path().join("domino-codenet.toml"), &text).unwrap();
    let e = Profiles::load(Some(dir.path())).unwrap_err();
    assert_eq!(e.len(), 3, "{e:?}");
    std::fs::write(dir.path().join("domino-codenet.toml"), "name = \"x\nkind = 7 7\n").unwrap();
    assert!(Profiles::load(Some(dir.path())).unwrap_err()[0].what.starts_with("not TOML"));
}

/// `schemas/profile.json` is the schema of the types; `PACKMARK_WRITE_SCHEMA=1 cargo test --lib profile::` writes it anew.
#[test]
fn the_published_schema_is_that_of_the_types() {
    let mut schema = serde_json::to_value(schemars::schema_for!(Profile)).unwrap();
    schema["title"] = "A packmark firmware profile".into();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/profile.json");
    if std::env::var_os("PACKMARK_WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == text, "schemas/profile.json is not the types' schema");
}

#[test]
fn the_schema_takes_every_shipped_profile() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/profile.json")).unwrap();
    let judge = jsonschema::validator_for(&schema).unwrap();
    // One that extends another is whole only together with it, and judged so when it is read.
    for (name, text) in SHIPPED.iter().filter(|(_, text)| !text.contains("\nextends = ")) {
        let file: serde_json::Value = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        if let Err(e) = judge.validate(&file) {
            panic!("{name}: {e}");
        }
    }
    assert!(!judge.is_valid(&serde_json::json!({"name": "x"})));
}

/// The form's check knows the words that the schema says, and no others stand in it.
#[test]
fn the_schema_uses_known_words_only() {
    fn words(v: &serde_json::Value, schema: bool, out: &mut std::collections::BTreeSet<String>) {
        match v {
            serde_json::Value::Object(m) => {
                for (k, v) in m {
                    if schema {
                        out.insert(k.clone());
                    }
                    // Below these stand names of ours.
                    words(v, !schema || !matches!(k.as_str(), "properties" | "$defs" | "default"), out);
                }
            }
            serde_json::Value::Array(a) => a.iter().for_each(|v| words(v, schema, out)),
            _ => {}
        }
    }
    let mut out = Default::default();
    words(&serde_json::from_str(include_str!("../../schemas/profile.json")).unwrap(), true, &mut out);
    let known = "$defs $ref $schema additionalProperties anyOf const default description enum format items maximum minimum oneOf properties propertyNames required title type";
    for w in out {
        assert!(known.split(' ').any(|k| k == w), "{w}");
    }
}

#[test]
fn mistakes_of_a_readers_rules_are_told_at_once_each_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let text_of = shipped("keyence-sr");
    let write = |text: &str| {
        std::fs::write(dir.path().join("keyence-sr.toml"), text).unwrap();
        Profiles::load(Some(dir.path())).unwrap_err()
    };
    let lines = |text: &str, what: &[&str]| -> Vec<usize> {
        what.iter().map(|w| text[..text.find(w).unwrap_or_else(|| panic!("{w}"))].matches('\n').count() + 1).collect()
    };
    // The form.
    let text = text_of
        .replace("is = \"fault\"", "is = \"foult\"")
        .replace("unread = \"in-place\"", "unread = \"somewhere\"\ncolour = 1")
        .replace("timeout_ms = 1000", "timeout_ms = \"long\"");
    let e = write(&text);
    assert_eq!(
        e.iter().map(|c| c.line).collect::<Vec<_>>(),
        lines(&text, &["is = \"foult\"", "unread =", "colour", "timeout_ms = \"long\""]),
        "{e:?}"
    );
    // Its meaning.
    let text = text_of
        .replace("exact = [\"OVER\", \"NC\"]", "exact = [\"OVER\"]\nbegins = [\"NC\"]")
        .replace("example = \"OK,KEYENCE,SR-750,1.00\"", "example = \"NO\"")
        .replace("[settings.no_read]", "[settings.noread]")
        .replace("words = [\"cr\", \"stx-etx\", \"crlf\"]", "words = [\"cr\", \"etx\"]")
        .replace("on = \"LON\\r\"", "on = \"\"");
    let e = write(&text);
    let told: Vec<&str> = e.iter().map(|c| c.what.as_str()).collect();
    assert_eq!(e.len(), 5, "{told:?}");
    for w in ["settings.framing", "settings.noread", "reader.classify.2", "reader.trigger.on", "reader.probe.example"] {
        assert!(told.iter().any(|t| t.starts_with(w)), "{w}: {told:?}");
    }
}

/// `changes`: what is replaced in the shipped file, by what, and words of the complaint that follows.
fn refused(name: &str, changes: &[(&str, &str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    for (from, to, says) in changes {
        assert!(shipped(name).contains(from), "{from}");
        std::fs::write(dir.path().join(format!("{name}.toml")), shipped(name).replacen(from, to, 1)).unwrap();
        let all = Profiles::load(Some(dir.path())).expect_err(says);
        assert!(all.iter().any(|c| c.what.contains(says)), "{says}: {all:?}");
    }
}

#[test]
fn what_records_frames_and_standing_need_is_said() {
    refused(
        "leibinger-jet",
        &[
            ("read_back = \"last-record\"", "read_back = \"count\"", "read back by the command"),
            ("resume = [\"last-record\", \"status\"]", "resume = [\"status\"]", "only numbered records"),
            ("recover = [\"reset\", \"start\"]\n", "", "add sequences.recover"),
            ("mask = \"1FFFFFF\"", "mask = \"large\"", "a mask is hex"),
            ("\"last-record\", \"start\", \"status\"]", "\"start\", \"status\"]", "the next record's number"),
            (
                "[settings.first_record]\ntype = \"number\"\ndefault = 1\nleast = 0\nmost = 1",
                "[settings.first_record]\ntype = \"flag\"\ndefault = true",
                "first_record is a record's number",
            ),
        ],
    );
    refused(
        "keyence-mk",
        &[
            ("words = [\"cr\", \"stx-etx\"]", "words = [\"cr\", \"lf\"]", "nothing chooses"),
            ("forbidden = '02 03 0A 0D'", "forbidden = '02 0A 0D'", "the byte 03 ends it"),
            (
                "[settings.connect_per_command]\ntype = \"flag\"\ndefault = true",
                "[settings.connect_per_command]\ntype = \"text\"\ndefault = \"\"",
                "is yes or no",
            ),
        ],
    );
    refused(
        "linx-rci",
        &[
            ("words = [\"all-before-but-esc\", \"all-before\"]", "words = [\"all-before-but-esc\", \"all\"]", "coverages"),
            ("doubled_setting = \"double_esc\"", "doubled_setting = \"double\"", "there is no flag double"),
            ("doubled = 'ESC'", "doubled = 'ESC ESC'", "one byte is doubled"),
            ("standing = \"unverified\"\n", "", "add [commands.put-code]"),
            ("what = \"feed it", "default = true\nwhat = \"feed it", "not TOML"),
        ],
    );
    refused("tij-66", &[("confirmed_by = [\"queue-length\"]", "confirmed_by = [\"read\"]", "nothing tells when there is room")]);
    refused("markem-imaje-ngpcl", &[("on_empty = \"repeats\"", "on_empty = \"blank\"", "only a read tells")]);
}

/// An unverified profile that puts codes needs somebody's word.
#[test]
fn an_unverified_profile_feeds_only_where_somebody_says_so() {
    let put =
        "[commands.put-code]\nsend = '1D {code}'\nreplies = [{ from = \"ack\", is = '{p:u8}{c:u8} 1D', means = \"ok\" }]\n\n[sequences]";
    let clear = "[buffer]\nkind = \"overwrite\"";
    let text = shipped("linx-rci").replace("[sequences]", put).replace("[buffer]\nkind = \"fifo\"", clear);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("linx-rci.toml");
    std::fs::write(&file, &text).unwrap();
    let bind = |flag| {
        let given = [("accept_unverified".to_string(), Setting::Flag(flag))].into();
        Profiles::load(Some(dir.path())).unwrap_or_else(|e| panic!("{e:?}")).bind("linx-rci", &given).unwrap().unfit()
    };
    assert!(bind(false).is_some_and(|w| w.contains("accept_unverified")) && bind(true).is_none());
    let shipped_one = Profiles::load(None).unwrap().bind("linx-rci", &[("accept_unverified".into(), Setting::Flag(true))].into()).unwrap();
    assert!(shipped_one.unfit().is_some_and(|w| w.contains("watched only")), "it has nothing that puts a code");
    std::fs::write(&file, text.replace("[settings.accept_unverified]", "[settings.accept]")).unwrap();
    let without = Profiles::load(Some(dir.path())).unwrap().bind("linx-rci", &BTreeMap::new()).unwrap();
    assert!(without.unfit().is_some_and(|w| w.contains("add [settings.accept_unverified]")));
    std::fs::write(&file, text.replace("default = false\nwhat = \"feed", "default = true\nwhat = \"feed")).unwrap();
    assert!(Profiles::load(Some(dir.path())).unwrap_err()[0].what.contains("default = false"));
}

#[test]
fn all_mistakes_of_what_is_said_are_told_at_once_each_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("videojet-zipher.toml");
    let wrong = |changes: &[(&str, &str, &str)]| {
        let text = changes.iter().fold(shipped("videojet-zipher").to_string(), |t, (from, to, _)| {
            assert!(t.contains(from), "{from}");
            t.replacen(from, to, 1)
        });
        std::fs::write(&file, &text).unwrap();
        let all = Profiles::load(Some(dir.path())).unwrap_err();
        for (_, to, says) in changes {
            let line = text[..text.find(to).unwrap()].matches('\n').count() + 1;
            let found = all.iter().find(|c| c.what.contains(says)).unwrap_or_else(|| panic!("{says}: {all:?}"));
            assert!(line.abs_diff(found.line) <= 3, "{says}: line {line}, {found}");
        }
        all.len()
    };
    let meant: [(&str, &str, &str); 8] = [
        ("{setting.field}={code}", "{setting.fold}={code}", "no setting fold"),
        ("arm = [\"select-message\"", "arm = [\"select-massage\"", "select-massage is no step"),
        ("[\"event\", \"counter\"]", "[\"event\", \"last-text\"]", "no command last-text"),
        ("forbidden = '0D 0A \"|\"'", "forbidden = '0D 0A'", "the byte 7C ends it"),
        ("of = \"error\"", "of = \"eror\"", "{eror}"),
        ("'\"QLN\"'", "'\"QLN'", "closing quote"),
        ("is = '\"PRC\"'", "from = \"frame\"\nis = '\"PRC\"'", "no [[inbound]] named frame"),
        ("encoding = \"UTF-8\"", "encodings = \"UTF-8\"", "{encoding}"),
    ];
    assert_eq!(wrong(&meant), 8);
    let shaped: [(&str, &str, &str); 4] = [
        ("[commands.fill]", "[commands.full]", "no key full"),
        ("means = \"lacking\"", "means = \"lackin\"", "lackin"),
        ("form = \"line\"", "form = \"lines\"", "form is missing or wrong"),
        ("confirm_ms = 50", "confirm_ms = -1", "whole number, 0 or more"),
    ];
    assert_eq!(wrong(&shaped), 4);
}

#[test]
fn a_firmware_range_changes_commands_timeouts_and_sequences_and_is_held_to_the_same_rules() {
    let own = |firmware: &str| {
        let text = format!("name = \"own\"\nextends = \"videojet-zipher\"\nsource = \"here\"\n{firmware}");
        Profiles::check(None, vec![("own.toml".into(), text)])
    };
    let (good, wrong) = own("[[firmware]]\nbelow = \"1.13\"\nlacks = [\"arm-events\"]\nwhy = \"old\"\nreply_timeout_ms = 3000\n\
         [firmware.commands.start]\ntimeout_ms = 20000\n[firmware.commands.status]\nsend = '\"STAT\"'\n\
         [firmware.sequences]\narm = [\"select-message\", \"wait 5ms\", \"start\"]\n\
         [[firmware]]\nbelow = \"1.5\"\nwhy = \"older\"\n[firmware.commands.status]\nsend = '\"ST\"'\n");
    assert_eq!(wrong, []);
    let talk = good[0].talk.as_ref().unwrap();
    assert!(talk.of_firmware("1.13").is_none() && talk.of_firmware("VER 2.0").is_none());
    let (old, older) = (talk.of_firmware("1.7").unwrap(), talk.of_firmware("1.04").unwrap());
    let says = |t: &talk::Talk| t.commands[&printer::Role::Status].send.literal().unwrap();
    assert_eq!((says(talk), says(&old), says(&older)), (b"GST".to_vec(), b"STAT".to_vec(), b"ST".to_vec()));
    let ms = |t: &talk::Talk, role| t.commands[&role].timeout_ms;
    use printer::Role::{Clear, SelectMessage, Start};
    assert_eq!((ms(&old, Start), ms(&old, Clear), ms(&old, SelectMessage)), (20_000, 3_000, 5_000), "its own timeout stays");
    assert_eq!((old.arm.len(), old.clear.len(), talk.arm.len()), (3, 1, 6));
    assert_eq!(old.commands[&Start].replies.len(), talk.commands[&Start].replies.len());

    let (_, wrong) =
        own("[[firmware]]\nwhy = \"always\"\n[[firmware]]\nfrom = \"2\"\nwhy = \"x\"\n[firmware.commands.reset]\ntimeout_ms = 5\n\
         [firmware.commands.put-code]\nsend = '\"X\"'\n[firmware.sequences]\narm = [\"fly\"]\n");
    let told: Vec<&str> = wrong.iter().map(|c| c.what.as_str()).collect();
    for w in [
        "firmware.0: it holds for no range",
        "firmware.1.commands.reset: there is no [commands.reset] to change; add send",
        "firmware.1.commands.put-code: {code} is not sent",
        "firmware.1.sequences.arm: fly is no step",
    ] {
        assert!(told.iter().any(|t| t.contains(w)), "{w}: {told:?}");
    }
    let (_, wrong) = own("[[firmware]]\nfrom = \"2\"\nwhy = \"x\"\n[firmware.sequences]\nclear = [\"status\"]\n");
    assert!(wrong.len() == 1 && wrong[0].what.contains("firmware.0: clear_is_safe = true, but nothing clears"), "{wrong:?}");
    let (_, wrong) = own("[[firmware]]\nfrom = \"2\"\nwhy = \"x\"\n[firmware.sequences]\nconnect = [\"status\"]\n");
    assert!(wrong.len() == 1 && wrong[0].what.contains("no key connect; it has: arm, clear, disarm"), "{wrong:?}");
}
