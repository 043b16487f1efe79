//! Sequences of a printer's profile (connect, arm, disarm, clear), what the answers to their steps mean, and the line's
//! orders to print.

use super::{Ask, Asked, Commands, MOST_ORDERS, SETTLE_US, Stage, TROUBLE_US, said};
use crate::profile::bytes::Values;
use crate::profile::printer::{Condition, Confirmation, Means, Role};
use crate::profile::talk::Step;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, Report};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seq {
    Connect,
    /// Asks of the codes whose fate is open; arms then.
    Reconcile,
    Arm,
    Disarm,
    Clear,
    /// After a lost link: what is still inside?
    Resume,
    /// Sets right what its status says.
    Recover,
}

/// A sequence under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub seq: Seq,
    step: usize,
    /// Of a step that is done for each field.
    field: usize,
    /// Told from an earlier run of the same sequence, whose answer may still be on its way.
    round: u32,
}

impl Commands {
    pub(super) fn begin(&mut self, seq: Seq, _now_us: u64) {
        if seq == Seq::Clear && self.talk.clear.is_empty() {
            self.clear_wanted = false;
            return self.hang_up("its buffer cannot be cleared over the wire: it is adopted anew");
        }
        if matches!(seq, Seq::Reconcile | Seq::Arm | Seq::Resume) {
            (self.stage, self.cleared) = (Stage::Adopting, false);
        }
        self.settle_until_us = None;
        self.rounds = self.rounds.wrapping_add(1);
        self.run = Some(Run { seq, step: 0, field: 0, round: self.rounds });
    }

    /// Adopts the printer for the job it is armed for; orders of the time before are dropped unoffered.
    pub(super) fn adopt(&mut self, now_us: u64) {
        self.forget_orders();
        self.run = None;
        let Some(arm) = &self.arm else {
            self.stage = Stage::Idle;
            return;
        };
        if let Some(why) = self.bound.unfit() {
            return self.unready(&why, now_us);
        }
        if let Some((field, _)) = arm.fields.first().filter(|_| !self.can(Role::SetField)) {
            let why = format!("has no way to set field {field}: it must be part of the selected message");
            return self.unready(&why, now_us);
        }
        if let Some(name) = arm.message.as_ref().filter(|_| !self.can(Role::SelectMessage)) {
            let why = format!("cannot select message {name} over the wire: select it at its panel, and take it out of the configuration");
            return self.unready(&why, now_us);
        }
        let wrong = arm.message.iter().map(|m| ("message", m)).chain(arm.fields.iter().map(|f| ("value", &f.1)));
        let wrong =
            wrong.filter_map(|(place, text)| Some(format!("{place} {text:?}: {}", self.talk.encode(place, text.as_bytes()).err()?)));
        if let Some(why) = wrong.into_iter().next() {
            return self.unready(&why, now_us);
        }
        if self.tells_after_loss() {
            self.credit.keep(None);
        }
        let seq = match (self.credit.away.is_some(), self.has_questions()) {
            (true, _) => Seq::Resume,
            (false, true) => Seq::Reconcile,
            (false, false) => Seq::Arm,
        };
        self.begin(seq, now_us);
    }

    /// One step of the sequence under way, or its end.
    pub(super) fn step(&mut self, now_us: u64) {
        let Some(run) = self.run else { return };
        if run.seq == Seq::Reconcile && run.step == 0 {
            self.questions = self.open_questions();
        }
        let steps = match run.seq {
            Seq::Connect => &self.talk.connect,
            Seq::Reconcile => &self.questions,
            Seq::Arm => &self.talk.arm,
            Seq::Disarm => &self.talk.disarm,
            Seq::Clear => &self.talk.clear,
            Seq::Resume => &self.talk.resume,
            Seq::Recover => &self.talk.recover,
        };
        let Some(step) = steps.get(run.step).copied() else {
            self.run = None;
            return self.finish(run.seq, now_us);
        };
        let written = |place: &str, text: &str| self.talk.encode(place, text.as_bytes()).unwrap_or_default();
        let mut values = Values::default();
        match step {
            Step::Wait { ms } => {
                self.pause_us = Some(now_us + u64::from(ms) * MS);
                self.run = Some(Run { step: run.step + 1, ..run });
                return;
            }
            Step::Do(role) if !self.can(role) => return self.pass(run),
            // Not every model of a family counts; one that is set to be credited by something else is not asked.
            Step::Do(Role::Count) if self.bound.has("confirmation") && !self.bound.sources().contains(&Confirmation::Counter) => {
                return self.pass(run);
            }
            Step::Do(Role::SelectMessage | Role::CurrentMessage) => match self.arm.as_ref().and_then(|a| a.message.as_deref()) {
                Some(message) => values.put("message", written("message", message)),
                None => return self.pass(run),
            },
            Step::Do(Role::SetField) => match self.arm.as_ref().and_then(|a| a.fields.get(run.field)) {
                Some((name, value)) => {
                    values.put("name", written("name", name));
                    values.put("value", written("value", value));
                }
                None => return self.pass(run),
            },
            Step::Do(_) => {}
        }
        if let Step::Do(role) = step {
            self.ask(Ask::Step(run), role, values, now_us);
        }
    }

    fn pass(&mut self, run: Run) {
        self.run = Some(Run { step: run.step + 1, field: 0, ..run });
    }

    fn finish(&mut self, seq: Seq, now_us: u64) {
        match seq {
            Seq::Connect => {
                self.stage = Stage::Idle;
                self.out.tell(Report::Up { identity: self.identity.clone() });
                self.adopt(now_us);
            }
            Seq::Reconcile | Seq::Arm if self.arm.is_none() => self.stage = Stage::Idle,
            Seq::Reconcile => self.reconcile(now_us),
            Seq::Arm => {
                self.stage = Stage::Ready;
                self.trouble = None;
                self.choose_source();
                self.credit.arm(now_us);
                self.status_due_us = now_us + u64::from(self.talk.poll.status_ms) * MS;
                self.out.tell(Report::Ready { cleared: self.cleared });
            }
            Seq::Disarm => self.stage = Stage::Idle,
            Seq::Resume => self.resumed(now_us),
            // Its status says whether that helped.
            Seq::Recover => self.status_due_us = now_us,
            Seq::Clear => {
                self.clear_wanted = false;
                self.credit.forget();
                self.out.tell(Report::Cleared);
            }
        }
    }

    /// An answer, or the sending of what is not answered.
    pub(super) fn answered(&mut self, asked: Asked, means: Means, values: &Values, say: Option<String>, now_us: u64) {
        let words = said(say.as_deref(), values, b"");
        let role = asked.role;
        let refusal = || format!("{} was refused{}", role.name(), if say.is_some() { format!(": {words}") } else { String::new() });
        match (asked.ask, means) {
            (_, Means::Damaged) => self.out_of_step(&format!("{} arrived damaged at the printer: {words}", role.name()), now_us),
            (Ask::Put(put), Means::Ok | Means::TakenFull) => self.put_done(put, means == Means::TakenFull, now_us),
            (Ask::Put(put), Means::Full | Means::Busy) => self.refused_code(put, means == Means::Full, now_us),
            (Ask::Put(put), _) => {
                // Whether it was taken is not known.
                self.credit.flying = Some(put);
                self.unready(&refusal(), now_us);
            }
            (Ask::Proof(put), Means::Ok) => self.proved(put, role, values, now_us),
            (Ask::Proof(_), _) => {
                self.proof = None;
                self.unready(&refusal(), now_us);
            }
            (Ask::FieldProof(run), Means::Ok) => {
                let sent = |place: &str| asked.sent.bytes(place).unwrap_or_default().to_vec();
                let name = String::from_utf8_lossy(&sent("name")).into_owned();
                self.field_proved(run, &name, &sent("value"), values, now_us);
            }
            (Ask::FieldProof(_), _) => self.unready(&refusal(), now_us),
            (Ask::Status, Means::Ok) => {
                self.status_due_us = now_us + u64::from(self.talk.poll.status_ms) * MS;
                self.judged(values, now_us);
            }
            (Ask::Status, _) => {
                self.lacking.insert(Role::Status);
                self.status_due_us = now_us + TROUBLE_US;
            }
            (Ask::Confirm, Means::Ok) if self.stage == Stage::Ready => self.confirmed(role, values, now_us),
            // It is not ready: what it holds is not printed yet.
            (Ask::Confirm, _) if role == Role::Readiness || self.stage != Stage::Ready => self.credit.look_later(now_us),
            (Ask::Confirm, Means::Ok) => {}
            (Ask::Base, _) => match values.number("count").filter(|_| means == Means::Ok) {
                Some(count) => self.credit.based(count),
                None => {
                    self.lacking.insert(Role::Count);
                }
            },
            (Ask::Blank, Means::Ok) => self.credit.blanked(),
            (Ask::Confirm | Ask::Blank, _) => self.unready(&refusal(), now_us),
            (Ask::Step(run), Means::Ok) => match self.talk.commands[&role].read_back.filter(|_| role == Role::SetField) {
                Some(back) => self.ask(Ask::FieldProof(run), back, asked.sent, now_us),
                None => self.stepped(run, role, values, now_us),
            },
            (Ask::Step(run), Means::Lacking) => {
                if role == Role::Status {
                    self.lacking.insert(role);
                }
                self.go_on(run, role);
            }
            (Ask::Step(run), _) => match run.seq {
                // It does not tell.
                Seq::Reconcile => self.go_on(run, role),
                Seq::Connect => self.hang_up(&format!("{}: is this the printer of the profile?", refusal())),
                Seq::Clear => self.hang_up(&refusal()),
                Seq::Arm if self.run == Some(run) => self.unready(&refusal(), now_us),
                Seq::Arm => {}
                Seq::Resume if self.run == Some(run) => {
                    self.let_go();
                    self.begin(Seq::Arm, now_us);
                }
                Seq::Resume => {}
                Seq::Disarm | Seq::Recover => self.go_on(run, role),
            },
        }
    }

    /// What a step's answer tells, and on to the next, unless the sequence began anew meanwhile.
    fn stepped(&mut self, run: Run, role: Role, values: &Values, now_us: u64) {
        if run.seq == Seq::Reconcile {
            // An answer of an earlier round says what was, not what is.
            if self.run == Some(run) {
                self.told(role, values);
            }
            return self.go_on(run, role);
        }
        match role {
            Role::Identify => {
                let identity = values.text("identity");
                self.talk_of_any();
                self.lacking = identity.iter().flat_map(|i| self.talk.firmware_of(i)).flat_map(|f| f.lacks.clone()).collect();
                if let Some(own) = identity.as_deref().and_then(|i| self.talk.of_firmware(i)) {
                    self.talk = Arc::new(own);
                }
                self.identity = identity;
            }
            Role::Clear => {
                self.cleared = true;
                self.credit.forget();
            }
            Role::Fill => self.fill_noted(values),
            Role::Count if self.credit.kept && self.credit.by_counter() => self.confirmed(role, values, now_us),
            Role::Count => self.count_noted(values, now_us),
            Role::LastRecord if self.tells_after_loss() => self.record_noted(run.seq, values, now_us),
            Role::LastRecord => self.credit.number_on(self.credit.queue(values).map_or(0, |q| q.last)),
            Role::Status if matches!(run.seq, Seq::Arm | Seq::Resume) && self.run == Some(run) => {
                let v = self.talk.judge(values);
                if run.seq == Seq::Resume && v.condition == Condition::Offline {
                    self.found_stopped();
                    return self.go_on(run, role);
                }
                let until_us = *self.settle_until_us.get_or_insert(now_us + u64::from(self.talk.commands[&role].settle_ms) * MS);
                if v.condition == Condition::Offline && now_us < until_us {
                    self.pause_us = Some(now_us + SETTLE_US);
                    return;
                }
                self.settle_until_us = None;
                if v.condition >= Condition::Fault {
                    return self.unready(&v.say, now_us);
                }
            }
            _ => {}
        }
        self.go_on(run, role);
    }

    pub(super) fn go_on(&mut self, run: Run, role: Role) {
        if self.run != Some(run) {
            return;
        }
        let fields = self.arm.as_ref().map_or(0, |a| a.fields.len());
        let more = role == Role::SetField && run.field + 1 < fields;
        self.run = Some(if more { Run { field: run.field + 1, ..run } } else { Run { step: run.step + 1, field: 0, ..run } });
    }

    /// A status, asked for or not.
    pub(super) fn judged(&mut self, values: &Values, now_us: u64) {
        let v = self.talk.judge(values);
        let bad = v.condition >= Condition::Fault;
        match self.stage {
            Stage::Unready if bad && v.recovers && !self.talk.recover.is_empty() && self.run.is_none() => {
                self.status_due_us = now_us + TROUBLE_US;
                self.begin(Seq::Recover, now_us);
            }
            Stage::Ready | Stage::Unready if bad => {
                self.credit.stopped |= v.condition == Condition::Offline;
                self.unready(&v.say, now_us);
            }
            Stage::Unready => self.adopt(now_us),
            _ => {}
        }
    }

    pub(super) fn order_print(&mut self, code: CodeRef, bytes: Vec<u8>, now_us: u64) {
        // Before Ready, and while a clear is on its way, the line's order is of a time that is over.
        if self.stage != Stage::Ready || self.clear_wanted {
            return;
        }
        if let Err(why) = self.talk.encode("code", &bytes) {
            return self.out.tell(Report::Unprintable { code, why });
        }
        if self.queue.len() >= MOST_ORDERS {
            return self.out_of_step("more codes were ordered than can wait", now_us);
        }
        self.queue.push_back((code, bytes));
    }
}
