//! Reads variables and collects every mistake, instead of stopping at the first.

use std::collections::BTreeSet;

use secrecy::SecretString;
use url::Url;

use super::{ConfigError, ConfigErrors, Env};

pub(super) struct Reader<'e> {
    env: &'e dyn Env,
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
    /// Variables with a mistake. They are not missing as well.
    bad: BTreeSet<&'static str>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(env: &'e dyn Env) -> Self {
        Self { env, errors: Vec::new(), warnings: Vec::new(), bad: BTreeSet::new() }
    }

    /// The warnings, if there was no mistake.
    pub(super) fn finish(self) -> Result<Vec<String>, ConfigErrors> {
        if self.errors.is_empty() { Ok(self.warnings) } else { Err(ConfigErrors(self.errors)) }
    }

    pub(super) fn error(&mut self, variable: &'static str, problem: impl Into<String>) {
        self.bad.insert(variable);
        self.errors.push(ConfigError { variable: variable.to_owned(), problem: problem.into() });
    }

    pub(super) fn warn(&mut self, variable: &'static str, what: &str) {
        self.warnings.push(format!("{variable}: {what}"));
    }

    /// The value exactly as it is set.
    fn exact(&mut self, variable: &'static str) -> Option<String> {
        self.env.get(variable).unwrap_or_else(|error| {
            self.bad.insert(variable);
            self.errors.push(error);
            None
        })
    }

    pub(super) fn text(&mut self, variable: &'static str) -> Option<String> {
        let value = self.exact(variable)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    pub(super) fn secret(&mut self, variable: &'static str) -> Option<SecretString> {
        self.exact(variable).map(SecretString::from)
    }

    /// A value that `parse` accepts. Its error must say what to write instead.
    pub(super) fn parsed<T>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.text(variable)?;
        parse(&value).map_err(|problem| self.error(variable, problem)).ok()
    }

    /// Reports that `value` must be set, unless it is set or its mistake was reported already.
    pub(super) fn required<T>(
        &mut self,
        variable: &'static str,
        value: Option<T>,
        why: &str,
    ) -> Option<T> {
        if value.is_none() && !self.bad.contains(variable) {
            self.error(variable, format!("is not set; {why}"));
        }
        value
    }

    /// Whether the variable is set, rightly or wrongly.
    pub(super) fn is_set(&self, variable: &'static str) -> bool {
        self.bad.contains(variable) || matches!(self.env.get(variable), Ok(Some(_)))
    }
}

/// An absolute web address without a user name or password, which would end up in logs.
pub(super) fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("is no web address; write it in full, as https://example.org")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must not contain a user name or password; remove what stands before the @".into()
        );
    }
    Ok(url)
}

/// An id: a positive number.
pub(super) fn id(text: &str) -> Result<u64, String> {
    let number = text.parse::<i64>().ok().filter(|number| *number > 0);
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is no id; write a positive number"))
}
