//! `packmark simulate`: configuration and profiles for the simulated line.

use super::place;
use crate::floor::clock::Clock;
use crate::floor::terms::{Exit, Globals, say};
use crate::profile::Profiles;
use crate::sim::SimulateArgs;
use crate::sim::process;
use std::error::Error;

pub fn simulate(g: &Globals, args: &SimulateArgs) -> Exit {
    let mut config = match place::config(g) {
        Ok(Some(config)) => config,
        Ok(None) => {
            say(g.either("which line? give --config FILE", "要模拟哪条线？请给出 --config FILE"));
            return Exit::Usage;
        }
        Err(exit) => return exit,
    };
    if let Some(socket) = &g.socket {
        config.socket.clone_from(socket);
    }
    let profiles = match Profiles::load(g.profiles_dir().as_deref()) {
        Ok(profiles) => profiles,
        Err(wrong) => {
            wrong.iter().for_each(say);
            return Exit::Usage;
        }
    };
    let clock = Clock::start(0);
    match process::simulate(&config, &profiles, args, || clock.now().wall_us) {
        Ok(_) => Exit::Done,
        Err(e) => {
            let mut text = e.to_string();
            let mut source = e.source();
            while let Some(s) = source {
                text = format!("{text} ({s})");
                source = s.source();
            }
            say(text);
            Exit::Refused
        }
    }
}
