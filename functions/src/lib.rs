//! The Inngest functions of prometei-flow.
pub mod ports;
pub mod webhook;
