//! An app: its functions, and the endpoint that serves them.

mod error;
#[cfg(feature = "reqwest")]
mod from_env;
#[cfg(feature = "axum")]
mod serve;

#[cfg(feature = "axum")]
use crate::body::Room;
use crate::check::Mistakes;
use crate::endpoint::AppParts;
use crate::function::{Serve, Served};
use crate::{Client, Endpoint};
pub use error::{AppError, BuildError};

/// Collects the functions of an app, and makes the [`Endpoint`] that serves them.
#[must_use = "an app does nothing until it is built or served"]
pub struct App {
    id: String,
    client: Client,
    version: Option<String>,
    framework: Option<&'static str>,
    functions: Vec<Served>,
    #[cfg(feature = "axum")]
    room: Room,
    #[cfg(feature = "axum")]
    registers: bool,
}

impl App {
    /// The app `id` at Inngest, which is reached through `client`. Runs under way are lost when the id changes.
    pub fn new(id: impl Into<String>, client: Client) -> Self {
        Self {
            id: id.into(),
            client,
            version: None,
            framework: None,
            functions: Vec::new(),
            #[cfg(feature = "axum")]
            room: Room::default(),
            #[cfg(feature = "axum")]
            registers: false,
        }
    }

    /// Adds a [`Function`](crate::Function), or what [`Config`](crate::Config::run) makes of a plain `async fn`. The
    /// order of functions is the order in which they are registered.
    pub fn function(mut self, function: impl Serve) -> Self {
        self.functions.extend(Served::of(function.erased(), &self.id));
        self
    }

    #[cfg(feature = "testing")]
    pub(crate) fn functions(&self) -> &[Served] {
        &self.functions
    }

    /// Sets the version of the app, which Inngest shows.
    pub fn version(self, version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// Names the web framework to Inngest, which shows it to people.
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
    pub fn room_for_bodies(self, bytes: usize) -> Self {
        Self { room: Room::of(bytes), ..self }
    }

    /// Checks all ids and settings. The server accepts some mistakes and then hangs on them, or says only that
    /// "at least one function is invalid" (P-070, P-075, P-079), so they are found here.
    pub fn build(self) -> Result<Endpoint, BuildError> {
        let mut mistakes = Vec::new();
        check_id("app id", &self.id, &mut mistakes);
        for (index, served) in self.functions.iter().enumerate() {
            let id = &served.config.id;
            check_id("function id", id, &mut mistakes);
            if self.functions.iter().take(index).any(|earlier| earlier.id == served.id) {
                mistakes.push(format!(
                    "function `{id}`: another function has this id; `<id>-failure` is that of a failure handler"
                ));
            }
            served.check(&mut Mistakes::of(id, &mut mistakes));
        }
        if !mistakes.is_empty() {
            return Err(BuildError { mistakes });
        }
        if self.functions.is_empty() {
            tracing::warn!(app = self.id, "the app has no functions");
        }
        Ok(Endpoint::new(AppParts {
            app_id: self.id,
            client: self.client,
            app_version: self.version,
            framework: self.framework,
            functions: self.functions,
            #[cfg(feature = "axum")]
            room: self.room,
        }))
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
