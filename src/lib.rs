//! The service: configuration, listeners, webhook intake, store, amoCRM and ERP clients, command line.
pub mod amocrm;
pub mod clock;
pub mod erp;
pub mod fakes;
pub mod outbound;
