//! From bytes to modules: ISO/IEC 16022 (Data Matrix ECC 200, square) and ISO/IEC 18004 (QR Code, level M).
//!
//! Must never know: how modules are shown.

use crate::vocab::gs1::{Message, Refusal};
use datamatrix::{DataMatrixBuilder, SymbolList};
use qrcode::QrCode;
use qrcode::bits::Bits;
use qrcode::optimize::{Optimizer, Parser, Segment};
use qrcode::types::{Color, EcLevel, Mode, QrError, Version};
use thiserror::Error;

/// What kind of symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    DataMatrix,
    QrCode,
    /// FNC1 in first position (codeword 232): read as `]d2`.
    Gs1DataMatrix,
    /// FNC1 in first position (mode 0101): read as `]Q3`.
    Gs1QrCode,
}

impl Kind {
    /// The quiet zone its standard asks for, in modules on every side.
    pub const fn quiet_zone(self) -> u32 {
        match self {
            Self::DataMatrix | Self::Gs1DataMatrix => 1,
            Self::QrCode | Self::Gs1QrCode => 4,
        }
    }

    pub const fn is_gs1(self) -> bool {
        matches!(self, Self::Gs1DataMatrix | Self::Gs1QrCode)
    }
}

/// The modules of a symbol, row by row, dark ones true; without a quiet zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    width: usize,
    dark: Vec<bool>,
}

impl Matrix {
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.dark.len() / self.width
    }

    /// With `quiet` light modules around it: `x` and `y` count from the quiet zone's corner.
    pub fn is_dark(&self, x: usize, y: usize, quiet: usize) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(quiet), y.checked_sub(quiet)) else { return false };
        x < self.width && self.dark.get(y * self.width + x).copied().unwrap_or(false)
    }
}

/// Why there is no symbol.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SymbolError {
    #[error("there is nothing to encode")]
    Empty,
    #[error("{bytes} bytes do not fit into the largest symbol of this kind")]
    TooLong { bytes: usize },
    #[error("this is no good GS1 code")]
    Gs1(#[from] Refusal),
}

/// The smallest symbol that holds `data`. For a GS1 kind `data` is an element string, GS where FNC1 separates, with or
/// without FNC1 first; it is linted, and what is encoded are its AIs with the separators they need.
pub fn encode(kind: Kind, data: &[u8]) -> Result<Matrix, SymbolError> {
    let string;
    let data = match kind.is_gs1() {
        true => {
            let message = Message::parse(data)?;
            message.lint()?;
            string = message.element_string();
            &string
        }
        false => data,
    };
    if data.is_empty() {
        return Err(SymbolError::Empty);
    }
    match kind {
        Kind::DataMatrix | Kind::Gs1DataMatrix => data_matrix(kind.is_gs1(), data),
        Kind::QrCode | Kind::Gs1QrCode => qr_code(kind.is_gs1(), data),
    }
}

fn data_matrix(fnc1: bool, data: &[u8]) -> Result<Matrix, SymbolError> {
    let builder = DataMatrixBuilder::new()
        .with_symbol_list(SymbolList::default().enforce_square())
        // A macro stands for characters that a reader must put back: fewer readers do than should.
        .with_macros(false)
        .with_fnc1_start(fnc1);
    // The only other error is of character sets, which bytes do not have.
    let symbol = builder.encode(data).map_err(|_| SymbolError::TooLong { bytes: data.len() })?;
    let bitmap = symbol.bitmap();
    Ok(Matrix { width: bitmap.width(), dark: bitmap.bits().to_vec() })
}

fn qr_code(fnc1: bool, data: &[u8]) -> Result<Matrix, SymbolError> {
    let too_long = |_: QrError| SymbolError::TooLong { bytes: data.len() };
    for version in 1..=40 {
        let mut bits = Bits::new(Version::Normal(version));
        let pushed = match fnc1 {
            true => bits.push_fnc1_first_position(),
            false => Ok(()),
        }
        .and_then(|()| bits.push_segments(data, segments(fnc1, data, Version::Normal(version)).into_iter()))
        .and_then(|()| bits.push_terminator(EcLevel::M));
        match pushed {
            Ok(()) => {
                let code = QrCode::with_bits(bits, EcLevel::M).map_err(too_long)?;
                let dark = code.to_colors().into_iter().map(|c| c == Color::Dark).collect();
                return Ok(Matrix { width: code.width(), dark });
            }
            Err(QrError::DataTooLong) => {}
            Err(other) => return Err(too_long(other)),
        }
    }
    Err(SymbolError::TooLong { bytes: data.len() })
}

/// Modes for the pieces of `data`. Kanji mode would have readers guess at a character set; and behind FNC1 a `%` in
/// alphanumeric mode means GS (ISO/IEC 18004 7.4.8.2), so such data goes without that mode.
fn segments(fnc1: bool, data: &[u8], version: Version) -> Vec<Segment> {
    let plain = |mut s: Segment| {
        if s.mode == Mode::Kanji || fnc1 && s.mode == Mode::Alphanumeric && data.contains(&b'%') {
            s.mode = Mode::Byte;
        }
        s
    };
    let pieces: Vec<Segment> = Parser::new(data).map(plain).collect();
    Optimizer::new(pieces.into_iter(), version).collect()
}
