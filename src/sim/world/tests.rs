//! The world against a bench that obeys: what the truth says must agree with itself.

use super::*;
use crate::config::Config;
use crate::sim::bench::{Bench, Trouble};
use crate::vocab::code::{hex, unhex};
use crate::vocab::plan::{Point, PointKind, PrinterTraits, ReaderTraits, Setting, Traits};
use crate::vocab::sscc::RangeRule;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

mod people;
mod variants;

const LINE: &str = include_str!("../../../tests/data/line.toml");
const BOXES: u64 = 1_000;

fn profiles(name: &str, _: &BTreeMap<String, Setting>) -> Result<Traits, Vec<String>> {
    let printer = |label| PrinterTraits {
        depth: 1,
        confirms: true,
        clear_on_adopt: true,
        label,
        repeats_on_empty: false,
        one_by_one: false,
        selects: true,
        sets_fields: false,
        labels: None,
    };
    Ok(match name {
        "domino-codenet" => Traits::Printer(printer(false)),
        "zebra-zpl" => Traits::Printer(printer(true)),
        "modbus-io" => Traits::Io(crate::vocab::plan::IoTraits::default()),
        _ => Traits::Reader(ReaderTraits::default()),
    })
}

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(Config::parse(Path::new("line.toml"), text, &profiles).unwrap_or_else(|_| panic!("the line is right")).plan)
}

fn how(units: u64, seed: u64, faults: Faults) -> WorldHow {
    let boxes = (0..BOXES).map(|n| format!("BOX{n:05}").into_bytes()).collect();
    let preprinted = BTreeMap::from([("box".to_string(), boxes)]);
    WorldHow { units: Some(units), seed, faults, rate_per_min: 400, preprinted, made_for: BTreeMap::new() }
}

/// Devices and a daemon in one, as simple as can be: everything printed is known, everything read and known is good.
struct Obeying {
    plan: Arc<Plan>,
    permit: bool,
    codes: u64,
    inked: BTreeSet<Vec<u8>>,
    /// Verdicts on the way to the bottle gate; it is asked once a bottle.
    verdicts: RefCell<VecDeque<bool>>,
    asked: Cell<u64>,
    edges: HashMap<Point, u32>,
    levels: HashMap<Point, bool>,
    labels: VecDeque<(u64, Vec<u8>)>,
    /// So many labels are ordered and never come.
    labels_lost: u32,
    cases: u32,
    pallets: u32,
    boxes_in_case: u32,
    troubles: Vec<Trouble>,
    /// What the operator would hear.
    events: Vec<Value>,
}

impl Obeying {
    fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: plan.clone(),
            permit: true,
            codes: 0,
            inked: BTreeSet::new(),
            verdicts: RefCell::default(),
            asked: Cell::new(0),
            edges: HashMap::new(),
            levels: HashMap::new(),
            labels: VecDeque::new(),
            labels_lost: 0,
            cases: 0,
            pallets: 0,
            boxes_in_case: 0,
            troubles: Vec::new(),
            events: Vec::new(),
        }
    }

    fn device(&self, id: &str) -> DeviceNo {
        self.plan.devices.iter().find(|d| d.id == id).expect("a device of the line").no
    }

    fn range(&self, level: &str) -> &RangeRule {
        self.plan.level_named(level).and_then(|l| l.range.as_ref()).expect("a generated level")
    }

    fn order_label(&mut self, level: &str, n: u32, now_us: u64) {
        let mut symbol = b"00".to_vec();
        symbol.extend(self.range(level).code(n).expect("within the range"));
        if self.labels_lost > 0 {
            self.labels_lost -= 1;
            return;
        }
        self.labels.push_back((now_us + 200 * MS, symbol));
    }

    fn input_edges(&self, number: u16) -> u32 {
        self.edges.iter().filter(|(p, _)| p.number == number).map(|(_, n)| *n).sum()
    }
}

impl Bench for Obeying {
    fn print(&mut self, _: DeviceNo, _: u64) -> Option<Vec<u8>> {
        self.codes += 1;
        let code = format!("https://t.example/{:06}", self.codes).into_bytes();
        self.inked.insert(code.clone());
        Some(code)
    }

    fn repeated(&self, _: DeviceNo) -> bool {
        false
    }

    fn label(&mut self, _: DeviceNo, now_us: u64) -> Option<Vec<u8>> {
        self.labels.front().is_some_and(|l| l.0 <= now_us).then(|| self.labels.pop_front().map(|l| l.1)).flatten()
    }

    fn read(&mut self, reader: DeviceNo, seen: &[Option<Vec<u8>>], now_us: u64) -> Vec<Option<Vec<u8>>> {
        if reader == self.device("cam1") {
            let good = seen.len() == 1 && seen[0].as_ref().is_some_and(|b| self.inked.remove(b));
            self.verdicts.borrow_mut().push_back(good);
        }
        if reader == self.device("hand1") {
            let bytes = seen[0].clone().unwrap_or_default();
            let code = bytes.strip_prefix(b"00").unwrap_or(&bytes).to_vec();
            self.events.push(json!({"type": "event", "k": "verdict", "station": "pallet-pack", "hex": hex(&code), "good": true}));
            if self.range("case").ordinal(&code).is_some_and(|n| n % 10 == 9) {
                self.order_label("pallet", self.pallets, now_us);
                self.pallets += 1;
            }
        }
        seen.to_vec()
    }

    fn input(&mut self, point: Point, on: bool, now_us: u64) {
        assert_eq!(point.kind, PointKind::Input);
        let before = self.levels.insert(point, on).unwrap_or(false);
        if on && !before {
            *self.edges.entry(point).or_default() += 1;
            if point.number == 7 {
                self.boxes_in_case += 1;
                if self.boxes_in_case == 4 {
                    self.boxes_in_case = 0;
                    self.order_label("case", self.cases, now_us);
                    self.cases += 1;
                }
            }
        }
    }

    fn output(&self, point: Point) -> bool {
        match point.number {
            8 => self.permit,
            0 => {
                self.asked.set(self.asked.get() + 1);
                self.verdicts.borrow_mut().pop_front().unwrap_or(false)
            }
            _ => false,
        }
    }

    fn safe(&self, _: DeviceNo) -> bool {
        false
    }

    fn linked(&self, _: DeviceNo) -> bool {
        true
    }

    fn trouble(&mut self, _: DeviceNo, what: Trouble, _: u64) {
        self.troubles.push(what);
    }
}

/// Runs to rest; at most `minutes` of the world's time.
fn run(world: &mut World, bench: &mut Obeying, minutes: u64) -> Vec<Value> {
    let mut now_us = world.now_us;
    let end_us = now_us + minutes * 60_000 * MS;
    while world.done().is_none() && now_us < end_us {
        now_us = world.next_us();
        world.step(now_us, bench);
    }
    world.finish(now_us);
    world.take_truth().iter().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect()
}

fn count(truth: &[Value], k: &str) -> usize {
    truth.iter().filter(|l| l["k"] == k).count()
}

fn of<'a>(truth: &'a [Value], k: &'a str) -> impl Iterator<Item = &'a Value> {
    truth.iter().filter(move |l| l["k"] == k)
}

/// What every truth must hold, whatever befell the line.
fn agrees_with_itself(truth: &[Value]) {
    assert_eq!(truth[0]["k"], "start");
    let mut last = 0;
    let mut at: HashMap<&str, &str> = HashMap::new();
    for l in truth {
        let t = l["t_us"].as_u64().expect("every line has a time");
        assert!(t >= last, "time goes back at {l}");
        last = t;
        let thing = l["thing"].as_str().unwrap_or_default();
        match l["k"].as_str().expect("every line has a kind") {
            "put" => assert_eq!(at.insert(thing, l["into"].as_str().expect("into")), None, "put twice: {l}"),
            "take" => assert_eq!(at.remove(thing).unwrap_or("belt"), l["from"].as_str().expect("from"), "{l}"),
            "end" => {
                let inside = at.contains_key(thing);
                assert_eq!(l["at"] == "packed", inside, "{l}");
            }
            "pass" | "gate" => assert!(!at.contains_key(thing), "inside a parent and on the belt: {l}"),
            _ => {}
        }
    }
    let mut inked = BTreeSet::new();
    assert!(of(truth, "ink").all(|l| inked.insert(l["thing"].as_str())), "a thing is inked once");
    let mut ended = BTreeSet::new();
    assert!(of(truth, "end").all(|l| ended.insert(l["thing"].as_str())), "a thing ends once");
}

#[test]
fn the_example_line_packs_everything_without_faults() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(480, 1, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    world.begin(1_700_000_000_000_000, 0);
    let truth = run(&mut world, &mut bench, 10);
    assert_eq!(world.done(), Some(480));
    agrees_with_itself(&truth);
    assert_eq!(truth[0]["utc"], "2023-11-14T22:13:20.000000Z");
    assert_eq!((count(&truth, "ink"), count(&truth, "inject")), (480, 0));
    let passes = |station: &str| of(&truth, "pass").filter(|l| l["station"] == station).count();
    assert_eq!((passes("bottle-check"), passes("box-pack"), passes("case-pack"), passes("case-check")), (480, 80, 80, 20));
    assert_eq!((bench.input_edges(1), bench.input_edges(2), bench.input_edges(7), bench.input_edges(3)), (480, 80, 80, 20));
    assert!(of(&truth, "gate").all(|l| l["out"] == "pass"));
    assert_eq!(count(&truth, "put"), 480 + 80 + 20);
    assert_eq!(count(&truth, "label"), 20 + 2);
    let applied: Vec<String> = of(&truth, "apply").map(|l| l["hex"].as_str().unwrap().to_string()).collect();
    assert_eq!(applied.len(), 80 + 22);
    let labels: Vec<&str> = of(&truth, "label").map(|l| l["hex"].as_str().unwrap()).collect();
    assert!(labels.iter().all(|h| applied.contains(&h.to_string()) && unhex(h).unwrap().len() == 18), "18 digits");
    let ends = |at: &str| of(&truth, "end").filter(|l| l["at"] == at).count();
    assert_eq!((ends("packed"), ends("belt")), (580, 2), "two full pallets stand at the end");
    // A frame shows six bottles and the box.
    let first_frame = of(&truth, "read").filter(|l| l["reader"] == "cam2").take(7).map(|l| l["t_us"].as_u64()).collect::<BTreeSet<_>>();
    assert_eq!(first_frame.len(), 1);
}

#[test]
fn without_the_permit_nothing_moves_and_it_runs_out_at_most_belt_stop_ms() {
    let plan = plan(LINE);
    let mut world = World::new(plan.clone(), how(100, 2, Faults::None)).unwrap();
    let mut bench = Obeying::new(&plan);
    bench.permit = false;
    (1..400).for_each(|i| world.step(i * 5 * MS, &mut bench));
    let truth = world.take_truth();
    assert!(!truth.iter().any(|l| l.contains("\"ink\"") || l.contains("\"belt\"")), "{truth:?}");
    bench.permit = true;
    (400..1_000).for_each(|i| world.step(i * 5 * MS, &mut bench));
    bench.permit = false;
    (1_000..1_400).for_each(|i| world.step(i * 5 * MS, &mut bench));
    let truth: Vec<Value> = world.take_truth().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let start = truth.first().expect("the belt starts")["t_us"].as_u64().unwrap();
    let off = of(&truth, "belt").last().expect("the belt stops");
    assert_eq!(off["on"], false);
    // Time counts from the first step, at 5 ms.
    let stopped_us = off["t_us"].as_u64().unwrap() + 5 * MS;
    assert!(start < 2_000 * MS && (5_000 * MS..=5_105 * MS).contains(&stopped_us), "{stopped_us}");
    assert_eq!(truth.last().unwrap()["k"], "belt", "nothing happens after it stands");
    assert_eq!(bench.input_edges(5), 1, "the belt's input rose once");
}

#[test]
fn the_same_seed_gives_the_same_truth() {
    let plan = plan(LINE);
    let truth = |seed| {
        let mut world = World::new(plan.clone(), how(300, seed, Faults::Hard)).unwrap();
        run(&mut world, &mut Obeying::new(&plan), 10)
    };
    let (a, b, c) = (truth(7), truth(7), truth(8));
    assert_eq!(a, b);
    assert_ne!(a, c);
    agrees_with_itself(&a);
}

#[test]
fn a_thousand_bottles_meet_the_faults() {
    let plan = plan(LINE);
    for (faults, least) in [(Faults::Normal, 3), (Faults::Hard, 6)] {
        for seed in 0..5 {
            let mut world = World::new(plan.clone(), how(1_000, seed, faults)).unwrap();
            let mut bench = Obeying::new(&plan);
            let truth = run(&mut world, &mut bench, 20);
            agrees_with_itself(&truth);
            assert_eq!(count(&truth, "ink"), 1_000);
            let kinds: BTreeSet<&str> = of(&truth, "inject").filter_map(|l| l["fault"].as_str()).collect();
            assert!(kinds.len() >= least, "{faults:?} {seed}: {kinds:?}");
            assert!(faults == Faults::Hard || (!kinds.contains("reversal") && !kinds.contains("power-cycle")), "{kinds:?}");
        }
    }
}
