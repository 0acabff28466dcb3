//! The variables that every Inngest SDK reads.

use std::iter;
use std::time::Duration;

use http::HeaderValue;
use url::Url;

use super::{
    CLOUD_API_ORIGIN, CLOUD_EVENT_ORIGIN, DEV_ORIGIN, Mode, Settings, SettingsError,
    VariableMistake,
};
use crate::signing::{SigningKey, SigningKeys};

/// Where hosting platforms name the branch, in the order in which the TypeScript SDK looks.
const BRANCH_VARIABLES: [&str; 6] = [
    "BRANCH_NAME",
    "VERCEL_GIT_COMMIT_REF",
    "BRANCH",
    "CF_PAGES_BRANCH",
    "RENDER_GIT_BRANCH",
    "RAILWAY_GIT_BRANCH",
];

/// As often as in the TypeScript SDK.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

impl Settings {
    /// Reads the `INNGEST_*` variables of the process and reports every mistake at once. White space around a value is no
    /// part of it, such as the newline at the end of a file with a key. Empty counts as unset.
    ///
    /// Origins come from `INNGEST_API_BASE_URL` and `INNGEST_EVENT_API_BASE_URL`, else from `INNGEST_BASE_URL`,
    /// else from a URL in `INNGEST_DEV`, else from the mode (P-015).
    pub fn from_env() -> Result<Self, SettingsError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the process's environment"
        )]
        Self::from_lookup(|variable| std::env::var(variable).ok())
    }

    /// The same through `lookup`, for variables that come from elsewhere.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| {
            lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
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
            mistakes.push(VariableMistake::new(
                "INNGEST_SIGNING_KEY_FALLBACK",
                "is set, but INNGEST_SIGNING_KEY is not; set both during a rotation",
            ));
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
                mistakes.push(VariableMistake::new(variable, error.to_string()));
            }
        }
        let mut flag = |variable: &'static str| {
            let parsed = parse_flag(variable, &get(variable)?);
            parsed.map_err(|mistake| mistakes.push(mistake)).ok()
        };
        let unsigned_sync = flag("INNGEST_ENABLE_UNAUTHED_SYNC");
        let in_band_sync = flag("INNGEST_ALLOW_IN_BAND_SYNC").unwrap_or(true);
        let streaming = match get("INNGEST_STREAMING").as_deref() {
            // What older TypeScript SDKs take.
            Some("allow" | "force") => true,
            _ => flag("INNGEST_STREAMING").unwrap_or(false),
        };
        if (mode, unsigned_sync) == (Mode::Cloud, Some(true)) && serve_origin.is_none() {
            mistakes.push(VariableMistake::new("INNGEST_ENABLE_UNAUTHED_SYNC", "needs INNGEST_SERVE_ORIGIN, the URL to register; any client could choose it otherwise"));
        }
        let mut env_names = iter::once("INNGEST_ENV").chain(BRANCH_VARIABLES);
        let env = env_names.find_map(|name| get(name).map(|env| (name, env)));
        if let Some((variable, env)) = &env
            && HeaderValue::from_str(env).is_err()
        {
            let problem = "has control characters, which no header can carry; it goes with every request to Inngest";
            mistakes.push(VariableMistake::new(variable, problem));
        }
        let serve_path = get("INNGEST_SERVE_PATH");
        if serve_path.as_deref().is_some_and(|path| !path.starts_with('/')) {
            mistakes.push(VariableMistake::new(
                "INNGEST_SERVE_PATH",
                "must begin with `/`, such as /api/inngest",
            ));
        }
        if !mistakes.is_empty() {
            return Err(SettingsError { mistakes });
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
            env: env.map(|(_, env)| env),
            api_origin: api.or_else(|| base.clone()).unwrap_or_else(|| default_api.to_owned()),
            event_origin: events.or(base).unwrap_or_else(|| default_events.to_owned()),
            serve_origin,
            serve_path,
            unsigned_sync: unsigned_sync.unwrap_or(true),
            in_band_sync,
            streaming: streaming.then_some(KEEP_ALIVE),
        })
    }
}

/// A typing error in a switch must not leave it where it was.
fn parse_flag(variable: &'static str, value: &str) -> Result<bool, VariableMistake> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(VariableMistake::new(variable, "must be 1, true, 0 or false")),
    }
}

/// `1` and `true` mean dev, `0` and `false` cloud, an address means dev with the server there (P-014). Anything
/// else is a mistake: taking `off` for dev mode would switch the signatures off.
pub(super) fn parse_dev(value: &str) -> Result<(Mode, Option<String>), VariableMistake> {
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
        return Err(VariableMistake::new(
            "INNGEST_DEV",
            "must be 1, 0, or the address of a dev server such as http://localhost:8288",
        ));
    };
    parse_origin("INNGEST_DEV", &url).map(|origin| (Mode::Dev, Some(origin)))
}

/// The URL as HTTP writes it, so that a host of any alphabet can be reached.
fn parse_origin(variable: &'static str, value: &str) -> Result<String, VariableMistake> {
    let usable = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(value).ok().filter(usable) {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(VariableMistake::new(
            variable,
            "must be an http or https URL without user, query or fragment",
        )),
    }
}
