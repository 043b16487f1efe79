//! Label printers on their raw port: labels in any pieces, questions about their state between and inside them.
//!
//! They take labels in order, one at a time, 150–400 ms each; a copy count makes as many labels. What matters of a label
//! is what a scanner would read from its first barcode. What a language looks like stands in the file of its name, written
//! from its manual; one that is not here is read by the templates of its profile (`templates.rs`).

mod ampersand;
mod dpl;
mod ezpl;
mod jscript;
mod sbpl;
mod templates;
mod tspl;
mod zpl;

use super::outbox::Outbox;
use super::{DeviceSide, Emission, Link};
use crate::profile::Bound;
use crate::profile::label::LabelLanguage;
use crate::sim::bench::{Stand, Trouble};
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use std::collections::VecDeque;
use std::fmt::Debug;

/// Longest command with its data; a longer one is cut.
const LONGEST_COMMAND: usize = 4_096;
/// Labels its receive buffer holds; further ones are lost (a real one stops the flow).
const MOST_LABELS: usize = 64;
/// Copies of one label.
const MOST_COPIES: u32 = 100;

/// A printed label, as a scanner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The content of its symbol as transmitted: without a leading FNC1, with GS for later ones.
    pub symbol: Vec<u8>,
    /// The symbol begins with FNC1: its content is GS1 element strings.
    pub gs1: bool,
}

impl Label {
    /// The code: an SSCC's 18 digits, anything else as it is.
    pub fn code(&self) -> &[u8] {
        match self.symbol.strip_prefix(b"00") {
            Some(digits) if self.gs1 && digits.len() == 18 && digits.iter().all(u8::is_ascii_digit) => digits,
            _ => &self.symbol,
        }
    }
}

/// Collects transmitted bytes: the first FNC1 says GS1, a later one is GS.
#[derive(Default)]
struct Transmitted {
    bytes: Vec<u8>,
    gs1: bool,
}

impl Transmitted {
    const GS: u8 = 0x1d;

    fn fnc1(&mut self) {
        if self.bytes.is_empty() { self.gs1 = true } else { self.bytes.push(Self::GS) }
    }

    fn label(self) -> Option<Label> {
        (!self.bytes.is_empty()).then_some(Label { symbol: self.bytes, gs1: self.gs1 })
    }
}

/// A label as its language had it.
#[derive(Clone, Debug, Default)]
struct Job {
    /// One without a barcode is not seen by anybody.
    label: Option<Label>,
    copies: u32,
}

/// What a language makes of the bytes.
#[derive(Clone, Debug)]
enum Heard {
    Job(Job),
    /// A question, numbered by the language.
    Ask(u8),
    /// Everything that waits is forgotten.
    Cancel,
}

/// How the printer is.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    fault: Option<Stand>,
    /// Labels that wait behind the one being printed.
    waiting: u32,
    /// Copies of the one being printed.
    remaining: u32,
}

impl State {
    fn is(&self, stand: Stand) -> bool {
        self.fault == Some(stand)
    }

    /// Labels that are still to come.
    fn left(&self) -> u32 {
        self.waiting + self.remaining
    }
}

/// A language of label printers, from its manual.
trait Language: Debug + Send {
    fn push(&mut self, byte: u8, heard: &mut Vec<Heard>);
    /// The answer to a question; empty: it is not answered now.
    fn answer(&mut self, question: u8, state: &State) -> Vec<u8>;
    /// Power is gone, and with it what it had half heard.
    fn forget(&mut self);
    /// What it says by itself of a label that was received whole, where it does.
    fn acknowledges(&self, _taken: bool) -> &'static [u8] {
        b""
    }
}

#[derive(Debug)]
pub struct LabelPrinter {
    language: Box<dyn Language>,
    rng: Rng,
    out: Outbox,
    link: Option<Link>,
    /// When the last thing it said leaves: nothing overtakes it.
    said_us: u64,
    waiting: VecDeque<Job>,
    /// The label being printed, copies still to come, and when the present one is out.
    printing: Option<(Job, u32, u64)>,
    tray: VecDeque<Label>,
    fault: Option<(Stand, u64)>,
    silence: bool,
    refuse: bool,
    /// Labels come out when they are told to only.
    by_hand: bool,
}

impl LabelPrinter {
    /// `templates`: the labels that its stations have, for a language that only its profile knows.
    ///
    /// # Panics
    /// For a profile of another dialect.
    pub fn new(bound: &Bound, templates: Vec<String>, rng: Rng) -> Self {
        let talk = bound.profile.talk.clone().expect("a profile of the dialect label was read with its talk");
        let form = talk.label.clone().expect("a profile of the dialect label says what stands on its labels");
        let language: Box<dyn Language> = match form.language {
            Some(LabelLanguage::Zpl) => Box::<zpl::Zpl>::default(),
            Some(LabelLanguage::Sbpl) => Box::<sbpl::Sbpl>::default(),
            Some(LabelLanguage::Tspl) => Box::<tspl::Tspl>::default(),
            Some(LabelLanguage::Jscript) => Box::<jscript::Jscript>::default(),
            Some(LabelLanguage::Dpl) => Box::<dpl::Dpl>::default(),
            Some(LabelLanguage::Ezpl) => Box::<ezpl::Ezpl>::default(),
            None => Box::new(templates::Templates::new(bound, templates)),
        };
        Self {
            language,
            rng,
            out: Outbox::default(),
            link: None,
            said_us: 0,
            waiting: VecDeque::new(),
            printing: None,
            tray: VecDeque::new(),
            fault: None,
            silence: false,
            refuse: false,
            by_hand: false,
        }
    }

    /// From now on a label comes out when [`Self::come_out`] says so, and not before.
    pub fn by_hand(&mut self) {
        self.by_hand = true;
    }

    /// The label being printed is out now.
    pub fn come_out(&mut self, now_us: u64) {
        if let Some((_, _, out_us)) = &mut self.printing {
            *out_us = now_us;
        }
        self.work(now_us);
    }

    /// The next label that has come out; each is taken once. One without a symbol is not seen by anybody.
    pub fn take_label(&mut self, now_us: u64) -> Option<Label> {
        self.work(now_us);
        self.tray.pop_front()
    }

    fn faulty(&self, now_us: u64) -> Option<Stand> {
        self.fault.filter(|f| now_us < f.1).map(|f| f.0)
    }

    /// Prints what is due. A fault stands between two labels: the one in progress begins anew afterwards.
    fn work(&mut self, now_us: u64) {
        loop {
            if self.faulty(now_us).is_some() {
                return;
            }
            let began_us = match self.printing.as_ref() {
                Some((_, _, out_us)) if *out_us > now_us => return,
                Some((_, _, out_us)) => {
                    let out_us = *out_us;
                    let (job, copies, _) = self.printing.take().expect("just seen");
                    if self.tray.len() < MOST_LABELS {
                        self.tray.extend(job.label.clone());
                    }
                    if copies > 1 {
                        self.start(job, copies - 1, out_us);
                    }
                    out_us
                }
                None => now_us,
            };
            if self.printing.is_none() {
                let Some(next) = self.waiting.pop_front() else { return };
                let copies = next.copies;
                self.start(next, copies, began_us);
            }
        }
    }

    fn start(&mut self, job: Job, copies: u32, at_us: u64) {
        let out_us = if self.by_hand { u64::MAX } else { at_us + 150 * MS + self.rng.below(250 * MS + 1) };
        self.printing = Some((job, copies, out_us));
    }

    fn heard(&mut self, heard: Heard, now_us: u64) {
        match heard {
            Heard::Ask(question) => self.answer(question, now_us),
            Heard::Cancel => {
                self.waiting.clear();
                self.printing = None;
            }
            Heard::Job(job) => {
                // One that is refused is lost, as one is that finds no room.
                let refused = std::mem::take(&mut self.refuse);
                if !refused && self.waiting.len() < MOST_LABELS {
                    self.waiting.push_back(Job { copies: job.copies.clamp(1, MOST_COPIES), ..job });
                }
                self.work(now_us);
                let said = self.language.acknowledges(!refused).to_vec();
                self.say(said, now_us);
            }
        }
    }

    fn answer(&mut self, question: u8, now_us: u64) {
        self.work(now_us);
        if std::mem::take(&mut self.silence) {
            return;
        }
        let state = State {
            fault: self.faulty(now_us),
            waiting: self.waiting.len() as u32,
            remaining: self.printing.as_ref().map_or(0, |(_, copies, _)| *copies),
        };
        let bytes = self.language.answer(question, &state);
        self.say(bytes, now_us);
    }

    fn say(&mut self, bytes: Vec<u8>, now_us: u64) {
        if let Some(link) = self.link.filter(|_| !bytes.is_empty()) {
            let at_us = now_us + 2 * MS + self.rng.below(6 * MS + 1);
            self.said_us = self.out.acknowledge(link, bytes, at_us.max(self.said_us));
        }
    }

    fn stand_still(&mut self, stand: Stand, ms: u32, now_us: u64) {
        let until = now_us + u64::from(ms) * MS;
        self.fault = Some((stand, until));
        if let Some((_, _, out_us)) = self.printing.as_mut().filter(|_| !self.by_hand) {
            *out_us = until + 300 * MS;
        }
    }
}

impl DeviceSide for LabelPrinter {
    fn connected(&mut self, link: Link, _now_us: u64) {
        (self.link, self.said_us) = (Some(link), 0);
    }

    /// The receive buffer outlives a link, also half a label.
    fn disconnected(&mut self, link: Link, _now_us: u64) {
        self.out.forget(link);
        self.link.take_if(|l| *l == link);
    }

    fn received(&mut self, _link: Link, bytes: &[u8], now_us: u64) {
        self.work(now_us);
        let mut heard = Vec::new();
        for &b in bytes {
            self.language.push(b, &mut heard);
            for h in heard.drain(..) {
                self.heard(h, now_us);
            }
        }
    }

    fn due(&mut self, now_us: u64) {
        self.work(now_us);
        self.out.due(now_us);
    }

    fn deadline(&self) -> Option<u64> {
        let fault_us = self.fault.map_or(0, |f| f.1);
        let printing = match &self.printing {
            Some((_, _, u64::MAX)) => None,
            Some((_, _, out_us)) => Some((*out_us).max(fault_us)),
            None => (!self.waiting.is_empty()).then_some(fault_us),
        };
        printing.into_iter().chain(self.out.deadline()).min()
    }

    fn poll(&mut self) -> Option<(Link, Emission)> {
        self.out.poll()
    }

    /// Labels that are out already stay out.
    fn power(&mut self, on: bool, _now_us: u64) {
        if !on {
            self.out = Outbox::default();
            self.link = None;
            self.language.forget();
            self.waiting.clear();
            (self.printing, self.fault) = (None, None);
        }
    }

    fn trouble(&mut self, what: Trouble, now_us: u64) {
        match what {
            Trouble::DropBuffer => {
                self.waiting.clear();
                self.printing = None;
            }
            Trouble::Silence => self.silence = true,
            Trouble::Refuse => self.refuse = true,
            Trouble::Fault { ms } => {
                let stand = Stand::ALL[self.rng.below(Stand::ALL.len() as u64) as usize];
                self.stand_still(stand, ms, now_us);
            }
            Trouble::Stands { how, ms } => self.stand_still(how, ms, now_us),
            other => {
                self.out.trouble(other);
            }
        }
    }
}

#[cfg(test)]
mod tests;
