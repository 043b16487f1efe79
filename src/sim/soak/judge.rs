//! The soak's auditor: what left for the printer, what got ink, what was credited. It is told bytes and names and nothing
//! else; it shares no code with the conversations, the profiles' reader or the simulated printers.
//!
//! Must never know: framings, checksums, patterns. It finds a code in whatever surrounds it, because no two codes and no
//! other request look like one.

use std::collections::{BTreeMap, BTreeSet};

/// A code's text begins and ends so; between stand seven digits.
const BEGIN: &[u8] = b"ZK";
const END: u8 = b'X';
const DIGITS: usize = 7;

/// The code with this number.
pub fn text(n: u32) -> Vec<u8> {
    format!("ZK{n:07}X").into_bytes()
}

/// The codes that stand in these bytes. Bytes of zero are passed over: some wires give a character two or four bytes.
fn codes_in(bytes: &[u8]) -> Vec<u32> {
    let plain: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
    let long = BEGIN.len() + DIGITS + 1;
    let number = |w: &[u8]| {
        let digits = w.strip_prefix(BEGIN)?.strip_suffix(&[END])?;
        digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
    };
    plain.windows(long).filter_map(number).collect()
}

/// What a profile's file says of its printer, read as text.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    pub depth: usize,
    /// A refused code was not taken, and may leave again.
    pub refusal_means_not_taken: bool,
    /// Bytes that are in every refusal of it.
    pub refusal: &'static [u8],
    /// With nothing new it prints its last code again.
    pub repeats: bool,
    /// One request names its code more than once (a label: as symbol and as text).
    pub label: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub sent: u64,
    /// Codes that got ink.
    pub inked: u64,
    /// Things on which a printer put a code that an earlier thing has.
    pub repeated: u64,
    pub credited: u64,
    /// Credited by what the printer could tell after it was lost.
    pub reconciled: u64,
    /// Seen by the reader behind it, where nothing else tells.
    pub read: u64,
    pub doubtful: u64,
    pub refused: u64,
}

pub struct Judge {
    declared: Declared,
    pub tally: Tally,
    /// Of each code that left: how many refusals had been heard by then.
    left: BTreeMap<u32, u64>,
    inked: BTreeSet<u32>,
    settled: BTreeSet<u32>,
    last_credited: Option<u32>,
    /// Left since the printer was last ready, and not inked.
    window: BTreeSet<u32>,
    widest: usize,
    tail: Vec<u8>,
    heard: Vec<u8>,
    pub wrong: Vec<String>,
}

impl Judge {
    pub fn new(declared: Declared) -> Self {
        Self {
            declared,
            tally: Tally::default(),
            left: BTreeMap::new(),
            inked: BTreeSet::new(),
            settled: BTreeSet::new(),
            last_credited: None,
            window: BTreeSet::new(),
            widest: 0,
            tail: Vec::new(),
            heard: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn blame(&mut self, what: String) {
        if self.wrong.len() < 20 {
            self.wrong.push(what);
        }
    }

    /// Bytes left for the printer, whether they arrive or not.
    pub fn left(&mut self, bytes: &[u8]) {
        // A code may be parted over two sendings.
        let seam = self.tail.len();
        self.tail.extend(bytes);
        let all = std::mem::take(&mut self.tail);
        let fresh = codes_in(&all);
        let old = codes_in(&all[..seam]);
        self.tail = all[all.len() - all.len().min(64)..].to_vec();
        let mut one_request = BTreeSet::new();
        for n in fresh.into_iter().skip(old.len()) {
            if self.declared.label && !one_request.insert(n) {
                continue;
            }
            self.offered(n);
        }
    }

    fn offered(&mut self, n: u32) {
        let refusals = self.tally.refused;
        match self.left.insert(n, refusals) {
            None => self.tally.sent += 1,
            Some(before) if self.declared.refusal_means_not_taken && before < refusals && !self.inked.contains(&n) => {}
            Some(_) => self.blame(format!("code {n} left a second time")),
        }
        if self.settled.contains(&n) {
            self.blame(format!("code {n} left although its fate was settled"));
        }
        self.window.insert(n);
        self.widest = self.widest.max(self.window.len());
        // One that is refused is on its way beside those inside.
        let bound = self.declared.depth + usize::from(self.declared.refusal_means_not_taken);
        if self.window.len() > bound {
            self.blame(format!("{} codes in a window of {bound}: {:?}", self.window.len(), self.window));
        }
    }

    /// Bytes of the printer reached the host.
    pub fn heard(&mut self, bytes: &[u8]) {
        let signature = self.declared.refusal;
        if signature.is_empty() {
            return;
        }
        let seam = (signature.len() - 1).min(self.heard.len());
        let all = [&self.heard[self.heard.len() - seam..], bytes].concat();
        self.tally.refused += all.windows(signature.len()).filter(|w| *w == signature).count() as u64;
        self.heard = all;
    }

    /// A thing passed: the code that it carries now.
    pub fn ink(&mut self, bytes: &[u8]) -> Option<u32> {
        let [n] = codes_in(bytes)[..] else {
            self.blame(format!("ink that is no code: \"{}\"", bytes.escape_ascii()));
            return None;
        };
        if bytes != text(n) {
            self.blame(format!("code {n} was inked as \"{}\"", bytes.escape_ascii()));
        }
        if !self.left.contains_key(&n) {
            self.blame(format!("code {n} was inked and never left"));
        }
        if self.inked.insert(n) {
            self.tally.inked += 1;
        } else if self.declared.repeats {
            self.tally.repeated += 1;
        } else {
            self.blame(format!("code {n} was inked twice"));
        }
        self.window.remove(&n);
        Some(n)
    }

    /// The reader saw it.
    pub fn read(&mut self, n: u32) {
        if !self.inked.contains(&n) || !self.settled.insert(n) {
            self.blame(format!("code {n} was read without ink, or after its fate was settled"));
        }
        self.tally.read += 1;
    }

    /// The host says that this one was printed.
    pub fn credited(&mut self, n: u32, by_word: bool) {
        if !self.inked.contains(&n) {
            self.blame(format!("code {n} was credited and has no ink"));
        }
        if !self.settled.insert(n) {
            self.blame(format!("code {n} was credited although its fate was settled"));
        }
        if self.last_credited.is_some_and(|l| l >= n) {
            self.blame(format!("code {n} was credited after {:?}", self.last_credited));
        }
        self.last_credited = Some(n);
        self.tally.credited += 1;
        self.tally.reconciled += u64::from(by_word);
    }

    pub fn doubted(&mut self, n: u32) {
        if !self.settled.insert(n) {
            self.blame(format!("code {n} was doubted although its fate was settled"));
        }
        self.tally.doubtful += 1;
    }

    /// The printer was adopted: `kept` of what left before is in it still.
    pub fn adopted(&mut self, kept: &[u32]) {
        self.window.retain(|n| kept.contains(n));
    }

    pub fn widest(&self) -> usize {
        self.widest
    }
}

/// The auditor is held to its own word.
#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Declared = Declared { depth: 2, refusal_means_not_taken: false, refusal: &[], repeats: false, label: false };

    fn judged(declared: Declared, play: impl Fn(&mut Judge)) -> Vec<String> {
        let mut j = Judge::new(declared);
        play(&mut j);
        j.wrong
    }

    #[test]
    fn each_broken_rule_is_noticed() {
        let put = |j: &mut Judge, n: u32| j.left(&[b"\x02U", &text(n)[..], b"\x03"].concat());
        let good = |j: &mut Judge| {
            put(j, 1);
            put(j, 2);
            j.ink(&text(1));
            j.credited(1, false);
            j.doubted(2);
        };
        assert_eq!(judged(STRICT, good), [""; 0]);
        type Play<'a> = &'a dyn Fn(&mut Judge);
        let cases: [(&str, Play<'_>); 10] = [
            ("left a second time", &|j| {
                put(j, 1);
                put(j, 1);
            }),
            ("left a second time", &|j| {
                put(j, 1);
                j.doubted(1);
                put(j, 1);
            }),
            ("in a window of 2", &|j| (1..4).for_each(|n| put(j, n))),
            ("has no ink", &|j| {
                put(j, 1);
                j.credited(1, false);
            }),
            ("never left", &|j| assert_eq!(j.ink(&text(1)), Some(1))),
            ("inked twice", &|j| {
                put(j, 1);
                j.ink(&text(1));
                j.ink(&text(1));
            }),
            ("credited after", &|j| {
                put(j, 1);
                put(j, 2);
                j.ink(&text(1));
                j.ink(&text(2));
                j.credited(2, false);
                j.credited(1, false);
            }),
            ("fate was settled", &|j| {
                put(j, 1);
                j.ink(&text(1));
                j.doubted(1);
                j.credited(1, true);
            }),
            ("inked as", &|j| {
                put(j, 1);
                j.ink(&[&text(1)[..], b"!"].concat());
            }),
            ("no code", &|j| assert_eq!(j.ink(b"?"), None)),
        ];
        for (what, play) in cases {
            let wrong = judged(STRICT, play);
            assert!(wrong.iter().any(|w| w.contains(what)), "{what}: {wrong:?}");
        }
    }

    #[test]
    fn a_refused_code_may_leave_again_and_a_parted_or_widened_one_is_found() {
        let patient = Declared { refusal_means_not_taken: true, refusal: b"\x15", ..STRICT };
        let again = |refused: bool| {
            judged(patient, |j| {
                j.left(&text(1));
                if refused {
                    j.heard(b"\x15000");
                }
                j.left(&text(1));
            })
        };
        assert!(again(true).is_empty());
        assert_eq!(again(false).len(), 1);
        let (first, second) = (text(7)[..4].to_vec(), text(7)[4..].to_vec());
        let wide: Vec<u8> = text(8).iter().flat_map(|b| [0, 0, 0, *b]).collect();
        let mut j = Judge::new(STRICT);
        [first, second, wide].iter().for_each(|b| j.left(b));
        assert_eq!((j.tally.sent, j.wrong.len()), (2, 0));
    }
}
