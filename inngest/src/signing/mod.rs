//! Signatures and keys: who may call the endpoint, and how it proves itself to the Inngest API.
//!
//! A signature is `t=<unix seconds>&s=<hex>`, where `s` is the HMAC-SHA256 of `body || t` under the
//! signing key without its `signkey-<env>-` prefix (not hex-decoded).

mod claim;

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::lower_hex::push_hex;
pub(crate) use claim::Claim;
pub use claim::{SignatureError, TOLERANCE_SECONDS};

/// Largest body for which the canonical-JSON fallback is tried. Only syncs need it, and they hold one URL: the server
/// signs its calls as it sends them (P-050). For a byte of body the canonical form costs up to a hundred times what its
/// HMAC does. At this size that is 0.2 ms, about as much as receiving the request, so a forger gains nothing.
pub(crate) const CANONICAL_FALLBACK_LIMIT: usize = 4096;

/// Largest body for which it is found out why its signature does not fit. Parsed, it takes some thirty times as much memory.
const CLOSER_LOOK_LIMIT: usize = 2 * 1024 * 1024;

/// An Inngest signing key. Its `Debug` shows nothing of it. Cheap to clone.
#[derive(Clone)]
pub struct SigningKey(Arc<Key>);

struct Key {
    text: String,
    /// A MAC that has taken in the key and nothing yet: to begin anew with each signature would double the cost of a short
    /// one. There always is one, because HMAC takes keys of every length; without it nothing would be signed or verified.
    mac: Option<Hmac<Sha256>>,
}

/// The part of a signing key after `signkey-<env>-` is no hexadecimal text, so no API token can be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signing key must be hexadecimal, optionally after a `signkey-<env>-` prefix; copy it again from the Inngest dashboard"
)]
pub struct InvalidSigningKey;

impl SigningKey {
    /// Takes a key as Inngest shows it, with or without the `signkey-<env>-` prefix. White space around it, such as the
    /// newline at the end of a file, is no part of it.
    pub fn new(key: impl Into<String>) -> Self {
        let text = key.into().trim().to_owned();
        let mac = Hmac::new_from_slice(split_prefix(&text).1.as_bytes()).ok();
        Self(Arc::new(Key { text, mac }))
    }

    fn mac(&self, body: &[u8], unix_seconds: i64) -> Option<Hmac<Sha256>> {
        let mut mac = self.0.mac.clone()?;
        mac.update(body);
        mac.update(unix_seconds.to_string().as_bytes());
        Some(mac)
    }

    /// The `X-Inngest-Signature` value for `body` at `unix_seconds`.
    pub fn sign(&self, body: &[u8], unix_seconds: i64) -> String {
        let mut signature = format!("t={unix_seconds}&s=");
        if let Some(mac) = self.mac(body, unix_seconds) {
            push_hex(&mut signature, &mac.finalize().into_bytes());
        }
        signature
    }

    /// The bearer token for the Inngest API: the prefix, then the SHA-256 of the decoded rest (P-019).
    pub fn api_token(&self) -> Result<String, InvalidSigningKey> {
        let (prefix, rest) = split_prefix(&self.0.text);
        let bytes = hex::decode(rest).map_err(|_| InvalidSigningKey)?;
        Ok(format!("{prefix}{}", hex::encode(Sha256::digest(bytes))))
    }
}

/// Splits off the prefix `^signkey-\w+-`, exactly: case-sensitive, one word without a dash.
fn split_prefix(key: &str) -> (&str, &str) {
    let env_end = key.strip_prefix("signkey-").and_then(|rest| {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        (word > 0 && rest[word..].starts_with('-')).then_some("signkey-".len() + word + 1)
    });
    key.split_at(env_end.unwrap_or(0))
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The keys a request may be signed with: the primary one, then the fallback during a rotation.
#[derive(Debug, Clone)]
pub struct SigningKeys {
    /// `INNGEST_SIGNING_KEY`.
    pub primary: SigningKey,
    /// `INNGEST_SIGNING_KEY_FALLBACK`.
    pub fallback: Option<SigningKey>,
}

impl SigningKeys {
    /// Both keys, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.primary).chain(&self.fallback)
    }

    /// Checks a signature header against the raw body, then against its canonical JSON form (RFC 8785), each
    /// with both keys. Returns the key that signed.
    ///
    /// The second form is needed for syncs: the server signs the canonical text of the body but sends `&`
    /// in a URL as `\u0026` [observed on server 1.43]. It is tried for bodies of at most 4 KiB.
    pub fn verify(
        &self,
        header: Option<&str>,
        body: &[u8],
        now_unix_seconds: i64,
    ) -> Result<&SigningKey, SignatureError> {
        self.signer(&Claim::read(header, now_unix_seconds)?, body)
    }

    /// The key that made the signature of this claim.
    pub(crate) fn signer(&self, claim: &Claim, body: &[u8]) -> Result<&SigningKey, SignatureError> {
        self.signer_of(body, claim)
            .or_else(|| self.signer_of(&canonical(body, CANONICAL_FALLBACK_LIMIT)?, claim))
            .ok_or(SignatureError::Mismatch)
    }

    /// Whether a body that [`signer`](Self::signer) has refused was signed in its canonical form, and is only too large
    /// for that to count. It takes long, so not every request can have it.
    pub(crate) fn signed_canonically(&self, claim: &Claim, body: &[u8]) -> bool {
        let signer = canonical(body, CLOSER_LOOK_LIMIT);
        signer.is_some_and(|canonical| self.signer_of(&canonical, claim).is_some())
    }

    fn signer_of(&self, body: &[u8], claim: &Claim) -> Option<&SigningKey> {
        self.iter().find(|key| {
            let mac = key.mac(body, claim.timestamp);
            mac.is_some_and(|mac| mac.verify_slice(&claim.signature).is_ok())
        })
    }
}

fn canonical(body: &[u8], limit: usize) -> Option<Vec<u8>> {
    if body.len() > limit {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    serde_json_canonicalizer::to_vec(&value).ok()
}

#[cfg(test)]
mod tests;
