//! Refusals in plain sentences: what, where, what to do next.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no ledger in {dir}: start the daemon once, or import a pack")]
    Absent { dir: PathBuf },
    #[error("the ledger in {dir} is held by another packmark (process {pid}): stop it first, or use its socket")]
    Locked { dir: PathBuf, pid: String },
    #[error(
        "the ledger in {dir} was written by a newer packmark (schema {found}, this one knows {known}): install that version again; nothing was changed"
    )]
    Newer { dir: PathBuf, found: u32, known: u32 },
    #[error(
        "the ledger in {dir} is an older copy ({what}): codes may have been printed that it does not know of; put the newest copy back, or start with --accept-restored, which makes those codes doubtful; nothing was changed"
    )]
    Restored { dir: PathBuf, what: String },
    #[error(
        "the mark {path} is of a pack that this ledger does not know, and its codes may have been printed: put the newest copy of the ledger back; nothing was changed"
    )]
    UnknownPack { path: PathBuf },
    #[error("the ledger in {dir} could not be brought up: {what}")]
    Failed { dir: PathBuf, what: String },
    #[error("the file {path} belongs to another store: put back the packs folder that goes with this ledger")]
    OtherStore { path: PathBuf },
    #[error("the ledger in {dir} is damaged ({what}): stop here and restore a backup; nothing was changed")]
    Damaged { dir: PathBuf, what: String },
    #[error("the folder {dir} cannot be written: check its owner, its rights and the disk")]
    Unwritable {
        dir: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("test hooks are refused: the ledger in {dir} has been used without them")]
    HooksRefused { dir: PathBuf },
    #[error("the ledger in {dir} cannot be opened ({source}): check the folder and the disk")]
    Sql {
        dir: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("the disk is full: make room, then start again; everything acknowledged is safe")]
    Full,
    #[error("the ledger could not be written ({0}): check the disk, then start again; everything acknowledged is safe")]
    Sql(#[source] rusqlite::Error),
    #[error("a mark beside a pack could not be written ({0}): check the disk, then start again; everything acknowledged is safe")]
    Mark(#[source] std::io::Error),
    #[error("the ledger takes nothing more after an error: start again")]
    Poisoned,
}

impl From<rusqlite::Error> for CommitError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sql(e),
        }
    }
}
