//! Ports: what an address means, and how it is opened.

use super::keys::Keys;
use crate::vocab::plan::{Address, Network, Parity};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_serial::SerialPortBuilderExt;

/// Anything that carries bytes both ways.
pub trait Link: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

/// A peer that does not answer is given up after this.
const CONNECT: Duration = Duration::from_secs(2);
/// A silent peer is probed after this, this often, so many times: a cable pulled at a reader is noticed although
/// nothing is ever sent to it.
const KEEP_IDLE: Duration = Duration::from_secs(5);
const KEEP_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_COUNT: u32 = 3;
/// Addresses of which it is known how often they were refused.
const MOST_REFUSED: usize = 64;

/// What an address opens: the link, and one of its own for commands.
pub struct Opened {
    pub link: Box<dyn Link>,
    pub aside: Option<Box<dyn Link>>,
}

/// A way to one device.
pub struct Port {
    address: Address,
    aside: Option<Address>,
    /// The folder of the configuration: a relative serial path is a pty's symlink there.
    folder: PathBuf,
    listener: Option<TcpListener>,
    /// Who may connect; none: anybody.
    allow: Vec<Network>,
    /// Who was refused, and how often.
    refused: BTreeMap<IpAddr, u32>,
}

impl Port {
    pub fn new(address: Address, aside: Option<Address>, folder: PathBuf) -> Self {
        Self { address, aside, folder, listener: None, allow: Vec::new(), refused: BTreeMap::new() }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Nobody else may connect, where the device connects to us.
    pub fn allowing(mut self, allow: Vec<Network>) -> Self {
        self.allow = allow;
        self
    }

    /// Opens the link, or waits for the device to connect. May be dropped at any await without loss.
    pub async fn open(&mut self) -> io::Result<Opened> {
        let link = self.main().await?;
        let aside = match &self.aside {
            Some(Address::Tcp { host, port }) => Some(connect(host, *port).await?),
            _ => None,
        };
        Ok(Opened { link, aside })
    }

    /// Connections that were refused, of the addresses that are remembered.
    pub fn refused(&self) -> u64 {
        self.refused.values().copied().map(u64::from).sum()
    }

    /// Takes its place before anybody comes, where devices connect to us: the port it has.
    pub async fn bind(&mut self) -> io::Result<Option<u16>> {
        let Address::Listen { host, port } = &self.address else { return Ok(None) };
        if self.listener.is_none() {
            self.listener = Some(TcpListener::bind((host.as_str(), *port)).await?);
        }
        self.listener.as_ref().map(|l| Ok(l.local_addr()?.port())).transpose()
    }

    async fn main(&mut self) -> io::Result<Box<dyn Link>> {
        match &self.address {
            Address::Tcp { host, port } => connect(host, *port).await,
            Address::Keys { path } => Ok(Box::new(Keys::open(&self.folder.join(path))?)),
            Address::Listen { .. } => {
                self.bind().await?;
                Ok(Box::new(self.accept().await?))
            }
            Address::Serial { path, baud, parity } => {
                let path = self.folder.join(path);
                let parity = match parity {
                    Parity::None => tokio_serial::Parity::None,
                    Parity::Even => tokio_serial::Parity::Even,
                    Parity::Odd => tokio_serial::Parity::Odd,
                };
                // Not exclusive: after a crash the simulator that keeps a pty's end open would shut us out.
                let port = tokio_serial::new(path.to_string_lossy(), *baud).parity(parity).exclusive(false).open_native_async()?;
                Ok(Box::new(port))
            }
        }
    }

    /// Another connection of a device that connects to us; never where we connect. Who may not connect is hung up on.
    pub async fn accept(&mut self) -> io::Result<TcpStream> {
        let Some(listener) = &self.listener else { return std::future::pending().await };
        loop {
            let (stream, peer) = listener.accept().await?;
            let ip = peer.ip().to_canonical();
            if self.allow.is_empty() || self.allow.iter().any(|n| n.has(ip)) {
                tune(&stream)?;
                return Ok(stream);
            }
            drop(stream);
            if self.refused.len() >= MOST_REFUSED && !self.refused.contains_key(&ip) {
                self.refused.pop_first();
            }
            let times = self.refused.entry(ip).or_insert(0);
            *times = times.saturating_add(1);
            // The first time, and then ever more seldom.
            if times.is_power_of_two()
                && let Address::Listen { host, port } = &self.address
            {
                tracing::warn!(
                    "{ip} may not connect to listen://{host}:{port} and was refused ({times} times so far): \
                     is it the device? then add it to the device's allow"
                );
            }
        }
    }
}

async fn connect(host: &str, port: u16) -> io::Result<Box<dyn Link>> {
    let connecting = TcpStream::connect((host, port));
    let stream = tokio::time::timeout(CONNECT, connecting)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("{host}:{port} does not answer")))??;
    tune(&stream)?;
    Ok(Box::new(stream))
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    let fd = stream.as_fd();
    sockopt::set_socket_keepalive(fd, true)?;
    sockopt::set_tcp_keepidle(fd, KEEP_IDLE)?;
    sockopt::set_tcp_keepintvl(fd, KEEP_INTERVAL)?;
    sockopt::set_tcp_keepcnt(fd, KEEP_COUNT)?;
    Ok(())
}
