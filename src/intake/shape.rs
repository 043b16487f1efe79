//! How a delivery's text is laid out: columns, header, separator, encoding; read from what somebody said of it.

use super::encoding::Encoding;
use super::form::Form;
use super::{Column, Fault, Wish};

/// Where a column of codes stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// From 0.
    Number(usize),
    Header(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Separator {
    /// From the header's line; a comma where there is none.
    #[default]
    Detected,
    Is(u8),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Empty: one code a line. First the item's own.
    pub columns: Vec<(Column, Where)>,
    /// How many of them are the item's own.
    pub items: usize,
    /// The first line of each file holds names.
    pub header: bool,
    pub separator: Separator,
    pub encoding: Encoding,
    pub form: Form,
}

impl Shape {
    pub fn of(wish: &Wish) -> Result<Self, Fault> {
        let mut columns: Vec<(Column, Where)> = Vec::new();
        for said in &wish.columns {
            let (name, place) = pair(said).ok_or_else(|| bad_column(said))?;
            // The first column may be called code: then its purpose is the pack's own.
            let purpose = if name == "code" { String::new() } else { name.to_string() };
            columns.push((Column { purpose, level: None }, place));
        }
        let items = columns.len();
        for said in &wish.parents {
            let (level, place) = pair(said).ok_or_else(|| bad_column(said))?;
            if columns.is_empty() {
                return Err(Fault::wish(
                    "--parent names a column but the item's own is not named",
                    "add --column code=NAME or code=NUMBER",
                ));
            }
            columns.push((Column { purpose: String::new(), level: Some(level.into()) }, place));
        }
        for (i, (c, place)) in columns.iter().enumerate() {
            if columns[..i].iter().any(|(other, at)| at == place || other == c) {
                return Err(Fault::wish("a column is named twice", "give each its own name and place"));
            }
        }
        let by_name = columns.iter().any(|(_, w)| matches!(w, Where::Header(_)));
        let separator = match wish.separator.as_deref() {
            None | Some("auto") => Separator::Detected,
            Some("comma" | ",") => Separator::Is(b','),
            Some("semicolon" | ";") => Separator::Is(b';'),
            Some("tab" | "\t") => Separator::Is(b'\t'),
            Some(other) => return Err(Fault::wish(format!("the separator “{other}” is not known"), "say comma, semicolon, tab or auto")),
        };
        let encoding = wish.encoding.as_deref().map_or(Some(Encoding::Auto), Encoding::named);
        let form = wish.form.as_deref().map_or(Some(Form::Any), Form::named);
        Ok(Self {
            columns,
            items,
            header: wish.header || by_name,
            separator,
            encoding: encoding.ok_or_else(|| Fault::wish("the encoding is not known", "say utf-8, gbk or auto"))?,
            form: form.ok_or_else(|| Fault::wish("the form of the codes is not known", "say gs1, url or any"))?,
        })
    }
}

impl Shape {
    /// In rows that name several levels, the item's own is one of them.
    pub fn at_level(mut self, level: &str) -> Self {
        if self.items < self.columns.len() {
            self.columns[..self.items].iter_mut().for_each(|(c, _)| c.level = Some(level.into()));
        }
        self
    }
}

/// `code=2`, `cap-inside=盖内码`.
fn pair(said: &str) -> Option<(&str, Where)> {
    let (name, place) = said.split_once('=')?;
    let fit = !name.is_empty() && name.len() <= 64 && !name.chars().any(|c| c.is_control() || c.is_whitespace());
    let place = match place.parse::<usize>() {
        Ok(0) => return None,
        Ok(n) => Where::Number(n - 1),
        Err(_) if place.is_empty() => return None,
        Err(_) => Where::Header(place.into()),
    };
    fit.then_some((name, place))
}

fn bad_column(said: &str) -> Fault {
    Fault::wish(format!("the column “{said}” is not understood"), "write code=2, or code= and a header's name")
}
