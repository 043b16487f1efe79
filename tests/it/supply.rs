//! Codes ordered from a source: every way in which an exchange can go wrong, and the real daemon through all of it.

use crate::daemon::{Daemon, LIMIT, Place};
use crate::source::{Act, Source, answer, ok, raw};
use packmark::upstream::{Answer, Fault, Spool, Transport};
use packmark::vocab::supply::{Form, Http, Poll, Repeat, SupplyRule, Via};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

const TOKEN: &str = "00112233445566778899aabbccddeeff";

fn http(url: String) -> Http {
    Http {
        post: false,
        url,
        headers: Vec::new(),
        header_files: Vec::new(),
        body: None,
        form: Form::Json { codes: "/codes".into(), code: None },
        ca: None,
        connect_s: 1,
        timeout_s: 1,
        max_mb: 1,
        poll: None,
    }
}

fn rule(http: Http, repeat: Repeat) -> SupplyRule {
    SupplyRule {
        level: "bottle".into(),
        product: "P1".into(),
        gtin: Some("06901234567892".into()),
        line: "L1".into(),
        low: 10,
        order: 20,
        column: None,
        repeat,
        every_s: 1,
        via: Via::Http(Box::new(http)),
    }
}

struct Desk {
    dir: TempDir,
    spool: Spool,
}

impl Desk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self { spool: Spool::open(dir.path()).unwrap(), dir }
    }

    fn ask(&self, rule: SupplyRule) -> Answer {
        Transport::new(rule, self.spool.clone()).ask(TOKEN, 20, false)
    }

    fn files(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.dir.path().join("supply")).unwrap();
        all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn fault(a: &Answer) -> Fault {
    match a {
        Answer::Failed(f) => {
            assert!(f.what.len() > 20 && !f.what.contains("SECRET"), "a sentence without anything of the answer: {}", f.what);
            f.fault
        }
        a => panic!("{a:?}"),
    }
}

#[test]
fn every_bad_answer_is_told_apart_and_leaves_nothing_behind() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{\"codes\":[\"SECRET1\"]}\r\n";
    let head_without_end = format!("HTTP/1.1 200 OK\r\n{}", "X-A: aaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(20_000));
    let cases: Vec<(&str, Act, Fault)> = vec![
        ("no answer", Act::Silence, Fault::Unknown),
        ("closed without a word", Act::Hang, Fault::Unknown),
        ("a byte now and then", Act::Trickle, Fault::Unknown),
        ("without end", Act::Flood, Fault::Unfit),
        ("a head without end", raw(&head_without_end), Fault::Unknown),
        ("too large by its own word", raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"), Fault::Unfit),
        ("cut", raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"codes\":[\"SECRET1\"]}"), Fault::Unknown),
        ("cut between chunks", raw(chunked), Fault::Unknown),
        ("cut where no length was told", raw("HTTP/1.1 200 OK\r\n\r\n{\"codes\":[\"SECRET1\""), Fault::Unreadable),
        ("not HTTP", raw("SSH-2.0-SECRET\r\n"), Fault::Unknown),
        ("a page", ok("<html>SECRET</html>"), Fault::Unreadable),
        ("no codes where they should be", ok(r#"{"numbers":["SECRET"]}"#), Fault::Unreadable),
        ("an empty list", ok(r#"{"codes":[]}"#), Fault::NotTaken),
        ("nothing", ok(""), Fault::Unreadable),
        ("sent elsewhere", answer("302 Found", "Location: /SECRET\r\n", ""), Fault::Denied),
        ("moved", answer("308 Permanent Redirect", "Location: /SECRET\r\n", ""), Fault::Denied),
        ("not modified", answer("304 Not Modified", "", ""), Fault::Denied),
        ("bad request", answer("400 Bad Request", "", "SECRET"), Fault::Denied),
        ("no credentials", answer("401 Unauthorized", "", ""), Fault::Denied),
        ("forbidden", answer("403 Forbidden", "", ""), Fault::Denied),
        ("not found", answer("404 Not Found", "", ""), Fault::Denied),
        ("request timeout", answer("408 Request Timeout", "", ""), Fault::Unknown),
        ("conflict", answer("409 Conflict", "", ""), Fault::Unknown),
        ("failed", answer("500 Internal Server Error", "", ""), Fault::Unknown),
        ("bad gateway", answer("502 Bad Gateway", "", ""), Fault::Unknown),
        ("busy", answer("503 Service Unavailable", "", ""), Fault::NotTaken),
        ("gateway timeout", answer("504 Gateway Timeout", "", ""), Fault::Unknown),
    ];
    for (name, act, expected) in cases {
        let (desk, source) = (Desk::new(), Source::new([act]));
        let answer = desk.ask(rule(http(source.url("/codes?t={token}")), Repeat::Same));
        assert_eq!(fault(&answer), expected, "{name}: {answer:?}");
        // A whole answer that could not be read is kept until its order ends; nothing else is.
        let kept = if expected == Fault::Unreadable { 2 } else { 0 };
        assert!(desk.files().len() <= kept, "{name}: {:?}", desk.files());
        let again = source.rest().len();
        assert_eq!(again, 1, "{name}: one request, nothing followed");
    }
}

#[test]
fn a_source_that_is_not_there_took_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = free.local_addr().unwrap();
    drop(free);
    let desk = Desk::new();
    assert_eq!(fault(&desk.ask(rule(http(format!("http://{at}/")), Repeat::New))), Fault::NotTaken);
    assert_eq!(fault(&desk.ask(rule(http("http://does-not-exist.invalid/".into()), Repeat::New))), Fault::NotTaken);
    // Speaks no TLS: refused before anything was said.
    let source = Source::new([]);
    let url = source.url("/").replace("http://", "https://");
    let a = desk.ask(rule(Http { timeout_s: 1, ..http(url) }, Repeat::New));
    assert!(matches!(fault(&a), Fault::NotTaken | Fault::Unknown), "{a:?}");
    assert!(desk.files().is_empty());
}

#[test]
fn retry_after_is_handed_on() {
    let source = Source::new([answer("429 Too Many Requests", "Retry-After: 70\r\n", "")]);
    match Desk::new().ask(rule(http(source.url("/")), Repeat::New)) {
        Answer::Failed(f) => assert_eq!((f.fault, f.retry_after_s), (Fault::NotTaken, Some(70))),
        a => panic!("{a:?}"),
    }
}

#[test]
fn a_request_is_as_its_template_says_and_the_codes_are_one_a_line() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let secret = desk.dir.path().join("secret");
    std::fs::write(&secret, "Bearer SECRET\n").unwrap();
    let good = |body: &str| (ok(body), "c1\nc2\n");
    for (form, (act, text)) in [
        (Form::Json { codes: "/codes".into(), code: None }, good(r#"{"codes":["c1","c2"],"n":2}"#)),
        (Form::Json { codes: "".into(), code: Some("/id/text".into()) }, good(r#"[{"id":{"text":"c1"}},{"id":{"text":"c2"},"x":[1]}]"#)),
        (Form::Json { codes: "/numbers".into(), code: None }, good(r#"{"numbers":"['c1', 'c2']"}"#)),
        (Form::Text, (answer("201 Created", "", "c1\nc2\n"), "c1\nc2\n")),
        (Form::Text, (raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nc1\n\r\n3\r\nc2\n\r\n0\r\n\r\n"), "c1\nc2\n")),
    ] {
        let source = Source::new([act]);
        let http = Http {
            post: true,
            headers: vec![("X-Order".into(), "{line}-{token}".into())],
            header_files: vec![("Authorization".into(), secret.clone())],
            body: Some(r#"{"n":{count},"g":"{gtin}"}"#.into()),
            form,
            ..http(source.url("/{level}/{product}?t={token}"))
        };
        let rule = rule(http, Repeat::Same);
        let mut transport = Transport::new(rule, desk.spool.clone());
        assert_eq!(transport.ask(TOKEN, 20, false), Answer::Delivered);
        let heard = source.next();
        assert_eq!(heard.line, format!("POST /bottle/P1?t={TOKEN}"));
        assert_eq!(heard.header("authorization"), Some("Bearer SECRET"));
        assert_eq!(heard.header("x-order"), Some(&*format!("L1-{TOKEN}")));
        assert_eq!(heard.body, r#"{"n":20,"g":"06901234567892"}"#);
        let path = transport.delivery(TOKEN);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        for file in [&path, &desk.spool.body(TOKEN)] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        }
        transport.discard(TOKEN, true).unwrap();
        assert!(desk.files().is_empty());
    }
    // A table's end cannot be seen: without a length a cut one would pass for whole.
    let source = Source::new([raw("HTTP/1.1 200 OK\r\n\r\nc1\nc2\n")]);
    let text = Http { form: Form::Text, ..http(source.url("/")) };
    assert_eq!(fault(&desk.ask(rule(text, Repeat::Same))), Fault::Unfit);
    // A secret that is gone is for a person to mend.
    std::fs::remove_file(&secret).unwrap();
    let none = Http { header_files: vec![("Authorization".into(), secret)], ..http("http://127.0.0.1:1/".into()) };
    assert_eq!(fault(&desk.ask(rule(none, Repeat::Same))), Fault::Denied);
}

#[test]
fn what_cannot_be_asked_for_again_is_kept_and_read_again() {
    let (desk, source) = (Desk::new(), Source::new([ok(r#"{"numbers":["c1"]}"#), ok(r#"{"codes":["c2"]}"#)]));
    let wrong = rule(http(source.url("/")), Repeat::New);
    assert_eq!(fault(&desk.ask(wrong.clone())), Fault::Unreadable);
    assert_eq!(fault(&desk.ask(wrong)), Fault::Unreadable, "the same answer, not a new request");
    assert_eq!(source.rest().len(), 1);
    desk.spool.sweep(&[TOKEN]).unwrap();
    assert!(desk.spool.keeps(TOKEN), "an open order's answer outlives a start");
    let mended = Http { form: Form::Json { codes: "/numbers".into(), code: None }, ..http(source.url("/")) };
    assert_eq!(desk.ask(rule(mended, Repeat::New)), Answer::Delivered);
    assert_eq!(std::fs::read_to_string(desk.spool.codes(TOKEN)).unwrap(), "c1\n");
    assert!(source.rest().is_empty());
    desk.spool.sweep(&[]).unwrap();
    assert!(desk.files().is_empty());
}

#[test]
fn order_then_poll_then_fetch() {
    let acts = [
        answer("202 Accepted", "", "{}"),
        ok(r#"{"s":"making"}"#),
        answer("500 Oh", "", ""),
        ok(r#"{"s":"ready"}"#),
        ok(r#"{"codes":["c1"]}"#),
    ];
    let (desk, source) = (Desk::new(), Source::new(acts));
    let poll = Poll {
        url: source.url("/orders/{token}"),
        pointer: "/s".into(),
        equals: "ready".into(),
        fetch: Some(source.url("/orders/{token}/codes")),
    };
    let http = Http { post: true, poll: Some(poll), ..http(source.url("/orders")) };
    let mut t = Transport::new(rule(http, Repeat::Same), desk.spool.clone());
    assert_eq!(t.ask(TOKEN, 20, false), Answer::Pending);
    assert_eq!(t.ask(TOKEN, 20, true), Answer::Pending);
    assert_eq!(fault(&t.ask(TOKEN, 20, true)), Fault::NotTaken, "a failed look is only a failed look");
    assert_eq!(t.ask(TOKEN, 20, true), Answer::Delivered);
    let lines: Vec<String> = source.rest().into_iter().map(|h| h.line).collect();
    let look = format!("GET /orders/{TOKEN}");
    assert_eq!(lines, ["POST /orders".into(), look.clone(), look.clone(), look.clone(), format!("{look}/codes")]);
}

/// A line whose bottles are ordered from `source`.
pub fn line(supply: &str) -> Place {
    let place = Place::bare();
    let file = place.path("line.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[[supply]]\nlevel = \"bottle\"\nproduct = \"P1\"\nlow = 10\norder = 20\n{supply}\n")).unwrap();
    place
}

fn numbered(from: u32, n: u32) -> Act {
    ok(&json!({"codes": (from..from + n).map(|i| format!("https://t.example/{i:05}")).collect::<Vec<_>>()}).to_string())
}

/// Asks for the status until it is as wanted.
pub fn until(d: &Daemon, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut talk = d.talk();
    let end = Instant::now() + LIMIT;
    loop {
        let s = talk.ask(json!({"id": 1, "op": "status"}));
        if is(&s) {
            return s;
        }
        assert!(Instant::now() < end, "{what}: {s}");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}

pub fn pool_is(n: u64) -> impl Fn(&Value) -> bool {
    move |s| s["pool"][0]["codes"] == n
}

pub fn packmark(place: &Place, args: &[&str]) -> (Option<i32>, Value) {
    let config = place.path("line.toml");
    let out = Command::new(env!("CARGO_BIN_EXE_packmark")).args(["--json", "--config"]).arg(config).args(args).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    (out.status.code(), serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap_or_else(|e| panic!("{e}: {text}")))
}

fn spool(place: &Place) -> Vec<String> {
    let all = std::fs::read_dir(place.path("store/supply")).unwrap();
    all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

fn token_of(line: &str) -> &str {
    line.split("token=").nth(1).unwrap()
}

#[test]
fn a_lost_answer_is_fetched_again_by_its_token_over_a_kill() {
    let source = Source::new([raw("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"codes\":[\"x\""), Act::Silence]);
    let place = line(&format!("codes = \"/codes\"\nurl = \"{}\"", source.url("/c?n={count}&token={token}")));
    let d = place.start();
    let first = source.next();
    assert!(first.line.starts_with("GET /c?n=20&token="), "{}", first.line);
    let s = until(&d, "it waits", |s| s["supply"][0]["state"] == "waiting");
    assert!(s["supply"][0]["last_error"].as_str().unwrap().contains("cut") && s["supply"][0]["next_try"].is_string(), "{s}");
    assert_eq!(s["supply"][0]["order"], 1);
    assert!(s["alarms"].as_array().unwrap().iter().any(|a| a["name"] == "supply-down:bottle"), "the pool is empty: {s}");
    let second = source.next();
    assert_eq!(second.line, first.line, "the same token");
    // The answer is awaited when the power goes.
    d.kill();
    source.then(numbered(0, 20));
    let d = place.start();
    assert_eq!(source.next().line, first.line, "the same token, by another boot");
    let s = until(&d, "the codes are there", |s| pool_is(20)(s) && s["supply"][0]["state"] == "idle");
    assert!(s["alarms"].as_array().unwrap().iter().all(|a| !a["name"].as_str().unwrap().starts_with("supply")), "{s}");
    let (exit, list) = packmark(&place, &["supply", "list"]);
    assert_eq!((exit, &list["orders"][0]["outcome"], &list["orders"][0]["lost"]), (Some(0), &json!("delivered"), &json!(0)), "{list}");
    crate::schemas::is_as("supply", &list);
    assert_eq!(list["orders"].as_array().unwrap().len(), 1);
    assert_eq!(list["orders"][0]["token"].as_str().unwrap(), &token_of(&first.line)[..8]);
    let (code, log) = d.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(token_of(&first.line)) && !log.contains("t.example"), "no token, no code in the log: {log}");
    assert!(spool(&place).is_empty(), "no plaintext stays");
    let journal = Command::new(env!("CARGO_BIN_EXE_packmark")).arg("--store").arg(place.path("store")).arg("journal").output().unwrap();
    let lines: Vec<Value> = String::from_utf8(journal.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    lines.iter().for_each(|l| crate::schemas::is_as("journal", l));
    let at = |k: &str| lines.iter().position(|l| l["k"] == k).unwrap_or_else(|| panic!("{k}"));
    assert!(at("ordered") < at("pack") && at("pack") < at("order-ended"));
    assert_eq!(lines[at("pack")]["t"], lines[at("order-ended")]["t"], "one decision");
}

#[test]
fn a_source_that_knows_no_token_costs_at_most_what_the_book_says() {
    // The first answer is lost; the second holds a code of the third, which an operator sees refused.
    let source = Source::new([Act::Hang, numbered(0, 20), numbered(19, 20)]);
    let place = line(&format!("codes = \"/codes\"\nurl = \"{}\"", source.url("/c?n={count}")));
    let d = place.start();
    until(&d, "the second order came", pool_is(20));
    let (_, list) = packmark(&place, &["supply", "list"]);
    let said: Vec<(&str, u64)> =
        list["orders"].as_array().unwrap().iter().map(|o| (o["outcome"].as_str().unwrap(), o["lost"].as_u64().unwrap())).collect();
    assert_eq!(said, [("lost", 20), ("delivered", 0)], "{list}");
    assert_eq!(packmark(&place, &["supply", "try", "--level", "bottle", "--product", "P1"]).0, Some(0));
    let s = until(&d, "it is blocked", |s| s["supply"][0]["state"] == "blocked");
    let why = s["supply"][0]["last_error"].as_str().unwrap();
    assert!(why.contains("already") && s["alarms"].to_string().contains("supply-refused:bottle"), "{s}");
    assert_eq!(s["pool"][0]["codes"], 20, "nothing of it is taken");
    assert_eq!(spool(&place).len(), 2, "what is paid for is kept: {:?}", spool(&place));
    // Over a restart too: the same answer, no new request.
    assert_eq!(d.stop().0, Some(0));
    let d = place.start();
    until(&d, "it is blocked again", |s| s["supply"][0]["state"] == "blocked");
    assert_eq!(source.rest().len(), 3);
    let (exit, refused) = packmark(&place, &["supply", "cancel", "9", "--reason", "no such thing"]);
    assert_eq!((exit, &refused["error"]["code"]), (Some(1), &json!("unknown-order")));
    let (exit, done) = packmark(&place, &["supply", "cancel", "3", "--reason", "the office takes them back"]);
    assert_eq!((exit, done), (Some(0), json!({"ok": true, "order": 3, "lost": 20})));
    let s = until(&d, "it is free", |s| s["supply"][0]["state"] == "idle");
    assert!(!s["alarms"].to_string().contains("supply"), "{s}");
    let (_, list) = packmark(&place, &["supply", "list"]);
    assert_eq!((&list["orders"][2]["outcome"], &list["orders"][2]["why"]), (&json!("cancelled"), &json!("the office takes them back")));
    assert_eq!(d.stop().0, Some(0));
    assert!(spool(&place).is_empty());
}

#[test]
fn wrong_credentials_block_until_they_are_mended() {
    let source = Source::new([answer("401 Unauthorized", "", "")]);
    let place = line("");
    place.write("secret", "wrong\n");
    let file = place.path("line.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let url = source.url("/?t={token}");
    std::fs::write(&file, format!("{text}url = \"{url}\"\ncodes = \"/codes\"\nheader_files = {{ Authorization = \"secret\" }}\n")).unwrap();
    let d = place.start();
    assert_eq!(source.next().header("authorization"), Some("wrong"));
    let s = until(&d, "it is blocked", |s| s["supply"][0]["state"] == "blocked");
    assert!(s["supply"][0]["last_error"].as_str().unwrap().contains("401"), "{s}");
    place.write("secret", "right\n");
    source.then(numbered(0, 7));
    source.then(numbered(7, 20));
    assert_eq!(packmark(&place, &["supply", "try", "--level", "bottle", "--product", "P1"]).1, json!({"ok": true}));
    let (exit, refused) = packmark(&place, &["supply", "try", "--level", "box", "--product", "P1"]);
    assert_eq!((exit, &refused["error"]["code"]), (Some(1), &json!("unknown-supply")));
    assert_eq!(source.next().header("authorization"), Some("right"));
    // A short delivery is taken, and what still lacks is ordered.
    until(&d, "both came", pool_is(27));
    assert_eq!(d.stop().0, Some(0));
}

#[test]
fn fetched_twice_is_told_as_that() {
    let source = Source::new([numbered(0, 20), numbered(0, 20), numbered(0, 20)]);
    let place = line(&format!("codes = \"/codes\"\nurl = \"{}\"", source.url("/?token={token}")));
    let d = place.start();
    until(&d, "the first came", pool_is(20));
    packmark(&place, &["supply", "try", "--level", "bottle", "--product", "P1"]);
    until(&d, "the second is over", |_| packmark(&place, &["supply", "list"]).1["orders"][1]["outcome"] == "fetched-twice");
    packmark(&place, &["supply", "try", "--level", "bottle", "--product", "P1"]);
    let s = until(&d, "twice in a row is no accident", |s| s["supply"][0]["state"] == "blocked");
    assert!(s["supply"][0]["last_error"].as_str().unwrap().contains("twice in a row"), "{s}");
    let (_, list) = packmark(&place, &["supply", "list"]);
    assert_eq!((&list["orders"][1]["outcome"], &list["orders"][1]["lost"]), (&json!("fetched-twice"), &json!(0)), "{list}");
    assert_eq!(list["orders"][1]["pack"], list["orders"][0]["pack"]);
    assert_eq!(d.stop().0, Some(0));
}

#[test]
fn a_folder_takes_the_order_and_brings_the_delivery() {
    let place = line("kind = \"folder\"\noutbox = \"orders\"\ninbox = \"deliveries\"\nevery_s = 1");
    for folder in ["orders", "deliveries"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    let d = place.start();
    let lying = || names(&place.path("orders")).into_iter().find(|n| n.ends_with(".json"));
    until(&d, "the order lies there", |_| lying().is_some());
    let order: Value = serde_json::from_slice(&std::fs::read(place.path("orders").join(lying().unwrap())).unwrap()).unwrap();
    let token = order["token"].as_str().unwrap();
    assert_eq!(order, json!({"token": token, "level": "bottle", "product": "P1", "count": 20, "line": "L2"}));
    // The other side takes the order away; nothing is ordered twice for that.
    std::fs::remove_file(place.path("orders").join(format!("{token}.json"))).unwrap();
    let codes: String = (0..20).map(|i| format!("https://t.example/f{i:04}\n")).collect();
    place.write("deliveries/another.txt", "https://t.example/strange\n");
    place.write(&format!("deliveries/.{token}.part"), &codes);
    std::fs::rename(place.path(&format!("deliveries/.{token}.part")), place.path(&format!("deliveries/{token}.txt"))).unwrap();
    until(&d, "the delivery is in the pool", pool_is(20));
    until(&d, "it is cleared away", |_| names(&place.path("deliveries")) == ["another.txt"]);
    // By hand, under its name: the order is over as well.
    packmark(&place, &["supply", "try", "--level", "bottle", "--product", "P1"]);
    until(&d, "the next order lies there", |_| lying().is_some());
    let next = lying().unwrap();
    let file = place.write(&next.replace(".json", ".csv"), "https://t.example/hand\n");
    let (exit, _) = packmark(&place, &["pack", "import", file.to_str().unwrap(), "--level", "bottle", "--product", "P1"]);
    assert_eq!(exit, Some(0));
    until(&d, "it knows", |s| s["supply"][0]["state"] == "idle");
    until(&d, "its order is taken away", |_| names(&place.path("orders")).is_empty());
    let (_, list) = packmark(&place, &["supply", "list"]);
    assert_eq!(list["orders"][1]["outcome"], "delivered", "{list}");
    assert_eq!(d.stop().0, Some(0));
}

pub fn names(dir: &Path) -> Vec<String> {
    std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn mistakes_in_the_configuration_are_named_with_their_line() {
    for (supply, why) in [
        ("url = \"http://pool.example/\"", "readable"),
        ("url = \"https://u:p@pool.example/\"", "password"),
        ("url = \"ftp://pool.example/\"", "no address"),
        ("url = \"https://pool.example/{tokne}\"", "{tokne} is not known"),
        ("url = \"https://pool.example/{gtin}\"", "has none"),
        ("url = \"https://pool.example/\"\nbody = \"x\"", "no body"),
        ("url = \"https://pool.example/\"\ncodes = \"numbers\"", "JSON pointer"),
        ("url = \"https://pool.example/\"\nheader_files = { Authorization = \"absent\" }", "cannot be read"),
        ("url = \"https://pool.example/\"\ncolumn = \"code=1\"", "no columns"),
        ("url = \"https://pool.example/\"\noutbox = \"orders\"", "outbox"),
        ("url = \"https://pool.example/\"\npoll = { url = \"https://pool.example/\" }", "until is missing"),
        ("kind = \"folder\"\noutbox = \"absent\"\ninbox = \"absent\"", "is no folder"),
        ("", "url is missing"),
    ] {
        let place = line(supply);
        let (exit, said) = packmark(&place, &["check"]);
        let complaints = said["complaints"].to_string();
        assert!(exit == Some(2) && complaints.contains(why), "{supply}: {complaints}");
    }
    let place = line("url = \"https://pool.example/\"\nmax_mb = 1");
    let text = std::fs::read_to_string(place.path("line.toml")).unwrap();
    place.write("line.toml", &text.replace("order = 20", "order = 200000"));
    assert!(packmark(&place, &["check"]).1.to_string().contains("do not fit"));
    let place = line("url = \"http://pool.example/\"\nplain_http = \"accepted\"");
    assert_eq!(packmark(&place, &["check"]).0, Some(0));
}
