//! What an answer means for the deal.

use functions::ports::{Deal, Retry};
use sandbox::{ErpFailure, ErpVersion, FakeErpSettings};

use super::{Bench, lead, run};
use crate::erp::Body;
use crate::erp::tests::run_deal;

/// What the ERP does, and what the ledger makes of it.
#[tokio::test]
async fn every_answer_is_either_safe_to_repeat_or_not_repeated() {
    let error = |code: &str, message: &str| ErpFailure::Error {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let answer = |status, body: &str| ErpFailure::Answer { status, body: body.to_owned() };
    let after = |status, body: &str| ErpFailure::InsertThenAnswer { status, body: body.to_owned() };
    for (failure, retry, rows, says) in [
        (ErpFailure::NoDatabase, Retry::Again, 0, "Nothing was created"),
        (error("429", "Too many requests"), Retry::Again, 0, "Nothing was created"),
        (error("500", "API Key mismatch"), Retry::Again, 0, "Set CRM_API_KEY"),
        (error("500", "field_9 not exist in entity 70"), Retry::Never, 0, "Check CRM_ENTITY_ID"),
        (error("login_fail", "No match"), Retry::Never, 0, "wrong username or password"),
        (ErpFailure::Unavailable { retry_after: None }, Retry::Never, 0, "may or may not exist"),
        (ErpFailure::Unavailable { retry_after: Some(5) }, Retry::Never, 0, "may or may not exist"),
        (after(503, "<h1>Service Unavailable</h1>"), Retry::Never, 1, "may or may not exist"),
        (after(429, "<h1>Too Many Requests</h1>"), Retry::Never, 1, "may or may not exist"),
        (after(504, "<h1>Gateway Time-out</h1>"), Retry::Never, 1, "may or may not exist"),
        (answer(403, "<h1>Forbidden</h1>"), Retry::Never, 0, "what stands before the ERP"),
        (after(403, "<h1>Forbidden</h1>"), Retry::Never, 1, "may or may not exist"),
        (answer(404, "File not found."), Retry::Never, 0, "check CRM_API_URL"),
        (after(404, "<h1>404</h1>"), Retry::Never, 1, "may or may not exist"),
        (after(302, ""), Retry::Never, 1, "may or may not exist"),
        (ErpFailure::BadGateway, Retry::Never, 0, "may or may not exist"),
        (ErpFailure::InsertThenBadGateway, Retry::Never, 1, "may or may not exist"),
        (ErpFailure::DatabaseError, Retry::Never, 0, "Database Error"),
        (ErpFailure::InsertThenHtml, Retry::Never, 1, "may or may not exist"),
        (ErpFailure::Empty500, Retry::Never, 0, "may or may not exist"),
        (ErpFailure::InsertThenEmpty500, Retry::Never, 1, "may or may not exist"),
        (ErpFailure::Hang, Retry::Never, 0, "no answer within 2s"),
        (ErpFailure::InsertThenHang, Retry::Never, 1, "no answer within 2s"),
    ] {
        let bench = Bench::new().await.failing(failure.clone());
        let error = bench.fails(&run_deal()).await;

        assert_eq!(error.retry(), retry, "{failure:?}: {error}");
        assert_eq!(bench.erp.rows().len(), rows, "{failure:?}");
        assert_eq!(bench.erp.requests().len(), 2, "{failure:?}: asked for and sent, once");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("\"Поставка окон\" (run 01JRUN)"), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_outcome_says_which_deal_what_happened_and_what_to_do() {
    let bench = Bench::new().await;
    bench.erp.fail_next(1, ErpFailure::InsertThenBadGateway);
    let error = bench.fails(&lead(45721053)).await;
    assert_eq!(
        error.to_string(),
        "it is unknown whether the ERP created deal \"Поставка окон\" (amoCRM lead 45721053): HTTP 502, \"502 Bad \
         Gateway\". The record may or may not exist, so nothing more is sent. Look for it in entity 70 of the ERP. If \
         it is there, run `prometei-flow deals resolve --lead 45721053 --erp-id <its id>`; if not, run \
         `prometei-flow deals resolve --lead 45721053 --absent`, and the deal is sent again"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_password() {
    let (bench, elsewhere) = (Bench::new().await, Bench::new().await);
    bench.erp.fail_next(1, ErpFailure::Redirect(elsewhere.erp.url().to_string()));
    let error = bench.fails(&run_deal()).await;

    assert_eq!(error.retry(), Retry::Never);
    assert!(error.to_string().contains("redirects are not followed: CRM_API_URL"), "{error}");
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
        let error = bench.fails(&run_deal()).await;
        assert_eq!(error.retry(), Retry::Again, "{version:?}: {error}");
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
        let bench = Bench::new().await.failing(failure);
        let error = bench.fails(&run_deal()).await;
        let shown = format!("{error} {error:?} {:?} {:?}", bench.erp_client(), bench.settings);
        for secret in ["fake-erp-key", "fake-erp-password"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

/// The name may be typed by anyone into a web form, and an error page quotes it.
#[tokio::test]
async fn a_name_that_looks_like_an_answer_decides_nothing() {
    for version in [ErpVersion::V344, ErpVersion::V362] {
        let settings = FakeErpSettings { version, ..FakeErpSettings::default() };
        let bench = Bench::of(settings).await.with(|settings| settings.body = Body::Form);
        for name in [
            "Разработка API http_response_code() для сайта",
            r#"{"status":"success","data":{"id":"1"}}"#,
            "Access denied",
        ] {
            bench.erp.fail_next(1, ErpFailure::DatabaseError);
            let error = bench.fails(&Deal { name: name.to_owned(), ..run(name) }).await;
            assert_eq!(error.retry(), Retry::Never, "{version:?}: {error}");
            assert!(error.to_string().contains("may or may not exist"), "{error}");
        }
        assert_eq!(bench.erp.count("insert"), 3, "each was sent, once");
    }
}

#[tokio::test]
async fn json_to_an_erp_that_reads_only_forms_says_what_to_set() {
    let old = FakeErpSettings { version: ErpVersion::V344, ..FakeErpSettings::default() };
    let error = Bench::of(old).await.fails(&run_deal()).await;

    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(
        error.to_string(),
        "the ERP refused deal \"Поставка окон\" (run 01JRUN): \"key is required\". Nothing was created. This ERP \
         does not read JSON: set CRM_BODY=form and restart. Then run `prometei-flow deals retry --run 01JRUN`"
    );
}

#[tokio::test]
async fn nothing_is_sent_to_an_erp_that_is_not_there() {
    // Tests have no right to low ports, and no service uses this one.
    let unused = "http://127.0.0.1:1/api/rest.php".parse().unwrap();
    let bench = Bench::new().await.with(|settings| settings.api_url = unused);
    let error = bench.fails(&run_deal()).await;
    assert_eq!(error.retry(), Retry::Again);
    assert_eq!(
        error.to_string(),
        "the ERP could not take deal \"Поставка окон\" (run 01JRUN): no connection: Connection refused (os error \
         111). Nothing was created by this call"
    );
}
