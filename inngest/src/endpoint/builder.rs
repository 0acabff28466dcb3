use std::sync::Arc;

use super::{Endpoint, Inner, Served};
use crate::{Client, Function};

/// Collects the functions of an app.
pub struct EndpointBuilder {
    app_id: String,
    client: Client,
    app_version: Option<String>,
    framework: Option<&'static str>,
    functions: Vec<Served>,
}

/// Everything that is wrong with an app and its functions, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", mistakes.join("\n"))]
pub struct BuildError {
    /// One text for each mistake, naming the function and the setting.
    pub mistakes: Vec<String>,
}

impl EndpointBuilder {
    pub(super) fn new(app_id: String, client: Client) -> Self {
        Self { app_id, client, app_version: None, framework: None, functions: Vec::new() }
    }

    /// Adds a function. The order of functions is the order in which Inngest hears of them.
    #[must_use]
    pub fn function<F: Function>(mut self, function: F) -> Self {
        let id = format!("{}-{}", self.app_id, F::ID);
        let checkpointing = function.config().checkpointing;
        self.functions.push(Served { id, checkpointing, function: Box::new(function) });
        self
    }

    /// Tells Inngest which version of the app this is.
    #[must_use]
    pub fn app_version(self, version: impl Into<String>) -> Self {
        Self { app_version: Some(version.into()), ..self }
    }

    /// Names the web framework to Inngest, which shows it to people.
    #[must_use]
    pub fn framework(self, framework: &'static str) -> Self {
        Self { framework: Some(framework), ..self }
    }

    /// Checks all ids and settings. The server accepts some mistakes and then hangs on them, or says only that
    /// "at least one function is invalid" (P-070, P-075, P-079), so they are found here.
    pub fn build(self) -> Result<Endpoint, BuildError> {
        let mut mistakes = Vec::new();
        check_id("app id", &self.app_id, &mut mistakes);
        for (index, served) in self.functions.iter().enumerate() {
            let (id, function) = (served.function.id(), &served.function);
            check_id("function id", id, &mut mistakes);
            if self.functions.iter().take(index).any(|earlier| earlier.id == served.id) {
                mistakes.push(format!("function `{id}`: another function has this id"));
            }
            let event = function.event_name();
            if event.is_empty() || event.len() > 255 {
                mistakes.push(format!(
                    "function `{id}`: its event's name has {} characters; 1 to 255 are allowed",
                    event.len()
                ));
            }
            mistakes.extend(function.config().mistakes(id));
        }
        if !mistakes.is_empty() {
            return Err(BuildError { mistakes });
        }
        if self.functions.is_empty() {
            tracing::warn!(app = self.app_id, "the app has no functions");
        }
        let Self { app_id, client, app_version, framework, functions } = self;
        let inner = Inner { app_id, client, app_version, framework, functions };
        Ok(Endpoint { inner: Arc::new(inner) })
    }
}

fn check_id(what: &str, id: &str, mistakes: &mut Vec<String>) {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.is_empty() {
        mistakes.push(format!("{what} is empty"));
    } else if !id.chars().all(fits) {
        mistakes.push(format!("{what} `{id}`: only letters, digits, `-`, `_` and `.` are allowed"));
    }
}
