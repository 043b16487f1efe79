//! A transcript against our side, line by line: after a line that was not kept to it goes on, as well as it can.
//!
//! Invariant: what our side did is compared once; of a line that expects bytes, these may have left in several pieces.

use super::{Line, Step, Transcript, Verdict, shown};
use crate::vocab::Order;
use crate::wire::{Action, Conversation};
use std::collections::VecDeque;

struct Walk<'t> {
    bare: bool,
    now_us: u64,
    /// What our side did that no line has asked for yet.
    done: VecDeque<Action>,
    lines: Vec<Line>,
    host: &'t mut dyn Conversation,
}

pub(super) fn walk(t: &Transcript, host: &mut dyn Conversation) -> Vec<Line> {
    let mut w = Walk { bare: t.is_bare(), now_us: 1_000_000, done: VecDeque::new(), lines: Vec::new(), host };
    for (line, step) in &t.steps {
        w.step(*line, step);
        w.hear();
    }
    let last = t.steps.last().map_or(0, |s| s.0);
    w.surplus(last, "after the last line our side did");
    if w.bare && w.lines.iter().any(|l| l.verdict == Verdict::Wrong) {
        let hint = "a recording has no orders: write \"! order arm\", \"! order print 0 …\" where they were given, and the reports above";
        w.tell(last, Verdict::Note, hint.into());
    }
    w.lines
}

impl Walk<'_> {
    fn hear(&mut self) {
        self.done.extend(std::iter::from_fn(|| self.host.poll()));
    }

    fn tell(&mut self, line: usize, verdict: Verdict, what: String) {
        self.lines.push(Line { line, verdict, what });
    }

    /// Nothing of this was asked for.
    fn surplus(&mut self, line: usize, when: &str) {
        while let Some(a) = self.done.pop_front() {
            let told = self.bare && matches!(a, Action::Tell(_));
            self.tell(line, if told { Verdict::Note } else { Verdict::Wrong }, format!("{when}: {}", said(&a)));
        }
    }

    fn step(&mut self, line: usize, step: &Step) {
        // On a wire that was listened to, what our side does at once arrives a little later.
        let expected = matches!(step, Step::Host(_) | Step::Expect(_) | Step::HangUp | Step::At(_));
        if !expected && !self.bare {
            self.surplus(line, "before this line our side also did");
        }
        let now_us = self.now_us;
        match step {
            Step::Host(bytes) => return self.sends(line, bytes),
            Step::Expect(report) => {
                let fits = |a: &Action| matches!(a, Action::Tell(told) if shown(told) == *report);
                return self.expect(line, report, fits, |a| matches!(a, Action::Tell(_)));
            }
            Step::HangUp => {
                let fits = |a: &Action| matches!(a, Action::HangUp { .. });
                return self.expect(line, "hang-up", fits, fits);
            }
            Step::At(_) => {}
            Step::Opened => self.host.opened(now_us),
            Step::Closed => self.host.closed(now_us, "the transcript says so"),
            Step::Device(bytes) => self.host.received(bytes, now_us),
            Step::Order(Order::Verdict { good, .. }) => self.host.ordered(Order::Verdict { good: *good, frame_us: now_us }, now_us),
            Step::Order(order) => self.host.ordered(order.clone(), now_us),
            Step::Wait { us } => self.wait(line, *us),
        }
        self.tell(line, Verdict::Played, played(step));
    }

    fn wait(&mut self, line: usize, us: u64) {
        let until = self.now_us + us;
        while let Some(due) = self.host.deadline().filter(|d| *d <= until) {
            self.now_us = self.now_us.max(due);
            self.host.due(self.now_us);
            let before = self.done.len();
            self.hear();
            if self.done.len() == before && self.host.deadline().is_some_and(|d| d <= self.now_us) {
                self.tell(line, Verdict::Wrong, "our side is due again at once and does nothing".into());
                break;
            }
        }
        self.now_us = until;
    }

    /// These bytes, in one piece or in several.
    fn sends(&mut self, line: usize, bytes: &[u8]) {
        let expected = format!("bytes \"{}\"", bytes.escape_ascii());
        let mut rest = bytes;
        loop {
            while self.bare && matches!(self.done.front(), Some(Action::Tell(_))) {
                let told = self.done.pop_front().map_or_else(String::new, |a| said(&a));
                self.tell(line, Verdict::Note, format!("our side does: {told}"));
            }
            match self.done.front() {
                Some(Action::Send(sent) | Action::Command(sent)) if !sent.is_empty() && rest.starts_with(sent) => {
                    rest = &rest[sent.len()..];
                    self.done.pop_front();
                    if rest.is_empty() {
                        return self.tell(line, Verdict::Good, expected);
                    }
                }
                _ => break,
            }
        }
        let fits = |a: &Action| matches!(a, Action::Send(sent) | Action::Command(sent) if sent == rest);
        self.expect(line, &expected, fits, |a| matches!(a, Action::Send(_) | Action::Command(_)));
    }

    /// `fits`: this is it; `kind`: this was meant to be it.
    fn expect(&mut self, line: usize, expected: &str, fits: impl Fn(&Action) -> bool, kind: impl Fn(&Action) -> bool) {
        match self.done.iter().position(&fits) {
            Some(at) => {
                for a in self.done.drain(..=at).take(at).collect::<Vec<_>>() {
                    let verdict = if self.bare && matches!(a, Action::Tell(_)) { Verdict::Note } else { Verdict::Wrong };
                    self.tell(line, verdict, format!("expected {expected}, got {}", said(&a)));
                }
                self.tell(line, Verdict::Good, expected.into());
            }
            None => {
                let got = self.done.front().map_or_else(|| "nothing".into(), said);
                self.tell(line, Verdict::Wrong, format!("expected {expected}, got {got}"));
                self.done.pop_front_if(|a| kind(a));
            }
        }
    }
}

fn played(step: &Step) -> String {
    match step {
        Step::Opened => "opened".into(),
        Step::Closed => "closed".into(),
        Step::Device(bytes) => format!("the device says \"{}\"", bytes.escape_ascii()),
        Step::Wait { us } => format!("+{}ms", us / 1_000),
        Step::Order(_) => "the line's order".into(),
        Step::At(_) => "at the device".into(),
        Step::Host(_) | Step::Expect(_) | Step::HangUp => String::new(),
    }
}

fn said(action: &Action) -> String {
    match action {
        Action::Send(bytes) | Action::Command(bytes) => format!("send \"{}\"", bytes.escape_ascii()),
        Action::Tell(r) => format!("report {}", shown(r)),
        Action::HangUp { why } => format!("hang up ({why})"),
    }
}
