//! Every shipped transcript against our side; every shipped profile has one.

use super::*;
use crate::profile::Profiles;
use crate::wire::{Place, Points, converse_at};
use std::collections::BTreeSet;
use std::path::Path;

fn shipped() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts");
    let mut all: Vec<(String, String)> = std::fs::read_dir(dir)
        .expect("transcripts are shipped")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|x| x == "txt"))
        .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&p).expect("utf-8")))
        .collect();
    all.sort();
    all
}

fn play(text: &str) -> Result<Transcript, String> {
    let all = Profiles::load(None).expect("shipped profiles load");
    let t = Transcript::parse(text).map_err(|w| w.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let bound = all.bind(&t.profile, &t.settings()).map_err(|e| e.join("; "))?;
    let place = Place { serial: t.serial, baud: 0, points: Points { inputs: t.inputs.clone(), counters: t.counters.clone() } };
    t.replay(&mut *converse_at(&bound, place)).map_err(|w| w.to_string())?;
    Ok(t)
}

#[test]
fn our_side_keeps_to_every_shipped_transcript() {
    let mut wrong = Vec::new();
    let mut played = BTreeSet::new();
    for (file, text) in shipped() {
        match play(&text) {
            Ok(t) => drop(played.insert(t.profile)),
            Err(e) => wrong.push(format!("{file}: {e}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let profiles: BTreeSet<String> = Profiles::load(None).unwrap().names().map(Into::into).collect();
    assert_eq!(played, profiles, "every shipped profile has a transcript");
}

const HEAD: &str = "# profile: domino-codenet\n# settings: ack_char=A\n# source: here\n# from: computed\n";

#[test]
fn a_wrong_byte_or_report_is_found_with_its_line() {
    let good = format!("{HEAD}! opened\n> 1B \"A?\" 04\n< 1B \"A01\" 04\n! up 01\n");
    play(&good).unwrap();
    for (from, to, line) in [("\"A?\"", "\"B?\"", "line 6"), ("up 01", "up 02", "line 8"), ("! up 01\n", "! up 01\n! ready\n", "line 9")] {
        let e = play(&good.replace(from, to)).unwrap_err();
        assert!(e.starts_with(line), "{e}");
    }
    let e = play(&good.replace("> 1B \"A?\" 04\n", "")).unwrap_err();
    assert!(e.contains("also did: send"), "{e}");
}

#[test]
fn a_broken_transcript_names_all_its_mistakes() {
    let wrong = Transcript::parse("# from: nowhere\n> 1B4\n? x\n< \"open\n+5s\n! order fly\n").unwrap_err();
    assert_eq!(wrong.iter().map(|w| w.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 1, 1], "{wrong:?}");
}

/// The very bytes that a printer of an older firmware is told, and those of any other.
#[test]
fn a_firmware_is_spoken_to_as_its_range_says() {
    let dir = tempfile::tempdir().unwrap();
    let text = "name = \"own\"\nextends = \"videojet-zipher\"\nsource = \"here\"\n[[firmware]]\nbelow = \"1.13\"\nwhy = \"old\"\n\
                [firmware.commands.clear]\nsend = '\"OLDCQI\"'\ntimeout_ms = 4000\n[firmware.sequences]\narm = [\"clear\"]\n";
    std::fs::write(dir.path().join("own.toml"), text).unwrap();
    let bound = Profiles::load(Some(dir.path())).unwrap().bind("own", &BTreeMap::new()).unwrap();
    let head = "# profile: own\n# source: here\n# from: computed\n";
    let begin = |version: &str| format!("! opened\n> 0D\n> \"VER\\r\"\n< \"VER|{version}|A|\\r\"\n! up {version}\n");
    let old = begin("1.04") + "! order arm\n> \"OLDCQI\\r\"\n+3900ms\n< \"ACK\\r\"\n! ready cleared\n! closed\n! down\n";
    // The same conversation with a newer one afterwards, armed still: nothing of the old is left.
    let new = begin("1.28") + "> \"CQI\\r\"\n< \"ACK\\r\"\n> \"QLN\\r\"\n";
    let t = Transcript::parse(&format!("{head}{old}{new}")).unwrap_or_else(|e| panic!("{e:?}"));
    t.replay(&mut *converse_at(&bound, Place::default())).unwrap_or_else(|e| panic!("{e}"));
}
