//! Where frames begin and end, and their checksums.

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Framing {
    pub form: Form,
    /// A longer frame is none; 16 to 65536.
    #[serde(default = "usual_longest")]
    pub max_bytes: u32,
    /// A frame begun and not ended this long (ms) after its last byte is none; 0: it may stand for ever.
    #[serde(default)]
    pub timeout_ms: u32,
    /// Bytes taken off both ends of a frame.
    #[serde(default)]
    pub strip: String,
    /// Bytes taken out wherever they stand in a frame.
    #[serde(default)]
    pub drop: String,
    pub checksum: Option<Checksum>,
}

impl Default for Framing {
    fn default() -> Self {
        let form = Form::Delimited { start: String::new(), end: vec!["\r".into(), "\n".into()], skip: String::new(), blank: false };
        Self { form, max_bytes: usual_longest(), timeout_ms: 0, strip: String::new(), drop: String::new(), checksum: None }
    }
}

fn usual_longest() -> u32 {
    8_192
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Form {
    /// `start … end`; without a start a frame begins where the one before ended.
    Delimited {
        #[serde(default)]
        start: String,
        /// Any of these ends it.
        end: Vec<String>,
        /// Bytes passed over between frames.
        #[serde(default)]
        skip: String,
        /// An empty frame is a frame too.
        #[serde(default)]
        blank: bool,
    },
    /// `start`, a length of `bytes` bytes, and so many bytes plus `adds`.
    Length {
        #[serde(default)]
        start: String,
        bytes: u32,
        #[serde(default)]
        order: Order,
        #[serde(default)]
        adds: i32,
    },
    /// Zebra SSI: a length that counts itself but not the two bytes of the checksum behind its frame.
    Ssi,
    /// SICK CoLa B: four STX, four bytes of length, the data, the exclusive or of the data.
    ColaB,
    /// A frame is what came before a silence; the setting `gap_ms` stands in.
    IdleGap { gap_ms: u32 },
    /// JSON objects, with or without anything between them.
    JsonStream,
    /// Keys of a keyboard (Linux `input_event`, US layout); any of these keys ends a frame.
    Keyboard {
        end: Vec<Key>,
        /// 24 on 64-bit machines, 16 on 32-bit ones.
        event_bytes: u32,
    },
}

/// A checksum over a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Checksum {
    pub kind: Sum,
    pub covers: Covers,
    #[serde(default)]
    pub form: SumForm,
    #[serde(default)]
    pub place: SumPlace,
    #[serde(default)]
    pub order: Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Sum {
    /// Exclusive or of all bytes.
    Xor,
    /// Sum modulo 256.
    Sum,
    /// Two's complement of the sum modulo 256 (ISO 1155). Many manuals call the exclusive or "LRC": that is `xor`.
    Lrc,
    /// CRC-16/ARC.
    Crc16,
    /// CRC-16/IBM-3740: "CCITT", beginning with FFFF.
    CrcCcitt,
    /// Two's complement of the 16-bit sum (Zebra SSI).
    Twos16,
}

/// What is summed; `start` is everything before the body (a length field too), `end` the bytes that end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Covers {
    Body,
    StartBody,
    BodyEnd,
    StartBodyEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SumForm {
    #[default]
    Binary,
    /// Two hex digits a byte; upper case is sent, either is taken.
    Hex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SumPlace {
    #[default]
    BeforeEnd,
    AfterEnd,
}

/// Which byte comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    #[default]
    Big,
    Little,
}

impl Covers {
    pub fn start(self) -> bool {
        matches!(self, Self::StartBody | Self::StartBodyEnd)
    }

    pub fn end(self) -> bool {
        matches!(self, Self::BodyEnd | Self::StartBodyEnd)
    }
}

impl Checksum {
    /// Bytes it takes on the wire.
    pub fn width(&self) -> usize {
        let bytes = match self.kind {
            Sum::Xor | Sum::Sum | Sum::Lrc => 1,
            Sum::Crc16 | Sum::CrcCcitt | Sum::Twos16 => 2,
        };
        bytes * if self.form == SumForm::Hex { 2 } else { 1 }
    }
}

impl Framing {
    /// Of a frame with a length field: its start, the field's width and order, and what the field leaves out.
    pub fn length(&self) -> Option<(&[u8], usize, Order, i64)> {
        match &self.form {
            Form::Length { start, bytes, order, adds } => Some((start.as_bytes(), *bytes as usize, *order, i64::from(*adds))),
            Form::Ssi => Some((b"", 1, Order::Big, 1)),
            Form::ColaB => Some((b"\x02\x02\x02\x02", 4, Order::Big, 1)),
            _ => None,
        }
    }

    /// Its checksum; some forms have their own.
    pub fn sum(&self) -> Option<Checksum> {
        let own = |kind, covers| Some(Checksum { kind, covers, form: SumForm::Binary, place: SumPlace::BeforeEnd, order: Order::Big });
        match self.form {
            Form::Ssi => own(Sum::Twos16, Covers::StartBody),
            Form::ColaB => own(Sum::Xor, Covers::Body),
            _ => self.checksum,
        }
    }
}

/// Keys with a meaning of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    Enter,
    KeypadEnter,
    Tab,
    F1,
    F2,
    F3,
    F4,
    F5,
    F6,
    F7,
    F8,
    F9,
    F10,
    F11,
    F12,
}

impl Key {
    /// Its code in `linux/input-event-codes.h`.
    pub fn number(self) -> u16 {
        match self {
            Self::Enter => 28,
            Self::KeypadEnter => 96,
            Self::Tab => 15,
            Self::F11 => 87,
            Self::F12 => 88,
            f => 59 + (f as u16 - Self::F1 as u16),
        }
    }
}
