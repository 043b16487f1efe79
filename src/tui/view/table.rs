//! Stations with their devices: link, last word and its age, counts.

use crate::control::protocol::{Device, Station, Status};
use crate::tui::model::Model;
use crate::tui::paint::*;
use crate::tui::words::{self, Lang};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

struct Row<'a> {
    name: String,
    station: Option<&'a Station>,
    device: Option<&'a Device>,
}

/// A row a station, then a row a device that no counting station shows.
fn lines(status: &Status) -> Vec<Row<'_>> {
    let device_of = |id: &str| status.devices.iter().find(|d| d.stations.iter().any(|s| s == id));
    let mut rows: Vec<Row> =
        status.stations.iter().map(|s| Row { name: s.id.clone(), station: Some(s), device: device_of(&s.id) }).collect();
    for d in &status.devices {
        if !rows.iter().any(|r| r.device.is_some_and(|shown| shown.id == d.id)) {
            rows.push(Row { name: d.stations.join(" "), station: None, device: Some(d) });
        }
    }
    rows
}

/// Rows it would like, with its heading.
pub fn height(status: &Status) -> u16 {
    lines(status).len() as u16 + 1
}

pub fn draw(buf: &mut Buffer, area: Rect, model: &Model, status: &Status) {
    if area.height < 2 {
        return;
    }
    let lang = model.lang;
    let columns = Columns::of(area.width);
    fill(buf, rows(area, 0, 1), HEADING);
    let heads = match lang {
        Lang::Zh => ["工位", "设备", "连接", "上次", "内容", "合格", "剔除", "漏剔", "未定"],
        Lang::En => ["station", "device", "link", "heard", "last", "good", "reject", "escape", "open"],
    };
    for (i, head) in heads.iter().enumerate() {
        columns.cell(buf, area, 0, i, head, HEADING);
    }
    let mut all = lines(status);
    let room = usize::from(area.height - 1);
    let more = all.len().saturating_sub(room);
    if more > 0 {
        // What is broken must not be what is left out.
        all.sort_by_key(|r| r.device.is_none_or(|d| d.link == "up"));
    }
    for (i, row) in all.iter().take(room).enumerate() {
        one(buf, area, i as u16 + 1, &columns, row, model);
    }
    if more > 0 {
        put_right(buf, area, 0, &lang.of(format!(" 还有 {more} 行"), format!(" {more} more")), HEADING);
    }
}

fn one(buf: &mut Buffer, area: Rect, at: u16, columns: &Columns, row: &Row, model: &Model) {
    let lang = model.lang;
    columns.cell(buf, area, at, 0, &row.name, PLAIN);
    if let Some(d) = row.device {
        let up = d.link == "up";
        let (link, style) = if up { (lang.of("通", "up"), PLAIN) } else { (lang.of("断", "DOWN"), BAD) };
        columns.cell(buf, area, at, 1, &d.id, if up { PLAIN } else { TROUBLE });
        columns.cell(buf, area, at, 2, link, style);
        columns.cell(buf, area, at, 3, &words::age(d.age_ms + model.stale_ms(), lang), PLAIN);
        columns.cell(buf, area, at, 4, words::kind(d.last_kind.as_deref().unwrap_or(""), lang), PLAIN);
    }
    if let Some(s) = row.station {
        let rejected: u64 = s.rejected.values().sum();
        let numbers = [(s.verified, PLAIN), (rejected, PLAIN), (s.escaped, if s.escaped > 0 { TROUBLE } else { PLAIN }), (s.open, PLAIN)];
        for (i, (n, style)) in numbers.iter().enumerate() {
            columns.cell(buf, area, at, 5 + i, &n.to_string(), *style);
        }
    }
}

/// Left edge and width of each column; numbers stand right.
struct Columns([(u16, u16); 9]);

impl Columns {
    fn of(width: u16) -> Self {
        // Link, heard, last, good, reject, escape, open.
        const FIXED: [u16; 7] = [5, 8, 12, 8, 7, 7, 6];
        let rest = width.saturating_sub(FIXED.iter().sum::<u16>());
        let device = (rest * 2 / 5).clamp(6, 16);
        let station = rest.saturating_sub(device).max(8);
        let mut out = [(0, 0); 9];
        let mut at = 0;
        for (slot, w) in out.iter_mut().zip([station, device].into_iter().chain(FIXED)) {
            *slot = (at, w);
            at += w;
        }
        Self(out)
    }

    fn cell(&self, buf: &mut Buffer, area: Rect, row: u16, column: usize, text: &str, style: Style) {
        let (left, wide) = self.0[column];
        let area = columns(area, left, wide.saturating_sub(1));
        if column < 5 {
            put(buf, area, row, 0, text, style);
        } else {
            put_right(buf, area, row, text, style);
        }
    }
}
