//! How large a request may be.

use http::Method;

/// The largest request body that is read. The server sends at most 4 MiB of memo, plus the events.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The same for all but calls. A sync holds one URL, a probe nothing.
pub(crate) const MAX_OTHER_BODY_BYTES: usize = 64 * 1024;

/// How many bytes the body of such a request may have.
pub(crate) fn body_limit(method: &Method) -> usize {
    if method == Method::POST { MAX_BODY_BYTES } else { MAX_OTHER_BODY_BYTES }
}
