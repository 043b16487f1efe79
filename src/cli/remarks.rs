//! What nobody has seen on hardware yet of the profiles that a configuration uses.

use super::place::Wrong;
use crate::config::Config;
use crate::floor::terms::Globals;
use crate::profile::{Profile, Profiles, Standing};
use serde_json::{Value, json};
use std::path::Path;

/// An open fact of a profile in use, or of one that it extends.
pub struct Remark {
    profile: String,
    base: Option<String>,
    what: String,
}

impl Remark {
    pub fn told(&self, g: &Globals) -> String {
        let of = self.base.as_ref().map(|b| format!(" ({b})")).unwrap_or_default();
        match g.english() {
            true => format!("remark: profile {}{of}, unverified: {}", self.profile, self.what),
            false => format!("备注：配置文件 {}{of}，未经验证：{}", self.profile, self.what),
        }
    }

    pub fn json(&self) -> Value {
        let mut v = json!({"profile": self.profile, "what": self.what});
        if let Some(b) = &self.base {
            v["base"] = b.as_str().into();
        }
        v
    }
}

/// Devices whose profile is unverified as a whole, at the line that names each, and every open fact, each once.
pub fn remarks(g: &Globals, c: &Config, file: &Path) -> (Vec<Wrong>, Vec<Remark>) {
    // The configuration was read with them a moment ago.
    let Ok(profiles) = Profiles::load(g.profiles_dir().as_deref()) else { return Default::default() };
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let (mut whole, mut open, mut seen): (Vec<Wrong>, Vec<Remark>, Vec<&str>) = Default::default();
    for d in &c.plan.devices {
        let Some(p) = profiles.get(&d.profile) else { continue };
        if p.standing == Standing::Unverified {
            let named = |l: &str| l.split('=').map(|p| p.trim().trim_matches('"')).eq(["id", &d.id]);
            whole.push(Wrong {
                file: file.into(),
                line: text.lines().position(named).map_or(0, |n| n + 1),
                what: format!("[[device]] {}: its profile {} is unverified as a whole", d.id, p.name),
                right: Some(
                    "try it on the device itself before a line depends on it, and record what it says (packmark profile capture)".into(),
                ),
            });
        }
        if !seen.contains(&p.name.as_str()) {
            seen.push(&p.name);
            open.extend(of_profile(p));
        }
    }
    (whole, open)
}

fn of_profile(p: &Profile) -> impl Iterator<Item = Remark> {
    let one = |base: Option<&str>, what: &String| Remark { profile: p.name.clone(), base: base.map(Into::into), what: what.clone() };
    let own = p.unverified.iter().map(move |w| one(None, w));
    own.chain(p.bases.iter().flat_map(move |(base, all)| all.iter().map(move |w| one(Some(base.as_str()), w))))
}
