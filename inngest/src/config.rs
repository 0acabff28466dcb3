//! How the server shall run a function.

use crate::Checkpointing;

/// The settings of a function. What is not set is left to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub(crate) name: Option<String>,
    pub(crate) retries: Option<u8>,
    pub(crate) checkpointing: Option<Checkpointing>,
}

/// The most retries that the server grants; it clamps larger numbers without saying so (P-079).
const MAX_RETRIES: u8 = 20;

impl Config {
    /// Everything as the server has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name shown to people; the id otherwise.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// How often a failed step or call is tried again, 0 to 20. The server's default is 4.
    #[must_use]
    pub fn retries(self, retries: u8) -> Self {
        Self { retries: Some(retries), ..self }
    }

    /// Lets a call go on after a step, where the server has the checkpoint API.
    #[must_use]
    pub fn checkpointing(self, checkpointing: Checkpointing) -> Self {
        Self { checkpointing: Some(checkpointing), ..self }
    }

    /// Everything wrong with the settings of the function `id`.
    pub(crate) fn mistakes(&self, id: &str) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.name.as_deref() == Some("") {
            mistakes.push(format!("function `{id}`: name is empty; leave it out to use the id"));
        }
        if let Some(retries) = self.retries.filter(|&retries| retries > MAX_RETRIES) {
            mistakes.push(format!("function `{id}`: retries is {retries}; at most {MAX_RETRIES}"));
        }
        mistakes
    }
}
