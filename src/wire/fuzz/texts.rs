//! The texts that an integrator writes, damaged: profiles and transcripts are read or refused, never a panic, and what is
//! refused is told with a line of the file.

use crate::profile::Profiles;
use crate::vocab::rng::Rng;
use crate::wire::transcript::{Step, Transcript};
use crate::wire::{Place, converse_at};
use std::path::{Path, PathBuf};

fn files(under: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles").join(under);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|p| std::fs::read_to_string(p).unwrap()).collect()
}

/// A line gone, doubled, moved or from another file; characters changed, taken out, put in.
fn damaged(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    for _ in 0..1 + rng.below(2) {
        let at = rng.below(lines.len() as u64) as usize;
        match rng.below(6) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let to = rng.below(lines.len() as u64) as usize;
                lines.swap(at, to);
            }
            3 => {
                let theirs: Vec<&str> = other.lines().collect();
                lines.insert(at, theirs[rng.below(theirs.len() as u64) as usize].into());
            }
            _ => {
                let mut chars: Vec<char> = lines[at].chars().collect();
                let i = rng.below(chars.len() as u64 + 1) as usize;
                let c = ['"', '\'', '\\', '{', '}', '[', ']', '=', '0', '9', '-', '+', ' ', '\u{1d}', 'é', '#'][rng.below(16) as usize];
                match rng.below(3) {
                    0 if i < chars.len() => drop(chars.remove(i)),
                    1 if i < chars.len() => chars[i] = c,
                    _ => chars.insert(i, c),
                }
                lines[at] = chars.into_iter().collect();
            }
        }
    }
    lines.join("\n")
}

#[test]
fn damaged_profiles_are_read_or_refused_with_a_line() {
    let texts: Vec<String> = ["printers", "readers", "io"].iter().flat_map(|d| files(d)).collect();
    let (mut rng, mut read, mut refused) = (Rng::new(61), 0, 0);
    for round in 0..1_500 {
        let other = &texts[rng.below(texts.len() as u64) as usize];
        let text = damaged(&texts[round % texts.len()], other, &mut rng);
        let (good, wrong) = Profiles::check(None, vec![("-".into(), text.clone())]);
        assert!(good.len() + usize::from(!wrong.is_empty()) == 1, "either, not both: {wrong:?}\n{text}");
        read += good.len();
        refused += usize::from(!wrong.is_empty());
        let lines = text.lines().count() + 1;
        assert!(wrong.iter().all(|c| (1..=lines).contains(&c.line) && !c.what.is_empty()), "{wrong:?}");
    }
    assert!(read > 50 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn damaged_transcripts_are_played_or_refused_with_a_line() {
    let (profiles, texts) = (Profiles::load(None).unwrap(), files("transcripts"));
    let (mut rng, mut played, mut refused) = (Rng::new(62), 0, 0);
    for round in 0..1_500 {
        let other = &texts[rng.below(texts.len() as u64) as usize];
        let text = damaged(&texts[round % texts.len()], other, &mut rng);
        let t = match Transcript::parse(&text) {
            Ok(t) => t,
            Err(wrong) => {
                refused += 1;
                let lines = text.lines().count();
                assert!(!wrong.is_empty() && wrong.iter().all(|w| (1..=lines).contains(&w.line)), "{wrong:?}");
                continue;
            }
        };
        let waits: u64 = t.steps.iter().map(|(_, s)| if let Step::Wait { us } = s { *us } else { 0 }).sum();
        let Ok(bound) = profiles.bind(&t.profile, &t.settings()) else { continue };
        if waits < 60_000_000 {
            played += 1;
            let lines = t.walk(&mut *converse_at(&bound, Place { serial: t.serial, ..Place::default() }));
            let last = text.lines().count();
            assert!(lines.iter().all(|l| l.line <= last));
        }
    }
    assert!(played > 100 && refused > 100, "{played} played, {refused} refused");
}
