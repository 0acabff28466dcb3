//! What the service does, seen from outside its modules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod attack;
mod bodies;
mod cli;
mod config;
mod crash;
mod database;
mod doctor;
mod e2e;
mod full_disk;
mod http;
mod inbox;
mod kill;
mod ports;
mod refusals;
mod replicas;
mod webhook;
mod world;
