use super::{SignatureError, TOLERANCE_SECONDS};

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
        let distance = now_unix_seconds.saturating_sub(claim.timestamp);
        if distance.saturating_abs() > TOLERANCE_SECONDS {
            return Err(SignatureError::Stale(distance));
        }
        Ok(claim)
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
