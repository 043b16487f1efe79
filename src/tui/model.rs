//! What the screen knows, and how one event changes it.
//!
//! Must never know: the terminal, the socket. Time comes in as a number.
//!
//! Invariants: one `Event` in, one `Action` out; nothing leaves for the daemon without a *y* to a question; while one
//! command waits for its answer no second one leaves.

use super::words::Lang;
use crate::control::protocol::{Refusal, Status};

/// How long a good answer stays on the screen, in ms; a refusal stays until a key.
const ANSWER_STAYS_MS: u64 = 8_000;
/// Longest job id that can be typed (CONTRACT: 1 to 64).
const JOB_ID_MAX: usize = 64;

/// A command to the daemon: few and safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Start {
        job: String,
    },
    Hold {
        job: String,
    },
    Resume {
        job: String,
    },
    /// The physical parent of a packing station is empty.
    Clear {
        station: String,
    },
    /// A gate goes back to where it rests.
    Retract {
        station: String,
    },
    /// The horn was heard.
    HornOff,
    /// The system's time is right now.
    TrustClock,
}

/// A key, whatever terminal it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    Back,
    Escape,
}

/// Why the daemon cannot be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody answers at the socket.
    Unreachable,
    /// Somebody answers who speaks otherwise: another version, or no daemon at all.
    NotUnderstood,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The console's own clock, in ms from its start.
    Tick(u64),
    Key(Key),
    /// The terminal changed its size.
    Resized,
    Greeted {
        line: String,
        version: String,
    },
    Told(Box<Status>),
    Lost(Lost),
    Answered(Reply),
    /// A signal, or the terminal is gone.
    Ended,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done(Command),
    Refused(Refusal),
    /// No answer: it may or may not have been done.
    Unheard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Draw,
    Ask(Command),
    Quit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Up,
    /// Since this time, in ms of the console's clock.
    Down {
        why: Lost,
        since_ms: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialog {
    None,
    Help,
    /// Asked whether a command is meant.
    Sure(Command),
    WhichJob {
        typed: String,
    },
}

/// What the console tells the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Done(Command),
    Refused(Refusal),
    Unheard,
    NoJob,
    /// No station is out of step.
    InStep,
    /// The clock is trusted already.
    ClockGood,
    /// No gate is stuck.
    GatesGood,
    /// No horn sounds.
    Silent,
    /// The last command is not answered yet.
    Waiting,
    NoDaemon,
}

impl Said {
    /// Bad news stays until a key.
    pub fn stays(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Unheard)
    }
}

#[derive(Clone, Debug)]
pub struct Model {
    pub lang: Lang,
    /// Chosen by flag or key: the daemon's language no longer matters.
    lang_chosen: bool,
    /// Commands are offered; a demo only shows.
    pub commands: bool,
    /// Where the daemon is looked for, to be shown.
    pub socket: String,
    pub link: Link,
    pub line: String,
    pub version: String,
    pub status: Option<Status>,
    /// When the status came, in ms of the console's clock.
    pub status_at_ms: u64,
    pub now_ms: u64,
    pub dialog: Dialog,
    pub said: Option<(Said, u64)>,
    /// The command that waits for its answer.
    pub waiting: Option<Command>,
}

impl Model {
    /// `lang`: chosen by the operator. Else `fallback` until the daemon says its own.
    pub fn new(lang: Option<Lang>, fallback: Lang, socket: &str) -> Self {
        Self {
            lang: lang.unwrap_or(fallback),
            lang_chosen: lang.is_some(),
            commands: true,
            socket: socket.into(),
            link: Link::Connecting,
            line: String::new(),
            version: String::new(),
            status: None,
            status_at_ms: 0,
            now_ms: 0,
            dialog: Dialog::None,
            said: None,
            waiting: None,
        }
    }

    /// The daemon is heard now.
    pub fn heard(&self) -> bool {
        self.link == Link::Up
    }

    /// How old what the screen shows is.
    pub fn stale_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.status_at_ms)
    }

    /// The job on the line, if one is.
    fn job(&self) -> Option<String> {
        let job = self.status.as_ref()?.job.as_ref()?;
        matches!(job.state.as_str(), "running" | "held" | "completing").then(|| job.id.clone())
    }

    /// The first station that lost step.
    pub fn lost_step(&self) -> Option<String> {
        self.station_with("out-of-step:")
    }

    /// The station whose reject does not do what it should.
    fn bad_gate(&self) -> Option<String> {
        self.station_with("gate-stuck:").or_else(|| self.station_with("reject-not-confirmed:"))
    }

    fn station_with(&self, alarm: &str) -> Option<String> {
        let alarms = &self.status.as_ref()?.alarms;
        alarms.iter().find_map(|a| a.name.strip_prefix(alarm).map(String::from))
    }

    fn say(&mut self, said: Said) {
        self.said = Some((said, self.now_ms));
    }

    pub fn update(&mut self, event: Event) -> Action {
        match event {
            Event::Tick(now_ms) => self.tick(now_ms),
            Event::Resized => {}
            Event::Greeted { line, version } => (self.line, self.version) = (line, version),
            Event::Told(status) => self.told(*status),
            Event::Lost(why) => {
                let since_ms = match self.link {
                    Link::Down { since_ms, .. } => since_ms,
                    _ => self.now_ms,
                };
                self.link = Link::Down { why, since_ms };
            }
            Event::Answered(reply) => {
                self.waiting = None;
                self.say(match reply {
                    Reply::Done(c) => Said::Done(c),
                    Reply::Refused(r) => Said::Refused(r),
                    Reply::Unheard => Said::Unheard,
                });
            }
            Event::Ended => return Action::Quit,
            Event::Key(key) => return self.key(key),
        }
        Action::Draw
    }

    fn tick(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        if self.said.as_ref().is_some_and(|(s, at)| !s.stays() && now_ms >= at + ANSWER_STAYS_MS) {
            self.said = None;
        }
    }

    fn told(&mut self, status: Status) {
        self.link = Link::Up;
        self.status_at_ms = self.now_ms;
        if !self.lang_chosen
            && let Some(lang) = status.language.as_deref().and_then(Lang::from_word)
        {
            self.lang = lang;
        }
        self.status = Some(status);
    }

    fn key(&mut self, key: Key) -> Action {
        match std::mem::replace(&mut self.dialog, Dialog::None) {
            Dialog::None => self.key_on_screen(key),
            Dialog::Help => match key {
                Key::Char('q') => Action::Quit,
                _ => Action::Draw,
            },
            // Only y: a hand scanner ends its codes with Enter.
            Dialog::Sure(command) => match key {
                Key::Char('y' | 'Y') => self.ask(command),
                _ => Action::Draw,
            },
            Dialog::WhichJob { typed } => self.key_of_job(typed, key),
        }
    }

    fn key_of_job(&mut self, mut typed: String, key: Key) -> Action {
        match key {
            Key::Escape => return Action::Draw,
            Key::Enter if !typed.is_empty() => {
                self.dialog = Dialog::Sure(Command::Start { job: typed });
                return Action::Draw;
            }
            Key::Enter => {}
            Key::Back => {
                typed.pop();
            }
            Key::Char(c) => {
                if (c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) && typed.len() < JOB_ID_MAX {
                    typed.push(c);
                }
            }
        }
        self.dialog = Dialog::WhichJob { typed };
        Action::Draw
    }

    fn key_on_screen(&mut self, key: Key) -> Action {
        self.said = None;
        match key {
            Key::Char('q') => return Action::Quit,
            Key::Char('L' | 'l') => (self.lang, self.lang_chosen) = (self.lang.other(), true),
            Key::Char('?') => self.dialog = Dialog::Help,
            Key::Char(c @ ('h' | 'r' | 's' | 'c' | 't' | 'g' | 'n')) if self.commands => self.open_question(c),
            _ => {}
        }
        Action::Draw
    }

    fn open_question(&mut self, key: char) {
        if !self.heard() {
            return self.say(Said::NoDaemon);
        }
        if self.waiting.is_some() {
            return self.say(Said::Waiting);
        }
        match (key, self.job(), self.lost_step()) {
            ('h', Some(job), _) => self.dialog = Dialog::Sure(Command::Hold { job }),
            ('r', Some(job), _) => self.dialog = Dialog::Sure(Command::Resume { job }),
            ('h' | 'r', None, _) => self.say(Said::NoJob),
            ('c', _, Some(station)) => self.dialog = Dialog::Sure(Command::Clear { station }),
            ('c', _, None) => self.say(Said::InStep),
            ('t', ..) if self.status.as_ref().is_some_and(|s| s.clock == "suspect") => self.dialog = Dialog::Sure(Command::TrustClock),
            ('t', ..) => self.say(Said::ClockGood),
            ('g', ..) => match self.bad_gate() {
                Some(station) => self.dialog = Dialog::Sure(Command::Retract { station }),
                None => self.say(Said::GatesGood),
            },
            ('n', ..) => match self.status.as_ref().is_some_and(|s| s.alarms.iter().any(|a| a.name == "horn")) {
                true => self.dialog = Dialog::Sure(Command::HornOff),
                false => self.say(Said::Silent),
            },
            _ => {
                let created = self.status.as_ref().and_then(|s| s.job.as_ref()).filter(|j| j.state == "created");
                self.dialog = Dialog::WhichJob { typed: created.map(|j| j.id.clone()).unwrap_or_default() };
            }
        }
    }

    fn ask(&mut self, command: Command) -> Action {
        self.waiting = Some(command.clone());
        Action::Ask(command)
    }
}
