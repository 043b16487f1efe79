//! The operator's console, `packmark tui`: the screen *Line*.
//!
//! It knows the socket and nothing else: what it shows is the daemon's `status`, what it does are the daemon's
//! operations, asked one at a time after a *y*. Model, update, view: one [`Event`] in, one [`Action`] out, the screen
//! drawn from the [`Model`] alone ([`render_line`]), so that a demo or a test draws the same screen anywhere
//! ([`View`]).
//!
//! Must never know: the ledger, the line's rules.

mod live;
pub mod model;
mod paint;
mod source;
mod terminal;
mod view;
pub mod words;

pub use live::Live;
pub use model::{Action, Event, Model};
pub use terminal::{Screen, View};
pub use view::render_line;
pub use words::Lang;

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

/// Events that may wait while one is drawn; a full channel makes the sources wait.
const WAITING_EVENTS: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error("the console needs a terminal; use packmark status where there is none")]
    NoTerminal,
    #[error("the terminal cannot be used")]
    Terminal(#[from] std::io::Error),
}

/// The language of the environment, until the daemon says its own.
pub fn environment_lang() -> Lang {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|v| std::env::var(v).ok().filter(|s| !s.is_empty()));
    Lang::of_locale(&set.unwrap_or_default())
}

/// Runs the console until *q* or a signal. A daemon that does not answer is no error: the screen says so and tries on.
pub fn run(socket: &Path, lang: Option<Lang>) -> Result<(), TuiError> {
    if !Screen::possible() {
        return Err(TuiError::NoTerminal);
    }
    let (events, heard) = sync_channel(WAITING_EVENTS);
    let (ask, asked) = sync_channel(1);
    source::wait_for_signals(events.clone())?;
    let mut screen = Screen::open(Model::new(lang, environment_lang(), &socket.display().to_string()))?;
    source::read_keys(Instant::now(), events.clone());
    source::poll_status(socket.into(), events.clone());
    source::carry_commands(socket.into(), asked, events);
    screen.draw()?;
    while let Ok(first) = heard.recv() {
        for event in std::iter::once(first).chain(heard.try_iter().take(WAITING_EVENTS)) {
            match screen.update(event) {
                Action::Draw => {}
                Action::Quit => return Ok(()),
                // The model lets one command out at a time, so there is room; a carrier that is gone is an answer lost.
                Action::Ask(command) => {
                    if ask.try_send(command).is_err() {
                        screen.update(Event::Answered(model::Reply::Unheard));
                    }
                }
            }
        }
        screen.draw()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
