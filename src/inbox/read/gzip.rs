use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use super::BODY_LIMIT;

/// Whether a body is packed, by its first bytes: proxies unpack bodies and leave the header, or the other way round.
pub(super) fn is_packed(body: &[u8]) -> bool {
    body.starts_with(b"\x1f\x8b")
}

/// Unpacks a body, provided that the result is not larger than one that comes unpacked may be.
pub(super) fn unpack(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    let limit = BODY_LIMIT as u64 + 1;
    match MultiGzDecoder::new(body).take(limit).read_to_end(&mut unpacked) {
        Ok(bytes) if bytes > BODY_LIMIT => Err("it unpacks to more than 4 MiB".to_owned()),
        Ok(_) => Ok(unpacked),
        Err(error) => Err(format!("broken gzip: {error}")),
    }
}
