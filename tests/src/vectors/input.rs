//! Reading JSON with the place of whatever is wrong.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::decimal::Decimal;

/// A value and where it stands, such as `cases[3].assets[0].range`.
#[derive(Clone, Debug)]
pub struct Node<'v> {
    place: String,
    value: &'v Value,
}

impl<'v> Node<'v> {
    /// The file's outermost value, which must be an object.
    pub fn root(value: &'v Value) -> Result<Self> {
        if !value.is_object() {
            bail!("the file is not a JSON object");
        }
        Ok(Self {
            place: String::new(),
            value,
        })
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// The value under a key; absent and null are the same.
    pub fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        let dot = if self.place.is_empty() { "" } else { "." };
        Some(Self {
            place: format!("{}{dot}{key}", self.place),
            value,
        })
    }

    /// The value under a key that must be there.
    pub fn need(&self, key: &str) -> Result<Self> {
        if !self.value.is_object() {
            bail!("{}: not an object", self.place);
        }
        let dot = if self.place.is_empty() { "" } else { "." };
        self.get(key)
            .with_context(|| format!("{}{dot}{key}: missing", self.place))
    }

    /// The elements of a list.
    pub fn list(&self) -> Result<Vec<Self>> {
        let rows = self.value.as_array();
        let rows = rows.with_context(|| format!("{}: not a list", self.place))?;
        let element = |(index, value)| Self {
            place: format!("{}[{index}]", self.place),
            value,
        };
        Ok(rows.iter().enumerate().map(element).collect())
    }

    /// The elements under a key; none when it is missing.
    pub fn list_of(&self, key: &str) -> Result<Vec<Self>> {
        self.get(key).map_or(Ok(Vec::new()), |node| node.list())
    }

    /// A string, or a number as it would be printed.
    pub fn text(&self) -> Result<String> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => bail!("{}: not a number or a string", self.place),
        }
    }

    /// A number, or a string that holds one.
    pub fn decimal(&self) -> Result<Decimal> {
        let text = self.text()?;
        Decimal::parse(&text).with_context(|| format!("{}: {text:?} is no number", self.place))
    }

    /// A whole number that the type holds, also as `5.0` or `"5"`.
    pub fn whole<T: TryFrom<i64>>(&self) -> Result<T> {
        let number = self.decimal()?.to_whole();
        let number = number.with_context(|| format!("{}: not a whole number", self.place))?;
        T::try_from(number).map_err(|_| anyhow!("{}: {number} is out of bounds", self.place))
    }

    /// The whole number under a key that must be there.
    pub fn whole_of<T: TryFrom<i64>>(&self, key: &str) -> Result<T> {
        self.need(key)?.whole()
    }

    /// The whole number under a key, or `otherwise` when it is missing.
    pub fn whole_or<T: TryFrom<i64>>(&self, key: &str, otherwise: T) -> Result<T> {
        self.get(key).map_or(Ok(otherwise), |node| node.whole())
    }

    /// A number for which binary precision is enough, or a string that holds one.
    pub fn float(&self) -> Result<f64> {
        let text = self.text()?;
        let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        number.with_context(|| format!("{}: {text:?} is no number", self.place))
    }

    /// The number under a key, when it is there.
    pub fn float_of(&self, key: &str) -> Result<Option<f64>> {
        self.get(key).map(|node| node.float()).transpose()
    }
}
