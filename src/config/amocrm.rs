//! The amoCRM account.

use super::reader::{Reader, web_url};
use crate::amocrm::{AmoCrmAuth, AmoCrmSettings, BaseUrl, Mapping, OAuthApp, Timeouts};

const OAUTH: [&str; 4] =
    ["AMOCRM_CLIENT_ID", "AMOCRM_CLIENT_SECRET", "AMOCRM_REDIRECT_URI", "AMOCRM_REFRESH_TOKEN"];

/// Routes of the service itself, which the consent's callback must leave alone.
const OWN_ROUTES: [&str; 5] =
    ["/api/inngest", "/api/amocrm-webhook", "/oauth/start", "/oauth/disabled", "/healthz"];

pub(super) fn read(reader: &mut Reader<'_>, account_id: Option<u64>) -> Option<AmoCrmSettings> {
    let client_id = reader.text("AMOCRM_CLIENT_ID");
    let client_secret = reader.secret("AMOCRM_CLIENT_SECRET");
    let redirect_uri = reader.parsed("AMOCRM_REDIRECT_URI", redirect_uri);
    let refresh_token = reader.secret("AMOCRM_REFRESH_TOKEN");
    let token = reader.secret("AMOCRM_ACCESS_TOKEN");
    let from_subdomain = reader.parsed("AMOCRM_SUBDOMAIN", subdomain);
    let base_url = reader.parsed("AMOCRM_BASE_URL", base_url).or(from_subdomain);

    let others = ["AMOCRM_ACCESS_TOKEN", "AMOCRM_SUBDOMAIN", "AMOCRM_BASE_URL"];
    let set = OAUTH.into_iter().chain(others).find(|variable| reader.is_set(variable))?;

    let auth = if let Some(token) = token {
        if OAUTH.iter().any(|variable| reader.is_set(variable)) {
            reader.warn("AMOCRM_ACCESS_TOKEN", "is used, and the OAuth variables are not");
        }
        Some(AmoCrmAuth::LongLived { token })
    } else if reader.is_set("AMOCRM_ACCESS_TOKEN") {
        None
    } else {
        let why = format!(
            "{set} is, and they belong together: set AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET and AMOCRM_REDIRECT_URI, or \
             AMOCRM_ACCESS_TOKEN alone, or remove all of them"
        );
        let client_id = reader.required("AMOCRM_CLIENT_ID", client_id, &why);
        let client_secret = reader.required("AMOCRM_CLIENT_SECRET", client_secret, &why);
        let redirect_uri = reader.required("AMOCRM_REDIRECT_URI", redirect_uri, &why);
        client_id.zip(client_secret).zip(redirect_uri).map(
            |((client_id, client_secret), redirect_uri)| {
                AmoCrmAuth::OAuth(OAuthApp {
                    client_id,
                    client_secret,
                    redirect_uri,
                    first_refresh_token: refresh_token,
                })
            },
        )
    };
    if base_url.is_none() && !reader.is_set("AMOCRM_BASE_URL") {
        let why =
            "set it to the first part of the account's address, or AMOCRM_BASE_URL to all of it";
        reader.required("AMOCRM_SUBDOMAIN", None::<()>, why);
    }
    Some(AmoCrmSettings {
        base_url: base_url?,
        auth: auth?,
        account_id,
        mapping: Mapping::default(),
        timeouts: Timeouts::default(),
    })
}

fn subdomain(text: &str) -> Result<BaseUrl, String> {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if !(1..=63).contains(&bytes.len())
        || !word(bytes[0])
        || !bytes.iter().all(|byte| word(*byte) || *byte == b'-')
    {
        return Err(format!(
            "{text:?} is no subdomain; write `example` for https://example.amocrm.ru"
        ));
    }
    base_url(&format!("https://{text}.amocrm.ru"))
}

fn base_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::new(web_url(text)?).map_err(|error| error.to_string())
}

fn redirect_uri(text: &str) -> Result<String, String> {
    let url = web_url(text)?;
    let path = url.path();
    if OWN_ROUTES.contains(&path.trim_end_matches('/')) || path == "/" {
        return Err(format!(
            "{path} belongs to another page of this service; write …/oauth/callback"
        ));
    }
    // The router would read these as patterns.
    if path.contains("/:") || path.contains("/*") {
        return Err(format!("{path} has a part that begins with : or *; choose another"));
    }
    Ok(text.to_owned())
}
