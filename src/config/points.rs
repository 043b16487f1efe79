//! What hangs on an I/O module's points: the run permit, the stack light, gates, and the points themselves.

use super::node::{At, Table};
use super::words::{point, point_at};
use crate::vocab::plan::*;

/// A thing falls past the sensor of a reject bin in a fraction of this.
const STUCK_MS: u64 = 2_000;

pub(super) fn permit(t: &Table<'_>, devices: &[Device]) -> Option<Permit> {
    let output = io_point(t, "output", devices, &[PointKind::Output]);
    if t.place("output") == t.at {
        t.complain(t.at, "output is missing", "add output = \"io1:out.8\"");
    }
    let p = Permit {
        output: output?,
        heartbeat_ms: t.number("heartbeat_ms", 10, 10_000).unwrap_or(100) as u32,
        watchdog_ms: t.number("watchdog_ms", 20, 60_000).unwrap_or(300) as u32,
        belt_stop_ms: t.number("belt_stop_ms", 0, 60_000).unwrap_or(100) as u32,
    };
    t.done();
    Some(p)
}

pub(super) fn stack_light(t: &Table<'_>, devices: &[Device]) -> Option<StackLight> {
    let output = |key| io_point(t, key, devices, &[PointKind::Output]);
    let light = StackLight {
        red: output("red"),
        yellow: output("yellow"),
        green: output("green"),
        horn: output("horn"),
        horn_ms: t.number("horn_ms", 100, 3_600_000).map(|n| n as u32),
        reassert_ms: t.number("reassert_ms", 100, 60_000).unwrap_or(1_000) as u32,
    };
    if light.outputs().iter().all(Option::is_none) {
        t.complain(t.at, "it has no lamp and no horn", "add red, yellow, green or horn, as red = \"io1:out.10\", or remove it");
    }
    t.done();
    Some(light)
}

pub(super) fn gate(t: &Table<'_>, devices: &[Device]) -> Option<Gate> {
    let output = io_point(t, "output", devices, &[PointKind::Output, PointKind::Pulse]);
    let polarity = t.needed_word("polarity", &[("pass", Polarity::Pass), ("reject", Polarity::Reject)]);
    let after = t.table("after").map(|a| {
        let ms = a.number("ms", 1, 3_600_000);
        let pulses = a.number("pulses", 1, 100_000_000);
        let belt = io_point(&a, "belt", devices, &[PointKind::Input]);
        let encoder = io_point(&a, "encoder", devices, &[PointKind::Counter]);
        a.done();
        match (ms, pulses, encoder) {
            (Some(ms), None, None) => Some(After::Ms { ms: ms as u32, belt }),
            (None, Some(n), Some(encoder)) if belt.is_none() => Some(After::Pulses { n: n as u32, encoder }),
            _ => {
                a.complain(
                    a.at,
                    "after is neither time nor pulses",
                    "write { ms = 400, belt = \"io1:in.5\" } or { pulses = 120, encoder = \"io1:cnt.1\" }",
                );
                None
            }
        }
    });
    if after.is_none() {
        t.complain(t.at, "after is missing", "add after = { ms = 400, belt = \"io1:in.5\" }");
    }
    let pulse_ms = t.needed_number("pulse_ms", 1, 60_000, "60");
    let tolerance_ms = t.number("tolerance_ms", 0, 60_000).unwrap_or(10) as u32;
    let confirm = io_point(t, "confirm", devices, &[PointKind::Input]);
    let stuck_ms = t.number("stuck_ms", 50, 3_600_000).unwrap_or(STUCK_MS) as u32;
    t.done();
    Some(Gate { output: output?, polarity: polarity?, after: after??, pulse_ms: pulse_ms? as u32, tolerance_ms, confirm, stuck_ms })
}

pub(super) fn io_point(t: &Table<'_>, key: &'static str, devices: &[Device], kinds: &[PointKind]) -> Option<Point> {
    let At { at, value } = t.text(key)?;
    let Some((name, kind, number)) = point(value) else {
        t.complain(at, format_args!("{key} = \"{value}\" is no point"), "write DEVICE:in.N, DEVICE:out.N or DEVICE:cnt.N");
        return None;
    };
    if !kinds.contains(&kind) {
        let words: Vec<&str> = kinds
            .iter()
            .map(|k| match k {
                PointKind::Input => "in.N",
                PointKind::Output => "out.N",
                PointKind::Counter => "cnt.N",
                PointKind::Pulse => "pulse.N",
            })
            .collect();
        t.complain(at, format_args!("{key} = \"{value}\" is the wrong kind of point"), format!("it must be {}", words.join(" or ")));
        return None;
    }
    let Some(d) = devices.iter().find(|d| d.id == name) else {
        t.complain(at, format_args!("{key}: there is no device \"{name}\""), "name a [[device]] of the file");
        return None;
    };
    let Traits::Io(io) = &d.traits else {
        t.complain(at, format_args!("{key}: device \"{name}\" has no points"), "name a device with an I/O profile");
        return None;
    };
    if kind == PointKind::Pulse && !io.pulses {
        t.complain(at, format_args!("{key}: \"{name}\" times no pulses itself"), "write out.N, or set pulse_base where its profile has it");
        return None;
    }
    Some(point_at(d.no, kind, number))
}
