//! packmark: one packing line, one book.
//!
//! A daemon feeds unique codes to serial/TCP inkjet printers, checks every print with cameras and scanners, builds
//! bottle→box→case→pallet in a local SQLite store, and answers operators and MES on a socket. The idea behind it is
//! 一物一码, one item one code; it dies the day a code exists twice or a box holds what the book does not say.
//!
//! # Promises
//!
//! [`vocab::Promise`] names those that [`audit`] judges; it shares no code with what it judges.
//!
//! | promise | says | tested, beside the seeded shift (`tests/it/shift.rs`) and kill -9 (`tests/kill.rs`) |
//! |---|---|---|
//! | *once-inked* | the bytes of a code leave for a printer at most once; *sent* is committed before the first byte | `ink_before_book` in `tests/it/shift.rs`; `src/wire/fuzz.rs`; every printer's profile: `src/sim/soak/mod.rs`; an older copy put back: `tests/it/refusals.rs` |
//! | *doubt-is-final* | a code whose fate is unknown is never sent again; only a read in a passage makes it verified | `a_doubtful_code_sent_again` in `tests/it/shift.rs`; `src/line/tests/boots.rs`; what a lost printer proves: `src/sim/soak/told.rs` |
//! | *one-parent* | an item is in at most one parent; a parent is sealed in one transaction with verified children | `src/line/tests/packing.rs`; `src/audit/damages/things.rs` |
//! | *ack-after-disk* | whatever says "done" to the outside says it after the commit that holds it; a reject waits for nothing | `acknowledgement_before_commit` in `tests/it/shift.rs`; `src/line/tests/verdicts.rs`; `src/floor/owner/tests.rs` |
//! | *balance* | codes by state add up to the codes received; passages decided and open add up to the trigger's count | `src/audit/damages/book.rs`; `completing_settles_everything_by_name` in `src/line/tests/boots.rs` |
//! | *nothing-forgotten* | no acknowledged event is lost | `tests/it/book.rs`: a crash at every step; a full disk: `tests/it/refusals.rs` |
//! | *told-once* | every event has an id (boot and seq) that makes a second arrival upstream harmless | `a_pack_is_imported_beside_the_running_line_and_watchers_see_it` in `tests/it/daemon.rs` |
//! | *byte-exact* | a code is bytes, from pack to print to scan | `src/ledger/tests.rs`; transcripts in `src/wire/transcript/tests.rs`; `the_bytes_judge_beyond_the_key` in `src/vocab/key/tests.rs`; symbols: `tests/outside/symbols.rs` |
//! | *noise-is-noise* | no input can crash the daemon or fill its disk | `src/wire/fuzz/every.rs`; `src/wire/reader/fuzz.rs`; `tests/it/daemon.rs` |
//!
//! The seeded shift replays hundreds of shifts on virtual time with faults and a crash each, on the real ledger, and breaks
//! rules on purpose ([`line::Law`]): every broken one must be noticed. A catalogue of damages (`src/audit/damages.rs`) holds
//! the auditor to its own word. `tests/it/tidy.rs` holds the order of this house: arrows, words, sizes.
//!
//! # Rooms
//!
//! ```text
//! main → cli → floor ─┬→ device ──→ wire ──→ profile ─┐
//!                     ├→ ledger ──→ line ─────────────┤
//!                     ├→ config ──────────────────────┼→ vocab
//!                     ├→ intake ──────────────────────┤
//!                     ├→ upstream ────────────────────┤
//!               cli ──┼→ symbol ──────────────────────┤
//!                     └→ control ─────────────────────┘
//! tui → control      sim → wire, profile, line, ledger, intake, config, control      audit → vocab
//! ```
//!
//! `cli` reads beside a daemon without the floor (ledger, profile, config, audit), asks through `control`, opens `tui` and
//! `sim`, and names transcripts (`wire`). The demo lives in `floor` and is all of it at once, so `floor` knows `sim`, `audit` and `tui` too.
//!
//! | room | holds | must never know |
//! |---|---|---|
//! | [`vocab`] | code, match key, GS1 codes, SSCC, ids, states, reasons, events, time, the plan of a line | anything else |
//! | [`profile`] | `firmware-profiles/*.toml` → a validated value ([`profile::Bound`]; what a printer says: [`profile::talk::Talk`]) | IO beyond reading the files |
//! | [`config`] | the line's TOML → [`vocab::Plan`], every complaint at once | devices, SQL |
//! | [`intake`] | deliveries of codes (text, tables, sealed containers) → rows | the store, the line |
//! | [`symbol`] | Data Matrix and QR Code of a code, as PNG, SVG or on a terminal | printers, the store |
//! | [`wire`] | sans-IO conversations with printers, readers and I/O modules | tokio, clocks, SQL |
//! | [`mod@line`] | sans-IO heart: passages, verdicts, life of codes and parents, gates, feeding | tokio, clocks, SQL, protocols |
//! | [`device`] | ports (TCP, serial, pty, listen, evdev) and one driver loop for any conversation | packing rules |
//! | [`ledger`] | the only SQL: schema, writer thread, readers, segments, marks, journal | devices |
//! | [`upstream`] | the supplier of codes (sans-IO), its HTTP templates, folders and spool | the line's rules, the ledger |
//! | [`control`] | the socket's protocol, server and client; alarms and refusals in Chinese | SQL |
//! | [`tui`] | the operator's console | the ledger |
//! | [`floor`] | the imperative shell: builds the rooms, joins them, the only caller of the wall clock; the demo | rules |
//! | [`sim`] | simulated devices, the physics of a belt, faults, the seeded shift | |
//! | [`audit`] | judges a public dump, journal and truth file | `line`, `ledger` |
//! | [`cli`] | the words of the command line | rules |
//!
//! What is still to be built has its place beside these: the courier in `upstream` reads the journal after its cursor;
//! rework and people enter `line` as inputs of the same single owner.
//!
//! # How a decision is made
//!
//! One task of the floor (`src/floor/owner.rs`) owns the line; everything else speaks to it by bounded channels.
//! [`line::Line::handle`] takes one [`line::Input`] and answers one [`line::Decision`]: events, effects that leave now,
//! effects that leave after the commit. Events fold into [`line::Book`] by [`line::Book::apply`], the only mutator of what
//! is true; what belongs to this boot only (open passages, held frames, gate positions, printers' windows) is beside the
//! book and is treated as unknown by a restart. The design speaks of a pure `decide(&LineState, …)`; composite
//! decisions (a verdict closes a case, which burns a number, which orders a label) read better when each event is
//! applied before the next is decided, so `handle` takes `&mut self`, and purity is kept where it counts: no clock, no
//! IO, the same inputs give the same decisions, and the book changes by events alone.
//!
//! The owner submits the events and the rows they changed ([`line::Book::take_rows`]) to the one [`ledger::Writer`];
//! [`line::Release`] holds back what waits until the writer tells of the commit. The ledger stores those row images, so
//! there is one implementation of what an event means; `tests/it/book.rs` holds `from_rows(tables) == fold(journal)`
//! ([`line::Book::from_rows`]).
//!
//! # The walk of one bottle
//!
//! 1. Codes are ordered where a source is configured ([`upstream::Supplier`]: the order and its token are on disk before
//!    the request leaves). A pack arrives ([`intake::open`]; from a folder: `src/floor/inbox.rs`): signature, decryption,
//!    form and count, as one stream of rows; duplicates inside and against every earlier pack
//!    ([`ledger::import::prepare`], [`ledger::Codebook`]); then one commit registers it ([`vocab::Event::PackAccepted`]).
//!    Its codes are *pooled*.
//! 2. The operator starts a job ([`line::jobs`]): every device connected, codes for every level, else a sentence per
//!    missing thing. Codes are *leased* in pack order (`src/line/feed.rs`).
//! 3. The printer's conversation ([`wire::Conversation`]) is armed; [`vocab::Event::Sent`] is committed, its pack's mark
//!    before it (`src/ledger/marks.rs`), then its bytes leave. The window is bounded by the printer's buffer plus
//!    feed-ahead, and by [`max_burn`](vocab::plan::Limits::max_burn).
//! 4. "Printed" comes by whatever that printer offers. Silence or reset makes doubt ([`vocab::Doubt`]), but for what a
//!    printer can prove when it is back (`src/wire/commands/reconcile.rs`).
//! 5. The trigger opens a passage (`src/line/passage.rs`), the frame brings codes, the verdict leaves
//!    (`src/line/judge.rs`): a reject now, a release by the gate only when the verdict is on disk (`src/line/gate.rs`; what never
//!    arrives in the bin: `src/line/mouth.rs`; what the hall sees of the line: `src/line/tower.rs`).
//! 6. At a pack station children gather (`src/line/packing.rs`), those that were made for one parent in no other
//!    (`src/line/bond.rs`); the parent closes, is labelled (`src/line/labels.rs`), is read, is sealed
//!    ([`vocab::Event::Sealed`]). The same rule at every level.
//! 7. The journal is the outbox: `watch` ([`control::server`]), `journal`, `trace` and `report`
//!    ([`ledger::reader::Snapshot`]) and [`audit`] read it.
//! 8. The job ends: what is unaccounted is settled by name, leases go back, both balances close.

pub mod audit;
pub mod cli;
pub mod config;
pub mod control;
pub mod device;
pub mod floor;
pub mod intake;
pub mod ledger;
pub mod line;
pub mod profile;
pub mod sim;
pub mod symbol;
pub mod tui;
pub mod upstream;
pub mod vocab;
pub mod wire;
