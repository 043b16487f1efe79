//! Feeding printers: leases, the window of sent codes, feed-ahead, and what happens when a printer's memory is lost.
//!
//! Order of things: book, then ink. A code's `Sent` is committed before `Effect::Print` leaves the shell; the window
//! (sent, not seen printed) is at most `max_burn`.

use super::input::Effect;
use super::law::Law;
use super::live::{BeltOrder, Line};
use crate::vocab::event::Event;
use crate::vocab::plan::{CodeSource, PrinterTraits, Role, Station, Traits};
use crate::vocab::time::MS;
use crate::vocab::{CodeRef, DeviceNo, Doubt, ItemState, LevelNo, Order, PackMl, Plan, StationNo};
use std::sync::Arc;

/// Codes leased at a time.
const LEASE: u32 = 1_000;
/// Unread passages without a print in between after which a printer's buffer is taken for lost.
const SILENT_PASSAGES: u32 = 3;

/// A print station whose printer puts codes on passing things.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemPrinter {
    pub station: StationNo,
    pub device: DeviceNo,
    pub level: LevelNo,
    pub depth: u32,
    pub confirms: bool,
    /// It gets one code at a time, when the last one was read or was not.
    pub one_by_one: bool,
    /// With nothing new it prints its last code again.
    pub repeats: bool,
    /// Things that may still come to it after the run permit went.
    pub coasting: usize,
    /// Half the least distance of two things.
    pub gap_us: u64,
    /// Most codes in the window: what the printer holds, and enough ahead that it never waits for the disk.
    pub limit: usize,
}

impl ItemPrinter {
    /// Codes of before that its buffer may hold, as far as the window counts them.
    pub(super) fn most_ghosts(&self) -> usize {
        (self.depth as usize).min(self.limit - 1)
    }
}

/// The item printers of a plan, in belt order.
pub(super) fn item_printers_of(plan: &Plan) -> Arc<[ItemPrinter]> {
    let prints = |s: &&Station| s.role == Role::Print && plan.level(s.level).codes == CodeSource::Printed;
    let printer = |s: &Station| {
        let device = s.device?;
        let Traits::Printer(t) = &plan.device(device).traits else { return None };
        let read = plan.stations.iter().find(|v| v.level == s.level && v.role != Role::Print);
        let spacing_ms = read.map_or(s.min_spacing_ms, |v| v.min_spacing_ms);
        let ahead = plan.limits.feed_ahead_ms.div_ceil(spacing_ms.max(1)).max(1);
        let limit = if t.one_by_one { 1 } else { (t.depth + ahead).min(plan.limits.max_burn).max(1) as usize };
        let gap_us = u64::from(spacing_ms) * MS / 2;
        // What is on its way when it is seen that nothing more comes, and what the belt carries on until it stands.
        let stop_ms = plan.run_permit.map_or(0, |p| p.belt_stop_ms + p.heartbeat_ms);
        let coasting = 1 + stop_ms.div_ceil(spacing_ms.max(1)) as usize;
        let (station, repeats) = (s.no, t.repeats_on_empty);
        let (depth, confirms, one_by_one) = (t.depth, t.confirms, t.one_by_one);
        Some(ItemPrinter { station, device, level: s.level, depth, confirms, one_by_one, repeats, coasting, gap_us, limit })
    };
    plan.stations.iter().filter(prints).filter_map(printer).collect()
}

impl<L: Law> Line<L> {
    pub(super) fn printer_traits(&self, device: DeviceNo) -> Option<&PrinterTraits> {
        match &self.plan.device(device).traits {
            Traits::Printer(t) => Some(t),
            _ => None,
        }
    }

    /// Print stations whose printer puts codes on passing things.
    pub(super) fn item_printers(&self) -> Arc<[ItemPrinter]> {
        self.item_printers.clone()
    }

    pub(super) fn feed(&mut self) {
        if !matches!(self.book.line.state, PackMl::Execute | PackMl::Starting | PackMl::Unholding | PackMl::Suspended)
            || self.ending.is_some()
        {
            return;
        }
        self.print_labels();
        for &ItemPrinter { device, level, depth, limit, .. } in self.item_printers().iter() {
            if !self.devices[&device].ready {
                continue;
            }
            let w = &self.windows[&device];
            if w.clearing {
                continue;
            }
            let held = w.codes.len() + w.ghosts.len();
            if self.running() && self.runs_dry(device) {
                let name = self.plan.level(level).name.clone();
                self.suspend(&format!("pool-empty:{name}"));
            }
            let room = limit.saturating_sub(held);
            // In small batches, so that a commit carries several; at once when the printer itself would run dry.
            if room == 0 || (held >= depth as usize && room * 2 < limit.saturating_sub(depth as usize)) {
                continue;
            }
            let codes = self.next_codes(level, room);
            if codes.is_empty() {
                continue;
            }
            self.emit(Event::Sent { device, codes: codes.clone() });
            self.windows.get_mut(&device).expect("a printer has a window").codes.extend(&codes);
            self.out.after.extend(codes.into_iter().map(|code| Effect::Print { device, code }));
        }
    }

    /// This printer would soon print its last code again: nothing more comes, and what it has does not outlast the belt.
    /// The line's output stops before that, and goes on by itself when there are codes again.
    pub(super) fn runs_dry(&self, device: DeviceNo) -> bool {
        let Some(p) = self.item_printers.iter().find(|p| p.device == device && p.repeats) else { return false };
        let product = self.book.current_job().map_or("", |j| j.product.as_str());
        self.windows[&device].codes.len() <= p.coasting && self.pool_left(&self.plan.level(p.level).name, product) == 0
    }

    /// A printer that repeats itself may not see a thing while it gets no codes.
    pub(super) fn stop_repeating(&mut self, device: DeviceNo) {
        if self.item_printers.iter().any(|p| p.device == device && p.repeats) {
            let id = self.plan.device(device).id.clone();
            self.suspend(&format!("printer-not-ready:{id}"));
        }
    }

    /// The next `n` leased codes of a level, leasing more where needed: oldest import first, in pack order.
    fn next_codes(&mut self, level: LevelNo, n: usize) -> Vec<CodeRef> {
        let Some(job) = self.book.current_job().map(|j| j.no) else { return Vec::new() };
        let name = self.plan.level(level).name.clone();
        let mut codes = Vec::new();
        while codes.len() < n {
            let skip = codes.len() as u32;
            let lease = self.book.leases.iter().find(|l| {
                l.job == job
                    && l.count > l.used
                    && self.book.packs[&l.pack].level == name
                    && self.may_use(&self.book.packs[&l.pack])
                    && !codes.iter().any(|c: &CodeRef| c.pack == l.pack && c.ordinal + 1 == l.from + l.count)
            });
            match lease.map(|l| (l.pack, l.from + l.used, l.from + l.count)) {
                Some((pack, first, end)) => {
                    let done = codes.iter().filter(|c| c.pack == pack).count() as u32;
                    let take = (n as u32 - skip).min(end - first - done);
                    codes.extend((first + done..first + done + take).map(|o| CodeRef::new(pack, o)));
                }
                None if !self.lease_more(&name) => break,
                None => {}
            }
        }
        if codes.len() < n {
            self.raise(format!("pool-empty:{name}"));
        }
        codes
    }

    /// Leases the next run of a level's oldest pack with codes left.
    pub(super) fn lease_more(&mut self, level: &str) -> bool {
        let Some(job) = self.book.current_job().map(|j| (j.no, j.product.clone())) else { return false };
        let fit = |p: &&super::rows::PackRow| p.level == level && p.product == job.1 && p.next < p.count && self.may_use(p);
        let pack = self.book.packs.values().find(fit);
        let Some((pack, from, count)) = pack.map(|p| (p.no, p.next, LEASE.min(p.count - p.next))) else { return false };
        self.emit(Event::Leased { job: job.0, pack, from, count });
        true
    }

    pub(super) fn taken(&mut self, device: DeviceNo, code: CodeRef) {
        let w = self.windows.entry(device).or_default();
        if w.codes.get(w.taken) == Some(&code) {
            w.taken += 1;
        }
    }

    /// The printer says so: the oldest taken codes left it, in order.
    pub(super) fn printed(&mut self, device: DeviceNo, count: u32) {
        let now_us = self.now.mono_us;
        let gap_us = self.item_printers.iter().find(|p| p.device == device).map_or(0, |p| p.gap_us);
        let w = self.windows.entry(device).or_default();
        // Two reports closer than things can follow each other are one, said twice: what is credited too early would
        // be called printed without ink, what is credited too late is put right by its read.
        let possible = now_us.saturating_sub(w.printed_us).checked_div(gap_us).unwrap_or(u64::from(count));
        let n = w.taken.min(count as usize).min(possible as usize);
        if n > 0 {
            w.printed_us = now_us;
        }
        let gone: Vec<CodeRef> = w.codes.drain(..n).collect();
        w.taken -= n;
        w.ghost_passages = 0;
        let codes: Vec<CodeRef> = gone.into_iter().filter(|c| self.book.state(*c) == ItemState::Sent).collect();
        if codes.is_empty() {
            return;
        }
        if let Some(level) = self.level_of_printer(device).filter(|l| self.item_printers.iter().filter(|p| p.level == *l).count() == 1) {
            // Of several heads nobody knows whose thing comes first: their order is told by reads alone.
            self.orders.entry(level).or_default().codes.extend(&codes);
        }
        self.emit(Event::Printed { device, codes });
    }

    /// The printer names the code that it printed. One that has been read meanwhile, or is not in its window, is nobody's.
    pub(super) fn printed_code(&mut self, device: DeviceNo, code: CodeRef) {
        let now_us = self.now.mono_us;
        let w = self.windows.entry(device).or_default();
        let Some(i) = w.codes.iter().take(w.taken).position(|c| *c == code) else { return };
        let passed: Vec<CodeRef> = w.codes.drain(..=i).take(i).collect();
        w.taken -= i + 1;
        (w.ghost_passages, w.printed_us) = (0, now_us);
        let sent = self.book.state(code) == ItemState::Sent;
        if let Some(level) = self.level_of_printer(device) {
            let order = self.orders.entry(level).or_default();
            // Whether those passed over are on the belt is not known.
            order.anchored &= passed.is_empty();
            order.codes.extend(sent.then_some(code));
        }
        self.lost_on_the_way(device, passed);
        if sent {
            self.emit(Event::Printed { device, codes: vec![code] });
        }
    }

    /// They have left the printer without a word.
    fn lost_on_the_way(&mut self, device: DeviceNo, codes: Vec<CodeRef>) {
        let codes: Vec<CodeRef> = codes.into_iter().filter(|c| self.book.state(*c) == ItemState::Sent).collect();
        if !codes.is_empty() {
            self.emit(Event::Doubtful { device: Some(device), codes, why: Doubt::Silence });
        }
    }

    /// The printer says so of this code: it and all before it left.
    pub(super) fn printed_to(&mut self, device: DeviceNo, code: CodeRef) {
        let now_us = self.now.mono_us;
        let w = self.windows.entry(device).or_default();
        // One that was read before it was told has left the window already.
        let Some(last) = w.codes.iter().position(|c| *c == code) else { return };
        let gone: Vec<CodeRef> = w.codes.drain(..=last).collect();
        w.taken = w.taken.saturating_sub(gone.len());
        (w.printed_us, w.ghost_passages) = (now_us, 0);
        let codes: Vec<CodeRef> = gone.into_iter().filter(|c| self.book.state(*c) == ItemState::Sent).collect();
        if codes.is_empty() {
            return;
        }
        if let Some(level) = self.level_of_printer(device).filter(|l| self.item_printers.iter().filter(|p| p.level == *l).count() == 1) {
            self.orders.entry(level).or_default().codes.extend(&codes);
        }
        self.emit(Event::Printed { device, codes });
    }

    /// The level on whose things a printer prints; `None` for a label printer.
    fn level_of_printer(&self, device: DeviceNo) -> Option<LevelNo> {
        self.item_printers.iter().find(|p| p.device == device).map(|p| p.level)
    }

    /// This code is not for this printer, and the next ones of its pack hardly are: the line is held before more are lost.
    pub(super) fn unprintable(&mut self, device: DeviceNo, code: CodeRef, why: String) {
        self.forget_window(code);
        self.lost_on_the_way(device, vec![code]);
        let id = self.plan.device(device).id.clone();
        self.devices.get_mut(&device).expect("every device of the plan is known").trouble = Some(why);
        self.raise(format!("code-unprintable:{id}"));
        self.hold("code-unprintable");
    }

    /// A link lost, a silence, a reset: what is in the window is doubtful and stays so.
    pub(super) fn printer_lost(&mut self, device: DeviceNo, why: Doubt) {
        if self.printer_traits(device).is_none() {
            return;
        }
        self.doubt_window(device, why);
        self.printer_away(device);
    }

    /// The link is gone. Codes of which its printer may yet tell wait for its word; all others are doubtful.
    pub(super) fn printer_down(&mut self, device: DeviceNo) {
        if !self.windows.get(&device).is_some_and(|w| w.unsettled) {
            return self.printer_lost(device, Doubt::Reset);
        }
        let w = self.windows.get_mut(&device).expect("just seen");
        (w.clearing, w.ghost_passages) = (false, 0);
        self.forget_belt_order(device);
        self.printer_away(device);
    }

    pub(super) fn unsettled(&mut self, device: DeviceNo) {
        if let Some(w) = self.windows.get_mut(&device) {
            w.unsettled = true;
        }
    }

    /// What a printer that is adopted anew could tell of its window, code by code. What was credited, read or doubted
    /// meanwhile is past that.
    pub(super) fn reconciled(&mut self, device: DeviceNo, printed: &[CodeRef], inside: &[CodeRef]) {
        let Some(w) = self.windows.get_mut(&device) else { return };
        let codes: Vec<CodeRef> = w.codes.drain(..).filter(|c| self.book.state(*c) == ItemState::Sent).collect();
        let of = |named: &[CodeRef]| codes.iter().copied().filter(|c| named.contains(c)).collect::<Vec<_>>();
        let (printed, inside) = (of(printed), of(inside));
        let open: Vec<CodeRef> = codes.iter().copied().filter(|c| !printed.contains(c) && !inside.contains(c)).collect();
        (w.taken, w.unsettled, w.kept) = (inside.len(), false, true);
        w.codes.extend(inside);
        // Where the things went meanwhile nobody saw: the belt's order is not made of these.
        if !printed.is_empty() {
            self.emit(Event::Printed { device, codes: printed });
        }
        self.doubt(device, open, Doubt::Reset);
    }

    fn printer_away(&mut self, device: DeviceNo) {
        if let Some(d) = self.devices.get_mut(&device) {
            d.ready = false;
        }
        if self.running() && self.level_of_printer(device).is_some() {
            let id = self.plan.device(device).id.clone();
            self.suspend(&format!("device-down:{id}"));
        }
    }

    fn doubt_window(&mut self, device: DeviceNo, why: Doubt) {
        let w = self.windows.entry(device).or_default();
        let codes: Vec<CodeRef> = w.codes.drain(..).collect();
        (w.taken, w.clearing, w.ghost_passages) = (0, false, 0);
        (w.unsettled, w.kept) = (false, false);
        self.doubt(device, codes, why);
        self.forget_belt_order(device);
    }

    /// Codes of a window whose fate nobody can tell; they may still take room in a buffer that nobody clears. No more of
    /// them than it has room for, and never so many that nothing new is sent: nothing would come to tell that they are gone,
    /// and a printer that repeats itself would print its last code on everything.
    fn doubt(&mut self, device: DeviceNo, codes: Vec<CodeRef>, why: Doubt) {
        let keeps = self.printer_traits(device).is_some_and(|t| !t.clear_on_adopt && !t.label);
        let codes: Vec<CodeRef> = codes.into_iter().filter(|c| self.book.state(*c) == ItemState::Sent).collect();
        if keeps {
            let most = self.item_printers.iter().find(|p| p.device == device).map_or(0, ItemPrinter::most_ghosts);
            let ghosts = &mut self.windows.get_mut(&device).expect("just made").ghosts;
            ghosts.extend(&codes);
            ghosts.drain(..ghosts.len().saturating_sub(most));
        }
        if !codes.is_empty() {
            self.emit(Event::Doubtful { device: Some(device), codes, why });
        }
    }

    /// Which thing carries which code is told by reads alone from here on.
    fn forget_belt_order(&mut self, device: DeviceNo) {
        if let Some(level) = self.level_of_printer(device) {
            self.orders.insert(level, BeltOrder::default());
        }
    }

    pub(super) fn printer_ready(&mut self, device: DeviceNo, cleared: bool) {
        // Whatever was believed to be in it before this moment is not known to be there, unless it just said so.
        let kept = self.windows.get_mut(&device).is_some_and(|w| std::mem::take(&mut w.kept));
        if cleared || !kept {
            self.doubt_window(device, if cleared { Doubt::Cleared } else { Doubt::Reset });
        }
        let w = self.windows.get_mut(&device).expect("a printer has a window");
        if cleared {
            w.ghosts.clear();
        }
        if std::mem::take(&mut w.dummy) && !cleared {
            w.clearing = true;
            self.order_now(device, Order::Clear);
        }
        if L::RESENDS_DOUBTFUL && self.level_of_printer(device).is_some() {
            // The oldest of the last window: a belt that ran out over the loss may well have taken them.
            let doubtful: Vec<CodeRef> = self.book.unsettled().filter(|c| self.book.state(*c) == ItemState::Doubtful).collect();
            let window = doubtful.len().saturating_sub(12);
            let again: Vec<Effect> = doubtful[window..].iter().take(3).map(|code| Effect::Print { device, code: *code }).collect();
            self.out.after.extend(again);
        }
        let id = self.plan.device(device).id.clone();
        if let Some(d) = self.devices.get_mut(&device) {
            (d.ready, d.trouble) = (true, None);
        }
        self.lower(&format!("printer-not-ready:{id}"));
        self.lower(&format!("device-down:{id}"));
    }

    pub(super) fn cleared(&mut self, device: DeviceNo) {
        self.doubt_window(device, Doubt::Cleared);
        self.windows.get_mut(&device).expect("a printer has a window").ghosts.clear();
    }

    /// Passages at a station: doubtful codes leave an uncleared buffer with them, and unread ones without any print in
    /// between tell that a buffer was lost.
    pub(super) fn count_ghost_passages(&mut self, at: &Station, passages: u32) {
        let (limit, plan) = (self.plan.limits.adopt_passages, self.plan.clone());
        for p in self.item_printers().iter().filter(|p| p.level == at.level && plan.station(p.station).same_lane(at)) {
            let w = self.windows.get_mut(&p.device).expect("a printer has a window");
            if !w.ghosts.is_empty() {
                w.ghost_passages += passages;
                if w.ghost_passages >= limit {
                    w.ghosts.clear();
                }
            }
        }
    }

    /// An unread passage at a verify station, whose things come from the printers of its level and lane.
    pub(super) fn count_unread(&mut self, station: StationNo) {
        let plan = self.plan.clone();
        let at = plan.station(station);
        for &ItemPrinter { station, device, level, confirms, one_by_one, .. } in self.item_printers().iter() {
            let ready = self.devices[&device].ready;
            if one_by_one && level == at.level && plan.station(station).same_lane(at) {
                // One that waits to be taken is not given up: it would be sent all the same, and be doubtful already.
                if self.windows.get(&device).is_some_and(|w| w.taken > 0) {
                    self.doubt_window(device, Doubt::Silence);
                }
                continue;
            }
            let w = self.windows.get_mut(&device).expect("a printer has a window");
            if level != at.level
                || !plan.station(station).same_lane(at)
                || !confirms
                || !ready
                || w.clearing
                || w.taken == 0
                || !w.ghosts.is_empty()
            {
                continue;
            }
            w.ghost_passages += 1;
            if w.ghost_passages >= SILENT_PASSAGES {
                (w.clearing, w.ghost_passages) = (true, 0);
                self.order_now(device, Order::Clear);
                self.stop_repeating(device);
            }
        }
    }

    /// A read at the camera: everything sent before it is out of the printer, inked or lost. What the printer did not
    /// acknowledge is doubtful; a read of its own may still verify it.
    pub(super) fn read_past(&mut self, code: CodeRef) {
        let found = self.windows.iter().find_map(|(d, w)| w.codes.iter().position(|c| *c == code).map(|i| (*d, i)));
        let Some((device, i)) = found else { return };
        let w = self.windows.get_mut(&device).expect("just found");
        let passed: Vec<CodeRef> = w.codes.drain(..=i).take(i).collect();
        w.taken = w.taken.saturating_sub(i + 1);
        self.lost_on_the_way(device, passed);
    }
}
