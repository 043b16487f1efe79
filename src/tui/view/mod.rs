//! The screen *Line*: from a model to cells. Readable from two metres: blocks of colour, each with its word; no lines,
//! no decoration. At least 80×24 shows everything; below that the state, the last verdict and the alarms remain.

mod panels;
mod table;

use super::model::{Dialog, Link, Lost, Model};
use super::paint::*;
use super::words::{self, Lang};
use crate::control::protocol::Status;
use crate::vocab::PackMl;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Below this the panels beside each other do not fit.
const FULL_WIDTH: u16 = 70;
const FULL_HEIGHT: u16 = 20;

/// Draws the whole screen into `area`.
pub fn render_line(buf: &mut Buffer, area: Rect, model: &Model) {
    let area = area.intersection(buf.area);
    fill(buf, area, PLAIN);
    if area.width < 2 || area.height == 0 {
        return;
    }
    let full = area.width >= FULL_WIDTH && area.height >= FULL_HEIGHT;
    title(buf, rows(area, 0, 1), model);
    let spare = area.height.saturating_sub(24);
    let band = if area.height < 8 { 1 } else { 3 + u16::from(spare >= 6) * 2 };
    state(buf, rows(area, 1, band), model);
    let below = 1 + band;
    let keys_row = area.height - 1;
    let body = rows(area, below, keys_row.saturating_sub(below));
    match &model.status {
        Some(status) if full => panels_and_table(buf, body, model, status, spare),
        Some(status) => essentials(buf, body, model, status),
        None => {}
    }
    if area.height > 2 {
        keys(buf, rows(area, keys_row, 1), model);
    }
    overlay(buf, body, model);
}

fn panels_and_table(buf: &mut Buffer, body: Rect, model: &Model, status: &Status, spare: u16) {
    let lang = model.lang;
    panels::job(buf, rows(body, 0, 1), status, lang);
    let mut top = 1 + u16::from(spare >= 10);
    let height = 6 + (spare / 3).min(5);
    let block = rows(body, top, height);
    let third = block.width / 3;
    panels::verdict(buf, columns(block, 0, third), model, status);
    panels::open(buf, columns(block, third + 1, block.width - 2 * third - 2), status, lang);
    panels::stock(buf, columns(block, block.width - third, third), status, lang);
    top += height + u16::from(spare >= 10);
    let strips = if spare >= 6 { 2 } else { 1 };
    panels::rejects(buf, rows(body, top, strips), status, lang);
    top += strips + u16::from(spare >= 10);
    let room = body.height.saturating_sub(top);
    let wanted = table::height(status) + u16::from(spare >= 10);
    let least_alarms = if status.alarms.is_empty() { 0 } else { 2 + spare / 4 };
    let table_rows = wanted.min(room.saturating_sub(least_alarms));
    table::draw(buf, rows(body, top, table_rows), model, status);
    panels::alarms(buf, rows(body, top + table_rows, room - table_rows), model, status);
}

/// What remains on a small screen, in the order of its importance.
fn essentials(buf: &mut Buffer, body: Rect, model: &Model, status: &Status) {
    let lang = model.lang;
    panels::verdict_line(buf, rows(body, 0, 1), model, status);
    let alarms = (status.alarms.len() as u16).min(body.height.saturating_sub(1) / 2);
    panels::alarms(buf, rows(body, 1, alarms), model, status);
    let top = 1 + alarms;
    panels::job(buf, rows(body, top, 1), status, lang);
    panels::rejects(buf, rows(body, top + 1, 1), status, lang);
    panels::open(buf, rows(body, top + 2, 4), status, lang);
    table::draw(buf, rows(body, top + 6, body.height.saturating_sub(top + 6)), model, status);
}

fn title(buf: &mut Buffer, area: Rect, model: &Model) {
    let lang = model.lang;
    fill(buf, area, BAR);
    let name = model.status.as_ref().and_then(|s| s.name.as_deref()).unwrap_or("");
    let left = format!(" packmark  {} {name}", model.line);
    let (link, style) = match model.link {
        Link::Connecting => (lang.of("连接中", "connecting"), BUSY),
        Link::Up => (lang.of("已连接", "connected"), BAR),
        Link::Down { .. } => (lang.of("未连接", "no daemon"), BAD),
    };
    let at = put_right(buf, area, 0, &format!(" {link} "), style);
    let mut room = columns(area, 0, at);
    if let Some(s) = model.status.as_ref() {
        let clock = if s.clock == "suspect" { lang.of("时钟不可信  ", "clock not trusted  ") } else { "" };
        let book = lang.of(
            format!("{clock}待写 {} / {}  磁盘剩 {} ", s.writer.queue, words::age(s.writer.oldest_ms, lang), words::bytes(s.disk_free)),
            format!(
                "{clock}to write {} / {}  disk {} free ",
                s.writer.queue,
                words::age(s.writer.oldest_ms, lang),
                words::bytes(s.disk_free)
            ),
        );
        if width(&left) + width(&book) + 2 <= at {
            room = columns(area, 0, put_right(buf, room, 0, &book, BAR));
        }
    }
    put(buf, room, 0, 0, left.trim_end(), BAR);
}

/// The band that is seen from afar: state, why, what to do.
fn state(buf: &mut Buffer, area: Rect, model: &Model) {
    let (style, word, lines) = match (&model.link, &model.status) {
        (Link::Down { why, since_ms }, _) => unreachable(model, *why, *since_ms),
        (_, None) => (QUIET, model.lang.of("正在连接", "CONNECTING").to_string(), [model.socket.clone(), String::new()]),
        (_, Some(status)) => told_state(status, model),
    };
    fill(buf, area, style);
    let top = if area.height > 3 { 1 } else { 0 };
    let end = put(buf, area, top, 2, &word, style);
    if area.height == 1 {
        put(buf, area, 0, end + 2, &lines[0], style);
    }
    if let (true, Some(s)) = (model.heard(), &model.status) {
        let end = area.width.saturating_sub(end + 2);
        put_right(buf, columns(area, area.width - end, end), top, &format!("PackML {} {}  ", s.state.packml, s.state.name), style);
    }
    put(buf, area, top + 1, 2, &lines[0], style);
    put(buf, area, top + 2, 2, &lines[1], style);
}

fn unreachable(model: &Model, why: Lost, since_ms: u64) -> (Style, String, [String; 2]) {
    let lang = model.lang;
    let word = match why {
        Lost::Unreachable => lang.of("守护进程没有回答", "THE DAEMON DOES NOT ANSWER"),
        Lost::NotUnderstood => lang.of("守护进程的回答无法理解", "THE DAEMON IS NOT UNDERSTOOD"),
    };
    let act = match why {
        Lost::Unreachable => lang.of("请检查 packmark run 是否在运行", "see whether packmark run is running"),
        Lost::NotUnderstood => lang.of("版本不同？请用同一版本的 packmark", "another version? use the packmark that runs the line"),
    };
    let gone = words::age(model.now_ms.saturating_sub(since_ms), lang);
    let old = match model.status {
        None => String::new(),
        Some(_) => lang.of(
            format!("；下面是 {} 前的内容", words::age(model.stale_ms(), lang)),
            format!("; below is from {} ago", words::age(model.stale_ms(), lang)),
        ),
    };
    let trying = lang.of(format!("已 {gone}，正在不断重试{old}"), format!("for {gone}, still trying{old}"));
    (BAD, word.into(), [format!("{}: {act}", model.socket), trying])
}

fn told_state(status: &Status, model: &Model) -> (Style, String, [String; 2]) {
    let lang = model.lang;
    let known = PackMl::from_number(status.state.packml);
    let word = known.map_or(status.state.name.as_str(), |s| words::packml(s, lang)).to_string();
    let lines = match status.state.reason.as_deref() {
        Some(reason) => {
            // The alarm behind the reason says which device or station.
            let about = status.alarms.iter().map(|a| a.name.as_str()).find(|a| a.split(':').next() == Some(reason));
            [words::alarm(about.unwrap_or(reason), lang), prefixed(&words::alarm_act(reason, model.commands, lang))]
        }
        None => [hint(known, status, lang).to_string(), String::new()],
    };
    (known.map_or(QUIET, colour), word, lines)
}

fn prefixed(act: &str) -> String {
    if act.is_empty() { String::new() } else { format!("-> {act}") }
}

fn hint(state: Option<PackMl>, status: &Status, lang: Lang) -> &'static str {
    match state {
        Some(PackMl::Idle | PackMl::Complete | PackMl::Aborted) if status.job.is_none() => {
            lang.of("还没有工单：先建立（packmark job create），再按 s 开始", "no job yet: create one (packmark job create), then press s")
        }
        Some(PackMl::Idle | PackMl::Complete | PackMl::Aborted) => lang.of("按 s 开始工单", "press s to start a job"),
        Some(PackMl::Starting | PackMl::Unholding) => lang.of("等待设备就绪和第一个码", "waiting for devices and the first code"),
        Some(PackMl::Completing) => lang.of("正在结算在途的产品和码", "settling what is on its way"),
        _ => "",
    }
}

fn colour(state: PackMl) -> Style {
    match state {
        PackMl::Execute => GOOD,
        PackMl::Held | PackMl::Holding | PackMl::Suspended => WAIT,
        PackMl::Aborted | PackMl::Aborting => BAD,
        PackMl::Starting | PackMl::Unholding | PackMl::Completing => BUSY,
        PackMl::Idle | PackMl::Complete | PackMl::Stopped | PackMl::Stopping => QUIET,
    }
}

fn keys(buf: &mut Buffer, area: Rect, model: &Model) {
    fill(buf, area, HEADING);
    let text = match (model.lang, model.commands) {
        (Lang::Zh, true) => " q 退出   h 暂停   r 恢复   s 开始工单   c 清空工位   L English   ? 说明",
        (Lang::En, true) => " q quit   h hold   r resume   s start job   c clear station   L 中文   ? help",
        (Lang::Zh, false) => " q 退出   L English   ? 说明",
        (Lang::En, false) => " q quit   L 中文   ? help",
    };
    put(buf, area, 0, 0, text, HEADING);
}

/// Questions, answers and the help, at the bottom: the state and the last verdict stay in sight.
fn overlay(buf: &mut Buffer, body: Rect, model: &Model) {
    let lang = model.lang;
    let (lines, style): (Vec<String>, Style) = match (&model.dialog, &model.said, &model.waiting) {
        (Dialog::Help, _, _) => (help(lang, model.commands), BOX),
        (Dialog::Sure(c), _, _) => {
            (vec![words::question(c, lang), lang.of("按 y 确认，其他键取消", "y: yes    any other key: no").into()], WAIT)
        }
        (Dialog::WhichJob { typed }, _, _) => (
            vec![
                lang.of(format!("开始哪个工单？ {typed}_"), format!("Start which job? {typed}_")),
                lang.of("输入或扫描工单编号，回车；Esc 取消", "type or scan its id, Enter; Esc: not now").into(),
            ],
            WAIT,
        ),
        (Dialog::None, Some((said, _)), _) => {
            let mut lines = words::said(said, lang);
            if said.stays() {
                lines.push(lang.of("（按任意键关闭）", "(any key closes this)").into());
            }
            let style = match said {
                super::model::Said::Done(_) => GOOD,
                s if s.stays() => BAD,
                _ => WAIT,
            };
            (lines, style)
        }
        (Dialog::None, None, Some(_)) => (vec![lang.of("等待回答...", "waiting for the answer...").into()], BUSY),
        (Dialog::None, None, None) => return,
    };
    let lines: Vec<String> = lines.iter().flat_map(|l| wrap(l, body.width.saturating_sub(4))).collect();
    let height = (lines.len() as u16).min(body.height);
    let area = rows(body, body.height - height, height);
    fill(buf, area, style);
    for (row, line) in lines.iter().enumerate().take(usize::from(height)) {
        put(buf, area, row as u16, 2, line, style);
    }
}

fn help(lang: Lang, commands: bool) -> Vec<String> {
    let mut lines = vec![lang.of(
        "左：最近一次判定；中：正在装的箱；右：速度和剩余的码。下面：剔除、工位与设备、报警。",
        "Left: the last verdict. Middle: what is being filled. Right: speed and codes left. Below: rejects, stations, alarms.",
    )];
    if commands {
        lines.extend([
            lang.of("h  暂停工单：生产线停下，问题解决后按 r。", "h  hold the job: the line stops; r when the cause is mended."),
            lang.of("r  恢复工单：先看现场。", "r  resume the job: look at the line first."),
            lang.of("s  开始工单：输入或扫描编号。", "s  start a job: type or scan its id."),
            lang.of(
                "c  工位错位后：取走箱子和来料，再确认已清空。",
                "c  after a station lost step: empty its parent and what is on the way, then say so.",
            ),
            lang.of(
                "g  剔除口卡住（先暂停）：收回剔除器。 n  关掉喇叭。",
                "g  a reject is stuck (hold first): take its gate back.  n  silence the horn.",
            ),
            lang.of("t  系统时间校准以后：重新信任时钟。", "t  after the system's time was set: trust the clock again."),
        ]);
    }
    lines.push(
        lang.of("L  换语言   q  退出（生产线不受影响）   任意键关闭说明", "L  language   q  quit (the line goes on)   any key closes this"),
    );
    lines.into_iter().map(String::from).collect()
}
