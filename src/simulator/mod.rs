//! Whole days of the service, in a world in which everything around it fails, several things at once: the proof that every
//! lead gets its one record, and that a person has to do nothing but what only a person can do.
//!
//! A seed decides what happens ([`script`]). The service is the real one, from its routes to its SQLite file. amoCRM and
//! the ERP are the fakes of every other test, without sockets; Inngest is a small one that can lose its state
//! ([`inngest`]). Time is driven: a week takes milliseconds. Where the service touches the world it can be killed
//! ([`seam`]), and the same seed always tells the same story.
//!
//! `SIM_DAYS=10000 cargo test --release --lib simulator` plays more of them, `SIM_SEED=123` one, with its story.

mod days;
mod dice;
mod happens;
mod inngest;
mod judge;
mod outside;
mod person;
mod process;
mod scenarios;
mod script;
mod seam;
mod time;
mod world;

pub(crate) use seam::{at_once, connection_of, current, give_back, http_client};
