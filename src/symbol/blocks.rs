//! A symbol on a terminal: two modules a character, colours set outright so that dark is dark on any background.
//!
//! Must never know: which terminal.

use super::Matrix;

/// Black ink on white paper of the 256-colour cube, which no theme redefines.
const PAPER: &str = "\x1b[38;5;16;48;5;231m";
const END: &str = "\x1b[0m";

/// Lines of half blocks with `quiet` light modules around.
pub fn blocks(m: &Matrix, quiet: u32) -> String {
    let q = quiet as usize;
    let mut out = String::new();
    for y in (0..m.height() + 2 * q).step_by(2) {
        out.push_str(PAPER);
        for x in 0..m.width() + 2 * q {
            out.push(match (m.is_dark(x, y, q), m.is_dark(x, y + 1, q)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        out.push_str(END);
        out.push('\n');
    }
    out
}
