//! T01-T15, T43: requests of every shape.

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    CALL, FakeApi, body, call, client, cloud, dev, echo, hash, post, request, send, serving,
    serving_with,
};

#[tokio::test]
async fn t01_a_body_that_is_no_json_is_a_retriable_error() {
    let endpoint = echo(dev());
    for broken in ["{nope", "", "[]", "5", "null", "\"text\""] {
        let answer = post(&endpoint, CALL, broken).await;
        assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")), "{broken}");
        assert!(answer.json()["message"].as_str().unwrap().starts_with("the call cannot be read"));
    }
    assert_eq!(call(&endpoint, &body()).await.status, 200, "the endpoint lives on");
}

#[tokio::test]
async fn t03_seven_mebibytes_are_read_and_a_hundred_are_not() {
    let endpoint = echo(dev());
    let mut large = body();
    large["steps"][hash("unused")] = json!({ "data": "x".repeat(7 * 1024 * 1024) });
    assert_eq!(call(&endpoint, &large).await.status, 200);

    let answer = post(&endpoint, CALL, vec![b' '; 100 * 1024 * 1024]).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (413, Some("false")));
    assert!(answer.json()["message"].is_string());
}

#[tokio::test]
async fn t04_deep_nesting_is_refused_and_moderate_nesting_is_not() {
    let endpoint = echo(dev());
    let nested = |depth: usize| {
        let data = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        body().to_string().replace(r#"{"n":1}"#, &format!(r#"{{"n":{data}}}"#))
    };
    assert_eq!(post(&endpoint, CALL, nested(100)).await.status, 200);
    let answer = post(&endpoint, CALL, nested(10_000)).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
    let bare = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(post(&endpoint, CALL, bare).await.status, 500);
}

#[tokio::test]
async fn t05_the_content_type_does_not_matter() {
    let endpoint = echo(dev());
    for content_type in [None, Some("text/plain"), Some("application/json")] {
        let mut request = request(Method::POST, CALL, body().to_string());
        if let Some(content_type) = content_type {
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
        }
        assert_eq!(send(&endpoint, request).await.status, 200);
    }
}

#[tokio::test]
async fn t06_invalid_utf8_is_an_error() {
    let mut bytes = body().to_string().into_bytes();
    let at = bytes.windows(4).position(|four| four == b"demo").unwrap();
    bytes[at] = 0xff;
    assert_eq!(post(&echo(dev()), CALL, bytes).await.status, 500);
}

#[tokio::test]
async fn t07_other_methods_are_refused_and_head_is_answered() {
    let endpoint = echo(dev());
    for method in [Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let answer = send(&endpoint, request(method, "/api/inngest", "")).await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.text, r#"{"message":"Method not allowed"}"#);
    }
    let head = send(&endpoint, request(Method::HEAD, "/api/inngest", "")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    let refused = "/api/inngest?fnId=app-fn";
    let refused = send(&echo(cloud()), request(Method::HEAD, refused, "forged")).await;
    assert_eq!((refused.status.is_client_error(), refused.text.as_str()), (true, ""));
}

#[tokio::test]
async fn t08_extra_parameters_are_ignored_and_unknown_probes_refused() {
    let endpoint = echo(dev());
    let uri = "/api/inngest/?x=1&fnId=app-fn&stepId=step&y=%ff";
    assert_eq!(post(&endpoint, uri, body().to_string()).await.status, 200);
    let probe = |kind| post(&endpoint, kind, "");
    assert_eq!(probe("/api/inngest?probe=trust").await.text, "{}");
    assert_eq!(probe("/api/inngest?probe=insult").await.status, 400);
}

#[tokio::test]
async fn t09_the_function_is_found_by_its_decoded_id() {
    let endpoint = echo(dev());
    let posted = async |uri: &str| post(&endpoint, uri, body().to_string()).await;
    for uri in ["/api/inngest", "/api/inngest?fnId=app-other", "/api/inngest?fnId="] {
        let answer = posted(uri).await;
        assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")), "{uri}");
    }
    let unknown = posted("/api/inngest?fnId=app-other").await;
    assert_eq!(
        unknown.json(),
        json!({ "name": "Error", "message": "function not found: app-other" })
    );
    assert_eq!(posted("/api/inngest?fnId=app%2Dfn").await.status, 200);
    assert_eq!(posted("/api/inngest?fnId=app-fn&fnId=app-other").await.status, 200, "first wins");
    assert_eq!(posted("/api/inngest?fnId=%C3%BC%F0%9F%98%80").await.status, 500);
}

#[tokio::test(start_paused = true)]
async fn t10_a_missing_step_id_means_discovery_and_a_strange_one_is_not_found() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.run("a", async || Ok(json!(1))).await?) })
    });
    for uri in ["/api/inngest?fnId=app-fn", "/api/inngest?fnId=app-fn&stepId="] {
        let answer = post(&endpoint, uri, body().to_string()).await;
        assert_eq!(answer.ops(), [("StepRun".into(), "a".into())]);
    }
    let uri = "/api/inngest?fnId=app-fn&stepId=garbage";
    let answer = post(&endpoint, uri, body().to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "error": "Could not find step \"garbage\" to run. Found new steps: a",
      "foundSteps": [
        {
          "displayName": "a",
          "id": "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
          "name": "a"
        }
      ],
      "message": "Could not find step \"garbage\" to run. Found new steps: a",
      "name": "Error",
      "requestedStep": "garbage",
      "totalFoundSteps": 1
    }
    "#);
}

#[tokio::test]
async fn t11_only_the_run_id_is_required_of_the_context() {
    let endpoint = echo(dev());
    let with_ctx = |ctx: Value| {
        let mut body = body();
        body["ctx"] = ctx;
        body
    };
    for ctx in [Value::Null, json!({}), json!({ "attempt": 0 }), json!({ "run_id": 5 })] {
        assert_eq!(call(&endpoint, &with_ctx(ctx)).await.status, 500);
    }
    for ctx in [
        json!({ "run_id": "r" }),
        json!({ "run_id": "r", "stack": null, "max_attempts": null, "use_api": null }),
        json!({ "run_id": "r", "stack": { "stack": null, "current": 0 }, "new": { "key": [] } }),
    ] {
        assert_eq!(call(&endpoint, &with_ctx(ctx)).await.status, 200);
    }
}

#[tokio::test]
async fn t12_steps_and_events_may_be_missing_but_not_the_event() {
    let endpoint = echo(dev());
    let with = |key: &str, value: Option<Value>| {
        let mut body = body();
        match value {
            Some(value) => body[key] = value,
            None => drop(body.as_object_mut().unwrap().remove(key)),
        }
        body
    };
    for absent in [None, Some(Value::Null)] {
        assert_eq!(call(&endpoint, &with("steps", absent.clone())).await.status, 200);
        assert_eq!(call(&endpoint, &with("events", absent)).await.status, 200);
    }
    assert_eq!(call(&endpoint, &with("events", Some(json!([])))).await.status, 200);
    let mut no_event = with("event", Some(Value::Null));
    no_event["events"] = json!([]);
    assert_eq!(call(&endpoint, &no_event).await.status, 500);
}

#[tokio::test]
async fn t14_concurrent_calls_do_not_mix() {
    let endpoint = serving(dev(), |step, data| {
        Box::pin(async move {
            let n = step.run("n", async || {
                tokio::task::yield_now().await;
                Ok(data["n"].clone())
            });
            Ok(n.await?)
        })
    });
    let calls = (0..100).map(|n| {
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            let mut body = body();
            body["event"]["data"]["n"] = json!(n);
            (n, call(&endpoint, &body).await.json()[0]["data"].clone())
        })
    });
    for (n, data) in futures_util::future::try_join_all(calls).await.unwrap() {
        assert_eq!(data, json!(n));
    }
}

#[tokio::test]
async fn t13_a_dropped_call_leaves_nothing_behind() {
    let (started, waiting) = (tokio::sync::Notify::new(), std::sync::Arc::new(()));
    let started = std::sync::Arc::new(started);
    let held = std::sync::Arc::clone(&waiting);
    let signal = std::sync::Arc::clone(&started);
    let endpoint = serving(dev(), move |step, _| {
        let (held, signal) = (std::sync::Arc::clone(&held), std::sync::Arc::clone(&signal));
        Box::pin(async move {
            let run = step.run("slow", async || {
                let _held = held;
                signal.notify_one();
                std::future::pending::<()>().await;
                Ok(json!(1))
            });
            Ok(run.await?)
        })
    });
    let before = std::sync::Arc::strong_count(&waiting);
    let call = tokio::spawn(async move { call(&endpoint, &body()).await });
    started.notified().await;
    assert_eq!(std::sync::Arc::strong_count(&waiting), before + 1);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // The endpoint went with the call.
    assert_eq!(std::sync::Arc::strong_count(&waiting), 1);
}

#[tokio::test]
async fn event_data_that_does_not_fit_fails_at_once_and_names_the_field() {
    #[derive(serde::Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only decoded")]
        amount: i64,
    }
    impl inngest::EventData for Order {
        const NAME: &'static str = "shop/order";
    }
    struct Charge;
    impl inngest::Function for Charge {
        type Event = Order;
        type Output = ();
        type OnFailure = ();

        fn config() -> inngest::Config {
            inngest::Config::id("fn")
        }
        async fn run(&self, _: inngest::Context<'_, Self>) -> inngest::Result<()> {
            Ok(())
        }
    }
    let client = client(dev(), FakeApi::default());
    let endpoint = inngest::App::new("app", client).function(Charge).build().unwrap();
    let mut body = body();
    body["event"] = json!({ "name": "shop/order", "data": { "amount": "ten" } });
    let answer = call(&endpoint, &body).await;
    assert_eq!((answer.status.as_u16(), answer.no_retry()), (400, Some("true")));
    assert_eq!(
        answer.json()["message"],
        "the data of event `shop/order` does not fit: at `amount`: invalid type: string \"ten\", expected i64"
    );
    body["event"]["data"] = json!({ "amount": 10 });
    assert_eq!(
        call(&endpoint, &body).await.text,
        "null",
        "P-010: nothing is `null`, not an empty body"
    );
}

#[tokio::test]
async fn t66_state_that_is_elsewhere_is_fetched_or_the_call_is_retried() {
    let serve = |api| {
        serving_with(client(dev(), api), |step, _| {
            Box::pin(async move { Ok(step.run("a", async || Ok(json!("ran again"))).await?) })
        })
    };
    let mut call_body = body();
    call_body["ctx"]["use_api"] = json!(true);
    let steps = json!({ hash("a"): { "data": "saved" } }).to_string();

    let api = FakeApi::default().answer(200, steps.clone());
    let endpoint = serve(api.clone());
    assert_eq!(call(&endpoint, &call_body).await.text, r#""saved""#);
    let fetched = &api.requests()[0];
    assert_eq!(fetched.uri().path(), "/v0/runs/01M81HWYV2KTK2RAPW4NVTQ3GA/actions");

    for api in [
        FakeApi::default().answer(410, "gone"),
        FakeApi::default().answer(500, "<html>"),
        FakeApi::default().answer(200, "no json"),
        FakeApi::default().answer(200, ""),
        FakeApi::default().fail("connection refused"),
    ] {
        let endpoint = serve(api);
        let answer = call(&endpoint, &call_body).await;
        assert_eq!((answer.status.as_u16(), answer.no_retry()), (500, Some("false")));
        assert!(!answer.text.contains("ran again"));
    }
}

/// P-021, P-110: the second key is tried when the API refuses the first.
#[tokio::test]
async fn t66_state_is_fetched_with_the_second_key_when_the_first_is_refused() {
    let fallback = "signkey-test-0badcafe";
    let steps = json!({ hash("a"): { "data": "saved" } }).to_string();
    let api = FakeApi::default().answer(401, "no").answer(200, steps);
    let client = client(crate::support::cloud_with_fallback(fallback), api.clone());
    let endpoint = serving_with(client, |step, _| {
        Box::pin(async move { Ok(step.run("a", async || Ok(json!("ran again"))).await?) })
    });
    let mut call_body = body();
    call_body["use_api"] = json!(true);
    let request = request(Method::POST, CALL, call_body.to_string());
    let signed = crate::support::signed(request, crate::support::KEY, crate::support::NOW);
    assert_eq!(send(&endpoint, signed).await.text, r#""saved""#);
    let tokens: Vec<_> =
        api.requests().iter().map(|r| r.headers()["authorization"].clone()).collect();
    let expected = [crate::support::KEY, fallback]
        .map(|key| inngest::signing::SigningKey::new(key).api_token().unwrap());
    assert_eq!(tokens, expected.map(|token| format!("Bearer {token}")));
}

/// P-110: a batch whose events are left out of the request is fetched too.
#[tokio::test]
async fn t66_events_that_are_elsewhere_are_fetched() {
    let events = json!([{ "name": "demo/event.sent", "data": { "n": 42 } }]).to_string();
    let api = FakeApi::default().answer(200, "{}").answer(200, events);
    let endpoint = serving_with(client(dev(), api.clone()), |_, data| Box::pin(async { Ok(data) }));
    let mut call_body = body();
    call_body["use_api"] = json!(true);
    call_body["event"] = Value::Null;
    call_body["events"] = json!([]);
    assert_eq!(call(&endpoint, &call_body).await.json(), json!({ "n": 42 }));
    let paths: Vec<_> = api.requests().iter().map(|r| r.uri().path().to_owned()).collect();
    let run = "/v0/runs/01M81HWYV2KTK2RAPW4NVTQ3GA";
    assert_eq!(paths, [format!("{run}/actions"), format!("{run}/batch")]);
}

/// T15, P-002, P-036: [`send`] looks at them in every test; here they are asked for in so many words.
#[tokio::test]
async fn t15_p001_p034_p043_every_answer_carries_the_same_headers() {
    let endpoint = echo(dev());
    for (method, uri, status) in [
        (Method::GET, "/api/inngest", 200),
        (Method::HEAD, "/api/inngest", 200),
        (Method::DELETE, "/api/inngest", 405),
        (Method::PUT, "/api/inngest", 500),
        (Method::POST, "/api/inngest", 500),
        (Method::POST, CALL, 200),
        (Method::POST, "/api/inngest?probe=x", 400),
    ] {
        let mut request = request(method, uri, body().to_string());
        request.headers_mut().insert("accept-encoding", "zstd, br, gzip".parse().unwrap());
        let answer = send(&endpoint, request).await;
        assert_eq!(answer.status, status, "{uri}");
        let sdk = answer.header("x-inngest-sdk").unwrap();
        assert_eq!(sdk.split(':').count(), 2, "P-036");
        assert!(sdk.split(':').nth(1).unwrap().starts_with('v'), "{sdk}");
    }
}

#[tokio::test(start_paused = true)]
async fn p032_a_call_may_take_as_long_as_the_server_allows() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move {
            let slow = step.run("slow", async || {
                tokio::time::sleep(std::time::Duration::from_secs(2 * 60 * 60)).await;
                Ok(json!("done"))
            });
            Ok(slow.await?)
        })
    });
    assert_eq!(call(&endpoint, &body()).await.json()[0]["data"], "done");
}
