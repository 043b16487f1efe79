//! A symbol as PNG: one bit a pixel, black on white.
//!
//! Must never know: files.

use super::Matrix;
use ::png::{BitDepth, ColorType, Encoder, EncodingError};

/// `scale` pixels a module, `quiet` light modules around. Both are small numbers: the caller bounds them.
pub fn png(m: &Matrix, scale: u32, quiet: u32) -> Result<Vec<u8>, EncodingError> {
    let (quiet, step) = (quiet as usize, scale.max(1) as usize);
    let (width, height) = ((m.width() + 2 * quiet) * step, (m.height() + 2 * quiet) * step);
    let row_len = width.div_ceil(8);
    let mut pixels = Vec::with_capacity(row_len * height);
    for y in 0..m.height() + 2 * quiet {
        // A 1 is white; the bits beyond the width are never looked at.
        let mut row = vec![0xffu8; row_len];
        for x in (0..width).filter(|x| m.is_dark(x / step, y, quiet)) {
            row[x / 8] &= !(0x80 >> (x % 8));
        }
        (0..step).for_each(|_| pixels.extend_from_slice(&row));
    }
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(out)
}
