//! The words on the wire, version 1.0.

pub use super::mask::mask;
use crate::vocab::token::TokenRule;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub const MAJOR: u32 = 1;
pub const MINOR: u32 = 0;
/// Tokens are drawn like this where nobody says otherwise: 57.7 bits.
pub const DRAWN_ALPHABET: &str = "A28";
pub const DRAWN_LENGTH: u8 = 12;
/// Longest line in either direction, in bytes, with its end.
pub const MAX_LINE: usize = 64 * 1024;

pub fn hello(line: &str, boot: &str) -> Value {
    json!({
        "type": "hello",
        "proto": {"major": MAJOR, "minor": MINOR},
        "product": "packmark",
        "version": env!("CARGO_PKG_VERSION"),
        "line": line, "boot": boot,
        "schema": "schemas/socket.json",
    })
}

/// A refusal: what happened and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    #[serde(rename = "do")]
    pub act: String,
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<String>, act: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), act: act.into() }
    }
}

pub fn ok(id: &Value, fields: Map<String, Value>) -> Value {
    let mut m = Map::new();
    m.insert("id".into(), id.clone());
    m.insert("ok".into(), true.into());
    m.extend(fields);
    Value::Object(m)
}

/// Without an id where none could be read: there are no nulls on the wire.
pub fn refused(id: &Value, r: &Refusal) -> Value {
    let mut v = json!({"ok": false, "error": r});
    if !id.is_null() {
        v["id"] = id.clone();
    }
    v
}

/// A request of the first version.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Ping,
    Status,
    Watch { since: Option<(String, u64)> },
    JobCreate { job: String, product: String, lot: String, target: Option<u32>, expiry: Option<String> },
    JobStart { job: String },
    JobHold { job: String },
    JobResume { job: String },
    JobComplete { job: String, open_void: bool },
    JobAbort { job: String },
    PackImport(Parcel),
    PackGenerate(Generate),
    PackVoid(Withdraw),
    PackReturn(Withdraw),
    StationClear { station: String },
    StationRetract { station: String },
    HornOff,
    ClockTrust,
    SupplyTry { level: String, product: String },
    SupplyCancel { order: u32, reason: String },
}

/// What a request says of a delivery; what is not said may stand in its manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parcel {
    pub path: Vec<String>,
    pub level: Option<String>,
    pub product: Option<String>,
    pub pack: Option<String>,
    pub purpose: Option<String>,
    pub expiry: Option<String>,
    /// The codes are on the market already.
    pub used: bool,
    /// Codes that were here before are left out and counted.
    pub skip_duplicates: bool,
    pub column: Vec<String>,
    pub parent: Vec<String>,
    pub encoding: Option<String>,
    pub separator: Option<String>,
    pub header: bool,
    pub form: Option<String>,
}

/// A pack whose unused codes are to be voided or given back, why, and who says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Withdraw {
    pub pack: String,
    pub reason: String,
    pub who: Option<String>,
}

/// Tokens to draw as a pack.
#[derive(Clone, Debug, PartialEq)]
pub struct Generate {
    pub rule: TokenRule,
    pub count: u32,
    pub live: u64,
    pub level: String,
    pub product: String,
    pub pack: Option<String>,
    pub purpose: Option<String>,
    pub expiry: Option<String>,
}

impl Op {
    pub fn only_reads(&self) -> bool {
        matches!(self, Self::Ping | Self::Status | Self::Watch { .. })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: Value,
    pub key: Option<String>,
    pub op: Op,
}

/// Parses a request line; the refusal carries the id where one could be read.
pub fn parse(line: &[u8]) -> Result<Request, (Value, Refusal)> {
    let bad = |id: &Value, what: String, act: &str| (id.clone(), Refusal::new("bad-request", what, act));
    let value: Value =
        serde_json::from_slice(line).map_err(|e| bad(&Value::Null, format!("not JSON: {e}"), "send one JSON object a line"))?;
    let Value::Object(mut m) = value else { return Err(bad(&Value::Null, "not a JSON object".into(), "send one JSON object a line")) };
    let id = m.remove("id").unwrap_or(Value::Null);
    if !(id.is_string() || id.is_u64()) {
        return Err(bad(&Value::Null, "id is missing, or neither text nor a whole number".into(), "give each request an id"));
    }
    let op = match m.remove("op") {
        Some(Value::String(s)) => s,
        _ => return Err(bad(&id, "op is missing".into(), "name an operation, as \"status\"")),
    };
    let key = match m.remove("key") {
        None => None,
        Some(Value::String(k)) if !k.is_empty() && k.len() <= 128 => Some(k),
        Some(_) => return Err(bad(&id, "key is no text of 1 to 128 bytes".into(), "use a text that names this request once")),
    };
    let mut f = Fields(m);
    let op = f.op(&op).map_err(|what| if let Some(op) = what.strip_prefix("unknown-op ") {
        (id.clone(), Refusal::new("unknown-op", format!("there is no operation {op}"), "use one of: ping status watch job.create job.start job.hold job.resume job.complete job.abort pack.import pack.generate pack.void pack.return station.clear station.retract horn.off clock.trust supply.try supply.cancel"))
    } else {
        bad(&id, what, "see the README's table of operations")
    })?;
    Ok(Request { id, key, op })
}

struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Result<String, String> {
        self.maybe_text(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    fn maybe_text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(s)) if s.len() <= 4096 => Ok(Some(s)),
            Some(_) => Err(format!("{name} is no text")),
        }
    }

    fn op(&mut self, op: &str) -> Result<Op, String> {
        let op = match op {
            "ping" => Op::Ping,
            "status" => Op::Status,
            "watch" => Op::Watch { since: self.since()? },
            "job.create" => Op::JobCreate {
                job: self.job()?,
                product: self.text("product")?,
                lot: self.text("lot")?,
                target: self.target()?,
                expiry: self.maybe_text("expiry")?,
            },
            "job.start" => Op::JobStart { job: self.job()? },
            "job.hold" => Op::JobHold { job: self.job()? },
            "job.resume" => Op::JobResume { job: self.job()? },
            "job.complete" => Op::JobComplete { job: self.job()?, open_void: self.open()? },
            "job.abort" => Op::JobAbort { job: self.job()? },
            "pack.import" => self.import()?,
            "pack.generate" => Op::PackGenerate(self.generate()?),
            "pack.void" => Op::PackVoid(self.withdraw()?),
            "pack.return" => Op::PackReturn(self.withdraw()?),
            "clock.trust" => Op::ClockTrust,
            "supply.try" => Op::SupplyTry { level: self.text("level")?, product: self.text("product")? },
            "supply.cancel" => Op::SupplyCancel { order: self.order()?, reason: self.reason()? },
            "station.clear" => Op::StationClear { station: self.text("station")? },
            "station.retract" => Op::StationRetract { station: self.text("station")? },
            "horn.off" => Op::HornOff,
            other => return Err(format!("unknown-op {other}")),
        };
        match self.0.keys().next() {
            Some(k) => Err(format!("unknown field {k}")),
            None => Ok(op),
        }
    }

    fn import(&mut self) -> Result<Op, String> {
        Ok(Op::PackImport(Parcel {
            path: self.paths()?,
            level: self.maybe_text("level")?,
            product: self.maybe_text("product")?,
            pack: self.maybe_text("pack")?,
            purpose: self.maybe_text("purpose")?,
            expiry: self.maybe_text("expiry")?,
            used: self.flag("used")?,
            skip_duplicates: self.flag("skip_duplicates")?,
            column: self.texts("column")?,
            parent: self.texts("parent")?,
            encoding: self.maybe_text("encoding")?,
            separator: self.maybe_text("separator")?,
            header: self.flag("header")?,
            form: self.maybe_text("form")?,
        }))
    }

    fn generate(&mut self) -> Result<Generate, String> {
        let whole = |v: Option<Value>, name: &str| match v {
            None => Ok(None),
            Some(v) => v.as_u64().map(Some).ok_or_else(|| format!("{name} is no whole number")),
        };
        let count = whole(self.0.remove("count"), "count")?.and_then(|n| u32::try_from(n).ok()).ok_or("count is missing, or above 2^32")?;
        let live = whole(self.0.remove("live"), "live")?.unwrap_or(0);
        let length =
            whole(self.0.remove("length"), "length")?.map_or(Some(DRAWN_LENGTH), |n| u8::try_from(n).ok()).ok_or("length is too large")?;
        let alphabet = self.maybe_text("alphabet")?;
        let template = self.text("template")?;
        let rule = TokenRule::new(alphabet.as_deref().unwrap_or(DRAWN_ALPHABET), length, &template).map_err(|e| e.to_string())?;
        Ok(Generate {
            rule,
            count,
            live,
            level: self.text("level")?,
            product: self.text("product")?,
            pack: self.maybe_text("pack")?,
            purpose: self.maybe_text("purpose")?,
            expiry: self.maybe_text("expiry")?,
        })
    }

    fn withdraw(&mut self) -> Result<Withdraw, String> {
        Ok(Withdraw { pack: self.text("pack")?, reason: self.text("reason")?, who: self.maybe_text("who")? })
    }

    fn job(&mut self) -> Result<String, String> {
        self.text("job")
    }

    fn target(&mut self) -> Result<Option<u32>, String> {
        match self.0.remove("target") {
            None => Ok(None),
            Some(v) => {
                v.as_u64().and_then(|n| u32::try_from(n).ok()).map(Some).ok_or_else(|| "target is no whole number below 2^32".into())
            }
        }
    }

    fn order(&mut self) -> Result<u32, String> {
        let order = self.0.remove("order").and_then(|v| v.as_u64()).and_then(|n| u32::try_from(n).ok());
        order.ok_or_else(|| "order is missing, or no whole number".into())
    }

    /// Who gives something up says why.
    fn reason(&mut self) -> Result<String, String> {
        let reason = self.text("reason")?;
        if reason.trim().is_empty() || reason.len() > 256 || reason.chars().any(char::is_control) {
            return Err("reason is not a text of 1 to 256 bytes on one line".into());
        }
        Ok(reason)
    }

    fn open(&mut self) -> Result<bool, String> {
        match self.maybe_text("open")?.as_deref() {
            None => Ok(false),
            Some("void") => Ok(true),
            Some(_) => Err("open is not \"void\"".into()),
        }
    }

    fn paths(&mut self) -> Result<Vec<String>, String> {
        match self.texts("path") {
            Ok(paths) if paths.is_empty() => Err("path is missing: a text or a list of texts".into()),
            other => other,
        }
    }

    /// A text, a list of texts, or nothing.
    fn texts(&mut self, name: &str) -> Result<Vec<String>, String> {
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::String(s)) => Ok(vec![s]),
            Some(Value::Array(a)) => a
                .into_iter()
                .map(|v| v.as_str().map(String::from).ok_or_else(|| format!("{name} holds something that is no text")))
                .collect(),
            Some(_) => Err(format!("{name} is no text and no list of texts")),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool, String> {
        match self.0.remove(name) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(b),
            Some(_) => Err(format!("{name} is neither true nor false")),
        }
    }

    fn since(&mut self) -> Result<Option<(String, u64)>, String> {
        match self.0.remove("since") {
            None => Ok(None),
            Some(Value::Object(m)) => match (m.get("boot").and_then(Value::as_str), m.get("seq").and_then(Value::as_u64)) {
                (Some(b), Some(s)) => Ok(Some((b.into(), s))),
                _ => Err("since needs boot (text) and seq (number)".into()),
            },
            Some(_) => Err("since is no object".into()),
        }
    }
}

/// The answer to `status`: committed state only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct Status {
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job: Option<Job>,
    pub counts: Counts,
    pub stations: Vec<Station>,
    pub devices: Vec<Device>,
    pub open: Vec<Open>,
    pub pool: Vec<Pool>,
    pub writer: Writer,
    pub disk_free: u64,
    pub alarms: Vec<AlarmOn>,
    /// Where packs are ordered from.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub supply: Vec<Supply>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<Last>,
    #[serde(default)]
    pub speed_per_min: u32,
    /// `ok` or `suspect`.
    #[serde(default)]
    pub clock: String,
    #[serde(default)]
    pub seq: u64,
    /// The line's name, in the language of the floor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// `zh` or `en`, from the configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<String>,
    /// The daemon's wall clock when this was made, RFC 3339: what an alarm's age is counted from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub now: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct State {
    pub packml: u8,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub product: String,
    pub lot: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<u32>,
    pub state: String,
    /// The product's name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct Counts {
    pub passages: u64,
    pub verified: u64,
    #[serde(default)]
    pub packed: u64,
    pub rejected: BTreeMap<String, u64>,
    pub escaped: u64,
    pub doubtful: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Station {
    pub id: String,
    pub passages: u64,
    pub verified: u64,
    pub rejected: BTreeMap<String, u64>,
    pub escaped: u64,
    pub open: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub id: String,
    pub profile: String,
    /// `up` or `down`.
    pub link: String,
    /// Since it was last heard.
    pub age_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
    /// Readers: `seen` or `missing`, once codes were read that contain GS.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gs: Option<String>,
    /// Stations it serves, in belt order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stations: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    pub level: String,
    pub id: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    pub fill: u32,
    pub holds: u32,
    /// `open`, `closed` or `labelling`.
    pub state: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    pub level: String,
    pub codes: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minutes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct Writer {
    pub queue: u64,
    pub oldest_ms: u64,
}

/// One `[[supply]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Supply {
    pub level: String,
    pub product: String,
    /// `idle`, `asking`, `importing`, `waiting` or `blocked`.
    pub state: String,
    /// The open order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<u32>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_try: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmOn {
    pub name: String,
    /// RFC 3339.
    pub since: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Last {
    pub station: String,
    pub good: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tail: Option<String>,
    pub age_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_parsed_or_refused_with_their_id() {
        let r = parse(br#"{"id":1,"op":"job.complete","job":"J1","open":"void","key":"k"}"#).unwrap();
        assert_eq!(r.op, Op::JobComplete { job: "J1".into(), open_void: true });
        assert_eq!(r.key.as_deref(), Some("k"));
        let (id, e) = parse(br#"{"id":"x","op":"job.start"}"#).unwrap_err();
        assert_eq!((id, e.message.as_str()), (json!("x"), "job is missing"));
        assert_eq!(parse(br#"{"id":2,"op":"fly"}"#).unwrap_err().1.code, "unknown-op");
        assert_eq!(parse(br#"{"id":2,"op":"ping","extra":1}"#).unwrap_err().1.message, "unknown field extra");
        assert!(parse(b"[]").is_err() && parse(b"\xff").is_err() && parse(br#"{"op":"ping"}"#).is_err());
        let w = parse(br#"{"id":2,"op":"watch","since":{"boot":"b","seq":7}}"#).unwrap();
        assert_eq!(w.op, Op::Watch { since: Some(("b".into(), 7)) });
    }

    #[test]
    fn replies_have_the_contracts_form() {
        assert_eq!(
            refused(&json!(3), &Refusal::new("c", "m", "d")).to_string(),
            r#"{"error":{"code":"c","do":"d","message":"m"},"id":3,"ok":false}"#
        );
        let text = serde_json::to_string(&Status::default()).unwrap();
        assert!(!text.contains("null"), "{text}");
    }

    #[test]
    fn the_reading_port_shows_tails_only() {
        let mut v = json!({"k":"sealed","hex":"313233343536","text":"123456","children":["31","32"],"open":[{"hex":"41424344ff"}]});
        mask(&mut v);
        assert_eq!(v, json!({"k":"sealed","tail":"3456","open":[{"tail":"44ff"}]}));
    }
}
