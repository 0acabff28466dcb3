//! What the service does, seen from outside its modules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod attack;
mod cli;
mod contract;
mod database;
mod deploy;
mod doctor;
mod documents;
mod e2e;
mod erp_states;
mod http;
mod kill;
mod logs;
mod metrics;
mod replicas;
mod rooms;
mod run_book;
mod silence;
mod status_page;
mod webhook_forms;
mod world;
