//! Mode, keys and origins.

mod env;

use std::fmt;
use std::time::Duration;

use crate::signing::{SigningKey, SigningKeys};

/// Which requests are trusted, and where Inngest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The dev server on this machine; signatures are not checked.
    Dev,
    /// Inngest Cloud or a self-hosted server; every call must be signed. The default.
    Cloud,
}

impl Mode {
    /// The mode that `INNGEST_DEV` asks for, read through `lookup`; cloud when it is unset or empty.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, VariableMistake> {
        let value = lookup("INNGEST_DEV").unwrap_or_default();
        match value.trim() {
            "" => Ok(Self::Cloud),
            value => env::parse_dev(value).map(|(mode, _)| mode),
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Cloud => "cloud",
        }
    }
}

/// How the SDK reaches Inngest and is reached by it. Its `Debug` shows no key.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whether calls must be signed.
    pub mode: Mode,
    /// `INNGEST_EVENT_KEY`: lets this app send events. Optional in dev mode.
    pub event_key: Option<String>,
    /// `INNGEST_SIGNING_KEY` and `INNGEST_SIGNING_KEY_FALLBACK`.
    pub signing_keys: Option<SigningKeys>,
    /// `INNGEST_ENV`, or the branch that the hosting platform names: which Inngest environment is meant.
    pub env: Option<String>,
    /// Where the Inngest API is, without a trailing slash.
    pub api_origin: String,
    /// Where events are sent, without a trailing slash.
    pub event_origin: String,
    /// `INNGEST_SERVE_ORIGIN`: where Inngest finds this app, if the request does not show it. It may have a path, which goes
    /// before that of the request.
    pub serve_origin: Option<String>,
    /// `INNGEST_SERVE_PATH`: the path of the endpoint, where a proxy changes it.
    pub serve_path: Option<String>,
    /// `INNGEST_ENABLE_UNAUTHED_SYNC`: whether a `PUT` without a signature, such as that of a deploy hook, may make this
    /// app register itself in cloud mode (P-058). True by default, and without effect where
    /// [`serve_origin`](Self::serve_origin) is not set: taken from the request, the URL would be any client's choice,
    /// and so would be where the calls go.
    ///
    /// What is registered is `serve_origin` with [`serve_path`](Self::serve_path), or with `/api/inngest` where the
    /// request went there. Nothing else of the request is looked at, its query and its body included. There is one
    /// registration in ten seconds; requests in between get its answer.
    pub unsigned_sync: bool,
    /// `INNGEST_ALLOW_IN_BAND_SYNC`: whether a signed sync may be answered with the registration itself (P-091).
    /// Otherwise it is done out of band.
    pub in_band_sync: bool,
    /// `INNGEST_STREAMING`: how often the answer to a call that takes long sends a sign of life, 3 s where the variable is
    /// true; `None`, the default, for answers that are sent when they are known. See
    /// [the guide](crate::guide::streaming).
    pub streaming: Option<Duration>,
}

/// Every variable that cannot be used, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsError {
    /// One for each variable.
    pub mistakes: Vec<VariableMistake>,
}

/// One variable that cannot be used, and what to do about it. Holds no value that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct VariableMistake {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it and how to mend it.
    pub problem: String,
}

impl VariableMistake {
    fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }
}

impl SettingsError {
    #[cfg(feature = "reqwest")]
    pub(crate) fn of(variable: &'static str, problem: &str) -> Self {
        Self { mistakes: vec![VariableMistake::new(variable, problem)] }
    }
}

const DEV_ORIGIN: &str = "http://localhost:8288";
const CLOUD_API_ORIGIN: &str = "https://api.inngest.com";
const CLOUD_EVENT_ORIGIN: &str = "https://inn.gs";

impl Settings {
    /// Dev mode against the dev server's usual address.
    pub fn dev() -> Self {
        Self::of(Mode::Dev, DEV_ORIGIN, DEV_ORIGIN)
    }

    /// Cloud mode with the keys of an Inngest environment.
    pub fn cloud(event_key: impl Into<String>, signing_key: SigningKey) -> Self {
        Self {
            event_key: Some(event_key.into()),
            signing_keys: Some(SigningKeys { primary: signing_key, fallback: None }),
            ..Self::of(Mode::Cloud, CLOUD_API_ORIGIN, CLOUD_EVENT_ORIGIN)
        }
    }

    fn of(mode: Mode, api_origin: &str, event_origin: &str) -> Self {
        Self {
            mode,
            event_key: None,
            signing_keys: None,
            env: None,
            api_origin: api_origin.to_owned(),
            event_origin: event_origin.to_owned(),
            serve_origin: None,
            serve_path: None,
            unsigned_sync: true,
            in_band_sync: true,
            streaming: None,
        }
    }

    /// The same settings with the API and the event intake of another server.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        let origin = origin.trim_end_matches('/').to_owned();
        Self { api_origin: origin.clone(), event_origin: origin, ..self }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("mode", &self.mode)
            .field("has_event_key", &self.event_key.is_some())
            .field("signing_keys", &self.signing_keys)
            .field("env", &self.env)
            .field("api_origin", &self.api_origin)
            .field("event_origin", &self.event_origin)
            .field("serve_origin", &self.serve_origin)
            .field("serve_path", &self.serve_path)
            .field("unsigned_sync", &self.unsigned_sync)
            .field("in_band_sync", &self.in_band_sync)
            .field("streaming", &self.streaming)
            .finish()
    }
}

#[cfg(test)]
mod tests;
