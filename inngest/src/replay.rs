//! Whether code outside steps runs again.

use std::cell::Cell;

thread_local! {
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this code of a function, outside its steps, has run in an earlier call of the same run.
///
/// A function begins anew in every call, so a line that it logs between two steps would be logged once for each call
/// that follows. With a filter that asks here, each is logged once per run and attempt. With `tracing-subscriber`:
///
/// ```ignore
/// use tracing_subscriber::filter::dynamic_filter_fn;
///
/// let once = dynamic_filter_fn(|_, _| !inngest::is_replaying());
/// registry().with(fmt::layer().with_filter(once)).init();
/// ```
///
/// It must be a *dynamic* filter: others are asked once for each place in the code. In steps, and outside functions,
/// the answer is no. It is known for the thread that runs the function, while it does.
pub fn is_replaying() -> bool {
    REPLAYING.get()
}

/// Sets the answer of [`is_replaying`] until it is dropped.
pub(crate) struct Replaying(bool);

impl Replaying {
    pub(crate) fn set(replaying: bool) -> Self {
        Self(REPLAYING.replace(replaying))
    }
}

impl Drop for Replaying {
    fn drop(&mut self) {
        REPLAYING.set(self.0);
    }
}
