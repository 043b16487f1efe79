//! The panels of the screen *Line*, each drawn into the rectangle it is given.

use crate::control::protocol::{Last, Open, Status};
use crate::tui::model::Model;
use crate::tui::paint::*;
use crate::tui::words::{self, Lang};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

/// Product, lot, progress.
pub fn job(buf: &mut Buffer, area: Rect, status: &Status, lang: Lang) {
    let Some(job) = &status.job else {
        put(buf, area, 0, 1, lang.of("没有工单", "no job"), FAINT);
        return;
    };
    let done = status.counts.verified;
    let bar = job.target.filter(|t| *t > 0).map(|target| (target, (done.min(u64::from(target)) * 100 / u64::from(target)) as u16));
    let right = match bar {
        Some((target, percent)) => format!("{done} / {target}  {percent}% "),
        None => lang.of(format!("合格 {done} "), format!("{done} good ")),
    };
    let mut end = put_right(buf, area, 0, &right, STRONG);
    if let Some((_, percent)) = bar {
        let cells = (area.width / 5).min(end);
        let gauge = columns(area, end - cells, cells.saturating_sub(1));
        end -= cells;
        let full = gauge.width * percent / 100;
        fill(buf, gauge, QUIET);
        put(buf, gauge, 0, 0, &"=".repeat(usize::from(full)), GOOD);
    }
    let product = job.product_name.as_deref().unwrap_or(&job.product);
    let state = words::job_word(&job.state, lang);
    let text = lang.of(
        format!("工单 {}  {product}  批号 {}  {state}", job.id, job.lot),
        format!("job {}  {product}  lot {}  {state}", job.id, job.lot),
    );
    put(buf, columns(area, 0, end.saturating_sub(1)), 0, 1, &text, STRONG);
}

fn verdict_words(last: &Last, lang: Lang) -> (Style, &'static str, String) {
    match last.good {
        true => (GOOD, lang.of("合格", "GOOD"), String::new()),
        false => (BAD, lang.of("剔除", "REJECT"), last.reason.as_deref().map_or(String::new(), |r| words::reason_word(r, lang).into())),
    }
}

const TICK: &[&str] = &["    #", "   # ", "#  # ", " ##  ", " #   "];
const CROSS: &[&str] = &["#   #", " # # ", "  #  ", " # # ", "#   #"];

/// The last verdict: colour, sign and word.
///
/// Without its colour when the daemon is not heard: what is old must not look like now.
pub fn verdict(buf: &mut Buffer, area: Rect, model: &Model, status: &Status) {
    let lang = model.lang;
    let Some(last) = &status.last else {
        fill(buf, area, QUIET);
        put_centred(buf, area, area.height / 2, lang.of("还没有判定", "no verdict yet"), QUIET);
        return;
    };
    let (mut style, word, why) = verdict_words(last, lang);
    if !model.heard() {
        style = QUIET;
    }
    fill(buf, area, style);
    let sign = if last.good { TICK } else { CROSS };
    let text_at = if area.width >= 24 && area.height >= 5 {
        let top = (area.height - 5) / 2;
        let ink = Style::new().fg(Color::White).bg(Color::White);
        for (row, line) in sign.iter().enumerate() {
            for (col, _) in line.char_indices().filter(|(_, c)| *c == '#') {
                put(buf, area, top + row as u16, 1 + 2 * col as u16, "##", ink);
            }
        }
        12
    } else {
        1
    };
    let words_area = columns(area, text_at, area.width - text_at);
    let tail = last.tail.as_deref().map_or(String::new(), |t| format!("..{t}"));
    let age = words::age(last.age_ms + model.stale_ms(), lang);
    let lines = [word.to_string(), why, tail, last.station.clone(), lang.of(format!("{age} 前"), format!("{age} ago"))];
    let top = area.height.saturating_sub(5) / 2;
    for (row, line) in lines.iter().filter(|l| !l.is_empty()).enumerate() {
        put(buf, words_area, top + row as u16, 0, line, style);
    }
}

/// The last verdict where there is one row for it.
pub fn verdict_line(buf: &mut Buffer, area: Rect, model: &Model, status: &Status) {
    let Some(last) = &status.last else { return };
    let (mut style, word, why) = verdict_words(last, model.lang);
    if !model.heard() {
        style = QUIET;
    }
    fill(buf, area, style);
    let tail = last.tail.as_deref().map_or(String::new(), |t| format!("..{t}"));
    put(buf, area, 0, 2, &format!("{word}  {why}  {tail}  {}", last.station), style);
}

/// What is being filled: level, number, one cell a child.
pub fn open(buf: &mut Buffer, area: Rect, status: &Status, lang: Lang) {
    if area.is_empty() {
        return;
    }
    if status.open.is_empty() {
        put(buf, area, 0, 0, lang.of("没有正在装的箱", "nothing is being filled"), FAINT);
        return;
    }
    let all = in_order(status);
    let lines: Vec<Vec<Cells>> = all.iter().map(|o| grid(o.fill, o.holds, area.width)).collect();
    // Cells of two rows where everything fits with them.
    let tall = if lines.iter().map(|l| 1 + 2 * l.len() as u16).sum::<u16>() <= area.height { 2 } else { 1 };
    let mut shown = 0;
    let mut used = 0;
    while shown < all.len() && (shown == 0 || used + 1 + lines[shown].len() as u16 * tall <= area.height) {
        used += 1 + lines[shown].len() as u16 * tall;
        shown += 1;
    }
    let mut row = 0;
    for (i, (parent, lines)) in all.iter().zip(&lines).enumerate().take(shown) {
        let name = format!("{} {}", words::level(&parent.level, lang), parent.id);
        let more = if i + 1 == shown && shown < all.len() { format!(" +{}", all.len() - shown) } else { String::new() };
        let end =
            put_right(buf, area, row, &format!("{}/{}  {}", parent.fill, parent.holds, words::parent_word(&parent.state, lang)), PLAIN);
        put(buf, columns(area, 0, end.saturating_sub(1)), row, 0, &format!("{name}{more}"), STRONG);
        row += 1;
        for cells in lines.iter().flat_map(|l| std::iter::repeat_n(l, usize::from(tall))) {
            cells_row(buf, area, row, cells);
            row += 1;
        }
    }
}

/// Those being filled first: they are what the hands are at; then from the bottom level up.
fn in_order(status: &Status) -> Vec<&Open> {
    let level = |o: &Open| status.pool.iter().position(|p| p.level == o.level).unwrap_or(usize::MAX);
    let mut all: Vec<&Open> = status.open.iter().collect();
    all.sort_by_key(|o| (o.state != "open", level(o), o.id));
    all
}

/// Lines of cells, each a run of full and empty ones with its cell width and gap.
struct Cells {
    full: u16,
    empty: u16,
    wide: u16,
    gap: u16,
}

/// Two cells and a gap a child where that fits, else closer, else in several lines, at most three.
fn grid(fill: u32, holds: u32, width: u16) -> Vec<Cells> {
    let holds = u64::from(holds.max(1));
    let room = u64::from(width);
    let fits = |(wide, gap): &(u16, u16)| holds.saturating_mul(u64::from(wide + gap)) - u64::from(*gap) <= room;
    let (wide, gap) = [(3, 1), (2, 1), (1, 1)].into_iter().find(fits).unwrap_or((1, 0));
    let each = u64::from(((width + gap) / (wide + gap)).max(1));
    let lines = holds.div_ceil(each).min(3);
    // More children than cells: a cell stands for several, and the last one fills with the last child.
    let cells = holds.min(each * lines);
    let full = u64::from(fill).min(holds) * cells / holds;
    let a_line = cells.div_ceil(lines);
    (0..lines)
        .map(|l| {
            let here = cells.saturating_sub(l * a_line).min(a_line);
            let full = full.saturating_sub(l * a_line).min(here);
            Cells { full: full as u16, empty: (here - full) as u16, wide, gap }
        })
        .collect()
}

fn cells_row(buf: &mut Buffer, area: Rect, row: u16, cells: &Cells) {
    let (full, empty) = (Style::new().fg(Color::Green).bg(Color::Green), Style::new().fg(Color::Gray).bg(Color::DarkGray));
    for i in 0..cells.full + cells.empty {
        let (sign, style) = if i < cells.full { ("#", full) } else { (".", empty) };
        put(buf, area, row, i * (cells.wide + cells.gap), &sign.repeat(usize::from(cells.wide)), style);
    }
}

/// Speed, and codes left a level.
pub fn stock(buf: &mut Buffer, area: Rect, status: &Status, lang: Lang) {
    put(buf, area, 0, 0, lang.of("速度", "speed"), PLAIN);
    put_right(buf, area, 0, &format!("{} {}", status.speed_per_min, lang.of("件/分", "a minute")), STRONG);
    put(buf, area, 1, 0, lang.of("剩余的码", "codes left"), FAINT);
    for (row, pool) in (2..).zip(&status.pool) {
        let low = pool.minutes.is_some_and(|m| m < 30) || pool.codes == 0;
        let style = if low { TROUBLE } else { PLAIN };
        let minutes = pool.minutes.map(|m| words::age(m.saturating_mul(60_000), lang));
        put(buf, area, row, 0, words::level(&pool.level, lang), style);
        put_right(buf, area, row, &format!("{}  {:>6}", pool.codes, minutes.unwrap_or_default()), style);
    }
}

/// Rejects by reason, the most frequent first.
pub fn rejects(buf: &mut Buffer, area: Rect, status: &Status, lang: Lang) {
    let counts = &status.counts;
    let total: u64 = counts.rejected.values().sum();
    let mut parts = vec![(lang.of(format!("剔除 {total}"), format!("rejects {total}")), if total > 0 { STRONG } else { PLAIN })];
    let mut by_reason: Vec<(&String, &u64)> = counts.rejected.iter().filter(|(_, n)| **n > 0).collect();
    by_reason.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    parts.extend(by_reason.iter().map(|(r, n)| (format!("{} {n}", words::reason_word(r, lang)), PLAIN)));
    if counts.escaped > 0 {
        parts.push((format!("{} {}", lang.of("漏剔", "escaped"), counts.escaped), TROUBLE));
    }
    if counts.doubtful > 0 {
        parts.push((format!("{} {}", lang.of("存疑", "doubtful"), counts.doubtful), PLAIN));
    }
    let (mut row, mut col) = (0, 1);
    for (i, (text, style)) in parts.iter().enumerate() {
        let w = width(text);
        if col + w > area.width && row + 1 < area.height && i > 0 {
            (row, col) = (row + 1, 1);
        }
        col = put(buf, area, row, col, text, *style) + 3;
    }
}

/// Alarms: what happened, since when, what to do.
pub fn alarms(buf: &mut Buffer, area: Rect, model: &Model, status: &Status) {
    let lang = model.lang;
    let shown = usize::from(area.height);
    for (row, alarm) in status.alarms.iter().take(shown).enumerate() {
        let row = row as u16;
        let mut room = area;
        let more = status.alarms.len() - shown.min(status.alarms.len());
        if usize::from(row) + 1 == shown && more > 0 {
            let at = put_right(buf, area, row, &lang.of(format!(" 还有 {more} 条 "), format!(" {more} more ")), WAIT);
            room = columns(area, 0, at);
        }
        let age = age_of(&alarm.since, status.now.as_deref()).map_or(String::new(), |ms| words::age(ms, lang));
        let at = put(buf, room, row, 1, &words::alarm(&alarm.name, lang), TROUBLE);
        let at = put(buf, room, row, at + 1, &age, FAINT);
        let subject = alarm.name.split_once(':').map(|s| s.1);
        let trouble = status.devices.iter().find(|d| Some(d.id.as_str()) == subject).and_then(|d| d.trouble.as_deref());
        let at = trouble.map_or(at, |t| put(buf, room, row, at + 1, &format!("({t})"), PLAIN));
        put(buf, room, row, at + 1, &format!("-> {}", words::alarm_act(&alarm.name, model.commands, lang)), PLAIN);
    }
}

/// Milliseconds from `since` to `now`, both RFC 3339 of the same clock. An alarm from before anybody's time has none.
fn age_of(since: &str, now: Option<&str>) -> Option<u64> {
    let parse = |t: &str| chrono::DateTime::parse_from_rfc3339(t).ok();
    let (since, now) = (parse(since)?, parse(now?)?);
    let ms = (now - since).num_milliseconds().max(0) as u64;
    (since.timestamp() > 0).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_a_child_while_there_is_room() {
        for (holds, width) in [(6, 27), (4, 27), (10, 27), (24, 27), (60, 27), (500, 20), (1, 3), (6, 1)] {
            for fill in [0, 1, holds / 2, holds] {
                let lines = grid(fill, holds, width);
                let cells: u16 = lines.iter().map(|l| l.full + l.empty).sum();
                let full: u16 = lines.iter().map(|l| l.full).sum();
                assert!(lines.len() <= 3, "{holds} in {width}");
                assert!(lines.iter().all(|l| (l.full + l.empty) * (l.wide + l.gap) <= width + l.gap), "{holds} in {width}");
                assert_eq!(full == cells, fill == holds, "{fill} of {holds} in {width}");
                if u32::from(width) * 3 >= holds {
                    assert_eq!((u32::from(cells), u32::from(full)), (holds, fill), "{holds} in {width}");
                }
            }
        }
    }

    #[test]
    fn ages_need_both_ends() {
        let now = Some("2026-01-02T03:04:05Z");
        assert_eq!(age_of("2026-01-02T03:04:00+00:00", now), Some(5000));
        assert_eq!(age_of("2026-01-02T04:00:00Z", now), Some(0));
        assert_eq!(age_of("1970-01-01T00:00:00Z", now), None);
        assert_eq!(age_of("2026-01-02T03:04:00Z", None), None);
    }
}
