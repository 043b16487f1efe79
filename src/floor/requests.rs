//! Requests of the socket in the line's words, and the line's answers in the socket's.

use crate::control::protocol::{self, Parcel, Refusal};
use crate::intake::Wish;
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
    Import(Box<Import>),
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

/// A delivery to be read, checked and registered.
#[derive(Clone, Debug)]
pub struct Import {
    pub files: Vec<PathBuf>,
    /// No files: tokens are drawn instead.
    pub draw: Option<Draw>,
    pub wish: Wish,
}

fn wish(p: Parcel) -> Wish {
    Wish {
        pack: p.pack,
        level: p.level,
        product: p.product,
        purpose: p.purpose,
        expiry: p.expiry,
        columns: p.column,
        parents: p.parent,
        encoding: p.encoding,
        separator: p.separator,
        header: p.header,
        form: p.form,
        fetched: false,
        used: p.used,
        skip_duplicates: p.skip_duplicates,
    }
}

fn withdrawal(w: protocol::Withdraw, to: ItemState) -> Withdrawal {
    Withdrawal { pack: w.pack, to, reason: w.reason, who: w.who }
}

/// `base`: what a relative path of a file is relative to.
pub fn wanted(op: protocol::Op, base: &Path) -> Wanted {
    use protocol::Op as P;
    Wanted::Line(match op {
        P::Ping | P::Status | P::Watch { .. } => return Wanted::Reads,
        P::PackImport(p) => {
            let files = p.path.iter().map(|p| base.join(p)).collect();
            return Wanted::Import(Box::new(Import { files, draw: None, wish: wish(p) }));
        }
        P::PackGenerate(g) => {
            let (pack, level, product) = (g.pack, Some(g.level), Some(g.product));
            let wish = Wish { pack, level, product, purpose: g.purpose, expiry: g.expiry, ..Wish::default() };
            let draw = Draw { rule: g.rule, count: g.count, live: g.live };
            return Wanted::Import(Box::new(Import { files: Vec::new(), draw: Some(draw), wish }));
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
        P::StationRetract { station } => Op::StationRetract { station },
        P::HornOff => Op::HornOff,
        P::ClockTrust => Op::ClockTrust,
        P::PackVoid(w) => Op::PackWithdraw(withdrawal(w, ItemState::Void)),
        P::PackReturn(w) => Op::PackWithdraw(withdrawal(w, ItemState::Returned)),
    })
}

/// Files in which an imported pack's codes still stand for anybody to read.
pub const PLAINTEXT: &str = "plaintext";
/// What somebody should look at after an import.
pub const NOTES: &str = "notes";

/// An answer's fields are text inside the book; on the socket a count is a number, and these two are lists.
pub fn answered(answer: Answer) -> Result<Map<String, Value>, Refusal> {
    if !answer.ok {
        return Err(Refusal { code: answer.code, message: answer.message, act: answer.act });
    }
    let other = |k: &str, v: &str| match k {
        "count" | "seen" | "order" | "lost" => v.parse::<u64>().ok().map(Value::from),
        PLAINTEXT | NOTES => serde_json::from_str(v).ok(),
        _ => None,
    };
    Ok(answer
        .fields
        .into_iter()
        .map(|(k, v)| {
            let value = other(&k, &v).unwrap_or_else(|| Value::from(v));
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
