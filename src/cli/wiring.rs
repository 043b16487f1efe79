//! `packmark profile probe` and `packmark profile capture`: tools for a device that nobody has wired yet.

use super::place::{print, result};
use crate::config;
use crate::floor::capture::{self, Capture};
use crate::floor::clock::Clock;
use crate::floor::probe::{self, Probe, Seen};
use crate::floor::terms::{Exit, Globals, say};
use crate::profile::{Bound, Profiles};
use crate::vocab::plan::Address;
use crate::vocab::time::rfc3339;
use crate::wire::transcript::{Origin, Writer, notation};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args, Debug, Clone)]
pub struct ProbeArgs {
    /// tcp://HOST:PORT, listen://HOST:PORT or serial:///dev/X?baud=9600
    pub address: String,
    /// Ask only the questions of this profile; again for more
    #[arg(long = "profile", value_name = "NAME")]
    pub only: Vec<String>,
    /// How long each answer may take (default: as the profiles say)
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(10..=60_000))]
    pub timeout: Option<u32>,
}

#[derive(Args, Debug, Clone)]
pub struct CaptureArgs {
    /// The device: tcp://HOST:PORT, listen://HOST:PORT or serial:///dev/X?baud=9600
    pub address: String,
    /// Where its program is to connect, as HOST:PORT or serial:///dev/Y; without it only what the device says by itself is recorded
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where its program waits for the device (instead of --listen, for a device that connects by itself)
    #[arg(long, value_name = "ADDRESS", conflicts_with = "listen")]
    pub connect: Option<String>,
    /// The transcript to write; an existing file is never written over
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The profile it is a transcript for
    #[arg(long, value_name = "NAME", default_value = "unknown")]
    pub profile: String,
    /// Which device, firmware and program this is, for the header
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
}

/// An address, or the exit with what is wrong with it said.
fn address(g: &Globals, text: &str) -> Result<Address, Exit> {
    config::address(text).map_err(|why| {
        say(format_args!("{text}: {}", super::place::told(g, &format!("address is wrong; {why}"))));
        Exit::Usage
    })
}

pub fn probe(g: &Globals, profiles: &Profiles, args: &ProbeArgs) -> Exit {
    let at = match address(g, &args.address) {
        Ok(at) => at,
        Err(exit) => return exit,
    };
    let candidates = match candidates(g, profiles, args, &at) {
        Ok(all) => all,
        Err(exit) => return exit,
    };
    let p =
        Probe { address: at.clone(), folder: Path::new("."), candidates, timeout: args.timeout.map(|ms| Duration::from_millis(ms.into())) };
    let mut seen = Vec::new();
    let done = probe::probe(&p, &mut |s| {
        if !g.json {
            tell(g, &s);
        }
        seen.push(s);
    });
    if let Err(e) = &done {
        let next = match at {
            Address::Serial { .. } => g.either(
                "is the name right, may you open it (group dialout), does another program hold it?",
                "设备名是否正确？是否有权限（dialout 组）？是否被其他程序占用？",
            ),
            _ => g.either(
                "is it on, are address and port right, does it allow one connection only and another program has it?",
                "设备是否开机？地址和端口是否正确？是否只允许一个连接而已被其他程序占用？",
            ),
        };
        say(format_args!("{}: {e}: {next}", args.address));
    }
    let mut found: Vec<&str> = Vec::new();
    for name in seen.iter().flat_map(names_of) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    if g.json {
        let all: Vec<Value> = seen.iter().filter_map(as_json).collect();
        result(&json!({"ok": !found.is_empty(), "address": args.address, "seen": all, "identified": found}));
    } else if !found.is_empty() {
        print(format_args!("{}{}", g.either("identified: ", "已识别："), found.join(", ")));
    } else if done.is_ok() {
        advise(g, &at, &seen);
    }
    // A profile that was named need only fit.
    let fits = !found.is_empty() || (!args.only.is_empty() && !likely(&seen).is_empty());
    if fits { Exit::Done } else { Exit::Refused }
}

/// The profiles to ask: those named, else every one that has a harmless question or knows readers' frames. Those whose
/// file names this port come first.
fn candidates(g: &Globals, profiles: &Profiles, args: &ProbeArgs, at: &Address) -> Result<Vec<Bound>, Exit> {
    let none = BTreeMap::new();
    let names: Vec<&str> = if args.only.is_empty() { profiles.names().collect() } else { args.only.iter().map(String::as_str).collect() };
    let mut all = Vec::new();
    for name in names {
        match profiles.bind(name, &none) {
            Ok(b) => all.push(b),
            Err(wrong) => {
                wrong.iter().for_each(|w| say(super::place::told(g, w)));
                return Err(Exit::Usage);
            }
        }
    }
    let port = match at {
        Address::Tcp { port, .. } | Address::Listen { port, .. } => port.to_string(),
        Address::Serial { .. } | Address::Keys { .. } => "RS-232".into(),
    };
    let named = |b: &Bound| b.profile.link.who_connects.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|w| w == port);
    all.sort_by_key(|b| !named(b));
    Ok(all)
}

/// Profiles that are certain of what they heard.
fn names_of(seen: &Seen) -> Vec<&str> {
    match seen {
        Seen::Asked { known, .. } => known.iter().filter(|(_, u)| u.certain).map(|(n, _)| n.as_str()).collect(),
        Seen::Waits { .. } | Seen::Linked { .. } | Seen::Unasked { .. } => Vec::new(),
    }
}

/// Profiles that an answer fits, as it would fit others.
fn likely(seen: &[Seen]) -> Vec<&str> {
    let known = seen.iter().flat_map(|s| if let Seen::Asked { known, .. } = s { known.as_slice() } else { &[] });
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in known {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn tell(g: &Globals, seen: &Seen) {
    let line = |text: String| {
        print(text);
    };
    match seen {
        Seen::Waits { seconds } => line(match g.english() {
            true => format!("waiting up to {seconds} s for the device to connect"),
            false => format!("正在等待设备连接，最多 {seconds} 秒"),
        }),
        Seen::Linked { first: true } => line(g.either("connected; listening", "已连接，正在监听").into()),
        Seen::Linked { first: false } => line(g.either("connected again", "已重新连接").into()),
        Seen::Unasked { bytes, known } => {
            line(format!("< {}", notation(bytes)));
            line(format!("  {}", g.either("unasked", "设备主动发送")));
            for (name, frames) in known {
                line(format!("  {name}: {}", frames.join(", ")));
            }
        }
        Seen::Asked { profiles, question, answer, known, hung_up } => {
            line(format!("> {}", notation(&question.bytes)));
            line(format!("  {} ({})", question.what, profiles.join(", ")));
            if answer.is_empty() {
                line(format!("  {}", g.either("no answer", "无应答")));
            } else {
                line(format!("< {}", notation(answer)));
                let hex: Vec<String> = answer.iter().take(64).map(|b| format!("{b:02x}")).collect();
                line(format!("  {}{}", hex.join(" "), if answer.len() > 64 { " …" } else { "" }));
            }
            if *hung_up {
                line(format!("  {}", g.either("it hung up", "设备断开了连接")));
            }
            for (name, u) in known {
                let unsure = if u.certain { "" } else { g.either(" (nearly anything would fit)", "（几乎任何应答都符合）") };
                line(format!("  {name}: {}{unsure}", u.says));
            }
            if known.is_empty() && !answer.is_empty() {
                line(format!("  {}", g.either("no profile understands this", "没有配置文件能理解该应答")));
            }
        }
    }
}

fn as_json(seen: &Seen) -> Option<Value> {
    let hex = |b: &[u8]| crate::vocab::code::hex(b);
    Some(match seen {
        Seen::Waits { .. } | Seen::Linked { .. } => return None,
        Seen::Unasked { bytes, known } => {
            let known: Vec<Value> = known.iter().map(|(n, f)| json!({"profile": n, "frames": f})).collect();
            json!({"hex": hex(bytes), "text": notation(bytes), "known": known})
        }
        Seen::Asked { profiles, question, answer, known, hung_up } => {
            let known: Vec<Value> = known.iter().map(|(n, u)| json!({"profile": n, "says": u.says, "certain": u.certain})).collect();
            json!({
                "asked": {"what": question.what, "hex": hex(&question.bytes), "text": notation(&question.bytes), "profiles": profiles},
                "hex": hex(answer), "text": notation(answer), "hung_up": hung_up, "known": known,
            })
        }
    })
}

/// What to look at next, when nothing was recognised.
fn advise(g: &Globals, at: &Address, seen: &[Seen]) {
    let heard = seen.iter().any(|s| match s {
        Seen::Asked { answer, .. } => !answer.is_empty(),
        Seen::Unasked { .. } => true,
        Seen::Waits { .. } | Seen::Linked { .. } => false,
    });
    let asked = seen.iter().filter(|s| matches!(s, Seen::Asked { .. })).count();
    let say = |en: &str, zh: &str| {
        print(g.either(en, zh));
    };
    let likely = likely(seen);
    if !likely.is_empty() {
        let names = likely.join(", ");
        print(match g.english() {
            true => {
                format!("it answers as {names} would, and so might others: look at its menu, then try it with packmark simulate's line")
            }
            false => format!("应答与 {names} 相符，但其他设备也可能如此：请核对设备菜单后再试运行"),
        });
        return;
    }
    if asked == 0 && !heard {
        say(
            "the profiles named have no question that is harmless to ask: let the device speak by itself, or try it in a line",
            "所指定的配置文件没有可安全询问的命令：请让设备主动发送，或在产线上试用",
        );
        return;
    }
    if heard {
        say(
            "it speaks, but no profile understands it: wrong speed or parity garbles every byte; else begin a profile with what is shown above (firmware-profiles/README.md)",
            "设备有应答，但没有配置文件能理解：波特率或校验错误会使每个字节都乱；否则请用以上内容开始编写配置文件（见 firmware-profiles/README.md）",
        );
        return;
    }
    match g.english() {
        true => {
            print(format_args!("nothing came; {asked} questions were asked. Look next at:"));
        }
        false => {
            print(format_args!("没有收到任何数据；共询问 {asked} 次。请接着检查："));
        }
    }
    if matches!(at, Address::Serial { .. }) {
        say(
            "- speed, parity and flow control of the device's menu against ?baud= and &parity= here",
            "- 设备菜单中的波特率、校验、流控与此处的 ?baud=、&parity= 是否一致",
        );
        say("- TX and RX: a crossed cable where a straight one belongs, or the other way round", "- TX 与 RX：直连线与交叉线是否用反");
    } else {
        say(
            "- another port of the same device; another program that holds its only connection",
            "- 同一设备的其他端口；是否有其他程序占用了唯一的连接",
        );
    }
    say(
        "- its menu: is the external, remote or host interface switched on, and which protocol?",
        "- 设备菜单：外部／远程／主机接口是否打开，选的是哪种协议？",
    );
    say(
        "- a reader that is never asked anything: let it read a code now, and probe again meanwhile",
        "- 从不应答的读码器：请在探测的同时让它读一个码",
    );
}

pub fn capture(g: &Globals, args: &CaptureArgs) -> Exit {
    let (device, host) = match (address(g, &args.address), side(g, args)) {
        (Ok(device), Ok(host)) => (device, host),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    if let Address::Keys { .. } = device {
        say(g.either(
            "a keyboard says nothing that could be passed on; record tcp://, listen:// or serial://",
            "键盘无法转发；请录制 tcp://、listen:// 或 serial://",
        ));
        return Exit::Usage;
    }
    let clock = Clock::start(0);
    let date = rfc3339(clock.now().wall_us);
    let source = args.source.clone().unwrap_or_else(|| format!("recorded at {} on {date}", args.address));
    let notes = [("device", args.address.clone()), ("date", date), ("by", format!("packmark {}", env!("CARGO_PKG_VERSION")))];
    let c = Capture { device, host, out: args.out.clone(), head: Writer::head(&args.profile, &source, Origin::Capture, &notes), clock };
    let mut ready = |port: Option<u16>| {
        if g.json {
            let mut v = json!({"ready": true});
            if let Some(port) = port {
                v["port"] = port.into();
            }
            result(&v);
        } else if let Some(port) = port {
            say(format_args!("{} {port}", g.either("the program may connect now, to port", "程序现在可以连接端口")));
        } else {
            say(g.either("recording; Ctrl-C ends it", "正在录制，按 Ctrl-C 结束"));
        }
    };
    match capture::capture(c, &mut ready, &mut |why| say(super::place::told(g, why))) {
        Ok(done) => {
            let (out, links) = (args.out.display(), done.links);
            if g.json {
                return result(&json!({
                    "ok": true, "out": args.out.to_string_lossy(), "links": links,
                    "host_bytes": done.host_bytes, "device_bytes": done.device_bytes,
                }));
            }
            match g.english() {
                true => print(format_args!(
                    "{out}: {} bytes of the program, {} of the device, over {links} links",
                    done.host_bytes, done.device_bytes
                )),
                false => print(format_args!("{out}：程序 {} 字节，设备 {} 字节，连接 {links} 次", done.host_bytes, done.device_bytes)),
            }
        }
        Err(e) => {
            let why = e.source().map(|s| format!(" ({s})")).unwrap_or_default();
            say(format_args!("{e}{why}"));
            Exit::Refused
        }
    }
}

/// The side of the program that talks to the device.
fn side(g: &Globals, args: &CaptureArgs) -> Result<Option<Address>, Exit> {
    if let Some(text) = &args.connect {
        return address(g, text).map(Some);
    }
    let Some(text) = &args.listen else { return Ok(None) };
    if text.contains("://") {
        return match address(g, text)? {
            a @ (Address::Listen { .. } | Address::Serial { .. }) => Ok(Some(a)),
            _ => {
                say(g.either(
                    "--listen takes HOST:PORT or serial:///dev/Y; where its program waits for us, give --connect",
                    "--listen 需要 HOST:PORT 或 serial:///dev/Y；若程序在等待连接，请用 --connect",
                ));
                Err(Exit::Usage)
            }
        };
    }
    // Port 0: any that is free.
    match text.rsplit_once(':').and_then(|(h, p)| Some((h, p.parse::<u16>().ok()?))).filter(|(h, _)| !h.is_empty()) {
        Some((host, port)) => Ok(Some(Address::Listen { host: host.into(), port })),
        None => {
            say(g.either("--listen takes HOST:PORT, as 127.0.0.1:7001", "--listen 需要 HOST:PORT，例如 127.0.0.1:7001"));
            Err(Exit::Usage)
        }
    }
}
