//! The integrator's tools from outside: `packmark profile list|show|check|replay|probe|capture`, and what `check` says of
//! profiles that nobody vouches for.

use crate::schemas::{agree, validator};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn profile(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_packmark")).arg("profile").args(args).env("LANG", "C").env_remove("LC_ALL").output().unwrap()
}

fn out(o: &Output) -> String {
    String::from_utf8(o.stdout.clone()).unwrap()
}

fn err(o: &Output) -> String {
    String::from_utf8(o.stderr.clone()).unwrap()
}

fn json(o: &Output, part: &str) -> Value {
    let v = serde_json::from_slice(&o.stdout).unwrap_or_else(|e| panic!("{e}: {} {}", out(o), err(o)));
    agree(&validator("profile-tools", Some(part)), &v);
    v
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a profile that says only what differs from a shipped one.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let own = "name = \"my-printer\"\nextends = \"videojet-zipher\"\nwithout = [\"commands.fill\"]\n\
               source = \"the label on its back\"\nunverified = [\"everything\"]\nstanding = \"unverified\"\n\
               [link]\nreply_timeout_ms = 2500\n[sequences]\narm = [\"select-message\", \"clear\"]\n";
    std::fs::write(dir.path().join("my-printer.toml"), own).unwrap();
    dir
}

#[test]
fn list_and_show_say_where_a_profile_comes_from() {
    let dir = folder();
    let at = ["--profiles", text_of(dir.path())];
    let o = profile(&[&["list"], &at[..]].concat());
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    let line = |name: &str| out(&o).lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}: {}", out(&o))).to_string();
    assert!(line("domino-codenet").contains("printer") && line("domino-codenet").contains("codenet"));
    assert!(line("my-printer").contains("unverified as a whole") && line("my-printer").contains("my-printer.toml]"));
    let all = json(&profile(&[&["list", "--json"], &at[..]].concat()), "list");
    let mine = all["profiles"].as_array().unwrap().iter().find(|p| p["name"] == "my-printer").unwrap();
    assert_eq!((&mine["standing"], &mine["extends"]), (&"unverified".into(), &"videojet-zipher".into()));

    let shipped = std::fs::read_to_string(repository("firmware-profiles/printers/domino-codenet.toml")).unwrap();
    let o = profile(&["show", "domino-codenet"]);
    assert_eq!(out(&o), format!("# shipped inside the program\n{shipped}"));
    let v = json(&profile(&[&["show", "my-printer", "--json"], &at[..]].concat()), "show");
    let whole: toml::Table = v["resolved"].as_str().unwrap().parse().unwrap();
    assert_eq!(whole["link"]["reply_timeout_ms"].as_integer(), Some(2500), "its own");
    assert_eq!(whole["link"]["connections"].as_integer(), Some(1), "taken over");
    assert_eq!(whole["sequences"]["arm"].as_array().unwrap().len(), 2, "a list is taken as a whole");
    assert!(whole["commands"].get("fill").is_none() && whole["commands"].get("count").is_some());
    assert_eq!(whole["source"].as_str(), Some("the label on its back"), "provenance is its own");
    let o = profile(&["show", "nobody"]);
    assert_eq!((o.status.code(), out(&o)), (Some(2), String::new()));
    assert!(err(&o).contains("there is no profile \"nobody\"; use one of"), "{}", err(&o));
}

#[test]
fn check_tells_every_mistake_with_its_line() {
    let dir = folder();
    let (good, bad) = (dir.path().join("my-printer.toml"), dir.path().join("bad.toml"));
    std::fs::write(&bad, "name = \"bad\"\nextends = \"my-printer\"\nsource = \"x\"\ncolour = 1\n[poll]\nstatus_ms = \"often\"\n").unwrap();
    let lost = dir.path().join("lost.toml");
    std::fs::write(&lost, "name = \"lost\"\nsource = \"x\"\nextends = \"nobody\"\n").unwrap();
    let o = profile(&["check", text_of(&good), text_of(&bad), text_of(&lost), "/nowhere.toml", "--profiles", text_of(dir.path())]);
    assert_eq!(o.status.code(), Some(2), "{} {}", out(&o), err(&o));
    let lines: Vec<String> = out(&o).lines().map(Into::into).collect();
    let has = |begin: &str, word: &str| lines.iter().any(|l| l.starts_with(begin) && l.contains(word));
    assert!(has("/nowhere.toml:0: ", "cannot be read"), "{lines:?}");
    assert!(has(&format!("{}:4: ", bad.display()), "no key colour"), "{lines:?}");
    assert!(has(&format!("{}:6: ", bad.display()), "whole number"), "{lines:?}");
    assert!(has(&format!("{}:3: ", lost.display()), "there is no profile \"nobody\""), "{lines:?}");
    assert!(has("my-printer: good", "unverified as a whole"), "{lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");

    let v = json(&profile(&["check", text_of(&bad), "--json", "--profiles", text_of(dir.path())]), "check");
    assert_eq!((v["ok"].as_bool(), v["complaints"].as_array().map(Vec::len)), (Some(false), Some(2)));
    assert!(v["complaints"][0]["right"].as_str().unwrap().starts_with("it has: "));

    let o = profile(&["check", text_of(&bad)]);
    assert!(out(&o).contains("no key colour") && !out(&o).contains("there is no profile"), "what stands beside it is found: {}", out(&o));

    let shipped = std::fs::read_dir(repository("firmware-profiles/readers")).unwrap().map(|e| e.unwrap().path());
    let shipped: Vec<PathBuf> = shipped.collect();
    let o = profile(&[&["check"][..], &shipped.iter().map(|p| text_of(p)).collect::<Vec<_>>()].concat());
    assert_eq!(o.status.code(), Some(0), "{}", out(&o));
    let mut stdin = Command::new(env!("CARGO_BIN_EXE_packmark"));
    stdin.args(["profile", "check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut stdin = stdin.spawn().unwrap();
    let text = std::fs::read(repository("firmware-profiles/readers/line-reader.toml")).unwrap();
    stdin.stdin.take().unwrap().write_all(&text).unwrap();
    let o = stdin.wait_with_output().unwrap();
    assert_eq!((o.status.code(), out(&o).starts_with("line-reader: good")), (Some(0), true), "{}", out(&o));
}

#[test]
fn every_shipped_transcript_replays_on_both_sides() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(repository("firmware-profiles/transcripts")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let names: Vec<&str> = files.iter().map(|p| text_of(p)).collect();
    let o = profile(&[&["replay", "--json"][..], &names].concat());
    let v = json(&o, "replay");
    let wrong: Vec<String> = v["replayed"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|r| r["sides"].as_array().into_iter().flatten().map(move |s| (r["file"].as_str().unwrap(), s)))
        .flat_map(|(f, s)| s["lines"].as_array().into_iter().flatten().map(move |l| (f, s["side"].as_str().unwrap(), l)))
        .filter(|(_, _, l)| l["verdict"] == "wrong")
        .map(|(f, side, l)| format!("{f}:{}: {side}: {}", l["line"], l["what"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(o.status.code(), Some(0), "{v}");
    assert_eq!(v["replayed"].as_array().unwrap().len(), files.len());
}

#[test]
fn replay_says_what_was_expected_and_what_came() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.txt");
    let good =
        "# profile: videojet-zipher\n# source: here\n# from: computed\n! opened\n> 0D\n> \"VER\\r\"\n< \"VER|1.28|UTF-8|\\r\"\n! up 1.28\n";
    let play = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let o = profile(&[&["replay", text_of(&file)], more].concat());
        (o.status.code(), out(&o))
    };
    let (code, text) = play(good, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(":8: our side: ok   up 1.28") && text.contains("simulated device: 1 as expected, 0 otherwise"), "{text}");
    let (code, text) = play(&good.replace("up 1.28", "up 9"), &[]);
    assert!(code == Some(1) && text.contains(":8: our side: WRONG expected up 9, got report up 1.28"), "{text}");
    let (code, text) = play(&good.replace("UTF-8", "ASCII"), &[]);
    assert!(
        code == Some(1) && text.contains(":7: simulated device: WRONG expected \"VER|1.28|ASCII|\\r\", got \"VER|1.28|UTF-8|\\r\""),
        "{text}"
    );
    let (code, text) = play(&good.replace("# judges", "").replace("# source", "# judges: host\n# source").replace("UTF-8", "ASCII"), &[]);
    assert!(code == Some(0) && text.contains("simulated device: not judged"), "{text}");
    let (code, text) = play(good, &["--profile", "keyence-sr"]);
    assert!(code == Some(1) && text.contains("WRONG"), "{text}");
    let (code, text) = play("# profile: nobody\n? x\n", &[]);
    assert!(code == Some(2) && text.contains(":2: a line begins with") && text.contains(":1: there is no \"# source"), "{text}");
    let (code, text) = play(&good.replace("videojet-zipher", "nobody"), &[]);
    assert!(code == Some(2) && text.contains("there is no profile \"nobody\""), "{text}");
}

/// A device that answers each of these, byte for byte, and keeps what it heard.
fn device(answers: &'static [(&'static [u8], &'static [u8])]) -> (u16, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        let (mut heard, mut buf) = (Vec::new(), [0; 1024]);
        while let Ok(n) = s.read(&mut buf) {
            if n == 0 {
                break;
            }
            heard.extend(&buf[..n]);
            if let Some((_, answer)) = answers.iter().find(|(asked, _)| *asked == &buf[..n])
                && s.write_all(answer).is_err()
            {
                break;
            }
        }
        heard
    });
    (port, served)
}

#[test]
fn probe_names_what_answers_and_asks_nothing_that_does_something() {
    let (port, served) = device(&[(b"VER\r", b"VER|1.28|UTF-8|\r"), (b"GST\r", b"STS|3|0|JOB|0|12|\r")]);
    let o = profile(&["probe", &format!("tcp://127.0.0.1:{port}"), "--timeout", "60"]);
    assert_eq!(o.status.code(), Some(0), "{} {}", out(&o), err(&o));
    let text = out(&o);
    assert!(text.contains("> \"VER\\r\"") && text.contains("< \"VER|1.28|UTF-8|\\r\""), "{text}");
    assert!(text.contains("videojet-zipher: identity 1.28") && text.ends_with("identified: videojet-zipher\n"), "{text}");
    let heard = served.join().unwrap();
    for word in ["SST", "SLA", "JDA", "CQI", "EAN", "^XA"] {
        assert!(!heard.windows(word.len()).any(|w| w == word.as_bytes()), "{word} was sent: {}", heard.escape_ascii());
    }
    let (port, _served) = device(&[(b"\x1bA?\x04", b"\x1bA0156\x04")]);
    let at = format!("tcp://127.0.0.1:{port}");
    let v = json(&profile(&["probe", &at, "--profile", "domino-codenet", "--timeout", "200", "--json"]), "probe");
    assert_eq!((&v["ok"], &v["identified"][0]), (&true.into(), &"domino-codenet".into()));
}

#[test]
fn probe_of_a_silent_device_says_what_was_tried_and_what_to_look_at() {
    let (port, _served) = device(&[]);
    let at = format!("tcp://127.0.0.1:{port}");
    let o = profile(&["probe", &at, "--timeout", "20", "--profile", "domino-codenet", "--profile", "keyence-sr"]);
    let text = out(&o);
    assert_eq!(o.status.code(), Some(1), "{text}");
    assert!(text.contains("nothing came; 2 questions were asked") && text.contains("- another port"), "{text}");
    assert!(text.matches("no answer").count() == 2, "{text}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let o = profile(&["probe", &format!("tcp://{nobody}")]);
    assert!(o.status.code() == Some(1) && err(&o).contains("is it on"), "{}", err(&o));
    for wrong in ["127.0.0.1:7000", "tcp://x", "udp://x:1"] {
        let o = profile(&["probe", wrong]);
        assert!(o.status.code() == Some(2) && err(&o).contains("address is wrong"), "{wrong}: {}", err(&o));
    }
}

#[test]
fn probe_shows_unasked_bytes_to_the_readers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        s.write_all(b"0106901234567892\r").unwrap();
        let _ = s.read_to_end(&mut Vec::new());
    });
    let o = profile(&["probe", &at, "--timeout", "20", "--profile", "keyence-sr"]);
    assert_eq!(o.status.code(), Some(1), "a frame that many send names nobody");
    assert!(out(&o).contains("keyence-sr: frame data 0106901234567892"), "{}", out(&o));
    served.join().unwrap();
}

fn interrupt(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

#[test]
fn capture_writes_a_transcript_that_replays_and_loses_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("captured.txt");
    let device = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = device.local_addr().unwrap().port();
    let start = |out: &Path| {
        let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
        c.args(["profile", "capture", &format!("tcp://127.0.0.1:{port}"), "--listen", "127.0.0.1:0", "--json"]);
        c.args(["--out", text_of(out), "--profile", "videojet-zipher", "--source", "a bench"]);
        c.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = start(&file);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    agree(&validator("profile-tools", Some("ready")), &ready);
    let mut host = TcpStream::connect(("127.0.0.1", ready["port"].as_u64().unwrap() as u16)).unwrap();
    let (mut device, _) = device.accept().unwrap();
    let hears = |from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]| {
        from.write_all(bytes).unwrap();
        let mut got = vec![0; bytes.len()];
        to.read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
    };
    hears(&mut host, &mut device, b"\r");
    hears(&mut host, &mut device, b"VER\r");
    hears(&mut device, &mut host, b"VER|1.28|UTF-8|\r");
    // More than any socket holds, both ways at once: neither side waits for the other.
    let load: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let (mut a, mut b) = (host.try_clone().unwrap(), device.try_clone().unwrap());
    let (for_a, for_b) = (load.clone(), load.clone());
    let writers = [std::thread::spawn(move || a.write_all(&for_a).unwrap()), std::thread::spawn(move || b.write_all(&for_b).unwrap())];
    for side in [&mut host, &mut device] {
        let mut got = vec![0; load.len()];
        side.read_exact(&mut got).unwrap();
        assert!(got == load);
    }
    writers.into_iter().for_each(|w| w.join().unwrap());
    // The last bytes before the end are not lost either.
    host.write_all(b"LAST\r").unwrap();
    interrupt(&child, rustix::process::Signal::TERM);
    let mut rest = Vec::new();
    device.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"LAST\r");
    let done: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    agree(&validator("profile-tools", Some("capture")), &done);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!((&done["host_bytes"], &done["device_bytes"]), (&(3_000_010u32).into(), &(3_000_016u32).into()));

    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# profile: videojet-zipher\n# source: a bench\n# from: capture\n# device: tcp://127.0.0.1:"),
        "{}",
        &text[..200]
    );
    assert!(
        text.contains("# date: 20") && text.lines().filter(|l| !l.starts_with('+')).rev().take(2).eq(["! closed", "> \"LAST\\r\""]),
        "{}",
        &text[text.len() - 60..]
    );
    // An existing record is never written over.
    let again = start(&file).wait_with_output().unwrap();
    assert!(again.status.code() == Some(1) && err(&again).contains("cannot be written"), "{}", err(&again));

    // What was captured up to the load is what our side says, and the simulated device answers the same.
    let cut = text.lines().position(|l| l.starts_with("< \"VER|")).unwrap();
    let head: Vec<&str> = text.lines().take(cut + 1).collect();
    std::fs::write(&file, head.join("\n") + "\n").unwrap();
    let o = profile(&["replay", text_of(&file)]);
    assert_eq!(o.status.code(), Some(0), "{}", out(&o));
    assert!(out(&o).contains("note") && out(&o).contains("report up 1.28"), "{}", out(&o));
}

#[test]
fn capture_goes_on_when_a_side_hangs_up_and_refuses_what_makes_no_sense() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.txt");
    let device = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", device.local_addr().unwrap());
    let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
    c.args(["profile", "capture", &at, "--out", text_of(&file)]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = c.spawn().unwrap();
    for said in [&b"ONE\r"[..], b"TWO\r"] {
        let (mut s, _) = device.accept().unwrap();
        s.write_all(said).unwrap();
    }
    let (mut s, _) = device.accept().unwrap();
    interrupt(&child, rustix::process::Signal::INT);
    assert_eq!(s.read_to_end(&mut Vec::new()).unwrap(), 0, "nothing is ever sent to it");
    let o = child.wait_with_output().unwrap();
    assert_eq!(o.status.code(), Some(0), "{}", err(&o));
    let text = std::fs::read_to_string(&file).unwrap();
    let steps: Vec<&str> = text.lines().filter(|l| !l.starts_with(['#', '+'])).collect();
    assert_eq!(steps[..6], ["! opened", "< \"ONE\\r\"", "! closed", "! opened", "< \"TWO\\r\"", "! closed"], "{text}");
    for wrong in [&["nonsense"][..], &["tcp://127.0.0.1:1", "--listen", "7001"], &["tcp://127.0.0.1:1", "--listen", "tcp://127.0.0.1:7"]] {
        let o = profile(&[&["capture", "--out", "/tmp/never-written"][..], wrong].concat());
        assert_eq!(o.status.code(), Some(2), "{wrong:?}: {}", err(&o));
        assert!(!Path::new("/tmp/never-written").exists());
    }
}

#[test]
fn check_announces_profiles_that_nobody_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let own = folder();
    let line = crate::driven::config_text().replace(
        "profile = \"domino-codenet\"\naddress = \"tcp://127.0.0.1:17000\"\nsettings = { depth = 8, ack_char = \"A\" }",
        "profile = \"my-printer\"\naddress = \"tcp://127.0.0.1:17000\"",
    );
    assert!(line.contains("my-printer"), "{line}");
    let config = dir.path().join("line.toml");
    std::fs::write(&config, line).unwrap();
    let check = |more: &[&str]| {
        let mut c = Command::new(env!("CARGO_BIN_EXE_packmark"));
        c.args(["check", "--config", text_of(&config), "--profiles", text_of(own.path())]).args(more).env("LANG", "C").env_remove("LC_ALL");
        c.output().unwrap()
    };
    let o = check(&[]);
    assert_eq!(o.status.code(), Some(0), "{} {}", out(&o), err(&o));
    assert!(
        out(&o).contains("warning: ") && out(&o).contains("[[device]] ijp1: its profile my-printer is unverified as a whole"),
        "{}",
        out(&o)
    );
    let said = err(&o);
    assert!(said.contains("remark: profile my-printer, unverified: everything\n"), "{said}");
    assert!(said.contains("remark: profile my-printer (videojet-zipher), unverified: the vendor's manual was not read"), "{said}");
    let o = check(&["--json"]);
    let v: Value = serde_json::from_slice(&o.stdout).unwrap();
    agree(&validator("check", None), &v);
    assert!(v["remarks"].as_array().unwrap().iter().any(|r| r["base"] == "videojet-zipher"), "{v}");
}
