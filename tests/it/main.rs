//! What the service does, seen from outside its modules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod amocrm;
mod attack;
mod care;
mod cli;
mod config;
mod consent;
mod crash;
mod database;
mod doctor;
mod e2e;
mod full_disk;
mod http;
mod kill;
mod ports;
mod reconcile_log;
mod replicas;
mod subscription;
mod token_pairs;
mod world;
