//! `packmark supply`: what is ordered, read beside a daemon; what is to be done, asked of it.

use super::ask::{ask, object};
use super::place::{self, print, result};
use super::{SupplyCommand, books};
use crate::floor::terms::{Exit, Globals};
use serde_json::{Map, Value, json};

pub fn supply(g: &Globals, command: &SupplyCommand) -> Exit {
    let (op, fields, key) = match command {
        SupplyCommand::List => return list(g),
        SupplyCommand::Try { level, product, key } => ("supply.try", json!({"level": level, "product": product}), key),
        SupplyCommand::Cancel { order, reason, key } => ("supply.cancel", json!({"order": order, "reason": reason}), key),
    };
    match place::daemon(g) {
        Err(exit) => exit,
        Ok(mut client) => ask(g, &mut client, op, object(fields), key.as_deref(), &|v| done(g, v)),
    }
}

fn done(g: &Globals, v: &Map<String, Value>) -> Exit {
    if g.json {
        let mut m = object(json!({"ok": true}));
        m.extend(v.clone());
        return result(&Value::Object(m));
    }
    match (v.get("order"), v.get("lost"), g.english()) {
        (Some(order), Some(lost), true) => print(format_args!("order {order} is given up; {lost} codes are recorded as lost")),
        (Some(order), Some(lost), false) => print(format_args!("订单 {order} 已放弃；记为丢失 {lost} 个码")),
        (.., true) => print("the source is asked now: see packmark supply list"),
        (.., false) => print("正在向码源请求：用 packmark supply list 查看"),
    }
}

/// The orders from the book, beside or without a daemon; how the suppliers stand only while one runs.
fn list(g: &Globals) -> Exit {
    let standing = match place::answering(g) {
        Some(mut client) => client.request("status", Map::new(), None).ok().and_then(|v| v.get("supply").cloned()),
        None => None,
    };
    books::read(g, |s| {
        let orders = s.orders()?;
        if g.json {
            let mut v = json!({"orders": orders});
            if let Some(standing) = &standing {
                v["supply"] = standing.clone();
            }
            return Ok(result(&v));
        }
        for x in standing.iter().flat_map(|s| s.as_array()).flatten() {
            let next = x["next_try"].as_str().map(|t| format!("  {} {t}", g.either("next try", "下次"))).unwrap_or_default();
            let why = x["last_error"].as_str().map(|w| format!("\n    {}", place::told(g, w))).unwrap_or_default();
            print(format_args!("{} × {}  {}{next}{why}", text(x, "level"), text(x, "product"), text(x, "state")));
        }
        if orders.is_empty() {
            return Ok(print(g.either("no orders yet", "还没有订单")));
        }
        for o in &orders {
            let lost = o["lost"].as_u64().filter(|n| *n > 0).map(|n| format!("  {} {n}", g.either("lost", "丢失"))).unwrap_or_default();
            let pack = o["pack"].as_str().map(|p| format!("  → {p}")).unwrap_or_default();
            let why = o["why"].as_str().map(|w| format!("  ({})", place::told(g, w))).unwrap_or_default();
            let what = format!("{}  {} × {}  {}", o["order"], text(o, "level"), o["count"], text(o, "product"));
            print(format_args!("{what}  {}  {}{pack}{lost}{why}", text(o, "token"), text(o, "outcome")));
        }
        Ok(Exit::Done)
    })
}

fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v[key].as_str().unwrap_or("")
}
