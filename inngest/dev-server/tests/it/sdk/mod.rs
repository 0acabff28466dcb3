//! Functions of the real SDK, end to end: on the embedded server, and unchanged on the official one where
//! `INNGEST_TEST_SERVER` names it, such as `http://127.0.0.1:8288`.
//!
//! Every program runs twice: with one call for each step, and with steps saved through the checkpoint API.

mod expressions;
mod journal;
mod programs;
mod reruns;
mod sizes;
mod slow;
mod starts;
mod steps;
mod waiting;
mod world;

pub(crate) use world::{eventually, official_server, recording};
