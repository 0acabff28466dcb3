//! The ERP client against an ERP with all its quirks.

use std::sync::Arc;
use std::time::Duration;

use crate::ports::NOBODY;
use functions::ports::{Created, Deal, DealKey, Erp as _};
use inngest::Retry;
use prometei_flow::clock::SystemClock;
use prometei_flow::erp::{Body, ErpClient, ErpSettings, Failure, MarkerLookup};
use prometei_flow::fakes::{ErpFailure, ErpVersion, FakeErp, FakeErpSettings};
use prometei_flow::outbound::{Outbound, USER_AGENT};
use serde_json::{Number, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// An ERP and a client of it.
struct Bench {
    erp: FakeErp,
    settings: ErpSettings,
    _stop: DropGuard,
}

impl Bench {
    async fn new() -> Self {
        Self::of(FakeErpSettings::default()).await
    }

    async fn of(settings: FakeErpSettings) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let erp = FakeErp::start(listener, stop.clone(), settings).unwrap();
        let settings = settings_for(erp.url().clone());
        Self { erp, settings, _stop: stop.drop_guard() }
    }

    fn with(mut self, change: impl FnOnce(&mut ErpSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn client(&self) -> ErpClient {
        ErpClient::new(self.settings.clone(), Outbound::new(), Arc::new(SystemClock))
    }

    async fn create(&self, deal: &Deal) -> inngest::Result<Created> {
        self.client().create(deal).await
    }

    fn last_body(&self) -> String {
        self.erp.requests().last().unwrap().text()
    }
}

fn settings_for(api_url: Url) -> ErpSettings {
    let fake = FakeErpSettings::default();
    ErpSettings {
        api_url,
        key: fake.key.into(),
        username: fake.username,
        password: fake.password.into(),
        body: Body::Json,
        entity_id: 70,
        field_deal_name: "field_1039".to_owned(),
        field_amount: "field_1040".to_owned(),
        field_external_id: None,
        timeout: Duration::from_secs(5),
    }
}

fn marked(settings: &mut ErpSettings) {
    settings.field_external_id = Some("field_1041".to_owned());
}

fn impatient(settings: &mut ErpSettings) {
    settings.timeout = Duration::from_millis(500);
}

fn run_deal() -> Deal {
    Deal {
        key: DealKey::Run("01JRUN".to_owned()),
        run_id: "01JRUN".to_owned(),
        name: "Поставка окон".to_owned(),
        amount: Some(15_000.into()),
        entity_id: None,
    }
}

fn lead_deal(lead_id: u64) -> Deal {
    Deal { key: DealKey::Lead { account_id: None, lead_id }, ..run_deal() }
}

fn reply(id: &str) -> serde_json::Value {
    json!({"status": "success", "data": {"id": id}})
}

#[tokio::test]
async fn a_deal_is_sent_as_json_in_the_order_of_the_contract() {
    let bench = Bench::new().await;
    let created = bench.create(&run_deal()).await.unwrap();

    assert_eq!(created, Created { reply: reply("119"), duplicate: false });
    assert_eq!(
        bench.last_body(),
        r#"{"key":"fake-erp-key","username":"fake-erp-user","password":"fake-erp-password","action":"insert","entity_id":70,"items":{"field_1039":"Поставка окон","field_1040":15000}}"#
    );
    let request = &bench.erp.requests()[0];
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("accept"), "application/json");
    assert_eq!(request.header("user-agent"), USER_AGENT);
    assert_eq!(request.uri, "/api/rest.php", "the key is never in an address");
}

#[tokio::test]
async fn a_deal_is_sent_as_a_form_to_an_erp_that_reads_only_forms() {
    let old = FakeErpSettings { version: ErpVersion::V344, ..FakeErpSettings::default() };
    let bench = Bench::of(old).await.with(|settings| settings.body = Body::Form).with(marked);
    let created = bench.create(&lead_deal(45721053)).await.unwrap();

    assert_eq!(created.reply, reply("119"));
    assert_eq!(
        bench.last_body(),
        "key=fake-erp-key&username=fake-erp-user&password=fake-erp-password&action=insert&entity_id=70\
         &items%5Bfield_1039%5D=%D0%9F%D0%BE%D1%81%D1%82%D0%B0%D0%B2%D0%BA%D0%B0+%D0%BE%D0%BA%D0%BE%D0%BD\
         &items%5Bfield_1040%5D=15000&items%5Bfield_1041%5D=45721053"
    );
    let request = &bench.erp.requests()[0];
    assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
}

#[tokio::test]
async fn json_to_an_erp_that_reads_only_forms_says_what_to_set() {
    let old = FakeErpSettings { version: ErpVersion::V344, ..FakeErpSettings::default() };
    let error = Bench::of(old).await.create(&run_deal()).await.unwrap_err();

    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(
        error.to_string(),
        "the ERP refused deal \"Поставка окон\" (run 01JRUN): \"key is required\". Nothing was created. This ERP \
         does not read JSON: set CRM_BODY=form, then replay this run"
    );
}

#[tokio::test]
async fn an_amount_is_left_out_when_absent_or_zero_and_kept_as_given_otherwise() {
    let bench = Bench::new().await;
    for (amount, sent) in [
        (None, r#"{"field_1039":"Поставка окон"}"#),
        (Some(0.into()), r#"{"field_1039":"Поставка окон"}"#),
        (Number::from_f64(0.0), r#"{"field_1039":"Поставка окон"}"#),
        (Number::from_f64(-0.0), r#"{"field_1039":"Поставка окон"}"#),
        (Some(15_000.into()), r#"{"field_1039":"Поставка окон","field_1040":15000}"#),
        (Number::from_f64(99.5), r#"{"field_1039":"Поставка окон","field_1040":99.5}"#),
        (Some((-5).into()), r#"{"field_1039":"Поставка окон","field_1040":-5}"#),
        (
            Some(u64::MAX.into()),
            r#"{"field_1039":"Поставка окон","field_1040":18446744073709551615}"#,
        ),
    ] {
        bench.create(&Deal { amount, ..run_deal() }).await.unwrap();
        assert!(bench.last_body().ends_with(&format!("\"items\":{sent}}}")), "{sent}");
    }
}

#[tokio::test]
async fn the_marker_is_the_lead_id_in_digits() {
    let bench = Bench::new().await.with(marked);
    bench.create(&lead_deal(45721053)).await.unwrap();
    assert!(bench.last_body().ends_with(r#""field_1040":15000,"field_1041":"45721053"}}"#));

    bench.create(&run_deal()).await.unwrap();
    assert!(!bench.last_body().contains("field_1041"), "a deal without a lead has no marker");
}

#[tokio::test]
async fn a_deal_may_name_its_own_entity() {
    let bench = Bench::of(FakeErpSettings { entity_id: 71, ..FakeErpSettings::default() }).await;
    bench.create(&Deal { entity_id: Some(71), ..run_deal() }).await.unwrap();
    assert!(bench.last_body().contains(r#""action":"insert","entity_id":71,"#));
}

/// What the ERP does, and what the client makes of it.
#[tokio::test]
async fn every_answer_is_either_safe_to_repeat_or_not_repeated() {
    let error = |code: &str, message: &str| ErpFailure::Error {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    for (failure, retry, rows, says) in [
        (ErpFailure::Unavailable { retry_after: None }, Retry::Backoff, 0, "Nothing was created"),
        (
            ErpFailure::Unavailable { retry_after: Some(90) },
            Retry::After(Duration::from_secs(90)),
            0,
            "Nothing was created",
        ),
        (error("login_fail", "No match"), Retry::Never, 0, "wrong username or password"),
        (error("500", "API Key mismatch"), Retry::Backoff, 0, "Check CRM_API_KEY"),
        (error("500", "field_9 not exist in entity 70"), Retry::Never, 0, "Check CRM_ENTITY_ID"),
        (ErpFailure::BadGateway, Retry::Never, 0, "may or may not exist"),
        (ErpFailure::InsertThenBadGateway, Retry::Never, 1, "may or may not exist"),
        (ErpFailure::DatabaseError, Retry::Never, 0, "Database Error"),
        (ErpFailure::InsertThenHtml, Retry::Never, 1, "may or may not exist"),
        (ErpFailure::Empty500, Retry::Never, 0, "may or may not exist"),
        (ErpFailure::InsertThenEmpty500, Retry::Never, 1, "may or may not exist"),
        (ErpFailure::Hang, Retry::Never, 0, "no answer within 500ms"),
        (ErpFailure::InsertThenHang, Retry::Never, 1, "no answer within 500ms"),
    ] {
        let bench = Bench::new().await.with(impatient);
        bench.erp.fail_next(1, failure.clone());
        let error = bench.create(&run_deal()).await.unwrap_err();

        assert_eq!(error.retry(), retry, "{failure:?}: {error}");
        assert_eq!(bench.erp.rows().len(), rows, "{failure:?}");
        assert_eq!(bench.erp.requests().len(), 1, "{failure:?}: sent once");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("\"Поставка окон\" (run 01JRUN)"), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_says_which_deal_what_happened_and_what_to_do() {
    let bench = Bench::new().await;
    bench.erp.fail_next(1, ErpFailure::InsertThenBadGateway);
    let error = bench.create(&lead_deal(45721053)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is unknown whether the ERP created deal \"Поставка окон\" (amoCRM lead 45721053): HTTP 502, \"502 Bad \
         Gateway\". The record may or may not exist, so the call is not repeated. Look for it in entity 70 of the \
         ERP; if it is absent, create it by hand or replay this run"
    );
}

#[tokio::test]
async fn an_erp_that_is_not_there_was_not_told_anything() {
    let bench = Bench::new().await.with(|settings| {
        settings.api_url = format!("http://{NOBODY}/api/rest.php").parse().unwrap();
    });
    let error = bench.create(&run_deal()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Backoff);
    let says = "the ERP could not take deal \"Поставка окон\" (run 01JRUN): no connection: Connection refused";
    assert!(error.to_string().starts_with(says), "{error}");
    assert!(error.to_string().ends_with("Nothing was created; the call is tried again"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_the_outcome_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/rest.php", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let read = connection.read(&mut [0; 4096]).await.unwrap();
        assert!(read > 0, "the request arrived");
    });
    let bench = Bench::new().await.with(|settings| settings.api_url = url);
    let error = bench.create(&run_deal()).await.unwrap_err();
    server.await.unwrap();
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.to_string().contains("may or may not exist"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_password() {
    let (bench, elsewhere) = (Bench::new().await, Bench::new().await);
    bench.erp.fail_next(1, ErpFailure::Redirect(elsewhere.erp.url().to_string()));
    let error = bench.create(&run_deal()).await.unwrap_err();

    assert_eq!(error.retry(), Retry::Never);
    assert!(error.to_string().contains("Check CRM_API_URL"), "{error}");
    assert!(elsewhere.erp.requests().is_empty());
}

#[tokio::test]
async fn wrong_credentials_can_be_corrected_while_deals_wait() {
    for (version, display_errors) in [(ErpVersion::V344, false), (ErpVersion::V362, true)] {
        let settings = FakeErpSettings { version, display_errors, ..FakeErpSettings::default() };
        let bench = Bench::of(settings).await.with(|settings| {
            settings.body = Body::Form;
            settings.password = "not-the-password".into();
        });
        let error = bench.create(&run_deal()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Backoff, "{version:?}: {error}");
        assert!(error.to_string().contains("CRM_API_PASSWORD"), "{error}");
    }
}

#[tokio::test]
async fn no_error_and_no_debug_output_shows_a_secret() {
    let echo = "key fake-erp-key, password fake-erp-password";
    let failures = [
        ErpFailure::Error { code: "500".to_owned(), message: echo.to_owned() },
        ErpFailure::Error { code: "500".to_owned(), message: format!("API Key mismatch: {echo}") },
        ErpFailure::Answer { status: 200, body: format!("<pre>{echo}</pre>") },
        ErpFailure::Answer { status: 404, body: echo.to_owned() },
        ErpFailure::Answer {
            status: 200,
            body: r#"{"status":"success","data":{"id":"fake-erp-key"}}"#.to_owned(),
        },
        ErpFailure::Hang,
    ];
    for failure in failures {
        let bench = Bench::new().await.with(impatient);
        bench.erp.fail_next(1, failure);
        let error = bench.create(&run_deal()).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?} {:?}", bench.client(), bench.settings);
        for secret in ["fake-erp-key", "fake-erp-password"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_lead_that_has_its_record_is_a_duplicate_not_an_error() {
    let bench = Bench::new().await.with(marked);
    let first = bench.create(&lead_deal(45721053)).await.unwrap();
    let second = bench.create(&lead_deal(45721053)).await.unwrap();

    assert_eq!(first, Created { reply: reply("119"), duplicate: false });
    assert_eq!(second, Created { reply: reply("119"), duplicate: true });
    assert_eq!(bench.erp.rows().len(), 1);
    assert_eq!(
        bench.last_body(),
        r#"{"key":"fake-erp-key","username":"fake-erp-user","password":"fake-erp-password","action":"select","entity_id":70,"select_fields":"1039,1040,1041","filters":{"1041":"45721053"},"limit":2}"#
    );
}

#[tokio::test]
async fn a_duplicate_that_cannot_be_shown_is_an_error_for_a_person() {
    for (change, says) in [
        (
            (|settings| settings.ignores_filters = true) as fn(&mut FakeErpSettings),
            "asked for field 1041 = 45721053, the ERP returned a record with \"7\" there",
        ),
        (|settings| settings.hides_rows = true, "it shows no such record"),
    ] {
        let bench = Bench::new().await.with(marked);
        bench.create(&lead_deal(7)).await.unwrap();
        bench.create(&lead_deal(45721053)).await.unwrap();
        bench.erp.configure(change);
        let error = bench.create(&lead_deal(45721053)).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Never);
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(bench.erp.rows().len(), 2);
    }
}

#[tokio::test]
async fn another_unique_field_does_not_make_a_deal_a_duplicate() {
    let unique_name = FakeErpSettings {
        unique_field: Some("field_1039".to_owned()),
        ..FakeErpSettings::default()
    };
    let bench = Bench::of(unique_name).await.with(marked);
    bench.create(&lead_deal(1)).await.unwrap();
    let error = bench.create(&lead_deal(2)).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.to_string().contains("a unique field has this value already: 1039"), "{error}");
}

#[tokio::test]
async fn a_duplicate_is_looked_up_again_when_the_look_up_fails() {
    let bench = Bench::new().await.with(marked);
    let warning = r#"{"status":"success","data":{"id":"","unique_fields_warning":[{"id":"1041","value":"7"}]}}"#;
    bench.erp.fail_next(1, ErpFailure::Answer { status: 200, body: warning.to_owned() });
    bench.erp.fail_next(1, ErpFailure::BadGateway);
    let error = bench.create(&lead_deal(7)).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Backoff, "nothing was created by either call: {error}");
}

#[tokio::test]
async fn a_look_up_believes_only_what_the_rows_prove() {
    let bench = Bench::new().await.with(marked);
    let client = bench.client();
    assert_eq!(client.find_by_marker(7, None).await, Ok(MarkerLookup::Absent));
    bench.create(&lead_deal(7)).await.unwrap();
    bench.create(&lead_deal(8)).await.unwrap();
    assert_eq!(client.find_by_marker(8, None).await, Ok(MarkerLookup::Found("120".to_owned())));

    bench.erp.configure(|settings| settings.ignores_filters = true);
    for lead_id in [8, 9] {
        let found = client.find_by_marker(lead_id, None).await.unwrap();
        assert!(matches!(found, MarkerLookup::Untrusted(_)), "{found:?}");
    }
}

#[tokio::test]
async fn a_record_may_appear_after_a_look_up_did_not_find_it() {
    let bench = Bench::new().await.with(marked).with(impatient);
    bench.erp.fail_next(1, ErpFailure::HangThenInsert);
    let error = bench.create(&lead_deal(7)).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Never, "which is why the call is not repeated at once");
    let client = bench.client();
    assert_eq!(client.find_by_marker(7, None).await, Ok(MarkerLookup::Absent));

    bench.erp.finish_late_inserts();
    assert_eq!(client.find_by_marker(7, None).await, Ok(MarkerLookup::Found("119".to_owned())));
}

#[tokio::test]
async fn a_look_up_without_a_marker_field_is_not_tried() {
    let bench = Bench::new().await;
    let found = bench.client().find_by_marker(7, None).await.unwrap();
    assert!(
        matches!(found, MarkerLookup::Untrusted(reason) if reason.contains("CRM_FIELD_EXTERNAL_ID"))
    );
    assert!(bench.erp.requests().is_empty());
}

#[tokio::test]
async fn a_look_up_without_an_answer_can_be_repeated() {
    let bench = Bench::new().await.with(marked).with(impatient);
    for failure in [ErpFailure::Hang, ErpFailure::BadGateway, ErpFailure::Empty500] {
        bench.erp.fail_next(1, failure);
        let failed = bench.client().find_by_marker(7, None).await.unwrap_err();
        assert!(matches!(failed, Failure::Unavailable { .. }), "{failed:?}");
    }
}

#[tokio::test]
async fn a_probe_shows_whether_the_erp_lets_us_in() {
    let bench = Bench::new().await;
    assert_eq!(bench.client().probe().await, Ok(()));
    let bench = bench.with(|settings| settings.key = "not-the-key".into());
    let failed = bench.client().probe().await.unwrap_err();
    assert_eq!(failed, Failure::Credentials { message: "API Key mismatch".to_owned() });
}
