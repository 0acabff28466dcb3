//! The service: configuration, listeners, webhook intake, store, amoCRM and ERP clients, command line.
mod admin;
mod amocrm;
mod app;
pub mod cli;
pub mod clock;
mod config;
pub mod db;
pub mod deals;
mod doctor;
mod erp;
pub mod heartbeat;
mod http;
pub mod inbox;
mod logging;
pub mod metrics;
mod net;
mod outbound;
mod reconcile;
pub mod registration;
mod resender;
#[cfg(test)]
mod simulator;
