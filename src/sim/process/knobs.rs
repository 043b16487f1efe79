//! The simulator's control port: one JSON object a line, asked and answered, on loopback TCP.
//!
//! Must never know: what a knob does (`world::knobs`). Invariants: a bad line fails alone; a line has at most 64 KiB; an
//! answer comes when the knob has been turned.

use super::stage::News;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

const LONGEST: u64 = 64 * 1_024;
/// A listener out of descriptors looks again after this.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

pub(super) async fn listen(listener: TcpListener, news: mpsc::Sender<News>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(talk(stream, news.clone()))),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn talk(stream: TcpStream, news: mpsc::Sender<News>) {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        match (&mut reading).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            _ => return,
        }
        let answer = match serde_json::from_slice::<Value>(&line) {
            Ok(request) => {
                let (answer, answered) = oneshot::channel();
                if news.send(News::Asked { request, answer }).await.is_err() {
                    return;
                }
                answered.await.unwrap_or_else(|_| refused(&Value::Null, "ending", "the simulation ends", "start it again"))
            }
            Err(e) => refused(&Value::Null, "bad-request", &format!("not JSON: {e}"), "send one JSON object a line"),
        };
        if writing.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A refusal as the daemon's socket has it.
pub(super) fn refused(id: &Value, code: &str, message: &str, act: &str) -> Value {
    let mut v = json!({"ok": false, "error": {"code": code, "message": message, "do": act}});
    if !id.is_null() {
        v["id"] = id.clone();
    }
    v
}
