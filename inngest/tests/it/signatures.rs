//! T16-T25 and T02: which requests are trusted in cloud mode.

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, CALL, EVENT_KEY, FakeApi, KEY, NOW, body, client, cloud, cloud_with_fallback, dev,
    echo, request, send, serving_with, signed,
};

fn call_request() -> http::Request<bytes::Bytes> {
    request(Method::POST, CALL, body().to_string())
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 401);
    assert_eq!(answer.text, r#"{"message":"Unauthorized"}"#);
}

#[tokio::test]
async fn t16_a_signed_call_is_run_and_its_answer_signed() {
    let endpoint = echo(cloud());
    let answer = send(&endpoint, signed(call_request(), KEY, NOW)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, r#"{"n":1}"#));
    let expected = inngest::signing::SigningKey::new(KEY).sign(answer.text.as_bytes(), NOW);
    assert_eq!(answer.header("x-inngest-signature"), Some(expected.as_str()));

    let mut flipped = signed(call_request(), KEY, NOW);
    *flipped.body_mut() = body().to_string().replace(r#""n":1"#, r#""n":2"#).into();
    assert_refused(&send(&endpoint, flipped).await);
}

#[tokio::test]
async fn t17_signatures_age_in_both_directions() {
    let endpoint = echo(cloud());
    for (t, status) in [(NOW - 301, 401), (NOW - 299, 200), (NOW + 299, 200), (NOW + 301, 401)] {
        assert_eq!(send(&endpoint, signed(call_request(), KEY, t)).await.status, status, "{t}");
    }
}

#[tokio::test]
async fn t18_malformed_and_repeated_signature_headers_are_refused() {
    let endpoint = echo(cloud());
    let good = signed(call_request(), KEY, NOW);
    let good = good.headers()["x-inngest-signature"].to_str().unwrap().to_owned();
    let s = good.split_once('&').unwrap().1;
    let with = async |values: &[&str]| {
        let mut request = call_request();
        for value in values {
            request.headers_mut().append("x-inngest-signature", value.parse().unwrap());
        }
        send(&endpoint, request).await
    };
    let t = format!("t={NOW}");
    for bad in [t.as_str(), s, "", &format!("t=abc&{s}"), &format!("{t}&{t}&{s}"), &good[..40]] {
        assert_refused(&with(&[bad]).await);
    }
    assert_refused(&with(&[&good, "t=1&s=00"]).await);
    assert_eq!(with(&[&format!("{good}&v=1")]).await.status, 200);
}

#[tokio::test]
async fn t19_a_body_whose_keys_were_reordered_is_still_the_signed_one() {
    let endpoint = echo(cloud());
    let canonical = body().to_string();
    let mut request = signed(request(Method::POST, CALL, canonical.clone()), KEY, NOW);
    let Value::Object(entries) = body() else { unreachable!("the body is an object") };
    let reversed: Vec<_> =
        entries.iter().rev().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
    let reversed = format!("{{{}}}", reversed.join(","));
    assert_ne!(reversed, canonical);
    *request.body_mut() = reversed.into();
    assert_eq!(send(&endpoint, request).await.status, 200);
}

#[tokio::test]
async fn t21_the_fallback_key_is_accepted_and_others_are_not() {
    let fallback = "signkey-test-0badcafe";
    let endpoint = echo(cloud_with_fallback(fallback));
    let answer = send(&endpoint, signed(call_request(), fallback, NOW)).await;
    assert_eq!(answer.status, 200);
    let expected = inngest::signing::SigningKey::new(fallback).sign(answer.text.as_bytes(), NOW);
    assert_eq!(
        answer.header("x-inngest-signature"),
        Some(expected.as_str()),
        "signed by the same key"
    );
    assert_refused(&send(&endpoint, signed(call_request(), "signkey-test-deadbeef", NOW)).await);
    // The server's own mistake of signing with the prefixed key (P-059) is not repeated here.
    let unstripped = format!("signkey-x-{KEY}");
    assert_refused(&send(&endpoint, signed(call_request(), &unstripped, NOW)).await);
}

#[tokio::test]
async fn t02_t22_unsigned_requests_do_nothing_whatever_they_say_of_themselves() {
    let api = FakeApi::default();
    let endpoint = serving_with(client(cloud(), api.clone()), |_, _| {
        Box::pin(async { panic!("an unsigned call was run") })
    });
    let kinds =
        [None, Some(("x-inngest-server-kind", "dev")), Some(("x-inngest-server-kind", "cloud"))];
    for header in kinds.into_iter().chain([Some(("x-inngest-sync-kind", "in_band"))]) {
        for (method, uri, text) in [
            (Method::POST, CALL, body().to_string()),
            (Method::POST, CALL, String::new()),
            (Method::POST, CALL, "{nope".to_owned()),
            (Method::POST, "/api/inngest?probe=trust", String::new()),
            (Method::PUT, "/api/inngest", r#"{"url":"http://evil.example/"}"#.to_owned()),
            (Method::GET, "/api/inngest", String::new()),
        ] {
            let mut request = request(method, uri, text);
            if let Some((name, value)) = header {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            assert_refused(&send(&endpoint, request).await);
        }
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_deploy_hook_may_start_a_sync_where_the_settings_tell_the_url() {
    let api = FakeApi::default().answer(200, r#"{"ok":true,"modified":true}"#);
    let mut settings = cloud();
    settings.serve_origin = Some("https://flow.example".to_owned());
    let endpoint =
        serving_with(client(settings, api.clone()), |_, data| Box::pin(async { Ok(data) }));
    let mut hook = request(Method::PUT, "/api/inngest", "");
    hook.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_eq!(send(&endpoint, hook).await.status, 200);
    let payload: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    assert_eq!(payload["url"], "https://flow.example/api/inngest");

    // In band the answer holds the app's configuration, so it takes a signature.
    let mut in_band = request(Method::PUT, "/api/inngest", r#"{"url":"https://flow.example/"}"#);
    in_band.headers_mut().insert("x-inngest-sync-kind", "in_band".parse().unwrap());
    assert_refused(&send(&endpoint, in_band).await);
}

/// P-058: where the settings have the URL, or never. The TypeScript SDK also takes it from the request.
#[tokio::test]
async fn p058_an_unsigned_sync_is_the_settings_to_decide() {
    for (unsigned_sync, origin, status) in [
        (true, Some("https://flow.example"), 200),
        (false, Some("https://flow.example"), 401),
        (true, None, 401),
    ] {
        let api = FakeApi::default().answer(200, r#"{"ok":true,"modified":true}"#);
        let mut settings = cloud();
        settings.unsigned_sync = unsigned_sync;
        settings.serve_origin = origin.map(str::to_owned);
        let endpoint =
            serving_with(client(settings, api.clone()), |_, data| Box::pin(async { Ok(data) }));
        let hook = request(Method::PUT, "/api/inngest", "");
        assert_eq!(send(&endpoint, hook).await.status, status);
        assert_eq!(api.requests().len(), usize::from(status == 200));
        // A signature that is there must be right, whatever the settings say.
        let forged = signed(request(Method::PUT, "/api/inngest", ""), "signkey-test-0bad", NOW);
        assert_refused(&send(&endpoint, forged).await);
    }
}

/// P-091: where the settings forbid it, an in-band sync is done out of band.
#[tokio::test]
async fn p091_in_band_syncs_can_be_switched_off() {
    let api = FakeApi::default().answer(200, r#"{"ok":true,"modified":true}"#);
    let mut settings = cloud();
    settings.in_band_sync = false;
    let endpoint =
        serving_with(client(settings, api.clone()), |_, data| Box::pin(async { Ok(data) }));
    let mut put =
        signed(request(Method::PUT, "/api/inngest", r#"{"url":"http://a.example/"}"#), KEY, NOW);
    put.headers_mut().insert("x-inngest-sync-kind", "in_band".parse().unwrap());
    let answer = send(&endpoint, put).await;
    assert_eq!(answer.header("x-inngest-sync-kind"), Some("out_of_band"));
    assert_eq!(api.requests().len(), 1);
}

/// P-060, P-061: only the holder of the key can make this answer.
#[tokio::test]
async fn p061_the_trust_probe_is_answered_with_a_signature() {
    let endpoint = echo(cloud());
    let probe = request(Method::POST, "/api/inngest?probe=trust", "");
    let answer = send(&endpoint, signed(probe, KEY, NOW)).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"));
    let expected = inngest::signing::SigningKey::new(KEY).sign(b"{}", NOW);
    assert_eq!(answer.header("x-inngest-signature"), Some(expected.as_str()));
}

/// The comparison is the MAC's own, which takes the same time for every signature: no other may be made.
#[test]
fn t25_signatures_are_compared_in_constant_time() {
    let source = include_str!("../../src/signing/mod.rs");
    assert_eq!(source.matches("verify_slice(").count(), 1);
    assert!(!source.contains("finalize().into_bytes() ==") && !source.contains("signature =="));
}

#[tokio::test]
async fn t23_cloud_mode_without_a_key_refuses_everything_and_dev_mode_checks_nothing() {
    let mut settings = cloud();
    settings.signing_keys = None;
    let endpoint = echo(settings);
    for method in [Method::POST, Method::PUT, Method::GET] {
        let answer = send(&endpoint, signed(request(method, CALL, "{}"), KEY, NOW)).await;
        assert_eq!(answer.status, 500);
        assert_eq!(answer.json()["code"], "internal_server_error");
    }
    let signed_with_another = signed(call_request(), "signkey-test-deadbeef", NOW);
    assert_eq!(send(&echo(dev()), signed_with_another).await.status, 200);
}

#[tokio::test]
async fn t24_no_answer_reveals_a_key_or_its_hash() {
    let endpoint = echo(cloud_with_fallback("signkey-test-0badcafe"));
    let hashes = [KEY, "signkey-test-0badcafe"]
        .map(|key| inngest::signing::SigningKey::new(key).api_token().unwrap());
    let requests = [
        request(Method::GET, "/api/inngest", ""),
        call_request(),
        signed(call_request(), "signkey-test-deadbeef", NOW),
        signed(request(Method::POST, CALL, "{nope"), KEY, NOW),
        signed(request(Method::POST, "/api/inngest?fnId=x", "{}"), KEY, NOW),
        request(Method::DELETE, "/api/inngest", ""),
    ];
    for request in requests {
        let text = format!("{:?}", send(&endpoint, request).await);
        let secrets = [KEY, &KEY[13..], "0badcafe", EVENT_KEY].into_iter();
        for secret in secrets.chain(hashes.iter().map(|hash| &hash[13..])) {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_signed_get_shows_everything_but_the_keys() {
    let endpoint = echo(cloud());
    let answer = send(&endpoint, signed(request(Method::GET, "/api/inngest", ""), KEY, NOW)).await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "api_origin": "https://api.inngest.com",
      "app_id": "app",
      "authentication_succeeded": true,
      "capabilities": {
        "in_band_sync": "v1",
        "trust_probe": "v1"
      },
      "env": null,
      "event_api_origin": "https://inn.gs",
      "event_key_hash": "e271cb98c2464792870404673142df4c2680aef3d379e6d1031e092a290dcae6",
      "framework": null,
      "function_count": 1,
      "has_event_key": true,
      "has_signing_key": true,
      "has_signing_key_fallback": false,
      "mode": "cloud",
      "schema_version": "2024-05-24",
      "sdk_language": "rust",
      "sdk_version": "v0.1.0",
      "serve_origin": null,
      "serve_path": null,
      "signing_key_fallback_hash": null,
      "signing_key_hash": "signkey-test-a3f552de5b39c53d1ad56f6ad96f47d4275e8a4b3ed8b04db1bebf1c536eca8f"
    }
    "#);
}

#[tokio::test]
async fn an_unsigned_get_in_dev_mode_shows_what_the_dev_server_needs() {
    let answer = send(&echo(dev()), request(Method::GET, "/api/inngest", "")).await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "authentication_succeeded": null,
      "capabilities": {
        "in_band_sync": "v1",
        "trust_probe": "v1"
      },
      "function_count": 1,
      "has_event_key": false,
      "has_signing_key": false,
      "has_signing_key_fallback": false,
      "mode": "dev",
      "schema_version": "2024-05-24"
    }
    "#);
}
