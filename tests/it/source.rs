//! A source of codes on loopback that does as it is told, and mostly misbehaves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// What is done with one connection once its request is in.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes, then the end.
    Raw(Vec<u8>),
    /// Nothing, until the other side gives up.
    Silence,
    /// The head of an answer, then a byte every so often, until the other side gives up.
    Trickle,
    /// Bytes without end, until the other side gives up.
    Flood,
    /// The end, without a word.
    Hang,
}

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Act {
    Act::Raw(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes())
}

pub fn ok(body: &str) -> Act {
    answer("200 OK", "Content-Type: application/json\r\n", body)
}

pub fn raw(text: &str) -> Act {
    Act::Raw(text.as_bytes().to_vec())
}

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// `GET /path?query`.
    pub line: String,
    pub head: String,
    pub body: String,
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|l| l.split_once(": ").filter(|h| h.0.eq_ignore_ascii_case(name)).map(|h| h.1))
    }
}

/// Serves one connection after another; an act each, and nothing at all when there are no more.
pub struct Source {
    pub at: SocketAddr,
    heard: Receiver<Heard>,
    acts: SyncSender<Act>,
}

impl Source {
    pub fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (tell, heard) = sync_channel(64);
        let (give, given) = sync_channel::<Act>(64);
        acts.into_iter().for_each(|a| give.send(a).unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut s = stream.unwrap();
                s.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let Some(request) = request(&mut s) else { continue };
                if tell.send(request).is_err() {
                    return;
                }
                // The test says what comes next; when it is over nothing does.
                let Ok(act) = given.recv() else { return };
                play(&mut s, act);
            }
        });
        Self { at, heard, acts: give }
    }

    pub fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.at)
    }

    /// The next request.
    pub fn next(&self) -> Heard {
        self.heard.recv_timeout(Duration::from_secs(20)).expect("a request in time")
    }

    /// Everything heard so far and not looked at.
    pub fn rest(&self) -> Vec<Heard> {
        self.heard.try_iter().collect()
    }

    pub fn then(&self, act: Act) {
        self.acts.send(act).unwrap();
    }
}

fn request(s: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if s.read(&mut one).ok()? == 0 {
            return None;
        }
        bytes.push(one[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let line = head.lines().next().unwrap_or("").trim_end_matches(" HTTP/1.1").to_string();
    let mut heard = Heard { line, head, body: String::new() };
    let length = heard.header("content-length").map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    s.read_exact(&mut body).ok()?;
    heard.body = String::from_utf8(body).unwrap();
    Some(heard)
}

fn play(s: &mut TcpStream, act: Act) {
    match act {
        Act::Raw(bytes) => {
            let _ = s.write_all(&bytes);
            // The other side closes when it has read; a reset must not overtake the bytes.
            let _ = s.shutdown(std::net::Shutdown::Write);
            let _ = s.read(&mut [0; 64]);
        }
        Act::Silence => {
            let _ = s.read(&mut [0; 64]);
        }
        Act::Trickle => {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[\"");
            s.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            // Gone when it reads as closed, or can no longer be written to.
            while !matches!(s.read(&mut [0; 64]), Ok(0)) && s.write_all(b"x").is_ok() {}
        }
        Act::Flood => {
            let _ = s.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = [&b"1000\r\n"[..], &[b'x'; 0x1000], b"\r\n"].concat();
            while s.write_all(&chunk).is_ok() {}
        }
        Act::Hang => {}
    }
}
