//! Every word the console says, in Chinese and English. A test walks the enums and the alarms: none lacks a word.

use super::model::{Command, Said};
use crate::control::protocol::Refusal;
use crate::control::{alarms, phrases};
use crate::vocab::{ItemState, JobState, PackMl, ParentState, Reason};

/// The language of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    Zh,
    En,
}

impl Lang {
    /// `zh` or `en`, as in `--lang` and the configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// Of a locale as in `LANG` (`zh_CN.UTF-8`): Chinese if it says so, else English.
    pub fn of_locale(locale: &str) -> Self {
        if locale.starts_with("zh") { Self::Zh } else { Self::En }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }

    /// The one of two texts that is in this language.
    pub fn of<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

pub fn packml(state: PackMl, lang: Lang) -> &'static str {
    match state {
        PackMl::Stopped => lang.of("已停止", "STOPPED"),
        PackMl::Starting => lang.of("启动中", "STARTING"),
        PackMl::Idle => lang.of("空闲", "IDLE"),
        PackMl::Suspended => lang.of("等待设备", "SUSPENDED"),
        PackMl::Execute => lang.of("运行", "RUNNING"),
        PackMl::Stopping => lang.of("停止中", "STOPPING"),
        PackMl::Aborting => lang.of("中止中", "ABORTING"),
        PackMl::Aborted => lang.of("已中止", "ABORTED"),
        PackMl::Holding => lang.of("暂停中", "HOLDING"),
        PackMl::Held => lang.of("已暂停", "HELD"),
        PackMl::Unholding => lang.of("恢复中", "RESUMING"),
        PackMl::Completing => lang.of("收尾中", "COMPLETING"),
        PackMl::Complete => lang.of("已完成", "COMPLETE"),
    }
}

pub fn reason(reason: Reason, lang: Lang) -> &'static str {
    match reason {
        Reason::NoRead => lang.of("未读到", "no read"),
        Reason::Duplicate => lang.of("重码", "duplicate"),
        Reason::Foreign => lang.of("非本厂码", "foreign"),
        Reason::WrongProduct => lang.of("产品不符", "wrong product"),
        Reason::WrongLevel => lang.of("层级不符", "wrong level"),
        Reason::WrongJob => lang.of("工单不符", "wrong job"),
        Reason::NotPrinted => lang.of("未打印", "not printed"),
        Reason::Void => lang.of("已作废", "void"),
        Reason::OverCount => lang.of("数量多", "too many"),
        Reason::UnderCount => lang.of("数量少", "too few"),
        Reason::Grade => lang.of("等级低", "low grade"),
        Reason::Late => lang.of("过迟", "late"),
        Reason::Altered => lang.of("码被改动", "altered"),
        Reason::Escape => lang.of("漏剔", "escape"),
    }
}

pub fn item(state: ItemState, lang: Lang) -> &'static str {
    match state {
        ItemState::Pooled => lang.of("在库", "pooled"),
        ItemState::Leased => lang.of("已领用", "leased"),
        ItemState::Sent => lang.of("已下发", "sent"),
        ItemState::Printed => lang.of("已打印", "printed"),
        ItemState::Verified => lang.of("合格", "verified"),
        ItemState::Packed => lang.of("已装箱", "packed"),
        ItemState::Doubtful => lang.of("存疑", "doubtful"),
        ItemState::Missing => lang.of("未见", "missing"),
        ItemState::Rejected => lang.of("剔除", "rejected"),
        ItemState::Sampled => lang.of("抽检", "sampled"),
        ItemState::Destroyed => lang.of("销毁", "destroyed"),
        ItemState::Void => lang.of("作废", "void"),
        ItemState::Returned => lang.of("退回", "returned"),
    }
}

pub fn parent(state: ParentState, lang: Lang) -> &'static str {
    match state {
        ParentState::Open => lang.of("装入中", "filling"),
        ParentState::Closed => lang.of("已满", "full"),
        ParentState::Labelling => lang.of("贴标中", "labelling"),
        ParentState::Sealed => lang.of("已封", "sealed"),
        ParentState::Broken => lang.of("已拆", "broken"),
        ParentState::Void => lang.of("作废", "void"),
    }
}

pub fn job(state: JobState, lang: Lang) -> &'static str {
    match state {
        JobState::Created => lang.of("未开工", "not started"),
        JobState::Running => lang.of("进行中", "running"),
        JobState::Held => lang.of("已暂停", "held"),
        JobState::Completing => lang.of("收尾中", "completing"),
        JobState::Completed => lang.of("已完成", "completed"),
        JobState::Aborted => lang.of("已中止", "aborted"),
    }
}

/// The public word in this language; a word of a newer daemon stands as it is.
pub fn reason_word(word: &str, lang: Lang) -> &str {
    Reason::from_word(word).map_or(word, |r| reason(r, lang))
}

pub fn parent_word(word: &str, lang: Lang) -> &str {
    ParentState::from_word(word).map_or(word, |s| parent(s, lang))
}

pub fn job_word(word: &str, lang: Lang) -> &str {
    JobState::from_word(word).map_or(word, |s| job(s, lang))
}

/// The usual names of levels; any other name of the configuration stands as it is.
pub fn level(name: &str, lang: Lang) -> &str {
    match name {
        "bottle" => lang.of("瓶", name),
        "box" => lang.of("盒", name),
        "case" => lang.of("箱", name),
        "pallet" => lang.of("托盘", name),
        _ => name,
    }
}

/// What a device said last.
pub fn kind(word: &str, lang: Lang) -> &str {
    match word {
        "up" => lang.of("已连接", "connected"),
        "down" => lang.of("断线", "lost"),
        "ready" => lang.of("就绪", "ready"),
        "not-ready" => lang.of("未就绪", "not ready"),
        "taken" => lang.of("已收码", "took a code"),
        "printed" => lang.of("已打印", "printed"),
        "cleared" => lang.of("已清空", "cleared"),
        "out-of-step" => lang.of("失步", "lost step"),
        "frame" => lang.of("读码", "read"),
        "poll" => lang.of("轮询", "polled"),
        "noise" => lang.of("乱码", "noise"),
        "" => "-",
        other => other,
    }
}

/// An alarm's sentence with what it is about: `设备断线 cam1`.
pub fn alarm(full: &str, lang: Lang) -> String {
    let sentence = alarms::find(full).map_or(full, |a| lang.of(a.zh, a.en));
    match full.split_once(':') {
        Some((_, about)) if alarms::find(full).is_some() => format!("{sentence} {about}"),
        _ => sentence.to_string(),
    }
}

/// What to do about an alarm; nothing for one this console does not know.
pub fn alarm_do(full: &str, lang: Lang) -> &'static str {
    alarms::find(full).map_or("", |a| lang.of(a.do_zh, a.do_en))
}

/// The key of this console that does what an alarm asks for.
pub fn alarm_key(full: &str) -> Option<char> {
    match full.split(':').next() {
        Some("out-of-step") => Some('c'),
        Some("clock-suspect") => Some('t'),
        Some("gate-stuck") => Some('g'),
        Some("horn") => Some('n'),
        _ => None,
    }
}

/// What to do about an alarm, with the key where the console has one.
pub fn alarm_act(full: &str, keys: bool, lang: Lang) -> String {
    let act = alarm_do(full, lang);
    match alarm_key(full).filter(|_| keys) {
        Some(key) => lang.of(format!("{act}（按 {key}）"), format!("{act} (press {key})")),
        None => act.into(),
    }
}

/// A time span: `0.3 s`, `12 s`, `3 min`, `5 h`, `2 d`.
pub fn age(ms: u64, lang: Lang) -> String {
    match ms / 1000 {
        s if s < 10 => format!("{}.{} {}", s, ms % 1000 / 100, lang.of("秒", "s")),
        s if s < 120 => format!("{s} {}", lang.of("秒", "s")),
        s if s < 2 * 3600 => format!("{} {}", s / 60, lang.of("分", "min")),
        s if s < 48 * 3600 => format!("{} {}", s / 3600, lang.of("时", "h")),
        s => format!("{} {}", s / 86_400, lang.of("天", "d")),
    }
}

/// Free space: `812 MB`, `120 GB`.
pub fn bytes(n: u64) -> String {
    match n / 1_000_000 {
        mb if mb < 10_000 => format!("{mb} MB"),
        mb => format!("{} GB", mb / 1000),
    }
}

/// What a command would do, as the question before it.
pub fn question(command: &Command, lang: Lang) -> String {
    match command {
        Command::Start { job } => lang.of(format!("开始工单 {job}？"), format!("Start job {job}?")),
        Command::Hold { job } => lang.of(format!("暂停工单 {job}？生产线会停下。"), format!("Hold job {job}? The line will stop.")),
        Command::Resume { job } => lang.of(
            format!("继续工单 {job}？请确认现场安全，生产线会启动。"),
            format!("Resume job {job}? Look at the line first: it will start."),
        ),
        Command::Clear { station } => lang.of(
            format!("工位 {station} 的箱子和来料都已取走清空？"),
            format!("Is the parent at {station} empty, and everything on its way to it taken off?"),
        ),
        Command::Retract { station } => lang.of(
            format!("收回工位 {station} 的剔除器？它前面的产品会按剔除处理。"),
            format!("Take the gate of {station} back to where it rests? What stands in front of it counts as rejected."),
        ),
        Command::HornOff => lang.of("关掉喇叭？".to_string(), "Silence the horn?".to_string()),
        Command::TrustClock => lang.of("系统时间已经校准，现在正确？".to_string(), "Is the system's time set, and right now?".to_string()),
    }
}

/// An answer as a sentence, one line each.
pub fn said(said: &Said, lang: Lang) -> Vec<String> {
    match said {
        Said::Done(c) => vec![match c {
            Command::Start { job } => lang.of(format!("工单 {job} 已开始"), format!("Job {job} is starting")),
            Command::Hold { job } => lang.of(format!("工单 {job} 已暂停"), format!("Job {job} is held")),
            Command::Resume { job } => lang.of(format!("工单 {job} 正在恢复"), format!("Job {job} is resuming")),
            Command::Clear { station } => lang.of(format!("工位 {station} 已清空"), format!("Station {station} is clear")),
            Command::Retract { station } => lang.of(
                format!("工位 {station} 的剔除器已收回：取出卡住的东西，再恢复"),
                format!("The gate of {station} rests: take out what is stuck, then resume"),
            ),
            Command::HornOff => lang.of("喇叭已静音".to_string(), "The horn is silent".to_string()),
            Command::TrustClock => lang.of("时钟重新可信".to_string(), "The clock is trusted again".to_string()),
        }],
        Said::Refused(r) => refusal(r, lang),
        Said::Unheard => vec![
            lang.of("没有收到回答，不知道是否已执行。", "No answer came; it may or may not have been done.").into(),
            lang.of("先看上面的状态，再决定是否重试。", "Look at the state above before trying again.").into(),
        ],
        Said::NoJob => vec![lang.of("现在没有工单在生产线上。", "No job is on the line.").into()],
        Said::InStep => vec![lang.of("没有工位错位，不需要清空。", "No station is out of step; there is nothing to clear.").into()],
        Said::ClockGood => vec![lang.of("时钟是可信的。", "The clock is trusted already.").into()],
        Said::GatesGood => vec![lang.of("没有剔除口卡住。", "No reject is stuck.").into()],
        Said::Silent => vec![lang.of("喇叭没有响。", "No horn sounds.").into()],
        Said::Waiting => vec![lang.of("上一条命令还没有回答。", "The last command is not answered yet.").into()],
        Said::NoDaemon => vec![lang.of("守护进程没有连接，命令不能发出。", "The daemon is not connected; nothing can be sent.").into()],
    }
}

fn refusal(r: &Refusal, lang: Lang) -> Vec<String> {
    let known = match r.code.as_str() {
        "not-ready" => Some(("还不能开始，缺少：", "请逐条解决，然后再试。")),
        "unknown-job" => Some(("没有这个工单。", "请先建立工单（packmark job create），或核对编号。")),
        "job-over" => Some(("这个工单已经结束。", "请建立新的工单。")),
        "line-busy" => Some(("生产线上已有工单。", "请先完成或中止它，或者恢复它。")),
        "other-job" => Some(("生产线上是另一个工单。", "请看屏幕上的工单编号。")),
        "not-running" => Some(("这个工单没有在进行。", "请先开始它（按 s）。")),
        "completing" => Some(("这个工单正在收尾。", "请等它结束。")),
        "unknown-station" => Some(("没有这个工位。", "请核对工位名称。")),
        "line-moves" => Some(("生产线在运行，剔除器可能要用。", "请先暂停工单。")),
        "not-a-pack-station" => Some(("这个工位不装箱，不需要清空。", "请选装箱工位。")),
        "busy" => Some(("等待处理的请求太多。", "请稍等再试。")),
        "stopping" => Some(("守护进程正在停止。", "等它恢复后再试。")),
        _ => None,
    };
    let mut lines: Vec<String> = Vec::new();
    let heading = lang.of(known.map_or("命令被拒绝：", |k| k.0), "Refused:");
    lines.push(heading.into());
    let message = lang.of(phrases::chinese(&r.message), r.message.as_str().into());
    lines.extend(message.lines().map(|l| format!("- {l}")));
    let act = match (lang, known) {
        (Lang::Zh, Some(k)) => k.1.into(),
        _ => lang.of(phrases::chinese(&r.act), r.act.as_str().into()),
    };
    if !act.is_empty() {
        lines.push(format!("-> {act}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(f: impl Fn(Lang) -> String, what: &str) {
        let (zh, en) = (f(Lang::Zh), f(Lang::En));
        assert!(!zh.is_empty() && zh.chars().any(|c| c > '\u{2e80}'), "{what} has no Chinese word: {zh:?}");
        assert!(!en.is_empty() && en.is_ascii(), "{what} has no English word: {en:?}");
    }

    #[test]
    fn every_word_has_two_languages() {
        PackMl::ALL.iter().for_each(|s| both(|l| packml(*s, l).into(), s.word()));
        Reason::ALL.iter().for_each(|s| both(|l| reason(*s, l).into(), s.word()));
        ItemState::ALL.iter().for_each(|s| both(|l| item(*s, l).into(), s.word()));
        ParentState::ALL.iter().for_each(|s| both(|l| parent(*s, l).into(), s.word()));
        JobState::ALL.iter().for_each(|s| both(|l| job(*s, l).into(), s.word()));
        for a in alarms::ALARMS {
            both(|l| alarm(a.name, l), a.name);
            both(|l| alarm_do(a.name, l).into(), a.name);
        }
        for k in ["up", "down", "ready", "not-ready", "taken", "printed", "cleared", "out-of-step", "frame", "poll", "noise"] {
            both(|l| kind(k, l).into(), k);
        }
    }

    #[test]
    fn words_of_one_language_are_told_apart() {
        for lang in [Lang::Zh, Lang::En] {
            let states: std::collections::BTreeSet<_> = PackMl::ALL.iter().map(|s| packml(*s, lang)).collect();
            assert_eq!(states.len(), PackMl::ALL.len());
            let reasons: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|s| reason(*s, lang)).collect();
            assert_eq!(reasons.len(), Reason::ALL.len());
        }
    }

    #[test]
    fn an_alarm_says_what_it_is_about() {
        assert_eq!(alarm("device-down:cam1", Lang::Zh), "设备断线 cam1");
        assert_eq!(alarm("operator", Lang::En), "held by an operator");
        assert_eq!(alarm("of-tomorrow:x", Lang::En), "of-tomorrow:x");
        assert_eq!(alarm_do("of-tomorrow:x", Lang::En), "");
    }

    #[test]
    fn spans_are_short() {
        let en: Vec<String> = [0, 340, 12_000, 300_000, 9_000_000, 200_000_000].iter().map(|ms| age(*ms, Lang::En)).collect();
        assert_eq!(en, ["0.0 s", "0.3 s", "12 s", "5 min", "2 h", "2 d"]);
        assert_eq!(age(12_000, Lang::Zh), "12 秒");
        assert_eq!((bytes(812_000_000), bytes(120_500_000_000)), ("812 MB".into(), "120 GB".into()));
    }

    #[test]
    fn a_refusal_keeps_every_missing_thing() {
        let r = Refusal::new("not-ready", "device cam1 is not connected\nno codes for box", "mend each point, then start again");
        let zh = said(&Said::Refused(r.clone()), Lang::Zh);
        assert_eq!(zh.len(), 4);
        assert_eq!(zh[0], "还不能开始，缺少：");
        assert_eq!(said(&Said::Refused(r), Lang::En)[3], "-> mend each point, then start again");
    }
}
