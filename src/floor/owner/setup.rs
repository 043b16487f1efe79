//! The bytes of a setup print, once it is in the book.

use super::Owner;
use crate::line::{Input, Label};
use crate::vocab::{CodeRef, DeviceNo, Order, PackNo, Report};

impl Owner {
    /// No pack has the number 0: what the printer says of it is credited to no code.
    pub(super) fn setup_print(&mut self, device: DeviceNo, dummy: &str, label: Option<Label>) {
        let bytes = match label {
            Some(label) => self.devices.label_bytes(device, dummy.as_bytes(), &label),
            None => Ok(dummy.into()),
        };
        match bytes {
            Ok(bytes) => self.order(device, Order::Print { code: CodeRef::new(PackNo(0), 0), bytes }),
            Err(why) => self.step(Input::Report { device, report: Report::NotReady { why } }),
        }
    }
}
