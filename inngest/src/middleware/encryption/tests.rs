use serde_json::value::RawValue;

use super::cipher::{Format, Keys};
use super::{Encryption, WeakKey};

const KEY: &str = "correct horse battery staple";
/// `{"name":"Ünï","n":1}` by `@inngest/middleware-encryption` 2.0.0 under that key, with a nonce of sevens.
const TYPESCRIPT: &str =
    "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHUaaasFd6tv64Hl1W1rWM7NvecN7E1fyyT2GF9JA0Z7eTNdj8B6g=";
/// `["a",null,1.5]` by the same package under the key ` an older key than that one `.
const OLDER: &str = "PeS5uKyUV5KgDJRe3Jl2c5ql/oo1FnSdQj+o9hQr6Yx7QJZDwz1/uJZKuTf9HDCuPmCZ0gbc";
/// `{"a":1}` by AES-256-GCM under the first key, with a nonce of sevens.
const AES: &str = "BwcHBwcHBwcHBwcHXG9NdVSvFlElHwN2KPqjJFV6Pocdya4=";

fn sevens(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    bytes.fill(7);
    Ok(())
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn envelope(strategy: &str, data: &str) -> Box<RawValue> {
    raw(&format!(r#"{{"__ENCRYPTED__":true,"__STRATEGY__":"{strategy}","data":"{data}"}}"#))
}

#[test]
fn the_typescript_package_and_this_one_write_the_same() {
    let encryption = Encryption { random: sevens, ..Encryption::new(KEY).unwrap() };
    let json = raw(r#"{"name":"Ünï","n":1}"#);
    let theirs = envelope("inngest/libsodium", TYPESCRIPT);
    assert_eq!(encryption.open(&theirs).unwrap().unwrap().get(), json.get());
    let ours = encryption.for_typescript().seal(&json).unwrap().unwrap();
    assert_eq!(ours.get(), theirs.get());
}

/// What is stored must be read by later versions too. Node's `crypto` writes the same: SHA-256 of the format's name, a zero
/// byte and the text is the key.
#[test]
fn the_own_format_does_not_change() {
    let encryption = Encryption { random: sevens, ..Encryption::new(KEY).unwrap() };
    let sealed = encryption.seal(&raw(r#"{"a":1}"#)).unwrap().unwrap();
    assert_eq!(sealed.get(), envelope("inngest-rs/aes-256-gcm", AES).get());
    assert_eq!(encryption.open(&sealed).unwrap().unwrap().get(), r#"{"a":1}"#);
}

#[test]
fn fallback_keys_decrypt_and_do_not_encrypt() {
    let old = "an older key than that one";
    let both = || Encryption::new(KEY).unwrap().with_fallback(old).unwrap();
    let opened = both().open(&envelope("inngest/libsodium", OLDER)).unwrap().unwrap();
    assert_eq!(opened.get(), r#"["a",null,1.5]"#);
    for encryption in [both(), both().for_typescript()] {
        let sealed = encryption.seal(&raw("1")).unwrap().unwrap();
        assert!(Encryption::new(KEY).unwrap().open(&sealed).is_ok());
        let error = Encryption::new(old).unwrap().open(&sealed).unwrap_err();
        assert!(error.to_string().starts_with("no key of this app decrypts it"), "{error}");
        assert_ne!(error.retry(), crate::Retry::Never, "another deployment may have the key");
    }
}

#[test]
fn a_nonce_is_used_once() {
    let encryption = Encryption::new(KEY).unwrap();
    let sealed = [(); 2].map(|()| encryption.seal(&raw("1")).unwrap().unwrap());
    assert_ne!(sealed[0].get(), sealed[1].get());
    let failing = Encryption { random: |_| Err(getrandom::Error::UNSUPPORTED), ..encryption };
    assert!(failing.seal(&raw("1")).is_err(), "without one, nothing leaves");
}

#[test]
fn what_was_changed_is_not_decrypted() {
    let keys = Keys::of(KEY);
    for format in [Format::AesGcm, Format::SecretBox] {
        let sealed = keys.seal(format, r#"{"a":1}"#, sevens).unwrap();
        assert_eq!(keys.open(format, &sealed).as_deref(), Some(r#"{"a":1}"#));
        for at in 0..sealed.len() {
            let changed = if &sealed[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{changed}{}", &sealed[..at], &sealed[at + 1..]);
            assert_eq!(keys.open(format, &changed), None, "{format:?} {at}");
        }
        assert_eq!(keys.open(format, &sealed[..8]), None);
    }
}

#[test]
fn what_is_no_envelope_is_left_as_it_is() {
    let encryption = Encryption::new(KEY).unwrap();
    for json in [
        "null",
        r#""__ENCRYPTED__""#,
        r#"{"data":"x"}"#,
        r#"{"__ENCRYPTED__":false,"__STRATEGY__":"s","data":"x"}"#,
        r#"{"__ENCRYPTED__":true,"__STRATEGY__":"s","data":1}"#,
        r#"[true,"inngest/libsodium","__ENCRYPTED__"]"#,
    ] {
        assert!(encryption.open(&raw(json)).unwrap().is_none(), "{json}");
    }
    let error = encryption.open(&envelope("inngest/aes", "x")).unwrap_err().to_string();
    assert!(error.starts_with("it is encrypted as `inngest/aes`, which this app"), "{error}");
}

#[test]
fn short_keys_are_refused() {
    assert_eq!(Encryption::new("123456789012345").err(), Some(WeakKey));
    assert_eq!(Encryption::new(" 123456789012345 ").err(), Some(WeakKey));
    assert!(Encryption::new("1234567890123456").is_ok());
}
