//! How fast a shift runs on virtual time: line-hours at 400 items a minute per minute of processor time, everything but
//! the disk included (the book is kept in memory, bytes take no time on the wire). Limit: at least 10.
//!
//! `cargo bench --bench shift [-- MINUTES]`; prints one JSON line.

use packmark::line::Sound;
use packmark::sim::shift::store::InMemory;
use packmark::sim::shift::{Shift, ShiftHow};
use packmark::sim::world::Faults;

fn main() {
    let minutes = std::env::args().skip(1).find_map(|a| a.parse::<u64>().ok()).unwrap_or(30);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let how =
        ShiftHow { bottles: 400 * minutes, rate_per_min: 400, faults: Faults::None, crashes: 0, instant: true, ..ShiftHow::default() };
    let store = InMemory::new(dir.path()).expect("a folder for packs");
    let shift = Shift::<Sound, _>::new(how, dir.path(), store).expect("the line is set up");
    let before = cpu_ns();
    let outcome = shift.run().expect("it runs");
    let cpu_s = (cpu_ns() - before) as f64 / 1e9;
    outcome.completed.as_ref().expect("the job completes");
    let hours = outcome.virtual_us as f64 / 3.6e9;
    println!(
        "{{\"bench\":\"shift\",\"line_hours\":{hours:.3},\"cpu_s\":{cpu_s:.2},\"line_hours_per_cpu_minute\":{:.1},\"limit\":10,\"steps\":{}}}",
        hours / (cpu_s / 60.0),
        outcome.steps
    );
}

/// Processor time of this thread so far (proc(5), schedstat).
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts it");
    text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}
