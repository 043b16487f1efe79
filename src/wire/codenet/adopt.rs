//! The adoption of a Codenet printer, and what its answers mean: clear, select, arm the print byte, look at the head and
//! the alerts, and only then new codes.

use super::{Ask, Codenet, STATUS_US, Stage, TROUBLE_STATUS_US};
use crate::vocab::Report;

/// What the line asked it to print with.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    pub message: Option<String>,
    pub fields: Vec<(String, String)>,
}

/// The steps of an adoption, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Clear,
    Select,
    PrintByte,
    HeadQuery,
    HeadOn,
    Status,
}

impl Codenet {
    /// Adopts the printer for the job it is armed for; orders of the time before are dropped unoffered.
    pub(super) fn adopt(&mut self, now_us: u64) {
        self.forget_orders();
        self.clear_done();
        let Some(arm) = &self.arm else {
            self.stage = Stage::Idle;
            return;
        };
        if let Some((field, _)) = arm.fields.first() {
            let why = format!("has one variable field, the code: field {field} must be part of the selected message");
            return self.unready(&why, now_us);
        }
        if let Some(name) = &arm.message
            && (name.is_empty() || name.len() > 99 || name.bytes().any(|b| !(0x20..0x7f).contains(&b)))
        {
            let why = format!("cannot select a message named {name:?}: 1 to 99 printable ASCII characters");
            return self.unready(&why, now_us);
        }
        let first = if self.how.clear_on_adopt { Step::Clear } else { self.after(Step::Clear) };
        self.stage = Stage::Adopting(first);
    }

    fn after(&self, step: Step) -> Step {
        match step {
            Step::Clear if self.arm.as_ref().is_some_and(|a| a.message.is_some()) => Step::Select,
            Step::Clear | Step::Select => Step::PrintByte,
            Step::PrintByte => Step::HeadQuery,
            Step::HeadQuery | Step::HeadOn | Step::Status => Step::Status,
        }
    }

    pub(super) fn step_body(&self, step: Step) -> Vec<u8> {
        match step {
            Step::Clear => [&b"OE0000"[..], &[self.how.fifo]].concat(),
            Step::Select => {
                let name = self.arm.as_ref().and_then(|a| a.message.as_deref()).unwrap_or_default();
                format!("ON1{:02}{name}", name.len()).into_bytes()
            }
            Step::PrintByte => vec![b'I', b'1', self.letter.unwrap_or(b' ')],
            Step::HeadQuery => b"Q1?".to_vec(),
            Step::HeadOn => b"Q1Y".to_vec(),
            Step::Status => b"O1?".to_vec(),
        }
    }

    /// The next step, unless the adoption began anew or was called off meanwhile.
    fn stepped(&mut self, step: Step, to: Step) {
        if self.stage == Stage::Adopting(step) {
            self.stage = Stage::Adopting(to);
        }
    }

    fn adopted(&mut self) {
        self.stage = Stage::Ready;
        self.trouble = None;
        if !self.how.clear_on_adopt {
            self.forget_fifo();
        }
        self.out.tell(Report::Ready { cleared: self.how.clear_on_adopt });
    }

    /// It cannot print: told once per reason; adopted anew when its status is good again.
    pub(super) fn unready(&mut self, why: &str, now_us: u64) {
        self.stage = Stage::Unready;
        self.forget_orders();
        self.status_due_us = now_us + TROUBLE_STATUS_US;
        if self.trouble.as_deref() != Some(why) {
            self.trouble = Some(why.into());
            self.out.tell(Report::NotReady { why: why.into() });
        }
    }

    pub(super) fn acknowledged(&mut self, ask: Ask, now_us: u64) {
        match ask {
            Ask::Print(code, _) => self.taken(code, now_us),
            Ask::Clear => {
                self.clear_wanted = false;
                self.forget_fifo();
                self.letter_wanted = true;
                // Before it is armed the adoption sees to the letter.
                if !self.owed || self.letter.is_none() || self.stage != Stage::Ready {
                    self.clear_done();
                }
            }
            Ask::Letter => self.clear_done(),
            Ask::Step(Step::Clear) => {
                self.forget_fifo();
                self.stepped(Step::Clear, self.after(Step::Clear));
            }
            Ask::Step(step @ (Step::Select | Step::PrintByte)) => self.stepped(step, self.after(step)),
            Ask::Step(Step::HeadOn) => self.stepped(Step::HeadOn, Step::Status),
            Ask::PrintByteOff => {}
            Ask::Identify | Ask::Status | Ask::Step(Step::HeadQuery | Step::Status) => {
                self.out_of_step("an acknowledgement came where a status was asked for", now_us);
            }
        }
    }

    /// The line's clear, if one was only waiting for its letter, is done.
    pub(super) fn clear_done(&mut self) {
        if std::mem::take(&mut self.letter_wanted) {
            self.out.tell(Report::Cleared);
        }
    }

    /// NAK (EPT033760, table of NAK codes).
    pub(super) fn refused_with(&mut self, ask: Ask, nak: u16, now_us: u64) {
        match (ask, nak) {
            (Ask::Print(code, bytes), 0 | 50) => self.refused_code(code, bytes, nak == 0, now_us),
            (Ask::Print(..), 2..=4 | 8..=11 | 24) => {
                self.out_of_step(&format!("a code arrived damaged at the printer (NAK {nak:03})"), now_us);
            }
            (Ask::Print(..), 27) => self.unready("printing is disabled (NAK 027)", now_us),
            (Ask::Print(..), _) => self.unready(&format!("refuses a code with NAK {nak:03}"), now_us),
            (Ask::Identify, _) => self.hang_up(&format!("it refuses to be identified (NAK {nak:03}): is this a Codenet printer?")),
            (Ask::Letter, _) => self.hang_up(&format!("it refuses another letter for its prints (NAK {nak:03})")),
            (Ask::Clear, _) => self.hang_up(&format!("it refuses to clear its FIFO (NAK {nak:03})")),
            (Ask::PrintByteOff | Ask::Status, _) => self.status_due_us = now_us + STATUS_US,
            (Ask::Step(Step::Select), _) => {
                let name = self.arm.as_ref().and_then(|a| a.message.clone()).unwrap_or_default();
                self.step_failed(&format!("cannot select message {name} (NAK {nak:03}): is it in the printer?"), now_us);
            }
            (Ask::Step(Step::Clear), _) => self.step_failed(&format!("refuses to clear its FIFO (NAK {nak:03})"), now_us),
            // Without a print byte nothing had to be switched off; models without the query are not asked again.
            (Ask::Step(Step::PrintByte), _) if self.how.ack.is_none() => self.stepped(Step::PrintByte, Step::HeadQuery),
            (Ask::Step(Step::PrintByte), _) => {
                self.step_failed(&format!("refuses to acknowledge prints (I1, NAK {nak:03}): leave ack_char empty"), now_us);
            }
            (Ask::Step(Step::HeadQuery), 3 | 20) => self.stepped(Step::HeadQuery, Step::Status),
            (Ask::Step(Step::Status), 3 | 20) => self.finish_adoption(),
            (Ask::Step(Step::HeadQuery | Step::HeadOn | Step::Status), _) => {
                self.step_failed(&format!("refuses to enable printing (NAK {nak:03})"), now_us);
            }
        }
    }

    fn step_failed(&mut self, why: &str, now_us: u64) {
        if matches!(self.stage, Stage::Adopting(_)) {
            self.unready(why, now_us);
        }
    }

    fn finish_adoption(&mut self) {
        if self.stage == Stage::Adopting(Step::Status) {
            self.adopted();
        }
    }

    /// A frame: the answer to a query, or nothing that was asked for.
    pub(super) fn echoed(&mut self, body: &[u8], now_us: u64) {
        let fits = match &self.asked {
            Some((Ask::Identify, _)) => body.first() == Some(&b'A'),
            Some((Ask::Status | Ask::Step(Step::Status), _)) => body.len() >= 5 && body.starts_with(b"O1"),
            Some((Ask::Step(Step::HeadQuery), _)) => body.len() == 3 && body.starts_with(b"Q1"),
            _ => false,
        };
        let Some((ask, _)) = self.asked.take_if(|_| fits) else {
            return self.out.junk(&[&[super::ESC][..], body, &[super::EOT]].concat(), now_us);
        };
        match ask {
            Ask::Identify => {
                let identity = String::from_utf8_lossy(&body[1..]).into_owned();
                self.out.tell(Report::Up { identity: Some(identity) });
                self.adopt(now_us);
            }
            Ask::Step(Step::HeadQuery) => {
                let to = if body[2] == b'Y' { Step::Status } else { Step::HeadOn };
                self.stepped(Step::HeadQuery, to);
            }
            _ => self.status(ask, body, now_us),
        }
    }

    fn status(&mut self, ask: Ask, body: &[u8], now_us: u64) {
        self.status_due_us = now_us + STATUS_US;
        let trouble = trouble(&body[2..]);
        match (self.stage, trouble) {
            (Stage::Adopting(Step::Status), None) if ask == Ask::Step(Step::Status) => self.adopted(),
            (Stage::Adopting(Step::Status) | Stage::Ready | Stage::Unready, Some(why)) => self.unready(&why, now_us),
            (Stage::Unready, None) => self.adopt(now_us),
            _ => {}
        }
    }
}

/// `sss LL`: alert and LED (EPT033760, "Extended status"). Red lit or flashing, and alerts under which nothing prints.
fn trouble(status: &[u8]) -> Option<String> {
    let alert = String::from_utf8_lossy(&status[..3]);
    let red = matches!(status.get(3..5), Some(b"04" | b"40"));
    let words = match &*alert {
        "009" => "standby",
        "011" => "fault",
        "073" => "printing disabled",
        _ if red => "its red lamp is lit",
        _ => return None,
    };
    Some(format!("alert {alert}: {words}"))
}
