//! What must hold between the sections (CONTRACT, "Configuration"; DESIGN §4).

use super::Config;
use super::node::Report;
use super::read::Places;
use crate::vocab::dummy::is_dummy;
use crate::vocab::plan::*;
use crate::vocab::sscc::RangeRule;

pub(super) fn check(c: &Config, at: &Places, report: &Report<'_>) {
    let p = &c.plan;
    permit(p, at, report);
    outputs(p, at, report);
    for (i, s) in p.stations.iter().enumerate() {
        let say = |what: &str, right: &str| report.complain(at.stations[i], format!("[[station]] {}: {what}", s.id), right);
        devices_fit(p, s, &say);
        gathers(p, s, &say);
        labels(p, s, &say);
        if let Some(g) = &s.gate {
            gate(s, g, at.pulses[i], report, &say);
        }
        if s.read_deadline_ms > s.min_spacing_ms {
            say("read_deadline_ms is longer than min_spacing_ms", "a passage must be over before the next begins: 80 % is the default");
        }
    }
    for (i, l) in p.levels.iter().enumerate() {
        let say = |what: &str, right: &str| report.complain(at.levels[i], format!("[[level]] {}: {what}", l.name), right);
        let has = |role: Role| p.stations.iter().any(|s| s.level == l.no && s.role == role);
        if l.codes == CodeSource::Printed && !has(Role::Print) {
            say("codes are printed, but no station prints them", "add a [[station]] with role = \"print\" for this level");
        }
        if l.codes == CodeSource::Generated && !has(Role::Print) {
            say("numbers are generated, but no station labels them", "add a [[station]] with role = \"print\" for this level");
        }
        if i > 0 && !has(Role::Pack) && p.stations.iter().any(|s| s.level == l.no) {
            say("nothing packs this level", "add a [[station]] with role = \"pack\" for it");
        }
    }
    for (i, l) in p.levels.iter().enumerate() {
        let clash = |o: &&Level| o.range.as_ref().zip(l.range.as_ref()).is_some_and(|(a, b)| a.overlaps(b));
        if let Some(other) = p.levels[..i].iter().find(clash) {
            report.complain(
                at.levels[i],
                format!("[[level]] {}: its range overlaps that of level {}", l.name, other.name),
                "take another extension or prefix, or give both an end and a start of their own",
            );
        }
    }
    for (i, d) in p.devices.iter().enumerate() {
        if let Traits::Printer(t) = &d.traits
            && !t.label
            && t.depth >= p.limits.max_burn
        {
            report.complain(
                if c.plan.limits == Limits::default() { at.devices[i] } else { at.limits },
                format!("[[device]] {}: its buffer of {} is not below max_burn = {}", d.id, t.depth, p.limits.max_burn),
                "raise [limits] max_burn above the depth, or lower the depth",
            );
        }
    }
    for (i, d) in p.devices.iter().enumerate() {
        if let Some(first) = p.devices[..i].iter().find(|o| o.address == d.address) {
            report.complain(
                at.devices[i],
                format!("[[device]] {}: its address is that of {} too", d.id, first.id),
                "give each device an address of its own",
            );
        }
    }
    if p.products.is_empty() {
        report.complain(at.line, "there is no [[product]]", "add the products that this line packs");
    }
}

fn permit(p: &Plan, at: &Places, report: &Report<'_>) {
    if let Some(r) = &p.run_permit
        && r.heartbeat_ms * 2 > r.watchdog_ms
    {
        report.complain(at.permit, "[line] run_permit: watchdog_ms is less than two heartbeats", "raise watchdog_ms or lower heartbeat_ms");
    }
    if let Some(r) = &p.run_permit
        && let Traits::Io(IoTraits { watchdog_ms: Some(ms), .. }) = p.device(r.output.device).traits
        && ms > r.watchdog_ms
    {
        report.complain(
            at.permit,
            format!("[line] run_permit: the module's watchdog takes {ms} ms, not {}", r.watchdog_ms),
            format!("set the module's own watchdog shorter, or watchdog_ms = {ms} here"),
        );
    }
    let pole = p.stations.iter().position(|s| s.gate.is_some_and(|g| g.polarity == Polarity::Reject));
    if let Some(i) = pole.filter(|_| p.run_permit.is_none() && !p.fail_open_accepted) {
        report.complain(
            at.pulses[i],
            format!("[[station]] {}: polarity \"reject\" lets everything pass when this program stands still", p.stations[i].id),
            "add [line] run_permit on an output with a watchdog, or fail_open = \"accepted\"",
        );
    }
}

/// Nothing is written by two: a gate, the run permit, a lamp. A pulse of an output is that output.
fn outputs(p: &Plan, at: &Places, report: &Report<'_>) {
    let same = |a: Point, b: Point| (a.device, a.number) == (b.device, b.number);
    let lights: Vec<Point> = p.stack_light.iter().flat_map(StackLight::outputs).flatten().collect();
    let permit: Vec<Point> = p.run_permit.iter().map(|r| r.output).collect();
    for (i, s) in p.stations.iter().enumerate() {
        let Some(g) = s.gate else { continue };
        let others = p.stations.iter().filter(|o| o.no != s.no).filter_map(|o| o.gate).map(|x| x.output);
        if permit.iter().chain(&lights).copied().chain(others).any(|o| same(o, g.output)) {
            report.complain(
                at.stations[i],
                format!("[[station]] {}: its gate's output is used twice", s.id),
                "give each gate, lamp and the run permit an output of its own",
            );
        }
    }
    let twice = lights.iter().enumerate().any(|(i, l)| lights[..i].iter().chain(&permit).any(|o| same(*o, *l)));
    if twice {
        report.complain(
            at.lights,
            "[stack_light]: an output is used twice",
            "give each lamp, the horn and the run permit an output of its own",
        );
    }
}

fn devices_fit(p: &Plan, s: &Station, say: &dyn Fn(&str, &str)) {
    let traits = s.device.map(|d| &p.device(d).traits);
    match (s.role, traits) {
        (Role::Print, None) => say("a print station needs its printer", "add device = \"…\""),
        (Role::Print, Some(Traits::Printer(t))) => {
            let generated = p.level(s.level).codes == CodeSource::Generated;
            if t.label != generated {
                say(
                    if generated {
                        "an inkjet printer cannot label a generated level"
                    } else {
                        "a label printer cannot print codes on things"
                    },
                    "name a printer of the other kind",
                );
            }
            let behind = p.stations.iter().skip_while(|x| x.no != s.no);
            let verified = behind.filter(|v| v.same_lane(s)).any(|v| v.level == s.level && v.role == Role::Verify);
            if t.repeats_on_empty && !t.label && !verified {
                say(
                    "its printer prints its last code again when nothing new comes in time, and nobody would notice",
                    "add a verify station for this level behind it",
                );
            }
            if s.message.is_some() && !t.selects {
                say("its printer's message cannot be selected over the wire", "select it at the printer's panel, and remove message");
            }
            if let Some(field) = s.fields.keys().next().filter(|_| !t.sets_fields) {
                say(
                    &format!("its printer's fields cannot be set over the wire, \"{field}\" among them"),
                    "make them part of the message that is selected, and remove fields",
                );
            }
            if p.level(s.level).codes == CodeSource::Preprinted {
                say("codes of this level are pre-printed", "remove the station, or set codes = \"printed\"");
            }
        }
        (Role::Print, Some(_)) => say("its device is no printer", "name a device with a printer's profile"),
        (Role::Verify, None) => say("a verify station needs its reader", "add device = \"…\""),
        (Role::Pack, None) if s.gather != Some(Gather::Sequence) => {
            say("it needs the reader that sees the children", "add device = \"…\", or gather = \"sequence\"")
        }
        (_, Some(Traits::Printer(_) | Traits::Io(_))) => say("its device is no reader", "name a device with a reader's profile"),
        _ => {}
    }
    if let Some(Traits::Reader(t)) = traits {
        if t.by_command && s.trigger.is_none() {
            say(
                "its reader reads when it is told to, and nothing says when",
                "add trigger = \"io1:cnt.N\", or let the reader be triggered otherwise",
            );
        }
        if t.without_aim && s.ignore.iter().any(|i| matches!(i, Ignore::Symbology(_))) {
            say(
                "it ignores by symbology, and its reader sends no symbology identifiers: nothing would be ignored",
                "switch them on at the reader and set aim = \"optional\", or ignore by pattern",
            );
        }
        if s.minimum_grade.is_some() && !t.graded {
            say(
                "its reader sends no grade, so that no code would be good enough",
                "remove minimum_grade, or use a profile with [reader.grade]",
            );
        }
    }
    if s.role == Role::Print && s.gate.is_some() {
        say("a print station has no gate", "put the gate at the verify station behind it");
    }
}

fn gathers(p: &Plan, s: &Station, say: &dyn Fn(&str, &str)) {
    match (s.role, s.gather) {
        (Role::Pack, None) => say("gather is missing", "add gather = \"frame\", \"sequence\", \"parent-first\" or \"parent-last\""),
        (Role::Pack, Some(g)) => {
            if p.child_level(s.level).is_none() {
                return say("nothing goes into the bottom level", "name a level above it");
            }
            if matches!(g, Gather::Sequence | Gather::Frame) && s.trigger.is_none() {
                say("it needs a trigger", "add trigger = \"io1:cnt.N\"");
            }
            if let Some(child) = p.child_level(s.level).filter(|c| c.codes == CodeSource::Preprinted && p.child_level(c.no).is_none())
                && !p.stations.iter().any(|x| x.level == child.no && x.role == Role::Verify)
            {
                say(
                    &format!("codes of level {} are pre-printed, and no station verifies them: none could be packed", child.name),
                    "add a verify station for that level before this one",
                );
            }
            if g == Gather::Sequence {
                let child = p.child_level(s.level).map(|l| l.no);
                if !p.stations.iter().take_while(|x| x.no != s.no).any(|x| Some(x.level) == child && x.role != Role::Print) {
                    say(
                        "a sequence needs a station before it that checks what goes in",
                        "put the verify or pack station of the level below before it",
                    );
                }
                if p.level(s.level).codes == CodeSource::Preprinted {
                    say("a pre-printed parent is never read at a sequence", "use gather = \"frame\", \"parent-first\" or \"parent-last\"");
                }
            }
            if g == Gather::ParentFirst && p.level(s.level).codes != CodeSource::Preprinted {
                say("only a pre-printed parent can be scanned first", "use gather = \"parent-last\"");
            }
        }
        (_, Some(_)) => say("only a pack station gathers", "remove gather"),
        _ => {}
    }
}

/// A label that nobody reads is a label that may be on the wrong thing.
fn labels(p: &Plan, s: &Station, say: &dyn Fn(&str, &str)) {
    let label = s.role == Role::Print && p.level(s.level).codes == CodeSource::Generated;
    if !label {
        if s.label.is_some() {
            say("only a print station of a generated level has a label", "remove label");
        }
        return;
    }
    if let Some(prefix) = p.level(s.level).range.as_ref().and_then(RangeRule::text_prefix).filter(|p| is_dummy(p.as_bytes())) {
        say(&format!("its numbers would begin with {prefix}, which stands for setup prints"), "take another prefix");
    }
    if let Some(Traits::Printer(t)) = s.device.map(|d| &p.device(d).traits) {
        let rules = t.labels.clone().unwrap_or_default();
        for (what, right) in s.label.iter().flat_map(|l| rules.complaints(l)) {
            say(&what, right);
        }
        if let Some(prefix) = p.level(s.level).range.as_ref().and_then(RangeRule::text_prefix)
            && let Some(why) = rules.text.refuses(prefix.as_bytes()).or_else(|| rules.symbol.refuses(prefix.as_bytes()))
        {
            say(&format!("its printer cannot print numbers that begin with {prefix}: {why}"), "take another prefix, or another printer");
        }
    }
    let reads = |x: &Station| (x.role == Role::Verify && x.trigger.is_some()) || x.gather == Some(Gather::ParentLast);
    let read = p.stations.iter().any(|x| x.level == s.level && reads(x));
    if !read && !s.unread_labels_accepted {
        say(
            "its labels are never read back",
            "add a verify station with a trigger for the level, gather by parent-last, or set unread_labels = \"accepted\"",
        );
    }
}

fn gate(s: &Station, g: &Gate, at: usize, report: &Report<'_>, say: &dyn Fn(&str, &str)) {
    if g.pulse_ms + 2 * g.tolerance_ms > s.min_spacing_ms {
        report.complain(
            at,
            format!(
                "[[station]] {}: pulse_ms {} + 2 × tolerance_ms {} is more than min_spacing_ms {}",
                s.id, g.pulse_ms, g.tolerance_ms, s.min_spacing_ms
            ),
            format!("pulse_ms may be at most {}", s.min_spacing_ms.saturating_sub(2 * g.tolerance_ms)),
        );
    }
    if s.trigger.is_none() {
        say("a gate needs a trigger to count from", "add trigger = \"io1:cnt.N\"");
    }
    if g.output.kind == PointKind::Pulse && g.polarity == Polarity::Reject {
        say(
            "a module that times its pulses cannot hold a reject gate while the line is flushed",
            "use out.N for this gate, or polarity = \"pass\"",
        );
    }
}
