use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A step that has finally failed: its attempts are used up, or its error was final.
///
/// It can be matched on and compensated for; passed on with `?` it ends the run without another retry.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StepError {
    /// The id of the step, as the function wrote it.
    pub step_id: String,
    /// The kind of error, for instance `Error` or `InngestInvokeTimeoutError`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Whatever else the error carried: [`Error::with_data`](crate::Error::with_data).
    pub data: Option<Value>,
    /// What caused it, where another SDK's function said so.
    pub cause: Option<Box<Value>>,
}

impl StepError {
    /// An error of the step `step_id`. Functions receive these; tests make them.
    pub fn new(
        step_id: impl Into<String>,
        name: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            step_id: step_id.into(),
            name: name.into(),
            message: message.into(),
            data: None,
            cause: None,
        }
    }

    /// From the server's memo, where every field may be missing (P-108).
    pub(crate) fn from_memo(step_id: &str, memo: MemoError) -> Self {
        let (name, message) = match memo.message.as_deref().and_then(found_by_server) {
            Some(found) => (Some(found.name), Some(found.message)),
            None => (memo.name, memo.message),
        };
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "Error".to_owned());
        let message = message.unwrap_or_else(|| format!("step `{step_id}` failed"));
        Self { step_id: step_id.to_owned(), name, message, data: memo.data, cause: memo.cause }
    }
}

/// An error that the server found by itself, such as a reply that is too large.
#[derive(Deserialize)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) stack: Option<String>,
}

/// The server puts what it found, as a text of JSON, where the message of an error should be (P-186).
pub(crate) fn found_by_server(message: &str) -> Option<Found> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped {
        error: Found,
    }
    serde_json::from_str(message).ok().map(|Wrapped { error }| error)
}

/// The error object inside a step's memo.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct MemoError {
    name: Option<String>,
    message: Option<String>,
    data: Option<Value>,
    cause: Option<Box<Value>>,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StepError {}
