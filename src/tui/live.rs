//! The same screen inside another program's loop, which brings the statuses itself: the demo. It only shows; keys that
//! command the line do nothing.

use super::model::{Action, Event, Model};
use super::terminal::Screen;
use super::words::Lang;
use crate::control::Status;
use std::time::Instant;

pub struct Live {
    screen: Screen,
    started: Instant,
}

impl Live {
    /// Takes the terminal until dropped.
    pub fn open(chinese: bool) -> std::io::Result<Self> {
        let lang = if chinese { Lang::Zh } else { Lang::En };
        let mut model = Model::new(Some(lang), lang, "");
        model.commands = false;
        Ok(Self { screen: Screen::open(model)?, started: Instant::now() })
    }

    /// Shows a status; true when the person wants to leave, or the terminal is gone.
    pub fn show(&mut self, status: Status) -> bool {
        self.screen.update(Event::Tick(self.started.elapsed().as_millis() as u64));
        self.screen.update(Event::Told(Box::new(status)));
        match self.screen.typed() {
            Ok(None) => self.screen.draw().is_err(),
            Ok(Some(action)) => action == Action::Quit,
            Err(_) => true,
        }
    }
}
