//! The line's devices as the floor holds them: a driver task each, orders in by a bounded queue.
//!
//! Must never know: rules.

use crate::line::Label;
use crate::vocab::plan::Ignore;
use crate::vocab::{DeviceNo, Order, Plan, Report};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a driver tells, and when (mono µs) it came.
#[derive(Debug)]
pub struct Told {
    pub device: DeviceNo,
    pub report: Report,
    pub at_us: u64,
}

/// The driver is not there, or its queue is full.
#[derive(Debug)]
pub struct Deaf;

struct Port {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

pub struct Devices {
    ports: BTreeMap<DeviceNo, Port>,
    ignored: BTreeMap<DeviceNo, Vec<Ignore>>,
}

impl Devices {
    pub fn new(plan: &Plan) -> Self {
        let ignored = plan.devices.iter().map(|d| (d.no, plan.stations_of(d.no).flat_map(|s| s.ignore.clone()).collect())).collect();
        Self { ports: BTreeMap::new(), ignored }
    }

    /// Never waits.
    pub fn order(&mut self, device: DeviceNo, order: Order) -> Result<(), Deaf> {
        self.ports.get(&device).ok_or(Deaf)?.orders.try_send(order).map_err(|_| Deaf)
    }

    /// What the stations of a reader pass over.
    pub fn ignored_by(&self, device: DeviceNo) -> &[Ignore] {
        self.ignored.get(&device).map_or(&[], Vec::as_slice)
    }

    pub fn reopen(&mut self, device: DeviceNo) {
        if let Some(port) = self.ports.remove(&device) {
            port.task.abort();
        }
    }

    /// Takes no more orders; drivers have `patience` to get the last ones out.
    pub async fn close(self, patience: Duration) {
        let mut tasks: Vec<JoinHandle<()>> = self.ports.into_values().map(|p| p.task).collect();
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

pub fn label(code: &[u8], _label: &Label) -> Vec<u8> {
    code.to_vec()
}
