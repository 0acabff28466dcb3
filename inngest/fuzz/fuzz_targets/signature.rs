//! The signature header: arbitrary ones, and good ones with one byte changed.
//!
//! An input is a control part of four bytes, the header up to a line feed, and the body.
#![no_main]

use inngest::signing::{SigningKey, TOLERANCE_SECONDS};
use inngest_fuzz::{FALLBACK, KEY, NOW, keys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&[flags, position, change, age], rest)) = input.split_first_chunk() else { return };
    if flags & 1 == 0 {
        let (header, body) = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &[][..]),
        };
        if let Ok(header) = std::str::from_utf8(header) {
            arbitrary(header, body);
        }
    } else {
        let key = if flags & 2 == 0 { KEY } else { FALLBACK };
        // From 508 s in the past to 512 s in the future.
        let age = (i64::from(age) - 127) * 4;
        changed(&SigningKey::new(key), rest, age, usize::from(position), change);
    }
});

/// Whatever is accepted must be what our own keys sign, now.
fn arbitrary(header: &str, body: &[u8]) {
    let keys = keys();
    let Ok(key) = keys.verify(Some(header), body, NOW) else { return };
    let part = |name: &str| {
        header.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).expect("part")
    };
    let time: i64 = part("t").parse().expect("a time");
    assert!((NOW - time).abs() <= TOLERANCE_SECONDS);
    let signature = part("s").to_ascii_lowercase();
    let signs = |body: &[u8]| key.sign(body, time).ends_with(&format!("&s={signature}"));
    let canonical = || {
        serde_json_canonicalizer::to_vec(&serde_json::from_slice::<serde_json::Value>(body).ok()?)
            .ok()
    };
    assert!(signature.len() == 64 && (signs(body) || canonical().is_some_and(|body| signs(&body))));
}

/// A good header is accepted within the tolerance; with one byte changed it is not, except for the case of a
/// hexadecimal digit (T16).
fn changed(key: &SigningKey, body: &[u8], age: i64, position: usize, change: u8) {
    let (keys, good) = (keys(), key.sign(body, NOW - age));
    let mut bytes = good.clone().into_bytes();
    let position = position % bytes.len();
    bytes[position] ^= change;
    let Ok(header) = String::from_utf8(bytes) else { return };
    let same = header == good
        || (position > "t=1700000000&s=".len() - 1 && header.eq_ignore_ascii_case(&good));
    let result = keys.verify(Some(&header), body, NOW);
    assert_eq!(result.is_ok(), same && age.abs() <= TOLERANCE_SECONDS, "{header}: {result:?}");
    if let Ok(signer) = result {
        assert!(signer == key);
    }
}
