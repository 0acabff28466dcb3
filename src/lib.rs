//! The service: configuration, listeners, webhook intake, store, amoCRM and ERP clients, command line.
pub mod amocrm;
pub mod cli;
pub mod clock;
pub mod config;
pub mod erp;
pub mod fakes;
pub mod http;
pub mod inbox;
pub mod inngest_link;
pub mod intake;
pub mod logging;
pub mod metrics;
pub mod outbound;
pub mod service;
pub mod store;
pub mod subscription;
