//! How events move parents and bind their children.
//!
//! Invariants (asserted): only a loose, verified thing is gathered; children of a closed parent are bound; a parent's
//! children and its children's `parent` agree.

use super::Book;
use crate::line::life::parent_may;
use crate::line::rows::ParentRow;
use crate::vocab::{CodeRef, ItemState, ParentNo, ParentState};

impl Book {
    pub(super) fn move_parent(&mut self, no: ParentNo, to: ParentState) -> &mut ParentRow {
        self.dirty.parents.insert(no);
        let p = self.parents.get_mut(&no).expect("a parent is opened before it moves");
        assert!(parent_may(p.state, to), "a parent may not go from {} to {to} ({})", p.state, no.0);
        p.state = to;
        self.index_parent(no);
        self.parents.get_mut(&no).expect("just moved")
    }

    pub(super) fn gather(&mut self, parent: ParentNo, code: CodeRef) {
        let life = self.touch(code);
        assert!(life.parent == ParentNo(0) && life.state == ItemState::Verified, "only a loose, verified thing is gathered");
        life.parent = parent;
        self.dirty.parents.insert(parent);
        let p = self.parents.get_mut(&parent).expect("a parent is opened before it gathers");
        assert_eq!(p.state, ParentState::Open, "children of a closed parent are bound");
        p.children.insert(code);
        let station = p.station;
        if let Some(q) = self.queues.get_mut(&station).filter(|q| q.front() == Some(&code)) {
            q.pop_front();
            if q.is_empty() {
                self.queues.remove(&station);
            }
            self.dirty.queues.insert(station);
        }
    }

    pub(super) fn loosen(&mut self, code: CodeRef) {
        if self.state(code) == ItemState::Packed {
            self.move_item(code, ItemState::Verified);
        }
        self.touch(code).parent = ParentNo(0);
    }

    pub(super) fn seal(&mut self, parent: ParentNo) {
        let p = self.move_parent(parent, ParentState::Sealed);
        let (code, job, children) = (p.code, p.job, p.children.clone());
        for c in children {
            self.move_item(c, ItemState::Packed);
        }
        let code = code.expect("a sealed parent has a code");
        let life = self.move_item(code, ItemState::Verified);
        life.job = job;
        life.through = false;
        self.index_code(code, ItemState::Verified);
    }
}
