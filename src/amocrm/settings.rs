use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::mapping::Mapping;
use crate::net::stays_here;

/// Which account, and how calls of it are authorised. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub(crate) struct AmoCrmSettings {
    /// `AMOCRM_BASE_URL`: the one host that tokens are sent to.
    pub base_url: BaseUrl,
    /// How calls are authorised.
    pub auth: AmoCrmAuth,
    /// `AMOCRM_ACCOUNT_ID`: leads of another account are refused.
    pub account_id: Option<u64>,
    /// What of a lead goes into its record, besides name and amount.
    pub mapping: Mapping,
    /// How long calls may take.
    pub timeouts: Timeouts,
}

/// How calls of the API are authorised.
#[derive(Debug, Clone)]
pub(crate) enum AmoCrmAuth {
    /// An OAuth token pair that renews itself.
    OAuth(OAuthApp),
    /// `AMOCRM_ACCESS_TOKEN`: a long-lived token, which nothing can renew.
    LongLived {
        /// The token.
        token: SecretString,
    },
}

/// The integration, as amoCRM knows it.
#[derive(Debug, Clone)]
pub(crate) struct OAuthApp {
    /// `AMOCRM_CLIENT_ID`.
    pub client_id: String,
    /// `AMOCRM_CLIENT_SECRET`.
    pub client_secret: SecretString,
    /// `AMOCRM_REDIRECT_URI`, byte for byte as registered; so it is kept as text.
    pub redirect_uri: String,
    /// `AMOCRM_REFRESH_TOKEN`: exchanged for the first pair. Once a pair is stored it is not used again.
    pub first_refresh_token: Option<SecretString>,
}

/// How long calls may take. The default is for everything but tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// One call of the API.
    pub api: Duration,
    /// One exchange of tokens.
    pub oauth: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { api: Duration::from_secs(20), oauth: Duration::from_secs(15) }
    }
}

/// The address of an amoCRM account: https, or plain http on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(Url);

/// Why an address cannot be amoCRM's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBaseUrl {
    /// Tokens would travel in the clear.
    #[error("must start with https:// (plain http is for this machine only)")]
    NotHttps,
    /// Credentials, a path, a query or a fragment.
    #[error("must be a scheme and a host only, like https://example.amocrm.ru")]
    MoreThanAHost,
}

impl BaseUrl {
    /// Checks that tokens can be sent to `url`.
    pub(crate) fn new(url: Url) -> Result<Self, InvalidBaseUrl> {
        if url.scheme() != "https" && !(url.scheme() == "http" && stays_here(&url)) {
            return Err(InvalidBaseUrl::NotHttps);
        }
        let credentials = !url.username().is_empty() || url.password().is_some();
        if credentials || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::MoreThanAHost);
        }
        Ok(Self(url))
    }

    /// The address as given.
    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether it is a stand-in on this machine rather than amoCRM.
    pub(crate) fn is_local(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The host as a consent's `referer` names it: with the port, where that is not the usual one.
    pub(crate) fn authority(&self) -> &str {
        self.0.authority()
    }

    /// The host, without its port.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address of `path` on this host. Whatever `path` says, the host stays.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, InvalidBaseUrl};

    #[test]
    fn tokens_go_to_a_host_over_tls_or_stay_on_this_machine() {
        let check = |url: &str| BaseUrl::new(url.parse().unwrap()).map(drop);
        for good in
            ["https://example.amocrm.ru", "https://example.kommo.com/", "http://localhost:1"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check("http://127.0.0.1:8080"), Ok(()));
        assert_eq!(check("http://[::1]:8080"), Ok(()));
        for bad in ["http://example.amocrm.ru", "http://127.0.0.1.example.com", "ftp://localhost"] {
            assert_eq!(check(bad), Err(InvalidBaseUrl::NotHttps), "{bad}");
        }
        for bad in
            ["https://u:p@example.amocrm.ru", "https://a.amocrm.ru/x", "https://a.amocrm.ru?x"]
        {
            assert_eq!(check(bad), Err(InvalidBaseUrl::MoreThanAHost), "{bad}");
        }
    }

    #[test]
    fn a_path_cannot_leave_the_host() {
        let base = BaseUrl::new("https://example.amocrm.ru".parse().unwrap()).unwrap();
        for path in ["//evil.example/x", "/\\evil.example", "https://evil.example", "/../../x?y#z"]
        {
            assert_eq!(base.at(path).host_str(), Some("example.amocrm.ru"), "{path}");
        }
    }
}
