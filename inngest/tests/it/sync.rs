//! T20, T58-T60, T63: registering the functions.

use http::Method;
use inngest::{App, Config, Context, Endpoint, Function, Result};
use serde_json::{Value, json};

use crate::support::{
    Answer, Any, FakeApi, KEY, NOW, client, cloud, cloud_with_fallback, dev, request, send, signed,
};

struct Simple;

impl Function for Simple {
    type Event = Any;
    type Output = ();
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn").name("Simple function").retries(3)
    }

    async fn run(&self, _: Context<'_, Self>) -> Result<()> {
        Ok(())
    }
}

const REGISTERED: &str = r#"{"ok":true,"modified":true,"sync_id":"s","app_id":"a"}"#;
const BODY: &str = r#"{"url":"http://app.example:3000/api/inngest"}"#;

fn app(settings: inngest::Settings, api: &FakeApi) -> Endpoint {
    App::new("app", client(settings, api.clone())).function(Simple).build().unwrap()
}

async fn sync(
    settings: inngest::Settings,
    api: &FakeApi,
    uri: &str,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut put = request(Method::PUT, uri, BODY);
    for (name, value) in headers {
        put.headers_mut().insert(*name, value.parse().unwrap());
    }
    send(&app(settings, api), put).await
}

fn payload(api: &FakeApi) -> Value {
    serde_json::from_slice(api.requests()[0].body()).unwrap()
}

#[tokio::test]
async fn the_payload_is_complete() {
    let api = FakeApi::default().answer(200, REGISTERED);
    let answer = sync(dev(), &api, "/api/inngest", &[("x-inngest-server-kind", "dev")]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "message": "Successfully synced.", "modified": true }));
    assert_eq!(answer.header("x-inngest-sync-kind"), Some("out_of_band"));
    let request = &api.requests()[0];
    assert_eq!(request.uri().to_string(), "http://localhost:8288/fn/register");
    assert_eq!(request.headers()["x-inngest-expected-server-kind"], "dev");
    insta::assert_json_snapshot!(payload(&api), @r#"
    {
      "appName": "app",
      "capabilities": {
        "in_band_sync": "v1",
        "trust_probe": "v1"
      },
      "deployType": "ping",
      "framework": "http",
      "functions": [
        {
          "id": "app-fn",
          "name": "Simple function",
          "steps": {
            "step": {
              "id": "step",
              "name": "step",
              "retries": {
                "attempts": 3
              },
              "runtime": {
                "type": "http",
                "url": "http://app.example:3000/api/inngest?fnId=app-fn&stepId=step"
              }
            }
          },
          "triggers": [
            {
              "event": "demo/event.sent"
            }
          ]
        }
      ],
      "headers": {
        "env": "",
        "platform": ""
      },
      "idempotencyKey": "",
      "sdk": "inngest-rs:v0.1.0",
      "url": "http://app.example:3000/api/inngest",
      "v": "0.1"
    }
    "#);
}

#[tokio::test]
async fn t58_the_body_hardly_matters_and_the_deployment_is_named() {
    for body in ["", "{}", "[", r#"{"url":"http://elsewhere.example/x"}"#] {
        let api = FakeApi::default().answer(200, REGISTERED);
        let put = request(Method::PUT, "/api/inngest?deployId=01D%26&token=x", body);
        assert_eq!(send(&app(dev(), &api), put).await.status, 200, "{body}");
        assert_eq!(
            api.requests()[0].uri().to_string(),
            "http://localhost:8288/fn/register?deployId=01D%26"
        );
        assert_eq!(payload(&api)["url"], "http://app.example:3000/api/inngest?token=x");
        let step_url = &payload(&api)["functions"][0]["steps"]["step"]["runtime"]["url"];
        assert_eq!(step_url, "http://app.example:3000/api/inngest?token=x&fnId=app-fn&stepId=step");
    }
    let api = FakeApi::default().answer(200, REGISTERED);
    sync(dev(), &api, "/api/inngest?deployId=undefined", &[]).await;
    assert_eq!(api.requests()[0].uri().path_and_query().unwrap().as_str(), "/fn/register");
}

/// T60, P-046: the kind of server is handed on, and what the API says to it is shown.
#[tokio::test]
async fn t60_a_server_of_another_kind_is_refused_by_the_api_and_the_reason_shown() {
    let api = FakeApi::default().answer(400, r#"{"error":"Expected server kind cloud, got dev"}"#);
    let answer = sync(dev(), &api, "/api/inngest", &[("x-inngest-server-kind", "cloud")]).await;
    assert_eq!(api.requests()[0].headers()["x-inngest-expected-server-kind"], "cloud");
    assert_eq!(answer.status, 400);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("Expected server kind cloud, got dev"), "{message}");
}

/// P-022, P-045.
#[tokio::test]
async fn p045_requests_to_the_api_say_who_asks() {
    let api = FakeApi::default().answer(200, REGISTERED);
    let mut settings = cloud();
    settings.env = Some("staging".to_owned());
    let put = signed(request(Method::PUT, "/api/inngest", BODY), KEY, NOW);
    send(&app(settings, &api), put).await;
    let request = &api.requests()[0];
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("x-inngest-sdk"), "inngest-rs:v0.1.0");
    assert_eq!(header("user-agent"), "inngest-rs:v0.1.0");
    assert_eq!(header("x-inngest-env"), "staging");
    assert!(header("authorization").starts_with("Bearer signkey-test-"));
    assert!(request.headers().get("x-inngest-expected-server-kind").is_none());
}

#[tokio::test(start_paused = true)]
async fn t59_every_failure_is_reported_in_time() {
    for (api, status, message) in [
        (
            FakeApi::default().answer(
                400,
                r#"{"error":"At least one function is invalid","data":null,"status":400}"#,
            ),
            400,
            "Inngest refused the registration (HTTP 400 Bad Request): At least one function is invalid",
        ),
        (
            FakeApi::default().answer(401, "Authentication failed\n"),
            400,
            "Inngest refused the registration (HTTP 401 Unauthorized): Authentication failed",
        ),
        (
            FakeApi::default().answer(500, "<html>oops</html>"),
            500,
            "Inngest refused the registration (HTTP 500 Internal Server Error): <html>oops</html>",
        ),
        (
            FakeApi::default().answer(200, "<html>welcome</html>"),
            500,
            "HTTP 200 OK without JSON, which is not how Inngest answers; check INNGEST_BASE_URL and \
             INNGEST_API_BASE_URL",
        ),
        (
            FakeApi::default().fail("connection refused"),
            500,
            "the Inngest API cannot be reached: connection refused",
        ),
    ] {
        let answer = sync(dev(), &api, "/api/inngest", &[]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json(), json!({ "message": message, "modified": false }));
    }

    struct Silent;
    impl inngest::Transport for Silent {
        fn send(&self, _: http::Request<bytes::Bytes>) -> inngest::TransportFuture<'_> {
            Box::pin(std::future::pending())
        }
    }
    let endpoint =
        App::new("app", inngest::Client::new(dev(), Silent)).function(Simple).build().unwrap();
    let started = tokio::time::Instant::now();
    let answer = send(&endpoint, request(Method::PUT, "/api/inngest", BODY)).await;
    assert_eq!(answer.json()["message"], "the Inngest API did not answer within 8 s");
    assert!(started.elapsed().as_secs() < 10);
}

#[tokio::test]
async fn t20_a_sync_signed_over_its_canonical_form_is_accepted() {
    let sent = r#"{"url":"http://app.example:3000/api/inngest?a=1\u0026b=2"}"#;
    let canonical = r#"{"url":"http://app.example:3000/api/inngest?a=1&b=2"}"#;
    for signed_text in [sent, canonical] {
        let api = FakeApi::default().answer(200, REGISTERED);
        let mut put = signed(request(Method::PUT, "/api/inngest?a=1&b=2", signed_text), KEY, NOW);
        *put.body_mut() = sent.into();
        assert_eq!(send(&app(cloud(), &api), put).await.status, 200);
        assert_eq!(payload(&api)["url"], "http://app.example:3000/api/inngest?a=1&b=2");
    }
}

#[tokio::test]
async fn the_second_key_is_tried_when_the_api_refuses_the_first_and_remembered() {
    let api = FakeApi::default().answer(401, "no").answer(200, REGISTERED).answer(200, REGISTERED);
    let endpoint = app(cloud_with_fallback("signkey-test-0badcafe"), &api);
    for _ in 0..2 {
        let put = signed(request(Method::PUT, "/api/inngest", BODY), KEY, NOW);
        assert_eq!(send(&endpoint, put).await.status, 200);
    }
    let tokens: Vec<_> =
        api.requests().iter().map(|request| request.headers()["authorization"].clone()).collect();
    assert_eq!(
        tokens[0],
        format!("Bearer {}", inngest::signing::SigningKey::new(KEY).api_token().unwrap())
    );
    assert_ne!(tokens[1], tokens[0]);
    assert_eq!(tokens[2], tokens[1]);
}

#[tokio::test]
async fn t63_the_url_is_the_one_that_inngest_can_reach() {
    let url = async |settings, headers: &[(&'static str, &str)]| {
        let api = FakeApi::default().answer(200, REGISTERED);
        sync(settings, &api, "/api/inngest?token=x", headers).await;
        payload(&api)["url"].as_str().unwrap().to_owned()
    };
    let https = [("x-forwarded-proto", "https"), ("host", "flow.example")];
    assert_eq!(url(dev(), &https).await, "https://flow.example/api/inngest?token=x");
    let listed = [("x-forwarded-proto", "https, http"), ("host", "flow.example")];
    assert_eq!(url(dev(), &listed).await, "https://flow.example/api/inngest?token=x");
    let strange = [("x-forwarded-proto", "javascript"), ("host", "flow.example")];
    assert_eq!(url(dev(), &strange).await, "http://flow.example/api/inngest?token=x");
    let mut settings = dev();
    settings.serve_origin = Some("https://public.example".to_owned());
    settings.serve_path = Some("/hooks/inngest".to_owned());
    assert_eq!(url(settings, &https).await, "https://public.example/hooks/inngest?token=x");
}

#[tokio::test]
async fn t63_an_origin_with_a_path_keeps_it() {
    for (origin, path, requested, url) in [
        (
            "https://public.example/v1",
            None,
            "/api/inngest",
            "https://public.example/v1/api/inngest",
        ),
        (
            "https://public.example/v1/",
            None,
            "/v1/api/inngest",
            "https://public.example/v1/api/inngest",
        ),
        (
            "https://public.example/v1",
            None,
            "/v10/inngest",
            "https://public.example/v1/v10/inngest",
        ),
        ("https://public.example/v1", Some("/x"), "/api/inngest", "https://public.example/v1/x"),
        ("https://public.example/v1", Some("/v1/x"), "/api/inngest", "https://public.example/v1/x"),
    ] {
        let with = |mut settings: inngest::Settings| {
            settings.serve_origin = Some(origin.to_owned());
            settings.serve_path = path.map(str::to_owned);
            settings
        };
        let api = FakeApi::default().answer(200, REGISTERED);
        send(&app(with(dev()), &api), request(Method::PUT, requested, "")).await;
        assert_eq!(payload(&api)["url"], url, "{origin} {requested}");
        // A hook names nothing: the settings have to say it all.
        let api = FakeApi::default().answer(200, REGISTERED);
        let answer = sync(with(cloud()), &api, requested, &[]).await;
        match path.is_none() && requested.contains("v10") {
            true => assert_eq!(answer.status, 401, "{}", answer.text),
            false => assert_eq!(payload(&api)["url"], url, "{origin} {requested}"),
        }
        // The server calls and names what was registered.
        let api = FakeApi::default().answer(200, REGISTERED);
        let put = request(Method::PUT, requested, json!({ "url": url }).to_string());
        send(&app(with(cloud()), &api), signed(put, KEY, NOW)).await;
        assert_eq!(payload(&api)["url"], url, "{origin} {requested}");
    }
}

#[tokio::test]
async fn in_band_the_answer_is_the_registration() {
    let api = FakeApi::default();
    let mut put = signed(request(Method::PUT, "/api/inngest", BODY), KEY, NOW);
    put.headers_mut().insert("x-inngest-sync-kind", "in_band".parse().unwrap());
    let answer = send(&app(cloud(), &api), put).await;
    assert_eq!(answer.header("x-inngest-sync-kind"), Some("in_band"));
    assert!(answer.header("x-inngest-signature").is_some());
    let json = answer.json();
    assert_eq!(
        (&json["app_id"], &json["url"]),
        (&json!("app"), &json!("http://app.example:3000/api/inngest"))
    );
    assert_eq!(json["functions"][0]["id"], "app-fn");
    assert_eq!(json["inspection"]["authentication_succeeded"], true);
    assert!(api.requests().is_empty());

    let mut bad = signed(request(Method::PUT, "/api/inngest", "{}"), KEY, NOW);
    bad.headers_mut().insert("x-inngest-sync-kind", "in_band".parse().unwrap());
    assert_eq!(send(&app(cloud(), &api), bad).await.status, 400);
}

#[tokio::test]
async fn t61_mistakes_are_found_when_the_app_is_built() {
    struct Bad;
    impl Function for Bad {
        type Event = Any;
        type Output = ();
        type OnFailure = ();
        fn config() -> Config {
            Config::id("with space").name("").retries(21)
        }
        async fn run(&self, _: Context<'_, Self>) -> Result<()> {
            Ok(())
        }
    }
    let built = App::new("", client(dev(), FakeApi::default()))
        .function(Simple)
        .function(Simple)
        .function(Bad)
        .build();
    insta::assert_snapshot!(built.err().unwrap(), @"
    app id is empty
    function `fn`: another function has this id; `<id>-failure` is that of a failure handler
    function id `with space`: only letters, digits, `-`, `_` and `.` are allowed
    function `with space`: name is empty; leave it out to use the id
    function `with space`: retries is 21; at most 20
    ");
}

#[tokio::test]
async fn t61_an_app_without_functions_is_registered_all_the_same() {
    let api = FakeApi::default().answer(200, REGISTERED);
    let empty = App::new("app", client(dev(), api.clone())).build().unwrap();
    assert_eq!(send(&empty, request(Method::PUT, "/api/inngest", "")).await.status, 200);
    assert_eq!(payload(&api)["functions"], json!([]));
}
