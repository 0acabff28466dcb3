//! Mode, keys and origins, from code or from the variables that every Inngest SDK reads.

use std::fmt;

use url::Url;

use crate::signing::{SigningKey, SigningKeys};

/// Who is believed, and where Inngest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The dev server on this machine; signatures are not checked.
    Dev,
    /// Inngest Cloud or a self-hosted server; every call must be signed. The default.
    Cloud,
}

impl Mode {
    /// The mode that `INNGEST_DEV` asks for; cloud when it is unset or empty.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let value = lookup("INNGEST_DEV").filter(|value| !value.is_empty());
        value.map_or(Ok(Self::Cloud), |value| parse_dev(&value).map(|(mode, _)| mode))
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
    /// `INNGEST_SERVE_ORIGIN`: where Inngest finds this app, if the request cannot tell.
    pub serve_origin: Option<String>,
    /// `INNGEST_SERVE_PATH`: the path of the endpoint, where a proxy changes it.
    pub serve_path: Option<String>,
    /// `INNGEST_ENABLE_UNAUTHED_SYNC`: who may start a sync without a signature, in cloud mode.
    pub unsigned_sync: UnsignedSync,
    /// `INNGEST_ALLOW_IN_BAND_SYNC`: whether a signed sync may be answered with the registration itself (P-091).
    /// Otherwise it is done out of band.
    pub in_band_sync: bool,
}

/// What becomes of a `PUT` without a signature in cloud mode, such as that of a deploy hook (P-058).
///
/// Such a request only makes the app register itself, with its own key. But where the URL comes from the request,
/// anybody can have Inngest told that the app is at a host of theirs, and gets its calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnsignedSync {
    /// Accepted where `INNGEST_SERVE_ORIGIN` is set, so that nothing is taken from the request. The default.
    #[default]
    WhereOriginIsSet,
    /// Accepted always, as the TypeScript SDK does: `INNGEST_ENABLE_UNAUTHED_SYNC=1`. Only behind a proxy that sets
    /// `Host` itself.
    Accept,
    /// Refused always: `INNGEST_ENABLE_UNAUTHED_SYNC=0`.
    Refuse,
}

/// One variable that cannot be used, and what to do about it. Holds no value that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct SettingsError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it and how to mend it.
    pub problem: String,
}

const DEV_ORIGIN: &str = "http://localhost:8288";
const CLOUD_API_ORIGIN: &str = "https://api.inngest.com";
const CLOUD_EVENT_ORIGIN: &str = "https://inn.gs";

/// Where hosting platforms tell the branch, in the order in which the TypeScript SDK looks.
const BRANCH_VARIABLES: [&str; 6] = [
    "BRANCH_NAME",
    "VERCEL_GIT_COMMIT_REF",
    "BRANCH",
    "CF_PAGES_BRANCH",
    "RENDER_GIT_BRANCH",
    "RAILWAY_GIT_BRANCH",
];

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
            unsigned_sync: UnsignedSync::default(),
            in_band_sync: true,
        }
    }

    /// The same settings with the API and the event intake of another server.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        let origin = origin.trim_end_matches('/').to_owned();
        Self { api_origin: origin.clone(), event_origin: origin, ..self }
    }

    /// Reads the `INNGEST_*` variables through `lookup` and reports every mistake at once. Empty counts as unset.
    ///
    /// Origins come from `INNGEST_API_BASE_URL` and `INNGEST_EVENT_API_BASE_URL`, else from `INNGEST_BASE_URL`,
    /// else from a URL in `INNGEST_DEV`, else from the mode (P-015).
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingsError>> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut mistakes = Vec::new();
        let mut origin = |variable: &'static str| {
            let parsed = get(variable).map(|value| parse_origin(variable, &value))?;
            parsed.map_err(|mistake| mistakes.push(mistake)).ok()
        };
        let api = origin("INNGEST_API_BASE_URL");
        let events = origin("INNGEST_EVENT_API_BASE_URL");
        let base = origin("INNGEST_BASE_URL");
        let serve_origin = origin("INNGEST_SERVE_ORIGIN").or_else(|| origin("INNGEST_SERVE_HOST"));

        let (mode, dev_origin) = match get("INNGEST_DEV").map(|value| parse_dev(&value)) {
            None => (Mode::Cloud, None),
            Some(Ok(parsed)) => parsed,
            Some(Err(mistake)) => {
                mistakes.push(mistake);
                (Mode::Cloud, None)
            }
        };
        if get("INNGEST_SIGNING_KEY").is_none() && get("INNGEST_SIGNING_KEY_FALLBACK").is_some() {
            mistakes.push(SettingsError {
                variable: "INNGEST_SIGNING_KEY_FALLBACK",
                problem: "is set, but INNGEST_SIGNING_KEY is not; set both during a rotation"
                    .into(),
            });
        }
        let signing_keys = get("INNGEST_SIGNING_KEY").map(|primary| SigningKeys {
            primary: SigningKey::new(primary),
            fallback: get("INNGEST_SIGNING_KEY_FALLBACK").map(SigningKey::new),
        });
        let names = ["INNGEST_SIGNING_KEY", "INNGEST_SIGNING_KEY_FALLBACK"];
        for (variable, key) in
            names.into_iter().zip(signing_keys.iter().flat_map(SigningKeys::iter))
        {
            // The dev server takes any key, so a placeholder does no harm there.
            if let (Mode::Cloud, Err(error)) = (mode, key.api_token()) {
                mistakes.push(SettingsError { variable, problem: error.to_string() });
            }
        }
        let mut flag = |variable: &'static str| {
            let parsed = parse_flag(variable, &get(variable)?);
            parsed.map_err(|mistake| mistakes.push(mistake)).ok()
        };
        let unsigned_sync = match flag("INNGEST_ENABLE_UNAUTHED_SYNC") {
            None => UnsignedSync::default(),
            Some(true) => UnsignedSync::Accept,
            Some(false) => UnsignedSync::Refuse,
        };
        let in_band_sync = flag("INNGEST_ALLOW_IN_BAND_SYNC").unwrap_or(true);
        let serve_path = get("INNGEST_SERVE_PATH");
        if serve_path.as_deref().is_some_and(|path| !path.starts_with('/')) {
            mistakes.push(SettingsError {
                variable: "INNGEST_SERVE_PATH",
                problem: "must begin with `/`, such as /api/inngest".into(),
            });
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let (default_api, default_events) = match mode {
            Mode::Dev => (DEV_ORIGIN, DEV_ORIGIN),
            Mode::Cloud => (CLOUD_API_ORIGIN, CLOUD_EVENT_ORIGIN),
        };
        let base = base.or(dev_origin);
        Ok(Self {
            mode,
            event_key: get("INNGEST_EVENT_KEY"),
            signing_keys,
            env: get("INNGEST_ENV").or_else(|| BRANCH_VARIABLES.iter().find_map(|name| get(name))),
            api_origin: api.or_else(|| base.clone()).unwrap_or_else(|| default_api.to_owned()),
            event_origin: events.or(base).unwrap_or_else(|| default_events.to_owned()),
            serve_origin,
            serve_path,
            unsigned_sync,
            in_band_sync,
        })
    }
}

/// A typing error in a switch must not leave it where it was.
fn parse_flag(variable: &'static str, value: &str) -> Result<bool, SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(SettingsError { variable, problem: "must be 1, true, 0 or false".into() }),
    }
}

/// `1` and `true` mean dev, `0` and `false` cloud, an address means dev with the server there (P-014). Anything
/// else is a mistake: taking `off` for dev mode would switch the signatures off.
fn parse_dev(value: &str) -> Result<(Mode, Option<String>), SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => return Ok((Mode::Dev, None)),
        "0" | "false" => return Ok((Mode::Cloud, None)),
        _ => {}
    }
    let url = if value.contains("://") {
        value.to_owned()
    } else if value.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        format!("http://{value}")
    } else {
        return Err(SettingsError {
            variable: "INNGEST_DEV",
            problem: "must be 1, 0, or the address of a dev server such as http://localhost:8288"
                .into(),
        });
    };
    parse_origin("INNGEST_DEV", &url).map(|origin| (Mode::Dev, Some(origin)))
}

fn parse_origin(variable: &'static str, value: &str) -> Result<String, SettingsError> {
    let usable = Url::parse(value).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if usable {
        Ok(value.trim_end_matches('/').to_owned())
    } else {
        Err(SettingsError {
            variable,
            problem: "must be an http or https URL without user, query or fragment".into(),
        })
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
            .finish()
    }
}

#[cfg(test)]
mod tests;
