use super::{SignatureError, SigningKey, SigningKeys, split_prefix};

const KEY: &str = "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3f";
const T: i64 = 1_700_000_000;
const CALL: &[u8] = br#"{"ctx":{"attempt":0,"run_id":"01HMT0000000000000000000000"},"event":{"data":{"n":1},"name":"demo/event.sent"},"events":[{"data":{"n":1},"name":"demo/event.sent"}],"steps":{}}"#;
const SYNC: &[u8] = br#"{"url":"http://localhost:3000/api/inngest?a=1\u0026b=2"}"#;

fn keys(primary: &str, fallback: Option<&str>) -> SigningKeys {
    SigningKeys { primary: SigningKey::new(primary), fallback: fallback.map(SigningKey::new) }
}

fn header(signature: &str) -> String {
    format!("t={T}&s={signature}")
}

#[test]
fn reference_vectors_of_the_go_sdk_hold() {
    let key = SigningKey::new(KEY);
    let v1 = header("27c7774e96f63cd79f930b10ae7b6596ba7c90fe84261896636d2662f511ae90");
    let v3 = header("4341b610e79e5c2b4492a9a298122eaa44ce7a8ef0e7ffd8535d173cd9de9ad8");
    let v4 = header("0fe8107e3d2b0f1b1e435803ec40a6afe2b6fbfe781a4d40216d88d842aa3d8d");
    assert_eq!(key.sign(CALL, T), v1);
    assert_eq!(key.sign(b"", T), v3);
    assert_eq!(key.sign(br#"{"app_id":"a"}"#, T), v4);
}

#[test]
fn a_sync_is_accepted_over_its_raw_and_its_canonical_form() {
    let canonical = header("4e9e63ac66b0c2a6e75023a9872f36964af3903521cb91bbd52cebac51449992");
    let raw = header("17484fedf5378d50ee3b0f88f38842f9dba036b8b9b6bdc67022387e4d7a7617");
    for signature in [canonical, raw] {
        assert!(keys(KEY, None).verify(Some(&signature), SYNC, T).is_ok());
    }
}

#[test]
fn a_key_signed_with_its_prefix_is_another_key() {
    let unstripped = SigningKey::new(format!("signkey-x-{KEY}")).sign(CALL, T);
    assert_eq!(
        keys(KEY, None).verify(Some(&unstripped), CALL, T).err(),
        Some(SignatureError::Mismatch)
    );
}

#[test]
fn the_fallback_key_is_tried_and_named() {
    let old = SigningKey::new("signkey-test-0badcafe");
    let signed = old.sign(CALL, T);
    let rotation = keys(KEY, Some("signkey-test-0badcafe"));
    assert_eq!(rotation.verify(Some(&signed), CALL, T), Ok(&old));
    assert!(keys(KEY, None).verify(Some(&signed), CALL, T).is_err());
}

#[test]
fn five_minutes_in_both_directions() {
    let signed = SigningKey::new(KEY).sign(CALL, T);
    let at = |now| keys(KEY, None).verify(Some(&signed), CALL, now).err();
    assert_eq!(at(T + 299), None);
    assert_eq!(at(T + 301), Some(SignatureError::Stale(301)));
    assert_eq!(at(T - 299), None);
    assert_eq!(at(T - 301), Some(SignatureError::Stale(-301)));
}

#[test]
fn malformed_headers_are_refused() {
    let good = SigningKey::new(KEY).sign(CALL, T);
    let s = good.split_once('&').unwrap().1;
    let verify = |header: &str| keys(KEY, None).verify(Some(header), CALL, T).err();
    for bad in [
        "",
        &format!("t={T}"),
        s,
        &format!("t=abc&{s}"),
        &format!("t=-5&{s}"),
        &format!("t=99999999999999999999&{s}"),
        &format!("t={T}&t={T}&{s}"),
        &format!("t={T}&s=zz"),
        &good[..good.len() - 2],
        &format!("{good}00"),
    ] {
        assert_eq!(verify(bad), Some(SignatureError::Malformed), "{bad}");
    }
    assert_eq!(verify(&format!("{good}&v=1")), None);
    assert_eq!(verify(&format!("{s}&t={T}")), None, "the order of the parts is free");
    assert_eq!(keys(KEY, None).verify(None, CALL, T).err(), Some(SignatureError::Missing));
}

#[test]
fn api_tokens_match_the_reference() {
    for (key, token) in [
        (
            "signkey-prod-12345678",
            "signkey-prod-b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c",
        ),
        (KEY, "signkey-test-a3f552de5b39c53d1ad56f6ad96f47d4275e8a4b3ed8b04db1bebf1c536eca8f"),
        (
            "7468697320697320612074657374206b6579",
            "ed30c63423735b44011c49a38c01a8062833420cfb299072e0263c986242556a",
        ),
    ] {
        assert_eq!(SigningKey::new(key).api_token().unwrap(), token);
    }
    assert!(SigningKey::new("signkey-test-not hex").api_token().is_err());
}

#[test]
fn the_newline_at_the_end_of_a_file_is_no_part_of_a_key() {
    let key = SigningKey::new("signkey-test-0123abcd");
    for read in ["signkey-test-0123abcd\n", " signkey-test-0123abcd\r\n"] {
        assert_eq!(SigningKey::new(read), key);
    }
}

#[test]
fn only_the_exact_prefix_is_cut() {
    for (key, rest) in [
        ("signkey-test-branch-abcd", "branch-abcd"),
        ("signkey--1234", "signkey--1234"),
        ("SIGNKEY-test-ab", "SIGNKEY-test-ab"),
        ("signkey-test", "signkey-test"),
        ("abcd", "abcd"),
        ("signkey-ключ-ab", "signkey-ключ-ab"),
    ] {
        assert_eq!(split_prefix(key).1, rest);
    }
}

#[test]
fn debug_shows_no_key() {
    assert!(!format!("{:?}", keys(KEY, Some(KEY))).contains("8ee2"));
}
