//! A symbol as SVG: one path of dark runs, a unit a module.
//!
//! Must never know: files.

use super::Matrix;
use std::fmt::Write;

/// `scale` is the side of a module in CSS pixels, `quiet` the light modules around.
pub fn svg(m: &Matrix, scale: u32, quiet: u32) -> String {
    let q = quiet as usize;
    let (width, height) = (m.width() + 2 * q, m.height() + 2 * q);
    let (w, h) = (width * scale as usize, height * scale as usize);
    let mut path = String::new();
    for y in 0..height {
        let mut x = 0;
        while x < width {
            let run = (x..width).take_while(|x| m.is_dark(*x, y, q)).count();
            if run > 0 {
                // Writing to a String does not fail.
                let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
            }
            x += run.max(1);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {width} {height}\" \
         shape-rendering=\"crispEdges\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>\n"
    )
}
