//! `run --test-hooks commit_stall_ms=…,commit_fail_after=…,clock_offset_s=…`: for tests only, and only for a store that
//! no daemon ever ran on without them. Read strictly: a misspelt hook must not turn a test into an ordinary run.

use crate::ledger::Hooks;

const KNOWN: &str = "commit_stall_ms=N, commit_fail_after=N, clock_offset_s=±N";

/// Every hook once, each a whole number.
pub fn parse(text: &str) -> Result<Hooks, String> {
    let mut hooks = Hooks::default();
    let mut seen: Vec<&str> = Vec::new();
    for part in text.split(',') {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("the test hook “{part}” is not NAME=NUMBER; known are: {KNOWN}"));
        };
        if seen.contains(&name) {
            return Err(format!("the test hook {name} stands twice; give it once"));
        }
        seen.push(name);
        let wrong = || format!("the test hook {name} has “{value}”; it must be a whole number");
        match name {
            "commit_stall_ms" => hooks.commit_stall_ms = value.parse().map_err(|_| wrong())?,
            "commit_fail_after" => hooks.commit_fail_after = Some(value.parse().map_err(|_| wrong())?),
            "clock_offset_s" => hooks.clock_offset_s = value.parse().map_err(|_| wrong())?,
            _ => return Err(format!("there is no test hook {name}; known are: {KNOWN}")),
        }
    }
    Ok(hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_read_strictly() {
        let all = parse("commit_stall_ms=500,commit_fail_after=3,clock_offset_s=-86400").unwrap();
        assert_eq!(all, Hooks { commit_stall_ms: 500, commit_fail_after: Some(3), clock_offset_s: -86400 });
        for wrong in ["", "commit_stall_ms", "commit_stall_ms=x", "stall=1", "commit_stall_ms=1,commit_stall_ms=2", "commit_stall_ms=1,"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
