//! The Inngest functions of prometei-flow.
pub mod ports;
