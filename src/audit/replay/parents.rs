//! The life of a parent: open, closed with its children, its label read, sealed; or undone.

use super::{At, Parent, Replay};
use crate::audit::lines::JournalLine;
use crate::audit::names::No;
use crate::vocab::{ItemState as S, ParentState as P, Promise};
use std::collections::BTreeSet;

impl Replay {
    pub(super) fn parent_event(&mut self, l: &JournalLine<'_>, id: &str, code: Option<No>, at: &mut At<'_>) {
        let known = self.ids.known(id).is_some_and(|n| self.parents.contains_key(&n));
        let no = self.ids.number(id);
        if &*l.k == "opened" {
            if known {
                at.blame(Promise::OneParent, code, format!("parent {id} is opened a second time"));
            }
            let level = l.level.as_ref().map(|v| self.levels.number(v));
            let parent = Parent { level, code, state: P::Open, children: BTreeSet::new(), read_first: code.is_some(), sealed_seq: None };
            self.parents.insert(no, parent);
            if let Some(c) = code {
                self.take_number(c, no, at);
            }
            return;
        }
        if !known {
            return at.blame(Promise::OneParent, code, format!("“{}” of parent {id}, which was never opened", &*l.k));
        }
        match &*l.k {
            "gathered" => {
                if let Some(c) = code {
                    self.gather(c, no, at);
                }
            }
            "closed" => self.close(l, no, code, at),
            "labelling" => self.move_parent(no, P::Labelling, at),
            "sealed" => self.seal(no, at),
            "relabelled" => self.relabel(l, no, at),
            _ => self.undo(no, l.broken == Some(true), at),
        }
    }

    fn move_parent(&mut self, no: No, to: P, at: &mut At<'_>) {
        let id = self.ids.text(no).to_string();
        let Some(p) = self.parents.get_mut(&no) else { return };
        let lawful = match to {
            P::Open => false,
            P::Closed => matches!(p.state, P::Open | P::Closed | P::Labelling),
            P::Labelling => matches!(p.state, P::Closed),
            P::Sealed => matches!(p.state, P::Closed | P::Labelling),
            P::Broken => matches!(p.state, P::Sealed),
            P::Void => matches!(p.state, P::Open | P::Closed | P::Labelling),
        };
        if !lawful {
            let from = p.state;
            at.out.blame(Promise::OneParent, Some(at.seq), None, format!("parent {id} was {from} and became {to}"));
        }
        p.state = to;
    }

    /// A code becomes the number of a parent; a code numbers one parent in its life.
    fn take_number(&mut self, code: No, parent: No, at: &mut At<'_>) {
        let c = self.code_mut(code);
        c.must_stand = true;
        let before = c.number_of.replace(parent).filter(|b| *b != parent);
        if let Some(b) = before
            && self.parents.get(&b).is_some_and(|p| p.code == Some(code) && !matches!(p.state, P::Void | P::Broken))
        {
            let text = format!("it is the number of parent {} and of parent {}", self.ids.text(b), self.ids.text(parent));
            at.blame(Promise::OneParent, Some(code), text);
        }
    }

    fn gather(&mut self, code: No, parent: No, at: &mut At<'_>) {
        let id = self.ids.text(parent).to_string();
        let c = self.code_mut(code);
        c.must_stand = true;
        let (state, before) = (c.state, c.parent.replace(parent));
        if let Some(b) = before {
            let other = self.ids.text(b).to_string();
            at.blame(Promise::OneParent, Some(code), format!("gathered into parent {id} while in parent {other}"));
            if let Some(p) = self.parents.get_mut(&b) {
                p.children.remove(&code);
            }
        }
        if state != S::Verified {
            at.blame(Promise::OneParent, Some(code), format!("gathered into parent {id} while {state}, not verified"));
        }
        let p = self.parents.get_mut(&parent).expect("the caller knows this parent");
        if p.state != P::Open {
            let was = p.state;
            at.blame(Promise::OneParent, Some(code), format!("gathered into parent {id}, which is {was}"));
        }
        self.parents.get_mut(&parent).expect("the caller knows this parent").children.insert(code);
    }

    fn close(&mut self, l: &JournalLine<'_>, no: No, code: Option<No>, at: &mut At<'_>) {
        let id = self.ids.text(no).to_string();
        if let Some(list) = &l.children {
            let named: BTreeSet<No> = list.iter().map(|h| at.codes.number(h)).collect();
            if named.len() != list.len() {
                at.blame(Promise::OneParent, None, format!("parent {id} names a child twice"));
            }
            let gathered = self.parents[&no].children.clone();
            for c in named.difference(&gathered) {
                self.gather(*c, no, at);
            }
            for c in gathered.difference(&named) {
                at.blame(Promise::OneParent, Some(*c), format!("gathered into parent {id}, which closed without it"));
            }
        }
        if let Some(c) = code {
            self.parents.get_mut(&no).expect("the caller knows this parent").code = Some(c);
            self.take_number(c, no, at);
        }
        self.move_parent(no, P::Closed, at);
    }

    fn seal(&mut self, no: No, at: &mut At<'_>) {
        let id = self.ids.text(no).to_string();
        self.move_parent(no, P::Sealed, at);
        let p = self.parents.get_mut(&no).expect("the caller knows this parent");
        p.sealed_seq = Some(at.seq);
        let (code, children) = (p.code, p.children.clone());
        if children.is_empty() {
            at.blame(Promise::OneParent, code, format!("parent {id} is sealed empty"));
        }
        for c in &children {
            self.move_code(*c, S::Packed, Promise::OneParent, at);
        }
        let Some(code) = code else {
            return at.blame(Promise::OneParent, None, format!("parent {id} is sealed without a number"));
        };
        if at.stand.is_generated(code) && self.code_mut(code).sent.is_none() {
            at.blame(Promise::DoubtIsFinal, Some(code), format!("parent {id} is sealed by a label that was never sent"));
        }
        let job = self.job_now();
        self.move_code(code, S::Verified, Promise::OneParent, at);
        let c = self.code_mut(code);
        c.verified = Some((None, at.seq));
        c.reason = None;
        c.job = c.job.or(job);
    }

    fn relabel(&mut self, l: &JournalLine<'_>, no: No, at: &mut At<'_>) {
        let id = self.ids.text(no).to_string();
        let (Some(void), Some(next)) = (l.void.as_deref(), l.next.as_deref()) else {
            return at.blame(Promise::OneParent, None, format!("parent {id} is relabelled without its two numbers"));
        };
        let (void, next) = (at.codes.number(void), at.codes.number(next));
        if self.parents[&no].code != Some(void) {
            at.blame(Promise::OneParent, Some(void), format!("parent {id} is relabelled from a number that was not its own"));
        }
        // The journal tells the void number in a line of its own, before this one.
        if self.code_mut(void).state != S::Void {
            self.void(void, at);
        }
        self.parents.get_mut(&no).expect("the caller knows this parent").code = Some(next);
        self.take_number(next, no, at);
        self.move_parent(no, P::Closed, at);
    }

    fn undo(&mut self, no: No, broken: bool, at: &mut At<'_>) {
        self.move_parent(no, if broken { P::Broken } else { P::Void }, at);
        let children = std::mem::take(&mut self.parents.get_mut(&no).expect("the caller knows this parent").children);
        children.into_iter().for_each(|c| self.loosen(c, at));
    }

    pub(super) fn taken_out(&mut self, code: No, from: No, at: &mut At<'_>) {
        let inside = self.parents.get_mut(&from).is_some_and(|p| p.children.remove(&code));
        if !inside {
            let id = self.ids.text(from).to_string();
            return at.blame(Promise::OneParent, Some(code), format!("taken out of parent {id}, in which it was not"));
        }
        self.loosen(code, at);
    }

    fn loosen(&mut self, code: No, at: &mut At<'_>) {
        if self.code_mut(code).state == S::Packed {
            self.move_code(code, S::Verified, Promise::OneParent, at);
        }
        self.code_mut(code).parent = None;
    }
}
