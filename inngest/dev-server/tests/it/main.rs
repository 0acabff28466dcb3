//! The server against a scripted SDK, over real sockets.
//!
//! The modules are `cfg(test)` so that clippy lets their helpers unwrap.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod cancellation;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod cron;
#[cfg(test)]
mod events;
#[cfg(test)]
mod fake_sdk;
#[cfg(test)]
mod flow_control;
#[cfg(test)]
mod invocations;
#[cfg(test)]
mod parallel;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod sync;
#[cfg(test)]
mod violations;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod world;
