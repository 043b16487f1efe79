//! The stack light and the horn: what can be seen and heard of the line from across the hall.
//!
//! Red: the line is held, and no person did it. Yellow: something wants a look, or the line waits (for a printer, for a
//! person, for its own start or end). Green: it runs (IEC 60073 has fault, abnormal and normal for these colours). The horn begins with red and ends
//! when somebody acknowledges it, when its time is over, or with red.
//!
//! Must never know: gates. Invariants: lamps follow the state that is decided, and are written again by a timer, so that a
//! module that lost them shows them again; they are written one at a time with a pause between, for a gate's word
//! must not wait behind them.

use super::input::Answer;
use super::law::Law;
use super::live::Line;
use crate::vocab::PackMl;
use crate::vocab::plan::StackLight;
use crate::vocab::time::MS;

/// Between one lamp and the next.
const PAUSE_US: u64 = 25 * MS;
/// Red, yellow, green, horn.
const OUTPUTS: usize = 4;
/// The alarm that a sounding horn is.
const HORN: &str = "horn";

#[derive(Clone, Copy, Debug, Default)]
pub struct Tower {
    /// As last written; unknown after a start or a lost module.
    shown: [Option<bool>; OUTPUTS],
    red: bool,
    /// The horn sounds since (mono µs).
    horn_us: Option<u64>,
    /// No lamp is written before.
    pause_us: u64,
    /// The next lamp to be written again, and when.
    next: usize,
    again_us: u64,
}

impl<L: Law> Line<L> {
    /// The module is here (again): all lamps are written anew.
    pub(super) fn tower_again(&mut self) {
        self.tower.shown = [None; OUTPUTS];
    }

    pub(super) fn tower_due(&mut self) {
        let Some(light) = self.plan.stack_light else { return };
        let now_us = self.now.mono_us;
        let [red, yellow, green] = self.lamps();
        let t = &mut self.tower;
        if red != std::mem::replace(&mut t.red, red) {
            t.horn_us = red.then_some(now_us);
        }
        let over = |since: &mut u64| light.horn_ms.is_some_and(|ms| now_us >= *since + u64::from(ms) * MS);
        t.horn_us.take_if(over);
        let sounds = t.horn_us.is_some() && light.horn.is_some();
        if sounds {
            self.raise(HORN.into());
        } else {
            self.lower(HORN);
        }
        self.write_lamps(&light, [red, yellow, green, sounds]);
    }

    fn lamps(&self) -> [bool; 3] {
        let line = &self.book.line;
        let operator = line.reason.as_deref() == Some("operator");
        let red = matches!(line.state, PackMl::Held | PackMl::Holding) && !operator;
        let waits = matches!(
            line.state,
            PackMl::Suspended | PackMl::Starting | PackMl::Unholding | PackMl::Completing | PackMl::Stopping | PackMl::Aborting
        );
        let alarms = line.alarms.iter().any(|a| a != HORN);
        [red, alarms || waits || (line.state == PackMl::Held && operator), line.state == PackMl::Execute]
    }

    fn write_lamps(&mut self, light: &StackLight, levels: [bool; OUTPUTS]) {
        let now_us = self.now.mono_us;
        if now_us < self.tower.pause_us {
            return;
        }
        let points = light.outputs();
        let up = |i: &usize| points[*i].is_some_and(|p| self.devices.get(&p.device).is_some_and(|d| d.up));
        // The horn first: somebody stands beside it.
        let changed = (0..OUTPUTS).rev().filter(up).find(|i| self.tower.shown[*i] != Some(levels[*i]));
        let again = (0..OUTPUTS).map(|n| (self.tower.next + n) % OUTPUTS).find(up).filter(|_| now_us >= self.tower.again_us);
        let Some(i) = changed.or(again) else { return };
        let t = &mut self.tower;
        t.shown[i] = Some(levels[i]);
        t.pause_us = now_us + PAUSE_US;
        if changed.is_none() {
            (t.next, t.again_us) = (i + 1, now_us + u64::from(light.reassert_ms) * MS / OUTPUTS as u64);
        }
        if let Some(p) = points[i] {
            self.output(p, levels[i]);
        }
    }

    /// Somebody heard it.
    pub(super) fn horn_off(&mut self) -> Answer {
        if self.plan.stack_light.is_none_or(|l| l.horn.is_none()) {
            return Answer::refused(
                "no-horn",
                "this line has no horn",
                "name one in the configuration: [stack_light] horn = \"io1:out.11\"",
            );
        }
        self.tower.horn_us = None;
        Answer::ok()
    }

    pub(super) fn tower_deadline(&self) -> Option<u64> {
        let light = self.plan.stack_light.filter(|_| self.booted)?;
        let horn = self.tower.horn_us.zip(light.horn_ms).map(|(t, ms)| t + u64::from(ms) * MS);
        let written = light.outputs().iter().flatten().any(|p| self.devices.get(&p.device).is_some_and(|d| d.up));
        let [red, yellow, green] = self.lamps();
        let levels = [red, yellow, green, self.tower.horn_us.is_some() && light.horn.is_some()];
        let behind = (0..OUTPUTS).any(|i| light.outputs()[i].is_some() && self.tower.shown[i] != Some(levels[i]));
        let next = if behind { self.tower.pause_us } else { self.tower.again_us.max(self.tower.pause_us) };
        // A moment that has gone by must not spin.
        [horn, written.then_some(next)].into_iter().flatten().map(|t| t.max(self.now.mono_us + MS)).min()
    }
}
