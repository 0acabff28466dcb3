//! What a signature header says of itself.

/// How far a signature's timestamp may lie from our clock, in either direction.
///
/// Five minutes into the past are the rule (P-054). The future is bounded too, or a captured clock
/// error would stay replayable until that future arrives.
pub const TOLERANCE_SECONDS: i64 = 300;

/// Why a signature was not accepted. For the log only: the caller gets 401 and no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No `X-Inngest-Signature` header.
    #[error("the request carries no signature")]
    Missing,
    /// The header is not `t=<integer>&s=<64 hexadecimal digits>` with each part once.
    #[error("the signature header cannot be read")]
    Malformed,
    /// The timestamp is more than [`TOLERANCE_SECONDS`] away from our clock.
    #[error("the signature is {0} s away from this machine's clock; at most 300 s are accepted")]
    Stale(i64),
    /// No key we hold makes this signature.
    #[error("the signature was made with another key or for another body")]
    Mismatch,
}

/// What a signature header claims: well formed and fresh, but not verified. It takes no body to find out.
pub(crate) struct Claim {
    pub(super) timestamp: i64,
    pub(super) signature: [u8; 32],
}

impl Claim {
    pub(crate) fn read(
        header: Option<&str>,
        now_unix_seconds: i64,
    ) -> Result<Self, SignatureError> {
        let claim = Self::parse(header.ok_or(SignatureError::Missing)?)?;
        claim.fresh(now_unix_seconds).map(|()| claim)
    }

    /// Whether it still is. A body may have been long in coming.
    pub(crate) fn fresh(&self, now_unix_seconds: i64) -> Result<(), SignatureError> {
        let distance = now_unix_seconds.saturating_sub(self.timestamp);
        if distance.saturating_abs() > TOLERANCE_SECONDS {
            return Err(SignatureError::Stale(distance));
        }
        Ok(())
    }

    fn parse(header: &str) -> Result<Self, SignatureError> {
        let (mut timestamp, mut signature) = (None, None);
        for part in header.split('&') {
            let slot = match part.split_once('=') {
                Some(("t", value)) => (&mut timestamp, value),
                Some(("s", value)) => (&mut signature, value),
                _ => continue,
            };
            if slot.0.replace(slot.1).is_some() {
                return Err(SignatureError::Malformed);
            }
        }
        let timestamp = timestamp
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or(SignatureError::Malformed)?;
        let mut bytes = [0; 32];
        signature
            .and_then(|text| hex::decode_to_slice(text, &mut bytes).ok())
            .ok_or(SignatureError::Malformed)?;
        Ok(Self { timestamp, signature: bytes })
    }
}
