use serde::Serialize;

use crate::check::Mistakes;

/// At most one run at a time (P-086).
///
/// ```
/// use inngest::{Config, Singleton};
///
/// let config = Config::id("charge").singleton(Singleton::skip().key("event.data.accountId"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Singleton {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Singleton {
    /// An event that comes during a run starts none.
    pub fn skip() -> Self {
        Self { mode: "skip", key: None }
    }

    /// An event that comes during a run ends it and starts another.
    pub fn cancel() -> Self {
        Self { mode: "cancel", key: None }
    }

    /// One run at a time for each value of this expression.
    #[must_use]
    pub fn key(self, expression: impl Into<String>) -> Self {
        Self { key: Some(expression.into()), ..self }
    }

    pub(super) fn check(&self, mistakes: &mut Mistakes<'_>) {
        mistakes.expression("singleton.key", self.key.as_deref());
    }
}
