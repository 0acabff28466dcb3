//! What the service does, seen from outside its modules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod amocrm;
mod bodies;
mod cli;
mod config;
mod crash;
mod database;
mod e2e;
mod erp;
mod http;
mod inbox;
mod kill;
mod ledger;
mod replicas;
mod webhook;
