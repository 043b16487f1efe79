//! The program `packmark simulate`: every device of a configuration on its own address, the world behind them, in one
//! process that outlives restarts of the daemon.
//!
//! Must never know: the daemon's rooms; it meets the daemon at the devices' addresses, and its operator at the socket.
//!
//! Invariants: one task owns rig and world, so there is nothing to lock; a tick is at most 5 ms and a late one is
//! written down; what a device answers leaves in the same turn; every channel is bounded (a host that does not read is
//! hung up, a socket that is not read waits).

mod carrier;
mod command;
mod knobs;
mod person;
mod pty;
mod stage;

pub use command::{FaultLevel, SimulateArgs, read_codes, simulate};
pub use stage::{Scene, play};

use super::rig::Rig;
use crate::config::Config;
use crate::profile::Profiles;
use crate::vocab::DeviceNo;
use crate::vocab::plan::Address;
use pty::Pty;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

/// What keeps `simulate` from running, each with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("device {device}: cannot listen on {address}; stop what uses it, or give the device another address")]
    Address {
        device: String,
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot listen for knobs on {address}; give --control a free loopback address, as 127.0.0.1:0")]
    Control {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("device {device}: {path} is a real port; a simulated device needs an address as serial://NAME.tty")]
    RealPort { device: String, path: String },
    #[error("device {device}: {path} stands in the way and was not made here; move it, or give the device another address")]
    InTheWay { device: String, path: PathBuf },
    #[error("device {device}: no pseudo terminal could be made at {path}; see that the folder can be written")]
    Terminal {
        device: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read {path}; give --preprinted LEVEL=FILE a readable file")]
    Preprinted {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write {path}; give --truth a file that can be written")]
    Truth {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}", .0.join("; "))]
    Devices(Vec<String>),
    #[error("{0}")]
    World(String),
    #[error("standard output is closed; keep it open until simulate ends")]
    Stdout(#[source] std::io::Error),
    #[error("the machine gives no event loop")]
    Runtime(#[source] std::io::Error),
}

/// Every device on its address, nobody connected yet.
pub struct Doors {
    listeners: Vec<(DeviceNo, TcpListener)>,
    /// Their own addresses for commands.
    aside: Vec<(DeviceNo, TcpListener)>,
    /// Devices that connect to the host.
    dialled: Vec<(DeviceNo, String, u16)>,
    terminals: Vec<Pty>,
    /// Where knobs are turned.
    control: Option<TcpListener>,
}

impl Doors {
    /// Opens all, or none.
    pub async fn open(config: &Config) -> Result<Self, SimulateError> {
        let mut doors = Self { listeners: Vec::new(), aside: Vec::new(), dialled: Vec::new(), terminals: Vec::new(), control: None };
        for d in &config.plan.devices {
            let device = || d.id.clone();
            match &d.address {
                Address::Tcp { host, port } => doors.listeners.push((d.no, bind(&d.id, host, *port).await?)),
                Address::Listen { host, port } => doors.dialled.push((d.no, host.clone(), *port)),
                Address::Serial { path, .. } | Address::Keys { path } if Path::new(path).is_absolute() => {
                    return Err(SimulateError::RealPort { device: device(), path: path.clone() });
                }
                Address::Serial { path, .. } | Address::Keys { path } => {
                    doors.terminals.push(Pty::make(d.no, &d.id, &config.base.join(path))?)
                }
            }
        }
        for d in &config.plan.devices {
            if let Some(Address::Tcp { host, port }) = &d.command {
                doors.aside.push((d.no, bind(&d.id, host, *port).await?));
            }
        }
        Ok(doors)
    }

    /// Opens the control port too; answers where it is.
    pub async fn open_control(&mut self, at: SocketAddr) -> Result<SocketAddr, SimulateError> {
        let failed = |source| SimulateError::Control { address: at, source };
        let listener = TcpListener::bind(at).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        self.control = Some(listener);
        Ok(address)
    }

    /// Where each listening device is.
    pub fn addresses(&self) -> BTreeMap<DeviceNo, SocketAddr> {
        self.listeners.iter().filter_map(|(d, l)| Some((*d, l.local_addr().ok()?))).collect()
    }
}

async fn bind(device: &str, host: &str, port: u16) -> Result<TcpListener, SimulateError> {
    let failed = |source| SimulateError::Address { device: device.into(), address: format!("{host}:{port}"), source };
    TcpListener::bind((host, port)).await.map_err(failed)
}

/// The rig of a configuration.
pub fn rig(config: &Config, profiles: &Profiles, seed: u64) -> Result<Rig, SimulateError> {
    Rig::new(&config.plan, profiles, seed).map_err(SimulateError::Devices)
}

#[cfg(test)]
mod tests;
