//! Things that were made for one parent, in every way of gathering.

use super::*;

/// Two bottles a box, made for it; beside them bottles and boxes of which nothing was said.
const LOOSE: PackNo = PackNo(4);
const PLAIN: PackNo = PackNo(5);

fn bottle(n: u32) -> Mark {
    made(CodeRef::new(BOTTLES, n), Some(CodeRef::new(BOXES, n / 2)))
}

fn made(code: CodeRef, made_for: Option<CodeRef>) -> Mark {
    Mark::Code { code, exact: true, twin: false, made_for, poor: false }
}

fn boxed(n: u32) -> Mark {
    Mark::of(CodeRef::new(BOXES, n))
}

fn loose(n: u32) -> Mark {
    Mark::of(CodeRef::new(LOOSE, n))
}

fn plain(n: u32) -> Mark {
    Mark::of(CodeRef::new(PLAIN, n))
}

fn code(m: &Mark) -> CodeRef {
    m.item().expect("it names an item")
}

/// Pre-printed bottles and boxes, gathered so.
fn gathers(gather: Gather) -> Plan {
    let mut p = plan();
    p.levels[0].codes = CodeSource::Preprinted;
    p.stations.remove(0);
    let pack = p.stations.iter_mut().find(|s| s.id == "box-pack").unwrap();
    pack.gather = Some(gather);
    if gather != Gather::Frame {
        (pack.trigger, pack.gate) = (None, None);
    }
    p
}

fn packs() -> Vec<NewPack> {
    let pack = |no, id: &str, level: &str, count, origin| NewPack {
        id: id.into(),
        level: level.into(),
        product: "P1".into(),
        ..NewPack::new(no, count, origin)
    };
    let segments = Origin::Segments { sha256: [0; 32] };
    let related = Origin::Related { sha256: [0; 32], parents: BOXES };
    let mut bottles = pack(BOTTLES, "rows", "bottle", 20, related);
    bottles.above = Some(Box::new(pack(BOXES, "rows-box", "box", 10, segments.clone())));
    vec![bottles, pack(LOOSE, "loose", "bottle", 20, segments.clone()), pack(PLAIN, "plain", "box", 10, segments)]
}

fn start(gather: Gather) -> World {
    let mut w = World::with(gathers(gather), Book::default(), true);
    packs().into_iter().for_each(|pack| w.give(Input::PackReady { id: 0, key: None, pack, more: Vec::new() }));
    w.connect();
    w.op(Op::JobCreate { id: "J".into(), product: "P1".into(), lot: "A".into(), target: None, expiry: None });
    w.op(Op::JobStart { id: "J".into() });
    w.settle(300);
    assert_eq!(w.line.book().line.state, PackMl::Execute, "{:?}", w.answers);
    w
}

impl World {
    /// Read, through its gate, loose.
    fn ready(&mut self, bottles: &[Mark]) {
        for m in bottles {
            self.edge(1);
            self.sight(CAM, vec![m.clone()]);
            self.settle(120);
        }
        self.settle(500);
    }

    fn box_frame(&mut self, marks: &[&Mark]) {
        self.edge(2);
        self.sight(BOXCAM, marks.iter().map(|m| (*m).clone()).collect());
        self.settle(700);
    }

    fn scan(&mut self, mark: &Mark) {
        self.sight(BOXCAM, vec![mark.clone()]);
        self.settle(100);
    }

    fn state_of(&self, m: &Mark) -> ItemState {
        self.state(code(m))
    }

    fn foreign(&self) -> u64 {
        self.rejected(2, Reason::Foreign)
    }
}

#[test]
fn a_frame_with_a_child_of_another_box_rejects_the_box() {
    let mut w = start(Gather::Frame);
    let b: Vec<Mark> = (0..6).map(bottle).collect();
    w.ready(&b);
    w.box_frame(&[&b[0], &boxed(0), &b[1]]);
    assert_eq!((w.state_of(&boxed(0)), w.state_of(&b[0])), (ItemState::Verified, ItemState::Packed));
    // Two children changed places: neither box is what its codes say.
    w.box_frame(&[&boxed(1), &b[2], &b[4]]);
    w.box_frame(&[&b[3], &b[5], &boxed(2)]);
    assert_eq!(w.foreign(), 2);
    for n in 1..3 {
        assert_eq!(w.state_of(&boxed(n)), ItemState::Rejected);
        assert_eq!(w.line.book().life(code(&boxed(n))).reason, Some(Reason::Foreign));
    }
    assert!((2..6).all(|n| w.state_of(&b[n]) == ItemState::Verified), "they are loose");
    w.check_folds();
}

#[test]
fn a_box_without_one_of_its_own_is_incomplete_as_ever() {
    let mut w = start(Gather::Frame);
    let b = bottle(0);
    w.ready(std::slice::from_ref(&b));
    w.box_frame(&[&b, &boxed(0)]);
    assert_eq!((w.rejected(2, Reason::UnderCount), w.foreign()), (1, 0));
}

#[test]
fn made_for_each_other_and_free_do_not_mix() {
    let mut w = start(Gather::Frame);
    let (b, l) = ([bottle(0), bottle(1), bottle(2), bottle(3)], [loose(0), loose(1), loose(2)]);
    w.ready(&b);
    w.ready(&l);
    w.box_frame(&[&l[0], &l[1], &plain(0)]);
    assert_eq!((w.state_of(&plain(0)), w.foreign()), (ItemState::Verified, 0), "nothing was said of them: free");
    w.box_frame(&[&b[0], &l[2], &boxed(0)]);
    assert_eq!((w.state_of(&boxed(0)), w.foreign()), (ItemState::Rejected, 1), "a box has its own children or none");
    w.box_frame(&[&b[2], &b[3], &plain(1)]);
    assert_eq!((w.state_of(&plain(1)), w.foreign()), (ItemState::Rejected, 2), "a child goes into its own box or into none");
    w.check_folds();
}

#[test]
fn frames_of_one_box_are_held_against_each_other() {
    let mut w = start(Gather::Frame);
    let b = [bottle(0), bottle(2)];
    w.ready(&b);
    w.edge(2);
    w.sight(BOXCAM, b.to_vec());
    assert_eq!(w.foreign(), 0, "whose box it is has not been read yet");
    w.sight(BOXCAM, vec![boxed(1)]);
    w.settle(700);
    assert_eq!((w.foreign(), w.state_of(&boxed(1))), (1, ItemState::Rejected));
}

#[test]
fn a_relation_that_cannot_be_read_fits_nowhere() {
    let mut w = start(Gather::Frame);
    let b = [made(CodeRef::new(BOTTLES, 0), None), bottle(1)];
    w.ready(&b);
    w.box_frame(&[&b[0], &b[1], &boxed(0)]);
    assert_eq!((w.foreign(), w.state_of(&boxed(0))), (1, ItemState::Rejected));
}

#[test]
fn after_its_own_code_a_box_takes_its_own_children() {
    let mut w = start(Gather::ParentFirst);
    let b: Vec<Mark> = (0..4).map(bottle).collect();
    w.ready(&b);
    w.ready(&[loose(0)]);
    w.scan(&boxed(1));
    w.scan(&b[0]);
    w.scan(&loose(0));
    assert_eq!(w.foreign(), 2);
    assert_eq!(w.line.book().life(code(&b[0])).parent, ParentNo(0), "refused, not gathered");
    w.scan(&b[2]);
    w.scan(&b[3]);
    assert_eq!((w.state_of(&boxed(1)), w.state_of(&b[2])), (ItemState::Verified, ItemState::Packed));
    w.scan(&plain(0));
    w.scan(&b[0]);
    w.scan(&loose(0));
    assert_eq!((w.foreign(), w.line.book().life(code(&loose(0))).parent), (3, ParentNo(2)));
    w.check_folds();
}

#[test]
fn before_its_own_code_the_first_child_decides() {
    let mut w = start(Gather::ParentLast);
    let b: Vec<Mark> = (0..4).map(bottle).collect();
    w.ready(&b);
    w.ready(&[loose(0)]);
    w.scan(&b[0]);
    w.scan(&b[2]);
    w.scan(&loose(0));
    assert_eq!(w.foreign(), 2);
    w.scan(&b[1]);
    w.scan(&boxed(1));
    w.scan(&plain(0));
    assert_eq!((w.foreign(), w.state_of(&b[1])), (4, ItemState::Verified), "neither is the box they were made for");
    w.scan(&boxed(0));
    assert_eq!((w.foreign(), w.state_of(&boxed(0)), w.state_of(&b[1])), (4, ItemState::Verified, ItemState::Packed));
    w.scan(&loose(0));
    w.scan(&b[2]);
    assert_eq!(w.foreign(), 5, "a free one first: none that was made for a box");
    w.check_folds();
}

#[test]
fn what_an_open_parent_holds_is_bound_after_a_restart_too() {
    let mut w = start(Gather::ParentLast);
    let b: Vec<Mark> = (0..4).map(bottle).collect();
    w.ready(&b);
    w.scan(&b[0]);
    let mut line: Line = Line::new(Arc::new(gathers(Gather::ParentLast)), w.line.book().clone());
    let made_for = vec![(code(&b[0]), code(&boxed(0)))];
    let booted = Input::Booted { clean: true, last_wall_us: None, restored: Vec::new(), made_for };
    std::mem::swap(&mut w.line, &mut line);
    w.give(booted);
    w.connect();
    w.op(Op::JobResume { id: "J".into() });
    w.settle(300);
    let before = w.foreign();
    w.scan(&b[2]);
    assert_eq!(w.foreign(), before + 1);
    w.scan(&b[1]);
    w.scan(&boxed(0));
    assert_eq!(w.state_of(&boxed(0)), ItemState::Verified);
}

#[test]
fn a_number_made_here_is_nobodys_parent() {
    let mut w = World::start();
    // Boxes whose delivery names cases, on a line that makes its own case numbers.
    let case = NewPack { level: "case".into(), ..NewPack::new(PackNo(9), 5, Origin::Segments { sha256: [1; 32] }) };
    let pack = NewPack {
        id: "named".into(),
        level: "box".into(),
        product: "P1".into(),
        above: Some(Box::new(NewPack { id: "named-case".into(), product: "P1".into(), ..case })),
        ..NewPack::new(PackNo(8), 10, Origin::Related { sha256: [1; 32], parents: PackNo(9) })
    };
    w.give(Input::PackReady { id: 0, key: None, pack, more: Vec::new() });
    let c = [w.bottle(0), w.bottle(1)];
    w.settle(500);
    let own = made(CodeRef::new(PackNo(8), 0), Some(CodeRef::new(PackNo(9), 0)));
    w.box_frame(&[&Mark::of(c[0]), &Mark::of(c[1]), &own]);
    assert_eq!(w.state_of(&own), ItemState::Verified, "as a box it is as good as any");
    w.edge(7);
    assert_eq!(w.rejected(3, Reason::Foreign), 1);
    assert_eq!(w.line.book().line.reason.as_deref(), Some("out-of-step"), "it lies in the physical case all the same");
    assert_eq!(w.line.book().life(code(&own)).parent, ParentNo(0));
    w.check_folds();
}
