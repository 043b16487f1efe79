//! The line's devices as the floor holds them: a driver task each, orders in by a bounded queue, reports out into one.
//!
//! Must never know: rules.

use super::clock::Clock;
use crate::device::{self, Device, Driven, Told};
use crate::line::Label;
use crate::profile::{Bound, Profiles};
use crate::vocab::grade::Grade;
use crate::vocab::plan::Ignore;
use crate::vocab::{DeviceNo, Order, Plan};
use crate::wire;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The driver is not there, or its queue is full.
#[derive(Debug)]
pub struct Deaf;

pub struct Devices {
    plan: Arc<Plan>,
    /// The folder of the configuration.
    folder: PathBuf,
    clock: Clock,
    bound: BTreeMap<DeviceNo, Bound>,
    reports: mpsc::Sender<Told>,
    driven: BTreeMap<DeviceNo, Driven>,
    /// Ordered by the boot's decision, before anything was opened.
    early: Vec<(DeviceNo, Order)>,
    ignored: BTreeMap<DeviceNo, Vec<Ignore>>,
    grades: BTreeMap<DeviceNo, Grade>,
}

impl Devices {
    /// Nothing is opened yet. Errors are a profile's complaints.
    pub fn new(
        plan: Arc<Plan>,
        profiles: &Profiles,
        folder: PathBuf,
        clock: Clock,
        reports: mpsc::Sender<Told>,
    ) -> Result<Self, Vec<String>> {
        let mut bound = BTreeMap::new();
        for d in &plan.devices {
            bound.insert(d.no, profiles.bind(&d.profile, &d.settings)?);
        }
        let ignored = plan.devices.iter().map(|d| (d.no, plan.ignored_by(d.no))).collect();
        let grades = plan.devices.iter().filter_map(|d| Some((d.no, plan.least_grade(d.no)?))).collect();
        Ok(Self { plan, folder, clock, bound, reports, driven: BTreeMap::new(), early: Vec::new(), ignored, grades })
    }

    /// Starts every device's driver on the current runtime.
    pub fn open(&mut self) {
        let all: Vec<DeviceNo> = self.bound.keys().copied().collect();
        all.into_iter().for_each(|d| self.open_one(d));
        for (device, order) in std::mem::take(&mut self.early) {
            // A queue just made has room for the boot's few.
            let _ = self.order(device, order);
        }
    }

    fn open_one(&mut self, no: DeviceNo) {
        let clock = self.clock;
        let driven = device::spawn(Device {
            no,
            address: self.plan.device(no).address.clone(),
            aside: self.plan.device(no).command.clone(),
            per_command: self.bound[&no].connects_per_command(),
            allow: self.plan.device(no).allow.clone(),
            folder: self.folder.clone(),
            conversation: wire::converse(&self.bound[&no], &self.plan, no),
            clock: Arc::new(move || clock.mono_us()),
            reports: self.reports.clone(),
        });
        self.driven.insert(no, driven);
    }

    /// Closes a link at once and opens it anew.
    pub fn reopen(&mut self, device: DeviceNo) {
        if let Some(d) = self.driven.remove(&device) {
            d.task.abort();
        }
        self.open_one(device);
    }

    /// Never waits.
    pub fn order(&mut self, device: DeviceNo, order: Order) -> Result<(), Deaf> {
        if self.driven.is_empty() {
            self.early.push((device, order));
            return Ok(());
        }
        self.driven.get(&device).ok_or(Deaf)?.orders.try_send(order).map_err(|_| Deaf)
    }

    /// What the stations of a reader pass over.
    pub fn ignored_by(&self, device: DeviceNo) -> &[Ignore] {
        self.ignored.get(&device).map_or(&[], Vec::as_slice)
    }

    /// The poorest grade that is good enough for what a reader reads.
    pub fn least_grade(&self, device: DeviceNo) -> Option<Grade> {
        self.grades.get(&device).copied()
    }

    /// The bytes that make a label printer print this code; `Err`: what cannot stand on its labels.
    pub fn label_bytes(&self, device: DeviceNo, code: &[u8], label: &Label) -> Result<Vec<u8>, String> {
        let fill = wire::label::Fill { code, sscc: label.sscc, lot: &label.lot, count: label.count };
        wire::label::render(&self.bound[&device], label.template.as_deref(), &fill)
    }

    /// Takes no more orders; drivers have `patience` to get the last ones out.
    pub async fn close(self, patience: Duration) {
        let mut tasks: Vec<JoinHandle<()>> = self.driven.into_values().map(|d| d.task).collect();
        let all = async {
            for task in &mut tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tasks.iter().for_each(JoinHandle::abort);
        }
    }
}
