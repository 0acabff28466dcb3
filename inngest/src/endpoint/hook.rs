//! `PUT` without a signature, such as that of a deploy hook (P-058).

use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use url::Url;

use super::Endpoint;
use super::register::Registration;
use super::reply::Reply;

/// A stranger can send such requests without end; each registration is a request of ours to the Inngest API.
const SECONDS_BETWEEN: u64 = 10;

pub(super) type Answer = Shared<BoxFuture<'static, Reply>>;

/// The last registration that a hook began, and when. Requests that come soon after share it, also while it is under
/// way: a caller who hangs up leaves it to the next.
#[derive(Default)]
pub(super) struct Hooks(Mutex<Option<(i64, Answer)>>);

impl Endpoint {
    /// Registers the URL, unless a hook did so just now.
    pub(super) fn answer_hook(&self, url: &Url) -> Answer {
        let now = self.inner.client.clock().unix_seconds();
        let mut last = self.inner.hooks.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((begun, answer)) = &*last
            && now.abs_diff(*begun) < SECONDS_BETWEEN
        {
            return answer.clone();
        }
        let endpoint = self.clone();
        let registration = Registration { url: url.clone(), deploy_id: None, server_kind: None };
        let answer = async move { endpoint.register(&registration).await }.boxed().shared();
        *last = Some((now, answer.clone()));
        answer
    }
}
