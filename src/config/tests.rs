//! The contract's own example stands as it is; each mistake has its sentence and its line.

use super::*;
use crate::vocab::plan::*;

const LINE: &str = include_str!("../../tests/data/line.toml");

/// Profiles as the tests need them: the contract's five names.
fn profiles(name: &str, settings: &BTreeMap<String, Setting>) -> Result<Traits, Vec<String>> {
    let depth = match settings.get("depth") {
        Some(Setting::Number(n)) => *n as u32,
        _ => 1,
    };
    match name {
        "domino-codenet" | "hitachi-modbus" => Ok(Traits::Printer(PrinterTraits {
            depth,
            confirms: true,
            clear_on_adopt: true,
            label: false,
            repeats_on_empty: false,
            one_by_one: false,
            selects: name == "domino-codenet",
            sets_fields: false,
            labels: None,
        })),
        "zebra-zpl" => Ok(Traits::Printer(PrinterTraits {
            depth: 1,
            confirms: true,
            clear_on_adopt: true,
            label: true,
            repeats_on_empty: false,
            one_by_one: false,
            selects: true,
            sets_fields: false,
            labels: None,
        })),
        "keyence-sr" | "line-reader" => Ok(Traits::Reader(ReaderTraits::default())),
        "modbus-io" => Ok(Traits::Io(IoTraits {
            pulses: settings.contains_key("pulse_base"),
            watchdog_ms: settings.get("watchdog_ms").map(|s| if let Setting::Number(n) = s { *n as u32 } else { 0 }),
        })),
        other => Err(vec![format!("there is no profile \"{other}\"; use one of the shipped ones")]),
    }
}

fn load(text: &str) -> Result<Config, Vec<Complaint>> {
    Config::parse(Path::new("line.toml"), text, &profiles)
}

fn complaints(text: &str) -> String {
    load(text).expect_err("it is wrong").iter().map(|c| format!("{c}\n")).collect()
}

#[test]
fn the_example_of_the_contract_stands() {
    let c = load(LINE).unwrap_or_else(|e| panic!("{}", e.iter().map(|c| format!("{c}\n")).collect::<String>()));
    let p = &c.plan;
    assert_eq!((p.levels.len(), p.devices.len(), p.stations.len()), (4, 7, 8));
    let check = &p.stations[1];
    assert_eq!((check.min_spacing_ms, check.read_deadline_ms, check.pair_ms), (100, 80, 30));
    assert_eq!(p.stations[2].read_deadline_ms, 400, "80 % of the station's own spacing");
    assert_eq!(p.stations[3].transit_ms, Some(4000));
    assert_eq!(check.gate.unwrap().tolerance_ms, 10);
    assert!(p.resume_after_crash);
    assert_eq!(c.store.file_name().unwrap(), "store");
}

#[test]
fn every_mistake_has_its_sentence_and_line() {
    let cases: &[(&str, &str, &str)] = &[
        ("language = \"zh\"", "language = \"de\"", "language = \"de\" is not known; it must be \"zh\" or \"en\""),
        ("min_spacing_ms = 100", "min_spacing = 100", "unknown key min_spacing; did you mean min_spacing_ms?"),
        ("min_spacing_ms = 100", "min_spacing_ms = \"100\"", "min_spacing_ms is a string; it must be a whole number"),
        ("watchdog_ms = 300", "watchdog_ms = 150", "less than two heartbeats"),
        ("id = \"L1\"", "id = \"L 1\"", "id \"L 1\" is not an id"),
        ("status_tcp = \"127.0.0.1:0\"", "status_tcp = \"here\"", "is not an address"),
        ("gtin = \"06901234567892\"", "gtin = \"06901234567893\"", "its check digit should be 2"),
        ("holds = 6", "", "holds is missing"),
        ("codes = \"printed\"", "codes = \"inked\"", "codes = \"inked\" is not known"),
        ("prefix = \"6901234\", extension = 0", "prefix = \"69O1234\", extension = 0", "is no GS1 company prefix"),
        ("profile = \"domino-codenet\"", "profile = \"domino\"", "there is no profile \"domino\""),
        ("address = \"tcp://127.0.0.1:17000\"", "address = \"127.0.0.1:17000\"", "address is wrong; write tcp://HOST:PORT"),
        ("address = \"serial://hand1.tty?baud=9600\"", "address = \"serial://hand1.tty?parity=x\"", "parity must be n, e or o"),
        ("trigger = \"io1:cnt.1\"", "trigger = \"io1:out.1\"", "is the wrong kind of point; it must be in.N or cnt.N"),
        ("trigger = \"io1:cnt.1\"", "trigger = \"io9:cnt.1\"", "there is no device \"io9\""),
        ("trigger = \"io1:cnt.1\"", "trigger = \"cam1:cnt.1\"", "device \"cam1\" has no points"),
        ("trigger = \"io1:cnt.1\"", "", "a gate needs a trigger to count from"),
        ("pulse_ms = 60", "pulse_ms = 90", "pulse_ms 90 + 2 × tolerance_ms 10 is more than min_spacing_ms 100; pulse_ms may be at most 80"),
        ("polarity = \"pass\"", "polarity = \"open\"", "polarity = \"open\" is not known"),
        ("gather = \"frame\"", "", "gather is missing"),
        ("gather = \"frame\"", "gather = \"parent-last\"\nrole2 = 1", "unknown key role2; did you mean role?"),
        ("device = \"ijp1\"", "device = \"zpl1\"", "a label printer cannot print codes on things"),
        ("message = \"BOTTLE\"", "message = \"\"", "message is empty; name the printer's message"),
        ("message = \"BOTTLE\"", "fields = { lot = \"1\" }", "its printer's fields cannot be set over the wire, \"lot\" among them"),
        (
            "profile = \"domino-codenet\"",
            "profile = \"hitachi-modbus\"",
            "its printer's message cannot be selected over the wire; select it at the printer's panel",
        ),
        ("device = \"ijp1\"", "device = \"cam1\"", "its device is no printer"),
        ("device = \"cam1\"", "device = \"ijp1\"", "its device is no reader"),
        ("device = \"cam1\"", "device = \"nobody\"", "there is no device \"nobody\""),
        (
            "settings = { depth = 8, ack_char = \"A\" }",
            "settings = { depth = 64, ack_char = \"A\" }",
            "its buffer of 64 is not below max_burn = 32",
        ),
        ("level = \"bottle\"\ndevice = \"cam1\"", "level = \"flask\"\ndevice = \"cam1\"", "there is no level \"flask\""),
        ("transit_ms = 4000", "transit_ms = -1", "transit_ms is out of range"),
    ];
    for (from, to, sentence) in cases {
        assert!(LINE.contains(from), "{from}");
        let text = LINE.replacen(from, to, 1);
        let said = complaints(&text);
        let one = said.lines().find(|l| l.contains(sentence)).unwrap_or_else(|| panic!("{to:?} said:\n{said}"));
        let line: usize = one.split(':').nth(1).unwrap().parse().unwrap();
        assert!(line > 0 && line <= text.lines().count(), "{one}");
    }
}

#[test]
fn a_gate_that_fails_open_is_refused_unless_accepted() {
    let open = LINE.lines().filter(|l| !l.starts_with("run_permit")).collect::<Vec<_>>().join("\n");
    assert!(complaints(&open).contains("lets everything pass when this program stands still"));
    let accepted = open.replacen("min_spacing_ms = 100", "min_spacing_ms = 100\nfail_open = \"accepted\"", 1);
    assert!(load(&accepted).is_ok());
}

#[test]
fn labels_that_nobody_reads_are_refused_unless_accepted() {
    let text = LINE.replacen("role = \"verify\"\nlevel = \"case\"", "role = \"rework\"\nlevel = \"case\"", 1);
    assert!(complaints(&text).contains("its labels are never read back"));
}

#[test]
fn bottles_that_come_with_codes_and_are_never_verified_are_refused() {
    let text = LINE.replacen("codes = \"printed\"", "codes = \"preprinted\"", 1);
    let never = "codes of level bottle are pre-printed, and no station verifies them";
    assert!(!complaints(&text).contains(never));
    let text = text.replacen("role = \"verify\"\nlevel = \"bottle\"", "role = \"rework\"\nlevel = \"bottle\"", 1);
    assert!(complaints(&text).contains(never));
}

#[test]
fn all_at_once_in_the_order_of_lines() {
    let text = LINE
        .replacen("language = \"zh\"", "language = \"fr\"", 1)
        .replacen("holds = 6", "holds = 0", 1)
        .replacen("pulse_ms = 60", "pulse_ms = 600", 1)
        .replacen("trigger = \"io1:cnt.7\"", "trigger = \"io1:cnt\"", 1)
        .replacen("device = \"hand1\"", "device = \"hand2\"", 1);
    let e = load(&text).unwrap_err();
    assert!(e.len() >= 5, "{e:?}");
    assert!(e.windows(2).all(|w| w[0].line <= w[1].line));
}

#[test]
fn not_toml_is_said_with_its_line() {
    let e = load("[line]\nid = \n").unwrap_err();
    assert_eq!(e[0].line, 2);
}

#[test]
fn packs_and_their_mistakes() {
    const KEY: &str = "RWT8DhRrJwrc95J39EBou0Xwthc9iyVTxaxnnvwM0hP7ICr9w6xkkMLv";
    let with = |packs: &str| format!("{LINE}\n[packs]\n{}\n", packs.replace("KEY", KEY));
    let sound = with(
        "signers = [{ name = \"a\", key = \"KEY\" }]\nidentity = \"keys/line.age\"\ninbox = \"in\"\nafter_import = \"delete\"\nplain = \"refused\"",
    );
    let p = load(&sound).unwrap_or_else(|e| panic!("{e:?}")).plan.packs;
    assert_eq!((p.signers.len(), p.delete_plaintext, p.plain_accepted), (1, true, false));
    assert!(p.identity.unwrap().ends_with("keys/line.age") && p.inbox.unwrap().ends_with("in"));
    assert_eq!(load(LINE).unwrap().plan.packs, PacksPlan::default());
    let one = "{ name = \"a\", key = \"KEY\" }";
    let cases = [
        ("signers = [{ name = \"a\", key = \"RWT8\" }]\nidentity = \"i\"".to_string(), "key is no minisign public key"),
        ("signers = [{ key = \"KEY\" }]\nidentity = \"i\"".into(), "name is missing"),
        ("signers = [{ name = \"a b\", key = \"KEY\" }]\nidentity = \"i\"".into(), "name \"a b\" is not an id"),
        ("signers = [{ name = \"a\" }]\nidentity = \"i\"".into(), "key is missing"),
        (format!("signers = [{one}, {one}]\nidentity = \"i\""), "signer \"a\" stands twice"),
        (format!("signers = [{one}]"), "there are signers and no identity"),
        ("identity = \"i\"".into(), "there is an identity and no signer"),
        ("plain = \"refused\"".into(), "plain packs are refused and sealed ones cannot be opened"),
        ("plain = \"no\"".into(), "plain = \"no\" is not known; it must be \"accepted\" or \"refused\""),
        ("after_import = \"shred\"".into(), "after_import = \"shred\" is not known"),
        ("inbox = 3".into(), "inbox is an integer"),
        ("signer = 3".into(), "unknown key signer"),
    ];
    for (packs, sentence) in cases {
        let text = with(&packs);
        let said = complaints(&text);
        let line = said.lines().find(|l| l.contains(sentence)).unwrap_or_else(|| panic!("{packs} said:\n{said}"));
        let n: usize = line.split(':').nth(1).unwrap().parse().unwrap();
        assert!(n > LINE.lines().count() && n <= text.lines().count(), "{line}");
        assert!(said.lines().count() <= 2, "{packs} said:\n{said}");
    }
}

#[test]
fn the_key_rule_of_the_store_is_read() {
    let with = |codes: &str| load(&format!("{LINE}\n[codes]\n{codes}\n")).map(|c| c.plan.codes);
    assert_eq!(load(LINE).unwrap().plan.codes, CodesPlan::default());
    let codes = with("key = \"standard\"\ncompany_prefix_length = 7").unwrap();
    assert_eq!((codes.key.to_string().as_str(), codes.company_prefix_len), ("standard", Some(7)));
    let codes = with("key = \"pattern:https://q.example/{key}\"").unwrap();
    assert_eq!(codes.key.to_string(), "pattern:https://q.example/{key}");
    let line = LINE.lines().count() + 3;
    for (codes, sentence) in [
        ("key = \"gs1\"", "key = \"gs1\" is no key rule; it must be \"identity\", \"standard\" or \"pattern:…\""),
        ("key = \"pattern:https://q.example/\"", "is no key rule; a pattern holds {key} exactly once"),
        ("company_prefix_length = 5", "company_prefix_length is out of range; it must be a whole number from 6 to 12"),
        ("keys = \"standard\"", "[codes]: unknown key keys; did you mean key?"),
    ] {
        let all = with(codes).expect_err("it is wrong").iter().map(|c| format!("{c}\n")).collect::<String>();
        assert!(all.contains(sentence) && all.contains(&format!("line.toml:{line}:")), "{codes}: {all}");
    }
}

#[test]
fn a_read_proves_ink_where_printed_codes_are_verified() {
    let plan = load(LINE).unwrap().plan;
    let proves: Vec<&str> = plan.stations.iter().filter(|s| plan.proves_ink(s)).map(|s| s.id.as_str()).collect();
    assert_eq!(proves, ["bottle-check"]);
}

#[test]
fn who_may_connect_is_named_where_devices_connect_to_us() {
    let at = "address = \"tcp://127.0.0.1:19004\"";
    let with = |text: &str| LINE.replacen(at, text, 1);
    let c = load(&with("address = \"listen://0.0.0.0:19004\"\nallow = [\"10.1.0.0/16\", \"192.168.0.9\"]")).unwrap();
    let allow = &c.plan.devices[1].allow;
    assert!(allow.len() == 2 && allow[0].has("10.1.2.3".parse().unwrap()) && !allow[1].has("192.168.0.8".parse().unwrap()));
    assert!(load(LINE).unwrap().plan.devices.iter().all(|d| d.allow.is_empty()));
    for (wrong, says) in [
        (format!("{at}\nallow = [\"10.0.0.1\"]"), "allow stands beside a listen:// address only; leave it out where we connect"),
        ("address = \"listen://0.0.0.0:19004\"\nallow = [\"cam\"]".into(), "allow: \"cam\" is no address; write \"192.168.1.20\""),
        ("address = \"listen://0.0.0.0:19004\"\nallow = \"10.0.0.1\"".into(), "allow is a string; it must be a list of texts"),
    ] {
        let got = complaints(&with(&wrong));
        assert!(got.lines().count() == 1 && got.contains(says), "{wrong}: {got}");
    }
}

#[test]
fn outputs_lamps_and_pulses_are_each_somebodys() {
    let lamps = |text: &str| format!("{LINE}\n[stack_light]\n{text}\n");
    let module = |settings: &str| {
        LINE.replace("address = \"tcp://127.0.0.1:15020\"", &format!("address = \"tcp://127.0.0.1:15020\"\nsettings = {{ {settings} }}"))
    };
    let light = load(&lamps("red = \"io1:out.10\"\nhorn = \"io1:out.11\"\nhorn_ms = 500")).unwrap().plan.stack_light.unwrap();
    assert_eq!((light.red.unwrap().number, light.green, light.horn_ms, light.reassert_ms), (10, None, Some(500), 1_000));
    for (text, sentence) in [
        (lamps(""), "it has no lamp and no horn"),
        (lamps("red = \"io1:in.1\""), "is the wrong kind of point; it must be out.N"),
        (lamps("red = \"io1:out.0\""), "bottle-check: its gate's output is used twice"),
        (lamps("red = \"io1:out.8\""), "[stack_light]: an output is used twice"),
        (lamps("red = \"io1:out.9\"\ngreen = \"io1:out.9\""), "[stack_light]: an output is used twice"),
        (LINE.replace("io1:out.0", "io1:pulse.0"), "\"io1\" times no pulses itself"),
        (module("pulse_base = 16").replace("io1:out.1\"", "io1:pulse.1\""), "cannot hold a reject gate while the line is flushed"),
        (module("pulse_base = 16").replace("io1:out.0", "io1:pulse.1"), "bottle-check: its gate's output is used twice"),
        (module("watchdog_ms = 2000"), "the module's watchdog takes 2000 ms, not 300"),
    ] {
        assert!(complaints(&text).contains(sentence), "{sentence}\n{}", complaints(&text));
    }
    let pulsed = load(&module("pulse_base = 16, watchdog_ms = 250").replace("io1:out.0", "io1:pulse.0")).unwrap();
    assert_eq!(pulsed.plan.stations[1].gate.unwrap().output.kind, PointKind::Pulse);
}
