//! The service: configuration, listeners, webhook intake, store, amoCRM and ERP clients, command line.
pub mod admin;
pub mod amocrm;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod deals;
pub mod doctor;
pub mod erp;
pub mod heartbeat;
pub mod http;
pub mod inbox;
pub mod logging;
pub mod metrics;
mod net;
pub mod outbound;
pub mod reconcile;
pub mod registration;
mod resender;
#[cfg(test)]
mod simulator;
