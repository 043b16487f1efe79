//! A file that says only what differs from another profile, made whole.
//!
//! Tables are taken over key by key; a list, a text, a number of the file's own stands in the place of the other's. A
//! table that names another shape (`type`, `mode`, `kind` where the schema has several) shares no keys with what it
//! replaces, so nothing is taken over into it. Who a file is and how it knows (`OWN`) is never taken over.
//!
//! What was taken over stands at the place of `extends`: complaints about it lead there.

use super::{find, form};
use serde_json::Value;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Each file says these for itself.
const OWN: [&str; 5] = ["name", "extends", "without", "source", "unverified"];

/// `own` over `base`, of which the paths of `without` are left out; and the numbers of those that are not there.
pub(super) fn merged<'t>(base: &DeTable<'t>, own: &DeTable<'t>, without: &[&str], at: &Range<usize>) -> (DeTable<'t>, Vec<usize>) {
    let mut base = base.clone();
    let missing: Vec<usize> = (0..without.len()).filter(|i| !take_out(&mut base, without[*i])).collect();
    OWN.iter().for_each(|key| drop(base.remove(*key)));
    (over(moved(base, at), own, form::whole()), missing)
}

fn take_out(table: &mut DeTable<'_>, path: &str) -> bool {
    match path.split_once('.') {
        None => table.remove(path).is_some(),
        Some((key, rest)) => match table.get_mut(key).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => take_out(inner, rest),
            _ => false,
        },
    }
}

fn over<'t>(mut base: DeTable<'t>, own: &DeTable<'t>, schema: &'static Value) -> DeTable<'t> {
    let shape = |t: &DeTable<'t>, tag: &str| find(t, tag).and_then(|(_, v)| v.as_str().map(String::from));
    if let Some(tag) = form::tag(schema)
        && shape(own, tag).is_some_and(|own| shape(&base, tag) != Some(own))
    {
        return own.clone();
    }
    for (key, value) in own.iter() {
        let below = base.remove(&**key.get_ref());
        let value = match (below.map(Spanned::into_inner), value.get_ref()) {
            (Some(DeValue::Table(below)), DeValue::Table(inner)) => {
                let inner = over(below, inner, form::inner(schema, key.get_ref()));
                Spanned::new(value.span(), DeValue::Table(inner))
            }
            _ => value.clone(),
        };
        base.insert(key.clone(), value);
    }
    base
}

/// The same, all of it standing at one place.
fn moved<'t>(table: DeTable<'t>, at: &Range<usize>) -> DeTable<'t> {
    let keys = table.into_iter();
    keys.map(|(k, v)| (Spanned::new(at.clone(), k.into_inner()), Spanned::new(at.clone(), value_moved(v.into_inner(), at)))).collect()
}

fn value_moved<'t>(value: DeValue<'t>, at: &Range<usize>) -> DeValue<'t> {
    match value {
        DeValue::Table(t) => DeValue::Table(moved(t, at)),
        DeValue::Array(mut all) => {
            for v in all.iter_mut() {
                let inner = std::mem::replace(v.get_mut(), DeValue::Boolean(false));
                *v = Spanned::new(at.clone(), value_moved(inner, at));
            }
            DeValue::Array(all)
        }
        other => other,
    }
}

/// As values without places, to be written.
pub(super) fn plain(table: &DeTable<'_>) -> toml::Table {
    table.iter().filter_map(|(k, v)| Some((k.get_ref().to_string(), plain_value(v.get_ref())?))).collect()
}

fn plain_value(value: &DeValue<'_>) -> Option<toml::Value> {
    Some(match value {
        DeValue::String(s) => s.to_string().into(),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok()?.into(),
        DeValue::Float(f) => f.as_str().parse::<f64>().ok()?.into(),
        DeValue::Boolean(b) => (*b).into(),
        DeValue::Datetime(d) => toml::Value::Datetime(*d),
        DeValue::Array(all) => toml::Value::Array(all.iter().filter_map(|v| plain_value(v.get_ref())).collect()),
        DeValue::Table(t) => toml::Value::Table(plain(t)),
    })
}

#[cfg(test)]
mod tests {
    use crate::profile::{Complaint, Profile, Profiles};
    use crate::profile::{Standing, printer::Role};
    use std::path::PathBuf;

    fn check(files: &[(&str, &str)]) -> (Vec<Profile>, Vec<Complaint>) {
        Profiles::check(None, files.iter().map(|(name, text)| (PathBuf::from(format!("{name}.toml")), text.to_string())).collect())
    }

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        check(files).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_are_merged_by_key_and_lists_replaced() {
        let a = "name = \"a\"\nextends = \"videojet-zipher\"\nsource = \"here\"\nwithout = [\"commands.fill\", \"settings.field\"]\n\
                 [buffer]\nfull = \"never\"\nconfirmed_by = [\"counter\"]\n[commands.put-code]\nsend = '\"JDA|{code}|\"'\n\
                 [commands.count]\ntimeout_ms = 7\n[sequences]\narm = [\"clear\"]\n";
        let b = "name = \"b\"\nextends = \"a\"\nsource = \"there\"\nstanding = \"unverified\"\n[link]\nconnections = 2\n";
        let (good, wrong) = check(&[("a", a), ("b", b)]);
        assert_eq!(wrong, []);
        let (a, b) = (&good[0], &good[1]);
        let buffer = a.buffer.as_ref().unwrap();
        assert_eq!((buffer.full.as_str(), buffer.confirmed_by.len(), buffer.clear_is_safe), ("never", 1, true));
        assert_eq!((a.commands[&Role::Count].timeout_ms, a.commands[&Role::Count].replies.len()), (Some(7), 1));
        assert!(!a.commands.contains_key(&Role::Fill) && a.commands.contains_key(&Role::Clear) && !a.settings.contains_key("field"));
        assert!(a.unverified.is_empty() && a.source == "here" && a.standing == Standing::Documented);
        assert_eq!((b.link.connections, b.sequences.arm.len(), b.standing), (2, 1, Standing::Unverified));
        let bases: Vec<(&str, bool)> = b.bases.iter().map(|(n, u)| (n.as_str(), u.is_empty())).collect();
        assert_eq!(bases, [("a", true), ("videojet-zipher", false)]);
        // What nobody vouches for is not vouched for by whoever extends it, unless that file says so.
        let c = "name = \"c\"\nextends = \"b\"\nsource = \"x\"\n";
        let (a, b) = (
            "name = \"a\"\nextends = \"videojet-zipher\"\nsource = \"x\"\n",
            "name = \"b\"\nextends = \"a\"\nsource = \"x\"\nstanding = \"unverified\"\n",
        );
        assert_eq!(check(&[("a", a), ("b", b), ("c", c)]).0[2].standing, Standing::Unverified);
        let d = c.to_string().replace("\"c\"", "\"d\"") + "standing = \"documented\"\n";
        assert_eq!(check(&[("a", a), ("b", b), ("d", &d)]).0[2].standing, Standing::Documented);
    }

    #[test]
    fn a_table_of_another_shape_is_a_new_one() {
        let text = "name = \"a\"\nextends = \"videojet-zipher\"\nsource = \"here\"\n\
                    [settings.depth]\ntype = \"flag\"\ndefault = true\nwhat = \"x\"\n[settings.field]\ndefault = \"SN\"\n";
        let (good, wrong) = check(&[("a", text)]);
        assert_eq!(wrong, []);
        assert!(matches!(good[0].settings["depth"], crate::profile::SettingRule::Flag { default: true, .. }));
        assert!(matches!(&good[0].settings["field"], crate::profile::SettingRule::Text { default, .. } if default == "SN"));
    }

    #[test]
    fn a_file_may_extend_what_it_replaces() {
        let text = "name = \"modbus-io\"\nextends = \"modbus-io\"\nsource = \"here\"\n[settings.unit]\ndefault = 7\n";
        let (good, wrong) = check(&[("modbus-io", text)]);
        assert_eq!(wrong, []);
        assert!(matches!(good[0].settings["unit"], crate::profile::SettingRule::Number { default: 7, .. }));
        let text = "name = \"own\"\nextends = \"own\"\nsource = \"here\"\n";
        assert_eq!(told(&[("own", text)]), ["own.toml:2: extends: own is this file itself; name another profile"]);
    }

    #[test]
    fn circles_strangers_and_what_is_not_there_are_refused_with_file_and_line() {
        let of = |name: &str, base: &str, more: &str| format!("name = \"{name}\"\nsource = \"x\"\nextends = \"{base}\"\n{more}");
        let (a, b) = (of("a", "b", ""), of("b", "a", ""));
        let circle = told(&[("a", &a), ("b", &b)]);
        assert_eq!(circle.len(), 2, "{circle:?}");
        assert!(circle[0].starts_with("a.toml:3: extends: a, b, a go in a circle"), "{circle:?}");
        assert!(circle[1].starts_with("b.toml:3: extends: b, a, b go in a circle"), "{circle:?}");
        let e = told(&[("a", &of("a", "nobody", ""))]);
        assert!(e[0].starts_with("a.toml:3: extends: there is no profile \"nobody\"; name one of ") && e[0].contains("zebra-zpl"), "{e:?}");
        let e = told(&[("a", &of("a", "modbus-io", "without = [\"settings.unit\", \"settings.colour\", \"x\"]\n"))]);
        assert!(e.len() == 2 && e[0].starts_with("a.toml:4: without: modbus-io has no settings.colour; "), "{e:?}");
        // All else that is wrong is told beside it, but nothing of what may only be missing.
        let e = told(&[("a", &of("a", "nobody", "colour = 1\n[link]\nconnections = \"two\"\n"))]);
        assert!(e.len() == 3 && e.iter().any(|l| l.contains("colour")) && e.iter().any(|l| l.contains("connections is \"two\"")), "{e:?}");
        let e = told(&[("a", &of("a", "modbus-io", "without = [\"x\"]\ncolour = 1\n[link]\nconnections = -4\n"))]);
        assert!(e.len() == 3 && e.iter().any(|l| l.contains("connections is -4; it must be a whole number")), "{e:?}");
        let broken = of("b", "modbus-io", "colour = 1\n");
        let e = told(&[("b", &broken), ("a", &a)]);
        assert!(e.len() == 2 && e[1].starts_with("a.toml:3: extends: b has mistakes of its own; "), "{e:?}");
        let e = told(&[("a", "name = \"a\"\nsource = \"x\"\nextends = 7\n")]);
        assert!(e.iter().any(|l| l.starts_with("a.toml:3: ")), "{e:?}");
        // Name and source are each file's own.
        let e = told(&[("a", "extends = \"modbus-io\"\n")]);
        assert!(e.len() == 2 && e[0].contains("name is missing") && e[1].contains("source is missing"), "{e:?}");
        let e = told(&[("a", "name = \"a\"\nsource = \"x\"\nwithout = [\"x\"]\ndialect = \"reader\"\n")]);
        assert!(!e.is_empty());
    }

    #[test]
    fn what_is_wrong_with_what_is_taken_over_leads_to_the_word_extends() {
        let text = "name = \"a\"\nsource = \"x\"\nextends = \"videojet-zipher\"\nwithout = [\"settings.field\"]\n";
        let e = told(&[("a", text)]);
        assert!(e.len() == 1 && e[0].starts_with("a.toml:3: with what is taken over from videojet-zipher: "), "{e:?}");
        assert!(e[0].contains("there is no setting field"), "{e:?}");
    }
}
