//! Consent: a state works once and in time, a code is spent at our own account, and pages show no secret.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use http::Request;
use sandbox::AmoCrmFailure;
use tower::ServiceExt as _;
use url::Url;

use super::Account;
use crate::amocrm::api::AmoCrmClient;
use crate::amocrm::auth::TokenError;
use crate::amocrm::watch::HealthCheck;
use crate::amocrm::{AmoCrmPort, oauth_router};
use crate::metrics::Metrics;

/// The pages of a service that has no token yet.
struct Site {
    account: Account,
    client: AmoCrmClient,
    router: Router,
}

struct Page {
    status: u16,
    location: String,
    text: String,
}

impl Site {
    async fn new() -> Self {
        let account = Account::new().await.without_refresh_token();
        let client = account.client();
        let port = AmoCrmPort::Configured(client.clone());
        let router = oauth_router(&port, account.db.clone(), account.clock.clone());
        Self { account, client, router }
    }

    async fn get(&self, address: &str) -> Page {
        self.get_as("198.51.100.1", &[], address).await
    }

    /// As a client at the other end of the connection, with what proxies have written.
    async fn get_as(&self, peer: &str, forwarded_for: &[&str], address: &str) -> Page {
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        let mut request = Request::get(address).extension(ConnectInfo(peer));
        for addresses in forwarded_for {
            request = request.header("x-forwarded-for", *addresses);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let location = answer.headers().get("location");
        let location = location.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let body = to_bytes(answer.into_body(), 100_000).await.unwrap();
        Page { status, location, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Begins a consent and gives it at amoCRM: the address to which amoCRM sends the browser back.
    async fn consented(&self) -> Url {
        let start = self.get("/oauth/start").await;
        assert_eq!(start.status, 303);
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let answer = browser.build().unwrap().get(&start.location).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        answer.headers()["location"].to_str().unwrap().parse().unwrap()
    }

    async fn come_back(&self, address: &Url) -> Page {
        self.get(&format!("{}?{}", address.path(), address.query().unwrap())).await
    }
}

/// `address` with the parameter `name` set, or removed.
fn with(address: &Url, name: &str, value: Option<&str>) -> Url {
    let mut changed = address.clone();
    let kept = address.query_pairs().filter(|(key, _)| key != name);
    changed.query_pairs_mut().clear().extend_pairs(kept);
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}

#[tokio::test]
async fn a_consent_connects_amocrm() {
    let site = Site::new().await;
    let back = site.consented().await;
    let page = site.come_back(&back).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("amoCRM is connected"), "{}", page.text);
    assert_eq!(site.client.account().await.unwrap().id, 32_452_514);
    assert_eq!(site.account.amocrm.exchanges(), 1);
}

#[tokio::test]
async fn a_consent_that_cannot_be_stored_is_kept_and_the_page_says_so() {
    for stored_by in ["a call", "the health check", "the end of the process"] {
        let site = Site::new().await;
        let (account, client) = (&site.account, &site.client);
        // The pair before it still works: no call needs the new one.
        client.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap();
        let back = site.consented().await;
        let rename = async |statement| account.db.commit(sqlx::query(statement)).await.unwrap();
        rename("ALTER TABLE tokens RENAME TO elsewhere").await;
        let page = site.come_back(&back).await;
        assert_eq!(page.status, 503, "{}", page.text);
        for says in ["amoCRM is not connected yet", "They are stored once it does"] {
            assert!(page.text.contains(says), "{}", page.text);
        }

        rename("ALTER TABLE elsewhere RENAME TO tokens").await;
        match stored_by {
            "a call" => drop(client.authorize().await.unwrap()),
            "the health check" => {
                let (clock, metrics) = (account.clock.clone(), Metrics::new());
                HealthCheck::new(client.clone(), None, clock, metrics).check().await;
            }
            _ => client.auth().wait_for_exchange().await,
        }
        assert_eq!(account.generation().await, Some(2), "stored by {stored_by}");
        assert_eq!(account.amocrm.exchanges(), 2, "stored by {stored_by}");
    }
}

#[tokio::test]
async fn a_state_works_once() {
    let site = Site::new().await;
    let back = site.consented().await;
    assert_eq!(site.come_back(&back).await.status, 200);
    let again = site.come_back(&back).await;
    assert_eq!(again.status, 400);
    assert_eq!(site.account.amocrm.exchanges(), 1, "the code is not presented a second time");
}

#[tokio::test]
async fn of_two_callbacks_at_once_one_is_taken() {
    let site = Site::new().await;
    let back = site.consented().await;
    let (one, other) = tokio::join!(site.come_back(&back), site.come_back(&back));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!((statuses, site.account.amocrm.exchanges()), ([200, 400], 1));
}

#[tokio::test]
async fn what_was_not_begun_here_is_refused() {
    let site = Site::new().await;
    let back = site.consented().await;
    let long = "a".repeat(5000);
    for state in [None, Some(""), Some("guess"), Some("0"), Some(long.as_str())] {
        let page = site.come_back(&with(&back, "state", state)).await;
        assert_eq!(page.status, 400, "{state:?}");
    }
    assert_eq!(site.account.amocrm.exchanges(), 0);
    assert_eq!(site.come_back(&back).await.status, 200, "guesses do no harm to the real one");
}

#[tokio::test]
async fn a_state_ends_after_twenty_minutes() {
    let site = Site::new().await;
    let back = site.consented().await;
    site.account.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(site.come_back(&back).await.status, 400);
    assert_eq!(site.account.amocrm.exchanges(), 0);
}

#[tokio::test]
async fn a_code_goes_to_our_own_account_or_nowhere() {
    for (name, value) in [
        ("referer", None),
        ("referer", Some("other.amocrm.ru")),
        ("referer", Some("evil.example")),
        ("referer", Some("127.0.0.1:1")),
        ("client_id", Some("another")),
        ("code", None),
    ] {
        let site = Site::new().await;
        let back = site.consented().await;
        let page = site.come_back(&with(&back, name, value)).await;
        assert_eq!((page.status, site.account.amocrm.exchanges()), (400, 0), "{name} {value:?}");
        assert_eq!(site.come_back(&back).await.status, 400, "the state was spent");
    }
}

#[tokio::test]
async fn a_person_who_declines_is_told_so() {
    let site = Site::new().await;
    let back = with(&site.consented().await, "code", None);
    let page = site.come_back(&with(&back, "error", Some("access_denied"))).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("amoCRM was not given access"), "{}", page.text);
}

#[tokio::test]
async fn no_page_shows_a_secret_or_what_the_address_says() {
    let site = Site::new().await;
    let echo = "fake-amocrm-secret <script>alert(1)</script>";
    site.account
        .amocrm
        .fail_next_exchange(1, AmoCrmFailure::Answer { status: 500, body: echo.into() });
    let back = site.consented().await;
    let code = back.query_pairs().find(|(key, _)| key == "code").unwrap().1.into_owned();
    let page = site.come_back(&back).await;
    assert_eq!(page.status, 502, "{}", page.text);
    let hostile = site.get("/oauth/callback?state=%3Cscript%3Ex&referer=%3Cscript%3E").await;
    for text in [page.text, hostile.text] {
        for bad in ["fake-amocrm-secret", "<script", code.as_str()] {
            assert!(!text.contains(bad), "{bad} is in {text}");
        }
    }
}

#[tokio::test]
async fn a_script_gets_no_further_than_twenty_a_minute() {
    let site = Site::new().await;
    for _ in 0..20 {
        assert_eq!(site.get("/oauth/start").await.status, 303);
        assert_eq!(site.get("/oauth/callback?state=x").await.status, 400);
    }
    assert_eq!(site.get("/oauth/start").await.status, 429);
    assert_eq!(site.get("/oauth/callback?state=x").await.status, 429);
    site.account.clock.advance(Duration::from_secs(60));
    assert_eq!(site.get("/oauth/start").await.status, 303);
}

#[tokio::test]
async fn a_script_locks_no_other_client_out() {
    let site = Site::new().await;
    for number in 0..30 {
        // A new name each time does not make it another client.
        let name = format!("203.0.113.{number}");
        site.get_as("192.0.2.66", &[&name], "/oauth/start").await;
        site.get_as("192.0.2.66", &[&name], "/oauth/callback?state=x").await;
        // The same over a proxy, which adds the address that it has seen.
        site.get_as("10.0.0.1", &[&name, "192.0.2.66"], "/oauth/start").await;
        site.get_as("10.0.0.1", &[&format!("{name}, 192.0.2.66")], "/oauth/start").await;
    }
    assert_eq!(site.get_as("192.0.2.66", &[], "/oauth/start").await.status, 429);
    assert_eq!(site.get_as("192.0.2.66", &[], "/oauth/callback?state=x").await.status, 429);
    for (peer, forwarded_for) in [("192.0.2.1", None), ("10.0.0.1", Some("192.0.2.1"))] {
        let page = site.get_as(peer, forwarded_for.as_slice(), "/oauth/start").await;
        assert_eq!(page.status, 303, "{peer} {forwarded_for:?}");
    }
    let back = site.consented().await;
    assert_eq!(site.come_back(&back).await.status, 200);
}

#[tokio::test]
async fn without_oauth_the_pages_say_what_is_missing() {
    let account = Account::new().await.with_long_lived_token("opaque");
    let long_lived = AmoCrmPort::Configured(account.client());
    for port in [long_lived, AmoCrmPort::Missing(Default::default())] {
        let router = oauth_router(&port, account.db.clone(), account.clock.clone());
        let request = Request::get("/oauth/start").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 404);
    }
}

/// printf 'fake-amocrm-client|32452514' | openssl dgst -sha256 -hmac fake-amocrm-secret
const SIGNATURE: &str = "4fc2c7a52999fb3a8e136d80f3136df30b3b5898bfaa77cad8d62f21e67fd1a4";

#[tokio::test]
async fn the_notice_of_a_disabled_integration_counts_when_it_is_signed_and_true() {
    let site = Site::new().await;
    let back = site.consented().await;
    site.come_back(&back).await;
    let hook = format!(
        "/oauth/disabled?account_id=32452514&client_uuid=fake-amocrm-client&signature={SIGNATURE}"
    );
    let page = site.get(&hook).await;
    assert_eq!(
        (page.status, site.client.auth().last_error()),
        (200, None),
        "a replay changes nothing"
    );

    site.account.amocrm.revoke();
    let page = site.get(&hook.replace("client_uuid", "client_id")).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Deals wait"), "{}", page.text);
    assert!(matches!(site.client.auth().last_error(), Some(TokenError::NeedsReauth { .. })));
}

#[tokio::test]
async fn a_forged_notice_costs_no_call() {
    let site = Site::new().await;
    for query in [
        String::new(),
        "account_id=32452514&client_uuid=fake-amocrm-client".to_owned(),
        "account_id=32452514&client_uuid=fake-amocrm-client&signature=00".to_owned(),
        format!("account_id=1&client_uuid=fake-amocrm-client&signature={SIGNATURE}"),
        format!("account_id=32452514&client_uuid=other&signature={SIGNATURE}"),
    ] {
        assert_eq!(site.get(&format!("/oauth/disabled?{query}")).await.status, 401, "{query}");
    }
    assert!(site.account.amocrm.requests().is_empty());
}
