//! The variables of Inngest: the mode, and whether what it needs is there. The `inngest` package reads the
//! values itself, through [`Env::get`](super::Env::get).

use inngest::signing::SigningKey;
use url::Url;

use super::reader::{Reader, origin, web_url};

/// Who runs Inngest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A dev server: unsigned, parts of the configuration may be missing.
    Dev,
    /// Inngest Cloud or a server of one's own: everything is signed.
    Cloud,
}

/// How Inngest is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InngestSettings {
    /// Who runs it.
    pub mode: Mode,
    /// The dev server that `INNGEST_DEV` names, when it names one.
    pub dev_url: Option<Url>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> InngestSettings {
    // A mistake here must not start the service unsigned, nor add complaints about keys.
    let (mode, dev_url) = match reader.parsed("INNGEST_DEV", dev) {
        Some(mode) => mode,
        None if reader.is_set("INNGEST_DEV") => (Mode::Dev, None),
        None => (Mode::Cloud, None),
    };
    let why = "copy it from the Inngest dashboard, or set INNGEST_DEV=1 for development";
    let event_key = reader.text("INNGEST_EVENT_KEY");
    let key = reader.parsed("INNGEST_SIGNING_KEY", signing_key);
    reader.parsed("INNGEST_SIGNING_KEY_FALLBACK", signing_key);
    if key == Some(false) && mode == Mode::Cloud {
        reader.warn(
            "INNGEST_SIGNING_KEY",
            "has no signkey- prefix; right for a self-hosted Inngest only",
        );
    }
    if mode == Mode::Cloud {
        reader.required("INNGEST_EVENT_KEY", event_key, why);
        reader.required("INNGEST_SIGNING_KEY", key, why);
    }
    reader.parsed("INNGEST_ENV", environment);
    for variable in ["INNGEST_BASE_URL", "INNGEST_API_BASE_URL", "INNGEST_EVENT_API_BASE_URL"] {
        reader.parsed(variable, web_url);
    }
    reader.parsed("INNGEST_SERVE_ORIGIN", origin);
    reader.parsed("INNGEST_SERVE_PATH", path);
    InngestSettings { mode, dev_url }
}

/// As every SDK reads it: a switch, or the address of the dev server.
fn dev(text: &str) -> Result<(Mode, Option<Url>), String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" => return Ok((Mode::Dev, None)),
        "0" | "false" => return Ok((Mode::Cloud, None)),
        _ => {}
    }
    let url = match text {
        _ if text.contains("://") => web_url(text),
        _ if text.contains(':') => web_url(&format!("http://{text}")),
        _ => Err(String::new()),
    };
    let wrong = |_| format!("{text:?} is not understood; write 1, 0 or the dev server's address");
    url.map(|url| (Mode::Dev, Some(url))).map_err(wrong)
}

/// Whether the key looks as Inngest Cloud shows it.
fn signing_key(text: &str) -> Result<bool, String> {
    let wrong = |error| format!("is wrong: {error}");
    SigningKey::new(text).api_token().map_err(wrong).map(|_| text.starts_with("signkey-"))
}

fn environment(text: &str) -> Result<(), String> {
    // It becomes a header.
    let sendable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    sendable
        .then_some(())
        .ok_or_else(|| "must be plain ASCII text; write the environment's name".into())
}

fn path(text: &str) -> Result<(), String> {
    text.starts_with('/')
        .then_some(())
        .ok_or_else(|| "must begin with a slash, as /api/inngest".into())
}
