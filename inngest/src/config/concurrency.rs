use serde::Serialize;

use crate::check::Mistakes;

/// How many steps may run at the same time (P-080).
///
/// ```
/// use inngest::{Concurrency, Config};
///
/// let config = Config::id("charge")
///     // Five at a time for each user,
///     .concurrency(Concurrency::limit(5).key("event.data.userId"))
///     // and fifty in the whole environment, over all functions that share the key.
///     .concurrency(Concurrency::limit(50).in_env("\"payments\""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concurrency {
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Only a scope of its own is written: the server refuses `null` (T62).
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
}

impl Concurrency {
    /// At most `steps` steps of this function at a time.
    pub fn limit(steps: u32) -> Self {
        Self { limit: steps, key: None, scope: None }
    }

    /// The limit holds for each value of this expression separately.
    #[must_use]
    pub fn key(self, expression: impl Into<String>) -> Self {
        Self { key: Some(expression.into()), ..self }
    }

    /// The limit is shared by all functions of the environment that have one with the same key.
    #[must_use]
    pub fn in_env(self, key: impl Into<String>) -> Self {
        Self { scope: Some("env"), ..self.key(key) }
    }

    /// The limit is shared by all functions of the account that have one with the same key.
    #[must_use]
    pub fn in_account(self, key: impl Into<String>) -> Self {
        Self { scope: Some("account"), ..self.key(key) }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.at_least("concurrency.limit", self.limit, 1);
        mistakes.expression("concurrency.key", self.key.as_deref());
    }
}
