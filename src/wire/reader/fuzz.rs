//! Every reader profile against random, mutated, glued and split bytes: no panic, bounded memory, at most one answer a frame,
//! and no code that was not in the stream.
//!
//! `PACKMARK_FUZZ_BYTES=10000000 cargo test --lib fuzz` is the long run.

use crate::profile::Profiles;
use crate::profile::reader::{Charset, Handshake};
use crate::vocab::plan::Setting;
use crate::vocab::report::{Field, Frame};
use crate::vocab::rng::Rng;
use crate::vocab::{Order, Report};
use crate::wire::fuzz::bytes_wanted;
use crate::wire::transcript::{Step, Transcript};
use crate::wire::{Action, Place, converse_at};
use std::collections::BTreeMap;

/// The stream's newest bytes, where a code must have stood.
const REMEMBERED: usize = 96 * 1024;

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..1 + rng.below(3) {
        let i = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(5) {
            0 if i < bytes.len() => bytes[i] ^= 1 << rng.below(8),
            1 if i < bytes.len() => drop(bytes.remove(i)),
            2 => bytes.insert(i, [0x02, 0x03, 0x0d, 0x0a, 0x1d, b'{', b'}', b'"', 0, 0xff][rng.below(10) as usize]),
            3 => bytes.truncate(i),
            _ => {
                let again = bytes[i..].to_vec();
                bytes.extend(again);
            }
        }
    }
    bytes.truncate(600);
}

fn torment(profile: &str, given: &BTreeMap<String, Setting>, phrases: &[Vec<u8>], seed: u64) -> (u32, u32) {
    let bound = Profiles::load(None).unwrap().bind(profile, given).unwrap();
    let rules = bound.reader.clone();
    let mut host = converse_at(&bound, Place::default());
    let (mut rng, mut now_us, mut fed) = (Rng::new(seed), 1_000_000, 0);
    let (mut stream, mut told, mut sent, mut codes) = (Vec::<u8>::new(), 0, 0, 0);
    // What a code is made from is not its own bytes: a keyboard's keys, base64.
    let literal = profile != "keyboard-wedge" && rules.classify.iter().all(|r| r.text != Some(Charset::Base64));
    host.opened(now_us);
    if let Some(p) = phrases.first().filter(|_| rules.probe.is_some()) {
        host.received(p, now_us);
    }
    let wanted = bytes_wanted(200_000);
    while fed < wanted {
        now_us += if rng.chance(100_000) { rng.below(1_500_000) } else { rng.below(3_000) };
        let mut hung_up = false;
        for _ in 0..50 {
            let Some(d) = host.deadline().filter(|d| *d <= now_us) else { break };
            host.due(d.max(now_us));
        }
        let mut actions = 0;
        while let Some(a) = host.poll() {
            actions += 1;
            assert!(actions < 20_000, "what is to be done at once is bounded");
            match a {
                Action::Send(_) => sent += 1,
                Action::Command(_) => {}
                Action::HangUp { .. } => hung_up = true,
                Action::Tell(Report::Noise { bytes, count }) => assert!(bytes.len() <= 256 && bytes.len() as u32 <= count),
                Action::Tell(Report::Frame(f)) => {
                    told += 1;
                    if let Frame::Data(fields) = f {
                        codes += fields.len() as u32;
                        for field in fields.iter().filter(|_| literal) {
                            let (Field::Code(c) | Field::Graded { code: c, .. }) = field else { continue };
                            stood(c, &stream, &rules.layout.json_codes);
                        }
                    }
                }
                Action::Tell(_) => {}
            }
        }
        assert!(host.deadline().is_none_or(|d| d > now_us), "due again and again without end");
        if hung_up || rng.chance(300) {
            host.closed(now_us, "fuzz");
            while host.poll().is_some() {}
            host.opened(now_us);
            // A probe is answered, so that the torment goes on.
            if let Some(p) = phrases.first().filter(|_| rules.probe.is_some()) {
                host.received(p, now_us);
            }
            continue;
        }
        match rng.below(12) {
            0 => host.ordered(Order::Trigger { window_ms: 1 + rng.below(300) as u32 }, now_us),
            1 => host.ordered(Order::Verdict { good: rng.chance(500_000), frame_us: now_us - rng.below(2_000) }, now_us),
            _ => {
                let mut bytes: Vec<u8> = match rng.below(8) {
                    0 => (0..rng.below(60)).map(|_| rng.below(256) as u8).collect(),
                    1 => vec![phrases[0].first().copied().unwrap_or(0); rng.below(300) as usize],
                    _ => phrases[rng.below(phrases.len() as u64) as usize].clone(),
                };
                if rng.chance(200_000) {
                    mutate(&mut bytes, &mut rng);
                }
                fed += bytes.len();
                stream.extend(&bytes);
                if stream.len() > 2 * REMEMBERED {
                    stream.drain(..REMEMBERED);
                }
                let half = if rng.chance(200_000) { rng.below(bytes.len() as u64 + 1) as usize } else { 0 };
                host.received(&bytes[..half], now_us);
                host.received(&bytes[half..], now_us);
            }
        }
    }
    match rules.handshake {
        Handshake::None => assert_eq!(sent, 0, "nobody asked for an answer"),
        Handshake::Verdict { .. } => assert!(sent <= told, "{sent} answers to {told} frames"),
        Handshake::Ack { .. } | Handshake::Ssi => {}
    }
    (told, codes)
}

/// The code's bytes stood in the stream, but for an identifier that we put before them and bytes that are taken out.
fn stood(code: &[u8], stream: &[u8], json: &str) {
    let bare = if code.starts_with(b"]") && code.len() > 3 { &code[3..] } else { code };
    let within = |needle: &[u8], hay: &[u8]| needle.is_empty() || memchr::memmem::find(hay, needle).is_some();
    if within(bare, stream) || within(code, stream) {
        return;
    }
    let without: Vec<u8> = stream.iter().copied().filter(|b| *b != 0).collect();
    // In JSON a character may be written in several ways.
    let escaped = !json.is_empty() && (code.iter().any(|b| b"\"\\/".contains(b) || *b < 0x20 || *b > 0x7e) || stream.contains(&b'\\'));
    assert!(within(bare, &without) || escaped, "{} was never in the stream", code.escape_ascii());
}

#[test]
fn every_reader_profile_survives_anything() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts");
    let mut runs = Vec::new();
    let all = Profiles::load(None).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for path in files {
        let Ok(t) = Transcript::parse(&std::fs::read_to_string(path).unwrap()) else { continue };
        if all.bind(&t.profile, &BTreeMap::new()).is_ok_and(|b| b.profile.reader.is_none()) {
            continue;
        }
        let value = |v: &str| match v {
            "true" => Setting::Flag(true),
            "false" => Setting::Flag(false),
            v => v.parse().map_or_else(|_| Setting::Text(v.into()), Setting::Number),
        };
        let given: BTreeMap<String, Setting> = t.settings.iter().map(|(k, v)| (k.clone(), value(v))).collect();
        let phrases: Vec<Vec<u8>> = t.steps.into_iter().filter_map(|(_, s)| if let Step::Device(b) = s { Some(b) } else { None }).collect();
        runs.push((t.profile, given, phrases));
    }
    assert!(runs.len() > 20);
    let mut all_codes: BTreeMap<&String, u32> = BTreeMap::new();
    for (i, (profile, given, phrases)) in runs.iter().enumerate() {
        let (told, codes) = torment(profile, given, phrases, 100 + i as u64);
        // The torment must reach deep enough to mean something.
        assert!(told > 15, "{profile} {given:?}: only {told} frames");
        *all_codes.entry(profile).or_insert(0) += codes;
    }
    assert!(all_codes.values().all(|n| *n > 15), "{all_codes:?}");
    let readers = all.iter().filter(|p| p.reader.is_some()).map(|p| &p.name);
    assert!(readers.eq(all_codes.into_keys()), "every shipped reader is tormented");
}
