//! `PUT` without a signature, such as that of a deploy hook (P-058).

use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use super::reply::Reply;

/// Any client can send such requests without end, and each registration is a request to the Inngest API.
const SECONDS_BETWEEN: u64 = 10;

pub(super) type SharedReply = Shared<BoxFuture<'static, Reply>>;

/// The last registration that a hook began, and when. Requests that come soon after share it, also while it is under
/// way: a caller who hangs up leaves it to the next.
#[derive(Default)]
pub(super) struct Hooks(Mutex<Option<(i64, SharedReply)>>);

impl Hooks {
    /// The registration that a hook began just now, or else the one that `begin` begins.
    pub(super) fn reply(
        &self,
        now: i64,
        begin: impl FnOnce() -> BoxFuture<'static, Reply>,
    ) -> SharedReply {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begun, reply)) = &*last
            && now.abs_diff(*begun) < SECONDS_BETWEEN
        {
            return reply.clone();
        }
        let reply = begin().shared();
        *last = Some((now, reply.clone()));
        reply
    }
}
