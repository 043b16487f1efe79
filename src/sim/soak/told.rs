//! Printers that can tell what became of a window: made-up ones, each with another means, through a lost link, a power cut
//! and a trouble. The profiles here are in the soak beside the shipped ones.

use crate::profile::Profiles;
use crate::sim::bench::Trouble;
use crate::sim::emul::{Commands, DeviceSide, Emission, Link};
use crate::vocab::rng::Rng;
use crate::vocab::time::MS;
use crate::vocab::{Order, Report};
use crate::wire::transcript::{code, shown};
use crate::wire::{self, Action, Conversation, Place};
use std::collections::BTreeMap;

struct Made {
    name: &'static str,
    kind: &'static str,
    on_empty: &'static str,
    by: &'static str,
    has: &'static [&'static str],
    arm: &'static str,
}

#[rustfmt::skip]
const PRINTERS: &[Made] = &[
    // Numbers its records, keeps its queue over a lost link, and stops when it runs dry. Nobody clears it: what is left in
    // it has the numbers that new records would get, so it is not for the soak.
    Made { name: "told-records", kind: "numbered-records", on_empty: "fault", by: "\"last-record\"", has: &["last-record", "fill", "start"], arm: "\"last-record\", \"start\"" },
    // The same, cleared whenever it is adopted.
    Made { name: "told-records-cleared", kind: "numbered-records", on_empty: "fault", by: "\"last-record\"", has: &["last-record", "fill", "clear", "start"], arm: "\"clear\", \"last-record\", \"start\"" },
    // A queue that prints nothing when it is empty, with a counter.
    Made { name: "told-count", kind: "fifo", on_empty: "nothing", by: "\"event\"", has: &["count", "fill", "clear"], arm: "\"clear\", \"count\"" },
    // The same, which nobody clears.
    Made { name: "told-count-kept", kind: "fifo", on_empty: "nothing", by: "\"event\"", has: &["count", "fill"], arm: "\"fill\", \"count\"" },
    // A queue that prints its last code again.
    Made { name: "told-repeats", kind: "fifo", on_empty: "repeats", by: "\"event\"", has: &["count", "fill", "clear"], arm: "\"clear\"" },
    // One text, asked for by what was printed last.
    Made { name: "told-text", kind: "protected-single", on_empty: "nothing", by: "\"last-text\"", has: &["last-text", "clear"], arm: "\"clear\"" },
];

fn profile(made: &Made) -> String {
    let Made { name, kind, on_empty, by, has, arm } = made;
    let clears = has.contains(&"clear");
    let ask = |role: &str, send: &str, is: &str| {
        format!("[commands.{role}]\nsend = '\"{send}\"'\nreplies = [{{ is = '\"{is}\"', means = \"ok\" }}]\n")
    };
    let mut text = format!(
        "name = \"{name}\"\ndialect = \"commands\"\nkind = \"printer\"\nsource = \"made up for a test\"\n\
         [link]\nwho_connects = \"we\"\nconnections = 1\nfirst_bytes = \"VER\"\nretry = \"50 ms\"\nreply_timeout_ms = 500\n\
         [buffer]\nkind = \"{kind}\"\nfull = \"never filled\"\nrefusal_means_not_taken = false\nlost_by = [\"power cycle\"]\n\
         clear_is_safe = {clears}\non_empty = \"{on_empty}\"\nconfirmed_by = [{by}]\n\
         [frame]\nafter = 'CR'\n[values.code]\ncharset = \"ascii\"\nforbidden = '0D 0A \"|\"'\nlongest = 40\n\
         [[inbound]]\nname = \"line\"\nform = \"line\"\nend = 'CR'\n\
         [sequences]\nconnect = [\"identify\"]\narm = [{arm}, \"status\"]\nclear = [{}]\n\
         [poll]\nstatus_ms = 1000\nconfirm_ms = 50\n\
         [[status]]\nof = \"state\"\nis = [\"1\"]\nbecomes = \"fault\"\nsay = \"it stands\"\n\
         [settings.depth]\ntype = \"number\"\ndefault = 4\nleast = 1\nmost = 100\nwhat = \"depth\"\n\
         [simulated.values]\nidentity = \"1\"\nstate = \"0\"\n[simulated.fault]\nstate = \"1\"\n",
        if clears { "\"clear\"" } else { "" }
    );
    let put = if *kind == "numbered-records" { "PUT|{record}|{code}" } else { "PUT|{code}" };
    let mut all = vec![("identify", "VER", "VER|{identity}"), ("status", "ST", "ST|{state}"), ("put-code", put, "ACK")];
    let told = [("last-record", "LR", "LR|{last}"), ("fill", "QF", "QF|{fill}"), ("count", "CN", "CN|{count}")];
    let more = [("last-text", "LT", "LT|{text}"), ("clear", "CL", "OK"), ("start", "GO", "OK")];
    all.extend(told.into_iter().chain(more).filter(|c| has.contains(&c.0)));
    all.into_iter().for_each(|(role, send, is)| text += &ask(role, send, is));
    if by.contains("event") {
        text += "[[events]]\nis = '\"PRC\"'\nmeans = \"printed\"\n";
    }
    text
}

/// The shipped profiles, and those of the printers here.
pub fn profiles() -> Profiles {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for made in PRINTERS {
        std::fs::write(dir.path().join(format!("{}.toml", made.name)), profile(made)).expect("a file");
    }
    Profiles::load(Some(dir.path())).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A printer and our side, with a good link between them.
struct Two {
    host: Box<dyn Conversation>,
    printer: Commands,
    now_us: u64,
    up: bool,
    told: Vec<Report>,
    sent: Vec<String>,
}

impl Two {
    /// Ready, with a queue of four.
    fn ready(name: &str) -> Self {
        let bound = profiles().bind(name, &BTreeMap::new()).unwrap_or_else(|e| panic!("{e:?}"));
        let mut t = Self {
            host: wire::converse_at(&bound, Place::default()),
            printer: Commands::new(&bound, Vec::new(), Rng::new(1)),
            now_us: 1_000_000,
            up: false,
            told: Vec::new(),
            sent: Vec::new(),
        };
        t.back();
        t.host.ordered(Order::Arm { message: None, fields: Vec::new() }, t.now_us);
        t.pass(300);
        assert!(t.words().iter().any(|w| w.starts_with("ready")), "{name} gets ready");
        t
    }

    fn with(name: &str, codes: u32) -> Self {
        let mut t = Self::ready(name);
        t.put(0..codes);
        let taken: Vec<String> = (0..codes).map(|n| format!("taken {n}")).collect();
        assert_eq!(t.words(), taken);
        t
    }

    fn put(&mut self, codes: std::ops::Range<u32>) {
        for n in codes {
            self.host.ordered(Order::Print { code: code(n), bytes: format!("C{n}").into_bytes() }, self.now_us);
            self.pass(25);
        }
    }

    fn pump(&mut self) {
        loop {
            if let Some(action) = self.host.poll() {
                match action {
                    Action::Send(bytes) | Action::Command(bytes) => {
                        self.sent.push(String::from_utf8_lossy(&bytes).trim_end().to_string());
                        self.printer.received(Link::FIRST, &bytes, self.now_us);
                    }
                    Action::Tell(r) => self.told.push(r),
                    Action::HangUp { .. } => self.lose(),
                }
            } else if let Some((_, emission)) = self.printer.poll() {
                if let (Emission::Send(bytes), true) = (emission, self.up) {
                    self.host.received(&bytes, self.now_us);
                }
            } else {
                return;
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now_us + ms * MS;
        loop {
            self.pump();
            let due = [self.host.deadline(), self.printer.deadline()].into_iter().flatten().min().filter(|d| *d <= end);
            let Some(due) = due else { break };
            self.now_us = due.max(self.now_us);
            self.printer.due(self.now_us);
            if self.host.deadline().is_some_and(|d| d <= self.now_us) {
                self.host.due(self.now_us);
            }
        }
        self.now_us = end;
    }

    fn lose(&mut self) {
        self.up = false;
        self.printer.disconnected(Link::FIRST, self.now_us);
        self.host.closed(self.now_us, "lost");
        self.pump();
    }

    fn back(&mut self) {
        self.up = true;
        self.printer.connected(Link::FIRST, self.now_us);
        self.host.opened(self.now_us);
        self.pass(300);
    }

    fn things(&mut self, n: usize) {
        for _ in 0..n {
            self.printer.print(self.now_us);
            self.pass(60);
        }
    }

    fn words(&mut self) -> Vec<String> {
        self.told.drain(..).map(|r| shown(&r)).collect()
    }

    /// Lost, so many things, back: what was told of it.
    fn through(&mut self, things: usize) -> Vec<String> {
        self.lose();
        self.things(things);
        self.sent.clear();
        self.back();
        self.words()
    }
}

#[test]
fn the_last_record_tells_what_was_printed_and_how_many_wait_what_is_left() {
    let mut t = Two::with("told-records", 4);
    assert_eq!(t.through(2), ["unsettled", "down", "up 1", "reconciled printed 0 1 inside 2 3", "ready"]);
    assert_eq!(t.sent[..6], ["VER", "LR", "QF", "LR", "GO", "ST"], "asked before anything else is sent");
    // What is inside is credited in its turn, and the numbers go on behind it.
    t.sent.clear();
    t.put(4..6);
    assert!(t.sent.contains(&"PUT|5|C4".to_string()), "{:?}", t.sent);
    t.words();
    t.things(2);
    t.pass(200);
    assert_eq!(t.words(), ["printed-to 2", "printed-to 3"]);
    t.things(2);
    t.pass(200);
    assert_eq!(t.words(), ["printed-to 4", "printed-to 5"]);
}

#[test]
fn a_cleared_printer_is_asked_first() {
    let mut t = Two::with("told-records-cleared", 4);
    assert_eq!(t.through(3), ["unsettled", "down", "up 1", "reconciled printed 0 1 2 inside 3", "ready cleared"]);
    assert_eq!(t.sent, ["VER", "LR", "QF", "CL", "LR", "GO", "ST"]);
    t.sent.clear();
    t.put(4..5);
    assert_eq!(t.sent[0], "PUT|4|C4", "the cleared record's number, with a new code");
}

#[test]
fn a_power_cut_tells_as_much_as_the_printer_kept() {
    let mut t = Two::with("told-records", 4);
    t.things(1);
    t.pass(200);
    assert_eq!(t.words(), ["printed-to 0"]);
    t.lose();
    t.things(1);
    t.printer.power(false, t.now_us);
    t.printer.power(true, t.now_us);
    t.back();
    // Its last record outlived the cut, its queue did not.
    assert_eq!(t.words(), ["unsettled", "down", "up 1", "reconciled printed 1 inside", "ready"]);
}

#[test]
fn a_counter_tells_how_many_of_the_window_were_printed() {
    for (things, told) in [(0, "printed inside 0 1 2"), (2, "printed 0 1 inside 2"), (3, "printed 0 1 2 inside")] {
        let mut t = Two::with("told-count", 3);
        assert_eq!(t.through(things)[3], format!("reconciled {told}"), "{things}");
        assert_eq!(t.sent, ["VER", "CN", "QF", "CL", "CN", "ST"]);
    }
    // Nothing but codes is printed: a lost queue changes nothing of what is proven.
    let mut t = Two::with("told-count", 3);
    t.lose();
    t.things(1);
    t.printer.power(false, t.now_us);
    t.printer.power(true, t.now_us);
    t.things(2);
    t.back();
    assert_eq!(t.words()[3], "reconciled printed 0 inside");
}

#[test]
fn a_counter_set_back_or_gone_too_far_tells_nothing() {
    for count in [0, 500] {
        let mut t = Two::with("told-count", 3);
        t.things(1);
        t.words();
        t.lose();
        t.printer.set_count(count);
        t.back();
        assert_eq!(t.words()[3], "reconciled printed inside", "{count}");
    }
}

#[test]
fn what_nobody_clears_stays_in_the_window_and_is_credited_in_its_turn() {
    let mut t = Two::with("told-count-kept", 3);
    assert_eq!(t.through(1), ["unsettled", "down", "up 1", "reconciled printed 0 inside 1 2", "ready"]);
    t.put(3..4);
    t.words();
    t.things(3);
    assert_eq!(t.words(), ["printed 1", "printed 1", "printed 1"]);
}

/// The code that was on its way as the link was lost: taken or not, it is never sent again.
#[test]
fn a_code_on_its_way_is_told_of_where_the_numbers_say_so() {
    for heard in [false, true] {
        let mut t = Two::with("told-count", 2);
        t.host.ordered(Order::Print { code: code(2), bytes: b"C2".to_vec() }, t.now_us);
        while let Some(a) = t.host.poll() {
            if let (Action::Send(bytes), true) = (a, heard) {
                t.printer.received(Link::FIRST, &bytes, t.now_us);
            }
        }
        let told = t.through(1);
        assert_eq!(told[3], if heard { "reconciled printed 0 inside 1 2" } else { "reconciled printed 0 inside" });
        t.put(3..4);
        assert!(!t.sent.contains(&"PUT|C2".to_string()));
    }
}

#[test]
fn where_an_empty_printer_prints_only_a_queue_that_never_was_empty_is_believed() {
    let mut t = Two::with("told-repeats", 3);
    assert_eq!(t.through(2)[3], "reconciled printed 0 1 inside 2");
    let mut t = Two::with("told-repeats", 3);
    assert_eq!(t.through(3)[3], "reconciled printed inside", "three prints, or two and what came after a power cut");
    let mut t = Two::with("told-repeats", 3);
    t.lose();
    t.printer.power(false, t.now_us);
    t.printer.power(true, t.now_us);
    t.things(2);
    t.back();
    assert_eq!(t.words()[3], "reconciled printed inside");
}

#[test]
fn the_last_text_tells_of_itself() {
    let mut t = Two::with("told-text", 1);
    assert_eq!(t.through(1)[3], "reconciled printed 0 inside");
    let mut t = Two::with("told-text", 1);
    assert_eq!(t.through(0)[3], "reconciled printed inside", "not printed, and cleared");
}

#[test]
fn after_a_trouble_without_a_lost_link_it_is_asked_as_well() {
    let mut t = Two::with("told-count", 3);
    t.printer.trouble(Trouble::Fault { ms: 700 }, t.now_us);
    t.pass(1_100);
    assert_eq!(t.words(), ["not-ready"]);
    t.things(2);
    t.pass(2_000);
    assert_eq!(t.words(), ["reconciled printed 0 1 inside 2", "ready cleared"]);
}

#[test]
fn an_answer_that_came_twice_leaves_nothing_to_be_told() {
    let mut t = Two::with("told-count", 2);
    t.printer.trouble(Trouble::DoubleAck, t.now_us);
    t.put(2..3);
    let told = t.words();
    assert!(told.contains(&"out-of-step".to_string()) && !told.contains(&"unsettled".to_string()), "{told:?}");
}
