//! The service, which is one program: what is public here is its command line, for `main.rs` and for tests that run it.

mod admin;
mod amocrm;
mod app;
pub mod cli;
mod clock;
mod config;
mod db;
mod deals;
mod doctor;
mod erp;
mod heartbeat;
mod http;
mod inbox;
mod logging;
mod metrics;
mod net;
mod outbound;
mod reconcile;
mod registration;
mod resender;
#[cfg(test)]
mod simulator;
mod trouble;
