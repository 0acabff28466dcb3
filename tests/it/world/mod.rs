//! What every test begins with.
//!
//! [`given`] describes a world: leads, settings, variables. [`Begin`] lets it begin: with the service in this process,
//! with the real program where it is killed or measured, or with no service where commands are run. What happens then
//! is written with the verbs of [`World`].

mod begin;
mod commands;
mod program;
mod verbs;
mod wire;

use std::ops::{Deref, DerefMut};

use prometei_flow::cli::world::Running;
use sandbox::RunningWorld;
use tokio::sync::MutexGuard;

pub(crate) use begin::{Begin, variable};
pub(crate) use commands::{Said, prometei_flow};
pub(crate) use program::Program;
pub(crate) use sandbox::{DEADLINE, eventually};
pub(crate) use verbs::Answer;

/// No server listens here: tests have no right to low ports, and no service uses this one.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";

/// An ordinary world, to be changed before it begins.
pub(crate) fn given() -> sandbox::World {
    sandbox::World::new()
}

/// A world with a service of the kind `S`.
pub(crate) struct World<S = Running> {
    running: RunningWorld<S>,
    http: reqwest::Client,
    /// The official Inngest serves one test at a time.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl<S> From<RunningWorld<S>> for World<S> {
    fn from(running: RunningWorld<S>) -> Self {
        Self { running, http: http_client(), _turn: None }
    }
}

impl<S> Deref for World<S> {
    type Target = RunningWorld<S>;

    fn deref(&self) -> &Self::Target {
        &self.running
    }
}

impl<S> DerefMut for World<S> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.running
    }
}

pub(crate) fn http_client() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.timeout(DEADLINE).build().unwrap()
}
