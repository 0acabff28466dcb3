//! The service: configuration, listeners, webhook intake, store, amoCRM and ERP clients, command line.
pub mod amocrm;
pub mod clock;
pub mod config;
pub mod erp;
pub mod fakes;
pub mod inbox;
pub mod intake;
pub mod metrics;
pub mod outbound;
pub mod store;
