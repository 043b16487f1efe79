//! What the owner says to the log.

use crate::vocab::{Event, Report};

/// What somebody who reads the log wants to know; never a code.
pub(super) fn tell(events: &[Event]) {
    for e in events {
        match e {
            Event::LineMoved { to, reason } => tracing::info!(state = %to, reason = reason.as_deref().unwrap_or(""), "line"),
            Event::Alarm { name, on: true } => tracing::warn!(alarm = %name, "alarm"),
            Event::Alarm { name, on: false } => tracing::info!(alarm = %name, "alarm is over"),
            Event::JobMoved { job, to } => tracing::info!(job = job.0, state = %to, "job"),
            Event::Clock { step_ms, .. } => tracing::warn!(step_ms, "the clock was set"),
            _ => {}
        }
    }
}

pub(super) fn link(id: &str, report: &Report) {
    match report {
        Report::Up { identity } => tracing::info!(device = %id, identity = identity.as_deref().unwrap_or(""), "connected"),
        Report::Down { why } => tracing::info!(device = %id, why = %why, "not connected"),
        Report::NotReady { why } => tracing::warn!(device = %id, why = %why, "not ready"),
        Report::Unprintable { why, .. } => tracing::warn!(device = %id, why = %why, "a code it cannot print"),
        Report::OutOfStep { why } => tracing::warn!(device = %id, why = %why, "out of step"),
        Report::Overwritten { number, on } => tracing::warn!(device = %id, output = number, on, "an output was written by somebody else"),
        Report::Noise { count, .. } => tracing::debug!(device = %id, count, "bytes that mean nothing"),
        _ => {}
    }
}
