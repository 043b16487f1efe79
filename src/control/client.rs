//! The blocking client of the socket: command line, simulator's operator, console.

use super::protocol::Refusal;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no daemon answers at {path}")]
    Unreachable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the daemon's answer is not understood: {what}")]
    Protocol { what: String },
    #[error("{}", .0.message)]
    Refused(Refusal),
}

pub struct Client {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    path: PathBuf,
    next: u64,
    pub hello: Value,
}

impl Client {
    /// Connects and reads the greeting. `patience`: how long any answer may take.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self, ClientError> {
        let unreachable = |source| ClientError::Unreachable { path: path.into(), source };
        let stream = connect_long(path).map_err(unreachable)?;
        stream.set_read_timeout(Some(patience)).map_err(unreachable)?;
        stream.set_write_timeout(Some(patience)).map_err(unreachable)?;
        let writer = stream.try_clone().map_err(unreachable)?;
        let mut c = Self { reader: BufReader::new(stream), writer, path: path.into(), next: 1, hello: Value::Null };
        c.hello = c.line()?;
        match c.hello.pointer("/proto/major").and_then(Value::as_u64) {
            Some(m) if m == u64::from(super::protocol::MAJOR) => Ok(c),
            _ => Err(ClientError::Protocol { what: "another major version greets".into() }),
        }
    }

    /// The next line, whatever it is.
    pub fn line(&mut self) -> Result<Value, ClientError> {
        let mut text = String::new();
        let n = self.reader.read_line(&mut text).map_err(|source| ClientError::Unreachable { path: self.path.clone(), source })?;
        if n == 0 {
            let source = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "closed");
            return Err(ClientError::Unreachable { path: self.path.clone(), source });
        }
        serde_json::from_str(&text).map_err(|e| ClientError::Protocol { what: e.to_string() })
    }

    /// One request, its answer's fields.
    pub fn request(&mut self, op: &str, mut fields: Map<String, Value>, key: Option<&str>) -> Result<Map<String, Value>, ClientError> {
        let id = self.next;
        self.next += 1;
        fields.insert("id".into(), id.into());
        fields.insert("op".into(), op.into());
        if let Some(k) = key {
            fields.insert("key".into(), k.into());
        }
        let mut text = Value::Object(fields).to_string();
        text.push('\n');
        self.writer.write_all(text.as_bytes()).map_err(|source| ClientError::Unreachable { path: self.path.clone(), source })?;
        loop {
            let Value::Object(mut m) = self.line()? else { continue };
            if m.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            if m.get("ok") == Some(&Value::Bool(true)) {
                m.remove("id");
                m.remove("ok");
                return Ok(m);
            }
            let refusal = m.remove("error").and_then(|e| serde_json::from_value(e).ok());
            return Err(refusal.map_or_else(|| ClientError::Protocol { what: "a refusal without error".into() }, ClientError::Refused));
        }
    }
}

/// Connects, however long the path is.
pub(super) fn connect_long(path: &Path) -> std::io::Result<UnixStream> {
    by_any_length(path, UnixStream::connect)
}

/// A Unix address holds about 100 bytes (unix(7)); a longer path is reached through its folder's descriptor.
pub(super) fn by_any_length<T>(path: &Path, open: impl Fn(PathBuf) -> std::io::Result<T>) -> std::io::Result<T> {
    match open(path.into()) {
        Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => {
            let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let folder = std::fs::File::open(dir)?;
            let short = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&folder));
            open(Path::new(&short).join(path.file_name().unwrap_or_default()))
        }
        other => other,
    }
}
