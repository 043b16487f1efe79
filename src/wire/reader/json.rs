//! JSON objects in a stream, glued or apart; and what a profile looks for in one.

use super::frames::{Cut, Cutter, Raw};
use serde_json::Value;

/// Objects in objects at most.
const DEEPEST: u32 = 32;

#[derive(Debug)]
pub(super) struct Objects {
    buf: Vec<u8>,
    depth: u32,
    inside_text: bool,
    escaped: bool,
    longest: usize,
}

impl Objects {
    pub fn new(longest: usize) -> Self {
        Self { buf: Vec::new(), depth: 0, inside_text: false, escaped: false, longest }
    }

    fn give_up(&mut self, out: &mut Vec<Cut>) {
        (self.depth, self.inside_text, self.escaped) = (0, false, false);
        out.push(Cut::Junk(std::mem::take(&mut self.buf)));
    }
}

impl Cutter for Objects {
    fn push(&mut self, byte: u8, out: &mut Vec<Cut>) {
        if self.depth == 0 && byte != b'{' {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | 0) {
                out.push(Cut::Junk(vec![byte]));
            }
            return;
        }
        self.buf.push(byte);
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.inside_text => self.escaped = true,
            b'"' => self.inside_text = !self.inside_text,
            _ if self.inside_text => {}
            b'{' => self.depth += 1,
            b'}' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 0 {
            out.push(Cut::Frame(Raw { body: std::mem::take(&mut self.buf), ..Raw::default() }));
        } else if self.buf.len() >= self.longest || self.depth > DEEPEST {
            self.give_up(out);
        }
    }

    fn silence(&mut self, out: &mut Vec<Cut>) {
        self.give_up(out);
    }

    fn held(&self) -> usize {
        self.buf.len()
    }
}

/// The value at a path of keys with dots, as text: a text, a number or a truth.
pub(super) fn word(object: &Value, path: &str) -> Option<String> {
    match at(object, path)? {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// The texts at a path: one, or a list of them. `None`: something else stands there.
pub(super) fn texts(object: &Value, path: &str) -> Option<Vec<String>> {
    match at(object, path)? {
        Value::String(s) => Some(vec![s.clone()]),
        Value::Array(all) => all.iter().map(|v| v.as_str().map(Into::into)).collect(),
        _ => None,
    }
}

fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(object, |v, key| v.get(key))
}
