//! What the newcomer sees: the console's own screen *Line* on a terminal, plain progress where there is none.

use super::DemoArgs;
use crate::floor::terms::Globals;
use crate::tui;
use serde_json::{Map, Value};
use std::io::IsTerminal;

pub struct Show {
    screen: Option<tui::Live>,
    /// Last progress told, in tenths of the target.
    told: u64,
    target: u64,
}

impl Show {
    pub fn open(g: &Globals, args: &DemoArgs) -> Self {
        let wanted = !args.headless && !g.json && std::io::stdout().is_terminal();
        let screen = wanted.then(|| tui::Live::open(!g.english()).ok()).flatten();
        Self { screen, told: 0, target: args.units }
    }

    pub fn says(&mut self, what: String) {
        if self.screen.is_none() {
            eprintln!("{what}");
        }
    }

    /// Shows a status; true when the person wants to leave.
    pub fn update(&mut self, status: &Map<String, Value>) -> bool {
        if let Some(screen) = &mut self.screen {
            return serde_json::from_value(Value::Object(status.clone())).is_ok_and(|s| screen.show(s));
        }
        let count = |name: &str| status.get("counts").and_then(|c| c.get(name)).cloned().unwrap_or_default();
        let passages = count("passages").as_u64().unwrap_or(0);
        let tenth = passages * 10 / self.target.max(1);
        if tenth > self.told {
            self.told = tenth;
            let state = status.get("state").and_then(|s| s.get("name")).and_then(Value::as_str).unwrap_or("?");
            eprintln!("{passages} bottles seen, {} verified, rejected {}, line {state}", count("verified"), count("rejected"));
        }
        false
    }

    pub fn close(&mut self) {
        self.screen = None;
    }
}
