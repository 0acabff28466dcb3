//! What is wrong with the configuration.

use std::fmt;

use inngest::VariableMistake;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub(crate) struct ConfigError {
    /// The variable to change.
    pub variable: String,
    /// What is wrong and what to do. Never shows the value of a secret.
    pub problem: String,
}

/// All mistakes, a line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigErrors(pub Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has mistakes; docs/configuration.md explains each variable")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n{mistake}"))
    }
}

impl From<VariableMistake> for ConfigError {
    fn from(mistake: VariableMistake) -> Self {
        Self { variable: mistake.variable.to_owned(), problem: mistake.problem }
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}
