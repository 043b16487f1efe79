//! Frames that say how long they are.

use super::frames::{Cut, Cutter, Raw};
use crate::profile::reader::{Framing, Order};

#[derive(Debug)]
pub(super) struct Counted {
    start: Vec<u8>,
    width: usize,
    order: Order,
    adds: i64,
    /// A checksum that stands in what is counted.
    sum: usize,
    longest: usize,
    buf: Vec<u8>,
}

impl Counted {
    pub fn new(how: &Framing) -> Self {
        let (start, width, order, adds) = how.length().unwrap_or((b"", 1, Order::Big, 0));
        let sum = how.sum().map_or(0, |s| s.width());
        Self { start: start.to_vec(), width, order, adds, sum, longest: how.max_bytes as usize, buf: Vec::new() }
    }

    /// What follows the length field; `None`: not all of the field is there, or it cannot be.
    fn follows(&self) -> Option<Result<usize, ()>> {
        let field = self.buf.get(self.start.len()..self.start.len() + self.width)?;
        let digit = |n: u64, b: &u8| n << 8 | u64::from(*b);
        let n = match self.order {
            Order::Big => field.iter().fold(0, digit),
            Order::Little => field.iter().rev().fold(0, digit),
        };
        let follows = i64::try_from(n).unwrap_or(i64::MAX).saturating_add(self.adds);
        let fits = usize::try_from(follows).ok().filter(|f| *f > self.sum && *f <= self.longest);
        Some(fits.ok_or(()))
    }
}

impl Cutter for Counted {
    fn push(&mut self, byte: u8, out: &mut Vec<Cut>) {
        self.buf.push(byte);
        let mut junk = Vec::new();
        loop {
            let begins = self.buf.iter().zip(&self.start).all(|(a, b)| a == b);
            match self.follows() {
                _ if !begins => junk.push(self.buf.remove(0)),
                Some(Err(())) => junk.push(self.buf.remove(0)),
                Some(Ok(n)) if self.buf.len() == self.start.len() + self.width + n => {
                    let body = self.buf.split_off(self.start.len() + self.width);
                    let head = std::mem::take(&mut self.buf);
                    out.push(Cut::Junk(std::mem::take(&mut junk)));
                    out.push(Cut::Frame(Raw { head, body, ..Raw::default() }));
                    break;
                }
                _ => break,
            }
        }
        out.push(Cut::Junk(junk));
    }

    fn silence(&mut self, out: &mut Vec<Cut>) {
        out.push(Cut::Junk(std::mem::take(&mut self.buf)));
    }

    fn held(&self) -> usize {
        self.buf.len()
    }
}
