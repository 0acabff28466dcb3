//! The server against a scripted SDK, over real sockets.

mod fake_sdk;
mod runs;
mod world;
