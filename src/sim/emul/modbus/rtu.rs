//! Requests and answers as RTU telegrams: unit, function and what belongs to it, CRC-16 low byte first; 3.5 characters
//! of silence before an answer. A telegram with a wrong CRC, or for another unit, gets no answer (Modbus over serial
//! line 1.02 §2.4.1); half a telegram is forgotten when nothing follows it.

use super::Modbus;
use crate::sim::emul::Link;
use crate::vocab::time::MS;

/// So long after half a telegram a new one begins; 1.5 characters by the document, more for terminals and threads.
const HALF_US: u64 = 20 * MS;

impl Modbus {
    /// Bytes come: what is left of a telegram that stopped half way is no part of them.
    pub(super) fn begin_telegram(&mut self, link: Link, now_us: u64) {
        let stale = now_us > std::mem::replace(&mut self.heard_us, now_us) + HALF_US;
        if let Some(bytes) = self.links.get_mut(&link).filter(|_| stale) {
            bytes.clear();
        }
    }

    pub(super) fn take_telegrams(&mut self, link: Link, baud: u32, now_us: u64) {
        loop {
            let Some(bytes) = self.links.get_mut(&link) else { return };
            let Some(length) = length(bytes) else { return };
            if bytes.len() < length {
                return;
            }
            let telegram: Vec<u8> = bytes.drain(..length).collect();
            let (body, sum) = telegram.split_at(length - 2);
            if crc(body) != *sum {
                // Out of step: only a silence says where the next begins.
                bytes.clear();
                return;
            }
            if body[0] != self.how.unit {
                continue;
            }
            let answer = self.obeyed(&body[1..], now_us);
            if std::mem::take(&mut self.silence) {
                continue;
            }
            let mut frame = [&[self.how.unit][..], &answer].concat();
            let sum = crc(&frame);
            frame.extend(sum);
            let silence_us = if baud > 19_200 { 1_750 } else { 38_500_000 / u64::from(baud.max(1)) };
            let at_us = (now_us + silence_us + self.rng.below(2 * MS + 1)).max(self.answered_us);
            self.answered_us = self.out.acknowledge(link, frame, at_us);
        }
    }
}

/// How long the telegram is whose first bytes these are.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [_, 1..=6, ..] => Some(8),
        [_, 0x0f | 0x10, _, _, _, _, n, ..] => Some(9 + usize::from(*n)),
        [_, 0x0f | 0x10, ..] | [] | [_] => None,
        // A function that is not known here has nothing behind it that could be counted.
        _ => Some(bytes.len().max(4)),
    }
}

/// Polynomial 0xA001, begun with ones (1.02, annex B).
pub(super) fn crc(bytes: &[u8]) -> [u8; 2] {
    let sum = bytes
        .iter()
        .fold(0xffff_u16, |sum, byte| (0..8).fold(sum ^ u16::from(*byte), |s, _| if s & 1 == 1 { s >> 1 ^ 0xa001 } else { s >> 1 }));
    sum.to_le_bytes()
}
