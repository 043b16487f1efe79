//! The profiles inside the binary, and those of a folder in their place.

use super::shelf::{Shelf, Source, stem};
use super::{Profile, read};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub(super) const SHIPPED: &[(&str, &str)] = &[
    ("domino-codenet", include_str!("../../firmware-profiles/printers/domino-codenet.toml")),
    ("videojet-wsi", include_str!("../../firmware-profiles/printers/videojet-wsi.toml")),
    ("videojet-zipher", include_str!("../../firmware-profiles/printers/videojet-zipher.toml")),
    ("bestcode-one-to-one", include_str!("../../firmware-profiles/printers/bestcode-one-to-one.toml")),
    ("hitachi-modbus", include_str!("../../firmware-profiles/printers/hitachi-modbus.toml")),
    ("hitachi-rx-protected", include_str!("../../firmware-profiles/printers/hitachi-rx-protected.toml")),
    ("hitachi-rx-overwrite", include_str!("../../firmware-profiles/printers/hitachi-rx-overwrite.toml")),
    ("hitachi-rx-buffer", include_str!("../../firmware-profiles/printers/hitachi-rx-buffer.toml")),
    ("leibinger-jet", include_str!("../../firmware-profiles/printers/leibinger-jet.toml")),
    ("keyence-mk", include_str!("../../firmware-profiles/printers/keyence-mk.toml")),
    ("markem-imaje-ngpcl", include_str!("../../firmware-profiles/printers/markem-imaje-ngpcl.toml")),
    ("tij-66", include_str!("../../firmware-profiles/printers/tij-66.toml")),
    ("linx-rci", include_str!("../../firmware-profiles/printers/linx-rci.toml")),
    ("imaje-v24", include_str!("../../firmware-profiles/printers/imaje-v24.toml")),
    ("zebra-zpl", include_str!("../../firmware-profiles/printers/zebra-zpl.toml")),
    ("sato-sbpl", include_str!("../../firmware-profiles/printers/sato-sbpl.toml")),
    ("tsc-tspl", include_str!("../../firmware-profiles/printers/tsc-tspl.toml")),
    ("cab-jscript", include_str!("../../firmware-profiles/printers/cab-jscript.toml")),
    ("honeywell-dpl", include_str!("../../firmware-profiles/printers/honeywell-dpl.toml")),
    ("godex-ezpl", include_str!("../../firmware-profiles/printers/godex-ezpl.toml")),
    ("keyence-sr", include_str!("../../firmware-profiles/readers/keyence-sr.toml")),
    ("line-reader", include_str!("../../firmware-profiles/readers/line-reader.toml")),
    ("modbus-io", include_str!("../../firmware-profiles/io/modbus-io.toml")),
    ("modbus-rtu-io", include_str!("../../firmware-profiles/io/modbus-rtu-io.toml")),
    ("moxa-iologik-e1200", include_str!("../../firmware-profiles/io/moxa-iologik-e1200.toml")),
    ("cognex-dataman", include_str!("../../firmware-profiles/readers/cognex-dataman.toml")),
    ("datalogic-matrix", include_str!("../../firmware-profiles/readers/datalogic-matrix.toml")),
    ("hikrobot", include_str!("../../firmware-profiles/readers/hikrobot.toml")),
    ("hikrobot-json", include_str!("../../firmware-profiles/readers/hikrobot-json.toml")),
    ("honeywell-handheld", include_str!("../../firmware-profiles/readers/honeywell-handheld.toml")),
    ("keyboard-wedge", include_str!("../../firmware-profiles/readers/keyboard-wedge.toml")),
    ("line-camera", include_str!("../../firmware-profiles/readers/line-camera.toml")),
    ("line-verifier", include_str!("../../firmware-profiles/readers/line-verifier.toml")),
    ("mindeo-handheld", include_str!("../../firmware-profiles/readers/mindeo-handheld.toml")),
    ("newland-handheld", include_str!("../../firmware-profiles/readers/newland-handheld.toml")),
    ("omron-microscan", include_str!("../../firmware-profiles/readers/omron-microscan.toml")),
    ("sick-lector", include_str!("../../firmware-profiles/readers/sick-lector.toml")),
    ("zebra-ssi", include_str!("../../firmware-profiles/readers/zebra-ssi.toml")),
];

/// A mistake in a profile's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub file: PathBuf,
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

#[derive(Clone, Debug)]
pub struct Profiles {
    pub(super) all: BTreeMap<String, Profile>,
    shelf: Shelf,
}

impl Profiles {
    /// The shipped profiles, and those of a folder in their place.
    pub fn load(dir: Option<&Path>) -> Result<Self, Vec<Complaint>> {
        let (shelf, mut wrong) = shelf(dir);
        let mut all = BTreeMap::new();
        for slot in shelf.slots() {
            match read::named(&shelf, &slot) {
                Ok(p) => drop(all.insert(slot.name, p)),
                Err(more) => wrong.extend(more),
            }
        }
        if wrong.is_empty() { Ok(Self { all, shelf }) } else { Err(wrong) }
    }

    /// Reads these texts, each with its file, as if they stood in that folder beside all others: the profiles among them
    /// and every complaint, in the order given. A file called `-` may have any name.
    pub fn check(dir: Option<&Path>, texts: Vec<(PathBuf, String)>) -> (Vec<Profile>, Vec<Complaint>) {
        // What is wrong with files that nobody asked about is not told here.
        let (mut shelf, _) = shelf(dir);
        let (mut good, mut wrong) = (Vec::new(), Vec::new());
        let slots: Vec<_> = texts
            .into_iter()
            .map(|(file, text)| {
                let (name, same) = (stem(&file), |s: &Source| same_file(&s.file, &file));
                match shelf.top_slot(&name).filter(|slot| shelf.source(slot).is_some_and(same)) {
                    Some(there) => there,
                    None => shelf.put(&name, Source { file, text: Cow::Owned(text), shipped: false }),
                }
            })
            .collect();
        for slot in slots {
            match read::named(&shelf, &slot) {
                Ok(p) => good.push(p),
                Err(more) => wrong.extend(more),
            }
        }
        (good, wrong)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// The profile of this name, without settings.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.all.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.all.values()
    }

    /// The file that counts for this name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.shelf.top(name)
    }

    /// The profile as one file, with everything that it takes over from another; `None`: there is no such profile.
    pub fn resolved(&self, name: &str) -> Option<String> {
        read::resolved(&self.shelf, &self.shelf.top_slot(name)?)
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// The shipped files and those of the folder over them, and what of the folder cannot be read.
fn shelf(dir: Option<&Path>) -> (Shelf, Vec<Complaint>) {
    let (mut shelf, mut wrong) = (Shelf::of(SHIPPED), Vec::new());
    let entries = dir.and_then(|d| std::fs::read_dir(d).ok());
    let mut files: Vec<PathBuf> =
        entries.into_iter().flatten().filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|x| x == "toml")).collect();
    files.sort();
    for file in files {
        match std::fs::read_to_string(&file) {
            Ok(text) => drop(shelf.put(&stem(&file), Source { file, text: Cow::Owned(text), shipped: false })),
            Err(e) => wrong.push(Complaint { file, line: 0, what: format!("cannot be read: {e}") }),
        }
    }
    (shelf, wrong)
}
