//! The file's sections, read in order; what cannot be read is complained about and left at a harmless value, so that
//! one pass finds every mistake.

use super::node::{At, Table};
use super::packs::packs;
use super::peers::allow;
use super::points::{gate, io_point, permit, stack_light};
use super::words::{address, gtin, is_id};
use super::{Config, Profiles};
use crate::vocab::grade::Grade;
use crate::vocab::plan::*;
use crate::vocab::sscc::RangeRule;
use crate::vocab::{DeviceNo, LevelNo, StationNo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::DeValue;

/// Where things stand in the file, for the checks between them.
pub(super) struct Places {
    pub line: usize,
    pub permit: usize,
    pub lights: usize,
    pub limits: usize,
    pub devices: Vec<usize>,
    pub levels: Vec<usize>,
    pub stations: Vec<usize>,
    pub pulses: Vec<usize>,
}

pub(super) struct Read {
    pub config: Config,
    pub places: Places,
}

pub(super) fn config(root: &Table<'_>, base: &Path, profiles: Profiles<'_>) -> Option<Read> {
    let line = named(
        root.table("line").or_else(|| {
            root.complain(0, "[line] is missing", "add [line] with id, name, store");
            None
        })?,
        "[line]",
    );
    let control = root.table("control").map(|t| named(t, "[control]"));
    let (limits_at, lights_at) = (root.place("limits"), root.place("stack_light"));
    let devices = devices(root, profiles);
    let spacing = line.number("min_spacing_ms", 1, 3_600_000).unwrap_or(100) as u32;
    let levels = levels(root);
    let (stations, station_places, pulses) = stations(root, base, &levels.0, &devices.0, spacing);
    let plan = Plan {
        line: id(&line),
        name: line.text("name").map_or(String::new(), |t| t.value.to_string()),
        site: line.text("site").map_or(String::new(), |t| t.value.to_string()),
        language: line.word("language", &[("zh", Language::Chinese), ("en", Language::English)]).unwrap_or(Language::English),
        timezone: line.text("timezone").map_or("UTC".into(), |t| t.value.to_string()),
        resume_after_crash: line.word("after_crash", &[("hold", false), ("resume", true)]).unwrap_or(false),
        min_spacing_ms: spacing,
        fail_open_accepted: line.word("fail_open", &[("accepted", true)]).unwrap_or(false),
        run_permit: line.table("run_permit").and_then(|t| permit(&t, &devices.0)),
        stack_light: root.table("stack_light").and_then(|t| stack_light(&named(t, "[stack_light]"), &devices.0)),
        products: products(root),
        levels: levels.0,
        devices: devices.0,
        stations,
        limits: limits(root),
        packs: packs(root, base),
        codes: super::codes::codes(root),
        supplies: Vec::new(),
    };
    let supplies = super::supply::supplies(root, base, &plan.line, &plan.levels, &plan.products);
    let plan = Plan { supplies, ..plan };
    let store = line.text("store").map_or("store", |t| t.value);
    let permit_at = line.place("run_permit");
    line.done();
    let socket = control.as_ref().and_then(|c| c.text("socket")).map_or("packmark.sock", |t| t.value);
    let tcp = control.as_ref().and_then(|c| c.text("status_tcp"));
    let status_tcp = match tcp {
        None => ([127, 0, 0, 1], 0).into(),
        Some(At { at, value }) => value.parse().unwrap_or_else(|_| {
            root.complain(at, format_args!("[control]: status_tcp = \"{value}\" is not an address"), "write IP:PORT, as \"127.0.0.1:0\"");
            ([127, 0, 0, 1], 0).into()
        }),
    };
    let (store, socket): (PathBuf, PathBuf) = (base.join(store), base.join(socket));
    if let Some(c) = control {
        c.done();
    }
    root.done();
    let places = Places {
        line: line.at,
        permit: permit_at,
        lights: lights_at,
        limits: limits_at,
        devices: devices.1,
        levels: levels.1,
        stations: station_places,
        pulses,
    };
    Some(Read { config: Config { plan, base: base.to_path_buf(), store, socket, status_tcp }, places })
}

pub(super) fn named<'a>(mut t: Table<'a>, name: &str) -> Table<'a> {
    t.name = name.into();
    t
}

/// The table's id, checked; its name in sentences from here on.
fn id(t: &Table<'_>) -> String {
    let Some(v) = t.needed_text("id", "\"…\"") else { return String::new() };
    if !is_id(v.value) {
        t.complain(v.at, format_args!("id \"{}\" is not an id", v.value), "use 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    v.value.to_string()
}

fn limits(root: &Table<'_>) -> Limits {
    let d = Limits::default();
    let Some(t) = root.table("limits").map(|t| named(t, "[limits]")) else { return d };
    let n = |key, least, most, or: u32| t.number(key, least, most).map_or(or, |n| n as u32);
    let limits = Limits {
        max_burn: n("max_burn", 1, 10_000, d.max_burn),
        feed_ahead_ms: n("feed_ahead_ms", 0, 60_000, d.feed_ahead_ms),
        commit_limit_ms: n("commit_limit_ms", 50, 60_000, d.commit_limit_ms),
        adopt_passages: n("adopt_passages", 0, 10_000, d.adopt_passages),
        consecutive_rejects: n("consecutive_rejects", 1, 100_000, d.consecutive_rejects),
        unconfirmed_rejects: n("unconfirmed_rejects", 0, 100_000, d.unconfirmed_rejects),
        pack_expiry_days: n("pack_expiry_days", 0, 3_650, d.pack_expiry_days),
        pool_low_minutes: n("pool_low_minutes", 0, 100_000, d.pool_low_minutes),
        pool_low_codes: n("pool_low_codes", 0, 1_000_000_000, d.pool_low_codes),
        range_low_hours: n("range_low_hours", 0, 10_000, d.range_low_hours),
    };
    t.done();
    limits
}

fn products(root: &Table<'_>) -> Vec<Product> {
    let mut out: Vec<Product> = Vec::new();
    for t in root.tables("product") {
        let id = id(&t);
        if out.iter().any(|p| p.id == id) {
            t.complain(t.place("id"), format_args!("product \"{id}\" stands twice"), "give each its own id");
        }
        let g = t.text("gtin");
        if let Some(At { at, value }) = &g
            && let Err(why) = gtin(value)
        {
            t.complain(*at, format_args!("gtin \"{value}\" is wrong"), why);
        }
        out.push(Product { id, gtin: g.map(|g| g.value.to_string()), name: t.text("name").map_or(String::new(), |n| n.value.to_string()) });
        t.done();
    }
    out
}

fn levels(root: &Table<'_>) -> (Vec<Level>, Vec<usize>) {
    let (mut out, mut places): (Vec<Level>, Vec<usize>) = (Vec::new(), Vec::new());
    for (i, mut t) in root.tables("level").into_iter().enumerate() {
        let name = t.needed_text("name", "\"bottle\"").map_or(String::new(), |n| n.value.to_string());
        if !is_id(&name) {
            t.complain(t.place("name"), format_args!("name \"{name}\" is not an id"), "use 1 to 64 of A-Z a-z 0-9 . _ -");
        }
        t.name = format!("[[level]] {name}");
        if out.iter().any(|l| l.name == name) {
            t.complain(t.place("name"), "the name stands twice", "give each level its own name");
        }
        let sources = [("printed", CodeSource::Printed), ("preprinted", CodeSource::Preprinted), ("generated", CodeSource::Generated)];
        let codes = t.needed_word("codes", &sources).unwrap_or(CodeSource::Printed);
        let holds = t.number("holds", 1, 100_000).unwrap_or(0) as u32;
        if i > 0 && holds == 0 && t.place("holds") == t.at {
            t.complain(t.at, "holds is missing", "add how many of the level below go into one");
        }
        if i == 0 && holds > 0 {
            t.complain(t.place("holds"), "the bottom level holds nothing", "remove holds, or put the level it holds before it");
        }
        let range = t.table("range").and_then(|r| range(&r));
        if codes == CodeSource::Generated && range.is_none() && t.place("range") == t.at {
            t.complain(
                t.at,
                "a generated level needs a range",
                "add range = { kind = \"sscc\", prefix = \"…\", extension = 0, start = 1 }",
            );
        }
        if codes != CodeSource::Generated && range.is_some() {
            t.complain(t.place("range"), "only a generated level has a range", "remove it, or set codes = \"generated\"");
        }
        t.done();
        places.push(t.at);
        out.push(Level { no: LevelNo(i as u8), name, codes, holds, range });
    }
    if out.is_empty() {
        root.complain(0, "there is no [[level]]", "add the levels, bottom first");
    }
    (out, places)
}

fn range(t: &Table<'_>) -> Option<RangeRule> {
    let kind = t.needed_word("kind", &[("sscc", true), ("serial", false)])?;
    let prefix = t.needed_text("prefix", "\"6901234\"");
    let start = t.number("start", 0, 10_000_000_000_000_000).unwrap_or(1);
    let end = t.number("end", 0, 10_000_000_000_000_000);
    let rule = if kind {
        let extension = t.number("extension", 0, 9).unwrap_or(0) as u8;
        let prefix = prefix?;
        if !(4..=12).contains(&prefix.value.len()) || !prefix.value.bytes().all(|b| b.is_ascii_digit()) {
            t.complain(prefix.at, format_args!("prefix \"{}\" is no GS1 company prefix", prefix.value), "it has 4 to 12 digits");
            return None;
        }
        RangeRule::Sscc { prefix: prefix.value.into(), extension, start }
    } else {
        let digits = t.needed_number("digits", 1, 18, "8")? as u8;
        let prefix = prefix?;
        if prefix.value.len() > 64 || !prefix.value.bytes().all(|b| b.is_ascii_graphic()) {
            t.complain(prefix.at, "prefix is not plain", "use at most 64 visible ASCII characters");
            return None;
        }
        RangeRule::Serial { prefix: prefix.value.into(), digits, start }
    };
    t.done();
    let rule = match end {
        None => rule,
        Some(end) => RangeRule::Block { of: Box::new(rule), end },
    };
    if rule.count() == 0 {
        t.complain(t.at, "the range holds no number", "lower start, raise end, or take more digits");
        return None;
    }
    Some(rule)
}

fn devices(root: &Table<'_>, profiles: Profiles<'_>) -> (Vec<Device>, Vec<usize>) {
    let (mut out, mut places): (Vec<Device>, Vec<usize>) = (Vec::new(), Vec::new());
    for (i, mut t) in root.tables("device").into_iter().enumerate() {
        let id = id(&t);
        t.name = format!("[[device]] {id}");
        if out.iter().any(|d| d.id == id) {
            t.complain(t.place("id"), "the id stands twice", "give each device its own id");
        }
        let profile = t.needed_text("profile", "\"keyence-sr\"").map_or(String::new(), |p| p.value.to_string());
        let addr = t.needed_text("address", "\"tcp://127.0.0.1:9004\"").map(|a| (a.at, address(a.value)));
        let address = match addr {
            Some((_, Ok(a))) => a,
            Some((at, Err(why))) => {
                t.complain(at, "address is wrong", why);
                Address::Tcp { host: String::new(), port: 0 }
            }
            None => Address::Tcp { host: String::new(), port: 0 },
        };
        let command = command(&t, &address);
        let allow = allow(&t, &address);
        let settings = t.table("settings").map(|s| settings(&s)).unwrap_or_default();
        let traits = match profiles(&profile, &settings) {
            Ok(traits) => traits,
            Err(whys) => {
                let at = if t.place("settings") == t.at { t.place("profile") } else { t.place("settings") };
                whys.iter().for_each(|why| {
                    let (what, right) = why.split_once("; ").unwrap_or((why, "see the profile"));
                    t.complain(at, what, right);
                });
                Traits::Reader(ReaderTraits::default())
            }
        };
        t.done();
        places.push(t.at);
        out.push(Device { no: DeviceNo(i as u8), id, profile, address, command, allow, settings, traits });
    }
    (out, places)
}

/// A link of its own for commands, beside one that we open.
fn command(t: &Table<'_>, data: &Address) -> Option<Address> {
    let At { at, value } = t.text("command")?;
    match address(value) {
        Ok(a @ Address::Tcp { .. }) if matches!(data, Address::Tcp { .. }) => Some(a),
        Ok(_) => {
            t.complain(at, "command stands beside a tcp:// address only, and is one", "write command = \"tcp://HOST:PORT\"");
            None
        }
        Err(why) => {
            t.complain(at, "command is wrong", why);
            None
        }
    }
}

fn settings(t: &Table<'_>) -> BTreeMap<String, Setting> {
    let mut out = BTreeMap::new();
    for (k, v) in t.entries() {
        let value = match v.get_ref() {
            DeValue::String(s) => Setting::Text(s.to_string()),
            DeValue::Integer(i) => Setting::Number(i64::from_str_radix(i.as_str(), i.radix()).unwrap_or(i64::MAX)),
            DeValue::Boolean(b) => Setting::Flag(*b),
            _ => {
                t.complain(v.span().start, format_args!("{k} has no simple value"), "write a text, a number, true or false");
                continue;
            }
        };
        out.insert(k.to_string(), value);
    }
    out
}

fn stations(root: &Table<'_>, base: &Path, levels: &[Level], devices: &[Device], spacing: u32) -> (Vec<Station>, Vec<usize>, Vec<usize>) {
    let (mut out, mut places, mut pulses): (Vec<Station>, Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new(), Vec::new());
    for (i, mut t) in root.tables("station").into_iter().enumerate() {
        let id = id(&t);
        t.name = format!("[[station]] {id}");
        if out.iter().any(|s| s.id == id) {
            t.complain(t.place("id"), "the id stands twice", "give each station its own id");
        }
        let roles = [("print", Role::Print), ("verify", Role::Verify), ("pack", Role::Pack), ("rework", Role::Rework)];
        let role = t.needed_word("role", &roles).unwrap_or(Role::Verify);
        let level = t.needed_text("level", "\"bottle\"").and_then(|l| {
            let found = levels.iter().find(|x| x.name == l.value).map(|x| x.no);
            if found.is_none() {
                t.complain(l.at, format_args!("there is no level \"{}\"", l.value), "name a [[level]] of the file");
            }
            found
        });
        let device = t.text("device").and_then(|d| {
            let found = devices.iter().find(|x| x.id == d.value).map(|x| x.no);
            if found.is_none() {
                t.complain(d.at, format_args!("there is no device \"{}\"", d.value), "name a [[device]] of the file");
            }
            found
        });
        let gathers = [
            ("frame", Gather::Frame),
            ("sequence", Gather::Sequence),
            ("parent-first", Gather::ParentFirst),
            ("parent-last", Gather::ParentLast),
        ];
        let min_spacing_ms = t.number("min_spacing_ms", 1, 3_600_000).map_or(spacing, |n| n as u32);
        let n = |key, or: u32| t.number(key, 0, 3_600_000).map_or(or, |n| n as u32);
        let gate_table = t.table("gate");
        pulses.push(gate_table.as_ref().map_or(t.at, |g| g.place("pulse_ms")));
        let station = Station {
            no: StationNo(i as u8),
            id,
            role,
            level: level.unwrap_or_default(),
            lane: t.text("lane").map(|l| l.value.to_string()),
            device,
            trigger: io_point(&t, "trigger", devices, &[PointKind::Input, PointKind::Counter]),
            gather: t.word("gather", &gathers),
            message: message(&t),
            fields: t.table("fields").map(|f| fields(&f)).unwrap_or_default(),
            label: label(&t, base),
            ignore: ignore(&t),
            minimum_grade: minimum_grade(&t),
            min_spacing_ms,
            read_deadline_ms: n("read_deadline_ms", min_spacing_ms * 8 / 10),
            pair_ms: n("pair_ms", 30),
            label_wait_ms: n("label_wait_ms", 5_000),
            transit_ms: t.number("transit_ms", 1, 3_600_000).map(|n| n as u32),
            unread_labels_accepted: t.word("unread_labels", &[("refused", false), ("accepted", true)]).unwrap_or(false),
            gate: gate_table.and_then(|g| gate(&g, devices)),
        };
        t.done();
        places.push(t.at);
        if level.is_some() {
            out.push(station);
        } else {
            places.pop();
            pulses.pop();
        }
    }
    (out, places, pulses)
}

fn message(t: &Table<'_>) -> Option<String> {
    let given = t.text("message")?;
    if given.value.is_empty() {
        t.complain(given.at, "message is empty", "name the printer's message, or leave it out");
    }
    Some(given.value.to_string()).filter(|m| !m.is_empty())
}

pub(super) fn fields(t: &Table<'_>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (k, v) in t.entries() {
        match v.get_ref().as_str() {
            Some(s) => drop(out.insert(k.to_string(), s.to_string())),
            None => t.complain(v.span().start, format_args!("field {k} is no text"), "write it in quotes"),
        }
    }
    out
}

fn ignore(t: &Table<'_>) -> Vec<Ignore> {
    let mut out = Vec::new();
    for mut i in t.tables("ignore") {
        i.name = format!("{} ignore", t.name);
        match (i.text("pattern"), i.text("symbology")) {
            (Some(p), None) if p.value.bytes().all(|b| b == b'*') => {
                i.complain(
                    p.at,
                    format_args!("pattern = \"{}\" leaves no code to read", p.value),
                    "write what is not yours, as \"6901234567892\"",
                );
            }
            (Some(p), None) => out.push(Ignore::Pattern(p.value.into())),
            (None, Some(s)) => match s.value.strip_prefix(']').unwrap_or(s.value).as_bytes() {
                [c] | [c, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z'] if c.is_ascii_alphabetic() => {
                    out.push(Ignore::Symbology(s.value.trim_start_matches(']').into()));
                }
                _ => i.complain(
                    s.at,
                    format_args!("symbology = \"{}\" is no AIM identifier", s.value),
                    "write what stands after ], as \"E0\" (EAN-13) or \"C\" (any Code 128)",
                ),
            },
            _ => i.complain(i.at, "it needs one of pattern and symbology", "write { pattern = \"69*\" } or { symbology = \"E0\" }"),
        }
        i.done();
    }
    out
}

fn minimum_grade(t: &Table<'_>) -> Option<Grade> {
    let At { at, value } = t.text("minimum_grade")?;
    let grade = Grade::parse(value);
    if grade.is_none() {
        t.complain(at, format_args!("minimum_grade = \"{value}\" is no grade"), "write A to F (no E), or 0 to 4 with one decimal");
    }
    grade
}

fn label(t: &Table<'_>, base: &Path) -> Option<String> {
    let At { at, value } = t.text("label")?;
    match std::fs::read_to_string(base.join(value)) {
        Ok(text) => Some(text),
        Err(e) => {
            t.complain(at, format_args!("label \"{value}\" cannot be read: {e}"), "put the template beside the configuration");
            None
        }
    }
}
