//! `pack generate`: random tokens drawn into a pack; nothing else holds them unless a file is asked for.

use super::ask::{self, Way};
use super::packs::{answered, aside, store, write};
use super::place::{self, print, result};
use crate::control::protocol::{DRAWN_ALPHABET, DRAWN_LENGTH};
use crate::floor::clock::Clock;
use crate::floor::terms::{Exit, Globals};
use crate::ledger::offline::{self, NewTokens};
use crate::ledger::tokens::Draw;
use crate::vocab::token::TokenRule;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(clap::Args, Debug, Clone)]
pub struct GenerateArgs {
    /// How many
    #[arg(long)]
    pub count: u32,
    /// Level of the things that will carry the codes
    #[arg(long)]
    pub level: String,
    /// Product they are for
    #[arg(long)]
    pub product: String,
    /// The code, with {token} where the token stands
    #[arg(long)]
    pub template: String,
    /// A28, A31, 0-9, or the characters themselves
    #[arg(long, default_value = DRAWN_ALPHABET)]
    pub alphabet: String,
    /// Characters of a token
    #[arg(long, default_value_t = DRAWN_LENGTH)]
    pub length: u8,
    /// Live codes of this template in the world, where they are more than this store drew
    #[arg(long, default_value_t = 0)]
    pub live: u64,
    /// A file that lists the codes too, one a line; without it they stand in the pack only
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The pack's name (default: the next free p1, p2 …)
    #[arg(long)]
    pub id: Option<String>,
    /// What the codes are for; kept with the pack
    #[arg(long)]
    pub purpose: Option<String>,
    /// The last day on which the codes may be put on things, as 2027-01-31
    #[arg(long, value_name = "DATE")]
    pub expiry: Option<String>,
    /// Answered once: the same key gives the same answer
    #[arg(long)]
    pub key: Option<String>,
}

pub fn generate(g: &Globals, args: &GenerateArgs) -> Exit {
    let rule = match TokenRule::new(&args.alphabet, args.length, &args.template) {
        Ok(rule) => rule,
        Err(e) => {
            place::refused(g, "bad-rule", &e.to_string(), "");
            return Exit::Usage;
        }
    };
    let aside = match aside(g, args.out.as_deref()) {
        Ok(aside) => aside,
        Err(exit) => return exit,
    };
    let mut said = Map::new();
    match drawn(g, args, rule, &mut said) {
        Exit::Done => {}
        exit => return exit,
    }
    let pack = said.get("pack").and_then(Value::as_str).unwrap_or("").to_string();
    if let Some(aside) = aside {
        let path = aside.path.clone();
        let copied = store(g).map(|dir| write(&dir, aside, &|s, out| s.pack_codes(&pack, out)));
        match copied {
            Ok(Ok(_)) => drop(said.insert("file".into(), path.to_string_lossy().into_owned().into())),
            Ok(Err(e)) => {
                let what = format!("pack {pack} was made, but {} was not written ({e})", path.display());
                place::refused(g, "no-file", &what, "check the disk; the codes stand in the pack");
                return Exit::Refused;
            }
            Err(exit) => return exit,
        }
    }
    if g.json {
        return result(&Value::Object(said));
    }
    let count = said.get("count").and_then(Value::as_u64).unwrap_or(0);
    match g.english() {
        true => print(format_args!("pack {pack}: {count} codes drawn")),
        false => print(format_args!("码包 {pack}：已随机生成 {count} 个码")),
    }
}

fn drawn(g: &Globals, args: &GenerateArgs, rule: TokenRule, said: &mut Map<String, Value>) -> Exit {
    match ask::way(g) {
        Err(exit) => exit,
        Ok(Way::Daemon(mut client)) => {
            let mut fields = ask::object(json!({
                "count": args.count, "level": args.level, "product": args.product, "template": args.template,
                "alphabet": args.alphabet, "length": args.length, "live": args.live,
            }));
            ask::put(&mut fields, "pack", args.id.as_deref());
            ask::put(&mut fields, "purpose", args.purpose.as_deref());
            ask::put(&mut fields, "expiry", args.expiry.as_deref());
            match client.request("pack.generate", fields, args.key.as_deref()) {
                Ok(v) => {
                    said.extend(v);
                    Exit::Done
                }
                Err(e) => place::client_failed(g, &e),
            }
        }
        Ok(Way::Store(dir, config)) => {
            let clock = Clock::start(0);
            let new = NewTokens {
                draw: Draw { rule, count: args.count, live: args.live },
                level: args.level.clone(),
                product: args.product.clone(),
                id: args.id.clone(),
                purpose: args.purpose.clone(),
                expiry: args.expiry.clone(),
                key: args.key.clone(),
            };
            match offline::generate(&dir, &ask::open_how(clock, true), clock.now(), &new, config.as_ref().map(|c| &c.plan)) {
                Ok(a) => answered(g, &a, said),
                Err(e) => ask::offline_failed(g, &e),
            }
        }
    }
}
