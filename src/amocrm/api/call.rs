use http::Method;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::amocrm::settings::BaseUrl;

/// One call of the API, without its token. Every call must be safe to repeat.
pub(super) struct ApiCall<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    /// What amoCRM may quote in its answer and no log may show.
    pub(super) hidden: Vec<SecretString>,
    /// The path names one thing, which may not be there.
    pub(super) may_be_absent: bool,
    /// Not every token may make it: a refusal says nothing about other calls.
    pub(super) needs_rights: bool,
}

impl<'a> ApiCall<'a> {
    /// Reads `path`.
    pub(super) fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            query: Vec::new(),
            body: None,
            hidden: Vec::new(),
            may_be_absent: false,
            needs_rights: false,
        }
    }

    /// Reads the one thing at `path`, where it is there.
    pub(super) fn look_for(path: &'a str) -> Self {
        Self { may_be_absent: true, ..Self::get(path) }
    }

    /// Changes something by sending `body`.
    pub(super) fn sending(method: Method, path: &'a str, body: Value) -> Self {
        Self { method, body: Some(body), ..Self::get(path) }
    }

    /// With these parameters.
    pub(super) fn query(self, query: Vec<(String, String)>) -> Self {
        Self { query, ..self }
    }

    /// Hides the values in the query of `address`, however they are written there.
    pub(super) fn hiding(mut self, address: &str) -> Self {
        if let Ok(url) = Url::parse(address) {
            self.hidden.extend(url.query_pairs().map(|(_, value)| value.into_owned().into()));
        }
        self
    }

    /// For users with the rights to it only.
    pub(super) fn needing_rights(self) -> Self {
        Self { needs_rights: true, ..self }
    }

    /// What it is about, in the metrics: `leads` of `/api/v4/leads/7`.
    pub(super) fn name(&self) -> String {
        let about = self.path.split(['/', '?']).filter(|part| !part.is_empty()).nth(2);
        about.unwrap_or("other").to_owned()
    }

    /// Its address at `base`.
    pub(super) fn url(&self, base: &BaseUrl) -> Url {
        let mut url = base.at(self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}
