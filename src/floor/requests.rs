//! Requests of the socket in the line's words, and the line's answers in the socket's.

use crate::control::protocol::{self, Refusal};
use crate::ledger::import::ImportHow;
use crate::ledger::tokens::Draw;
use crate::line::{Answer, Op, Withdrawal};
use crate::vocab::ItemState;
use crate::vocab::OrderNo;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// Where an answer goes.
pub type ReplyTo = oneshot::Sender<Result<Map<String, Value>, Refusal>>;

/// What a request asks of the floor.
#[derive(Debug)]
pub enum Wanted {
    Line(Op),
    Import(Import),
    Supply(SupplyWish),
    /// Answered by the server itself; never arrives here.
    Reads,
}

/// What an operator asks of the supply side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupplyWish {
    /// Ask now.
    Try { level: String, product: String },
    /// Give an order up; what it may have cost is in the book.
    Cancel { order: OrderNo, reason: String },
}

/// A pack to be read, checked and registered.
#[derive(Clone, Debug)]
pub struct Import {
    pub files: Vec<PathBuf>,
    /// No files: tokens are drawn instead.
    pub draw: Option<Draw>,
    /// The id asked for.
    pub pack: Option<String>,
    /// Its `no` and `id` are chosen when its turn comes.
    pub how: ImportHow,
}

fn withdrawal(w: protocol::Withdraw, to: ItemState) -> Withdrawal {
    Withdrawal { pack: w.pack, to, reason: w.reason, who: w.who }
}

/// `base`: what a relative path of a file is relative to. `today`: days since 1970-01-01, UTC.
pub fn wanted(op: protocol::Op, base: &Path, today: i64) -> Wanted {
    use protocol::Op as P;
    Wanted::Line(match op {
        P::Ping | P::Status | P::Watch { .. } => return Wanted::Reads,
        P::PackImport { path, level, product, pack, column, purpose, expiry, used } => {
            let how = ImportHow { level, product, column, purpose, expiry, used, today, ..ImportHow::default() };
            return Wanted::Import(Import { files: path.into_iter().map(|p| base.join(p)).collect(), draw: None, pack, how });
        }
        P::PackGenerate(g) => {
            let (level, product, purpose, expiry) = (g.level, g.product, g.purpose, g.expiry);
            let how = ImportHow { level, product, purpose, expiry, today, ..ImportHow::default() };
            let draw = Draw { rule: g.rule, count: g.count, live: g.live };
            return Wanted::Import(Import { files: Vec::new(), draw: Some(draw), pack: g.pack, how });
        }
        P::SupplyTry { level, product } => return Wanted::Supply(SupplyWish::Try { level, product }),
        P::SupplyCancel { order, reason } => return Wanted::Supply(SupplyWish::Cancel { order: OrderNo(order), reason }),
        P::JobCreate { job, product, lot, target, expiry } => Op::JobCreate { id: job, product, lot, target, expiry },
        P::JobStart { job } => Op::JobStart { id: job },
        P::JobHold { job } => Op::JobHold { id: job },
        P::JobResume { job } => Op::JobResume { id: job },
        P::JobComplete { job, open_void } => Op::JobComplete { id: job, void_open: open_void },
        P::JobAbort { job } => Op::JobAbort { id: job },
        P::StationClear { station } => Op::StationClear { station },
        P::ClockTrust => Op::ClockTrust,
        P::PackVoid(w) => Op::PackWithdraw(withdrawal(w, ItemState::Void)),
        P::PackReturn(w) => Op::PackWithdraw(withdrawal(w, ItemState::Returned)),
    })
}

/// An answer's fields are text inside the book; on the socket a count is a number.
pub fn answered(answer: Answer) -> Result<Map<String, Value>, Refusal> {
    if !answer.ok {
        return Err(Refusal { code: answer.code, message: answer.message, act: answer.act });
    }
    let number = |k: &str, v: &str| matches!(k, "count" | "seen" | "order" | "lost").then(|| v.parse::<u64>().ok()).flatten();
    Ok(answer
        .fields
        .into_iter()
        .map(|(k, v)| {
            let value = number(&k, &v).map_or_else(|| Value::from(v), Value::from);
            (k, value)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_number_and_an_id_of_digits_is_text() {
        let m = answered(Answer::ok().with("pack", "7").with("count", 12)).unwrap();
        assert_eq!(Value::Object(m), serde_json::json!({"pack": "7", "count": 12}));
        let r = answered(Answer::refused("c", "m", "d")).unwrap_err();
        assert_eq!((r.code.as_str(), r.message.as_str(), r.act.as_str()), ("c", "m", "d"));
    }
}
