//! What stands on a label printer's labels, and how its language writes it: the built-in label, what a value may hold, what
//! the data of a barcode looks like. The conversation itself is made of the words of `printer.rs`.

use super::bytes::Pattern;
use super::printer::ValueRule;
use super::talk::ValueForm;
use crate::vocab::plan::LabelTraits;
use serde::Deserialize;

/// Dialect `label`: the labels of a printer.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// The language of its labels, where the simulated printer reads it by itself. One of another language is read by the
    /// templates of this file and of the configuration.
    pub language: Option<LabelLanguage>,
    /// The built-in label, with {gs1}, {code}, {lot} and {count}.
    pub plain: String,
    /// The built-in label of an SSCC, where its barcode is another one.
    pub plain_sscc: Option<String>,
    /// What every label of this language has in it, first what it begins with, last what prints it.
    pub must_have: Vec<String>,
    #[serde(default)]
    pub line_end: LineEnd,
    /// `<STX> <ETX> <SOH> <ESC> <CR> <LF>` in a template stand for these characters.
    #[serde(default)]
    pub controls: bool,
    #[serde(default)]
    pub writing: Writing,
    /// What may stand in {code}, {lot} and {count}.
    pub text: ValueRule,
    pub symbol: SymbolRule,
}

/// The data of a barcode, {gs1}.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SymbolRule {
    /// Of an SSCC as GS1-128, FNC1 and `00` in front of {code}, its 18 digits.
    pub sscc: String,
    /// What stands in front of any other code.
    #[serde(default)]
    pub before: String,
    /// What stands for FNC1, the GS of a code; none: a code with GS is refused.
    pub fnc1: Option<String>,
    pub value: ValueRule,
}

/// How the line ends of a template leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LineEnd {
    #[default]
    AsItIs,
    Cr,
    CrLf,
    /// They are there for the eye only.
    None,
}

/// How a value is kept from being read as a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Writing {
    /// By the escapes of its rule; what has none is forbidden.
    #[default]
    Escapes,
    /// ZPL: hex behind `^FH`, in every field where it is needed.
    FieldHex,
}

/// The languages that the simulated printer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LabelLanguage {
    Zpl,
    Sbpl,
    Tspl,
    Jscript,
    Dpl,
    Ezpl,
}

/// [`LabelRule`], read and checked.
#[derive(Clone, Debug)]
pub struct LabelForm {
    pub language: Option<LabelLanguage>,
    pub plain: String,
    pub plain_sscc: Option<String>,
    pub must_have: Vec<String>,
    pub line_end: LineEnd,
    pub controls: bool,
    pub writing: Writing,
    pub text: ValueForm,
    pub symbol: SymbolForm,
}

#[derive(Clone, Debug)]
pub struct SymbolForm {
    pub sscc: Pattern,
    pub before: Vec<u8>,
    pub fnc1: Option<Vec<u8>>,
    pub value: ValueForm,
}

impl LabelForm {
    /// The built-in label.
    pub fn plain(&self, sscc: bool) -> &str {
        self.plain_sscc.as_deref().filter(|_| sscc).unwrap_or(&self.plain)
    }

    /// What the line and the configuration must know of it.
    pub fn traits(&self) -> LabelTraits {
        LabelTraits { must_have: self.must_have.clone(), text: self.text.as_rule(), symbol: self.symbol.value.as_rule() }
    }
}
