//! packmark: one packing line, one book.
//!
//! A daemon feeds unique codes to serial/TCP inkjet printers, checks every print with cameras and scanners, builds
//! bottle→box→case→pallet in a local SQLite store, and answers operators and MES on a socket. The idea behind it is
//! 一物一码, one item one code; it dies the day a code exists twice or a box holds what the book does not say.
//!
//! # Promises
//!
//! Each is judged by [`audit`], which shares no code with what it judges.
//!
//! 1. *once-inked*: the bytes of a code leave for a printer at most once; *sent* is committed before the first byte.
//! 2. *doubt-is-final*: a code whose fate is unknown is never sent again; only a read in a passage makes it verified.
//! 3. *one-parent*: an item is in at most one parent; a parent is sealed in one transaction with verified children.
//! 4. *ack-after-disk*: whatever says "done" to the outside says it after the commit that holds it; a reject waits for
//!    nothing.
//! 5. *balance*: codes by state add up to the codes received; passages decided and open add up to the trigger's count.
//! 6. *nothing-forgotten*: no acknowledged event is lost.
//! 7. *told-once*: every event has an id that makes a second arrival upstream harmless.
//! 8. *byte-exact*: a code is bytes, from pack to print to scan.
//! 9. *noise-is-noise*: no input can crash the daemon or fill its disk.
//!
//! # Rooms
//!
//! ```text
//! main → cli → floor ─┬→ device ──→ wire ──→ profile ─┐
//!                     ├→ ledger ──→ line ─────────────┤
//!                     ├→ config ─────────────────────┼→ vocab
//!                     └→ control ─────────────────────┘
//! tui → control      sim → wire, profile, line, ledger, config      audit → vocab
//! ```
//!
//! | room | holds | must never know |
//! |---|---|---|
//! | [`vocab`] | code, match key, SSCC, ids, states, reasons, events, time, the plan of a line | anything else |
//! | [`profile`] | `firmware-profiles/*.toml` → a validated value | IO beyond reading the files |
//! | [`config`] | the line's TOML → [`vocab::Plan`], every complaint at once | devices, SQL |
//! | [`wire`] | sans-IO conversations with printers, readers and I/O modules | tokio, clocks, SQL |
//! | [`mod@line`] | sans-IO heart: passages, verdicts, life of codes and parents, gates, feeding | tokio, clocks, SQL, protocols |
//! | [`device`] | ports (TCP, serial, pty, listen) and one driver loop for any conversation | packing rules |
//! | [`ledger`] | the only SQL: schema, writer thread, readers, segments, marks, journal | devices |
//! | [`control`] | the socket's protocol, server and client | SQL |
//! | [`tui`] | the operator's console | the ledger |
//! | [`floor`] | the imperative shell: builds the rooms, joins them, the only caller of the clock | rules |
//! | [`sim`] | simulated devices, the physics of a belt, faults, the seeded shift | |
//! | [`audit`] | judges a public dump, journal and truth file | `line`, the writing side of `ledger` |
//! | [`cli`] | the words of the command line | rules |
//!
//! Rooms still to be built have their place beside these: `upstream` (courier and supplier, sans-IO) hangs from
//! `floor` and reads the journal after its cursor; rework and people enter `line` as inputs of the same single owner.
//!
//! # How a decision is made
//!
//! [`line::Line::handle`] takes one [`line::Input`] and answers one [`line::Decision`]: events, effects that leave now,
//! effects that leave after the commit. Events fold into [`line::Book`] by `Book::apply`, the only mutator of what is
//! true; what belongs to this boot only (open passages, held frames, gate positions, printers' windows) is beside the
//! book and is treated as unknown by a restart. The design speaks of a pure `decide(&LineState, …)`; composite
//! decisions (a verdict closes a case, which burns a number, which orders a label) read better when each event is
//! applied before the next is decided, so `handle` takes `&mut self`, and purity is kept where it counts: no clock, no
//! IO, the same inputs give the same decisions, and the book changes by events alone.
//!
//! The ledger stores row images that `Book::take_rows` hands out, so there is one implementation of what an event
//! means; tests hold `Book::from_rows(tables) == fold(journal)`.
//!
//! # The walk of one bottle
//!
//! 1. A pack arrives ([`ledger::import`]): form, duplicates inside and against every earlier pack, then one transaction
//!    registers it. Its codes are *pooled*.
//! 2. The operator starts a job (`line/jobs.rs`): every device connected, codes for every level, else a sentence per
//!    missing thing. Codes are *leased* in pack order (`line/feed.rs`).
//! 3. The printer's conversation ([`wire`]) is armed; *sent* is committed, then its bytes leave. The window is bounded
//!    by the printer's buffer plus feed-ahead, and by `max_burn`.
//! 4. "Printed" comes by whatever that printer offers. Silence or reset makes doubt.
//! 5. The trigger opens a passage (`line/passage.rs`), the frame brings codes, the verdict leaves (`line/judge.rs`):
//!    a reject now, a release by the gate only when the verdict is on disk (`line/gate.rs`).
//! 6. At a pack station children gather (`line/packing.rs`); the parent closes, is labelled (`line/labels.rs`), is
//!    read, is sealed. The same rule at every level.
//! 7. The journal is the outbox; `watch`, `journal`, `trace` and `audit` read it.
//! 8. The job ends: what is unaccounted is settled by name, leases go back, both balances close.

pub mod audit;
pub mod cli;
pub mod config;
pub mod control;
pub mod device;
pub mod floor;
pub mod ledger;
pub mod line;
pub mod profile;
pub mod sim;
pub mod tui;
pub mod vocab;
pub mod wire;
