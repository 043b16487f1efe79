//! Text on a grid of cells, measured by width: a Chinese character takes two cells.
//!
//! Invariants: nothing is painted outside its area; only characters whose width every terminal agrees on are painted
//! by the console itself (box lines, blocks, dots and arrows are one cell in the West and two in the East).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub const PLAIN: Style = Style::new();
pub const FAINT: Style = Style::new().fg(Color::DarkGray);
pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
pub const HEADING: Style = Style::new().fg(Color::Black).bg(Color::Gray);
pub const BAR: Style = Style::new().fg(Color::White).bg(Color::Blue);
pub const GOOD: Style = Style::new().fg(Color::Black).bg(Color::Green).add_modifier(Modifier::BOLD);
pub const BAD: Style = Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD);
pub const WAIT: Style = Style::new().fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD);
pub const BUSY: Style = Style::new().fg(Color::Black).bg(Color::Cyan).add_modifier(Modifier::BOLD);
pub const QUIET: Style = Style::new().fg(Color::White).bg(Color::DarkGray).add_modifier(Modifier::BOLD);
pub const TROUBLE: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
pub const BOX: Style = Style::new().fg(Color::Black).bg(Color::White);

pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// At most `most` cells of a text; what is cut off is shown by two dots.
pub fn cut(text: &str, most: u16) -> String {
    if width(text) <= most {
        return text.to_string();
    }
    let dots = if most >= 4 { 2 } else { 0 };
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0) as u16;
        if used + w > most - dots {
            break;
        }
        used += w;
        out.push(c);
    }
    (0..dots).for_each(|_| out.push('.'));
    out
}

/// Breaks a text into lines of at most `most` cells: at spaces where there are any, else between characters.
pub fn wrap(text: &str, most: u16) -> Vec<String> {
    let most = most.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for c in text.chars() {
        if width(&line) + c.width().unwrap_or(0) as u16 > most {
            let rest = match line.rfind(' ') {
                Some(at) if at > 0 && c != ' ' => line.split_off(at).trim_start().to_string(),
                _ => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest).trim_end().to_string());
        }
        if !(line.is_empty() && c == ' ') {
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

pub fn fill(buf: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buf[(x, y)].set_symbol(" ").set_style(style);
        }
    }
}

/// Paints in row `row` of `area` from column `col` on; answers the column after it.
pub fn put(buf: &mut Buffer, area: Rect, row: u16, col: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if row >= area.height || col >= area.width {
        return col;
    }
    let shown = cut(text, area.width - col);
    let y = area.y + row;
    buf.set_stringn(area.x + col, y, &shown, usize::from(area.width - col), style);
    // The second cell of a wide character is cleared by the line above: give it its colour back.
    let end = (col + width(&shown)).min(area.width);
    for x in col..end {
        buf[(area.x + x, y)].set_style(style);
    }
    end
}

/// Paints at the right edge of `area`; answers where it begins.
pub fn put_right(buf: &mut Buffer, area: Rect, row: u16, text: &str, style: Style) -> u16 {
    let shown = cut(text, area.width);
    let col = area.width - width(&shown);
    put(buf, area, row, col, &shown, style);
    col
}

pub fn put_centred(buf: &mut Buffer, area: Rect, row: u16, text: &str, style: Style) {
    let shown = cut(text, area.width);
    put(buf, area, row, (area.width - width(&shown)) / 2, &shown, style);
}

/// Rows from `top` on, `height` of them, as far as the area has them.
pub fn rows(area: Rect, top: u16, height: u16) -> Rect {
    let top = top.min(area.height);
    Rect { y: area.y + top, height: height.min(area.height - top), ..area }
}

/// Columns from `left` on.
pub fn columns(area: Rect, left: u16, width: u16) -> Rect {
    let left = left.min(area.width);
    Rect { x: area.x + left, width: width.min(area.width - left), ..area }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_width() {
        assert_eq!(cut("灌装一线", 8), "灌装一线");
        assert_eq!(cut("灌装一线", 7), "灌装..");
        assert_eq!(cut("灌装一线", 3), "灌");
        assert_eq!(cut("bottle-check", 8), "bottle..");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn long_texts_break_where_they_may() {
        assert_eq!(wrap("clear the fault of it", 9), ["clear the", "fault of", "it"]);
        assert_eq!(wrap("检查电源和网线", 6), ["检查电", "源和网", "线"]);
        assert_eq!(wrap("", 6), Vec::<String>::new());
        proptest::proptest!(|(text in "[a-z 检查，]{0,60}", most in 2u16..30)| {
            for line in wrap(&text, most) {
                proptest::prop_assert!(width(&line) <= most);
            }
        });
    }

    #[test]
    fn nothing_leaves_its_area() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 10, 2));
        let area = Rect::new(2, 0, 5, 1);
        put(&mut buf, area, 0, 2, "灌装线", PLAIN);
        put(&mut buf, area, 3, 0, "below", PLAIN);
        put(&mut buf, Rect::new(8, 1, 50, 50), 0, 0, "abc", PLAIN);
        let text: String = buf.content().iter().map(|c| c.symbol()).collect();
        assert_eq!(text, "    灌             ab");
    }
}
