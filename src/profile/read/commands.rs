//! The dialects `commands` and `label`, from their texts to a [`Talk`]: every pattern read, every name held against what
//! has it. What only a label printer has is in `label.rs`.

use super::label;
use super::meaning::Complain;
use crate::profile::bytes::Pattern;
use crate::profile::firmware::CommandChange;
use crate::profile::printer::*;
use crate::profile::talk::*;
use crate::profile::{Dialect, OnEmpty, Profile, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// Places that a command may hold beside settings, and those it must.
fn places_of(role: Role) -> (&'static [&'static str], &'static [&'static str]) {
    match role {
        Role::SelectMessage => (&["message", "message.length"], &["message"]),
        Role::SetField => (&["name", "name.length", "value", "value.length"], &["value"]),
        Role::PutCode => (&["code", "code.length", "record"], &["code"]),
        Role::ReadBack => (&["name"], &[]),
        _ => (&[], &[]),
    }
}

/// What an answer of this role must tell, unless it only says yes or no.
fn told_by(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Fill => "fill",
        Role::Count => "count",
        Role::LastRecord => "last",
        Role::LastText | Role::ReadBack => "text",
        Role::CurrentMessage => "message",
        _ => return None,
    })
}

pub(super) struct Build<'a> {
    pub p: &'a Profile,
    say: &'a mut Complain<'a>,
    /// Complaints so far.
    told: usize,
    /// The number of the [[firmware]] whose change is looked at.
    firmware: Option<String>,
}

pub(super) fn talk(p: &Profile, say: &mut Complain<'_>) -> Option<Talk> {
    let mut b = Build { p, say, told: 0, firmware: None };
    let inbound = b.inbound();
    let commands = b.commands(&inbound);
    let events = b.events(&inbound);
    let firmware = b.firmware(&inbound, &commands);
    let none = BTreeMap::new();
    let steps = |b: &mut Build<'_>, name: &str, texts: &[String]| b.steps(&["sequences", name], texts, &none);
    let s = &p.sequences;
    let talk = Talk {
        before: b.pattern(&["frame", "before"], &p.frame.before, &[]),
        after: b.pattern(&["frame", "after"], &p.frame.after, &[]),
        framings: b.framings(),
        checksum: p.frame.checksum.clone(),
        doubled: b.doubled(),
        doubled_setting: p.frame.doubled_setting.clone(),
        values: b.values(),
        connect: steps(&mut b, "connect", &s.connect),
        arm: steps(&mut b, "arm", &s.arm),
        disarm: steps(&mut b, "disarm", &s.disarm),
        clear: steps(&mut b, "clear", &s.clear),
        resume: steps(&mut b, "resume", &s.resume),
        recover: steps(&mut b, "recover", &s.recover),
        inbound,
        commands,
        events,
        status: p.status.clone(),
        poll: p.poll.clone().unwrap_or(PollRule { status_ms: 0, confirm_ms: 0, while_armed: true, rest_ms: 0 }),
        firmware,
        quirks: p.quirks.iter().map(|q| q.name).collect(),
        unknown: p.simulated.unknown.as_ref().map(|u| b.pattern(&["simulated", "unknown"], u, &["sum"])),
        simulated: p.simulated.clone(),
        label: label::form(&mut b),
    };
    b.held(&talk);
    // What every other printer is told must hold for each firmware too.
    let sound = b.told == 0;
    for (i, f) in talk.firmware.iter().enumerate().filter(|_| sound) {
        let mut changed = talk.clone();
        f.change(&mut changed);
        b.firmware = Some(i.to_string());
        b.held(&changed);
    }
    Some(talk)
}

impl Build<'_> {
    /// What must hold between the parts of its dialect.
    fn held(&mut self, t: &Talk) {
        match self.p.dialect {
            Dialect::Label => label::whole(self, t),
            _ => self.whole(t),
        }
    }

    pub(super) fn wrong(&mut self, path: &[&str], what: impl Into<String>) {
        self.told += 1;
        match &self.firmware {
            Some(n) => (self.say)(&["firmware", n], format!("firmware.{n}: {}", what.into())),
            None => (self.say)(path, what.into()),
        }
    }

    /// `allowed`: its places beside settings; `["*"]`: any.
    pub(super) fn pattern(&mut self, path: &[&str], text: &str, allowed: &[&str]) -> Pattern {
        let pattern = Pattern::parse(text).unwrap_or_else(|e| {
            self.wrong(path, format!("{}: {e}", path.join(".")));
            Pattern::default()
        });
        for place in pattern.places() {
            match place.strip_prefix("setting.") {
                Some(key) if !self.p.settings.contains_key(key) => {
                    self.wrong(path, format!("{}: there is no setting {key}; add [settings.{key}]", path.join(".")));
                }
                None if allowed != ["*"] && !allowed.contains(&place) => {
                    let may = if allowed.is_empty() { "only {setting.…}".into() } else { format!("{{{}}}", allowed.join("}, {")) };
                    self.wrong(path, format!("{}: there is no {{{place}}} here; it may hold {may}", path.join(".")));
                }
                _ => {}
            }
        }
        pattern
    }

    pub(super) fn literal(&mut self, path: &[&str], text: &str) -> Vec<u8> {
        let bytes = self.pattern(path, text, &[]).literal();
        if bytes.is_none() {
            self.wrong(path, format!("{}: these bytes stand for themselves; take the place out", path.join(".")));
        }
        bytes.unwrap_or_default()
    }

    /// What may stand in a place.
    pub(super) fn value_form(&mut self, path: &[&str], rule: &ValueRule) -> ValueForm {
        let escapes = rule.escapes.iter().enumerate().filter_map(|(i, e)| {
            let n = i.to_string();
            let byte = self.literal(&[path, &["escapes", &n, "byte"]].concat(), &e.byte);
            let as_bytes = self.literal(&[path, &["escapes", &n, "as_bytes"]].concat(), &e.as_bytes);
            let [one] = byte[..] else {
                self.wrong(&[path, &["escapes", &n]].concat(), format!("{}: an escape is for one byte; write it as one", path.join(".")));
                return None;
            };
            Some((one, as_bytes))
        });
        let escapes = escapes.collect();
        let forbidden = self.literal(&[path, &["forbidden"]].concat(), &rule.forbidden);
        let (shortest, longest) = (rule.shortest as usize, rule.longest as usize);
        if shortest > longest {
            self.wrong(&[path, &["shortest"]].concat(), format!("{}: shortest is more than longest; correct one", path.join(".")));
        }
        ValueForm { charset: rule.charset, forbidden, escapes, shortest, longest }
    }

    fn values(&mut self) -> BTreeMap<String, ValueForm> {
        let mut all = BTreeMap::new();
        for (place, rule) in &self.p.values {
            if !["code", "message", "name", "value"].contains(&place.as_str()) {
                self.wrong(&["values", place], format!("values.{place}: nothing is put there; name code, message, name or value"));
            }
            all.insert(place.clone(), self.value_form(&["values", place], rule));
        }
        if !self.p.values.contains_key("code") && self.p.dialect == Dialect::Commands {
            self.wrong(&["values"], "what a code may hold is not said; add [values.code] with charset, forbidden and longest");
        }
        all
    }

    fn inbound(&mut self) -> Vec<InboundForm> {
        let mut all: Vec<InboundForm> = Vec::new();
        for (i, form) in self.p.inbound.iter().enumerate() {
            let n = i.to_string();
            let bytes = |b: &mut Self, key: &str, text: &str| {
                let path = ["inbound", &n, key];
                let bytes = b.literal(&path, text);
                if bytes.is_empty() {
                    b.wrong(&path, format!("inbound.{n}.{key} is empty; say the bytes"));
                }
                bytes
            };
            let checked = matches!(form, Inbound::Delimited { checked: true, .. } | Inbound::Counted { checked: true, .. });
            if checked && self.p.frame.checksum.is_none() {
                self.wrong(&["inbound", &n, "checked"], "inbound: how its checksum is made is not said; add [frame] checksum");
            }
            let (name, form) = match form {
                Inbound::Delimited { name, begin, end, .. } => {
                    (name, Begin::Delimited { begin: bytes(self, "begin", begin), end: bytes(self, "end", end) })
                }
                Inbound::Line { name, end } => (name, Begin::Line { end: bytes(self, "end", end) }),
                Inbound::Byte { name, bytes: b } => (name, Begin::Byte { bytes: bytes(self, "bytes", b) }),
                Inbound::Prefix { name, begin, then, of } => {
                    (name, Begin::Prefix { begin: bytes(self, "begin", begin), then: *then as usize, of: *of })
                }
                Inbound::Fixed { name, begin, then } => (name, Begin::Fixed { begin: bytes(self, "begin", begin), then: *then as usize }),
                Inbound::Counted { name, begin, length, wide, extra, .. } => {
                    if !(1..=4).contains(wide) {
                        self.wrong(&["inbound", &n, "wide"], "inbound: a length is 1 to 4 wide; correct it");
                    }
                    let (begin, extra) = (bytes(self, "begin", begin), *extra as usize);
                    (name, Begin::Counted { begin, length: *length, wide: (*wide as usize).clamp(1, 4), extra })
                }
                Inbound::Idle { name, gap_ms } => (name, Begin::Idle { gap_ms: *gap_ms }),
            };
            if all.iter().any(|f| f.name == *name) {
                self.wrong(&["inbound", &n, "name"], format!("inbound: {name} is there twice; give it another name"));
            }
            if all.last().is_some_and(|f| f.form.takes_all()) {
                self.wrong(
                    &["inbound", &n],
                    format!("inbound: {name} is never reached, since a line takes everything; put it before the line"),
                );
            }
            all.push(InboundForm { name: name.clone(), form, checked });
        }
        if all.is_empty() {
            self.wrong(&["inbound"], "how its answers begin and end is not said; add [[inbound]]");
        }
        all
    }

    fn from(&mut self, path: &[&str], name: Option<&String>, inbound: &[InboundForm]) -> Option<usize> {
        let name = name?;
        let found = inbound.iter().position(|f| f.name == *name);
        if found.is_none() {
            let all: Vec<&str> = inbound.iter().map(|f| f.name.as_str()).collect();
            self.wrong(path, format!("{}: there is no [[inbound]] named {name}; there is {}", path.join("."), all.join(", ")));
        }
        found
    }

    fn commands(&mut self, inbound: &[InboundForm]) -> BTreeMap<Role, CommandForm> {
        let mut all = BTreeMap::new();
        for (role, c) in &self.p.commands {
            let form = self.command(&["commands", &role.name()], *role, c, inbound);
            all.insert(*role, form);
        }
        let documented = self.p.standing == Standing::Documented;
        if !all.contains_key(&Role::PutCode) && self.p.dialect == Dialect::Commands && documented {
            self.wrong(&["commands"], "nothing puts a code; add [commands.put-code]");
        }
        all
    }

    fn command(&mut self, at: &[&str], role: Role, c: &Command, inbound: &[InboundForm]) -> CommandForm {
        let key = at.join(".");
        let within = |more: &[&'static str]| [at, more].concat();
        let (may, must) = places_of(role);
        let send = self.pattern(&within(&["send"]), &c.send, may);
        for place in must.iter().filter(|m| !send.has(m)) {
            self.wrong(&within(&["send"]), format!("{key}: {{{place}}} is not sent; put it into send"));
        }
        let mut replies = Vec::new();
        for (i, r) in c.replies.iter().enumerate() {
            let n = i.to_string();
            let path = [at, &["replies", &n]].concat();
            let is = self.pattern(&[&path[..], &["is"]].concat(), &r.is, &["*"]);
            let from = self.from(&[&path[..], &["from"]].concat(), r.from.as_ref(), inbound);
            let not_taken = matches!(r.means, Means::Full | Means::Busy);
            if (not_taken || r.means == Means::TakenFull) && role != Role::PutCode {
                self.wrong(&path, format!("{key}: only put-code can be full or busy; say refused"));
            }
            if not_taken && !self.p.buffer.as_ref().is_some_and(|b| b.refusal_means_not_taken) {
                self.wrong(
                    &path,
                    format!(
                        "{key}: a code is offered again only where a refusal means not taken; say refused, or set buffer.refusal_means_not_taken"
                    ),
                );
            }
            let then: Vec<Pattern> = r.then.iter().map(|t| self.pattern(&[&path[..], &["then"]].concat(), t, &["*"])).collect();
            if !then.is_empty() && self.p.dialect != Dialect::Label {
                self.wrong(&path, format!("{key}: only a label printer answers in several units; take then out"));
            }
            if is.has("sum") && self.p.frame.checksum.is_none() {
                self.wrong(&path, format!("{key}: {{sum}} needs [frame] checksum; add it"));
            }
            replies.push(ReplyForm { is, then, from, means: r.means, when: r.when, say: r.say.clone() });
        }
        if let Some(place) = told_by(role)
            && !replies.iter().any(|r| r.means == Means::Ok && r.is.has(place))
        {
            self.wrong(at, format!("{key}: no reply tells {{{place}}}; put it into one that means ok"));
        }
        if !replies.is_empty() && !replies.iter().any(|r| r.means == Means::Ok) {
            self.wrong(at, format!("{key}: no reply means ok; say which one does"));
        }
        let timeout_ms = c.timeout_ms.unwrap_or(self.p.link.reply_timeout_ms);
        if c.answer_optional && (replies.is_empty() || role == Role::PutCode) {
            self.wrong(
                &within(&["answer_optional"]),
                format!("{key}: answer_optional is for what may be answered or not, and never for a code; take it out"),
            );
        }
        let (pause_ms, answer_optional, silence) = (c.pause_ms, c.answer_optional, c.silence.clone());
        let (settle_ms, read_back) = (c.settle_ms, c.read_back);
        CommandForm { send, raw: c.raw, replies, timeout_ms, pause_ms, answer_optional, silence, settle_ms, read_back }
    }

    /// What is otherwise in some firmware, each change with the whole command that it makes.
    fn firmware(&mut self, inbound: &[InboundForm], base: &BTreeMap<Role, CommandForm>) -> Vec<FirmwareForm> {
        let p = self.p;
        let mut all = Vec::new();
        for (i, f) in p.firmware.iter().enumerate() {
            let n = i.to_string();
            if f.from.is_none() && f.below.is_none() {
                self.wrong(&["firmware", &n], format!("firmware.{n}: it holds for no range; say from, below or both"));
            }
            let mut commands = BTreeMap::new();
            for (role, change) in &f.commands {
                let name = role.name();
                let at = ["firmware", &n, "commands", &name];
                match change.over(p.commands.get(role)) {
                    Some(whole) => {
                        let form = self.command(&at, *role, &whole, inbound);
                        commands.insert(*role, (change.clone(), form));
                    }
                    None => self.wrong(&at, format!("{}: there is no [commands.{name}] to change; add send", at.join("."))),
                }
            }
            let of_the_link = p.commands.iter().filter(|(_, c)| f.reply_timeout_ms.is_some() && c.timeout_ms.is_none());
            for (role, _) in of_the_link {
                let unchanged = || (CommandChange::default(), base[role].clone());
                let (change, _) = commands.entry(*role).or_insert_with(unchanged);
                change.timeout_ms = change.timeout_ms.or(f.reply_timeout_ms);
            }
            let s = &f.sequences;
            let mut steps = |name: &str, texts: &Option<Vec<String>>| {
                texts.as_ref().map(|t| self.steps(&["firmware", &n, "sequences", name], t, &f.commands))
            };
            let (arm, disarm, clear) = (steps("arm", &s.arm), steps("disarm", &s.disarm), steps("clear", &s.clear));
            let (from, below, lacks) = (f.from.clone(), f.below.clone(), f.lacks.clone());
            all.push(FirmwareForm { from, below, lacks, commands, arm, disarm, clear });
        }
        all
    }

    fn events(&mut self, inbound: &[InboundForm]) -> Vec<EventForm> {
        let mut all = Vec::new();
        for (i, e) in self.p.events.iter().enumerate() {
            let n = i.to_string();
            let is = self.pattern(&["events", &n, "is"], &e.is, &["*"]);
            let from = self.from(&["events", &n, "from"], e.from.as_ref(), inbound);
            let answer = e.answer.as_ref().map(|a| self.literal(&["events", &n, "answer"], a));
            if e.means == EventMeans::Asks && answer.as_ref().is_none_or(Vec::is_empty) {
                self.wrong(&["events", &n], "events: a printer that asks is answered; add answer");
            }
            all.push(EventForm { is, from, means: e.means, answer, say: e.say.clone() });
        }
        all
    }

    /// `more`: commands that some firmware has beside those of all.
    fn steps(&mut self, at: &[&str], texts: &[String], more: &BTreeMap<Role, CommandChange>) -> Vec<Step> {
        let p = self.p;
        let mut steps = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let n = i.to_string();
            if let Some(ms) = text.strip_prefix("wait ").and_then(|t| t.strip_suffix("ms")).and_then(|t| t.trim().parse().ok()) {
                steps.push(Step::Wait { ms });
                continue;
            }
            match p.commands.keys().chain(more.keys()).find(|r| r.name() == *text) {
                Some(role) => steps.push(Step::Do(*role)),
                None => self.wrong(
                    &[at, &[n.as_str()]].concat(),
                    format!("{}: {text} is no step; name a command of this file, or \"wait 500ms\"", at.join(".")),
                ),
            }
        }
        steps
    }

    /// What must hold between the parts.
    fn whole(&mut self, t: &Talk) {
        let Some(buffer) = &self.p.buffer else { return };
        if self.p.poll.is_none() {
            self.wrong(&["poll"], "how often it is asked is not said; add [poll] with status_ms and confirm_ms");
        }
        if !t.has(Role::PutCode) {
            self.status(t);
            return self.simulated(t);
        }
        self.confirmation(t, buffer);
        let clears = t.arm.contains(&Step::Do(Role::Clear)) || t.clear.contains(&Step::Do(Role::Clear));
        if clears && !buffer.clear_is_safe {
            self.wrong(
                &["buffer", "clear_is_safe"],
                "a sequence clears the buffer, though clear_is_safe = false; take the step out, or say why it is safe",
            );
        }
        if buffer.clear_is_safe && !t.clear.contains(&Step::Do(Role::Clear)) {
            self.wrong(
                &["buffer", "clear_is_safe"],
                "clear_is_safe = true, but nothing clears; add [commands.clear] and sequences.clear = [\"clear\"]",
            );
        }
        let numbered = t.commands.get(&Role::PutCode).is_some_and(|c| c.send.has("record"));
        if (buffer.kind == BufferKind::NumberedRecords) != numbered {
            self.wrong(&["buffer", "kind"], "records are numbered by {record} in put-code: numbered-records with it, another kind without");
        }
        self.records(t, numbered);
        if buffer.on_empty == OnEmpty::Repeats && t.has_quirk(Quirk::BlankAfterPrint) && !clears {
            self.wrong(&["quirks"], "blank-after-print empties the field by the command clear; add it, or take the quirk out");
        }
        let asks = |steps: &[Step]| steps.contains(&Step::Do(Role::Identify));
        if !t.firmware.is_empty() && !asks(&t.connect) && !asks(&t.arm) {
            self.wrong(&["firmware"], "firmware: nothing asks for the version; put identify into sequences.connect");
        }
        self.status(t);
        self.ends(t);
        self.simulated(t);
    }

    pub(super) fn status(&mut self, t: &Talk) {
        let replies = t.commands.get(&Role::Status).into_iter().flat_map(|c| &c.replies);
        let asked = replies.flat_map(|r| std::iter::once(&r.is).chain(&r.then));
        let told = t.events.iter().filter(|e| e.means == EventMeans::Status).map(|e| &e.is);
        let places: BTreeSet<&str> = asked.chain(told).flat_map(Pattern::places).collect();
        for (i, s) in self.p.status.iter().enumerate() {
            let n = i.to_string();
            if !places.contains(s.of.as_str()) {
                self.wrong(&["status", &n, "of"], format!("status: no status answer has the place {{{}}}; name one of its places", s.of));
            }
            let ways = [!s.is.is_empty(), !s.is_not.is_empty(), s.bit.is_some(), s.over.is_some()].iter().filter(|w| **w).count();
            if ways != 1 {
                self.wrong(&["status", &n], "status: say one of is, is_not, bit and over");
            }
            self.mask(&n, s);
        }
        if t.has(Role::Status) && self.p.status.is_empty() {
            self.wrong(&["commands", "status"], "what its status means is not said; add [[status]]");
        }
        if t.poll.status_ms > 0 && !t.has(Role::Status) {
            self.wrong(&["poll", "status_ms"], "it is to be asked for its status, but there is no command status; add it, or say 0");
        }
    }

    /// A value may not hold what ends it.
    fn ends(&mut self, t: &Talk) {
        for (role, place) in [(Role::PutCode, "code"), (Role::SelectMessage, "message"), (Role::SetField, "value")] {
            let (Some(c), Some(rule)) = (t.commands.get(&role), t.values.get(place)) else { continue };
            if c.send.has(&format!("{place}.length")) {
                continue;
            }
            let afters = std::iter::once(&t.after).chain(t.framings.values().map(|f| &f.1)).filter_map(Pattern::literal);
            let ends: Vec<u8> = match c.send.after(place) {
                Some(next) => next.first().copied().into_iter().collect(),
                None if c.raw => Vec::new(),
                None => afters.filter_map(|a| a.first().copied()).filter(|b| t.doubled != Some(*b)).collect(),
            };
            for b in ends.into_iter().filter(|b| !rule.forbidden.contains(b) && rule.escapes.iter().all(|e| e.0 != *b)) {
                self.wrong(&["values", place], format!("values.{place}: the byte {b:02X} ends it in {}; forbid or escape it", role.name()));
            }
        }
    }

    /// The simulated printer must have something to say in every place.
    pub(super) fn simulated(&mut self, t: &Talk) {
        const KNOWN: [&str; 10] = ["sum", "fill", "count", "last", "prints", "text", "message", "record", "code", "name"];
        for (role, c) in &t.commands {
            let values = &self.p.simulated.values;
            let unknown = |p: &str| !KNOWN.contains(&p) && !p.starts_with("setting.") && !p.ends_with(".length") && !values.contains_key(p);
            let good = c.replies.iter().filter(|r| r.means == Means::Ok);
            // Of several ways to say yes it needs one.
            let open: Vec<Vec<&str>> =
                good.map(|r| std::iter::once(&r.is).chain(&r.then).flat_map(Pattern::places).filter(|p| unknown(p)).collect()).collect();
            if let Some(first) = open.first().filter(|_| open.iter().all(|o| !o.is_empty())) {
                for place in first {
                    let (key, path) = (role.name(), ["simulated", "values"]);
                    self.wrong(&path, format!("simulated.values: what stands for {{{place}}} of commands.{key}? add {place}"));
                }
            }
        }
    }
}
