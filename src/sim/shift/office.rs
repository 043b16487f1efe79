//! The socket's stand-in on virtual time: the operator hears what a client of the daemon would, and asks as one.

use super::host::Host;
use super::store::Store;
use crate::control::protocol;
use crate::line::{Answer, Law, Op};
use crate::vocab::code::hex;
use crate::vocab::time::rfc3339;
use crate::vocab::{CodeRef, Event, Seen};
use serde_json::{Value, json};

/// What the operator looks at: state, alarms, open parents.
pub fn status<L: Law, S: Store>(host: &Host<L, S>, id: &Value) -> Value {
    let s = host.line.summary();
    let mut state = json!({"packml": s.state.number(), "name": s.state.word()});
    if let Some(r) = &s.reason {
        state["reason"] = r.clone().into();
    }
    let alarms: Vec<Value> = s.alarms.iter().map(|(n, t)| json!({"name": n, "since": rfc3339(*t)})).collect();
    let open: Vec<Value> = s
        .open
        .iter()
        .map(|o| {
            let mut v = json!({"level": o.level, "id": o.id.0, "fill": o.fill, "holds": o.holds, "state": o.state.word()});
            if let Some(c) = o.code {
                v["hex"] = hex(&bytes(host, c)).into();
            }
            v
        })
        .collect();
    let devices: Vec<Value> = s.devices.iter().map(|d| json!({"id": d.id, "link": d.link})).collect();
    let mut v = json!({"id": id, "ok": true, "state": state, "alarms": alarms, "open": open, "devices": devices});
    if let Some(j) = &s.job {
        v["job"] = json!({"id": j.id, "product": j.product, "lot": j.lot, "state": j.state.word()});
    }
    v
}

fn bytes<L: Law, S: Store>(host: &Host<L, S>, code: CodeRef) -> Vec<u8> {
    host.codebook.bytes(code).unwrap_or_default()
}

/// The journal's lines that a person acts on: verdicts on hand scans, parents coming and going.
pub fn news<L: Law, S: Store>(host: &Host<L, S>, event: &Event) -> Option<Value> {
    let plan = host.plan();
    let station = |no| plan.stations.iter().find(|s| s.no == no).map(|s| s.id.clone()).unwrap_or_default();
    let level = |no| plan.levels.iter().find(|l| l.no == no).map(|l| l.name.clone()).unwrap_or_default();
    let parent_level = |no| host.line.book().parents.get(&no).map(|p| level(p.level)).unwrap_or_default();
    let mut v = match event {
        Event::Verdict { station: no, passage, good, reason, seen, revises, .. } => {
            if plan.stations.iter().any(|s| s.no == *no && s.trigger.is_some()) && !revises {
                return None;
            }
            let mut v = json!({"k": "verdict", "station": station(*no), "passage": passage.0, "good": good});
            if let Some(r) = reason {
                v["reason"] = r.word().into();
            }
            match seen {
                Some(Seen::Known(c)) => v["hex"] = hex(&bytes(host, *c)).into(),
                Some(Seen::Unknown(b)) => v["hex"] = hex(b).into(),
                None => {}
            }
            v
        }
        Event::Opened { parent, station: s, level: l, .. } => {
            json!({"k": "opened", "id": parent.0, "level": level(*l), "station": station(*s)})
        }
        Event::Closed { parent, code, children } => {
            let children: Vec<String> = children.iter().map(|c| hex(&bytes(host, *c))).collect();
            let mut v = json!({"k": "closed", "id": parent.0, "level": parent_level(*parent), "children": children});
            if let Some(c) = code {
                v["hex"] = hex(&bytes(host, *c)).into();
            }
            v
        }
        Event::JobMoved { to, .. } => json!({"k": "job", "to": to.word()}),
        Event::Sealed { parent, station: s } => {
            json!({"k": "sealed", "id": parent.0, "level": parent_level(*parent), "station": station(*s)})
        }
        Event::Relabelled { parent, void, next } => json!({
            "k": "relabelled", "id": parent.0, "level": parent_level(*parent),
            "void": hex(&bytes(host, *void)), "next": hex(&bytes(host, *next)),
        }),
        Event::Undone { parent, broken, reason } => {
            let mut v = json!({"k": "undone", "id": parent.0, "level": parent_level(*parent), "broken": broken});
            if let Some(r) = reason {
                v["reason"] = r.word().into();
            }
            v
        }
        _ => return None,
    };
    v["type"] = "event".into();
    Some(v)
}

/// What a request of the operator means to the line; `Err`: its answer, at once.
pub fn request<L: Law, S: Store>(host: &Host<L, S>, request: &Value) -> Result<Op, Value> {
    let parsed = protocol::parse(request.to_string().as_bytes()).map_err(|(id, r)| protocol::refused(&id, &r))?;
    use protocol::Op as Ask;
    Ok(match parsed.op {
        Ask::Status => return Err(status(host, &parsed.id)),
        Ask::JobStart { job } => Op::JobStart { id: job },
        Ask::JobHold { job } => Op::JobHold { id: job },
        Ask::JobResume { job } => Op::JobResume { id: job },
        Ask::JobComplete { job, open_void } => Op::JobComplete { id: job, void_open: open_void },
        Ask::JobAbort { job } => Op::JobAbort { id: job },
        Ask::ClockTrust => Op::ClockTrust,
        Ask::StationClear { station } => Op::StationClear { station },
        _ => return Err(protocol::ok(&parsed.id, serde_json::Map::new())),
    })
}

pub fn reply(id: &Value, answer: &Answer) -> Value {
    if answer.ok {
        json!({"id": id, "ok": true})
    } else {
        json!({"id": id, "ok": false, "error": {"code": answer.code, "message": answer.message, "do": answer.act}})
    }
}
