//! What the service does, seen from outside its modules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod bodies;
mod cli;
mod config;
mod crash;
mod database;
mod doctor;
mod e2e;
mod erp;
mod full_disk;
mod http;
mod inbox;
mod kill;
mod ledger;
mod ports;
mod refusals;
mod replicas;
mod strangers;
mod webhook;
mod world;
