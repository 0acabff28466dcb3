//! The whole service against an Inngest server: the embedded one, or with `INNGEST_TEST_SERVER=http://127.0.0.1:8288` a
//! running official dev server (`inngest dev --no-discovery --retry-interval 1`). `keys` runs against an official
//! self-hosted server where `INNGEST_TEST_SIGNING_KEY` has its signing key. The story in which Inngest loses everything runs
//! against an official one where `INNGEST_TEST_RESTART` is a command that kills it and starts it anew, without its runs.

mod changes;
mod counts;
mod deals;
mod fields;
mod keys;
mod merges;
mod reconcile;
mod registration;
mod stories;
mod webhooks;
