//! The owner's part in ordering codes: tells the suppliers how the pools stand, carries out what they want.

use super::{Input, Owner};
use crate::floor::imports::Asker;
use crate::floor::requests::SupplyWish;
use crate::floor::supplies::Doing;
use crate::line::Answer;
use crate::line::supply::Supplied;

impl Owner {
    /// Carries out what the suppliers want. Called after every input: usually there is nothing.
    pub(super) fn supply(&mut self) {
        while self.stuck.is_empty() && !self.stopping && self.end.is_none() {
            match self.supplies.next_doing(self.line.book()) {
                None => return,
                Some(Doing::Line(what)) => self.step(Input::Supply(what)),
                Some(Doing::Import { desk, wish }) => {
                    let id = self.next_id;
                    self.next_id += 1;
                    self.supplies.import_asked(desk, id);
                    match self.imports.ask(Asker { id, key: None }, *wish) {
                        Ok(()) => self.next_import(),
                        Err(answer) => drop(self.supplies.refused(id, &answer, self.clock.mono_us())),
                    }
                }
            }
        }
    }

    /// Once a second: the pools, and the picture of the suppliers.
    pub(super) fn supply_look(&mut self) {
        let pools: Vec<(u64, Option<u64>)> = {
            let mut summary = None;
            let mut pool = |level: &str, product: &str| {
                let s = summary.get_or_insert_with(|| self.line.summary());
                // The speed of the line says nothing about a product that is not on it.
                let on_line = s.job.as_ref().is_some_and(|j| j.product == product);
                let minutes = s.pool.iter().find(|p| p.level == level).and_then(|p| p.minutes).filter(|_| on_line);
                (self.line.pool(level, product), minutes)
            };
            self.supplies.rules().map(|r| pool(&r.level, &r.product)).collect()
        };
        let now = self.clock.now();
        for (desk, (codes, minutes)) in pools.into_iter().enumerate() {
            self.supplies.look(desk, codes, minutes, now.mono_us);
        }
        self.board.supply = self.supplies.standings(now);
    }

    pub(super) fn supply_command(&mut self, id: u64, key: Option<String>, wish: SupplyWish) {
        let asker = Asker { id, key };
        if self.answer_again(&asker) {
            return;
        }
        let Asker { id, key } = asker;
        let input = match wish {
            SupplyWish::Try { level, product } => {
                let answer = self.supplies.try_now(&level, &product, self.clock.mono_us());
                Supplied::Answer { id, key, answer }
            }
            SupplyWish::Cancel { order, reason } => {
                match self.line.book().orders.get(&order).filter(|o| o.end.is_none()).map(|o| o.count) {
                    None => {
                        let what = format!("there is no open order {}", order.0);
                        Supplied::Answer { id, key, answer: Answer::refused("unknown-order", what, "see packmark supply list") }
                    }
                    Some(count) => match self.supplies.cancel(order, &reason, count) {
                        Ok(end) => Supplied::End { no: order, end, asker: Some((id, key)) },
                        Err(answer) => Supplied::Answer { id, key, answer },
                    },
                }
            }
        };
        self.step(Input::Supply(input));
    }
}
