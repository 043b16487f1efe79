//! The terminal's loan: raw mode and the second screen are taken once and always given back, also by a panic.

use super::model::{Action, Event, Model};
use super::view::render_line;
use crossterm::{cursor, execute, terminal};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use std::io::{IsTerminal, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// The screen is ours now; a panic must give it back before it speaks.
static TAKEN: AtomicBool = AtomicBool::new(false);

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nothing better can be done about a terminal that does not take it.
        let _ = execute!(stdout(), terminal::LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

/// A model and where it is drawn: a terminal, or a test's buffer.
pub struct View<B: Backend> {
    terminal: Terminal<B>,
    pub model: Model,
}

impl<B: Backend> View<B> {
    pub fn new(backend: B, model: Model) -> Result<Self, B::Error> {
        Ok(Self { terminal: Terminal::new(backend)?, model })
    }

    pub fn update(&mut self, event: Event) -> Action {
        self.model.update(event)
    }

    pub fn draw(&mut self) -> Result<(), B::Error> {
        let model = &self.model;
        self.terminal.draw(|frame| {
            let area = frame.area();
            render_line(frame.buffer_mut(), area, model);
        })?;
        Ok(())
    }

    pub fn backend(&self) -> &B {
        self.terminal.backend()
    }
}

/// The view on this process's own terminal. Dropped, it gives the terminal back.
pub struct Screen {
    view: View<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Whether there is a terminal to draw on.
    pub fn possible() -> bool {
        stdout().is_terminal()
    }

    pub fn open(model: Model) -> std::io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let opened = execute!(stdout(), terminal::EnterAlternateScreen, cursor::Hide)
            .and_then(|()| View::new(CrosstermBackend::new(stdout()), model));
        match opened {
            Ok(view) => Ok(Self { view }),
            Err(e) => {
                give_back();
                Err(e)
            }
        }
    }

    pub fn update(&mut self, event: Event) -> Action {
        self.view.update(event)
    }

    pub fn draw(&mut self) -> std::io::Result<()> {
        self.view.draw()
    }

    /// Takes what was typed since the last call; a command of the operator is answered, `None` otherwise. For a screen
    /// drawn inside another program's loop (the demo).
    pub fn typed(&mut self) -> std::io::Result<Option<Action>> {
        while let Some(event) = super::source::next_input(std::time::Duration::ZERO)? {
            match self.update(event) {
                Action::Draw => {}
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}
