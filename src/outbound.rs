//! HTTP to the outside: the one place that builds a client.
//!
//! Every caller asks the same question of a call that failed: can the other side have acted on it? The types
//! here answer it, and keep URLs and secrets out of what is said about the failure.

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use jiff::{Timestamp, fmt::rfc2822};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// What this service calls itself: amoCRM's firewall has refused clients without a name.
pub const USER_AGENT: &str = concat!("prometei-flow/", env!("CARGO_PKG_VERSION"));

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections end before common servers end them (Apache: 5 s). A request written to a connection that the
/// server is just closing has an unknown outcome, and for an ERP record that costs a person's attention.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// The HTTP client that all adapters share: system trust roots, no redirects, no proxies.
///
/// It is built by the first call: reading the trust roots takes longer than the rest of the start-up.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    client: Arc<OnceLock<reqwest::Client>>,
}

impl Outbound {
    /// A client to be built when it is first needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The client itself. Cheap to clone.
    pub fn client(&self) -> Result<reqwest::Client, CallError> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            // A redirect would carry a key or a bearer token to a host that nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| CallError::NotSent(root_cause(error)))?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// A request to `url`, to be completed and given to [`send`].
    pub fn request(&self, method: Method, url: Url) -> Result<reqwest::RequestBuilder, CallError> {
        Ok(self.client()?.request(method, url))
    }
}

/// How long a call may take and how much of its answer is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the start of the call to the end of its body.
    pub timeout: Duration,
    /// The longest body that is read.
    pub body: usize,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Bytes,
    /// Whether that is all of the body. `false` when it was too long or broke off.
    pub complete: bool,
}

/// A call that brought no answer. The texts carry neither URLs nor headers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request never left: the other side knows nothing of it.
    #[error("no connection: {0}")]
    NotSent(String),
    /// The request left, or part of it: the other side may have acted on it.
    #[error("{0}")]
    OutcomeUnknown(String),
}

/// Sends `request` and reads its answer.
pub async fn send(request: reqwest::RequestBuilder, limits: Limits) -> Result<Answer, CallError> {
    let mut response = request
        .timeout(limits.timeout)
        .send()
        .await
        .map_err(|error| CallError::of(error, limits.timeout))?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let (body, complete) = read_body(response, limits.body).await;
    Ok(Answer { status, headers, body, complete })
}

/// Reads at most `limit` bytes, and says whether that was all.
pub async fn read_body(mut response: reqwest::Response, limit: usize) -> (Bytes, bool) {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(None) => return (body.freeze(), true),
            Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
            Ok(Some(chunk)) => {
                body.extend_from_slice(&chunk[..limit - body.len()]);
                return (body.freeze(), false);
            }
            Err(_) => return (body.freeze(), false),
        }
    }
}

impl CallError {
    fn of(error: reqwest::Error, timeout: Duration) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::NotSent(root_cause(error))
        } else if error.is_timeout() {
            Self::OutcomeUnknown(format!("no answer within {timeout:?}"))
        } else {
            Self::OutcomeUnknown(format!("the connection broke: {}", root_cause(error)))
        }
    }
}

/// The innermost cause ("Connection refused"): the layers above it only repeat that a request failed.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn StdError = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// How long the answer asks to wait, in either form of the header.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// Takes secrets out of texts that others wrote: an ERP's stack trace may well quote the password.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Vec<String>,
}

impl Redactor {
    /// PHP cuts the arguments in a stack trace at 15 characters: such a beginning is a secret, too.
    const PHP_ARGUMENT: usize = 15;

    /// Shorter secrets would blot out ordinary words and protect nothing.
    const SHORTEST: usize = 4;

    /// Knows `secrets`, also as a URL, an HTML page or a JSON text would show them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets {
            let secret = secret.expose_secret();
            needles.push(secret.to_owned());
            needles.push(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            needles.push(secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
            needles.push(secret.replace('\\', "\\\\").replace('"', "\\\""));
            if secret.chars().count() > Self::PHP_ARGUMENT {
                needles.push(secret.chars().take(Self::PHP_ARGUMENT).collect());
            }
        }
        needles.retain(|needle| needle.chars().count() >= Self::SHORTEST);
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        Self { needles }
    }

    /// `text` without the secrets.
    pub fn clean(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| text.replace(needle, "[secret]"))
    }

    /// A short, single-line, secret-free beginning of `body` for an error message. Markup is left out.
    pub fn excerpt(&self, body: &[u8]) -> String {
        const LENGTH: usize = 200;
        let text = self.clean(&String::from_utf8_lossy(body));
        let text = text.split("Stack trace:").next().unwrap_or_default();
        let mut plain = String::new();
        let mut in_tag = false;
        for character in text.chars() {
            match character {
                '<' => in_tag = true,
                '>' if in_tag => {
                    in_tag = false;
                    plain.push(' ');
                }
                _ if in_tag => {}
                _ => plain.push(character),
            }
        }
        let words = plain.split(|c: char| c.is_whitespace() || c.is_control());
        let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(LENGTH) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line,
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::{Redactor, retry_after};

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let wait = |value: &'static str| {
            retry_after(
                &HeaderMap::from_iter([("retry-after".parse().unwrap(), value.parse().unwrap())]),
                now,
            )
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn secrets_are_taken_out_however_they_are_written() {
        let redactor = Redactor::new([&"p&ss<word> \"with\" 24 chars".into(), &"k+e/y".into()]);
        for text in [
            r#"p&ss<word> "with" 24 chars"#,
            r#"p&amp;ss&lt;word&gt; "with" 24 chars"#,
            r#"p&ss<word> \"with\" 24 chars"#,
            "p%26ss%3Cword%3E+%22with%22+24+chars",
            "#0 login.php(12): login('api', 'p&ss<word> \"wit...')",
            "key=k%2Be%2Fy",
        ] {
            let cleaned = redactor.clean(text);
            assert!(cleaned.contains("[secret]") && !cleaned.contains("ss"), "{text} -> {cleaned}");
        }
    }

    #[test]
    fn an_excerpt_is_one_short_line_without_markup_and_stack_trace() {
        let page = b"<html>\n<b>Fatal error</b>:  Uncaught\nTypeError Stack trace: #0 login('x')";
        assert_eq!(Redactor::default().excerpt(page), "Fatal error : Uncaught TypeError");
        assert_eq!(Redactor::default().excerpt("я".repeat(500).as_bytes()).chars().count(), 203);
    }
}
