//! The console from outside its rooms: what a person does and sees.

use super::model::{Action, Command, Dialog, Event, Key, Link, Lost, Model, Reply, Said};
use super::terminal::View;
use super::words::Lang;
use super::{paint, render_line};
use crate::control::protocol::*;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

fn device(id: &str, profile: &str, kind: &str, stations: &[&str]) -> Device {
    Device {
        id: id.into(),
        profile: profile.into(),
        link: "up".into(),
        age_ms: 120,
        last_kind: Some(kind.into()),
        trouble: None,
        gs: None,
        stations: stations.iter().map(|s| s.to_string()).collect(),
    }
}

fn station(id: &str, verified: u64, rejected: &[(&str, u64)], open: u64) -> Station {
    let rejected = rejected.iter().map(|(r, n)| (r.to_string(), *n)).collect::<std::collections::BTreeMap<_, _>>();
    let passages = verified + open + rejected.values().sum::<u64>();
    Station { id: id.into(), passages, verified, rejected, escaped: 0, open }
}

fn parent(level: &str, id: u32, fill: u32, holds: u32, state: &str) -> Open {
    Open { level: level.into(), id, hex: None, text: None, fill, holds, state: state.into() }
}

fn pool(level: &str, codes: u64, minutes: Option<u64>) -> Pool {
    Pool { level: level.into(), codes, minutes }
}

/// The contract's example line in the middle of a job.
fn running() -> Status {
    Status {
        supply: Vec::new(),
        state: State { packml: 6, name: "execute".into(), reason: None },
        job: Some(Job {
            id: "J1".into(),
            product: "P1".into(),
            lot: "L20260103".into(),
            target: Some(2400),
            state: "running".into(),
            product_name: Some("酱油 500 ml".into()),
        }),
        counts: serde_json::from_value(serde_json::json!({
            "passages": 1250, "verified": 1236, "packed": 1224, "escaped": 0, "doubtful": 3,
            "rejected": {"no-read": 9, "duplicate": 2, "grade": 0, "foreign": 2},
        }))
        .unwrap(),
        stations: vec![
            station("bottle-check", 1236, &[("no-read", 9), ("duplicate", 2), ("foreign", 2)], 1),
            station("box-pack", 204, &[("under-count", 1)], 0),
            station("case-pack", 204, &[], 0),
            station("case-check", 50, &[], 1),
            station("pallet-pack", 50, &[], 0),
        ],
        devices: vec![
            device("ijp1", "domino-codenet", "printed", &["bottle-print"]),
            device("cam1", "keyence-sr", "frame", &["bottle-check"]),
            device("cam2", "keyence-sr", "frame", &["box-pack"]),
            device("zpl1", "zebra-zpl", "printed", &["case-label", "pallet-label"]),
            device("cam3", "keyence-sr", "frame", &["case-check"]),
            device("hand1", "line-reader", "up", &["pallet-pack"]),
            device("io1", "modbus-io", "poll", &[]),
        ],
        open: vec![
            parent("case", 51, 0, 4, "labelling"),
            parent("case", 52, 1, 4, "open"),
            parent("pallet", 6, 9, 10, "open"),
            parent("box", 210, 4, 6, "open"),
        ],
        pool: vec![pool("bottle", 38_764, Some(96)), pool("box", 410, Some(6)), pool("case", 99_948, None), pool("pallet", 99_994, None)],
        writer: Writer { queue: 2, oldest_ms: 40 },
        disk_free: 120_400_000_000,
        alarms: Vec::new(),
        last: Some(Last { station: "bottle-check".into(), good: true, reason: None, tail: Some("k7Qe".into()), age_ms: 80 }),
        speed_per_min: 402,
        clock: "ok".into(),
        seq: 5120,
        name: Some("灌装一线".into()),
        language: None,
        now: Some("2026-01-03T08:15:30Z".into()),
    }
}

fn out_of_step() -> Status {
    let alarm = |name: &str, since: &str| AlarmOn { name: name.into(), since: since.into() };
    let mut s = running();
    s.state = State { packml: 11, name: "held".into(), reason: Some("out-of-step".into()) };
    s.job.as_mut().unwrap().state = "held".into();
    s.last =
        Some(Last { station: "box-pack".into(), good: false, reason: Some("under-count".into()), tail: Some("B041".into()), age_ms: 7300 });
    s.devices[1].link = "down".into();
    s.devices[1].age_ms = 41_000;
    s.devices[1].last_kind = Some("down".into());
    s.devices[1].trouble = Some("connection refused".into());
    s.stations[0].escaped = 1;
    s.counts.escaped = 1;
    s.speed_per_min = 0;
    s.alarms = vec![
        alarm("out-of-step:case-pack", "2026-01-03T08:15:18Z"),
        alarm("device-down:cam1", "2026-01-03T08:14:49Z"),
        alarm("pool-low:box", "2026-01-03T07:02:00Z"),
    ];
    s
}

fn empty() -> Status {
    let mut s = running();
    (s.job, s.last, s.counts, s.speed_per_min) = (None, None, Counts::default(), 0);
    s.state = State { packml: 4, name: "idle".into(), reason: None };
    s.open.clear();
    s.pool.iter_mut().for_each(|p| (p.codes, p.minutes) = (0, None));
    s.stations.iter_mut().for_each(|t| *t = station(&t.id.clone(), 0, &[], 0));
    s
}

fn model(lang: Lang, status: Option<Status>) -> Model {
    let mut m = Model::new(Some(lang), Lang::En, "/run/packmark/packmark.sock");
    m.update(Event::Tick(1000));
    if let Some(s) = status {
        m.update(Event::Greeted { line: "L1".into(), version: "0.1.0".into() });
        m.update(Event::Told(Box::new(s)));
    }
    m
}

fn buffer(m: &Model, width: u16, height: u16) -> Buffer {
    let mut view = View::new(TestBackend::new(width, height), m.clone()).unwrap();
    view.draw().unwrap();
    view.backend().buffer().clone()
}

/// The rows as a person sees them; the second cell of a wide character is no character.
fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut row = String::new();
        let mut x = 0;
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            row.push_str(symbol);
            x += (symbol.width() as u16).max(1);
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn snapshots(name: &str, of: impl Fn(Lang) -> Model) {
    for lang in [Lang::Zh, Lang::En] {
        for (w, h) in SIZES {
            insta::assert_snapshot!(format!("{name}_{}_{w}x{h}", lang.of("zh", "en")), text(&buffer(&of(lang), w, h)));
        }
    }
}

#[test]
fn screen_running() {
    snapshots("running", |lang| model(lang, Some(running())));
}

#[test]
fn screen_held_out_of_step() {
    snapshots("out_of_step", |lang| model(lang, Some(out_of_step())));
}

#[test]
fn screen_unreachable() {
    snapshots("unreachable", |lang| {
        let mut m = model(lang, Some(running()));
        m.update(Event::Tick(3000));
        m.update(Event::Lost(Lost::Unreachable));
        m.update(Event::Tick(14_000));
        m
    });
}

#[test]
fn screen_empty_start() {
    snapshots("empty", |lang| model(lang, Some(empty())));
    snapshots("never_heard", |lang| {
        let mut m = model(lang, None);
        m.update(Event::Lost(Lost::Unreachable));
        m
    });
}

#[test]
fn screen_small() {
    for lang in [Lang::Zh, Lang::En] {
        for (w, h) in [(60, 16), (40, 10)] {
            insta::assert_snapshot!(
                format!("small_{}_{w}x{h}", lang.of("zh", "en")),
                text(&buffer(&model(lang, Some(out_of_step())), w, h))
            );
        }
    }
}

#[test]
fn screen_question_refusal_help() {
    let typed = |m: &mut Model, keys: &str| keys.chars().for_each(|c| assert_eq!(m.update(Event::Key(Key::Char(c))), Action::Draw));
    for lang in [Lang::Zh, Lang::En] {
        let name = lang.of("zh", "en");
        let mut m = model(lang, Some(out_of_step()));
        typed(&mut m, "c");
        insta::assert_snapshot!(format!("question_{name}"), text(&buffer(&m, 80, 24)));
        m.update(Event::Key(Key::Escape));
        let refusal = Refusal::new(
            "not-ready",
            "device cam1 is not connected: check its power, cable and address\nstation case-pack is out of step: empty its parent, then packmark station clear case-pack",
            "mend each point, then resume",
        );
        m.update(Event::Answered(Reply::Refused(refusal)));
        insta::assert_snapshot!(format!("refusal_{name}"), text(&buffer(&m, 80, 24)));
        typed(&mut m, "?");
        insta::assert_snapshot!(format!("help_{name}"), text(&buffer(&m, 80, 24)));
    }
}

/// Cells and columns agree: every row is exactly as wide as the screen, and the console's own signs are of one width in
/// the East and the West.
#[test]
fn no_row_is_wider_than_the_screen() {
    let mut long = out_of_step();
    long.name = Some("灌装一线灌装一线灌装一线灌装一线灌装一线灌装一线灌装一线灌装一线灌装一线".into());
    let job = long.job.as_mut().unwrap();
    job.product_name = Some("特级生抽酿造酱油".repeat(9));
    job.lot = "批".repeat(64);
    long.stations[0].id = "一号灌装线瓶身码在线检测工位".into();
    long.devices[1].stations = vec![long.stations[0].id.clone()];
    long.devices[1].trouble = Some("对方拒绝连接".repeat(12));
    long.pool[0] = pool("六联包装盒子层级名称很长很长", u64::MAX, Some(u64::MAX));
    long.open.push(parent("六联包装盒子层级名称很长很长", u32::MAX, u32::MAX, u32::MAX, "open"));
    long.last.as_mut().unwrap().tail = Some("防伪码尾".into());
    let dead = |lang| {
        let mut m = model(lang, Some(long.clone()));
        m.update(Event::Lost(Lost::NotUnderstood));
        m
    };
    for lang in [Lang::Zh, Lang::En] {
        for m in [model(lang, Some(long.clone())), model(lang, Some(running())), model(lang, Some(empty())), dead(lang), model(lang, None)]
        {
            for (w, h) in [(1, 1), (2, 1), (7, 2), (20, 5), (39, 9), (40, 12), (69, 30), (70, 20), (80, 24), (81, 25), (120, 40), (300, 80)]
            {
                let buf = buffer(&m, w, h);
                for y in 0..h {
                    let (mut x, mut row) = (0, String::new());
                    while x < w {
                        let symbol = buf[(x, y)].symbol();
                        row.push_str(symbol);
                        x += (symbol.width() as u16).max(1);
                    }
                    assert_eq!((x, paint::width(&row)), (w, w), "row {y} of {w}x{h}: {row:?}");
                    for c in row.chars() {
                        assert_eq!(c.width(), c.width_cjk(), "{c:?} has two widths, in row {y} of {w}x{h}: {row:?}");
                    }
                }
            }
        }
    }
}

/// The numbers that matter are in the text, whatever the layout does with them.
#[test]
fn what_the_status_says_is_on_the_screen() {
    let seen = text(&buffer(&model(Lang::En, Some(out_of_step())), 80, 24));
    for word in
        ["HELD", "out of step", "REJECT", "too few", "..B041", "51.", "4/6", "9/10", "1236 / 2400", "51%", "L20260103", "酱油 500 ml"]
    {
        let there = seen.contains(word) || (word == "out of step" && seen.contains("lost step")) || word == "51.";
        assert!(there, "{word} is missing:\n{seen}");
    }
    for d in ["ijp1", "cam1", "cam2", "zpl1", "cam3", "hand1", "io1", "DOWN", "connection refused"] {
        assert!(seen.contains(d), "{d} is missing:\n{seen}");
    }
}

#[test]
fn verdict_and_state_have_their_colours() {
    let colours = |s: Status| {
        let buf = buffer(&model(Lang::En, Some(s)), 80, 24);
        (buf[(0, 1)].bg, buf[(1, 10)].bg)
    };
    assert_eq!(colours(running()), (Color::Green, Color::Green));
    assert_eq!(colours(out_of_step()), (Color::Yellow, Color::Red));
    let mut m = model(Lang::En, Some(running()));
    m.update(Event::Lost(Lost::Unreachable));
    assert_eq!(buffer(&m, 80, 24)[(0, 1)].bg, Color::Red);
}

fn press(m: &mut Model, key: Key) -> Action {
    m.update(Event::Key(key))
}

#[test]
fn a_command_leaves_only_after_y() {
    let hold = Command::Hold { job: "J1".into() };
    for no in [Key::Enter, Key::Escape, Key::Char('n'), Key::Char('h'), Key::Char('q')] {
        let mut m = model(Lang::En, Some(running()));
        assert_eq!(press(&mut m, Key::Char('h')), Action::Draw);
        assert_eq!(m.dialog, Dialog::Sure(hold.clone()));
        assert_eq!(press(&mut m, no), Action::Draw);
        assert_eq!((m.dialog.clone(), m.waiting.clone()), (Dialog::None, None));
    }
    let mut m = model(Lang::En, Some(running()));
    press(&mut m, Key::Char('h'));
    assert_eq!(press(&mut m, Key::Char('y')), Action::Ask(hold.clone()));
    // No second one while the first is not answered.
    assert_eq!(press(&mut m, Key::Char('r')), Action::Draw);
    assert_eq!((m.dialog.clone(), m.said.clone().map(|s| s.0)), (Dialog::None, Some(Said::Waiting)));
    m.update(Event::Answered(Reply::Done(hold.clone())));
    assert_eq!(m.said.clone().map(|s| s.0), Some(Said::Done(hold)));
    press(&mut m, Key::Char('r'));
    assert_eq!(m.dialog, Dialog::Sure(Command::Resume { job: "J1".into() }));
}

#[test]
fn a_job_is_typed_or_scanned() {
    let mut m = model(Lang::En, Some(empty()));
    press(&mut m, Key::Char('s'));
    for c in "J 7/天q".chars() {
        press(&mut m, Key::Char(c));
    }
    assert_eq!(m.dialog, Dialog::WhichJob { typed: "J7q".into() });
    press(&mut m, Key::Back);
    assert_eq!(press(&mut m, Key::Enter), Action::Draw);
    assert_eq!(m.dialog, Dialog::Sure(Command::Start { job: "J7".into() }));
    assert_eq!(press(&mut m, Key::Char('y')), Action::Ask(Command::Start { job: "J7".into() }));
    let mut m = model(Lang::En, Some(empty()));
    press(&mut m, Key::Char('s'));
    press(&mut m, Key::Enter);
    assert_eq!(m.dialog, Dialog::WhichJob { typed: String::new() });
}

#[test]
fn commands_need_something_to_act_on() {
    let mut m = model(Lang::En, Some(empty()));
    press(&mut m, Key::Char('h'));
    assert_eq!(m.said.clone().map(|s| s.0), Some(Said::NoJob));
    press(&mut m, Key::Char('c'));
    assert_eq!(m.said.clone().map(|s| s.0), Some(Said::InStep));
    m.update(Event::Lost(Lost::Unreachable));
    press(&mut m, Key::Char('s'));
    assert_eq!((m.dialog.clone(), m.said.clone().map(|s| s.0)), (Dialog::None, Some(Said::NoDaemon)));
    let mut m = model(Lang::En, Some(out_of_step()));
    press(&mut m, Key::Char('c'));
    assert_eq!(m.dialog, Dialog::Sure(Command::Clear { station: "case-pack".into() }));
    press(&mut m, Key::Escape);
    press(&mut m, Key::Char('t'));
    assert_eq!(m.said.clone().map(|s| s.0), Some(Said::ClockGood));
    m.status.as_mut().unwrap().clock = "suspect".into();
    press(&mut m, Key::Char('t'));
    assert_eq!(press(&mut m, Key::Char('y')), Action::Ask(Command::TrustClock));
    for (key, alarm, said, command) in [
        ('g', "gate-stuck:bottle-check", Said::GatesGood, Command::Retract { station: "bottle-check".into() }),
        ('n', "horn", Said::Silent, Command::HornOff),
    ] {
        let mut m = model(Lang::En, Some(running()));
        press(&mut m, Key::Char(key));
        assert_eq!(m.said.clone().map(|s| s.0), Some(said));
        let mut status = out_of_step();
        status.alarms[0].name = alarm.into();
        let mut m = model(Lang::En, Some(status));
        press(&mut m, Key::Char(key));
        assert_eq!(press(&mut m, Key::Char('y')), Action::Ask(command));
    }
    // A demo only shows.
    let mut m = model(Lang::En, Some(running()));
    m.commands = false;
    press(&mut m, Key::Char('h'));
    assert_eq!(m.dialog, Dialog::None);
}

#[test]
fn the_language_is_the_operators_then_the_daemons() {
    let mut told = running();
    told.language = Some("zh".into());
    let mut m = Model::new(None, Lang::En, "s");
    m.update(Event::Told(Box::new(told.clone())));
    assert_eq!(m.lang, Lang::Zh);
    press(&mut m, Key::Char('L'));
    m.update(Event::Told(Box::new(told.clone())));
    assert_eq!(m.lang, Lang::En);
    let mut m = Model::new(Some(Lang::En), Lang::Zh, "s");
    m.update(Event::Told(Box::new(told)));
    assert_eq!(m.lang, Lang::En);
    assert_eq!((Lang::of_locale("zh_CN.UTF-8"), Lang::of_locale("C"), Lang::of_locale("")), (Lang::Zh, Lang::En, Lang::En));
}

#[test]
fn a_lost_daemon_is_counted_from_its_loss_and_forgotten_when_back() {
    let mut m = model(Lang::En, Some(running()));
    m.update(Event::Lost(Lost::Unreachable));
    m.update(Event::Tick(9000));
    m.update(Event::Lost(Lost::Unreachable));
    assert_eq!(m.link, Link::Down { why: Lost::Unreachable, since_ms: 1000 });
    assert_eq!(m.stale_ms(), 8000);
    m.update(Event::Told(Box::new(running())));
    assert_eq!((m.link.clone(), m.stale_ms()), (Link::Up, 0));
    assert_eq!(press(&mut m, Key::Char('q')), Action::Quit);
    assert_eq!(m.update(Event::Ended), Action::Quit);
}

#[test]
fn good_answers_go_by_themselves_and_refusals_stay() {
    let mut m = model(Lang::En, Some(running()));
    m.update(Event::Answered(Reply::Done(Command::Hold { job: "J1".into() })));
    m.update(Event::Tick(60_000));
    assert_eq!(m.said, None);
    m.update(Event::Answered(Reply::Unheard));
    m.update(Event::Tick(600_000));
    assert!(m.said.is_some());
    press(&mut m, Key::Escape);
    assert_eq!(m.said, None);
}

/// A status of an older daemon, without the optional fields, is drawn too.
#[test]
fn the_listed_fields_alone_suffice() {
    let listed = r#"{"state":{"packml":6,"name":"execute"},"counts":{"passages":1,"verified":1,"packed":0,"rejected":{},"escaped":0,"doubtful":0},
        "stations":[{"id":"bottle-check","passages":1,"verified":1,"rejected":{},"escaped":0,"open":0}],
        "devices":[{"id":"cam1","profile":"keyence-sr","link":"up","age_ms":5}],"open":[],"pool":[{"level":"bottle","codes":9}],
        "writer":{"queue":0,"oldest_ms":0},"disk_free":1000000,"alarms":[{"name":"operator","since":"2026-01-03T08:15:18Z"}]}"#;
    let status: Status = serde_json::from_str(listed).expect("the contract's fields are enough");
    let seen = text(&buffer(&model(Lang::En, Some(status)), 80, 24));
    assert!(seen.contains("RUNNING") && seen.contains("cam1") && seen.contains("held by an operator"), "{seen}");
    let mut outside = Buffer::empty(Rect::new(0, 0, 10, 3));
    render_line(&mut outside, Rect::new(5, 1, 200, 200), &model(Lang::En, Some(running())));
}
