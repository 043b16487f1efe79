//! A keyboard wedge: the keys that a scanner presses for a code, as Linux hands them on.

/// Which key of a US keyboard makes a character, and with shift or not, read off the key caps row by row.
const ROWS: [(u16, &str, &str); 4] = [
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
];
const ENTER: u16 = 28;
const CONTROL: u16 = 29;
const SHIFT: u16 = 42;
const SPACE: u16 = 57;

/// Key events of a code and the Enter behind it. A character without a key is typed as Ctrl with one (GS: Ctrl+]); what has
/// neither is left out, as scanners do.
pub fn events(code: &[u8], event_bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for &b in code {
        match b {
            b' ' => press(SPACE, None, event_bytes, &mut out),
            0x01..=0x1d => {
                if let Some((key, _)) = key((b | 0x40).to_ascii_lowercase()).or_else(|| key(b | 0x40)) {
                    press(key, Some(CONTROL), event_bytes, &mut out);
                }
            }
            _ => {
                if let Some((key, shifted)) = key(b) {
                    press(key, shifted.then_some(SHIFT), event_bytes, &mut out);
                }
            }
        }
    }
    press(ENTER, None, event_bytes, &mut out);
    out
}

fn key(b: u8) -> Option<(u16, bool)> {
    ROWS.iter().find_map(|(first, lower, upper)| {
        let at = |row: &str| row.bytes().position(|c| c == b).map(|i| first + i as u16);
        at(lower).map(|k| (k, false)).or_else(|| at(upper).map(|k| (k, true)))
    })
}

fn press(key: u16, with: Option<u16>, event_bytes: usize, out: &mut Vec<u8>) {
    let mut event = |kind: u16, code: u16, value: i32| {
        out.extend(std::iter::repeat_n(0, event_bytes - 8));
        out.extend(kind.to_ne_bytes());
        out.extend(code.to_ne_bytes());
        out.extend(value.to_ne_bytes());
    };
    let mut step = |code: u16, value: i32| {
        event(1, code, value);
        event(0, 0, 0);
    };
    with.iter().for_each(|w| step(*w, 1));
    step(key, 1);
    step(key, 0);
    with.iter().for_each(|w| step(*w, 0));
}
