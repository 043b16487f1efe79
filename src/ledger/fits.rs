//! Do a configuration and the store that it names go together? What `check` says before a daemon would.

use super::reader::{ReadError, Snapshot};
use crate::vocab::{KeyRule, Plan};

/// The sentence for codes that are found again by another rule than the configuration says: what, and after "; " what
/// would be right.
pub fn other_rule(have: Option<KeyRule>, want: KeyRule) -> Option<String> {
    let have = have.filter(|have| *have != want)?;
    Some(format!(
        "[codes] key: the codes of this store are found again by the rule {have}, the configuration says {want}; a store keeps its rule: set key = \"{have}\" in [codes], or use another store"
    ))
}

impl Snapshot {
    /// A sentence for everything of the store that contradicts the plan, as [`other_rule`] has them: the rule of its keys,
    /// ranges below what was issued, packs that hold unused codes for what the line does not know.
    pub fn contradicts(&self, plan: &Plan) -> Result<Vec<String>, ReadError> {
        let mut all: Vec<String> = other_rule(self.speaker.codebook.rule(), plan.codes.key).into_iter().collect();
        for p in self.speaker.packs.values().filter(|p| !p.is_closed() && !p.is_range()) {
            let level = plan.level_named(&p.level).is_none().then(|| format!("level {}", p.level));
            let product = (!plan.products.iter().any(|x| x.id == p.product)).then(|| format!("product {}", p.product));
            let Some(unknown) = level.or(product) else { continue };
            let unused = self.unused(p)?;
            if unused > 0 {
                all.push(format!(
                    "pack {} of the store has {unused} unused codes for {unknown}, which is not in the configuration; add it, or void or return the pack (packmark pack void, pack return)",
                    p.id
                ));
            }
        }
        if let Err(wrong) = self.ranges_fit(plan) {
            all.extend(wrong);
        }
        Ok(all)
    }
}
