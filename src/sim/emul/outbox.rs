//! Bytes on their way out of a device: each leaves at its moment, in order, unless a trouble says otherwise.

use super::{Emission, Link};
use crate::sim::bench::Trouble;
use crate::vocab::time::MS;
use std::collections::VecDeque;

/// A sending that waits to be glued to the next leaves alone after this long.
const GLUE_LONGEST_US: u64 = 50 * MS;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// By moment of leaving.
    waiting: VecDeque<Parcel>,
    ready: VecDeque<(Link, Vec<u8>)>,
    /// Nothing leaves before: a second half is still to come.
    not_before_us: u64,
    split_ms: Option<u32>,
    glue: bool,
    held: Option<Parcel>,
    late_ms: Option<u32>,
    double: bool,
}

#[derive(Debug)]
struct Parcel {
    at_us: u64,
    link: Link,
    bytes: Vec<u8>,
}

impl Outbox {
    /// Takes the troubles of bytes under way; false: not one of these.
    pub fn trouble(&mut self, what: Trouble) -> bool {
        match what {
            Trouble::Split { ms } => self.split_ms = Some(ms),
            Trouble::Glue => self.glue = true,
            Trouble::LateAck { ms } => self.late_ms = Some(ms),
            Trouble::DoubleAck | Trouble::DoubleFrame => self.double = true,
            _ => return false,
        }
        true
    }

    /// Sends at `at_us`; answers when the last byte leaves.
    pub fn send(&mut self, link: Link, bytes: Vec<u8>, at_us: u64) -> u64 {
        let at_us = at_us.max(self.not_before_us);
        if let Some(held) = self.held.take_if(|h| h.link == link) {
            let bytes = [held.bytes, bytes].concat();
            return self.queue(Parcel { at_us, link, bytes });
        }
        if std::mem::take(&mut self.glue) {
            let until = at_us + GLUE_LONGEST_US;
            self.held = Some(Parcel { at_us: until, link, bytes });
            return until;
        }
        match self.split_ms.take() {
            Some(ms) if bytes.len() > 1 => {
                let second = bytes[bytes.len() / 2..].to_vec();
                let first = bytes[..bytes.len() / 2].to_vec();
                self.queue(Parcel { at_us, link, bytes: first });
                let last = at_us + u64::from(ms) * MS;
                self.not_before_us = last;
                self.queue(Parcel { at_us: last, link, bytes: second })
            }
            other => {
                self.split_ms = other;
                self.queue(Parcel { at_us, link, bytes })
            }
        }
    }

    /// As `send`, for what the host waits for: may be late or come twice.
    pub fn acknowledge(&mut self, link: Link, bytes: Vec<u8>, at_us: u64) -> u64 {
        let at_us = at_us + u64::from(self.late_ms.take().unwrap_or(0)) * MS;
        if std::mem::take(&mut self.double) {
            self.send(link, bytes.clone(), at_us);
        }
        self.send(link, bytes, at_us)
    }

    pub fn due(&mut self, now_us: u64) {
        if let Some(p) = self.held.take_if(|h| h.at_us <= now_us) {
            self.queue(p);
        }
        while self.waiting.front().is_some_and(|p| p.at_us <= now_us) {
            let p = self.waiting.pop_front().expect("just seen");
            self.ready.push_back((p.link, p.bytes));
        }
    }

    pub fn deadline(&self) -> Option<u64> {
        let waiting = self.waiting.front().map(|p| p.at_us);
        waiting.into_iter().chain(self.held.as_ref().map(|p| p.at_us)).min()
    }

    pub fn poll(&mut self) -> Option<(Link, Emission)> {
        self.ready.pop_front().map(|(link, bytes)| (link, Emission::Send(bytes)))
    }

    /// The link is gone, and with it what was under way to it.
    pub fn forget(&mut self, link: Link) {
        self.waiting.retain(|p| p.link != link);
        self.ready.retain(|(l, _)| *l != link);
        self.held.take_if(|h| h.link == link);
    }

    fn queue(&mut self, parcel: Parcel) -> u64 {
        let at_us = parcel.at_us;
        let place = self.waiting.partition_point(|p| p.at_us <= at_us);
        self.waiting.insert(place, parcel);
        at_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const L: Link = Link::FIRST;

    fn all(o: &mut Outbox, now_us: u64) -> Vec<Vec<u8>> {
        o.due(now_us);
        std::iter::from_fn(|| o.poll()).map(|(_, e)| if let Emission::Send(b) = e { b } else { panic!("a sending") }).collect()
    }

    #[test]
    fn leaves_at_its_moment_in_order() {
        let mut o = Outbox::default();
        o.send(L, b"b".into(), 20);
        o.send(L, b"a".into(), 10);
        o.send(L, b"c".into(), 20);
        assert_eq!(o.deadline(), Some(10));
        assert_eq!(all(&mut o, 9), Vec::<Vec<u8>>::new());
        assert_eq!(all(&mut o, 20), [b"a", b"b", b"c"]);
        assert_eq!(o.deadline(), None);
    }

    #[test]
    fn a_split_sending_is_not_interrupted() {
        let mut o = Outbox::default();
        o.trouble(Trouble::Split { ms: 5 });
        assert_eq!(o.send(L, b"abcd".into(), 0), 5_000);
        o.send(L, b"e".into(), 1);
        assert_eq!(all(&mut o, 4_999), [b"ab"]);
        assert_eq!(all(&mut o, 5_000), [b"cd".to_vec(), b"e".to_vec()]);
    }

    #[test]
    fn glued_sendings_leave_as_one_and_a_lone_one_does_not_wait_for_ever() {
        let mut o = Outbox::default();
        o.trouble(Trouble::Glue);
        o.send(L, b"a".into(), 0);
        assert!(all(&mut o, 10).is_empty());
        o.send(L, b"b".into(), 10);
        assert_eq!(all(&mut o, 10), [b"ab"]);
        o.trouble(Trouble::Glue);
        o.send(L, b"c".into(), 20);
        assert_eq!(o.deadline(), Some(20 + GLUE_LONGEST_US));
        assert_eq!(all(&mut o, 20 + GLUE_LONGEST_US), [b"c"]);
    }

    #[test]
    fn an_acknowledgement_can_be_late_or_double() {
        let mut o = Outbox::default();
        o.trouble(Trouble::LateAck { ms: 3 });
        o.trouble(Trouble::DoubleAck);
        o.acknowledge(L, b"A".into(), 0);
        assert!(all(&mut o, 2_999).is_empty());
        assert_eq!(all(&mut o, 3_000), [b"A", b"A"]);
    }

    #[test]
    fn a_lost_link_takes_its_bytes_along() {
        let mut o = Outbox::default();
        o.send(L, b"a".into(), 0);
        o.send(Link(1), b"b".into(), 0);
        o.forget(L);
        assert_eq!(all(&mut o, 0), [b"b"]);
    }
}
