//! The words everybody shares: codes, ids, states, reasons, events, time, and the plan of a line.
//!
//! Must never know: any other room, IO, SQL, clocks.

pub mod code;
pub mod event;
pub mod forms;
pub mod grade;
pub mod gs1;
pub mod ids;
pub mod key;
mod network;
pub mod plan;
pub mod report;
pub mod rng;
pub mod sscc;
pub mod states;
pub mod supply;
pub mod time;
pub mod token;
mod traits;

pub use code::{Code, MatchKey};
pub use event::{Event, Seen};
pub use ids::{CodeRef, DeviceNo, JobNo, LevelNo, OrderNo, PackNo, ParentNo, Passage, StationNo};
pub use key::KeyRule;
pub use plan::Plan;
pub use report::{Order, Report};
pub use states::{Doubt, ItemState, JobState, PackMl, ParentState, Promise, Reason};
pub use time::Now;
