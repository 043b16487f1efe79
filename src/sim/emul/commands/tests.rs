//! Every shipped transcript of a `commands` profile against the simulated printer: what the document says it answers.

use super::*;
use crate::profile::{Dialect, Profiles};
use crate::wire::transcript::{AtDevice, Step, Transcript};
use std::path::Path;

fn shipped() -> Vec<(String, Transcript)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-profiles/transcripts");
    let mut all = Vec::new();
    for e in std::fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        all.push((path.file_name().unwrap().to_string_lossy().into_owned(), Transcript::parse(&text).unwrap()));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The simulated printer, and what it said that the transcript has not asked for yet.
struct Stand {
    printer: Commands,
    now_us: u64,
    said: Vec<u8>,
}

impl Stand {
    fn pass(&mut self, us: u64) {
        let end = self.now_us + us;
        while let Some(due) = self.printer.deadline().filter(|d| *d <= end) {
            self.now_us = self.now_us.max(due);
            self.printer.due(self.now_us);
            while let Some((_, emission)) = self.printer.poll() {
                if let Emission::Send(bytes) = emission {
                    self.said.extend(bytes);
                }
            }
        }
        self.now_us = end;
    }

    fn play(&mut self, t: &Transcript) -> Result<(), String> {
        for (line, step) in &t.steps {
            let wrong = |what: String| Err(format!("line {line}: {what}"));
            match step {
                Step::Opened => {
                    self.said.clear();
                    self.printer.connected(Link::FIRST, self.now_us);
                }
                Step::Closed => self.printer.disconnected(Link::FIRST, self.now_us),
                Step::Host(bytes) => {
                    if !self.said.is_empty() {
                        return wrong(format!("before this the printer also said \"{}\"", self.said.escape_ascii()));
                    }
                    self.printer.received(Link::FIRST, bytes, self.now_us);
                }
                Step::Device(bytes) => {
                    self.pass(10 * MS);
                    match self.said.strip_prefix(bytes.as_slice()) {
                        Some(rest) => self.said = rest.to_vec(),
                        None => return wrong(format!("the printer said \"{}\"", self.said.escape_ascii())),
                    }
                }
                Step::Wait { us } => self.pass(*us),
                Step::At(AtDevice::Thing) => drop(self.printer.print(self.now_us)),
                Step::At(AtDevice::Count(n)) => self.printer.set_count(*n),
                Step::At(AtDevice::Refuse) => self.printer.trouble(Trouble::Refuse, self.now_us),
                Step::At(AtDevice::Silence) => self.printer.trouble(Trouble::Silence, self.now_us),
                Step::At(AtDevice::Double) => self.printer.trouble(Trouble::DoubleAck, self.now_us),
                Step::At(AtDevice::Fault { ms }) => self.printer.trouble(Trouble::Fault { ms: *ms }, self.now_us),
                Step::At(AtDevice::Stands { .. }) => return wrong("only a label printer stands so".into()),
                Step::Order(_) | Step::Expect(_) | Step::HangUp => {}
            }
        }
        self.pass(100 * MS);
        if self.said.is_empty() { Ok(()) } else { Err(format!("at the end the printer also said \"{}\"", self.said.escape_ascii())) }
    }
}

#[test]
fn the_simulated_printers_keep_to_every_shipped_transcript() {
    let profiles = Profiles::load(None).unwrap_or_else(|e| panic!("{e:?}"));
    let (mut wrong, mut played) = (Vec::new(), 0);
    for (file, t) in shipped() {
        let bound = profiles.bind(&t.profile, &t.settings()).unwrap_or_else(|e| panic!("{file}: {e:?}"));
        if bound.profile.dialect != Dialect::Commands || t.host_only {
            continue;
        }
        played += 1;
        let mut stand = Stand { printer: Commands::new(&bound, Vec::new(), Rng::new(3)), now_us: 1_000_000, said: Vec::new() };
        wrong.extend(stand.play(&t).err().map(|e| format!("{file}: {e}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played >= 6, "only {played} transcripts");
}
