//! Where events come from: a thread that asks the daemon for its status, one that carries commands, one that reads the
//! keyboard and beats time, one that waits for signals. Each sends into one bounded channel and ends when nobody
//! listens any more; when the channel is full the source waits.

use super::model::{Command, Event, Key, Lost, Reply};
use crate::control::client::{Client, ClientError};
use crate::control::protocol::Status;
use crossterm::event::{self, Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

/// How often the status is asked for, and the daemon called again when it is gone.
const POLL: Duration = Duration::from_millis(250);
/// How long a status may take.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);
/// How long a command may take: a start waits for printers.
const COMMAND_PATIENCE: Duration = Duration::from_secs(20);

fn lost(e: &ClientError) -> Lost {
    match e {
        ClientError::Unreachable { .. } => Lost::Unreachable,
        ClientError::Protocol { .. } | ClientError::Refused(_) => Lost::NotUnderstood,
    }
}

/// Asks for the status for ever; a lost daemon is called again.
pub fn poll_status(socket: PathBuf, events: SyncSender<Event>) {
    std::thread::spawn(move || {
        loop {
            let Err(e) = poll_connected(&socket, &events) else { return };
            if events.send(Event::Lost(lost(&e))).is_err() {
                return;
            }
            std::thread::sleep(POLL);
        }
    });
}

/// Until the daemon is lost (an error) or nobody listens.
fn poll_connected(socket: &Path, events: &SyncSender<Event>) -> Result<(), ClientError> {
    let mut client = Client::connect(socket, STATUS_PATIENCE)?;
    let text = |name: &str| client.hello.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    if events.send(Event::Greeted { line: text("line"), version: text("version") }).is_err() {
        return Ok(());
    }
    loop {
        let fields = client.request("status", Map::new(), None)?;
        let status: Status = serde_json::from_value(Value::Object(fields)).map_err(|e| ClientError::Protocol { what: e.to_string() })?;
        if events.send(Event::Told(Box::new(status))).is_err() {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
}

/// Carries each command over a connection of its own, so that the status goes on meanwhile. It is sent once: an answer
/// that does not come is not asked for again.
pub fn carry_commands(socket: PathBuf, commands: Receiver<Command>, events: SyncSender<Event>) {
    std::thread::spawn(move || {
        while let Ok(command) = commands.recv() {
            let reply = match carry(&socket, &command) {
                Ok(()) => Reply::Done(command),
                Err(ClientError::Refused(r)) => Reply::Refused(r),
                Err(_) => Reply::Unheard,
            };
            if events.send(Event::Answered(reply)).is_err() {
                return;
            }
        }
    });
}

fn carry(socket: &Path, command: &Command) -> Result<(), ClientError> {
    let (op, about) = match command {
        Command::Start { job } => ("job.start", Some(("job", job))),
        Command::Hold { job } => ("job.hold", Some(("job", job))),
        Command::Resume { job } => ("job.resume", Some(("job", job))),
        Command::Clear { station } => ("station.clear", Some(("station", station))),
        Command::Retract { station } => ("station.retract", Some(("station", station))),
        Command::HornOff => ("horn.off", None),
        Command::TrustClock => ("clock.trust", None),
    };
    let fields: Map<String, Value> = about.into_iter().map(|(field, value)| (field.into(), value.clone().into())).collect();
    Client::connect(socket, COMMAND_PATIENCE)?.request(op, fields, None).map(drop)
}

/// Reads the keyboard and beats time.
pub fn read_keys(started: Instant, events: SyncSender<Event>) {
    std::thread::spawn(move || {
        loop {
            let event = match next_input(POLL) {
                Ok(Some(event)) => event,
                Ok(None) => Event::Tick(started.elapsed().as_millis() as u64),
                Err(_) => Event::Ended,
            };
            let ended = event == Event::Ended;
            if events.send(event).is_err() || ended {
                return;
            }
        }
    });
}

/// The next event of the terminal, if one comes within `patience`.
pub fn next_input(patience: Duration) -> std::io::Result<Option<Event>> {
    Ok(if event::poll(patience)? { input(event::read()?) } else { None })
}

fn input(input: Input) -> Option<Event> {
    let key = match input {
        Input::Resize(..) => return Some(Event::Resized),
        Input::Key(k) if k.kind == KeyEventKind::Press => k,
        _ => return None,
    };
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Event::Ended);
    }
    Some(Event::Key(match key.code {
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Backspace => Key::Back,
        KeyCode::Esc => Key::Escape,
        _ => return None,
    }))
}

/// SIGTERM, SIGINT and SIGHUP end the console in order.
pub fn wait_for_signals(events: SyncSender<Event>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut term, mut int, mut hup) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {}, _ = hup.recv() => {} }
        });
        // Nobody listening means that the console has ended already.
        let _ = events.send(Event::Ended);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    #[test]
    fn keys_of_the_terminal() {
        let key = |code, modifiers| input(Input::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('L'), KeyModifiers::SHIFT), Some(Event::Key(Key::Char('L'))));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Event::Ended));
        assert_eq!(key(KeyCode::Char('h'), KeyModifiers::CONTROL), None);
        assert_eq!(key(KeyCode::F(1), KeyModifiers::NONE), None);
        assert_eq!(input(Input::Resize(80, 24)), Some(Event::Resized));
    }
}
