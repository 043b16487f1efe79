//! The rig alone: bytes of a printer, a camera and the points, with no belt.

use super::*;
use crate::config::Config;
use crate::vocab::plan::PointKind;
use std::path::Path;

const L: Link = Link::FIRST;
const LINE: &str = include_str!("../../../tests/data/line.toml");

fn rig(text: &str) -> (Plan, Rig) {
    let profiles = Profiles::load(None).unwrap();
    let bind = |name: &str, s: &_| profiles.bind(name, s).map(|b| b.traits());
    let config = Config::parse(Path::new("line.toml"), text, &bind).unwrap_or_else(|e| panic!("{e:?}"));
    let rig = Rig::new(&config.plan, &profiles, 1).unwrap();
    (config.plan, rig)
}

fn no(plan: &Plan, id: &str) -> DeviceNo {
    plan.devices.iter().find(|d| d.id == id).unwrap().no
}

fn says(r: &mut Rig, device: DeviceNo, now_us: &mut u64) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..10 {
        *now_us += 5_000;
        r.due(*now_us);
        while let Some((_, Emission::Send(b))) = r.poll(device) {
            all.extend(b);
        }
    }
    all
}

#[test]
fn a_code_goes_through_printer_and_camera_byte_for_byte() {
    let (plan, mut r) = rig(LINE);
    let (ijp, cam, mut now) = (no(&plan, "ijp1"), no(&plan, "cam1"), 0);
    assert!(r.accepts(ijp, 0));
    r.connected(ijp, L, 0);
    assert!(!r.accepts(ijp, 0), "one connection");
    r.received(ijp, L, b"\x1bON106BOTTLE\x04", now);
    now = 800_000;
    assert_eq!(says(&mut r, ijp, &mut now), [6]);
    r.received(ijp, L, b"\x1bOE0004a\x1db!\x04", now);
    assert_eq!(says(&mut r, ijp, &mut now), [6]);
    let inked = r.print(ijp, now);
    assert_eq!(inked.as_deref(), Some(&b"a\x1db!"[..]));
    assert_eq!(r.read(cam, std::slice::from_ref(&inked), now), [None], "nobody listens to the camera");
    r.connected(cam, L, now);
    assert_eq!(r.read(cam, std::slice::from_ref(&inked), now), [inked]);
    assert_eq!(says(&mut r, cam, &mut now), b"a\x1db!\r");
    assert_eq!(r.read(cam, &[None], now), [None]);
    assert_eq!(says(&mut r, cam, &mut now), b"ERROR\r");
}

#[test]
fn an_sscc_is_18_digits_here_and_20_on_the_wire() {
    let (plan, mut r) = rig(LINE);
    let (zpl, cam, hand, mut now) = (no(&plan, "zpl1"), no(&plan, "cam3"), no(&plan, "hand1"), 0);
    for d in [zpl, cam, hand] {
        r.connected(d, L, 0);
    }
    r.received(zpl, L, b"^XA^BCN,100,Y,N,N^FD>;>800069012340000000016^FS^XZ", now);
    now = 500_000;
    r.due(now);
    let code = r.label(zpl, now);
    assert_eq!(code.as_deref(), Some(&b"069012340000000016"[..]));
    assert_eq!(r.read(cam, std::slice::from_ref(&code), now), std::slice::from_ref(&code));
    assert_eq!(says(&mut r, cam, &mut now), b"00069012340000000016\r");
    r.read(hand, &[code], now);
    assert_eq!(says(&mut r, hand, &mut now), b"00069012340000000016\r\n");
    r.read(cam, &[Some(b"069012340000000013".to_vec())], now);
    assert_eq!(says(&mut r, cam, &mut now), b"069012340000000013\r", "18 digits with another check digit are no SSCC");
}

#[test]
fn a_lost_link_is_hung_up_and_refused_for_its_time() {
    let (plan, mut r) = rig(LINE);
    let cam = no(&plan, "cam1");
    r.connected(cam, L, 0);
    r.trouble(cam, Trouble::LinkLoss { ms: 500 }, 1_000);
    assert_eq!(r.poll(cam), Some((L, Emission::HangUp)));
    assert_eq!(r.poll(cam), None);
    assert!(!r.linked(cam) && !r.accepts(cam, 500_999) && r.accepts(cam, 501_000));
    assert_eq!(r.read(cam, &[Some(b"X".to_vec())], 2_000), [None]);
    assert_eq!(r.deadline(), Some(501_000));
    r.due(501_000);
    r.connected(cam, Link(1), 501_000);
    assert_eq!(r.read(cam, &[Some(b"X".to_vec())], 502_000), [Some(b"X".to_vec())]);
}

#[test]
fn a_power_cycle_takes_the_buffer_and_the_counters() {
    let (plan, mut r) = rig(LINE);
    let (ijp, io, mut now) = (no(&plan, "ijp1"), no(&plan, "io1"), 0);
    r.connected(ijp, L, now);
    r.received(ijp, L, b"\x1bON106BOTTLE\x04", now);
    now = 800_000;
    says(&mut r, ijp, &mut now);
    r.received(ijp, L, b"\x1bOE0001a\x04", now);
    says(&mut r, ijp, &mut now);
    r.trouble(ijp, Trouble::PowerCycle { ms: 100 }, now);
    assert_eq!(r.print(ijp, now), None, "without power");
    now += 100_000;
    r.due(now);
    assert_eq!(r.print(ijp, now), None, "with an empty buffer");
    let eye = Point { device: io, kind: PointKind::Counter, number: 1 };
    r.connected(io, L, now);
    r.connected(io, Link(1), now);
    r.input(eye, true, now);
    r.trouble(io, Trouble::PowerCycle { ms: 100 }, now);
    assert_eq!(r.poll(io), Some((L, Emission::HangUp)));
    assert_eq!(r.poll(io), Some((Link(1), Emission::HangUp)));
    r.input(eye, false, now);
    now += 100_000;
    r.due(now);
    r.connected(io, L, now);
    r.input(eye, true, now);
    r.received(io, L, b"\x00\x01\x00\x00\x00\x06\x01\x04\x00\x02\x00\x02", now);
    assert_eq!(says(&mut r, io, &mut now), b"\x00\x01\x00\x00\x00\x07\x01\x04\x04\x00\x00\x00\x01");
}

#[test]
fn the_permits_watchdog_hangs_on_its_module() {
    let (plan, mut r) = rig(LINE);
    let permit = plan.run_permit.unwrap().output;
    r.connected(permit.device, L, 0);
    r.received(permit.device, L, b"\x00\x01\x00\x00\x00\x06\x01\x05\x00\x08\xff\x00", 0);
    r.due(299_999);
    assert!(r.output(permit) && !r.safe(permit.device));
    r.due(300_000);
    assert!(!r.output(permit) && r.safe(permit.device));
}

#[test]
fn same_seed_same_bytes_at_the_same_time() {
    let run = |seed_text: &str| {
        let (plan, mut r) = rig(seed_text);
        let cam = no(&plan, "cam2");
        r.connected(cam, L, 0);
        (0..20)
            .map(|i| {
                r.read(cam, &[Some(b"A".to_vec()), None, Some(b"B".to_vec())], i * 100_000);
                r.deadline()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(LINE), run(LINE));
}

/// Anything at all happens to the devices: none panics, none asks to be called again for a moment that has passed, none
/// sends to a link that is not open.
#[test]
fn whatever_comes_the_rig_goes_on() {
    const BITS: [&[u8]; 12] = [
        b"\x1bOE0004",
        b"\x04",
        b"\x1bI1A\x04",
        b"^XA^BCN^FD",
        b"^FS^XZ",
        b"~HS",
        b"LON\r",
        b"\x02",
        b"\0\x01\0\0\0\x06\x01",
        b"\x05\0\x08\xff\0",
        b"\x0f",
        b"\r\n",
    ];
    let (plan, _) = rig(LINE);
    let devices: Vec<DeviceNo> = plan.devices.iter().map(|d| d.no).collect();
    for seed in 0..150 {
        let (_, mut r) = rig(LINE);
        let mut rng = Rng::new(seed);
        let mut open: BTreeSet<(DeviceNo, Link)> = BTreeSet::new();
        let mut now = 1;
        for n in 0..400 {
            let device = devices[rng.below(devices.len() as u64) as usize];
            let ms = rng.below(300) as u32;
            match rng.below(9) {
                0 if r.accepts(device, now) => {
                    open.insert((device, Link(n)));
                    r.connected(device, Link(n), now);
                }
                1 => {
                    if let Some((d, l)) = open.pop_first() {
                        r.disconnected(d, l, now);
                    }
                }
                2..=4 => {
                    let noise: Vec<u8> = (0..rng.below(40)).map(|_| rng.next_u64() as u8).collect();
                    let bytes = if rng.chance(300_000) { &noise[..] } else { BITS[rng.below(12) as usize] };
                    for (d, l) in &open {
                        r.received(*d, *l, bytes, now);
                    }
                }
                5 => drop(r.read(device, &[None, Some(b"X".to_vec())], now)),
                6 => drop((r.print(device, now), r.label(device, now))),
                7 => {
                    let all = [
                        Trouble::LinkLoss { ms },
                        Trouble::PowerCycle { ms },
                        Trouble::DropBuffer,
                        Trouble::Silence,
                        Trouble::Refuse,
                        Trouble::DoubleAck,
                        Trouble::LateAck { ms },
                        Trouble::Split { ms },
                        Trouble::Glue,
                        Trouble::StaleFrame { ms },
                        Trouble::DoubleFrame,
                        Trouble::Fault { ms },
                    ];
                    r.trouble(device, all[rng.below(12) as usize], now);
                }
                _ => now += rng.below(100 * MS),
            }
            r.due(now);
            for d in &devices {
                while let Some((l, e)) = r.poll(*d) {
                    assert!(open.contains(&(*d, l)), "seed {seed}: {d:?} {l:?} is not open");
                    if e == Emission::HangUp {
                        open.remove(&(*d, l));
                    }
                }
            }
            assert!(r.deadline().is_none_or(|t| t > now), "seed {seed}: due at {:?}, it is {now}", r.deadline());
        }
    }
}
