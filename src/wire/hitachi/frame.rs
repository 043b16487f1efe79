//! How Modbus requests and answers are wrapped on TCP: transaction, protocol 0, length and unit (messaging on TCP/IP 1.0b
//! §3.1.3). Must never know: what a request asks. Invariant: what is held is bounded by the longest answer.

const HEADER: usize = 7;
const LONGEST: usize = 260;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    Tcp,
}

/// A whole answer, unwrapped.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub transaction: Option<u16>,
    pub unit: u8,
    /// Function and what follows it.
    pub pdu: Vec<u8>,
}

/// What the bytes that came so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Answer(Answer),
    /// More must come.
    Half,
    /// This is no Modbus.
    Wrong(&'static str),
}

impl Wrap {
    pub fn request(self, transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let [t0, t1] = transaction.to_be_bytes();
        let [l0, l1] = (pdu.len() as u16 + 1).to_be_bytes();
        [&[t0, t1, 0, 0, l0, l1, unit][..], pdu].concat()
    }

    /// Takes one whole answer from the front of `buf`.
    pub fn take(self, buf: &mut Vec<u8>) -> Found {
        if buf.len() < HEADER {
            return Found::Half;
        }
        let length = usize::from(u16::from_be_bytes([buf[4], buf[5]]));
        if buf[2..4] != [0, 0] || !(3..=LONGEST - 6).contains(&length) {
            return Found::Wrong("its answer is no Modbus");
        }
        if buf.len() < 6 + length {
            return Found::Half;
        }
        let bytes: Vec<u8> = buf.drain(..6 + length).collect();
        let transaction = Some(u16::from_be_bytes([bytes[0], bytes[1]]));
        Found::Answer(Answer { transaction, unit: bytes[6], pdu: bytes[HEADER..].to_vec() })
    }
}
