//! The syntax dictionary, parsed once from the text inside the binary: what each AI's value looks like and which AIs go
//! together.
//!
//! Must never know: messages. The form of a line is told at the head of the dictionary itself.

use super::charset::Charset;
use super::lint::Linter;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// An application identifier: two to four digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ai {
    digits: [u8; 4],
    len: u8,
}

impl Ai {
    /// From its ASCII digits; `None` unless there are two to four of them.
    pub fn new(text: &[u8]) -> Option<Self> {
        if !(2..=4).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = [0; 4];
        digits[..text.len()].copy_from_slice(text);
        Some(Self { digits, len: text.len() as u8 })
    }

    pub fn digits(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }

    /// The AI one higher with as many digits.
    fn next(self) -> Self {
        let mut next = self;
        for d in next.digits[..usize::from(self.len)].iter_mut().rev() {
            if *d < b'9' {
                *d += 1;
                break;
            }
            *d = b'0';
        }
        next
    }
}

impl fmt::Display for Ai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().iter().try_for_each(|d| write!(f, "{}", *d as char))
    }
}

impl fmt::Debug for Ai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({self})")
    }
}

/// An AI, or a group of them with `n` for any digit (`35nn`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    pub fn covers(&self, ai: Ai) -> bool {
        self.0.len() == ai.digits().len() && self.0.bytes().zip(ai.digits()).all(|(p, d)| p == b'n' || p == *d)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One part of a value.
#[derive(Debug)]
pub struct Part {
    pub(super) charset: Charset,
    /// Characters, at least and at most.
    pub least: usize,
    pub most: usize,
    pub optional: bool,
    pub(super) linters: Vec<Linter>,
}

/// What the dictionary says of one AI.
#[derive(Debug)]
pub struct Rule {
    /// Its length is known beforehand: no FNC1 after it.
    pub predefined: bool,
    /// May stand in the query of a Digital Link.
    pub attribute: bool,
    pub parts: Vec<Part>,
    /// For each demand its alternatives, each a set of AIs that must all be there.
    pub requires: Vec<Vec<Vec<Pattern>>>,
    pub excludes: Vec<Pattern>,
    /// A primary key of a Digital Link, with the alternatives for its qualifiers in their order.
    pub key: Option<Vec<Vec<Ai>>>,
    pub title: String,
}

impl Rule {
    /// Length of the value when it is fixed.
    pub fn fixed_len(&self) -> Option<usize> {
        self.parts.iter().all(|p| !p.optional && p.least == p.most).then(|| self.parts.iter().map(|p| p.most).sum())
    }

    /// Characters of a value without its optional parts.
    pub fn least_len(&self) -> usize {
        self.parts.iter().filter(|p| !p.optional).map(|p| p.least).sum()
    }
}

/// The dictionary.
pub struct Dictionary {
    rules: Vec<Rule>,
    by_ai: BTreeMap<Ai, usize>,
    /// Digits of an AI by its first two; 0 where the dictionary has none.
    lengths: [u8; 100],
    unknown: Rule,
}

impl Dictionary {
    pub fn rule(&self, ai: Ai) -> Option<&Rule> {
        self.by_ai.get(&ai).map(|i| &self.rules[*i])
    }

    /// The AI at the beginning of `data`, with its rule.
    pub fn leading(&self, data: &[u8]) -> Option<(Ai, &Rule)> {
        let (a, b) = (data.first()?, data.get(1)?);
        if !a.is_ascii_digit() || !b.is_ascii_digit() {
            return None;
        }
        let len = usize::from(self.lengths[usize::from(a - b'0') * 10 + usize::from(b - b'0')]);
        let ai = Ai::new(data.get(..len)?)?;
        self.rule(ai).map(|rule| (ai, rule))
    }

    /// The rule of an AI this dictionary does not have: any text. `None` where it has AIs that begin so, but of another
    /// length, so that it cannot be one.
    pub fn unknown(&self, ai: Ai) -> Option<&Rule> {
        let d = ai.digits();
        let len = self.lengths[usize::from(d[0] - b'0') * 10 + usize::from(d[1] - b'0')];
        (len == 0 || usize::from(len) == d.len()).then_some(&self.unknown)
    }

    /// Every AI with its rule, in order.
    pub fn all(&self) -> impl Iterator<Item = (Ai, &Rule)> {
        self.by_ai.iter().map(|(ai, i)| (*ai, &self.rules[*i]))
    }
}

/// The dictionary inside this binary.
pub fn dictionary() -> &'static Dictionary {
    static DICTIONARY: OnceLock<Dictionary> = OnceLock::new();
    DICTIONARY.get_or_init(|| parse(include_str!("gs1-syntax-dictionary.txt")).expect("a test reads the dictionary that is built in"))
}

/// Reads a dictionary; the error is the line that cannot be read.
fn parse(text: &str) -> Result<Dictionary, String> {
    let unknown = Part { charset: Charset::Any82, least: 1, most: 90, optional: false, linters: Vec::new() };
    let mut d = Dictionary {
        rules: Vec::new(),
        by_ai: BTreeMap::new(),
        lengths: [0; 100],
        unknown: Rule {
            predefined: false,
            attribute: true,
            parts: vec![unknown],
            requires: Vec::new(),
            excludes: Vec::new(),
            key: None,
            title: String::new(),
        },
    };
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        let (first, last, rule) = entry(line).ok_or_else(|| line.to_string())?;
        let mut ai = first;
        loop {
            d.by_ai.insert(ai, d.rules.len());
            let two = usize::from(ai.digits[0] - b'0') * 10 + usize::from(ai.digits[1] - b'0');
            if d.lengths[two] != 0 && d.lengths[two] != ai.len {
                return Err(format!("{line}: AIs that begin alike have two lengths"));
            }
            d.lengths[two] = ai.len;
            if ai == last {
                break;
            }
            ai = ai.next();
        }
        d.rules.push(rule);
    }
    Ok(d)
}

fn entry(line: &str) -> Option<(Ai, Ai, Rule)> {
    let (body, title) = line.split_once('#').unwrap_or((line, ""));
    let mut words = body.split_ascii_whitespace().peekable();
    let ais = words.next()?;
    let (first, last) = ais.split_once('-').unwrap_or((ais, ais));
    let (first, last) = (Ai::new(first.as_bytes())?, Ai::new(last.as_bytes())?);
    if first.len != last.len || first > last {
        return None;
    }
    let flags = words.next_if(|w| !w.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')).unwrap_or("");
    let mut rule = Rule {
        predefined: flags.contains('*'),
        attribute: flags.contains('?'),
        parts: Vec::new(),
        requires: Vec::new(),
        excludes: Vec::new(),
        key: None,
        title: title.trim().to_string(),
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("req", list) => {
                rule.requires.push(list.split(',').map(|group| group.split('+').map(|p| Pattern(p.into())).collect()).collect());
            }
            ("ex", list) => rule.excludes.extend(list.split(',').map(|p| Pattern(p.into()))),
            ("dlpkey", "") => rule.key = Some(Vec::new()),
            ("dlpkey", list) => {
                let sequence = |s: &str| s.split(',').map(|a| Ai::new(a.as_bytes())).collect::<Option<Vec<_>>>();
                rule.key = Some(list.split('|').map(sequence).collect::<Option<Vec<_>>>()?);
            }
            (_, "") => rule.parts.push(part(word)?),
            _ => return None,
        }
    }
    // Predefined lengths are what lets a reader find the next AI without FNC1.
    (!rule.parts.is_empty() && (!rule.predefined || rule.fixed_len().is_some())).then_some((first, last, rule))
}

/// `N14,csum,gcppos2`, `X..20`, `[N3],iso3166`.
fn part(word: &str) -> Option<Part> {
    let mut pieces = word.split(',');
    let form = pieces.next()?;
    let inner = form.strip_prefix('[').and_then(|f| f.strip_suffix(']'));
    let (form, optional) = (inner.unwrap_or(form), inner.is_some());
    let charset = Charset::from_letter(form.as_bytes().first().copied()?)?;
    let (least, most) = match form[1..].strip_prefix("..") {
        Some(most) => (1, most.parse().ok()?),
        None => form[1..].parse().ok().map(|n| (n, n))?,
    };
    Some(Part { charset, least, most, optional, linters: pieces.map(Linter::from_name).collect::<Option<Vec<_>>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ai(text: &str) -> Ai {
        Ai::new(text.as_bytes()).expect("an AI")
    }

    #[test]
    fn the_built_in_dictionary_is_read_whole() {
        let d = parse(include_str!("gs1-syntax-dictionary.txt")).expect("every line is understood");
        assert!(d.by_ai.len() > 500, "{}", d.by_ai.len());
        let sgtin = d.rule(ai("01")).expect("GTIN");
        assert!(sgtin.predefined && sgtin.attribute && sgtin.fixed_len() == Some(14));
        assert_eq!(sgtin.key, Some(vec![vec![ai("22"), ai("10"), ai("21")], vec![ai("235")]]));
        assert_eq!(d.rule(ai("00")).expect("SSCC").key, Some(Vec::new()));
        assert_eq!(d.rule(ai("21")).expect("serial").title, "SERIAL");
        assert!(d.rule(ai("89")).is_none() && d.rule(ai("95")).is_some() && d.rule(ai("3106")).is_none());
        assert_eq!(d.rule(ai("250")).expect("secondary serial").requires[0].len(), 3);
        assert!(Pattern("35nn".into()).covers(ai("3571")) && !Pattern("35nn".into()).covers(ai("3671")));
        // GS1 General Specifications 7.8.5: only these beginnings have a predefined length.
        let two: std::collections::BTreeSet<String> =
            d.all().filter(|(_, r)| r.predefined).map(|(a, _)| a.to_string()[..2].to_string()).collect();
        let known = "00 01 02 03 11 12 13 15 16 17 20 31 32 33 34 35 36 41";
        assert_eq!(two.iter().map(String::as_str).collect::<Vec<_>>().join(" "), known);
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        assert_eq!(parse("01 * N14,nosuchlinter # X").err(), Some("01 * N14,nosuchlinter # X".into()));
        assert!(parse("01 * N..14 # a predefined length that varies").is_err());
        assert!(parse("01 * N14\n011 X..3").is_err());
    }
}
