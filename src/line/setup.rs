//! Setup prints: a dummy on a thing while a head is aligned, with no job running.
//!
//! A setup print is no code's life: it leases nothing, is in no window, and nothing it causes is credited. The printer is
//! armed as for a job, gets the dummy, and is disarmed when it has printed it or after a while. A job that starts meanwhile
//! arms it anew, and clears it: a printer that nobody can clear takes no setup print.

use super::input::{Answer, Effect, Label};
use super::law::Law;
use super::live::{Line, Pending};
use crate::vocab::event::Event;
use crate::vocab::plan::{Role, Traits};
use crate::vocab::time::MS;
use crate::vocab::{DeviceNo, Order, Report, dummy};

/// The printer must be ready, and must have taken the dummy, within this.
const TAKE_US: u64 = 10_000 * MS;
/// A thing must have come by within this; then the printer is disarmed.
const PRINT_US: u64 = 60_000 * MS;

/// A setup print under way.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    device: DeviceNo,
    dummy: String,
    /// Answered once the printer has taken it.
    to: Option<Pending>,
    sent: bool,
    /// It may wait in the printer for a thing.
    inside: bool,
    until_us: u64,
}

impl<L: Law> Line<L> {
    pub(super) fn setup_print(&mut self, to: Pending, device: &str, text: Option<&str>) {
        match self.setup_refused(device, text) {
            Err(answer) => self.reply(&to, answer),
            Ok((no, dummy)) => {
                let station = self.plan.stations.iter().find(|s| s.role == Role::Print && s.device == Some(no)).cloned();
                let (message, fields) = station.map_or((None, Vec::new()), |s| {
                    let fields = s.fields.iter().map(|(k, v)| (k.clone(), v.replace("{lot}", dummy::WORD))).collect();
                    (s.message, fields)
                });
                self.order_now(no, Order::Arm { message, fields });
                if let Some(d) = self.devices.get_mut(&no) {
                    d.ready = false;
                }
                self.setup =
                    Some(Setup { device: no, dummy, to: Some(to), sent: false, inside: false, until_us: self.now.mono_us + TAKE_US });
            }
        }
    }

    fn setup_refused(&self, device: &str, text: Option<&str>) -> Result<(DeviceNo, String), Answer> {
        if let Some(job) = self.book.current_job() {
            let what = format!("job {} is on the line: setup prints are for a line without one", job.id);
            return Err(Answer::refused("job-running", what, "complete or abort the job first"));
        }
        let printers: Vec<&str> =
            self.plan.devices.iter().filter(|d| matches!(d.traits, Traits::Printer(_))).map(|d| d.id.as_str()).collect();
        let Some(found) = self.plan.devices.iter().find(|d| d.id == device && printers.contains(&device)) else {
            let what = format!("there is no printer {device}");
            return Err(Answer::refused("unknown-printer", what, format!("use one of: {}", printers.join(", "))));
        };
        if self.printer_traits(found.no).is_some_and(|t| !t.clear_on_adopt && !t.label) {
            let what = format!("printer {device} keeps what it was sent: a setup print could come out in a job");
            return Err(Answer::refused("keeps", what, "align it from its own panel"));
        }
        let dummy = dummy::dummy(text).map_err(|e| Answer::refused("bad-text", e, "give another text, or none"))?;
        if let Some(other) = &self.setup {
            let what = format!("a setup print is under way on {}", self.plan.device(other.device).id);
            return Err(Answer::refused("busy", what, "wait until it is printed, a minute at most"));
        }
        if !self.devices[&found.no].up {
            let why = self.devices[&found.no].trouble.clone().unwrap_or_else(|| "never connected".into());
            let what = format!("device {device} is not connected ({why})");
            return Err(Answer::refused("not-ready", what, "check its power, cable and address"));
        }
        Ok((found.no, dummy))
    }

    /// The printer is armed: in the book, then to the printer.
    pub(super) fn setup_ready(&mut self, device: DeviceNo) {
        let Some(s) = self.setup.as_mut().filter(|s| s.device == device && !s.sent) else { return };
        (s.sent, s.inside) = (true, true);
        let dummy = s.dummy.clone();
        let label = self.printer_traits(device).is_some_and(|t| t.label).then(|| Label {
            template: None,
            sscc: false,
            lot: dummy::WORD.into(),
            count: 0,
        });
        self.emit(Event::SetupPrint { device, dummy: dummy.clone() });
        self.out.after.push(Effect::Setup { device, dummy, label });
    }

    /// The printer has the dummy, or has printed it.
    pub(super) fn setup_hears(&mut self, device: DeviceNo, report: &Report) {
        let printed = match report {
            Report::Taken { .. } => false,
            Report::Printed { .. } | Report::PrintedCode { .. } => true,
            _ => return,
        };
        let Some(s) = self.setup.as_mut().filter(|s| s.device == device && s.sent) else { return };
        (s.inside, s.until_us) = (!printed, self.now.mono_us + PRINT_US);
        let answer = Answer::ok().with("device", &self.plan.device(device).id).with("dummy", &s.dummy);
        if let Some(to) = s.to.take() {
            self.reply(&to, answer);
        }
        if printed {
            self.setup_over(None);
        }
    }

    /// The printer is in trouble, or gone: was it about a setup print?
    pub(super) fn setup_failed(&mut self, device: DeviceNo, why: &str) -> bool {
        let ours = self.setup.as_ref().is_some_and(|s| s.device == device);
        if ours {
            self.setup_over(Some(why));
        }
        ours
    }

    pub(super) fn setup_due(&mut self) {
        if self.setup.as_ref().is_some_and(|s| s.until_us <= self.now.mono_us) {
            self.setup_over(Some("it did not say that it has taken it"));
        }
    }

    pub(super) fn setup_deadline(&self) -> Option<u64> {
        self.setup.as_ref().map(|s| s.until_us)
    }

    /// Ends it; a job arms the printer anew.
    pub(super) fn setup_over(&mut self, why: Option<&str>) {
        let Some(s) = self.setup.take() else { return };
        if let Some(to) = &s.to {
            let id = &self.plan.device(s.device).id;
            let what = format!("printer {id} did not take the setup print ({})", why.unwrap_or("a job started"));
            self.reply(to, Answer::refused("not-printed", what, "mend what it says, then ask again, and look whether it is on a thing"));
        }
        if s.inside && self.printer_traits(s.device).is_some_and(|t| !t.label) {
            self.windows.entry(s.device).or_default().dummy = true;
        }
        self.order_now(s.device, Order::Disarm);
        let alarm = format!("printer-not-ready:{}", self.plan.device(s.device).id);
        self.lower(&alarm);
        if let Some(d) = self.devices.get_mut(&s.device) {
            d.ready = false;
        }
    }
}
