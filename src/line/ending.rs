//! The ends: of a job, whatever is unaccounted settled by name; of the program, in order.
//!
//! Invariants: printers are cleared (or given up on) before anything is settled; nothing of the job stays sent, printed,
//! doubtful or leased behind it.

use super::input::{Answer, Effect};
use super::law::Law;
use super::live::{Line, Pending};
use crate::vocab::event::Event;
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, Doubt, ItemState, JobState, Order, PackMl, ParentState};

/// How long an end waits for printers to acknowledge their clear.
const CLEAR_WAIT_US: u64 = 3_000 * MS;
/// How long an orderly stop waits for belts and passages to come to rest.
const REST_US: u64 = 600 * MS;

/// A job on its way out.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pending: Option<Pending>,
    to: JobState,
    began_us: u64,
}

impl<L: Law> Line<L> {
    pub(super) fn begin_ending(&mut self, pending: Pending, to: JobState) {
        let job = self.book.current_job().expect("only a job on the line ends").no;
        self.auto_resume = false;
        self.emit(Event::JobMoved { job, to: JobState::Completing });
        self.move_line(if to == JobState::Completed { PackMl::Completing } else { PackMl::Aborting }, None);
        self.clear_printers();
        self.ending = Some(Ending { pending: Some(pending), to, began_us: self.now.mono_us });
    }

    fn clear_printers(&mut self) {
        for device in self.item_printers().iter().map(|p| p.device) {
            if self.devices[&device].up {
                self.windows.get_mut(&device).expect("a printer has a window").clearing = true;
                self.order_now(device, Order::Clear);
            }
        }
    }

    pub(super) fn begin_stop(&mut self) {
        if self.stop_deadline_us.is_some() {
            return;
        }
        self.auto_resume = false;
        self.stop_deadline_us = Some(self.now.mono_us + CLEAR_WAIT_US);
        let job = self.book.current_job().map(|j| (j.no, j.state));
        if let Some((no, JobState::Running)) = job {
            self.emit(Event::JobMoved { job: no, to: JobState::Held });
        }
        self.move_line(PackMl::Stopping, None);
        self.want_permit(false);
        self.clear_printers();
    }

    pub(super) fn ending_due(&mut self) {
        let now_us = self.now.mono_us;
        let clearing = self.windows.values().any(|w| w.clearing);
        let undecided: u64 = self.lanes.values().map(|l| l.undecided()).sum();
        if let Some(e) = &self.ending {
            let rested = now_us >= e.began_us + REST_US && undecided == 0 && !clearing;
            if rested || now_us >= e.began_us + CLEAR_WAIT_US {
                let e = self.ending.take().expect("just seen");
                self.settle_job(e);
            }
        }
        if let Some(deadline) = self.stop_deadline_us {
            let began = deadline - CLEAR_WAIT_US;
            let rested = now_us >= began + REST_US && undecided == 0 && !clearing && self.ending.is_none();
            if (rested || now_us >= deadline) && self.book.line.state != PackMl::Stopped {
                self.settle_gates();
                let printers: Vec<DeviceNo> = self.windows.keys().copied().collect();
                printers.into_iter().for_each(|d| self.printer_lost(d, Doubt::Cleared));
                self.move_line(PackMl::Stopped, None);
                self.emit(Event::Stopped);
                self.out.after.push(Effect::Exit);
            }
        }
    }

    pub(super) fn ending_deadline(&self) -> Option<u64> {
        let e = self.ending.as_ref().map(|e| e.began_us);
        let s = self.stop_deadline_us.filter(|_| self.book.line.state != PackMl::Stopped).map(|d| d - CLEAR_WAIT_US);
        let began = e.into_iter().chain(s).min()?;
        let next = if self.now.mono_us < began + REST_US { began + REST_US } else { began + CLEAR_WAIT_US };
        Some(next.max(self.now.mono_us + MS))
    }

    /// What is unaccounted is settled by name; leases go back; both balances close.
    fn settle_job(&mut self, e: Ending) {
        let job = self.book.current_job().expect("only a job on the line ends").clone();
        self.settle_gates();
        let printers: Vec<DeviceNo> = self.windows.keys().copied().collect();
        printers.into_iter().for_each(|d| self.printer_lost(d, Doubt::Cleared));
        for p in self.live_parents() {
            let code = self.book.parents[&p].code;
            self.undo(p, false, None);
            if let Some(c) = code.filter(|_| self.book.parents[&p].state == ParentState::Void) {
                self.void_number(c);
            }
        }
        self.label_waits.clear();
        let unsettled: Vec<CodeRef> = self.book.unsettled().filter(|c| self.book.life(*c).job == job.no).collect();
        let of = |state: ItemState| unsettled.iter().copied().filter(|c| self.book.state(*c) == state).collect::<Vec<_>>();
        let (sent, doubtful, printed) = (of(ItemState::Sent), of(ItemState::Doubtful), of(ItemState::Printed));
        let void: Vec<CodeRef> = sent.into_iter().chain(doubtful).collect();
        if !void.is_empty() {
            self.emit(Event::Void { codes: void });
        }
        if !printed.is_empty() {
            self.emit(Event::Missing { codes: printed });
        }
        let mut unused: Vec<super::rows::Lease> =
            self.book.leases.iter().filter(|l| l.job == job.no && l.count > l.used).cloned().collect();
        unused.reverse();
        for l in unused {
            self.emit(Event::Unleased { job: job.no, pack: l.pack, from: l.from + l.used, count: l.count - l.used });
        }
        let queued: Vec<_> = self.book.queues.keys().copied().collect();
        for station in queued {
            self.emit(Event::StationCleared { station });
        }
        self.orders.clear();
        self.missing_at.clear();
        self.packs_reviewed = None;
        self.emit(Event::JobMoved { job: job.no, to: e.to });
        self.move_line(if e.to == JobState::Completed { PackMl::Complete } else { PackMl::Aborted }, None);
        for device in self.item_printers().iter().map(|p| p.device) {
            self.order_now(device, Order::Disarm);
            if let Some(d) = self.devices.get_mut(&device) {
                d.ready = false;
            }
        }
        if let Some(p) = e.pending {
            self.reply(&p, Answer::ok().with("job", &job.id).with("state", e.to));
        }
    }
}
