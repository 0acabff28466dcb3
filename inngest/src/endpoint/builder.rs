use std::sync::Arc;

use super::hook::Hooks;
use super::refusals::Refusals;
use super::{Endpoint, Inner, Served};
use crate::config::Mistakes;
use crate::failure::FailureOf;
use crate::function::{DynFunction, Handler};
use crate::trigger::Trigger;
use crate::{Client, Function, OnFailure};

/// Collects the functions of an app.
pub struct EndpointBuilder {
    app_id: String,
    client: Client,
    app_version: Option<String>,
    framework: Option<&'static str>,
    functions: Vec<Served>,
    #[cfg(feature = "axum")]
    room: crate::axum::Room,
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
        Self {
            app_id,
            client,
            app_version: None,
            framework: None,
            functions: Vec::new(),
            #[cfg(feature = "axum")]
            room: crate::axum::Room::default(),
        }
    }

    /// Adds a function. The order of functions is the order in which Inngest hears of them.
    #[must_use]
    pub fn function<F: Function>(self, function: F) -> Self {
        self.serve(Handler(Arc::new(function)))
    }

    /// Adds a function whose [`on_failure`](OnFailure::on_failure) is called when a run of it has failed. Inngest
    /// hears of a second function, `<id>-failure` (P-184).
    #[must_use]
    pub fn function_with_on_failure<F: OnFailure>(self, function: F) -> Self {
        let function = Arc::new(function);
        self.serve(Handler(Arc::clone(&function))).serve(FailureOf::new(function))
    }

    fn serve(mut self, function: impl DynFunction + 'static) -> Self {
        let id = format!("{}-{}", self.app_id, function.id());
        let checkpointing = function.config().checkpointing;
        let middleware = function.middleware();
        let function = Box::new(function);
        self.functions.push(Served { id, checkpointing, middleware, function });
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

    /// How many bytes of large bodies may be in memory together before their signatures are checked; 32 MiB by
    /// default, and never less than one body of [`MAX_BODY_BYTES`](crate::MAX_BODY_BYTES).
    ///
    /// The first 64 KiB of each body do not count, so ordinary calls never wait: what those can take is for the
    /// server's limit on connections to say. A larger one waits for room. A body that has not arrived after 30 s, that
    /// wait included, is answered 503.
    #[cfg(feature = "axum")]
    #[must_use]
    pub fn room_for_bodies(self, bytes: usize) -> Self {
        Self { room: crate::axum::Room::of(bytes), ..self }
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
                mistakes.push(format!(
                    "function `{id}`: another function has this id; `<id>-failure` is that of a failure handler"
                ));
            }
            let triggers = function.triggers(&self.app_id);
            let mut of_function = Mistakes::of(id, &mut mistakes);
            function.check(&triggers, &mut of_function);
            Trigger::check_all(&triggers, &mut of_function);
            function.config().check(&mut of_function);
        }
        if !mistakes.is_empty() {
            return Err(BuildError { mistakes });
        }
        if self.functions.is_empty() {
            tracing::warn!(app = self.app_id, "the app has no functions");
        }
        let inner = Inner {
            app_id: self.app_id,
            client: self.client,
            app_version: self.app_version,
            framework: self.framework,
            functions: self.functions,
            refusals: Refusals::default(),
            hooks: Hooks::default(),
            #[cfg(feature = "axum")]
            room: self.room,
        };
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
