//! The profiles inside the binary, and those of a folder in their place.

use super::{Profile, read};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub(super) const SHIPPED: &[(&str, &str)] = &[
    ("domino-codenet", include_str!("../../firmware-profiles/printers/domino-codenet.toml")),
    ("videojet-wsi", include_str!("../../firmware-profiles/printers/videojet-wsi.toml")),
    ("videojet-zipher", include_str!("../../firmware-profiles/printers/videojet-zipher.toml")),
    ("bestcode-one-to-one", include_str!("../../firmware-profiles/printers/bestcode-one-to-one.toml")),
    ("leibinger-jet", include_str!("../../firmware-profiles/printers/leibinger-jet.toml")),
    ("keyence-mk", include_str!("../../firmware-profiles/printers/keyence-mk.toml")),
    ("markem-imaje-ngpcl", include_str!("../../firmware-profiles/printers/markem-imaje-ngpcl.toml")),
    ("tij-66", include_str!("../../firmware-profiles/printers/tij-66.toml")),
    ("linx-rci", include_str!("../../firmware-profiles/printers/linx-rci.toml")),
    ("imaje-v24", include_str!("../../firmware-profiles/printers/imaje-v24.toml")),
    ("zebra-zpl", include_str!("../../firmware-profiles/printers/zebra-zpl.toml")),
    ("keyence-sr", include_str!("../../firmware-profiles/readers/keyence-sr.toml")),
    ("line-reader", include_str!("../../firmware-profiles/readers/line-reader.toml")),
    ("modbus-io", include_str!("../../firmware-profiles/io/modbus-io.toml")),
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
pub struct Profiles(pub(super) BTreeMap<String, Profile>);

impl Profiles {
    /// The shipped profiles, and those of a folder in their place.
    pub fn load(dir: Option<&Path>) -> Result<Self, Vec<Complaint>> {
        let (mut all, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, text) in SHIPPED {
            match read::profile(Path::new(name), text) {
                Ok(p) => drop(all.insert(p.name.clone(), p)),
                Err(all) => wrong.extend(all),
            }
        }
        let entries = dir.and_then(|d| std::fs::read_dir(d).ok());
        let mut files: Vec<PathBuf> = entries
            .into_iter()
            .flatten()
            .filter_map(|e| Some(e.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|x| x == "toml"))
            .collect();
        files.sort();
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => match read::profile(&file, &text) {
                    Ok(p) if file.file_stem().is_none_or(|s| s != p.name.as_str()) => {
                        wrong.push(Complaint {
                            file: file.clone(),
                            line: 1,
                            what: format!("name = \"{}\" is not the file's name; make them the same", p.name),
                        });
                    }
                    Ok(p) => drop(all.insert(p.name.clone(), p)),
                    Err(all) => wrong.extend(all),
                },
                Err(e) => wrong.push(Complaint { file, line: 0, what: format!("cannot be read: {e}") }),
            }
        }
        if wrong.is_empty() { Ok(Self(all)) } else { Err(wrong) }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
