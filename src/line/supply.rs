//! Orders for codes in the book: made, ended, told when on disk. When to order and how to ask is the supplier's.
//!
//! Invariants: an order has its token on disk before anybody is told to ask; it ends once; the pack that holds its codes
//! and its end are one commit.

use super::input::{Answer, Effect, NewPack};
use super::law::Law;
use super::live::{Line, Pending};
use crate::vocab::supply::OrderOutcome;
use crate::vocab::{Event, OrderNo};

/// What the supply side wants in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supplied {
    /// `no` is the next free number.
    Order {
        no: OrderNo,
        level: String,
        product: String,
        count: u32,
        token: String,
    },
    /// `asker`: who waits for the answer, with the key of the request.
    End {
        no: OrderNo,
        end: Ending,
        asker: Option<(u64, Option<String>)>,
    },
    Alarm {
        name: String,
        on: bool,
    },
    /// A request that changes nothing here: its answer.
    Answer {
        id: u64,
        key: Option<String>,
        answer: Answer,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub outcome: OrderOutcome,
    pub pack: Option<crate::vocab::PackNo>,
    pub lost: u32,
    pub why: Option<String>,
}

impl<L: Law> Line<L> {
    pub(super) fn supplied(&mut self, what: Supplied) {
        match what {
            Supplied::Order { no, level, product, count, token } => {
                self.emit(Event::Ordered { order: no, level, product, count, token });
                self.out.after.push(Effect::OrderOnDisk { order: no, ended: false });
            }
            Supplied::End { no, end, asker } => {
                let open = self.book.orders.get(&no).is_some_and(|o| o.end.is_none());
                let lost = end.lost;
                if open {
                    self.end_order(no, end);
                }
                if let Some((id, key)) = asker {
                    let answer = if open {
                        Answer::ok().with("order", no.0).with("lost", lost)
                    } else {
                        let what = format!("there is no open order {}", no.0);
                        Answer::refused("unknown-order", what, "see packmark supply list")
                    };
                    self.reply(&Pending { id, key }, answer);
                }
            }
            Supplied::Alarm { name, on: true } => self.raise(name),
            Supplied::Alarm { name, on: false } => self.lower(&name),
            Supplied::Answer { id, key, answer } => self.reply(&Pending { id, key }, answer),
        }
    }

    /// A pack is accepted, and with it, in one commit, the order that asked for it is over.
    pub(super) fn delivered(&mut self, to: Pending, pack: NewPack, more: Vec<(String, String)>, order: OrderNo) {
        let no = pack.no;
        self.pack_ready(to.id, to.key, pack, more);
        if self.book.packs.contains_key(&no) && self.book.orders.get(&order).is_some_and(|o| o.end.is_none()) {
            self.end_order(order, Ending { outcome: OrderOutcome::Delivered, pack: Some(no), lost: 0, why: None });
        }
    }

    fn end_order(&mut self, order: OrderNo, end: Ending) {
        let Ending { outcome, pack, lost, why } = end;
        self.emit(Event::OrderEnded { order, outcome, pack, lost, why });
        self.out.after.push(Effect::OrderOnDisk { order, ended: true });
    }

    /// Codes of this level and product that may still be used.
    pub fn pool(&self, level: &str, product: &str) -> u64 {
        self.pool_left(level, product)
    }
}
