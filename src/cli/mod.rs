//! The words of the command line, and nothing else: each command is carried out by `floor`, `control` or `ledger`.
//!
//! Exit: 0 done, 1 refused or failed, 2 usage or configuration, 3 daemon not reachable, 4 an audit found a violation.

mod ask;
mod books;
mod deliveries;
mod label;
mod packs;
mod place;
mod profiles;
mod remarks;
mod simulate;
mod supply;
mod tokens;
mod wiring;

use crate::floor::run::RunArgs;
use crate::floor::terms::{Exit, Globals};
use crate::vocab::ItemState;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser, Debug)]
#[command(name = "packmark", version, about = "One packing line, one book: codes to printers, every print checked, bottle to pallet.")]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the line
    Run(RunArgs),
    /// Check a configuration: every complaint at once
    Check,
    /// Code packs
    #[command(subcommand)]
    Pack(PackCommand),
    /// Jobs on the line
    #[command(subcommand)]
    Job(JobCommand),
    /// Stations
    #[command(subcommand)]
    Station(StationCommand),
    /// The horn
    #[command(subcommand)]
    Horn(HornCommand),
    /// Firmware profiles, and the tools to make one
    #[command(subcommand)]
    Profile(profiles::ProfileCommand),
    /// The clock
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Orders for codes
    #[command(subcommand)]
    Supply(SupplyCommand),
    /// What the line does now
    Status {
        /// Go on printing
        #[arg(long)]
        watch: bool,
    },
    /// The operator's console
    Tui,
    /// Everything the book knows of a code
    Trace(TraceArgs),
    /// The symbol of a code, as it will be printed
    Label(label::LabelArgs),
    /// Touched codes, parents and packs, a JSON line each
    Dump,
    /// Events in order, a JSON line each
    Journal {
        /// Only events after this number
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
    },
    /// What became of a job, computed from the book
    Report { job: String },
    /// Judge the book (and what physically happened)
    Audit {
        /// What physically happened, as `simulate` writes it
        #[arg(long, value_name = "FILE")]
        truth: Option<PathBuf>,
    },
    /// Play the devices and the belt of a line
    Simulate(crate::sim::SimulateArgs),
    /// See a whole line run, simulated, in a minute
    Demo(crate::floor::DemoArgs),
}

#[derive(Subcommand, Debug)]
pub enum PackCommand {
    /// Import files as one pack
    Import(Box<ImportArgs>),
    /// Make a sealed pack of a text: compressed, encrypted, signed
    Seal(Box<SealArgs>),
    /// Packs and what is left of them
    List,
    /// One pack: its codes by state, where it came from, how long it lasts
    Show { pack: String },
    /// What became of a pack, event by event
    History {
        pack: String,
        /// Only events after this number
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        since: u64,
        /// At most so many events
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Draw random tokens as a pack
    Generate(tokens::GenerateArgs),
    /// Take the unused codes of a pack out of use for ever
    Void(packs::WithdrawArgs),
    /// Give the unused codes of a pack back: never used here again, and listed in a file
    Return(packs::WithdrawArgs),
}

#[derive(Args, Debug, Clone)]
pub struct ImportArgs {
    /// Text files of codes, one a line (all of them are one pack), or one sealed pack
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The codes are on the market already: never used here, and refused when they turn up
    #[arg(long)]
    pub used: bool,
    /// Leave out codes that were here before, and count them, instead of refusing the whole pack
    #[arg(long)]
    pub skip_duplicates: bool,
    #[command(flatten)]
    pub says: SaysArgs,
}

/// What is said of a pack.
#[derive(Args, Debug, Clone, Default)]
pub struct SaysArgs {
    /// Level of the things that carry the codes
    #[arg(long)]
    pub level: Option<String>,
    /// Product they are for: its id or GTIN
    #[arg(long)]
    pub product: Option<String>,
    /// The pack's name (default: the next free p1, p2 …)
    #[arg(long, alias = "pack")]
    pub id: Option<String>,
    /// What the codes are for; kept with the pack
    #[arg(long)]
    pub purpose: Option<String>,
    /// Last day of use, as 2027-12-31
    #[arg(long)]
    pub expiry: Option<String>,
    /// Column of the code, by number from 1 or by header name: code=1; again for more codes of the same thing: cap-inside=3
    #[arg(long, value_name = "code=N")]
    pub column: Vec<String>,
    /// Column of a thing above, in rows that name several levels: case=NAME
    #[arg(long, value_name = "LEVEL=N")]
    pub parent: Vec<String>,
    /// Encoding of the text: utf-8, gbk or auto
    #[arg(long)]
    pub encoding: Option<String>,
    /// What parts columns: comma, semicolon, tab or auto
    #[arg(long)]
    pub separator: Option<String>,
    /// The first line of each file holds names, no code
    #[arg(long)]
    pub header: bool,
    /// What every code must be: gs1, url or any
    #[arg(long)]
    pub form: Option<String>,
}

#[derive(Args, Debug, Clone)]
pub struct SealArgs {
    /// Text of codes
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// age recipient of a line that may open it (age1…); again for more
    #[arg(long, required = true, value_name = "age1…")]
    pub to: Vec<String>,
    /// minisign secret key that signs it
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// File with the key's password (else PACKMARK_KEY_PASSWORD; a key made with minisign -G -W needs none)
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// What to write: X.csv.zst.age (and X.csv.zst.age.minisig)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The only line that may take it
    #[arg(long)]
    pub line: Option<String>,
    #[command(flatten)]
    pub says: SaysArgs,
}

#[derive(Args, Debug, Clone)]
pub struct Keyed {
    pub job: String,
    /// Answered once: the same key gives the same answer
    #[arg(long)]
    pub key: Option<String>,
}

#[derive(Subcommand, Debug)]
pub enum JobCommand {
    /// A new job
    Create {
        /// The job's name
        #[arg(long)]
        id: String,
        /// Product to make
        #[arg(long)]
        product: String,
        /// Its lot
        #[arg(long)]
        lot: String,
        /// Items to make
        #[arg(long)]
        target: Option<u32>,
        /// Expiry date, as it is printed
        #[arg(long)]
        expiry: Option<String>,
        /// Answered once: the same key gives the same answer
        #[arg(long)]
        key: Option<String>,
    },
    /// Start it, or hear what is missing
    Start(Keyed),
    /// Hold the line
    Hold(Keyed),
    /// Go on
    Resume(Keyed),
    /// Settle every code and end the job
    Complete {
        #[command(flatten)]
        keyed: Keyed,
        /// What to do with parents still open: void
        #[arg(long, value_parser = ["void"])]
        open: Option<String>,
    },
    /// End the job at once
    Abort(Keyed),
}

#[derive(Subcommand, Debug)]
pub enum SupplyCommand {
    /// Where codes are ordered from, how that stands, and every order
    List,
    /// Ask now, however the pool stands and however long it was to wait
    Try {
        #[arg(long)]
        level: String,
        #[arg(long)]
        product: String,
        #[arg(long)]
        key: Option<String>,
    },
    /// Give an open order up; codes it may have cost are recorded as lost
    Cancel {
        /// Its number, from supply list
        order: u32,
        /// Why, for the book
        #[arg(long)]
        reason: String,
        #[arg(long)]
        key: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub enum ClockCommand {
    /// Say that the system's time is set, and right
    Trust {
        #[arg(long)]
        key: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub enum StationCommand {
    /// Say that the physical parent of a station is empty
    Clear {
        station: String,
        #[arg(long)]
        key: Option<String>,
    },
    /// Take a station's gate back to where it rests, until the line goes on
    Retract {
        station: String,
        #[arg(long)]
        key: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub enum HornCommand {
    /// Say that it was heard
    Off {
        #[arg(long)]
        key: Option<String>,
    },
}

#[derive(Args, Debug, Clone)]
#[group(required = true, multiple = false)]
pub struct TraceArgs {
    /// The code as text
    pub code: Option<String>,
    /// The code as hex, for bytes that are no text
    #[arg(long)]
    pub hex: Option<String>,
}

/// Parses, carries out, answers the exit code.
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let help = !e.use_stderr();
            let _ = e.print();
            return if help { Exit::Done as u8 } else { Exit::Usage as u8 };
        }
    };
    full_disk_is_an_error();
    let g = &cli.globals;
    let exit = match cli.command {
        Command::Run(args) => crate::floor::run::run(g, &args),
        Command::Check => books::check(g),
        Command::Pack(PackCommand::Import(args)) => deliveries::import(g, &args),
        Command::Pack(PackCommand::Seal(args)) => deliveries::seal(g, &args),
        Command::Pack(PackCommand::List) => packs::list(g),
        Command::Pack(PackCommand::Show { pack }) => packs::show(g, &pack),
        Command::Pack(PackCommand::History { pack, since, limit }) => packs::history(g, &pack, since, limit),
        Command::Pack(PackCommand::Generate(args)) => tokens::generate(g, &args),
        Command::Pack(PackCommand::Void(args)) => packs::withdraw(g, &args, ItemState::Void),
        Command::Pack(PackCommand::Return(args)) => packs::withdraw(g, &args, ItemState::Returned),
        Command::Job(job) => ask::job(g, &job),
        Command::Station(StationCommand::Clear { station, key }) => ask::station(g, "station.clear", &station, key),
        Command::Station(StationCommand::Retract { station, key }) => ask::station(g, "station.retract", &station, key),
        Command::Horn(HornCommand::Off { key }) => ask::horn_off(g, key),
        Command::Profile(command) => profiles::run(g, command),
        Command::Supply(command) => supply::supply(g, &command),
        Command::Status { watch } => ask::status(g, watch),
        Command::Tui => ask::tui(g),
        Command::Clock(ClockCommand::Trust { key }) => ask::clock_trust(g, key),
        Command::Trace(args) => books::trace(g, &args),
        Command::Label(args) => label::label(g, &args),
        Command::Dump => books::dump(g),
        Command::Journal { since } => books::journal(g, since),
        Command::Report { job } => books::report(g, &job),
        Command::Audit { truth } => books::audit(g, truth.as_deref()),
        Command::Simulate(args) => simulate::simulate(g, &args),
        Command::Demo(args) => crate::floor::demo::demo(g, &args),
    };
    exit as u8
}

/// A file-size limit is a full disk: a write that fails, with a sentence, not a signal that ends the process. A handler
/// that does nothing makes it so, and stays for the process's life.
fn full_disk_is_an_error() {
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
        let _inside = runtime.enter();
        let xfsz = rustix::process::Signal::XFSZ.as_raw();
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(xfsz));
    }
}
