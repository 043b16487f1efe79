//! The way of the world's operator to the daemon: its Unix socket, opened again whenever it is there.
//!
//! Invariants: a request said while nobody listens is lost, as a word into an empty room; the operator looks again.

use super::stage::News;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Between two looks for the daemon.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn attend(socket: PathBuf, news: mpsc::Sender<News>, mut requests: mpsc::Receiver<Value>) {
    loop {
        while requests.try_recv().is_ok() {}
        if let Ok(stream) = connect(&socket).await {
            talk(stream, &news, &mut requests).await;
            if news.send(News::DaemonGone).await.is_err() {
                return;
            }
        }
        if news.is_closed() {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn talk(stream: UnixStream, news: &mpsc::Sender<News>, requests: &mut mpsc::Receiver<Value>) {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    loop {
        tokio::select! {
            // `next_line` keeps half a line when another arm wins.
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                // A line that is not JSON is the daemon's fault and nothing to an operator.
                let Ok(value) = serde_json::from_str(&line) else { continue };
                if news.send(News::Heard(value)).await.is_err() {
                    return;
                }
            }
            request = requests.recv() => {
                let Some(request) = request else { return };
                if writing.write_all(format!("{request}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A Unix address holds about 100 bytes; a longer path is reached through its folder's descriptor.
async fn connect(path: &Path) -> std::io::Result<UnixStream> {
    match UnixStream::connect(path).await {
        Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => {
            use std::os::fd::AsRawFd;
            let folder = std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?;
            let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
            UnixStream::connect(short.join(path.file_name().unwrap_or_default())).await
        }
        other => other,
    }
}
