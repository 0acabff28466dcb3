//! The pages of a consent: the way to amoCRM and back, and amoCRM's notice that the integration was switched off.

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

use super::api::{AmoCrmClient, ApiError};
use super::auth::{
    ConsentError, TokenError, begin_consent, consent_link, is_our_account, is_signed,
    redeem_consent,
};
use super::port::AmoCrmPort;
use super::settings::{AmoCrmAuth, OAuthApp};
use crate::clock::SharedClock;
use crate::db::Db;
use crate::http::{Client, RateLimit, page};
use crate::logging::Tally;

/// Requests of one client for one page that are answered in a minute.
const PER_MINUTE: u32 = 20;

/// What the pages need. Made only where amoCRM is used with OAuth.
struct Pages {
    client: AmoCrmClient,
    app: OAuthApp,
    db: Db,
    clock: SharedClock,
    starts: RateLimit,
    callbacks: RateLimit,
    notices: RateLimit,
    refusals: Tally,
}

/// The routes of a consent. Without OAuth they say what is missing.
pub(crate) fn oauth_router(amocrm: &AmoCrmPort, db: Db, clock: SharedClock) -> Router {
    let oauth = match amocrm {
        AmoCrmPort::Configured(client) => match &client.settings().auth {
            AmoCrmAuth::OAuth(app) => Some((client.clone(), app.clone())),
            AmoCrmAuth::LongLived { .. } => None,
        },
        AmoCrmPort::Missing(_) => None,
    };
    let Some((client, app)) = oauth else {
        return Router::new()
            .route("/oauth/start", get(not_configured))
            .route("/oauth/callback", get(not_configured));
    };
    // Configuration has made sure that it is an address, and none of another page.
    let callback = app.redirect_uri.parse::<Url>();
    let callback = callback.map_or_else(|_| "/oauth/callback".to_owned(), |url| url.path().into());
    let [starts, callbacks, notices] = [(); 3].map(|()| RateLimit::new(PER_MINUTE));
    let refusals = Tally::default();
    let pages = Pages { client, app, db, clock, starts, callbacks, notices, refusals };
    Router::new()
        .route("/oauth/start", get(start))
        .route(&callback, get(finish))
        .route("/oauth/disabled", get(disabled))
        .with_state(Arc::new(pages))
}

async fn not_configured() -> Response {
    let text = "Set AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET, AMOCRM_REDIRECT_URI and AMOCRM_SUBDOMAIN, \
                then restart. A long-lived token needs no consent.";
    page(StatusCode::NOT_FOUND, "amoCRM is not used with OAuth here", text)
}

/// Sends the browser to amoCRM, with a state that only this consent can come back with.
async fn start(State(pages): State<Arc<Pages>>, Client(client): Client) -> Response {
    let now = pages.clock.now();
    if !pages.starts.admits(client, now) {
        return too_many();
    }
    match begin_consent(&pages.db, now).await {
        Ok(state) => {
            let base = &pages.client.settings().base_url;
            let link = consent_link(base, &pages.app.client_id, &state);
            let mut answer = page(StatusCode::SEE_OTHER, "To amoCRM", "Give your consent there.");
            if let Ok(link) = HeaderValue::from_str(link.as_str()) {
                answer.headers_mut().insert(LOCATION, link);
            }
            answer
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a consent could not be begun");
            database_failed()
        }
    }
}

/// The browser comes back. Everything in the address may be made up, until the state is redeemed; the
/// host in it is never called, only compared.
async fn finish(
    State(pages): State<Arc<Pages>>,
    Client(client): Client,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let get = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let now = pages.clock.now();
    if !pages.callbacks.admits(client, now) {
        return too_many();
    }
    // amoCRM also calls without a state when a widget was installed (`from_widget`): no consent was begun here then.
    let Some(state) = get("state") else {
        return pages.refuse("the address has no state");
    };
    match redeem_consent(&pages.db, state, now).await {
        Ok(true) => {}
        Ok(false) => {
            return pages.refuse("its state is unknown, was used before or has expired");
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a consent's state could not be checked");
            return database_failed();
        }
    }
    if get("error").is_some() {
        let text = "Nothing was changed. Open /oauth/start to begin again.";
        return page(StatusCode::FORBIDDEN, "amoCRM was not given access", text);
    }
    if get("client_id").is_some_and(|id| id != pages.app.client_id) {
        return pages.refuse("it is for another integration than AMOCRM_CLIENT_ID names");
    }
    let base = &pages.client.settings().base_url;
    if !get("referer").is_some_and(|referer| is_our_account(base, referer)) {
        return pages.refuse(
            "it comes from another amoCRM account than the one in AMOCRM_SUBDOMAIN or AMOCRM_BASE_URL",
        );
    }
    let Some(code) = get("code") else { return pages.refuse("the address has no code") };
    match pages.client.auth().redeem_code(SecretString::from(code)).await {
        Ok(_) => {
            tracing::info!("amoCRM is connected: a consent was exchanged for tokens");
            let text = "You can close this page. Deals that waited go on by themselves.";
            page(StatusCode::OK, "amoCRM is connected", text)
        }
        Err(error) => {
            tracing::warn!("{error}");
            let (status, title) = match error {
                ConsentError::NotExchanged(_) => {
                    (StatusCode::BAD_GATEWAY, "amoCRM is not connected")
                }
                ConsentError::NotStored { .. } => {
                    (StatusCode::SERVICE_UNAVAILABLE, "amoCRM is not connected yet")
                }
            };
            page(status, title, &format!("{error}: open /oauth/start."))
        }
    }
}

/// amoCRM says that the integration was switched off. Signed, but without a time, so it is only a reason to check.
async fn disabled(
    State(pages): State<Arc<Pages>>,
    Client(client): Client,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    // Both names of the id are documented.
    let client_id = query.get("client_uuid").map_or_else(|| get("client_id"), String::as_str);
    let (app, account_id) = (&pages.app, get("account_id"));
    let ours = client_id == app.client_id
        && is_signed(&app.client_secret, client_id, account_id, get("signature"))
        && pages.client.settings().account_id.is_none_or(|id| id.to_string() == account_id);
    if !ours {
        return page(StatusCode::UNAUTHORIZED, "Not accepted", "The signature is not amoCRM's.");
    }
    if !pages.notices.admits(client, pages.clock.now()) {
        return too_many();
    }
    // A call is what marks the tokens as dead, where they are.
    match pages.client.account().await {
        Ok(_) => page(StatusCode::OK, "Noted", "The integration still works; nothing was changed."),
        Err(
            error @ (ApiError::Unauthorized(_) | ApiError::Token(TokenError::NeedsReauth { .. })),
        ) => {
            tracing::error!(%error, "the integration was switched off in amoCRM: deals wait for a new consent");
            page(StatusCode::OK, "Noted", "Deals wait until the integration is connected again.")
        }
        Err(error) => {
            tracing::warn!(%error, "amoCRM says that the integration was switched off; this could not be confirmed");
            let text = "amoCRM did not confirm that the integration was switched off. Try again.";
            page(StatusCode::SERVICE_UNAVAILABLE, "Not confirmed", text)
        }
    }
}

impl Pages {
    /// A page for a consent that was not accepted. Its reason is logged once a minute, because any client can cause it.
    fn refuse(&self, reason: &str) -> Response {
        if let Some(times) = self.refusals.count(self.clock.now()) {
            tracing::warn!(reason, times, "a consent was refused");
        }
        let text =
            format!("This consent was not accepted: {reason}. Open /oauth/start to begin again.");
        page(StatusCode::BAD_REQUEST, "Not accepted", &text)
    }
}

fn too_many() -> Response {
    page(StatusCode::TOO_MANY_REQUESTS, "Too many requests", "Try again in a minute.")
}

fn database_failed() -> Response {
    let text = "The database of this service failed. Open /oauth/start to try again; where that does not help, the \
                service's log has the reason.";
    page(StatusCode::SERVICE_UNAVAILABLE, "The consent could not be stored", text)
}
