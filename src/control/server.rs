//! The server: a Unix socket that takes commands, a TCP port that only reads.
//!
//! Every queue is bounded: a client whose 256 waiting lines are full is dropped; the floor's queue full answers `busy`.

use super::client::{by_any_length, connect_long};
use super::protocol::{self, MAX_LINE, Op, Refusal, Request, Status};
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, oneshot, watch};

/// Clients at once, on each of the two sockets: whoever fills the one that only reads does not lock the other.
const MAX_CLIENTS: usize = 32;
/// Lines waiting for one client.
const QUEUE: usize = 256;
const BEAT: Duration = Duration::from_secs(5);
/// How long one line may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// Events a page of the journal brings.
const PAGE: usize = 500;

/// A request for the floor.
pub struct Command {
    pub op: Op,
    pub key: Option<String>,
    pub reply: oneshot::Sender<Result<Map<String, Value>, Refusal>>,
}

/// The committed journal, in public form.
pub trait Tail: Send + Sync + 'static {
    /// Lines after `since` in order, at most about `limit`, each with its seq.
    fn page(&self, since: u64, limit: usize) -> Result<Vec<(u64, Value)>, String>;
}

/// What the floor hands in.
#[derive(Clone)]
pub struct Desk {
    pub line: String,
    pub boot: String,
    pub status: watch::Receiver<Arc<Status>>,
    pub commands: mpsc::Sender<Command>,
    pub committed: watch::Receiver<u64>,
    pub tail: Arc<dyn Tail>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("another daemon answers at {path}")]
    Taken { path: PathBuf },
    #[error("the socket {path} cannot be opened")]
    Unix {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the status port {addr} cannot be opened")]
    Tcp {
        addr: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// Opens both sockets and serves them until the runtime ends. Answers the TCP address bound.
pub async fn serve(desk: Desk, socket: &Path, tcp: SocketAddr) -> Result<SocketAddr, ServeError> {
    let unix = bind_unix(socket)?;
    let tcp_listener = TcpListener::bind(tcp).await.map_err(|source| ServeError::Tcp { addr: tcp, source })?;
    let bound = tcp_listener.local_addr().map_err(|source| ServeError::Tcp { addr: tcp, source })?;
    let (clients, readers) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (d, c) = (desk.clone(), clients.clone());
    tokio::spawn(async move {
        loop {
            // An accept that fails (too many open files) is tried again, not spun on.
            match unix.accept().await {
                Ok((s, _)) => admit(s, d.clone(), true, c.clone()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    tokio::spawn(async move {
        loop {
            match tcp_listener.accept().await {
                Ok((s, _)) => admit(s, desk.clone(), false, readers.clone()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    Ok(bound)
}

fn bind_unix(path: &Path) -> Result<UnixListener, ServeError> {
    if connect_long(path).is_ok() {
        return Err(ServeError::Taken { path: path.into() });
    }
    let error = |source| ServeError::Unix { path: path.into(), source };
    if path.exists() {
        std::fs::remove_file(path).map_err(error)?;
    }
    let listener = by_any_length(path, UnixListener::bind).map_err(error)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
    std::fs::set_permissions(path, mode).map_err(error)?;
    Ok(listener)
}

fn admit<S>(stream: S, desk: Desk, commands: bool, clients: Arc<AtomicUsize>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    if clients.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
        clients.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    tokio::spawn(async move {
        client(stream, desk, commands).await;
        clients.fetch_sub(1, Ordering::Relaxed);
    });
}

/// One client: a task reads, a task writes; either end ends both.
async fn client<S>(stream: S, desk: Desk, commands: bool)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read, mut write) = tokio::io::split(stream);
    let (out, mut lines) = mpsc::channel::<Value>(QUEUE);
    let Ok(()) = out.try_send(protocol::hello(&desk.line, &desk.boot)) else { return };
    let writer = async move {
        loop {
            let value = match tokio::time::timeout(BEAT, lines.recv()).await {
                Ok(Some(v)) => v,
                Ok(None) => return,
                Err(_) => json!({"type": "beat"}),
            };
            let mut text = shown(value, commands).to_string();
            text.push('\n');
            if !matches!(tokio::time::timeout(WRITE_LIMIT, write.write_all(text.as_bytes())).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    let reader = async move {
        let mut read = BufReader::new(read);
        let mut watching = None;
        loop {
            match line(&mut read).await {
                Line::End => return true,
                Line::TooLong => {
                    let r = Refusal::new("too-long", format!("a line has at most {MAX_LINE} bytes"), "send a shorter request");
                    if out.try_send(protocol::refused(&Value::Null, &r)).is_err() {
                        return false;
                    }
                }
                Line::Bytes(b) if b.iter().all(u8::is_ascii_whitespace) => {}
                Line::Bytes(b) => {
                    let answer = match protocol::parse(&b) {
                        Ok(r) => request(r, &desk, commands, &out, &mut watching).await,
                        Err((id, r)) => Some(protocol::refused(&id, &r)),
                    };
                    if let Some(a) = answer
                        && out.try_send(a).is_err()
                    {
                        return false;
                    }
                }
            }
        }
    };
    // Whoever has said all (`… | nc -N`) still hears its answers; whoever is dropped for not reading does not.
    tokio::pin!(writer);
    let said_all = tokio::select! { () = &mut writer => false, end = reader => end };
    if said_all {
        writer.await;
    }
}

fn shown(mut v: Value, commands: bool) -> Value {
    if !commands {
        protocol::mask(&mut v);
    }
    v
}

enum Line {
    Bytes(Vec<u8>),
    TooLong,
    End,
}

/// The next line without its end; a line too long is read to its end and dropped.
async fn line<R: AsyncRead + Unpin>(read: &mut BufReader<R>) -> Line {
    let mut bytes = Vec::new();
    match (&mut *read).take(MAX_LINE as u64).read_until(b'\n', &mut bytes).await {
        Ok(0) | Err(_) => return Line::End,
        Ok(_) => {}
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        return Line::Bytes(bytes);
    }
    if bytes.len() < MAX_LINE {
        return Line::Bytes(bytes);
    }
    loop {
        bytes.clear();
        match (&mut *read).take(MAX_LINE as u64).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return Line::End,
            Ok(_) if bytes.last() == Some(&b'\n') => return Line::TooLong,
            Ok(_) => {}
        }
    }
}

/// Answers a request; `None` when the answer comes later by itself.
async fn request(r: Request, desk: &Desk, commands: bool, out: &mpsc::Sender<Value>, watching: &mut Option<Watching>) -> Option<Value> {
    if !commands && !r.op.only_reads() {
        let refusal = Refusal::new("read-only", "this port only reads", "send commands to the Unix socket");
        return Some(protocol::refused(&r.id, &refusal));
    }
    match r.op {
        Op::Ping => Some(protocol::ok(&r.id, Map::new())),
        Op::Status => {
            let status = desk.status.borrow().clone();
            match serde_json::to_value(&*status) {
                Ok(Value::Object(m)) => Some(protocol::ok(&r.id, m)),
                _ => Some(protocol::refused(&r.id, &Refusal::new("internal", "the status cannot be written", "report this"))),
            }
        }
        Op::Watch { since } => {
            let head = *desk.committed.borrow();
            let mut fields = Map::new();
            fields.insert("boot".into(), desk.boot.clone().into());
            fields.insert("seq".into(), head.into());
            let (from, lost) = match since {
                None => (head, None),
                Some((boot, seq)) if boot == desk.boot && seq <= head => (seq, None),
                // Another boot's numbers go on in this one; only a number of the future is another book's.
                Some((_, seq)) if seq <= head => (seq, None),
                Some((_, seq)) => (head, Some((head, seq))),
            };
            let _ = out.try_send(protocol::ok(&r.id, fields));
            if let Some((from, to)) = lost {
                let _ = out.try_send(json!({"type": "lost", "from": from, "to": to}));
            }
            *watching = Some(Watching::start(desk.clone(), from, out.clone()));
            None
        }
        op => {
            let (reply, answer) = oneshot::channel();
            if desk.commands.try_send(Command { op, key: r.key, reply }).is_err() {
                return Some(protocol::refused(&r.id, &Refusal::new("busy", "too many requests wait", "send it again in a moment")));
            }
            // The answer may take its time (a job's end): other requests of this client go on meanwhile.
            let (out, id) = (out.clone(), r.id);
            tokio::spawn(async move {
                let value = match answer.await {
                    Ok(Ok(fields)) => protocol::ok(&id, fields),
                    Ok(Err(refusal)) => protocol::refused(&id, &refusal),
                    Err(_) => protocol::refused(&id, &Refusal::new("stopping", "the daemon is stopping", "send it again when it is back")),
                };
                let _ = out.send_timeout(value, WRITE_LIMIT).await;
            });
            None
        }
    }
}

/// A running watch; ends when dropped.
struct Watching(tokio::task::JoinHandle<()>);

impl Watching {
    fn start(desk: Desk, from: u64, out: mpsc::Sender<Value>) -> Self {
        Self(tokio::spawn(async move {
            let (mut at, mut committed) = (from, desk.committed.clone());
            loop {
                while at < *committed.borrow_and_update() {
                    let tail = desk.tail.clone();
                    let Ok(Ok(page)) = tokio::task::spawn_blocking(move || tail.page(at, PAGE)).await else { return };
                    let Some(last) = page.last().map(|p| p.0) else { break };
                    for (seq, mut v) in page {
                        if let Value::Object(m) = &mut v {
                            m.insert("type".into(), "event".into());
                            m.insert("seq".into(), seq.into());
                        }
                        // A client that does not read is not waited for.
                        if out.send_timeout(v, WRITE_LIMIT).await.is_err() {
                            return;
                        }
                    }
                    at = last;
                }
                if committed.changed().await.is_err() {
                    return;
                }
            }
        }))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}
