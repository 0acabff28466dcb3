//! The headers of the protocol, in the lower case that HTTP crates want.

use http::HeaderName;

pub(crate) const SDK: HeaderName = HeaderName::from_static("x-inngest-sdk");
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("x-inngest-signature");
pub(crate) const ENV: HeaderName = HeaderName::from_static("x-inngest-env");
pub(crate) const FRAMEWORK: HeaderName = HeaderName::from_static("x-inngest-framework");
pub(crate) const REQ_VERSION: HeaderName = HeaderName::from_static("x-inngest-req-version");
pub(crate) const NO_RETRY: HeaderName = HeaderName::from_static("x-inngest-no-retry");
pub(crate) const SERVER_KIND: HeaderName = HeaderName::from_static("x-inngest-server-kind");
pub(crate) const EXPECTED_SERVER_KIND: HeaderName =
    HeaderName::from_static("x-inngest-expected-server-kind");
pub(crate) const SYNC_KIND: HeaderName = HeaderName::from_static("x-inngest-sync-kind");
pub(crate) const EVENT_ID_SEED: HeaderName = HeaderName::from_static("x-inngest-event-id-seed");

pub(crate) const JSON: &str = "application/json";
/// One colon and a `v`-prefixed semantic version, or the server does not take us for an SDK (P-036).
pub(crate) const SDK_VALUE: &str = concat!("inngest-rs:v", env!("CARGO_PKG_VERSION"));
pub(crate) const SDK_VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
