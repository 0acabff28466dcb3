//! What the service does, seen from outside its modules.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops")]

mod amocrm;
mod care;
mod cli;
mod cli_amocrm;
mod cli_deals;
mod config;
mod consent;
mod crash;
mod database;
mod doctor;
mod e2e;
mod erp;
mod full_disk;
mod http;
mod kill;
mod ledger;
mod ports;
mod reconcile_log;
mod replicas;
mod strangers;
mod subscription;
mod token_pairs;
