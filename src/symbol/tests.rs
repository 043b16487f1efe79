//! Symbols whose modules are known, and what each form of them says. Whether they can be read, a decoder that is not ours
//! tells: `tests/outside/symbols.rs`.

use super::*;

fn rows(m: &Matrix) -> Vec<String> {
    let row = |y| (0..m.width()).map(|x| if m.is_dark(x, y, 0) { '#' } else { '.' }).collect();
    (0..m.height()).map(row).collect()
}

#[test]
fn a_data_matrix_has_its_finder_and_is_square() {
    let m = encode(Kind::DataMatrix, b"123456").unwrap();
    // ISO/IEC 16022 annex O: 123456 is a 10×10 symbol.
    assert_eq!((m.width(), m.height()), (10, 10));
    let rows = rows(&m);
    assert_eq!(rows[0], "#.#.#.#.#.");
    assert_eq!(rows[9], "##########");
    assert!(rows.iter().all(|r| r.starts_with('#')));
}

#[test]
fn gs1_symbols_are_of_linted_messages() {
    let gs1 = b"010460123456789321ABC\x1d93dGVz";
    let with = encode(Kind::Gs1DataMatrix, gs1).unwrap();
    assert_ne!(with, encode(Kind::DataMatrix, gs1).unwrap(), "FNC1 stands first");
    assert_eq!(with, encode(Kind::Gs1DataMatrix, b"\x1d010460123456789321ABC\x1d93dGVz\x1d").unwrap());
    for kind in [Kind::Gs1DataMatrix, Kind::Gs1QrCode] {
        let e = encode(kind, b"010460123456789421ABC").unwrap_err();
        assert!(matches!(e, SymbolError::Gs1(_)), "a wrong check digit");
        assert!(encode(kind, b"21ABC").is_err(), "a serial alone");
        assert!(encode(kind, b"https://q.example/T").is_err());
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(encode(Kind::DataMatrix, b""), Err(SymbolError::Empty));
    assert_eq!(encode(Kind::QrCode, &[0xff; 3000]), Err(SymbolError::TooLong { bytes: 3000 }));
    assert_eq!(encode(Kind::DataMatrix, &[0xff; 1600]), Err(SymbolError::TooLong { bytes: 1600 }));
    for kind in [Kind::QrCode, Kind::DataMatrix] {
        assert!(encode(kind, &[0xff; crate::vocab::code::MAX_CODE_LEN]).is_ok(), "the longest code has a symbol");
    }
}

#[test]
fn png_svg_and_blocks_show_the_same_modules() {
    let m = encode(Kind::QrCode, "https://q.example/二维".as_bytes()).unwrap();
    let (scale, quiet) = (3, 4);
    let side = (m.width() + 8) * 3;

    let bytes = png(&m, scale, quiet).unwrap();
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width as usize, info.height as usize), (side, side));
    let line = pixels.len() / side;
    for (x, y) in (0..side).flat_map(|x| (0..side).map(move |y| (x, y))) {
        let white = pixels[y * line + x / 8] >> (7 - x % 8) & 1 == 1;
        assert_eq!(white, !m.is_dark(x / 3, y / 3, 4), "{x} {y}");
    }

    let text = svg(&m, scale, quiet);
    let dark: usize = text.split('h').skip(1).filter_map(|h| h.split('v').next()?.parse::<usize>().ok()).filter(|n| *n < side).sum();
    assert_eq!(dark, rows(&m).concat().matches('#').count());
    assert!(text.contains(&format!("width=\"{side}\"")));

    let shown = blocks(&m, quiet);
    let plain: Vec<&str> = shown.lines().map(|l| l.trim_start_matches("\x1b[38;5;16;48;5;231m").trim_end_matches("\x1b[0m")).collect();
    assert_eq!(plain.len(), (m.height() + 8).div_ceil(2));
    let inked: usize = plain
        .concat()
        .chars()
        .map(|c| match c {
            '█' => 2,
            '▀' | '▄' => 1,
            _ => 0,
        })
        .sum();
    assert_eq!(inked, dark);
}
