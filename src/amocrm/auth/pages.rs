//! Consent: the way to amoCRM and back, and amoCRM's word that the integration was switched off.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use secrecy::SecretString;
use url::Url;

use crate::amocrm::{
    AmoCrmAuth, AmoCrmClient, ApiError, OAuthApp, TokenError, consent_link, is_our_account,
    is_signed,
};
use crate::clock::SharedClock;
use crate::db::Db;
use crate::http::{Client, RateLimit, page};
use crate::logging::Tally;

/// Consents, and hooks, of one client that are looked at in a minute.
const PER_MINUTE: u32 = 20;

/// What the pages of a consent need. Made only where amoCRM is used with OAuth.
pub struct Consent {
    client: AmoCrmClient<Db>,
    app: OAuthApp,
    store: Db,
    clock: SharedClock,
    starts: RateLimit,
    callbacks: RateLimit,
    hooks: RateLimit,
    refusals: Tally,
}

impl Consent {
    /// The pages for `client`'s integration; `None` for a long-lived token, which needs no consent.
    pub fn new(client: AmoCrmClient<Db>, store: Db, clock: SharedClock) -> Option<Self> {
        let AmoCrmAuth::OAuth(app) = &client.settings().auth else { return None };
        let app = app.clone();
        let [starts, callbacks, hooks] = [(); 3].map(|()| RateLimit::new(PER_MINUTE));
        let refusals = Tally::default();
        Some(Self { client, app, store, clock, starts, callbacks, hooks, refusals })
    }

    /// A page for a consent that was not accepted. Its reason is in the log once a minute, for strangers can get it too.
    fn refused(&self, reason: &str) -> Response {
        if let Some(times) = self.refusals.count(self.clock.now()) {
            tracing::warn!(reason, times, "a consent was refused");
        }
        let text =
            format!("This consent was not accepted: {reason}. Open /oauth/start to begin again.");
        page(StatusCode::BAD_REQUEST, "Not accepted", &text)
    }
}

/// The routes of a consent. Without `consent` they say what is missing.
pub fn oauth_router(consent: Option<Consent>) -> Router {
    let Some(consent) = consent else {
        return Router::new()
            .route("/oauth/start", get(not_configured))
            .route("/oauth/callback", get(not_configured));
    };
    // Configuration has made sure that it is an address, and none of another page.
    let callback = consent.app.redirect_uri.parse::<Url>();
    let callback = callback.map_or_else(|_| "/oauth/callback".to_owned(), |url| url.path().into());
    Router::new()
        .route("/oauth/start", get(start))
        .route(&callback, get(redeem))
        .route("/oauth/disabled", get(disabled))
        .with_state(Arc::new(consent))
}

async fn not_configured() -> Response {
    let text = "Set AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET, AMOCRM_REDIRECT_URI and AMOCRM_SUBDOMAIN, \
                then restart. A long-lived token needs no consent.";
    page(StatusCode::NOT_FOUND, "amoCRM is not used with OAuth here", text)
}

/// Sends the browser to amoCRM, with a state that only this consent can come back with.
async fn start(State(consent): State<Arc<Consent>>, Client(client): Client) -> Response {
    if !consent.starts.admits(client, consent.clock.now()) {
        return too_many();
    }
    match consent.store.begin_consent().await {
        Ok(state) => {
            let base = &consent.client.settings().base_url;
            let link = consent_link(base, &consent.app.client_id, &state);
            let mut answer = page(StatusCode::SEE_OTHER, "To amoCRM", "Give your consent there.");
            if let Ok(link) = HeaderValue::from_str(link.as_str()) {
                answer.headers_mut().insert(LOCATION, link);
            }
            answer
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a consent could not be begun");
            unavailable()
        }
    }
}

/// The browser comes back. Everything in the address may be made up, until the state is redeemed; the
/// host in it is never called, only compared.
async fn redeem(
    State(consent): State<Arc<Consent>>,
    Client(client): Client,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let get = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if !consent.callbacks.admits(client, consent.clock.now()) {
        return too_many();
    }
    // amoCRM also calls without a state when a widget was installed (`from_widget`): no consent was begun here then.
    let Some(state) = get("state") else {
        return consent.refused("the address has no state");
    };
    match consent.store.redeem_consent(state).await {
        Ok(true) => {}
        Ok(false) => return consent.refused("its state is unknown, was used before or is too old"),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a consent could not be looked up");
            return unavailable();
        }
    }
    if get("error").is_some() {
        let text = "Nothing was changed. Open /oauth/start to begin again.";
        return page(StatusCode::FORBIDDEN, "amoCRM was not given access", text);
    }
    if get("client_id").is_some_and(|id| id != consent.app.client_id) {
        return consent.refused("it is for another integration");
    }
    let base = &consent.client.settings().base_url;
    if !get("referer").is_some_and(|referer| is_our_account(base, referer)) {
        return consent.refused(
            "it comes from another amoCRM account than the one in AMOCRM_SUBDOMAIN or AMOCRM_BASE_URL",
        );
    }
    let Some(code) = get("code") else { return consent.refused("the address has no code") };
    match consent.client.adopt_code(SecretString::from(code)).await {
        Ok(_) => {
            tracing::info!("amoCRM was authorised by a consent");
            let text = "You can close this page. Deals that waited go on by themselves.";
            page(StatusCode::OK, "amoCRM is connected", text)
        }
        Err(error) => {
            tracing::warn!(%error, "a consent was not exchanged for tokens");
            page(StatusCode::BAD_GATEWAY, "amoCRM is not connected", &error.to_string())
        }
    }
}

/// amoCRM says that the integration was switched off. Signed, but without a time, so it is only a reason to look.
async fn disabled(
    State(consent): State<Arc<Consent>>,
    Client(client): Client,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    // Both names of the id are documented.
    let client_id = query.get("client_uuid").map_or_else(|| get("client_id"), String::as_str);
    let (app, account_id) = (&consent.app, get("account_id"));
    let ours = client_id == app.client_id
        && is_signed(&app.client_secret, client_id, account_id, get("signature"))
        && consent.client.settings().account_id.is_none_or(|id| id.to_string() == account_id);
    if !ours {
        return page(StatusCode::UNAUTHORIZED, "Not accepted", "The signature is not amoCRM's.");
    }
    if !consent.hooks.admits(client, consent.clock.now()) {
        return too_many();
    }
    // Asking is what marks the tokens as dead, where they are.
    match consent.client.account().await {
        Ok(_) => page(StatusCode::OK, "Noted", "The integration still works; nothing was changed."),
        Err(
            error @ (ApiError::Unauthorized(_) | ApiError::Token(TokenError::NeedsReauth { .. })),
        ) => {
            tracing::error!(%error, "the integration was switched off in amoCRM: deals wait for a new consent");
            page(StatusCode::OK, "Noted", "Deals wait until the integration is connected again.")
        }
        Err(error) => {
            tracing::warn!(%error, "amoCRM says that the integration was switched off; this could not be confirmed");
            unavailable()
        }
    }
}

fn too_many() -> Response {
    page(StatusCode::TOO_MANY_REQUESTS, "Too many requests", "Try again in a minute.")
}

fn unavailable() -> Response {
    page(StatusCode::SERVICE_UNAVAILABLE, "Not now", "Something did not answer. Try again.")
}
