//! `packmark label`: the symbol of a code, as an integrator wants to see it before a printer makes it.

use super::place::{self, print, refused, result};
use crate::floor::terms::{Exit, Globals, say};
use crate::symbol::{Kind, Matrix, SymbolError, blocks, encode, png, svg};
use crate::vocab::code::{hex, printable, unhex};
use crate::vocab::gs1::scan::written;
use crate::vocab::gs1::{Message, Refusal};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::Path;

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
pub enum SymbolKind {
    #[value(name = "datamatrix")]
    DataMatrix,
    #[value(name = "qr")]
    Qr,
    #[value(name = "gs1-datamatrix")]
    Gs1DataMatrix,
    #[value(name = "gs1-qr")]
    Gs1Qr,
}

impl SymbolKind {
    fn kind(self) -> Kind {
        match self {
            Self::DataMatrix => Kind::DataMatrix,
            Self::Qr => Kind::QrCode,
            Self::Gs1DataMatrix => Kind::Gs1DataMatrix,
            Self::Gs1Qr => Kind::Gs1QrCode,
        }
    }
}

#[derive(Args, Debug, Clone)]
pub struct LabelArgs {
    /// The code as text; for gs1-… bracketed, or an element string with GS written {GS} or ^
    #[arg(required_unless_present = "hex", conflicts_with = "hex")]
    pub code: Option<String>,
    /// The code as hex, for bytes that are no text
    #[arg(long)]
    pub hex: Option<String>,
    /// What symbol
    #[arg(long = "as", value_enum)]
    pub kind: SymbolKind,
    /// Where to: FILE.png, FILE.svg, or - for the terminal
    #[arg(long, value_name = "FILE")]
    pub out: String,
    /// Pixels a module
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub scale: u32,
    /// Light modules around it (default: what the symbol's standard asks for)
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=32))]
    pub quiet_zone: Option<u32>,
}

pub fn label(g: &Globals, args: &LabelArgs) -> Exit {
    let kind = args.kind.kind();
    let bytes = match bytes(g, args, kind) {
        Ok(bytes) => bytes,
        Err(exit) => return exit,
    };
    let matrix = match encode(kind, &bytes) {
        Ok(m) => m,
        Err(e) => return no_symbol(g, &e),
    };
    let quiet = args.quiet_zone.unwrap_or(kind.quiet_zone());
    let file = Path::new(&args.out);
    let drawn = match (args.out.as_str(), file.extension().and_then(|e| e.to_str())) {
        ("-", _) => return shown(g, args, &bytes, &matrix, quiet),
        (_, Some("png")) => png(&matrix, args.scale, quiet).map_err(|e| e.to_string()),
        (_, Some("svg")) => Ok(svg(&matrix, args.scale, quiet).into_bytes()),
        _ => {
            say(g.either("--out is FILE.png, FILE.svg or - for the terminal", "--out 应为 FILE.png、FILE.svg，或用 - 显示在终端"));
            return Exit::Usage;
        }
    };
    match drawn.and_then(|d| std::fs::write(file, d).map_err(|e| e.to_string())) {
        Ok(()) => answer(g, args, &bytes, &matrix),
        Err(e) => {
            refused(g, "not-written", &format!("{}: {e}", file.display()), g.either("check folder and disk", "请检查文件夹和磁盘"));
            Exit::Refused
        }
    }
}

/// The bytes to encode: of a GS1 code as people write it, its element string.
fn bytes(g: &Globals, args: &LabelArgs, kind: Kind) -> Result<Vec<u8>, Exit> {
    let gs1 = |m: Result<Message, Refusal>| m.map(|m| m.element_string()).map_err(|e| no_symbol(g, &SymbolError::Gs1(e)));
    match (&args.code, &args.hex) {
        (Some(text), _) if kind.is_gs1() => gs1(written(text)),
        (Some(text), _) => Ok(text.as_bytes().to_vec()),
        (None, Some(h)) => match unhex(h).filter(|b| !b.is_empty()) {
            Some(b) if kind.is_gs1() => gs1(Message::parse(&b)),
            Some(b) => Ok(b),
            None => {
                say(place::told(g, &format!("--hex {h} is not hex: give pairs of 0-9 a-f")));
                Err(Exit::Usage)
            }
        },
        (None, None) => Err(Exit::Usage),
    }
}

fn no_symbol(g: &Globals, e: &SymbolError) -> Exit {
    let message = match e {
        SymbolError::Gs1(why) => format!("{e}: {why}"),
        _ => e.to_string(),
    };
    let (code, act) = match e {
        SymbolError::Gs1(_) => (
            "not-gs1",
            g.either(
                "correct it, or print it as it is with --as datamatrix or --as qr",
                "请改正，或用 --as datamatrix、--as qr 按原样打印",
            ),
        ),
        _ => ("no-symbol", g.either("give a shorter code that is not empty", "请给出较短且非空的码")),
    };
    refused(g, code, &message, act);
    Exit::Refused
}

/// On the terminal; with `--json` the answer alone, its modules in it.
fn shown(g: &Globals, args: &LabelArgs, bytes: &[u8], matrix: &Matrix, quiet: u32) -> Exit {
    if g.json {
        return answer(g, args, bytes, matrix);
    }
    print(blocks(matrix, quiet).trim_end())
}

fn answer(g: &Globals, args: &LabelArgs, bytes: &[u8], matrix: &Matrix) -> Exit {
    let as_ = args.kind.to_possible_value().map(|v| v.get_name().to_string()).unwrap_or_default();
    let (w, h) = (matrix.width(), matrix.height());
    if g.json {
        let row = |y| (0..w).map(|x| if matrix.is_dark(x, y, 0) { '1' } else { '0' }).collect::<String>();
        let mut v = json!({"ok": true, "as": as_, "out": args.out, "hex": hex(bytes), "width": w, "height": h,
            "modules": (0..h).map(row).collect::<Vec<_>>()});
        if let Some(text) = printable(bytes) {
            v["text"] = text.into();
        }
        return result(&v);
    }
    print(format_args!("{}: {as_}, {w}×{h}, {} bytes", args.out, bytes.len()))
}
