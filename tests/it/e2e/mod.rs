//! The whole service against an Inngest server: the embedded one, or with `INNGEST_TEST_SERVER=http://127.0.0.1:8288` a
//! running official dev server (`inngest dev --no-discovery --retry-interval 1`).

mod deals;
mod reconcile;
mod webhooks;
mod world;

pub(crate) use world::eventually;
