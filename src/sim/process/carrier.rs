//! One TCP connection of a device, from its opening to its end; and how connections come about.

use super::stage::News;
use crate::sim::emul::Link;
use crate::vocab::DeviceNo;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Sendings that may wait for a host to read; one more and it is hung up.
const OUTGOING: usize = 64;
/// How long one sending may take.
const WRITE_PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries of a device that connects by itself.
const DIAL_PAUSE: Duration = Duration::from_millis(200);

/// Takes every connection, numbered from above `after`; the stage decides whether the device does.
pub(super) async fn listen(listener: TcpListener, device: DeviceNo, after: u32, news: mpsc::Sender<News>) {
    for link in after + 1.. {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(carry(stream, device, Link(link), news.clone()))),
            // Out of descriptors, or the peer has gone again: neither ends the listening.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Connects to the host, again and again.
pub(super) async fn dial(host: String, port: u16, device: DeviceNo, news: mpsc::Sender<News>) {
    for link in 1.. {
        if let Ok(Ok(stream)) = timeout(WRITE_PATIENCE, TcpStream::connect((host.as_str(), port))).await {
            carry(stream, device, Link(link), news.clone()).await;
        }
        if news.is_closed() {
            return;
        }
        sleep(DIAL_PAUSE).await;
    }
}

/// Bytes in to the stage, bytes out from it, until either side ends it. The stage hangs up by dropping its end.
async fn carry(stream: TcpStream, device: DeviceNo, link: Link, news: mpsc::Sender<News>) {
    // One small answer at a time: nothing is to be gathered.
    let _ = stream.set_nodelay(true);
    let (out, mut outgoing) = mpsc::channel(OUTGOING);
    if news.send(News::Opened { device, link, out }).await.is_err() {
        return;
    }
    let (mut reading, mut writing) = stream.into_split();
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = reading.read(&mut buffer) => match read {
                Ok(n) if n > 0 => {
                    if news.send(News::Bytes { device, link, bytes: buffer[..n].to_vec() }).await.is_err() {
                        return;
                    }
                }
                _ => break,
            },
            bytes = outgoing.recv() => match bytes {
                Some(bytes) => {
                    if !matches!(timeout(WRITE_PATIENCE, writing.write_all(&bytes)).await, Ok(Ok(()))) {
                        break;
                    }
                }
                None => break,
            },
        }
    }
    let _ = news.send(News::Closed { device, link }).await;
}
