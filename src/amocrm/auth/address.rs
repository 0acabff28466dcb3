//! Where the account is. Its owner may rename it, and then the configured address leads nowhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::consent::is_account_host;
use super::jwt;
use crate::amocrm::settings::{AmoCrmSettings, BaseUrl};
use crate::outbound::{self, Limits, Outbound};

const LONGEST_ANSWER: usize = 16 * 1024;

/// The account's address: the configured one until it turns out to have moved. Clones share it.
#[derive(Clone)]
pub(super) struct Address {
    current: Arc<Mutex<BaseUrl>>,
    account_id: Option<u64>,
    timeout: Duration,
    outbound: Outbound,
}

/// What amoCRM says of the account that a refresh token belongs to.
#[derive(Deserialize)]
struct Place {
    id: u64,
    domain: String,
}

impl Address {
    pub(super) fn new(settings: &AmoCrmSettings, outbound: Outbound) -> Self {
        let current = Arc::new(Mutex::new(settings.base_url.clone()));
        let timeout = settings.timeouts.oauth;
        Self { current, account_id: settings.account_id, timeout, outbound }
    }

    /// Where calls go.
    pub(super) fn current(&self) -> BaseUrl {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an access token may be of our account, as far as it says. Tokens of another one, from a consent that
    /// was given elsewhere, must not replace good ones.
    pub(super) fn is_of_our_account(&self, access: &SecretString) -> bool {
        let claimed =
            jwt::claims(access.expose_secret()).and_then(|claims| claims["account_id"].as_u64());
        self.account_id.zip(claimed).is_none_or(|(ours, theirs)| ours == theirs)
    }

    /// Asks amoCRM for the account's new address, at the host that the last access token names. Returns whether there
    /// is one. The refresh token is shown and not spent.
    ///
    /// No answer is accepted but one that leads to an amoCRM account of the same id.
    pub(super) async fn look_up(&self, access: &SecretString, refresh: &SecretString) -> bool {
        match self.find(access, refresh).await.filter(|found| *found != self.current()) {
            Some(moved) => {
                tracing::warn!(
                    address = %moved.as_url(),
                    "the amoCRM account was renamed; correct AMOCRM_SUBDOMAIN or AMOCRM_BASE_URL"
                );
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = moved;
                true
            }
            None => false,
        }
    }

    /// Whether the account that these tokens are of is found where calls go, as far as amoCRM says so.
    pub(super) async fn is_home_of(&self, access: &SecretString, refresh: &SecretString) -> bool {
        self.find(access, refresh).await.is_some_and(|found| found == self.current())
    }

    async fn find(&self, access: &SecretString, refresh: &SecretString) -> Option<BaseUrl> {
        let claims = jwt::claims(access.expose_secret())?;
        let account = claims["account_id"].as_u64()?;
        let current = self.current();
        let api = host(claims["api_domain"].as_str()?, &current)?;
        let mut token = HeaderValue::from_str(refresh.expose_secret()).ok()?;
        token.set_sensitive(true);
        let request =
            self.outbound.request(Method::GET, api.at("/oauth2/account/current/subdomain"));
        let request = request.ok()?.header("x-refresh-token", token);
        let limits = Limits { timeout: self.timeout, body: LONGEST_ANSWER };
        let answer = outbound::send(request, limits).await.ok()?;
        if answer.status != StatusCode::OK {
            return None;
        }
        let place: Place = serde_json::from_slice(&answer.body).ok()?;
        let same = place.id == account && self.account_id.is_none_or(|ours| ours == place.id);
        host(&place.domain, &current).filter(|_| same)
    }
}

/// The address of an amoCRM host; of one on this machine where that is what is configured.
fn host(name: &str, configured: &BaseUrl) -> Option<BaseUrl> {
    let scheme = match configured.is_local() {
        true => "http",
        false if is_account_host(name) => "https",
        false => return None,
    };
    BaseUrl::new(Url::parse(&format!("{scheme}://{name}/")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, host};

    #[test]
    fn only_an_amocrm_host_is_accepted() {
        let base = |url: &str| BaseUrl::new(url.parse().unwrap()).unwrap();
        let real = base("https://example.amocrm.ru");
        assert_eq!(host("new.amocrm.ru", &real), Some(base("https://new.amocrm.ru")));
        assert_eq!(host("api-b.amocrm.ru", &real), Some(base("https://api-b.amocrm.ru")));
        for bad in ["evil.example", "new.amocrm.ru:81", "127.0.0.1", "a.amocrm.ru/x", "", "x@y"] {
            assert_eq!(host(bad, &real), None, "{bad}");
        }
        let local = base("http://127.0.0.1:81");
        assert_eq!(host("localhost:81", &local), Some(base("http://localhost:81")));
        assert_eq!(host("evil.example", &local), None);
    }
}
