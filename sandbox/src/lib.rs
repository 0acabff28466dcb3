//! Everything around the service, for the demo, for development and for every test: an amoCRM and an ERP that behave
//! like the real ones, quirks included, keep everything in memory and record every request; an Inngest; a clock.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use sandbox::World;
//!
//! let world = World::new()
//!     .lead(45_721_053, "Ремонт офиса", 46_333)
//!     .variable("CRM_DEDUPE", "event")
//!     .start(async |launch| Ok(drop(launch))) // here the service is started
//!     .await?;
//! assert!(world.erp.rows().is_empty());
//! # Ok(())
//! # }
//! ```

mod amocrm;
pub mod bodies;
mod clock;
mod crash;
mod database;
mod erp;
mod eventually;
mod gate;
mod held_commits;
mod ports;
mod server;
mod world;

pub use amocrm::{AmoCrmFailure, FakeAmoCrm, FakeAmoCrmSettings, webhook_of};
pub use clock::ManualClock;
pub use crash::{crash_after, crash_rounds};
pub use database::Database;
pub use erp::{
    ErpFailure, ErpField, ErpRow, ErpVersion, FakeErp, FakeErpSettings, HeldRequest, Php,
};
pub use eventually::{DEADLINE, eventually};
pub use gate::Gate;
pub use held_commits::HeldCommits;
pub use ports::{close, free_address, free_port};
pub use server::RecordedRequest;
pub use world::{Launch, Replica, RunningWorld, Variables, World};
