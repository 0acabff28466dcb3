//! An amoCRM account: the token endpoint and the parts of API v4 that the service uses.

mod answers;
mod api;
mod consent;
mod entities;
mod events;
mod failure;
mod oauth;
mod rename;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use events::webhook_of;
pub use failure::AmoCrmFailure;
use failure::{Timing, timing};

use super::server::{RecordedRequest, lock, serve};

/// The default stage of a lead: pipeline and status.
const STAGE: (u64, u64) = (9_679_730, 77_186_758);

/// How the fake amoCRM is set up. The default is what the demo uses.
#[derive(Debug, Clone)]
pub struct FakeAmoCrmSettings {
    /// The integration's id.
    pub client_id: String,
    /// The integration's secret.
    pub client_secret: String,
    /// The integration's redirect URI; must be repeated byte for byte.
    pub redirect_uri: String,
    /// A refresh token that can be used, once.
    pub refresh_token: String,
    /// The account's id.
    pub account_id: u64,
    /// The account's subdomain.
    pub subdomain: String,
    /// How long an access token is said to live, in seconds.
    pub expires_in: u64,
    /// The tokens are those of an administrator, who may look at webhooks.
    pub is_admin: bool,
    /// Access tokens are JWTs that name the account and this host, where its address can be asked for.
    pub api_domain: Option<String>,
    /// The host under which the account is found, and no other.
    pub domain: Option<String>,
}

impl Default for FakeAmoCrmSettings {
    fn default() -> Self {
        Self {
            client_id: "fake-amocrm-client".to_owned(),
            client_secret: "fake-amocrm-secret".to_owned(),
            redirect_uri: "http://127.0.0.1:3000/oauth/callback".to_owned(),
            refresh_token: "fake-refresh-token-0".to_owned(),
            account_id: 32_452_514,
            subdomain: "oooprometei".to_owned(),
            expires_in: 86_400,
            is_admin: true,
            api_domain: None,
            domain: None,
        }
    }
}

/// A running fake amoCRM. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct FakeAmoCrm {
    url: Url,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    settings: FakeAmoCrmSettings,
    leads: BTreeMap<u64, Value>,
    bin: BTreeMap<u64, Value>,
    entities: BTreeMap<(&'static str, u64), Value>,
    refused_leads: BTreeMap<u64, u16>,
    webhooks: BTreeMap<String, Value>,
    events: events::Events,
    access_tokens: BTreeSet<String>,
    refresh_tokens: BTreeSet<String>,
    codes: BTreeSet<String>,
    spent: BTreeSet<String>,
    spent_twice: usize,
    issued: usize,
    requests: Vec<RecordedRequest>,
    api_failures: VecDeque<AmoCrmFailure>,
    exchange_failures: VecDeque<AmoCrmFailure>,
    stop: CancellationToken,
}

impl FakeAmoCrm {
    /// Serves an amoCRM account on `listener` until `stop`.
    pub fn start(
        listener: TcpListener,
        stop: CancellationToken,
        settings: FakeAmoCrmSettings,
    ) -> io::Result<Self> {
        let url = Url::parse(&format!("http://{}/", listener.local_addr()?));
        let (amocrm, app) =
            Self::without_listener(url.map_err(io::Error::other)?, stop.clone(), settings);
        serve(listener, app, stop)?;
        Ok(amocrm)
    }

    /// An account that would be at `url`, and what answers the requests to it.
    pub fn without_listener(
        url: Url,
        stop: CancellationToken,
        settings: FakeAmoCrmSettings,
    ) -> (Self, Router) {
        let state = Arc::new(Mutex::new(State {
            leads: BTreeMap::new(),
            bin: BTreeMap::new(),
            entities: BTreeMap::new(),
            refused_leads: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            events: events::Events::default(),
            access_tokens: BTreeSet::new(),
            refresh_tokens: BTreeSet::from([settings.refresh_token.clone()]),
            codes: BTreeSet::new(),
            spent: BTreeSet::new(),
            spent_twice: 0,
            issued: 0,
            requests: Vec::new(),
            api_failures: VecDeque::new(),
            exchange_failures: VecDeque::new(),
            stop,
            settings,
        }));
        let app = Router::new().fallback({
            let state = Arc::clone(&state);
            move |method, uri, headers, body| respond(state, method, uri, headers, body)
        });
        (Self { url, state }, app)
    }

    /// The account's address, for `AMOCRM_BASE_URL`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The account has this lead.
    pub fn set_lead<'a>(&self, id: u64, name: impl Into<Option<&'a str>>, price: i64) {
        let account_id = lock(&self.state).settings.account_id;
        self.set_lead_json(
            id,
            json!({
                "id": id, "name": name.into(), "price": price, "price_with_minor_units": price,
                "responsible_user_id": 504_141, "status_id": STAGE.1, "pipeline_id": STAGE.0,
                "created_at": 1_585_299_171, "is_deleted": false, "custom_fields_values": null,
                "account_id": account_id, "_embedded": {"tags": [], "companies": [], "contacts": []},
            }),
        );
    }

    /// Asked for lead `id`, the account answers `lead`.
    pub fn set_lead_json(&self, id: u64, lead: Value) {
        lock(&self.state).leads.insert(id, lead);
    }

    /// The account has no such lead (any more).
    pub fn remove_lead(&self, id: u64) {
        lock(&self.state).leads.remove(&id);
    }

    /// The lead is in the bin, where only a question for deleted leads finds it.
    pub fn delete_lead(&self, id: u64) {
        let mut state = lock(&self.state);
        if let Some(lead) = state.leads.remove(&id) {
            state.bin.insert(id, lead);
        }
    }

    /// The lead is taken out of the bin.
    pub fn restore_lead(&self, id: u64) {
        let mut state = lock(&self.state);
        if let Some(lead) = state.bin.remove(&id) {
            state.leads.insert(id, lead);
        }
    }

    /// From now on, asked for lead `id`, the account answers with this HTTP status.
    pub fn refuse_lead(&self, id: u64, status: u16) {
        lock(&self.state).refused_leads.insert(id, status);
    }

    /// The account has this webhook.
    pub fn set_webhook(&self, destination: &str, settings: &[&str], disabled: bool) {
        let mut state = lock(&self.state);
        let webhook = api::webhook(&state, destination, &json!(settings), disabled);
        state.webhooks.insert(destination.to_owned(), webhook);
    }

    /// The addresses of the account's webhooks that are switched on.
    pub fn webhooks(&self) -> Vec<String> {
        let state = lock(&self.state);
        let on = state.webhooks.iter().filter(|(_, webhook)| webhook["disabled"] == false);
        on.map(|(destination, _)| destination.clone()).collect()
    }

    /// Adds an event of a lead to the event feed. A `stage` is (pipeline, status).
    pub fn add_event(&self, kind: &str, lead_id: u64, at: i64, stage: Option<(u64, u64)>) {
        lock(&self.state).events.push(kind, lead_id, at, stage);
    }

    /// Adds an entry to the event feed as it stands, however odd.
    pub fn add_feed_entry(&self, entry: Value) {
        lock(&self.state).events.push_entry(entry);
    }

    /// No page of the event feed names the next one, however full it is.
    pub fn hide_next_pages(&self) {
        lock(&self.state).events.hides_next = true;
    }

    /// The event feed answers HTTP 400 to a filter by stage.
    pub fn refuse_stage_filter(&self) {
        lock(&self.state).events.refuses_stages = true;
    }

    /// The event feed silently ignores every filter, as the real one does with some.
    pub fn ignore_event_filters(&self) {
        lock(&self.state).events.ignores_filters = true;
    }

    /// A new authorization code, as a consent gives it. It can be spent once.
    pub fn issue_code(&self) -> String {
        let mut state = lock(&self.state);
        let code = state.new_token("code");
        state.codes.insert(code.clone());
        code
    }

    /// A refresh token of a pair that was issued elsewhere. It can be spent once.
    pub fn issue_refresh_token(&self) -> String {
        let mut state = lock(&self.state);
        let token = state.new_token("refresh");
        state.refresh_tokens.insert(token.clone());
        token
    }

    /// A long-lived token that says it ends at `expires_at`, Unix seconds.
    pub fn issue_long_lived_token(&self, expires_at: i64) -> String {
        let mut state = lock(&self.state);
        let token = oauth::long_lived_token(&state.new_token("long"), expires_at);
        state.access_tokens.insert(token.clone());
        token
    }

    /// All access tokens issued so far end now.
    pub fn expire_tokens(&self) {
        lock(&self.state).access_tokens.clear();
    }

    /// The integration is disconnected: no token is valid any more.
    pub fn revoke(&self) {
        let mut state = lock(&self.state);
        state.access_tokens.clear();
        let revoked = std::mem::take(&mut state.refresh_tokens);
        state.spent.extend(revoked);
    }

    /// The next `times` calls of the API fail like this, after those already scheduled.
    pub fn fail_next(&self, times: usize, failure: AmoCrmFailure) {
        lock(&self.state).api_failures.extend(std::iter::repeat_n(failure, times));
    }

    /// The next `times` calls of the token endpoint fail like this, after those already scheduled.
    pub fn fail_next_exchange(&self, times: usize, failure: AmoCrmFailure) {
        lock(&self.state).exchange_failures.extend(std::iter::repeat_n(failure, times));
    }

    /// Forgets the failures that are still scheduled.
    pub fn recover(&self) {
        let mut state = lock(&self.state);
        state.api_failures.clear();
        state.exchange_failures.clear();
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.state).requests.clone()
    }

    /// How many requests the token endpoint got.
    pub fn exchanges(&self) -> usize {
        self.requests().iter().filter(|sent| sent.uri.path() == oauth::PATH).count()
    }

    /// How many requests the API got.
    pub fn api_calls(&self) -> usize {
        self.requests().iter().filter(|sent| sent.uri.path() != oauth::PATH).count()
    }

    /// How often a refresh token was used that had been used before.
    pub fn refresh_tokens_spent_twice(&self) -> usize {
        lock(&self.state).spent_twice
    }

    /// Changes the set-up of the running account.
    pub fn configure(&self, change: impl FnOnce(&mut FakeAmoCrmSettings)) {
        change(&mut lock(&self.state).settings);
    }
}

impl State {
    /// A new token.
    fn new_token(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("fake-{kind}-token-{}", self.issued)
    }
}

async fn respond(
    state: Arc<Mutex<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (timing, stop) = {
        let mut state = lock(&state);
        let request = RecordedRequest { method, uri, headers, body };
        let timing = if request.uri.path() == oauth::PATH && !rename::is_elsewhere(&state, &request)
        {
            let failure = state.exchange_failures.pop_front();
            let altered = match &failure {
                Some(AmoCrmFailure::Altered(members)) => members.clone(),
                _ => Value::Null,
            };
            timing(failure, || oauth::exchange(&mut state, &request.body, &altered))
        } else if let Some(answer) = rename::answer(&state, &request) {
            Timing::Now(answer)
        } else if request.uri.path() == consent::PATH {
            timing(None, || consent::consent(&mut state, &request.uri, request.header("host")))
        } else {
            let failure = state.api_failures.pop_front();
            timing(failure, || api::answer(&mut state, &request))
        };
        state.requests.push(request);
        (timing, state.stop.clone())
    };
    match timing {
        Timing::Now(answer) => answer,
        Timing::Late(answer, delay) => {
            tokio::time::sleep(delay).await;
            answer
        }
        Timing::Never => {
            stop.cancelled().await;
            Response::default()
        }
    }
}
