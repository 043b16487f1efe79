//! The notation of bytes, the same as a transcript's, with places: `STX "U" {setting.field} LF {code} ETX`.
//!
//! Hex pairs (`1B 4F`), names of control characters (`ESC`; form feed is `0C`, since FF is a pair), text in double quotes
//! (`\r \n \e \xNN \" \\`, `{{` for a brace), and places in braces, also inside text. A pattern is written and read with
//! the same notation: what a host renders, a simulated printer recognises, and the other way round.
//!
//! Places: `{name}` bytes up to whatever follows it; `{name:4}` exactly four characters (numbers padded with zeros, texts
//! with spaces); `{name:d}` digits, as many as there are, `{name:6d}` exactly six; `{name:yn}` the letter Y or N;
//! `{name:u8}`, `{name:u16be}`, `{name:u16le}`, `{name:u32be}` a binary number, `{name:u8+30}` a byte that is 30h and the
//! number; `{name.length:4}`, `{name.length:u16be}` the length of another place of the same pattern.
//!
//! Invariants: reading never panics and never takes less than all bytes; a pattern that can be read in two ways is
//! refused when it is parsed.

/// Literal bytes and places, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Place { name: String, form: Form },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As many bytes as come before the next literal.
    Open,
    /// As `Open`, digits only.
    Digits,
    /// Exactly so many characters.
    Wide(usize),
    /// Exactly so many digits.
    WideDigits(usize),
    /// The letter Y or N.
    YesNo,
    U8,
    /// A byte that is so much more than the number.
    U8From(u8),
    U16be,
    U16le,
    U32be,
}

/// What stands in the places of one pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<(String, Vec<u8>)>);

impl Values {
    pub fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.put(name, value);
        self
    }

    pub fn put(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => *v = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// The bytes of a place.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|b| String::from_utf8_lossy(b).trim().to_string())
    }

    /// A decimal number, spaces around it allowed.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The same, below zero too.
    pub fn signed(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_slice()))
    }
}

const CONTROLS: [&str; 33] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "", "CR", "SO", "SI", "DLE", "DC1", "DC2", "DC3",
    "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US", "SP",
];

impl Pattern {
    /// Reads the notation; `Err`: "what; what would be right".
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut p = Self::default();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            rest = match first {
                '"' => p.quoted(&rest[1..])?,
                '{' => p.place(&rest[1..])?,
                _ => {
                    let end = rest.find([' ', '"', '{']).unwrap_or(rest.len());
                    p.word(&rest[..end])?;
                    &rest[end..]
                }
            }
            .trim_start();
        }
        p.one_reading()?;
        Ok(p)
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        let hex = |i| word.get(i..i + 2).and_then(|h| u8::from_str_radix(h, 16).ok());
        if word.len().is_multiple_of(2) && word.bytes().all(|b| b.is_ascii_hexdigit()) {
            (0..word.len()).step_by(2).filter_map(hex).for_each(|b| self.byte(b));
            return Ok(());
        }
        match CONTROLS.iter().position(|c| *c == word) {
            Some(b) => self.byte(b as u8),
            None if word == "DEL" => self.byte(0x7f),
            None => {
                return Err(format!("{word} is neither hex nor the name of a control character; write pairs of digits, ESC, or \"text\""));
            }
        }
        Ok(())
    }

    fn byte(&mut self, b: u8) {
        match self.0.last_mut() {
            Some(Piece::Bytes(bytes)) => bytes.push(b),
            _ => self.0.push(Piece::Bytes(vec![b])),
        }
    }

    /// Text up to its closing quote; answers what follows it.
    fn quoted<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return Ok(rest),
                '{' if rest.starts_with('{') => {
                    self.byte(b'{');
                    rest = &rest[1..];
                }
                '{' => rest = self.place(rest)?,
                '}' if rest.starts_with('}') => {
                    self.byte(b'}');
                    rest = &rest[1..];
                }
                '\\' => {
                    let e = rest.chars().next().unwrap_or(' ');
                    rest = rest.get(e.len_utf8()..).unwrap_or("");
                    match e {
                        'r' => self.byte(b'\r'),
                        'n' => self.byte(b'\n'),
                        't' => self.byte(b'\t'),
                        'e' => self.byte(0x1b),
                        '"' | '\\' => self.byte(e as u8),
                        'x' => {
                            let b = rest
                                .get(..2)
                                .and_then(|h| u8::from_str_radix(h, 16).ok())
                                .ok_or("\\x needs two hex digits; write \\x1D")?;
                            self.byte(b);
                            rest = &rest[2..];
                        }
                        _ => return Err("a text knows \\r \\n \\t \\e \\xNN \\\" and \\\\; write a backslash as \\\\".into()),
                    }
                }
                c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| self.byte(b)),
            }
        }
        Err("the closing quote is missing; end the text with \"".into())
    }

    /// A place after its opening brace; answers what follows the closing one.
    fn place<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let (inside, rest) = text.split_once('}').ok_or("a place has no closing brace; write {name}, or {{ for a brace in a text")?;
        let (name, form) = inside.split_once(':').unwrap_or((inside, ""));
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(fine) {
            return Err(format!("{{{inside}}} is no place; write {{name}} with small letters, or {{name:4}}"));
        }
        let form = match form {
            "" => Form::Open,
            "d" => Form::Digits,
            "yn" => Form::YesNo,
            "u8" => Form::U8,
            "u16be" => Form::U16be,
            "u16le" => Form::U16le,
            "u32be" => Form::U32be,
            n => match (n.trim_end_matches('d').parse(), n.matches('d').count(), n.strip_prefix("u8+")) {
                (Ok(n @ 1..=4096), 0, _) => Form::Wide(n),
                (Ok(n @ 1..=4096), 1, _) => Form::WideDigits(n),
                (_, _, Some(hex)) if hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    Form::U8From(u8::from_str_radix(hex, 16).unwrap_or(0))
                }
                _ => {
                    return Err(format!(
                        "{{{inside}}}: a place is as wide as a number from 1 to 4096 says, or d, 6d, yn, u8, u8+30, u16be, u16le, u32be"
                    ));
                }
            },
        };
        self.0.push(Piece::Place { name: name.into(), form });
        Ok(rest)
    }

    /// An open place ends where the next literal begins, so something must follow it, or nothing.
    fn one_reading(&self) -> Result<(), String> {
        for pair in self.0.windows(2) {
            if let [Piece::Place { name, form: Form::Open | Form::Digits }, Piece::Place { name: next, .. }] = pair {
                return Err(format!(
                    "nobody knows where {{{name}}} ends and {{{next}}} begins; give the first a width, or put a byte between"
                ));
            }
        }
        Ok(())
    }

    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|p| if let Piece::Place { name, .. } = p { Some(name.as_str()) } else { None })
    }

    pub fn has(&self, place: &str) -> bool {
        self.places().any(|p| p == place)
    }

    /// The literal bytes right behind a place.
    pub fn after(&self, place: &str) -> Option<Vec<u8>> {
        let i = self.0.iter().position(|p| matches!(p, Piece::Place { name, .. } if name == place))?;
        match self.0.get(i + 1) {
            Some(Piece::Bytes(b)) => Some(b.clone()),
            _ => None,
        }
    }

    /// Bytes that stand in it whatever its places hold.
    pub fn fixed(&self) -> usize {
        self.0.iter().map(|p| if let Piece::Bytes(b) = p { b.len() } else { 0 }).sum()
    }

    /// Six of its bytes or more must be digits, or Y or N: hardly another text would fit.
    pub fn is_narrow(&self) -> bool {
        let narrow = |p: &Piece| match p {
            Piece::Place { form: Form::Digits | Form::YesNo, .. } => 1,
            Piece::Place { form: Form::WideDigits(n), .. } => *n,
            _ => 0,
        };
        self.0.iter().map(narrow).sum::<usize>() >= 6
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its bytes, if it has no place.
    pub fn literal(&self) -> Option<Vec<u8>> {
        match self.0.as_slice() {
            [] => Some(Vec::new()),
            [Piece::Bytes(b)] => Some(b.clone()),
            _ => None,
        }
    }

    /// Its bytes; `Err`: the place nothing was given for, or whose value does not fit.
    pub fn render(&self, of: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for piece in &self.0 {
            let (name, form) = match piece {
                Piece::Bytes(b) => {
                    out.extend(b);
                    continue;
                }
                Piece::Place { name, form } => (name, *form),
            };
            let value = match name.strip_suffix(".length") {
                Some(of_what) => of(of_what).map(|v| v.len().to_string().into_bytes()),
                None => of(name),
            };
            let value = value.ok_or_else(|| format!("nothing stands for {{{name}}}"))?;
            let wide = || std::str::from_utf8(&value).ok().and_then(|t| t.trim().parse::<u32>().ok());
            let number = || wide().and_then(|n| u16::try_from(n).ok());
            let long = || format!("{} does not fit into {{{name}}}", String::from_utf8_lossy(&value));
            match form {
                Form::Open => out.extend(&value),
                Form::Digits | Form::WideDigits(_) if !value.iter().all(u8::is_ascii_digit) || value.is_empty() => return Err(long()),
                Form::YesNo if !is_yes_or_no(&value) => return Err(long()),
                Form::Digits | Form::YesNo => out.extend(&value),
                Form::Wide(n) | Form::WideDigits(n) if value.len() > n => return Err(long()),
                Form::Wide(n) | Form::WideDigits(n) if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                    out.extend(std::iter::repeat_n(b'0', n - value.len()));
                    out.extend(&value);
                }
                Form::Wide(n) | Form::WideDigits(n) => {
                    out.extend(&value);
                    out.extend(std::iter::repeat_n(b' ', n - value.len()));
                }
                Form::U8 => out.push(number().and_then(|n| u8::try_from(n).ok()).ok_or_else(long)?),
                Form::U8From(from) => {
                    let byte = number().and_then(|n| n.checked_add(from.into())).and_then(|n| u8::try_from(n).ok());
                    out.push(byte.ok_or_else(long)?);
                }
                Form::U16be => out.extend(number().ok_or_else(long)?.to_be_bytes()),
                Form::U16le => out.extend(number().ok_or_else(long)?.to_le_bytes()),
                Form::U32be => out.extend(wide().ok_or_else(long)?.to_be_bytes()),
            }
        }
        Ok(out)
    }

    /// What stands in its places, if `bytes` are of this pattern from the first to the last.
    pub fn read(&self, bytes: &[u8]) -> Option<Values> {
        let mut values = Values::default();
        let mut rest = bytes;
        for (i, piece) in self.0.iter().enumerate() {
            let (name, form) = match piece {
                Piece::Bytes(b) => {
                    rest = rest.strip_prefix(b.as_slice())?;
                    continue;
                }
                Piece::Place { name, form } => (name, *form),
            };
            let take = match form {
                Form::Open | Form::Digits => match self.0.get(i + 1) {
                    Some(Piece::Bytes(next)) if i + 2 == self.0.len() => rest.len().checked_sub(next.len())?,
                    Some(Piece::Bytes(next)) => rest.windows(next.len()).position(|w| w == next.as_slice())?,
                    _ => rest.len(),
                },
                Form::Wide(n) | Form::WideDigits(n) => n,
                Form::U8 | Form::U8From(_) | Form::YesNo => 1,
                Form::U16be | Form::U16le => 2,
                Form::U32be => 4,
            };
            let (value, after) = rest.split_at_checked(take)?;
            rest = after;
            match form {
                Form::Digits | Form::WideDigits(_) if value.is_empty() || !value.iter().all(u8::is_ascii_digit) => return None,
                Form::YesNo if !is_yes_or_no(value) => return None,
                _ => {}
            }
            let value = match (form, value) {
                (Form::U8, [b]) => b.to_string().into_bytes(),
                (Form::U8From(from), [b]) => b.checked_sub(from)?.to_string().into_bytes(),
                (Form::U16be, [a, b]) => u16::from_be_bytes([*a, *b]).to_string().into_bytes(),
                (Form::U16le, [a, b]) => u16::from_le_bytes([*a, *b]).to_string().into_bytes(),
                (Form::U32be, [a, b, c, d]) => u32::from_be_bytes([*a, *b, *c, *d]).to_string().into_bytes(),
                _ => value.to_vec(),
            };
            // The same place twice says the same twice.
            if values.bytes(name).is_some_and(|v| v != value) {
                return None;
            }
            values.put(name, value);
        }
        let lengths = values.iter().filter_map(|(n, _)| Some((n.strip_suffix(".length")?, values.number(n)?)));
        let agree = lengths.into_iter().all(|(of, n)| values.bytes(of).is_none_or(|v| v.len() as u64 == n));
        (rest.is_empty() && agree).then_some(values)
    }
}

fn is_yes_or_no(value: &[u8]) -> bool {
    matches!(value, b"Y" | b"N")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str, values: &[(&str, &str)], bytes: &[u8]) {
        let p = Pattern::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let of = |n: &str| values.iter().find(|v| v.0 == n).map(|v| v.1.as_bytes().to_vec());
        assert_eq!(p.render(&of).unwrap().escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{text}");
        let read = p.read(bytes).unwrap_or_else(|| panic!("{text} is not read"));
        for (n, v) in values {
            assert_eq!(read.text(n).unwrap().trim_start_matches('0'), v.trim_start_matches('0'), "{text}");
        }
    }

    #[test]
    fn what_is_rendered_is_read() {
        round("STX \"U\" {field} LF {code} ETX", &[("field", "B"), ("code", "X\x1d1")], b"\x02UB\nX\x1d1\x03");
        round("1B4F45 {code.length:4}{code} 04", &[("code", "ABCD")], b"\x1bOE0004ABCD\x04");
        round("DLE {item:u8+30}{code}", &[("item", "100"), ("code", "ABC")], b"\x10\x94ABC");
        round("\"QLN|{fill}|{full}|\"", &[("fill", "12"), ("full", "3")], b"QLN|12|3|");
        round("ESC {unit:u8} {n:u16be} {m:u16le}", &[("unit", "7"), ("n", "258"), ("m", "258")], b"\x1b\x07\x01\x02\x02\x01");
        round("33 {n:u32be}", &[("n", "66051")], b"\x33\x00\x01\x02\x03");
        round("{a:d} \",\" {b:1d} {c:yn} {d:3d}", &[("a", "1024"), ("b", "0"), ("c", "Y"), ("d", "017")], b"1024,0Y017");
        round("\"{{~JN0|{job}|}}\"", &[("job", "a")], b"{~JN0|a|}");
        round("\"a\\\"\\\\\\x1d\\t\"", &[], b"a\"\\\x1d\t");
    }

    #[test]
    fn a_wrong_length_or_a_rest_is_not_read() {
        assert_eq!(Pattern::parse("\"OE\" {code.length:4} {code}").unwrap().read(b"OE0003ABCD"), None);
        assert_eq!(Pattern::parse("\"A\" {x:2}").unwrap().read(b"A1"), None);
        assert_eq!(Pattern::parse("DLE {item:u8+30}").unwrap().read(b"\x10\x19"), None);
        assert_eq!(Pattern::parse("\"A\" {x:2}").unwrap().read(b"A123"), None);
        for (pattern, bytes) in [("{a:d} \",\" {b:d}", "1,2,3"), ("{a:d}", ""), ("{a:2d}", "1x"), ("{a:yn}{b:yn}", "YX"), ("{a:yn}", "YN")]
        {
            assert_eq!(Pattern::parse(pattern).unwrap().read(bytes.as_bytes()), None, "{pattern} {bytes}");
        }
        assert_eq!(Pattern::parse("{a} \"|\" {a}").unwrap().read(b"1|2"), None);
    }

    #[test]
    fn wrong_notation_says_what_would_be_right() {
        for wrong in ["1B4", "FOO", "\"open", "{open", "{a}{b}", "{A}", "{a:0}", "{a:u8+3}", "{a:dd}", "{a:d}{b}", "\"\\q\""] {
            let e = Pattern::parse(wrong).unwrap_err();
            assert!(e.contains("; ") || e.contains("write") || e.contains("or d,"), "{wrong}: {e}");
        }
    }
}
