//! What is wrong with a system around this service, and what to do about it: `serve` logs it, `doctor` prints it, and the
//! status page shows it, in the same words.

use std::fmt;

/// What is wrong, and what to do. Each is one line, and shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What is wrong.
    pub(crate) problem: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl Trouble {
    /// `problem`, about which a person does what `remedy` says.
    pub(crate) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.problem, self.remedy)
    }
}
