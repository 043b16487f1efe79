//! Who may connect to a device's address of ours: `[[device]] allow`.

use super::node::{At, Table};
use crate::vocab::plan::{Address, Network};

/// Who may connect, beside an address where we listen.
pub(super) fn allow(t: &Table<'_>, address: &Address) -> Vec<Network> {
    let given = t.texts("allow");
    if let Some(first) = given.first().filter(|_| !matches!(address, Address::Listen { .. })) {
        t.complain(first.at, "allow stands beside a listen:// address only", "leave it out where we connect");
        return Vec::new();
    }
    let network = |a: &At<&str>| {
        let network = Network::parse(a.value);
        if network.is_none() {
            t.complain(a.at, format_args!("allow: \"{}\" is no address", a.value), "write \"192.168.1.20\", or \"192.168.1.0/24\"");
        }
        network
    };
    given.iter().filter_map(network).collect()
}
