//! I10: an app registers itself, and asks whether Inngest still knows it.

use http::StatusCode;
use inngest::{App, Config, Endpoint, RegistrationError, Step};
use serde_json::Value;

use crate::support::{Any, FakeApi, client, cloud, dev};

async fn nothing(_: inngest::Event<Any>, _: Step<'_>) -> inngest::Result<()> {
    Ok(())
}

fn app(settings: inngest::Settings, api: &FakeApi) -> Endpoint {
    let app = App::new("app", client(settings, api.clone()));
    app.function(Config::id("a").run(nothing))
        .function(Config::id("b").run(nothing))
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_app_registers_itself_at_the_url_it_names() {
    let api = FakeApi::default()
        .answer(200, r#"{"ok":true,"modified":true}"#)
        .answer(200, r#"{"ok":true,"modified":false}"#);
    let app = app(cloud(), &api);
    let url: url::Url = "https://flow.example/api/inngest".parse().unwrap();
    assert_eq!(app.register_at(url.clone()).await, Ok(true));
    assert_eq!(app.register_at(url).await, Ok(false));
    assert_eq!(app.contacts(), 2);
    let request = &api.requests()[0];
    assert!(request.headers()["authorization"].to_str().unwrap().starts_with("Bearer signkey-"));
    let payload: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(payload["url"], "https://flow.example/api/inngest");
    assert_eq!(payload["functions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn inngest_is_asked_which_functions_it_knows() {
    for (answer, unknown) in [
        ("[]", vec!["app-a", "app-b"]),
        ("null", vec!["app-a", "app-b"]),
        (r#"[{"id":"app-b","name":"b","config":{}}]"#, vec!["app-a"]),
        (r#"[{"id":"app-b"},{"id":"app-old"},{"id":"app-a"}]"#, vec![]),
    ] {
        let api = FakeApi::default().answer(200, answer);
        assert_eq!(app(cloud(), &api).unknown_functions().await, Ok(unknown), "{answer}");
        let request = &api.requests()[0];
        assert_eq!(request.uri().path(), "/v1/apps/app/functions");
        assert!(request.headers().contains_key("authorization"));
    }
}

#[tokio::test]
async fn where_the_answer_is_not_inngests_nothing_is_taken_for_known_or_unknown() {
    let api = FakeApi::default()
        .answer(200, "<html>welcome</html>")
        .answer(401, "Authentication failed\n")
        .answer(503, "busy")
        .fail("connection refused");
    let app = app(dev(), &api);
    let html = app.unknown_functions().await.unwrap_err();
    assert_eq!(html, RegistrationError::NotInngest { status: StatusCode::OK });
    let refused = app.unknown_functions().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Inngest does not say which functions it knows (HTTP 401 Unauthorized): Authentication failed"
    );
    assert!(!html.is_outage() && !refused.is_outage());
    for _ in 0..2 {
        assert!(app.unknown_functions().await.unwrap_err().is_outage());
    }
    assert_eq!(app.contacts(), 0);
}

#[tokio::test]
async fn the_settings_say_where_the_app_is() {
    let mut settings = dev();
    let url = |settings: &inngest::Settings| app(settings.clone(), &FakeApi::default()).serve_url();
    assert_eq!(url(&settings), None);
    settings.serve_origin = Some("https://flow.example".to_owned());
    assert_eq!(url(&settings).unwrap().as_str(), "https://flow.example/api/inngest");
    settings.serve_path = Some("/hooks".to_owned());
    assert_eq!(url(&settings).unwrap().as_str(), "https://flow.example/hooks");
}
